"""The ranked list, the promises, and what holds whatever the work is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.opportunities.opportunity import Confidence, Kind, Opportunity, opportunity
from core.opportunities.prefixes import cache_savings
from core.opportunities.promises import Promise, baseline, kept
from core.opportunities.ranking import GROWN, LEAST_USD, Dismissal, ranked
from core.opportunities.resending import WAYS, resent
from core.opportunities.rises import rises
from core.opportunities.runs import latest_run
from core.opportunities.taken import Switch, seen
from core.opportunities.workload import Workload, last_day
from core.trends.standing import Finding, KnownEvent
from tests.pure.workloads import BOOK, LAST, PREFIX, Made, cost, days, rate

OWN: dict[str, Any] = {"input_tokens": 200, "output_tokens": 100}
NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
SWITCHED = LAST - timedelta(days=14)


def entry(kind: Kind, usd: str | None, *, of: str = "a", known: Confidence = "measured") -> Opportunity:
    """An opportunity worth so much."""
    return opportunity(
        kind,
        class_id=of,
        class_name=of,
        usd_month=None if usd is None else Decimal(usd),
        interval=None,
        confidence=known,
        said="",
        evidence={},
    )


def test_dollars_count_as_much_as_they_are_sure() -> None:
    """Sixty measured dollars come before eighty estimated and a hundred and fifty assumed ones."""
    found = [
        entry(Kind.TRIAL, "150", of="c", known="assumed"),
        entry(Kind.PRIME, "80", of="b", known="estimated"),
        entry(Kind.FAILURES, "60"),
    ]

    assert [each.class_id for each in ranked(found)] == ["a", "b", "c"]
    assert ranked(found) == ranked(reversed(found))


def test_one_cause_is_one_entry() -> None:
    """A broken prefix is not also to be primed; another cause of the class, and another class, are."""
    found = [
        entry(Kind.PREFIX, "90", known="estimated"),
        entry(Kind.PRIME, "80", known="estimated"),
        entry(Kind.DUPLICATES, "5"),
        entry(Kind.TRIAL, "30", of="b", known="assumed"),
        entry(Kind.LIGHTER, "20", of="b"),
    ]

    assert [each.key for each in ranked(found)] == ["prefix:a", "lighter:b", "duplicates:a"]


def test_a_rise_is_told_as_far_as_nothing_else_says_why() -> None:
    """Answers became longer and the prefix broke: the one is an entry of its own, the other is not told twice."""
    made = Made()
    made.add_class("work", born=LAST - timedelta(days=55))
    for day in days(56):
        later = day > LAST - timedelta(days=20)
        cached: dict[str, Any] = {"cache_write_1h_tokens": PREFIX} if later else {"cache_read_tokens": PREFIX}
        made.send("work", day, 90 + day.day % 3, input_tokens=200, output_tokens=900 if later else 100, **cached)
    work = made.work()

    (alone,) = rises(work, work.cells, [])
    (beside,) = rises(work, work.cells, list(cache_savings(work)))

    assert alone.evidence["since"] == LAST - timedelta(days=19)
    assert "fewer cache reads" in alone.said
    assert "longer answers" in beside.said
    assert "cache reads" not in beside.said
    month = sum(90 + day.day % 3 for day in days(20)) * Decimal(30) / 20
    assert beside.usd_month == pytest.approx(800 * rate("output") * month, rel=Decimal("0.02"))


def test_a_rise_that_was_dealt_with_is_not_told_again() -> None:
    """Nor one that was known beforehand; one that has grown by half since is."""
    made = Made()
    made.add_class("work", born=LAST - timedelta(days=55))
    for day in days(56):
        made.send("work", day, 90 + day.day % 3, output_tokens=900 if day > LAST - timedelta(days=20) else 100)
    work = made.work()
    since = LAST - timedelta(days=19)
    (rise,) = rises(work, work.cells, [])
    name, month = rise.class_name, rise.usd_month or Decimal(0)

    def said(usd: Decimal) -> Finding:
        about: dict[str, Any] = {"key": "k", "class_name": name, "kind": "step", "since": since, "usd_month": usd}
        return Finding(**about, note="Longer answers are wanted.", resolved_at=NOW, resolved_by="ann")

    event = KnownEvent(event_id="e", class_name=name, first_day=since, last_day=since, said="Longer.", added_by="ann")
    assert list(rises(work, work.cells, [], findings=[said(month)])) == []
    assert list(rises(work, work.cells, [], known=[event])) == []
    assert list(rises(work, work.cells, [], findings=[said(month / 2)])) == [rise]


def test_a_rise_is_told_once_for_all_that_bears_a_name() -> None:
    """A prompt that changed made another class of the same name: what is found in that one is the rise's reason."""
    made = Made()
    made.add_class("old", born=LAST - timedelta(days=55))
    made.add_class("new", born=LAST - timedelta(days=9))
    for each in made.classes.values():
        each["class_name"] = "Triage"
    for day in days(56):
        if day > LAST - timedelta(days=10):
            made.send("new", day, 90 + day.day % 3, cache_write_1h_tokens=PREFIX, **OWN)
        else:
            made.send("old", day, 90 + day.day % 3, cache_read_tokens=PREFIX, **OWN)
    for cell in made.cells:
        cell["class_name"] = "Triage"
    work = made.work()

    found = list(cache_savings(work))
    assert [(each.kind, each.class_id) for each in found] == [(Kind.PRIME, "new")]
    assert list(rises(work, work.cells, found)) == []
    assert [each.class_id for each in rises(work, work.cells, [])] == ["new"]
    both = [entry(Kind.PRIME, "9", of="old"), entry(Kind.PRIME, "8", of="new")]
    assert len(ranked([replace(each, class_name="Triage") for each in both])) == 1


