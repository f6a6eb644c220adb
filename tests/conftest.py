"""What every tier of the tests shares: paths, an app under test, safety, and Hypothesis profiles."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# No test may reach a paid account, whatever the developer's shell holds.
for _name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
    del os.environ[_name]

# Shared machines are slow at random, so time is never what a property test checks.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# What shares a dear fixture (an app and a browser, the demo, a nursery, a cluster) runs in one test process, in order.
TOGETHER = {
    "tests/browser/": "browser",
    "tests/chaos/": "chaos",
    "tests/sandbox/test_load.py": "load",
    "tests/store/test_executors.py": "cluster",
    "tests/store/test_grouping_anywhere.py": "cluster",
    "tests/ui/": "ui",
}

# Coverage is taken of the tests of the core alone: a page that draws a figure proves nothing of the line that made it,
# and tracing makes these the slowest of all.
UNTRACED = ("tests/browser/", "tests/chaos/", "tests/meta/", "tests/strangers/", "tests/ui/")
_TRACES_CHILDREN = "COVERAGE_PROCESS_CONFIG"

Serve = Callable[[Path], AbstractContextManager[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep coverage out of the tests that are not traced."""
    for item in items:
        if item.nodeid.startswith(UNTRACED):
            item.add_marker("no_cover")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep it out of the processes that they start, too."""
    tracing = os.environ.pop(_TRACES_CHILDREN, None) if item.nodeid.startswith(UNTRACED) else None
    try:
        return (yield)
    finally:
        if tracing is not None:
            os.environ[_TRACES_CHILDREN] = tracing


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Share the tests among processes, each by itself or together with others.

    By a scheduler of our own: marks of groups have no effect with pytest 9.2 (pytest-xdist, issue 1386).
    """
    scheduler: Any = import_module("xdist.scheduler").LoadScopeScheduling(config, log)
    scheduler._split_scope = _together
    return scheduler


def _together(nodeid: str) -> str:
    return next((group for place, group in TOGETHER.items() if nodeid.startswith(place)), nodeid)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the top folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real traces beside the checkout; tests that need it are skipped elsewhere."""
    folder = Path(os.environ.get("LOTWISE_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("real traces are not here: set LOTWISE_SHARED_DATA to the folder that holds them")
    return folder


@pytest.fixture(scope="session", autouse=True)
def certificates() -> dict[str, str]:
    """Keep clients from reading the system's certificates, a twentieth of a second each; return where those are.

    All servers of the tests but one are on this machine and speak plain HTTP. There is no certificate in this folder.
    """
    here = {name: os.environ.pop(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
    os.environ["SSL_CERT_DIR"] = str(ROOT / "tests")
    return here


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what a test process leaves behind when it is killed where pytest tidies up."""
    tempfile.tempdir = str(tmp_path_factory.mktemp("temporary"))


@pytest.fixture
def workspace_dir(tmp_path: Path) -> Path:
    """Return an empty folder to use as a workspace."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def demo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace filled by `python -m core demo`; treat it as read-only."""
    folder = tmp_path_factory.mktemp("demo") / "workspace"
    made = subprocess.run(
        [sys.executable, "-m", "core", "demo", "--workspace", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert made.returncode == 0, f"the demo could not be made:\n{made.stdout}{made.stderr}"
    return folder


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Return a context manager that runs the real app on a workspace and gives its address."""

    @contextmanager
    def running(workspace: Path) -> Iterator[str]:
        log = tmp_path_factory.mktemp("server") / "server.log"
        port = free_port()
        command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
        command += ["--server.headless=true", "--server.fileWatcherType=none"]
        environment = os.environ | {"LOTWISE_WORKSPACE": str(workspace)}
        with (
            log.open("wb") as sink,
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sink, stderr=subprocess.STDOUT) as server,
        ):
            try:
                await_health(port, server, log)
                yield f"http://127.0.0.1:{port}"
            finally:
                stop(server)
        text = log.read_text(errors="replace")
        assert "Traceback (most recent call last)" not in text, f"the server logged a traceback:\n{text}"

    return running


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy(port: int) -> bool:
    """Tell whether a Streamlit server answers on the port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.read() == b"ok")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def await_health(port: int, server: "subprocess.Popen[bytes]", log: Path, seconds: float = 60) -> None:
    """Wait until the server answers; fail with its log when it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if healthy(port):
            return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"the app did not start (exit {server.poll()}):\n{log.read_text(errors='replace')}")


def stop(server: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
    """End a process that a test started, gently first; hanging on shutdown is a fault."""
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(seconds)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
        pytest.fail(f"the app did not stop within {seconds:.0f} s of SIGTERM")
