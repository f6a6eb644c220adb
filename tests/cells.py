"""What the cost cells of a store must be: made from its attempts one by one, without the SQL that keeps them."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.prices import PriceBook
from core.prices.costs import UnknownOutcome, billed
from core.store import Store

KEYS = (
    *("job_id", "class_id", "model", "submitted_at", "day", "tag_set", "outcome", "usable", "cause", "action"),
    *("billed", "rerun", "counted", "service_tier", "inference_geo", "above_tokens"),
)
TOKENS = ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens")
SUMS = (*TOKENS, "web_searches", "counted_units")
CLIFFS = sorted(PriceBook.load().rate_frame()["max_input_tokens"].drop_nulls().unique())
Row = dict[str, Any]


def assert_cells_kept(store: Store) -> None:
    """Every cell is what the attempts of now make it, to the last digit, and no sum is lost on the way."""
    cells = rows(store, "SELECT * FROM cost_cell")
    attempts = rows(
        store,
        "SELECT a.*, coalesce(i.tag_set, 0) AS tag_set"
        " FROM attempt a LEFT JOIN item i USING (item_id) WHERE a.outcome IS NOT NULL",
    )
    assert sorted(map(_text, cells)) == sorted(map(_text, _made(attempts)))
    assert sum(cell["attempts"] for cell in cells) == len(attempts)
    assert _sum(cells, "cost_usd") == _sum(attempts, "cost_usd")
    assert sum(cell["unpriced"] for cell in cells) == sum(row["cost_usd"] is None for row in attempts)


def rows(store: Store, sql: str) -> list[Row]:
    """What a query of the tests' own finds."""
    with store._cursor() as cursor:
        # DuckDB hands out zoned times only through frames.
        found: list[Row] = cursor.sql(sql).pl().to_dicts()
        return found


def _made(attempts: list[Row]) -> list[Row]:
    groups = defaultdict[tuple[Any, ...], list[Row]](list)
    for row in attempts:
        key = row | {
            "day": row["submitted_at"].date(),
            "billed": _billed(row),
            "rerun": row["number"] > 1,
            "counted": row["counted_units"] is not None,
            "above_tokens": max(
                (cliff for cliff in CLIFFS if sum(row[name] or 0 for name in TOKENS[:4]) > cliff), default=0
            ),
        }
        groups[(*(key[name] for name in KEYS), row["cost_usd"] is None)].append(row)
    return [
        dict(zip(KEYS, key, strict=False))
        | {name: sum(row[name] or 0 for row in group) for name in SUMS}
        | {
            "attempts": len(group),
            "cost_usd": None if key[-1] else _sum(group, "cost_usd"),
            "unpriced": len(group) if key[-1] else 0,
            "output_squares": float(sum((row["output_tokens"] or 0) ** 2 for row in group)),
        }
        for key, group in groups.items()
    ]


def _billed(row: Row) -> bool | None:
    """As the rule for one attempt says it; an answer of unknown length may be either."""
    at: datetime = row["submitted_at"]
    words = {"stop_reason": row["stop_reason"], "refusal_category": row["refusal_category"], "at": at}
    lengths = (0, 1) if row["output_tokens"] is None else (row["output_tokens"],)
    try:
        said = {billed(row["outcome"], output_tokens=length, **words) for length in lengths}
    except UnknownOutcome:
        return None
    return said.pop() if len(said) == 1 else None


def _sum(found: list[Row], name: str) -> Decimal:
    return sum((row[name] for row in found if row[name] is not None), Decimal(0))


def _text(cell: Row) -> str:
    cell = cell | {"submitted_at": cell["submitted_at"].timestamp()}
    if cell["cost_usd"] is not None:
        cell["cost_usd"] = f"{cell['cost_usd']:.12f}"
    return repr(sorted(cell.items()))