def test_dollars_are_told_to_the_millionth() -> None:
    """No figure carries the digits of a division."""
    one = opportunity(
        Kind.TRIAL,
        class_id="a",
        class_name="a",
        usd_month=Decimal("3.537837382499999981941202210"),
        interval=(Decimal(1) / 3, Decimal(8) / 3),
        confidence="assumed",
        said="",
        evidence={},
    )
    assert (one.usd_month, one.low, one.high) == (Decimal("3.537837"), Decimal("0.333333"), Decimal("2.666667"))


def test_what_is_worth_less_than_a_minute_is_left_out() -> None:
    """Cents, and what has no price, do not fill the list."""
    found = [entry(Kind.FAILURES, str(LEAST_USD - Decimal("0.01"))), entry(Kind.MARKS, None, of="b")]

    assert ranked(found) == ()


def test_dismissed_stays_away_until_it_grew() -> None:
    """Half as much again is news; what was taken up is on the list of promises."""
    one = entry(Kind.FAILURES, "10")

    def left(usd: Decimal) -> tuple[Opportunity, ...]:
        return ranked([one], dismissed=[Dismissal(key=one.key, usd_month=usd)])

    assert left(Decimal(10)) == left(Decimal(10) / GROWN + 1) == ()
    assert left(Decimal(6)) == (one,)
    assert ranked([one], taken=[one.key]) == ()


def test_a_day_that_is_not_over_does_not_count() -> None:
    """Results of today are still coming; only where all work is of today it is what there is."""
    assert last_day(NOW, LAST) == LAST
    assert last_day(NOW, LAST - timedelta(days=9)) == LAST - timedelta(days=1)


def test_one_small_day_does_not_end_a_run() -> None:
    """Two days in a row without it do; and a run that began anew counts from there."""
    yes, no = (Decimal(10), Decimal(5)), (Decimal(10), Decimal(0))
    stretch = days(8)

    def run(*pattern: tuple[Decimal, Decimal]) -> Any:
        return latest_run((day, *each) for day, each in zip(stretch, pattern, strict=False))

    still = run(yes, yes, no, yes, no)
    assert (still.first, still.last, still.ended) == (stretch[0], stretch[3], None)
    over = run(yes, yes, no, no)
    assert (over.first, over.last, over.ended) == (stretch[0], stretch[1], stretch[2])
    assert run(yes, no, no, yes).first == stretch[3]
    assert run(no, no) is None


