"""Events that were written down elsewhere: prices, plans, files, caps, routes and schedules as they changed."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import orjson
import polars as pl

from core.prices import PriceBook
from core.trends.events import Event
from core.trends.traces import changes

_DIGITS = re.compile(r"\d+")
_SETTINGS = ("blast_radius_usd", "job_cost_usd", "job_fault_rate", "assumed_output_share")
"""What of a plan's inputs is set by people, rather than learned."""

_MOST = 0.8
"""Share of a file's requests that makes it the file of one line of work."""

_UNUSUAL = 28
"""Before so many days nobody can tell whether a source is new."""


def prices(book: PriceBook, models: Iterable[str], *, first: date) -> list[Event]:
    """List prices of these models that began since then, and contract terms that began or ended."""
    found: list[Event] = []
    rows: dict[str, list[Any]] = {}
    for row in sorted(book.rows(), key=lambda row: (row.model, row.valid_from)):
        rows.setdefault(row.model, []).append(row)
    for model in sorted(set(book.priced_names(models).values())):
        own = rows.get(model, [])
        for before, after in pairwise(own):
            day = after.valid_from.date()
            if day < first:
                continue
            if before.list_prices() != after.list_prices():
                found.append(Event(kind="price", day=day, class_name=None, said=f"List prices of {model} changed."))
            if before.terms != after.terms:
                terms = "; ".join(one.said for one in after.terms if not one.listed) or "the list price"
                said = f"What is paid for {model} changed to: {terms}."
                found.append(Event(kind="contract", day=day, class_name=None, said=said))
    return found


def priming(jobs: pl.DataFrame) -> list[Event]:
    """Lines whose jobs were sent with a primer from a day on, or no longer; rows of `movement_jobs`."""
    found = []
    for (name,), line in jobs.group_by("class_name", maintain_order=True):
        primed = pl.col("items").filter("primed").sum() / pl.col("items").sum() >= 0.5
        marked = pl.col("items").filter(pl.col("cache_ttl").is_not_null()).sum() / pl.col("items").sum() >= 0.5
        days = line.group_by("day", maintain_order=True).agg(primed.alias("primed"), marked.alias("marked"))
        for change in changes(days["day"].to_list(), days.select("primed", "marked").rows()):
            said = {
                (True, True): "A primer goes first since then.",
                (False, True): "Jobs carry cache marks, but no primer goes first.",
                (False, False): "Nothing is marked for the cache any more.",
            }.get(change.after)
            if said is not None:
                found.append(Event(kind="priming", day=change.day, class_name=str(name), said=said))
    return found


def plans(frame: pl.DataFrame) -> list[Event]:
    """Settings that plans rest on, as they changed; rows of `movement_plans`."""
    inputs = [orjson.loads(text) for text in frame["inputs"].to_list()]
    found = []
    for name in _SETTINGS:
        stated = [
            (day, given[name]) for day, given in zip(frame["day"].to_list(), inputs, strict=True) if name in given
        ]
        for change in changes([day for day, _ in stated], [value for _, value in stated]):
            said = f"The setting {name} changed from {change.before} to {change.after}."
            found.append(Event(kind="plan", day=change.day, class_name=None, said=said))
    return found


def items(frame: pl.DataFrame) -> list[Event]:
    """New sources, other caps on output, and work that came under another name; rows of `movement_items`."""
    named = frame.with_columns(
        pl.col("source").map_elements(lambda source: _DIGITS.sub("#", source), return_dtype=pl.String).alias("source")
    )
    return [*_sources(named), *_caps(named)]


def _sources(named: pl.DataFrame) -> Iterator[Event]:
    """Lines with requests of a kind of file that did not come before; and files whose requests are another line now."""
    begin = named["day"].min()
    firsts = named.group_by("class_name", "source", maintain_order=True).agg(pl.col("day").min())
    known = dict(named.group_by("class_name").agg(pl.col("day").min()).iter_rows())
    for (name, day), new in firsts.group_by("class_name", "day", maintain_order=True):
        if isinstance(day, date) and isinstance(begin, date) and day > known[name] and (day - begin).days >= _UNUSUAL:
            said = f"Requests came from a new source: {', '.join(new['source'])}."
            yield Event(kind="source", day=day, class_name=str(name), said=said)
    largest = (
        named.group_by("source", "day", "class_name")
        .agg(pl.col("items").sum())
        .with_columns((pl.col("items") / pl.col("items").sum().over("source", "day")).alias("share"))
        .filter(pl.col("share") >= _MOST)
        .sort("source", "day")
    )
    for (source,), days in largest.group_by("source", maintain_order=True):
        for change in changes(days["day"].to_list(), days["class_name"].to_list()):
            said = f"The prefix of {source} changed: its requests were {change.before!r}, and are {change.after!r}."
            for name in (change.before, change.after):
                yield Event(kind="prompt", day=change.day, class_name=name, said=said)


def _caps(named: pl.DataFrame) -> Iterator[Event]:
    for (name,), rows in named.group_by("class_name", maintain_order=True):
        days = (
            rows.group_by("day", "max_tokens")
            .agg(pl.col("items").sum())
            .sort("day", "items", descending=[False, True])
            .unique("day", keep="first", maintain_order=True)
        )
        for change in changes(days["day"].to_list(), days["max_tokens"].to_list()):
            said = f"The cap on output (max_tokens) changed from {change.before:,} to {change.after:,}."
            yield Event(kind="cap", day=change.day, class_name=str(name), said=said)


def routes(frame: pl.DataFrame) -> list[Event]:
    """Routes that were applied or withdrawn; rows of `movement_routes`."""
    found = []
    for row in frame.iter_rows(named=True):
        said = f"A route sent its work to {row['model']} instead of {row['from_model']}."
        found.append(Event(kind="route", day=row["applied"], class_name=row["class_name"], said=said))
        if row["withdrawn"] is not None:
            said = f"The route to {row['model']} was withdrawn."
            found.append(Event(kind="route", day=row["withdrawn"], class_name=row["class_name"], said=said))
    return found


def schedules(frame: pl.DataFrame) -> list[Event]:
    """Recurring schedules that began, paused or ended; rows of `movement_schedules`."""
    did = {"created": "began", "paused": "was paused", "removed": "ended"}
    return [
        Event(kind="schedule", day=row[column], class_name=None, said=f"The schedule {row['name']!r} {verb}.")
        for row in frame.iter_rows(named=True)
        for column, verb in did.items()
        if row[column] is not None
    ]
