"""Every command that the README shows works as shown."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest

SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What a visitor does once and a test must not: fetch the project, change folder, install system packages.
BY_HAND = ("git ", "cd ", "sudo ", "apt-get ", "brew ")
# Verbs that serve until they are stopped.
LASTING = ("sandbox", "serve", "watch", "worker")
WRITTEN = re.compile(r"(?:>>?|\s--?o\S*|\s--(?:to|export)\S*)[\s=]*$")
REQUEST_FILE = re.compile(r"[\w./-]+\.jsonl\b")
TABLE_FILE = re.compile(r"[\w./-]+\.csv\b")


def commands(text: str) -> list[list[str]]:
    """Return the commands of each sh block; in a block with `$ ` prompts everything else is output."""
    blocks = []
    for block in SHELL_BLOCK.findall(text):
        lines = [re.sub(r"\s+#.*$", "", line.strip()) for line in block.replace("\\\n", " ").splitlines()]
        if any(line.startswith("$ ") for line in lines):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        blocks.append([line for line in lines if line and not line.startswith("#")])
    return blocks


@pytest.fixture(scope="session")
def readme(checkout: Path) -> list[list[str]]:
    """Return the README's commands."""
    path = checkout / "README.md"
    if not path.exists():
        pytest.skip("README.md is not written yet")
    return commands(path.read_text())


@pytest.fixture
def clone(checkout: Path, project_files: list[Path], tmp_path: Path) -> Path:
    """Return a copy of the project as a visitor would have it, on the environment that runs this test."""
    copy = tmp_path / "lotwise"
    for path in project_files:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / path, copy / path)
    (copy / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    return copy


@pytest.fixture
def visitor(clone: Path) -> dict[str, str]:
    """Return the environment of a visitor's shell: their own Python first, the demo as the workspace."""
    return os.environ | {
        "PATH": f"{clone / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "LOTWISE_WORKSPACE": str(clone / ".lotwise" / "demo"),
    }


def shell(script: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a script as a visitor's shell would, stopping at the first failure."""
    return subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def runnable(line: str) -> str:
    """Turn a shown command into a script line: manual ones vanish, lasting ones must survive a while."""
    if line.startswith((*BY_HAND, "make")):
        return ":"
    verb = re.search(r"-m core (\w+)", line)
    if verb and verb[1] in LASTING:
        command = line.removesuffix("&").strip()
        return f"{command} & lasting=$!; sleep 3; kill $lasting 2>/dev/null || wait $lasting"
    return line


def provide(line: str, folder: Path) -> None:
    """Write the request files and tables that a command reads and no earlier one made."""
    for match in TABLE_FILE.finditer(line):
        if not WRITTEN.search(line[: match.start()]):
            first = date(2026, 1, 5)
            rows = (f"{day},hamburg,{day % 3},1,{first + timedelta(days=day)},{9 + day % 7}\n" for day in range(400))
            (folder / match[0]).write_text(f"order,city,stars,correct,date,value\n{''.join(rows)}")
    for match in REQUEST_FILE.finditer(line):
        path = folder / match[0]
        if path.exists() or WRITTEN.search(line[: match.start()]):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        system = "You sort letters from customers into one of four queues. " * 40
        requests = [
            {
                "custom_id": f"letter-{number}",
                "params": {
                    "model": "claude-haiku-4-5",
                    "max_tokens": 64,
                    "system": [{"type": "text", "text": system}],
                    "messages": [{"role": "user", "content": f"Letter {number}: where is my parcel?"}],
                },
            }
            for number in range(20)
        ]
        path.write_bytes(b"".join(orjson.dumps(request) + b"\n" for request in requests))


def test_blocks_are_read_as_a_visitor_reads_them() -> None:
    """Comments and output are not commands; a trailing backslash joins lines."""
    text = "```sh\n# first\nmake run  # then look\n```\n```text\nno\n```\n"
    text += "```sh\n$ python -m core plan \\\n  a.jsonl\n3 jobs\n```\n"

    assert commands(text) == [["make run"], ["python -m core plan    a.jsonl"]]


def test_make_commands_exist(readme: list[list[str]], clone: Path, visitor: dict[str, str]) -> None:
    """The two commands on the first screen, and every other target shown, are there."""
    shown = [line for block in readme for line in block if line.startswith("make")]

    assert {"make run", "make test"} <= set(shown)
    for line in shown:
        done = shell(line.replace("make", "make -n", 1), clone, visitor)
        assert done.returncode == 0, f"{line}:\n{done.stdout}{done.stderr}"


@pytest.mark.timeout(900)
def test_core_commands_work_as_shown(readme: list[list[str]], clone: Path, visitor: dict[str, str]) -> None:
    """All blocks run in order on the demo workspace, so a later one may use what an earlier one made."""
    if not (clone / "core" / "__main__.py").exists():
        pytest.skip("core has no command line yet")
    demo = shell('python -m core demo --workspace "$LOTWISE_WORKSPACE"', clone, visitor)
    assert demo.returncode == 0, demo.stderr
    for block in readme:
        for line in block:
            provide(line, clone)
        script = "\n".join(runnable(line) for line in block)
        done = shell(script, clone, visitor)
        assert done.returncode == 0, f"{script}\n---\n{done.stdout}{done.stderr}"


@pytest.mark.timeout(600)
def test_make_run_serves_the_dashboard(clone: Path, visitor: dict[str, str], tmp_path: Path) -> None:
    """From a fresh copy, `make run` makes the demo and answers in a browser's place."""
    if not ((clone / "app.py").exists() and (clone / "core" / "__main__.py").exists()):
        pytest.skip("there is no app to run yet")
    if shutil.which("make") is None or sys.prefix == sys.base_prefix:
        pytest.skip("needs make and a virtual environment: run `make test`")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    del visitor["LOTWISE_WORKSPACE"]
    environment = visitor | {"STREAMLIT_SERVER_HEADLESS": "true"}
    log = tmp_path / "make.log"

    with (
        log.open("wb") as sink,
        subprocess.Popen(
            ["make", "run", f"PORT={port}"],
            cwd=clone,
            env=environment,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as make,
    ):
        try:
            answered = answers(f"http://127.0.0.1:{port}/_stcore/health", make)
        finally:
            # Make and the server it started are a session of their own.
            with suppress(ProcessLookupError):
                os.killpg(make.pid, signal.SIGTERM)
            make.wait(30)

    text = log.read_text(errors="replace")
    assert answered, text
    assert "Traceback" not in text, text
    assert (clone / ".lotwise" / "demo").is_dir()


def answers(url: str, server: "subprocess.Popen[bytes]", seconds: float = 300) -> bool:
    """Wait until the address answers; give up when its server ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    return False
