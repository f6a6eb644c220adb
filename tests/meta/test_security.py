"""Dependencies and settings that security rests on. SECURITY.md says what is promised."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import orjson
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.loopback import LoopbackServer

# Licences that a project under Apache-2.0 may depend on, as packages write them; MPL binds its own files only.
ALLOWED = {
    *("0BSD", "Apache 2.0", "Apache License 2.0", "Apache Software License", "Apache-2.0", "BSD", "BSD License"),
    *("3-Clause BSD License", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "DFSG approved", "HPND", "ISC"),
    *("ISC License ISCL", "MIT", "MIT License", "MIT-0", "MIT-CMU", "MPL-2.0", "Mozilla Public License 2.0 MPL 2.0"),
    *("PSF-2.0", "Python Software Foundation License", "Unlicense", "The Unlicense Unlicense", "Zlib"),
}
# Packages that name no licence in their metadata, or several to choose from, and what was found in their sources.
EXAMINED = {
    "axe-playwright-python": "MIT",
    "text-unidecode": "Artistic License, by choice; for tests only",
}


def locked(checkout: Path) -> dict[str, str]:
    """Name and one version of every locked package."""
    pins: dict[str, str] = {}
    for lock in checkout.glob("requirements*.txt"):
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE):
            pins[canonicalize_name(name)] = version
    return pins


def installed(checkout: Path) -> Iterator[Distribution]:
    """What is installed of it; some packages are for other systems."""
    for name in locked(checkout):
        try:
            yield distribution(name)
        except PackageNotFoundError:
            continue


def audit(checkout: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the audit of the lock files."""
    return subprocess.run(
        [sys.executable, str(checkout / ".ci" / "audit")],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@contextmanager
def advisories(answer: Any) -> Iterator[str]:
    """A database of advisories on this machine; `answer` makes its results of the queries."""

    async def query(request: Request) -> Response:
        queries = orjson.loads(await request.body())["queries"]
        return Response(orjson.dumps({"results": answer(queries)}), media_type="application/json")

    with LoopbackServer(Starlette(routes=[Route("/v1/querybatch", query, methods=["POST"])])) as server:
        yield server.url


def test_no_advisory_is_known_of_any_locked_package(
    checkout: Path, certificates: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asks the open database about every pin; skipped, and said so, where no database can be reached."""
    monkeypatch.delenv("SSL_CERT_DIR")
    done = audit(checkout, **certificates)
    if done.returncode == 2:
        pytest.skip(done.stdout.strip())

    assert done.returncode == 0, done.stdout


def test_the_audit_tells_a_finding_from_none_and_from_no_answer(checkout: Path) -> None:
    """A clean exit only where every package was answered for; Python's and npm's packages are both asked about."""
    asked: list[dict[str, Any]] = []

    def clean(queries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        asked.extend(queries)
        return [{} for _ in queries]

    def tainted(queries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"vulns": [{"id": "PYSEC-0"}]} if one["package"]["name"] == "duckdb" else {} for one in queries]

    with advisories(clean) as url:
        assert audit(checkout, LOTWISE_ADVISORIES=url).returncode == 0
    with advisories(tainted) as url:
        found = audit(checkout, LOTWISE_ADVISORIES=url)
    with advisories(lambda queries: [{}] * (len(queries) - 1)) as url:
        short = audit(checkout, LOTWISE_ADVISORIES=url)
    gone = audit(checkout, LOTWISE_ADVISORIES=url)

    names = {canonicalize_name(one["package"]["name"]) for one in asked if one["package"]["ecosystem"] == "PyPI"}
    assert names == set(locked(checkout))
    assert bool(list(checkout.glob("tests/**/package-lock.json"))) == any(
        one["package"]["ecosystem"] == "npm" for one in asked
    )
    assert found.returncode == 1
    assert re.search(r"^PyPI duckdb \S+: PYSEC-0$", found.stdout, re.MULTILINE)
    assert [short.returncode, gone.returncode] == [2, 2]
    assert short.stdout.startswith("NOT AUDITED") and gone.stdout.startswith("NOT AUDITED")


def test_nothing_is_installed_that_no_lock_names(checkout: Path) -> None:
    """What a locked package needs is locked too: an unpinned one could change under us."""
    pins = locked(checkout)
    loose = [
        f"{package.name} needs {requirement.name}"
        for package in installed(checkout)
        for requirement in map(Requirement, package.requires or ())
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if canonicalize_name(requirement.name) not in pins
    ]

    assert loose == []


def test_every_licence_is_one_that_was_agreed_to(checkout: Path) -> None:
    """A new package brings a licence with it; one that is not in the list needs a look by a person."""
    odd = {}
    for package in installed(checkout):
        about = package.metadata.json
        classifiers = [text.rpartition(" :: ")[2] for text in about.get("classifier", ()) if "License ::" in text]
        said = about.get("license_expression") or "; ".join(classifiers) or about.get("license") or ""
        parts = re.split(r" AND | OR |; ", re.sub("[()]", "", str(said)))
        if not set(parts) <= ALLOWED:
            odd[canonicalize_name(package.name)] = str(said)[:80]

    assert {name: said for name, said in odd.items() if name not in EXAMINED} == {}


def test_the_dashboard_keeps_to_itself(checkout: Path) -> None:
    """Loopback, no folder served as files, bounded uploads, no tracebacks for visitors, no weakened protection."""
    config = tomllib.loads((checkout / ".streamlit" / "config.toml").read_text())
    server = config["server"]

    assert server["address"] == "127.0.0.1"
    assert server["allowedHosts"] == ["127.0.0.1", "localhost"]
    assert 256 < server["maxUploadSize"] <= 300
    assert config["client"]["showErrorDetails"] == "none"
    assert not server.get("enableStaticServing", False)
    assert server.get("enableXsrfProtection", True) and server.get("enableCORS", True)


def test_no_page_draws_html_of_unknown_origin(checkout: Path) -> None:
    """HTML is made where a text needs two colours, and there every text is escaped; nowhere else."""
    sources = {path.name: path.read_text() for path in (checkout / "pages").glob("*.py")}

    assert [name for name, text in sources.items() if re.search(r"unsafe_allow|components\.|st\.iframe", text)] == []
    constant = r'st\.html\("<style>[^"]*</style>"\)'
    drawn = {name for name, text in sources.items() if "st.html(" in re.sub(constant, "", text)}
    assert drawn == {name for name in drawn if "html.escape(" in sources[name]}


def test_the_linter_looks_for_security_faults(checkout: Path) -> None:
    """The S rules (those of bandit) are on for everything that ships, with no blanket exception but one explained."""
    ruff = tomllib.loads((checkout / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]

    assert "S" in ruff["select"]
    assert [rule for rule in ruff["ignore"] if rule.startswith("S")] == ["S608"]
    assert {path for path, rules in ruff["per-file-ignores"].items() if "S" in rules} == {"tests/**", "benchmarks/**"}
