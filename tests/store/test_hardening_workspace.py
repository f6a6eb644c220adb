"""A workspace on disk: private, confined, and not to be filled by a hostile file."""

import gzip
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core import actions
from core.confinement import OutsideWorkspace
from core.errors import LotwiseError
from core.intake import imports
from core.intake.imports import import_file
from core.settings import Settings
from core.store import Store
from core.workspace import Workspace
from tests.store.test_import_memory import IMPORT
from tests.strategies import line, request

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def rights(path: Path) -> int:
    """Who may do what."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_workspace_is_its_owners_alone(tmp_path: Path) -> None:
    """Prompts, outputs and the token lie below a folder that nobody else can enter."""
    folder = tmp_path / "new" / "workspace"
    with Workspace.open(folder):
        inside = {path.name: rights(path) for path in folder.iterdir() if path.is_dir()}

        assert rights(folder) == 0o700
        assert {*inside} >= {"inbox", "requests", "jobs", "results", "rejects"}
        assert set(inside.values()) == {0o700}
        assert rights(folder / "lotwise.lock") == 0o600


def test_an_open_workspace_keeps_its_rights_and_hides_its_prompts(workspace_dir: Path) -> None:
    """Its owner may have opened it to a group on purpose; the folders with texts are private all the same."""
    workspace_dir.chmod(0o755)
    with Workspace.open(workspace_dir):
        assert rights(workspace_dir) == 0o755
        assert rights(workspace_dir / "requests") == rights(workspace_dir / "results") == 0o700


def test_a_page_imports_from_the_workspace_and_the_named_folder_only(tmp_path: Path) -> None:
    """Who can reach the page cannot read the machine; the owner may name one folder more."""
    drop = tmp_path / "drop"
    drop.mkdir()
    outside = tmp_path / "outside.jsonl"
    for path in (drop / "day.jsonl", outside):
        path.write_bytes(line("a", request("a")))
    (drop / "link.jsonl").symlink_to(outside)
    with Workspace.open(tmp_path / "workspace") as workspace:
        for path in (outside, drop / "day.jsonl", Path("/etc/passwd"), tmp_path / "gone.jsonl"):
            with pytest.raises(OutsideWorkspace):
                actions.request_import(workspace, [path])
    with Workspace.open(tmp_path / "workspace", settings=Settings(import_from=str(drop))) as workspace:
        actions.request_import(workspace, [drop / "day.jsonl"])
        for path in (outside, drop / "link.jsonl", drop / ".." / "outside.jsonl"):
            with pytest.raises(OutsideWorkspace):
                actions.request_import(workspace, [path])


def test_a_link_in_the_inbox_that_leads_out_is_refused(tmp_path: Path) -> None:
    """It is left where it is, and the page says why."""
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(line("a", request("a")))
    with Workspace.open(tmp_path / "workspace") as workspace:
        link = tmp_path / "workspace" / "inbox" / "link.jsonl"
        link.symlink_to(secret)
        workspace.worker._try_import(link)
        workspace.worker.tick()

        assert "leads out of the workspace" in str(workspace.worker.trouble)
        assert workspace.store.query("imports").is_empty()
        assert link.is_symlink()


@pytest.mark.parametrize("crafted", ["../../x", "/etc/passwd", "..", "a/b", ""])
def test_an_import_id_of_the_callers_own_making_reads_nothing(tmp_path: Path, crafted: str) -> None:
    """Ids come through the browser too."""
    (tmp_path / "x.jsonl").write_text("secret")
    with Workspace.open(tmp_path / "workspace") as workspace, pytest.raises(LotwiseError):
        actions.rejects_file(workspace, crafted)


def test_a_file_of_rejects_does_not_fill_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million wrong lines tell nobody more than the first; what came before stays, and the report says why."""
    monkeypatch.setattr(imports, "_MOST_REJECTS", 9_000)
    path = tmp_path / "rejects.jsonl.gz"
    path.write_bytes(gzip.compress(line("a", request("a")) + b"\n" + b"x\n" * 100_000))
    store = Store.open(tmp_path / "lotwise.duckdb")
    report = import_file(store, tmp_path, path, now=NOW)
    store.close()

    assert "no requests" in str(report.torn)
    assert report.added == 1
    assert 9_000 < report.rejected <= 20_000


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_an_endless_line_takes_neither_memory_nor_disk(tmp_path: Path, checkout: Path) -> None:
    """Half a gigabyte of zeros out of half a megabyte, with the real bounds: a few hundred MB at most, nothing kept."""
    with gzip.open(tmp_path / "requests.jsonl", "wb", compresslevel=1) as bomb:
        bomb.write(line("a", request("a")) + b"\n")
        for _ in range(500):
            bomb.write(bytes(1 << 20))
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, str(tmp_path)], cwd=checkout, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    _, added, rejected, kilobytes = (int(figure) for figure in done.stdout.split())
    assert (added, rejected) == (1, 0)
    assert kilobytes / 1024 < 400
    assert sum(path.stat().st_size for path in (tmp_path / "requests").iterdir()) < 10_000
    assert not list(tmp_path.glob("rejects/*"))
