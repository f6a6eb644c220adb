"""Habits that keep the project legible and its environment repeatable."""

import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LINES = 400
# One noun per file: these names say where code was put, not what it is.
VAGUE = {"util", "utils", "helper", "helpers", "manager", "managers", "misc"}
# Folders where one person's files live; a path into them works on one machine only.
PERSONAL = re.compile(rb"(?<![\w./-])/(?:" + rb"|".join((b"home", b"Users", b"root", b"work")) + rb")/[\w.~-]")
LOCKS = ("requirements", "requirements-dask", "requirements-dev", "requirements-strangers")

Pins = dict[str, set[str]]


def locked(path: Path) -> tuple[Pins, set[str]]:
    """Read a lock file: versions by package (platforms may differ), and the packages its .in file names."""
    pins: Pins = {}
    direct: set[str] = set()
    name = ""
    for line in path.read_text().splitlines():
        if not line.startswith((" ", "#")) and line.strip():
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            (pin,) = requirement.specifier
            assert pin.operator == "==", f"{line} is not pinned"
            assert "*" not in pin.version, f"{line} is not pinned"
            pins.setdefault(name, set()).add(pin.version)
        elif line.endswith(f"-r {path.stem}.in"):
            direct.add(name)
    return pins, direct


def named(path: Path) -> dict[str, Requirement]:
    """Read the packages that an .in file asks for."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    requirements = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def test_no_python_file_outgrows_one_reading(checkout: Path, project_files: list[Path]) -> None:
    """A file past 400 lines holds more than one noun."""
    lengths = {
        str(path): len((checkout / path).read_bytes().splitlines()) for path in project_files if path.suffix == ".py"
    }

    assert {path: length for path, length in lengths.items() if length > LINES} == {}


def test_no_module_has_a_vague_name(project_files: list[Path]) -> None:
    """A module is named after its noun."""
    vague = [str(path) for path in project_files if not VAGUE.isdisjoint((*path.parts[:-1], path.stem))]

    assert vague == []


def test_no_file_names_a_path_of_one_machine(checkout: Path, project_files: list[Path]) -> None:
    """What is tracked works from any clone."""
    found = [
        f"{path}:{number}: {line.decode(errors='replace').strip()[:120]}"
        for path in project_files
        if b"\0" not in (data := (checkout / path).read_bytes())
        for number, line in enumerate(data.splitlines(), start=1)
        if PERSONAL.search(line)
    ]

    assert found == []


@pytest.mark.parametrize("lock", LOCKS)
def test_requirements_are_pinned_and_in_step(checkout: Path, lock: str) -> None:
    """A lock pins every package, and answers exactly what its .in file asks for (`make lock` makes it so)."""
    pins, direct = locked(checkout / f"{lock}.txt")
    wanted = named(checkout / f"{lock}.in")

    # The development lock includes the other one, whose own names appear there too.
    assert set(wanted) == direct
    outdated = [
        f"{requirement} is locked at {version}"
        for name, requirement in wanted.items()
        for version in pins[name]
        if not requirement.specifier.contains(version)
    ]
    assert outdated == []


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_name_no_package_index(checkout: Path, lock: str) -> None:
    """Where packages come from is the machine's business."""
    text = (checkout / f"{lock}.txt").read_text()

    assert "://" not in text
    assert not re.search(r"^--(?:extra-)?index|^--find-links|^-[if]\b", text, re.MULTILINE)


def test_the_node_lock_is_in_step_and_names_no_registry(checkout: Path) -> None:
    """What Node installs is pinned by its content, not by the place where one machine found it."""
    folder = checkout / "tests" / "strangers"
    wanted, lock = (json.loads((folder / name).read_text()) for name in ("package.json", "package-lock.json"))

    assert lock["packages"].pop("")["dependencies"] == wanted["dependencies"]
    assert all(package.get("integrity") for package in lock["packages"].values())
    assert "://" not in json.dumps(lock)


def test_development_runs_what_users_run(checkout: Path) -> None:
    """Checks mean something only on the versions that `make run` installs."""
    run, _ = locked(checkout / "requirements.txt")
    dev, _ = locked(checkout / "requirements-dev.txt")

    assert {name: dev.get(name) for name in run} == run
