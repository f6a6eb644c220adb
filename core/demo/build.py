"""Fill a workspace with the simulated history, once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl

from core.billing.terms import effective_book
from core.demo.backlog import GOLD, write_backlog
from core.demo.history import History, simulate
from core.demo.ledger import ledger
from core.demo.payloads import write_payloads
from core.demo.reports import write_usage_log
from core.intake.classes import regroup
from core.intake.imports import import_file
from core.intake.tags import TagSets
from core.store import Store, Transaction


@dataclass(frozen=True, kw_only=True)
class DemoSummary:
    """What the demo holds."""

    created: bool
    """False where it was already there."""
    jobs: int
    items: int
    attempts: int
    open_failures: int
    spend_usd: Decimal
    since: datetime
    """When the first simulated job was sent."""
    backlog: tuple[Path, ...]
    """Request files that wait to be planned."""
    gold: Path
    """What is right for the items of the class that is graded, where the local server has its usual seed."""


def build_demo(folder: Path, *, now: datetime | None = None, seed: int = 7) -> DemoSummary:
    """Fill the workspace in `folder` with 90 days of simulated history up to `now` (default: this hour).

    The same `now` and `seed` give the same rows. Where a demo is already there nothing changes.
    """
    store = Store.open(folder / "lotwise.duckdb")
    try:
        return fill_demo(store, folder, now=now, seed=seed)
    finally:
        store.close()


def fill_demo(store: Store, folder: Path, *, now: datetime | None = None, seed: int = 7) -> DemoSummary:
    """`build_demo` for a workspace that is already open."""
    moment = (now or datetime.now(UTC)).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    created = store.query("demo_present")["jobs"][0] == 0
    if created:
        book = effective_book(store)
        history = simulate(moment, seed, book)
        items = write_payloads(folder / "requests", history, seed)
        for path in write_backlog(folder / "demo-backlog", moment, seed, book):
            import_file(store, folder, path, now=moment)
        regroup(store, folder, book, now=moment)
        store.write(lambda transaction: _insert(transaction, history, items, now=moment))
        predictions = ledger(store)
        store.write(lambda transaction: transaction.merge("add_predictions", predictions))
        write_usage_log(store, folder, moment)
    counts = store.query("demo_counts").row(0, named=True)
    return DemoSummary(
        created=created,
        jobs=counts["jobs"],
        items=counts["items"],
        attempts=counts["attempts"],
        open_failures=counts["open_failures"],
        spend_usd=counts["spend_usd"],
        since=counts["first_at"],
        backlog=tuple(sorted((folder / "demo-backlog").glob("*.jsonl"))),
        gold=folder / "demo-backlog" / GOLD,
    )


def _insert(transaction: Transaction, history: History, items: pl.DataFrame, *, now: datetime) -> None:
    transaction.merge("demo_add_imports", history.imports)
    transaction.merge("demo_add_classes", history.classes)
    transaction.merge("demo_add_plans", history.plans)
    transaction.merge("demo_add_jobs", history.jobs)
    sets = TagSets(transaction)
    tagged = {row["class_id"]: sets.number({"team": row["team"]}) for row in history.owners.iter_rows(named=True)}
    for class_id, model in history.owners.drop_nulls("baseline").select("class_id", "baseline").iter_rows():
        transaction.run("put_baseline", class_id=class_id, model=model, now=now, by="demo")
    tag_set = pl.col("class_id").replace_strict(tagged, return_dtype=pl.UInt32)
    transaction.merge("demo_add_items", items.with_columns(tag_set.alias("tag_set")))
    transaction.merge("demo_add_attempts", history.attempts)
    transaction.run("demo_add_completions")
