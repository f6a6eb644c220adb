"""Events that cost cells show by themselves: another prefix, model or tier, a price cliff, failures, a cold cache."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from core.trends.events import Event

COLD, WARM = 0.05, 0.5
"""A prefix that hardly anything reads, of a line that used to read at least half of it, is no longer the same."""

_FAILING = 0.15
"""Attempts of a day that gave nothing usable, from which on that is an event."""

_APART = 7
"""Days between two stretches of the same failure."""

_CLIFF = 0.05
"""Attempts of a day beyond a price cliff, from which on that is one."""


class Change(NamedTuple):
    """From a day on something is otherwise than on the day before."""

    day: date
    before: Any
    after: Any


def changes(days: Sequence[date], values: Sequence[Any]) -> list[Change]:
    """Where a daily value turns into another one and stays so for another day, or to the end."""
    found: list[Change] = []
    current = values[0] if values else None
    for position, value in enumerate(values):
        following = values[position + 1 : position + 2]
        if value != current and (not following or following[0] == value):
            found.append(Change(days[position], current, value))
            current = value
    return found


def traces(cells: pl.DataFrame, classes: pl.DataFrame) -> list[Event]:
    """What the cells of all lines show; `classes`: rows of `movement_classes`, the prefixes as they were found."""
    prefixes = {row[0]: row[1:] for row in classes.iter_rows()}
    found: list[Event] = []
    for (name,), line in cells.sort("day").group_by("class_name", maintain_order=True):
        found += [*_moves(str(name), line, prefixes), *_cache(str(name), line), *_shares(str(name), line)]
    return found


def _moves(name: str, line: pl.DataFrame, prefixes: dict[str, tuple[int, int]]) -> Iterator[Event]:
    """Another class of the same name: its requests go to another model, or begin with another prefix."""
    days = _most(line, pl.struct("class_id", "model"))
    for change in changes(*days):
        before, after = change.before, change.after
        if before["model"] != after["model"]:
            said = f"Work moved from {before['model']} to {after['model']}."
            yield Event(kind="model", day=change.day, class_name=name, said=said)
        old, new = prefixes.get(before["class_id"]), prefixes.get(after["class_id"])
        if before["class_id"] == after["class_id"] or old is None or new is None:
            continue
        if old[0] != new[0]:
            said = f"The prefix changed: from {old[0]:,} to {new[0]:,} characters (about {new[1]:,} tokens)."
        elif before["model"] == after["model"]:
            said = f"The prefix changed: its text is another one, of the same {new[0]:,} characters."
        else:
            continue
        yield Event(kind="prompt", day=change.day, class_name=name, said=said)
    tiers = _most(line, pl.struct("service_tier", "inference_geo"))
    for change in changes(*tiers):
        before, after = (
            f"{side['service_tier'] or 'batch'}, {side['inference_geo'] or 'global'}"
            for side in (change.before, change.after)
        )
        if before != after:
            said = f"Requests ran otherwise: {after} instead of {before}."
            yield Event(kind="tier", day=change.day, class_name=name, said=said)


def _most(line: pl.DataFrame, what: pl.Expr) -> tuple[list[date], list[Any]]:
    """By day, what most of its billed attempts were."""
    counted = (
        line.filter(pl.col("billed").fill_null(False))
        .group_by("day", what.alias("what"))
        .agg(pl.col("attempts").sum())
        .sort("day", "attempts", descending=[False, True])
        .unique("day", keep="first", maintain_order=True)
    )
    return counted["day"].to_list(), counted["what"].to_list()


def _cache(name: str, line: pl.DataFrame) -> Iterator[Event]:
    """A prefix that stopped being shared: all write it, and next to nothing reads it."""
    written = pl.col("cache_write_5m_tokens") + pl.col("cache_write_1h_tokens")
    read = pl.col("cache_read_tokens")
    days = (
        line.group_by("day", maintain_order=True)
        .agg((read.sum() / (read + written).sum()).alias("reads"), (read + written).sum().alias("cached"))
        .filter(pl.col("cached") > 0)
    )
    levels = days["reads"].to_list()
    cold = [level < COLD for level in levels]
    for change in changes(days["day"].to_list(), cold):
        earlier = days.filter(pl.col("day") < change.day)["reads"].tail(5).mean()
        if change.after and isinstance(earlier, float) and earlier >= WARM:
            said = (
                "The prefix is no longer shared: every request writes one of its own and next to nothing is read, as "
                "where something that changes (a time, an id) stands in front of it."
            )
            yield Event(kind="unshared", day=change.day, class_name=name, said=said)


def _shares(name: str, line: pl.DataFrame) -> Iterator[Event]:
    """Days with many failures of one cause, and days beyond a price cliff."""
    attempts = pl.col("attempts")
    days = line.group_by("day", maintain_order=True).agg(
        (attempts.filter(pl.col("above_tokens") > 0).sum() / attempts.sum() >= _CLIFF).alias("beyond"),
        pl.col("above_tokens").max(),
    )
    cliffs = dict(days.select("day", "above_tokens").iter_rows())
    for change in changes(days["day"].to_list(), days["beyond"].to_list()):
        tokens = f"{cliffs[change.day]:,}" if change.after else ""
        said = f"Requests are beyond {tokens} input tokens, where all of one costs more." if change.after else ""
        said = said or "Requests are no longer beyond the input from which on all of one costs more."
        yield Event(kind="cliff", day=change.day, class_name=name, said=said)
    failed = (
        line.with_columns(attempts.sum().over("day").alias("sent"))
        .filter(~pl.col("usable").fill_null(False), pl.col("cause").is_not_null())
        .group_by("day", "cause", maintain_order=True)
        .agg((attempts.sum() / pl.col("sent").first()).alias("share"))
        .filter(pl.col("share") >= _FAILING)
    )
    for (cause,), rows in failed.group_by("cause", maintain_order=True):
        # The first day of several tells it.
        first = rows.filter(pl.col("day").diff().dt.total_days().fill_null(_APART) >= _APART)
        for row in first.iter_rows(named=True):
            said = f"{row['share']:.0%} of the attempts gave nothing usable: {cause}."
            yield Event(kind="failures", day=row["day"], class_name=name, said=said)
