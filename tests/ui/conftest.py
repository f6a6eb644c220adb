"""Fixtures of the page tests: the app without a server and without a worker, on the demo or on nothing."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.demo import build_demo
from core.workspace import Workspace
from pages import session

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are tested against what is in the store: nothing may be sent or imported behind a test's back."""
    monkeypatch.setattr(Workspace, "start", lambda _, **__: None)


@pytest.fixture
def open_app(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Return a function that runs a page of the app on a workspace, as one visitor."""

    def opened(folder: Path, page: str = "overview.py", **query: str | list[str]) -> AppTest:
        monkeypatch.setenv("LOTWISE_WORKSPACE", str(folder))
        app = AppTest.from_file(str(checkout / "pages" / "main.py"), default_timeout=30)
        for name, value in query.items():
            app.query_params[name] = value
        return app.switch_page(page).run()

    try:
        yield opened
    finally:
        session.close()


@pytest.fixture(scope="session")
def demo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a demo workspace of these tests' own: the app of the browser tests owns the shared one."""
    folder = tmp_path_factory.mktemp("pages") / "workspace"
    build_demo(folder)
    return folder


@pytest.fixture
def demo(demo_workspace: Path, tmp_path: Path) -> Path:
    """Return a copy of the demo workspace that a test may change."""
    return Path(shutil.copytree(demo_workspace, tmp_path / "demo"))


@pytest.fixture(scope="session", autouse=True)
def utc_clock() -> None:
    """Days and times in these tests are UTC, whatever the machine says."""
    os.environ["TZ"] = "UTC"
