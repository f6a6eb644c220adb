"""Units that cost more than they did: listed where nothing else says what to do about it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

import polars as pl

from core.opportunities.opportunity import Kind, Opportunity, opportunity
from core.opportunities.ranking import LEAST_USD
from core.opportunities.workload import Workload
from core.trends.lines import in_one_unit, listed
from core.trends.movement import LineCells, Movement, total
from core.trends.standing import Finding, KnownEvent, standings
from core.trends.steps import steps_of
from core.wording import listing

_PARTS = {
    "reruns": "answers that are not usable",
    "units_per_item": "fewer units in an item",
    "own_input": "longer requests",
    "prefix": "a longer prefix",
    "output": "longer answers",
    "searches": "more web searches",
    "hit_rate": "fewer cache reads",
    "tier": "dearer models or tiers",
}
"""Parts of a difference that somebody could undo, in words; not what work there is, nor what a token is sold at."""

_TELLS: dict[str, frozenset[str]] = {
    "cache": frozenset({"hit_rate", "prefix"}),
    Kind.FAILURES: frozenset({"reruns"}),
    Kind.TRUNCATED: frozenset({"reruns"}),
    Kind.BATCH: frozenset({"tier"}),
}
"""The parts of a rise that another entry of the class, by its cause, is about already."""

_NAMED = 2
_DEAREST = 20


def rises(
    work: Workload,
    cells: pl.DataFrame,
    found: Iterable[Opportunity],
    *,
    findings: Sequence[Finding] = (),
    known: Sequence[KnownEvent] = (),
) -> Iterator[Opportunity]:
    """What the newest step up in a unit's cost comes to in a month: the parts that could be undone, and that nothing
    which was `found` in the class is about.

    `cells`: of `CELLS`, of as many weeks as there are; the dearest classes are looked at. A step that somebody
    dealt with (`findings`), or that was `known` beforehand, is none.
    """
    told: dict[str, frozenset[str]] = {}
    for each in found:
        told[each.class_name] = told.get(each.class_name, frozenset()) | _TELLS.get(each.cause, frozenset())
    today = work.last + timedelta(days=1)
    for name, class_id in _dearest(work):
        mine = in_one_unit(listed(cells.filter(pl.col("class_name") == name), work.book.listed()))
        line = LineCells(name=name, cells=mine, book=work.book, today=today, floor=LEAST_USD)
        newest = max(steps_of(line), key=lambda each: each.since, default=None)
        if newest is not None and standings([newest], findings, known)[0].state == "open":
            yield from _rise(class_id, name, newest, told.get(name, frozenset()))


def _dearest(work: Workload) -> Iterator[tuple[str, str]]:
    """The dearest names of classes that still work, each with its newest class: work keeps its name, not its id."""
    alive = work.recent.filter(pl.col("class_id").is_in(list(work.paces)))
    spend = (
        alive.sort("submitted_at", "class_id")
        .group_by("class_name")
        .agg(pl.last("class_id"), pl.sum("cost_usd"))
        .sort("cost_usd", "class_name", descending=True)
    )
    yield from spend.select("class_name", "class_id").head(_DEAREST).iter_rows()


def _rise(class_id: str, name: str, step: Movement, told: frozenset[str]) -> Iterator[Opportunity]:
    if step.usd_month <= 0:
        return
    parts = [part for part in step.parts if part.name in _PARTS and part.name not in told and part.amount > 0]
    if not parts:
        return
    why = listing([_PARTS[part.name] for part in parts[:_NAMED]])
    yield opportunity(
        Kind.RISE,
        class_id=class_id,
        class_name=name,
        usd_month=min(total(parts), step.usd_month),
        interval=None,
        confidence="assumed",
        said=f"Look into its cost per unit: since {step.since:%-d %b} it is higher by {why}.",
        evidence={
            "since": step.since,
            "before_usd": step.before_usd,
            "after_usd": step.after_usd,
            "parts": {part.name: part.amount for part in step.parts},
        },
    )
