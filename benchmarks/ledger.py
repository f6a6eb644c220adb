"""Two years of a busy team in one store: pages, results and size, each beside a plain scan of the same columns.

`python -m benchmarks ledger` fills a million attempts; LOTWISE_BENCH_ATTEMPTS=10000000 is the size of the promise.
"""

import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.ledger_results import take_in
from benchmarks.ledger_store import NOW, fill
from benchmarks.pages import MAIN, PAGES
from benchmarks.timing import Ratio, seconds
from core.jobs.spent_prompts import SpentPrompts
from core.store import Store
from pages import session

_SCAN = (
    "SELECT sum(input_tokens), sum(cache_read_tokens), sum(output_tokens), sum(cost_usd), count(*) FILTER (usable)"
    " FROM attempt"
)
"""What a page would read without anything kept."""
_USED = "SELECT used_blocks * block_size, (SELECT count(*) FROM attempt) FROM pragma_database_size()"
_PAGE_SECONDS = 0.2
_BYTES = 60


def measure() -> Iterator[Ratio]:
    """Size, then each page's queries, then a million new results."""
    attempts = int(os.environ.get("LOTWISE_BENCH_ATTEMPTS", "1000000"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "lotwise.duckdb", attempts)
        yield _size(folder / "lotwise.duckdb")
        os.environ["LOTWISE_WORKSPACE"] = name
        try:
            yield from map(_page, PAGES)
        finally:
            session.close()
        store = Store.open(folder / "lotwise.duckdb")
        try:
            yield take_in(store, folder)
        finally:
            store.close()


def _size(path: Path) -> Ratio:
    """What is in the file once the worker had its idle moments; the blocks that it freed then are filled anew."""
    store = Store.open(path)
    try:
        spent = SpentPrompts(store)
        while spent.step(now=NOW):
            pass
        with store._cursor() as cursor:
            ((used, attempts),) = cursor.execute(_USED).fetchall()
    finally:
        store.close()
    return Ratio(
        name=f"the store of {attempts:,} attempts, each (the file: {path.stat().st_size / attempts:.1f})",
        seconds=used / attempts,
        against="goal",
        against_seconds=_BYTES,
        ratio=used / attempts / _BYTES,
        goal="<= 1",
        unit="bytes",
    )


def _page(page: str) -> Ratio:
    """All that the store is asked when a page is opened and nothing is in memory; median of three visits."""
    visits, scans = [], []
    for _ in range(3):
        test = AppTest.from_file(str(MAIN), default_timeout=600)
        test.run()
        st.cache_data.clear()
        with _asked() as spent:
            test.switch_page(page).run()
        if test.exception or not spent:
            raise AssertionError(f"{page} asked {len(spent)} reads: {[one.value for one in test.exception]}")
        visits.append(sum(spent.values()))
        store = session.workspace().store
        scans.append(seconds(partial(_scan, store)))
    took, scan = statistics.median(visits), statistics.median(scans)
    return Ratio(
        name=f"queries of {page} ({took / scan:.2f} of a plain scan of six columns; slowest: {_slowest(spent)})",
        seconds=took,
        against="goal",
        against_seconds=_PAGE_SECONDS,
        ratio=took / _PAGE_SECONDS,
        goal="<= 1",
    )


def _scan(store: Store) -> None:
    with store._cursor() as cursor:
        cursor.execute(_SCAN).fetchall()


@contextmanager
def _asked() -> Iterator[dict[str, float]]:
    """Seconds by named read, while this is open."""
    spent: dict[str, float] = defaultdict(float)
    query = Store.query

    def timed(self: Store, name: str, /, **params: Any) -> pl.DataFrame:
        found: list[pl.DataFrame] = []
        spent[name] += seconds(lambda: found.append(query(self, name, **params)))
        return found[0]

    Store.query = timed  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        Store.query = query  # type: ignore[method-assign]


def _slowest(spent: dict[str, float]) -> str:
    slowest = sorted(spent.items(), key=lambda pair: -pair[1])[:2]
    return ", ".join(f"{name} {took * 1000:.0f} ms" for name, took in slowest)
