"""What the local server would have counted of the demo's history, so that its reports know the work: and a bit more.

The history was never sent; the reports that the embedded server gives of it are made of this log. Two things in it are
not Lotwise's, as in any account: direct messages on weekdays, and batches that somebody sent from elsewhere on one day.
"""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import orjson
import polars as pl

from core.store import Store

_DIRECT = ("claude-sonnet-5-5", "standard", 140_000, 22_000)
_ELSEWHERE = ("batch", 2_600_000, 410_000)
_ELSEWHERE_AGO = timedelta(days=9)
_COUNTS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
)


def write_usage_log(store: Store, folder: Path, now: datetime) -> None:
    """Write what was used, for the embedded server of the workspace in `folder`."""
    cells = store.query("billed_cells", first=date.min, last=now.date())
    used = cells.filter(pl.col("billed"), pl.col("unpriced") == 0)
    rows = [
        [
            _minute(row["submitted_at"]),
            row["model"],
            row["service_tier"] or "batch",
            row["inference_geo"],
            row["above_tokens"],
            *(row[count] for count in _COUNTS),
            0,
        ]
        for row in used.iter_rows(named=True)
    ]
    dearest = used.group_by("model").agg(pl.col("input_tokens").sum()).sort("input_tokens", "model")["model"]
    if dearest.len():
        rows += _others(min(used["day"]), now, dearest[-1])
    sandbox = folder / "sandbox"
    sandbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    (sandbox / "usage.jsonl").write_bytes(orjson.dumps([0, rows], option=orjson.OPT_APPEND_NEWLINE))


def _others(first: date, now: datetime, model: str) -> list[list[object]]:
    """Direct messages at noon of every weekday, and the batches of one day."""
    direct, tier, read, written = _DIRECT
    days = [first + timedelta(days=number) for number in range((now.date() - first).days)]
    found: list[list[object]] = [
        [_minute(_noon(day)), direct, tier, "global", 0, read, 0, 0, 0, written, 0, 40]
        for day in days
        if day.isoweekday() <= 5
    ]
    batch, asked, answered = _ELSEWHERE
    return [
        *found,
        [_minute(_noon(now.date() - _ELSEWHERE_AGO)), model, batch, "global", 0, asked, 0, 0, 0, answered, 0, 900],
    ]


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60 * 60_000_000