tokens = st.sampled_from([0, 0, 400, 4_000, 60_000])
sends = st.lists(
    st.tuples(st.integers(0, 27), st.integers(1, 60), tokens, tokens, tokens, tokens, st.booleans()),
    min_size=1,
    max_size=12,
)


def anything(rows: list[tuple[Any, ...]], prefix: int) -> Workload:
    """Sends of any kind."""
    made = Made()
    made.add_class("any", prefix=prefix)
    for age, requests, plain, five, hour, read, primed in rows:
        made.send(
            "any",
            LAST - timedelta(days=age),
            requests,
            input_tokens=plain,
            cache_write_5m_tokens=five,
            cache_write_1h_tokens=hour,
            cache_read_tokens=read,
            output_tokens=50,
            cold=30.0 if primed else None,
            life=3600.0,
        )
    return made.work()


@settings(max_examples=20, deadline=None)
@given(rows=sends, prefix=st.sampled_from([0, 300, 4_000, 60_000]))
def test_no_way_costs_more_than_what_was_paid(rows: list[tuple[Any, ...]], prefix: int) -> None:
    """Whatever the work is: no tokens appear or go below zero, no saving is negative or more than was paid."""
    work = anything(rows, prefix)
    paid = work.cells["cost_usd"].sum()

    sums = resent(work, work.cells).select(pl.sum("cost_usd", *WAYS)).row(0, named=True)
    assert sums["cost_usd"] == paid
    assert all(0 <= sums[way] <= paid for way in WAYS)
    for each in cache_savings(work):
        assert each.usd_month is not None
        assert each.usd_month > 0
        assert each.evidence["would_have_cost_usd"] <= each.evidence["paid_usd"] <= paid


@settings(max_examples=8, deadline=None)
@given(rows=sends, seed=st.integers(0, 5))
def test_the_order_of_the_cells_says_nothing(rows: list[tuple[Any, ...]], seed: int) -> None:
    """The same ledger gives the same list."""
    work = anything(rows, PREFIX)
    other = Workload(**{**vars_of(work), "cells": work.cells.sample(fraction=1, shuffle=True, seed=seed)})

    assert [(each.key, each.usd_month) for each in cache_savings(other)] == [
        (each.key, each.usd_month) for each in cache_savings(work)
    ]


def vars_of(work: Workload) -> dict[str, Any]:
    """What a workload is made of."""
    return {name: getattr(work, name) for name in ("cells", "jobs", "classes", "duplicates", "book", "last")}


def mended(*, after: dict[str, int], model: str | None = None) -> Made:
    """Two weeks of plain sends, then two weeks of others."""
    made = Made()
    made.add_class("work")
    for day in days():
        how: dict[str, Any] = after if day >= SWITCHED else {"input_tokens": PREFIX + 200, "output_tokens": 100}
        if day >= SWITCHED and model:
            made.classes["work"]["model"] = model
        # Days differ a little, so that there is an interval.
        made.send("work", day, 90 + day.day % 3, **how)
    return made


READING: dict[str, Any] = {"input_tokens": 200, "cache_read_tokens": PREFIX, "output_tokens": 100}


def promised(work: Workload, usd: str, kind: Kind = Kind.PRIME, *, at: datetime | None = None) -> Promise:
    """A promise made on the day of the switch."""
    before = baseline(work, "work", kind, first=LAST - timedelta(days=27), last=SWITCHED - timedelta(days=1))
    assert before is not None
    return Promise(
        promise_id="p",
        key=f"{kind}:work",
        kind=kind,
        class_id="work",
        class_name="work",
        said="",
        confidence="estimated",
        usd_month=Decimal(usd),
        low=None,
        high=None,
        baseline_first=before.first,
        baseline_last=before.last,
        baseline_unit_usd=before.unit_usd,
        units_month=before.units_month,
        taken_at=at or datetime(SWITCHED.year, SWITCHED.month, SWITCHED.day, tzinfo=UTC),
        taken_by="ann",
    )


