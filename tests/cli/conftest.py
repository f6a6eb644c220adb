"""Ways to run the command line: in this process, and in one of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.commands.command_line import main

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
Call = Callable[..., Any]


@pytest.fixture
def requests_file(tmp_path: Path) -> Path:
    """Return a file of 20 requests: 12 of one class, 8 that share nothing."""
    path = tmp_path / "requests.jsonl"
    system = "Judge the record by every one of these rules. " * 120
    lines = [line(f"alpha-{number:02d}", system=system) for number in range(12)]
    lines += [line(f"lone-{number}") for number in range(8)]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path


def line(item: str, **params: Any) -> dict[str, Any]:
    """One request."""
    asked = {"model": "claude-sonnet-5-5", "max_tokens": 100, **params}
    return {"custom_id": item, "params": asked | {"messages": [{"role": "user", "content": f"Record {item}?"}]}}


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch, workspace_dir: Path) -> None:
    """The embedded server runs a hundred thousand times faster than life, and everybody means one workspace."""
    monkeypatch.setenv("LOTWISE_WORKSPACE", str(workspace_dir))
    monkeypatch.setenv("LOTWISE_SANDBOX_TIME_SCALE", "400")
    monkeypatch.setenv("LOTWISE_SANDBOX_ERROR_RATE", "0")
    monkeypatch.setenv("LOTWISE_SANDBOX_EXPIRY_RATE", "0")
    monkeypatch.setattr("core.commands.command_line._STEP_SECONDS", 0.01)


@pytest.fixture
def run(checkout: Path) -> Run:
    """Return a function that runs `python -m core` in a process of its own."""

    def running(*arguments: object) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "core", *map(str, arguments)],
            cwd=checkout,
            env=os.environ | {"PYTHONWARNINGS": "error::ResourceWarning"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return running


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs a verb with `--json` in this process, expects this exit code, and reads it."""

    def calling(*arguments: object, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([*map(str, arguments), "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return calling


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs a verb for people in this process, and returns what it printed."""

    def saying(*arguments: object, code: int = 0) -> str:
        capsys.readouterr()
        assert main([*map(str, arguments)]) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    return saying
