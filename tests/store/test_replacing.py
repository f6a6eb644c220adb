"""Replacing what waits: corrected lines under the same ids."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl

from core.intake.imports import ImportReport, import_file
from core.intake.payloads import PayloadReader
from core.store import Store
from tests.strategies import MODELS, line, request

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def take(store: Store, folder: Path, lines: list[bytes], *, replace: bool = False) -> ImportReport:
    """Import lines as a file."""
    path = folder / "requests.jsonl"
    path.write_bytes(b"\n".join(lines))
    return import_file(store, folder, path, now=NOW, replace=replace)


def waiting(store: Store, folder: Path) -> dict[str, str]:
    """What each waiting item asks."""
    with PayloadReader(folder) as payloads:
        rows = store.query("waiting_payloads").iter_rows()
        return {item: orjson.loads(payloads.read(*place))["messages"][0]["content"] for item, *place in rows}


def test_corrected_lines_take_the_place_of_what_waits(tmp_path: Path) -> None:
    """Under the same ids, in one step; what was sent stays what it was, and says so."""
    store = Store.open(tmp_path / "lotwise.duckdb")
    take(store, tmp_path, [line(name, request(name)) for name in "abc"])
    sent = pl.DataFrame({"item_id": ["c"], "job_id": ["j"], "custom_id": ["j-c"], "class_id": ["k"]})
    claimed = sent.with_columns(
        model=pl.lit(MODELS[0]),
        marks=pl.lit([], dtype=pl.List(pl.Int16)),
        split_chars=pl.lit(None, dtype=pl.Int64),
        entry_id=pl.lit(None, dtype=pl.String),
    )
    store.write(lambda tx: tx.merge("claim_items", claimed))
    corrected = [*(line(name, request(name.upper())) for name in "abcd"), line("b", request("again"))]
    report = take(store, tmp_path, corrected, replace=True)
    reasons = store.query("rejects", import_id=report.import_id)["reason"].to_list()
    said = waiting(store, tmp_path)
    store.close()

    assert (report.added, report.replaced, report.known, report.rejected) == (1, 2, 0, 2)
    assert [reason.split(":")[0] for reason in reasons] == [
        "custom_id was sent with other content already, and is under way or complete",
        "custom_id is already taken by an item with other content",
    ]
    assert said == {"a": "A", "b": "B", "d": "D"}
