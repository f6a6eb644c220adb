"""No secret leaves the environment: not into files, logs, documents or messages, whatever goes wrong."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.responses import Response
from starlette.types import Scope

from core.account import KeyUnusable, api_key
from core.commands.command_line import main
from core.commands.local_api import serve
from core.loopback import LoopbackServer
from core.sandbox import SandboxOptions, create_app
from core.store.lock import read_owner
from core.workspace import Workspace
from tests.cli.conftest import line
from tests.jobs.fronts import Answer, Front, refusing

CANARY = "sk-ant-canary-0123456789abcdef"
VERBS = (["submit"], ["status", "--json"], ["repair", "all", "--dry-run"])


def no_json(scope: Scope) -> Response | None:
    """A proxy in front of the API has its own idea of an answer."""
    return Response("<html>Bad gateway</html>", 200, media_type="text/html") if scope["method"] == "POST" else None


def nothing(_: Scope) -> Response | None:
    """Everything goes its way."""
    return None


@contextmanager
def api(answer: Answer, **options: float) -> Iterator[str]:
    """An API that goes wrong in one way; its address."""
    with LoopbackServer(Front(create_app(SandboxOptions(**options)), answer, error_text="failed")) as server:  # type: ignore[arg-type]
        yield server.url


def leaks(folder: Path, *printed: str) -> list[str]:
    """Where the key stands that it must not: files of the workspace, and what was printed or logged."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = [str(path) for path in files if CANARY.encode() in path.read_bytes()]
    assert files
    return found + [text for text in printed if CANARY in text]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, workspace_dir: Path, tmp_path: Path) -> Path:
    """Return a workspace of a real account with a few requests, the SDK's retries ended at once."""
    path = tmp_path / "requests.jsonl"
    path.write_text("".join(json.dumps(line(f"item-{number}")) + "\n" for number in range(3)))
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    monkeypatch.setattr("anthropic._constants.MAX_RETRY_DELAY", 0.0, raising=True)
    monkeypatch.setattr("anthropic._base_client.MAX_RETRY_DELAY", 0.0)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    assert main(["import", str(path)]) == 0
    return workspace_dir


FAILING = {
    "401": (refusing(401, "invalid x-api-key"), {}),
    "413": (refusing(413, "too large"), {}),
    "429": (refusing(429, "slow down"), {}),
    "refused": (refusing(400, "no such model"), {}),
    "reply lost": (refusing(500, "internal error"), {}),
    "dropped": (nothing, {"drop_rate": 1.0}),
    "no JSON": (no_json, {}),
    "items fail": (nothing, {"error_rate": 1.0, "time_scale": 1e6}),
}


@pytest.mark.parametrize("failure", FAILING)
def test_the_key_is_in_no_file_log_or_answer(
    account: Path,
    failure: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every way in which a call can fail, with every library's log at its most talkative."""
    caplog.set_level(logging.DEBUG)
    answer, options = FAILING[failure]
    with api(answer, **options) as url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        for verb in VERBS:
            main(verb)
    printed = capsys.readouterr()

    assert "anthropic" in {record.name.partition(".")[0] for record in caplog.records}
    assert leaks(account, printed.out, printed.err, caplog.text, *(str(vars(one)) for one in caplog.records)) == []


def test_an_api_that_is_away_does_not_show_the_key(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing listens at the address: the sentence says so and no more."""
    assert [main(verb) for verb in VERBS] == [0, 0, 0]
    printed = capsys.readouterr()

    assert leaks(account, printed.out, printed.err) == []


def test_the_sdk_in_debug_mode_prints_no_key(account: Path, checkout: Path) -> None:
    """`ANTHROPIC_LOG=debug`, in a process of its own, while the API answers 401."""
    with api(refusing(401, "invalid x-api-key")) as url:
        environment = os.environ | {"ANTHROPIC_LOG": "debug", "ANTHROPIC_BASE_URL": url}
        command = [sys.executable, "-m", "core", "submit"]
        done = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    assert "DEBUG" in done.stderr or "debug" in done.stderr.lower()
    assert leaks(account, done.stdout, done.stderr) == []


@pytest.mark.parametrize("key", [f"{CANARY}\nx", f"{CANARY}…", f"{CANARY}\x00"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str) -> None:
    """Libraries quote the header that they refuse; so it never gets there, and the refusal does not name it."""
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(f"ANTHROPIC_API_KEY = {json.dumps(key)}")

    with pytest.raises(KeyUnusable) as refused:
        api_key(secrets)
    assert CANARY not in f"{refused.value} {refused.value!r} {refused.value.context}"
    monkeypatch.setenv("ANTHROPIC_API_KEY", f" {CANARY}\n")
    assert api_key(secrets) == CANARY


def test_the_token_of_the_local_api_is_in_its_lock_file_alone(
    workspace_dir: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Only its owner can read that file; wrong tokens, wrong verbs and wrong usage do not show it."""
    caplog.set_level(logging.DEBUG)
    with Workspace.open(workspace_dir) as workspace:
        workspace.start(serve=serve)
        lock = workspace_dir / "lotwise.lock"
        owner = read_owner(lock)
        assert owner is not None
        assert owner.token
        answers = [
            httpx2.post(f"{owner.url}/api/status", headers={"authorization": f"Bearer {word}"}).text
            for word in ("nothing", "wrong", owner.token[:-1])
        ]
        for verb in (["status"], ["status", "--json"], ["repair", "nope"], ["export", "items", "--to", "x.nope"]):
            main(verb)
        printed = capsys.readouterr()
        told = (printed.out, printed.err, caplog.text, repr(owner), *answers)

        assert [text for text in told if owner.token in text] == []
        files = [path for path in workspace_dir.rglob("*") if path.is_file()]
        assert [path for path in files if owner.token.encode() in path.read_bytes()] == [lock]
        assert lock.stat().st_mode & 0o077 == 0
