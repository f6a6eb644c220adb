"""`deliver` and `sinks`, for programs and for people."""

import json
from pathlib import Path

import duckdb
import polars as pl

from tests.cli.conftest import Call


def test_from_requests_to_every_kind_of_sink(call: Call, requests_file: Path, tmp_path: Path) -> None:
    """Choose a sink before the work or after it: each has every complete item once, with what the model said."""
    lines, parts, table = tmp_path / "out.jsonl", tmp_path / "out", tmp_path / "out.duckdb"
    assert call("deliver", "--to", lines)["complete"] == 0
    call("import", requests_file)
    call("submit", "--wait")
    assert len(lines.read_text().splitlines()) == 20

    call("deliver", "--to", parts)
    told = call("deliver", "--to", f"{table}:answers")

    assert (told["complete"], told["late_twins"], told["without_message"], told["problems"]) == (20, 0, 0, [])
    assert [(sink["kind"], sink["delivered"], sink["waiting"]) for sink in told["sinks"]] == [
        ("jsonl", 20, 0),
        ("parquet", 20, 0),
        ("duckdb", 20, 0),
    ]
    items = {row["item_id"]: row["text"] for row in map(json.loads, lines.read_text().splitlines())}
    assert len(items) == 20
    assert all(text.startswith("Simulated") for text in items.values())
    frame = pl.read_parquet(parts / "*.parquet")
    assert dict(zip(frame["item_id"], frame["text"], strict=True)) == items
    with duckdb.connect(str(table), read_only=True) as opened:
        assert dict(opened.sql("SELECT item_id, text FROM answers").fetchall()) == items


def test_trouble_is_an_exit_code(call: Call, requests_file: Path, tmp_path: Path) -> None:
    """A cron job sees that one sink stands, although the other one is fed."""
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    for sink in (good, bad):
        call("deliver", "--to", sink)
    bad.write_text("not ours\n")
    call("import", requests_file)
    call("submit", "--wait")

    told = call("deliver", code=1)

    assert [problem.split(":")[0] for problem in told["problems"]] == [str(bad)]
    assert len(good.read_text().splitlines()) == 20
    assert call("status")["sinks"] == told["sinks"]


def test_what_cannot_be_a_sink_is_refused(call: Call, workspace_dir: Path, tmp_path: Path) -> None:
    """An unknown ending, the workspace's own files, a path below a file, no sink at all: each in a sentence."""
    (tmp_path / "file").write_text("taken")
    assert "no kind of sink" in call("deliver", "--to", tmp_path / "out.csv", code=1)["error"]
    assert "own files" in call("deliver", "--to", workspace_dir / "results", code=1)["error"]
    assert call("deliver", "--to", tmp_path / "file" / "out.jsonl", code=1)["error"]
    assert "No sink is chosen" in call("deliver", code=1)["error"]
    assert call("sinks")["sinks"] == []


def test_sinks_for_people_and_their_removal(call: Call, say: Call, tmp_path: Path) -> None:
    """The list names kind, figures and place; a removed sink keeps what lies there."""
    kept = tmp_path / "out.duckdb"
    call("deliver", "--to", kept)
    assert "duckdb" in say("sinks")
    assert str(kept) in say("deliver")

    assert call("sinks", "--remove", kept)["sinks"] == []

    assert kept.exists()
    assert "Nothing is handed over there" in call("sinks", "--remove", kept, code=1)["error"]
