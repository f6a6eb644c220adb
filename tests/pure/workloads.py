"""Workloads made by hand: sends of a class day by day, with what each attempt is to cost, reckoned on its own."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from core.opportunities.workload import CELLS, CLASSES, DUPLICATES, HEADS, JOBS, Workload
from core.prices import PriceBook

MODEL = "claude-sonnet-5-5"
LAST = date(2026, 11, 22)
FIRST = LAST - timedelta(days=27)
BOOK = PriceBook.load()
PREFIX = 4_000


@dataclass
class Made:
    """A workload under construction."""

    cells: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    classes: dict[str, dict[str, Any]] = field(default_factory=dict)
    duplicates: list[dict[str, Any]] = field(default_factory=list)
    heads: list[dict[str, Any]] = field(default_factory=list)

    def add_class(self, name: str, *, prefix: int | None = PREFIX, model: str = MODEL, born: date = FIRST) -> None:
        """A class, whose id is its name."""
        row = {"class_id": name, "class_name": name, "model": model, "prefix_tokens": prefix, "first_day": born}
        self.classes[name] = row | {"reads": None}

    def send(self, name: str, day: date, requests: int, *, job: str | None = None, **how: Any) -> str:
        """So many requests of a class in one job; `how`: columns of a cell, tokens for each request. Returns its id."""
        job = job or f"{name}-{day}-{len(self.jobs)}"
        primer, cold, life = how.pop("primer", None), how.pop("cold", None), how.pop("life", None)
        pipeline = how.pop("pipeline", "by hand")
        if all(row["job_id"] != job for row in self.jobs):
            self.jobs.append(
                {"job_id": job, "send": primer or job, "pipeline": pipeline, "cold_seconds": cold, "life_seconds": life}
            )
        at = datetime.combine(day, time(how.pop("hour", 8)), UTC)
        cell = {
            "job_id": job,
            "class_id": name,
            "class_name": name,
            "model": self.classes[name]["model"],
            "role": "body",
            "outcome": "succeeded",
            "unit": "usable item",
            "submitted_at": at,
            "day": day,
            "usable": True,
            "billed": True,
            "rerun": False,
            "unpriced": 0,
            "above_tokens": 0,
            "uncounted": 0,
            **how,
            "attempts": requests,
        }
        for tokens in TOKENS:
            cell[tokens] = how.get(tokens, 0) * requests
        cell["units"] = float(requests) if cell["usable"] else 0.0
        cell.setdefault("cost_usd", cost(cell))
        self.cells.append(cell)
        return job

    def duplicate(self, job: str, requests: int, usd: Decimal) -> None:
        """So many of a job's requests had their answer already."""
        cell = next(row for row in self.cells if row["job_id"] == job)
        row = {"class_id": cell["class_id"], "job_id": job, "day": cell["day"], "attempts": requests, "cost_usd": usd}
        self.duplicates.append(row)

    def share(self, head: str, tokens: int, *names: str) -> None:
        """The prompts of these classes begin with so many tokens of one head."""
        self.heads += [{"class_id": name, "head_id": head, "tokens": tokens} for name in names]

    def work(self, last: date = LAST) -> Workload:
        """All of it."""
        return Workload(
            cells=pl.DataFrame(self.cells, schema=CELLS),
            jobs=pl.DataFrame(self.jobs, schema=JOBS),
            classes=pl.DataFrame(list(self.classes.values()), schema=CLASSES),
            duplicates=pl.DataFrame(self.duplicates, schema=DUPLICATES),
            heads=pl.DataFrame(self.heads, schema=HEADS),
            book=BOOK,
            last=last,
        )


TOKENS = {
    "input_tokens": "input",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "cache_read_tokens": "cache_read",
    "output_tokens": "output",
    "web_searches": "web_search",
}


def rate(kind: str, model: str = MODEL, *, day: date = LAST, batch: bool = True) -> Decimal:
    """What a token costs, from the price book and nothing else."""
    return getattr(BOOK.rates(model, at=datetime.combine(day, time(8), UTC), batch=batch), kind)  # type: ignore[no-any-return]


def cost(cell: dict[str, Any]) -> Decimal:
    """What a cell costs, token by token."""
    batch = cell.get("service_tier") in (None, "batch")
    if not cell["billed"]:
        return Decimal(0)
    return sum(
        (rate(kind, cell["model"], day=cell["day"], batch=batch) * cell[name] for name, kind in TOKENS.items()),
        Decimal(0),
    )


def month(saved: Decimal, days: int = 28) -> Decimal:
    """Dollars of these days as dollars of thirty."""
    return (saved * 30 / days).quantize(Decimal("0.000001"))


def days(count: int = 28, *, last: date = LAST) -> list[date]:
    """So many days up to the last one, oldest first."""
    return [last - timedelta(days=age) for age in reversed(range(count))]
