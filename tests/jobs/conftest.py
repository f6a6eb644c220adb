"""Benches for these tests."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.driving import Bench, MakeBench
from tests.jobs.handing import Ledger


@pytest.fixture(scope="session", autouse=True)
def impatience() -> Iterator[None]:
    """Make the SDK repeat a read at once: how long it waits is its own affair, and would be most of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.01)
        yield


@pytest.fixture
def make_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeBench]:
    """Return a function that starts a bench; keywords in `settings` go to Lotwise, the others to the server."""
    with ExitStack() as stack:

        def made(settings: dict[str, Any] | None = None, **options: Any) -> Bench:
            folder = tmp_path / f"bench-{len(list(tmp_path.iterdir()))}" / "workspace"
            folder.mkdir(parents=True)
            bench = Bench(folder, monkeypatch, settings or {}, options)
            stack.callback(bench.close)
            return bench

        yield made


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """Return a bench whose server makes every item succeed."""
    return make_bench()


@pytest.fixture
def ledger(workspace_dir: Path) -> Iterator[Ledger]:
    """Give a workspace in which nothing is complete yet."""
    made = Ledger(workspace_dir)
    yield made
    made.close()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two results make a part."""
    monkeypatch.setattr("core.handover.part.PART_ROWS", 2)
