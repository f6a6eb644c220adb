"""Sinks by their names: what an ending means, and where a sink may lie."""

from pathlib import Path

import pytest

from core.handover.sink import Sink, SinkInside, SinkKind, SinkOutside, UnknownSink, delivered_folder


@pytest.mark.parametrize(
    ("name", "kind", "table"),
    [
        ("answers", SinkKind.PARQUET, None),
        ("answers.parquet", SinkKind.PARQUET, None),
        ("there.is.one", SinkKind.PARQUET, None),
        ("answers.jsonl", SinkKind.JSON_LINES, None),
        ("answers.NDJSON", SinkKind.JSON_LINES, None),
        (".jsonl", SinkKind.JSON_LINES, None),
        ("answers.duckdb", SinkKind.DUCKDB, "results"),
        ("answers.db:Mine_2", SinkKind.DUCKDB, "Mine_2"),
        ("a:b/answers.duckdb", SinkKind.DUCKDB, "results"),
    ],
)
def test_the_ending_says_the_kind(tmp_path: Path, name: str, kind: SinkKind, table: str | None) -> None:
    """A folder, a file of lines or a table; and the store's name of it leads back to it."""
    (tmp_path / "there.is.one").mkdir()

    sink = Sink.named(str(tmp_path / name))

    assert (sink.kind, sink.table) == (kind, table)
    assert Sink.stored(sink.kind, sink.target) == sink == Sink.named(sink.target)


@pytest.mark.parametrize(
    "name",
    [
        "answers.csv",
        "file",
        "file.parquet",
        "answers.duckdb:",
        "a.duckdb:x;y",
        'a.duckdb:x"y',
        "a.duckdb:1",
        "a\0.jsonl",
    ],
)
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    """A kind that is not known, a file where a folder should be, a table name that would have to be quoted."""
    for taken in ("file", "file.parquet"):
        (tmp_path / taken).write_text("taken")

    with pytest.raises(UnknownSink):
        Sink.named(str(tmp_path / name))


def test_no_name_is_no_sink() -> None:
    """An empty name is not the working folder."""
    with pytest.raises(UnknownSink):
        Sink.named(" ")


@pytest.mark.parametrize(
    ("name", "inside", "below"),
    [
        ("delivered/a.jsonl", True, True),
        ("delivered/deep/a.duckdb:t", True, True),
        ("delivered", False, False),
        ("delivered/../results/a.jsonl", False, False),
        ("results", False, False),
        ("lotwise.duckdb", False, False),
        ("", False, False),
        ("../a.jsonl", True, False),
        ("../workspace-2/a.jsonl", True, False),
        ("delivered/out/a.jsonl", True, False),
        ("../in/a.jsonl", False, False),
    ],
)
def test_a_sink_stays_out_of_the_workspaces_own_files(
    workspace_dir: Path, tmp_path: Path, name: str, inside: bool, below: bool
) -> None:
    """Outside by the command line, in `delivered` by everybody; links are followed before that is judged."""
    delivered_folder(workspace_dir).mkdir()
    (tmp_path / "outside").mkdir()
    (workspace_dir / "delivered" / "out").symlink_to(tmp_path / "outside")
    (workspace_dir / "results").mkdir()
    (tmp_path / "in").symlink_to(workspace_dir / "results")
    sink = Sink.named(f"{workspace_dir}/{name}")

    for allowed, judge, refusal in ((inside, sink.confined, SinkInside), (below, sink.below, SinkOutside)):
        if allowed:
            assert judge(workspace_dir) is sink
        else:
            with pytest.raises(refusal):
                judge(workspace_dir)


def test_a_link_laid_later_is_followed_too(workspace_dir: Path, tmp_path: Path) -> None:
    """The path is judged at every hand-over, not only when the sink is chosen."""
    sink = Sink.named(str(tmp_path / "later" / "a.jsonl")).confined(workspace_dir)
    (workspace_dir / "results").mkdir()
    (tmp_path / "later").symlink_to(workspace_dir / "results")

    with pytest.raises(SinkInside):
        Sink.stored(sink.kind, sink.target).confined(workspace_dir)