def test_what_came_is_reckoned_from_the_ledger() -> None:
    """Units since, times the cost per unit before minus that since: to the last digit."""
    made = mended(after=READING)
    work = made.work()
    each = PREFIX * (rate("input") - rate("cache_read"))
    units = sum(90 + day.day % 3 for day in days() if day >= SWITCHED)

    found = kept(work, promised(work, str(each * 2_700)), now=NOW)

    assert found.units == units
    assert found.realised_usd == (units * each).quantize(Decimal("0.000001"))
    assert found.state == "kept"
    assert set(found.parts) == {"hit_rate"}
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.realised_usd <= found.high


def test_what_did_not_come_is_said() -> None:
    """Nothing changed: not realised. A tenth of what was promised: less than promised."""
    same = mended(after={"input_tokens": PREFIX + 200, "output_tokens": 100}).work()
    little = mended(after={"input_tokens": PREFIX - 200, "output_tokens": 100}).work()

    assert kept(same, promised(same, "50"), now=NOW).state == "not kept"
    found = kept(little, promised(little, "50"), now=NOW)
    assert found.state == "partly"
    assert found.realised_usd is not None
    assert 0 < found.realised_usd < found.promised_usd


def test_too_little_work_is_too_early() -> None:
    """Two days, or four jobs, say nothing: no figure rather than a wild one."""
    work = mended(after=READING).work()
    late = promised(work, "50", at=datetime(2026, 11, 21, tzinfo=UTC))

    found = kept(work, late, now=NOW)

    assert (found.state, found.realised_usd, found.low) == ("early", None, None)


def test_a_price_that_fell_is_nobodys_doing() -> None:
    """A model that is cheaper since is a part of its own, and claimed by no promise."""
    made = mended(after={"input_tokens": PREFIX + 200, "output_tokens": 100})
    for cell in made.cells:
        if cell["day"] >= SWITCHED:
            cell["cost_usd"] = cost(cell) * 8 / 10
    work = made.work()

    found = kept(work, promised(work, "50"), now=NOW)

    assert found.state == "not kept"
    assert found.parts["contract"] > 0
    assert found.realised_usd == pytest.approx(0, abs=0.0001)


def test_content_that_is_sent_once_is_told_from_its_price() -> None:
    """An item costs the same after; what is saved are the answers that were bought twice."""
    made = Made()
    made.add_class("work", prefix=0)
    for day in days():
        job = made.send("work", day, 120 if day < SWITCHED else 100, **OWN)
        if day < SWITCHED:
            made.duplicate(job, 20, made.cells[-1]["cost_usd"] / 6)
    work = made.work()
    single = made.cells[-1]["cost_usd"] / 100

    found = kept(work, promised(work, "1", Kind.DUPLICATES), now=NOW)

    units = 100 * sum(day >= SWITCHED for day in days())
    assert found.units == units
    assert found.realised_usd == (units * single / 5).quantize(Decimal("0.000001"))


def test_priming_without_a_click_is_seen() -> None:
    """The ledger shows when a class began to read, and what that saved; nobody claims what was promised already."""
    work = mended(after=READING).work()

    (one,) = seen(work, [], [])

    assert (one.kind, one.how, one.taken_at.date(), one.taken_by) == (Kind.PRIME, "seen", SWITCHED, None)
    assert kept(work, one, now=NOW).state in ("kept", "partly")
    assert seen(work, [], [one]) == ()


def test_a_move_to_another_model_is_seen() -> None:
    """A route that was applied is a saving taken: against what the same tokens cost before."""
    made = mended(after={"input_tokens": PREFIX + 200, "output_tokens": 100}, model="claude-haiku-5-5")
    work = made.work()
    at = datetime(SWITCHED.year, SWITCHED.month, SWITCHED.day, tzinfo=UTC)
    switch = Switch(class_id="work", class_name="work", from_model="claude-sonnet-5-5", to="claude-haiku-5-5", at=at)

    (one,) = seen(work, [switch], [])
    found = kept(work, one, now=NOW)

    assert one.kind is Kind.LIGHTER
    assert found.state == "kept"
    assert found.realised_usd == pytest.approx(found.promised_usd, rel=Decimal("0.02"))
    assert BOOK.model("claude-haiku-5-5").line == "haiku"
