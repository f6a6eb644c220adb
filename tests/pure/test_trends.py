"""Levels, usual days and movements: what is there is found and dated, and what is only noise is not."""

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.trends.anomalies import usual
from core.trends.attribution import Part, attribute, attribute_unit_cost
from core.trends.change_points import MOST, levels, without_weekdays
from core.trends.events import Event
from core.trends.expected import expected
from core.trends.movement import Movement
from core.trends.movements import movements
from core.trends.sentences import movement_sentence, spend_sentences, unit_sentences
from core.trends.standing import Finding, KnownEvent, standings
from tests.pure.test_attribution import BOOK, SCHEMA, USUAL, cells

TODAY = date(2026, 11, 2)
DAYS = 90
# Lines of work: its weekdays, items a day, tokens of prefix, own text and output, share of items on weekends.
LINES: dict[str, tuple[tuple[int, ...], int, int, int, int, float]] = {
    "Triage": ((0, 1, 2, 3, 4, 5, 6), 190, 3_500, 300, 64, 0.3),
    "Invoices": ((0, 1, 2, 3, 4), 185, 9_000, 700, 400, 0.0),
    "Texts": ((0, 3), 330, 6_000, 250, 280, 0.0),
    "Grades": ((1, 2, 4), 270, 10_000, 350, 90, 0.0),
    "Contracts": ((0, 1, 2, 3, 4), 52, 20_000, 20_000, 2_600, 0.0),
    "Calls": ((0, 1, 2, 3, 4), 130, 0, 1_000, 230, 0.0),
}


def quarter(seed: int, **changed: dict[str, Any]) -> pl.DataFrame:
    """Ninety days of cells of six lines, noisy as real ones; `changed` alters what a line draws from an age on.

    Of each line: `since` and `until` (days before the end), and `output`, `items` or `cold`, all that is read.
    """
    rng = np.random.default_rng(seed)
    rates = BOOK.rates("claude-sonnet-4-6", at=datetime(2026, 11, 1, tzinfo=UTC))
    rows = []
    for name, (weekdays, items, prefix, own, output, weekend) in LINES.items():
        for ago in range(DAYS, 0, -1):
            day = TODAY - timedelta(days=ago)
            change = changed.get(name, {})
            now = change if change.get("until", 0) < ago <= change.get("since", 0) else {}
            if day.weekday() not in weekdays:
                continue
            share = (weekend if day.weekday() > 4 else 1.0) * now.get("items", 1.0)
            count = max(8, round(items * share * rng.lognormal(0, 0.2) * (1 + 0.3 * (DAYS - ago) / DAYS)))
            reads = 0 if now.get("cold") else rng.binomial(count, 0.985)
            spread = 0.3 / np.sqrt(count)
            row = {
                "job_id": f"{name}{ago}",
                "class_id": name,
                "class_name": name,
                "model": "claude-sonnet-4-6",
                "day": day,
                "attempts": count,
                "units": count,
                "input_tokens": round(own * count * rng.lognormal(0, spread)),
                "cache_write_1h_tokens": (count - reads) * prefix,
                "cache_read_tokens": int(reads) * prefix,
                "output_tokens": round(output * now.get("output", 1.0) * count * rng.lognormal(0, spread)),
            }
            rows.append(USUAL | row)
            if rng.random() < 0.06:
                failed = max(1, round(count * rng.uniform(0.01, 0.05)))
                tokens = {"input_tokens": own * failed, "output_tokens": 2 * output * failed}
                lost = {"usable": False, "cause": "max_tokens", "attempts": failed, "units": 0}
                cached = {"cache_write_1h_tokens": 0, "cache_read_tokens": prefix * failed}
                rows.append(rows[-1] | tokens | lost | cached | {"job_id": f"{name}{ago}-again"})
    cost = [
        row["input_tokens"] * rates.input
        + row["cache_write_1h_tokens"] * rates.cache_write_1h
        + row["cache_read_tokens"] * rates.cache_read
        + row["output_tokens"] * rates.output
        for row in rows
    ]
    return pl.DataFrame(
        [row | {"cost_usd": usd} for row, usd in zip(rows, cost, strict=True)], schema=SCHEMA, orient="row"
    )


def test_no_quarter_without_an_event_raises_more_than_one_alarm() -> None:
    """Ten quarters of noise alone, six lines each: at most one alarm in any of them, and next to none altogether."""
    alarms = [len(movements(quarter(seed), book=BOOK, today=TODAY)) for seed in range(10)]

    assert max(alarms) <= 1
    assert sum(alarms) <= 2


def test_seeded_changes_are_found_dated_and_attributed() -> None:
    """A cache that went cold, longer answers, and a peak of volume that is no change of what a unit costs."""
    made = quarter(
        3,
        Invoices={"since": 21, "cold": True},
        Contracts={"since": 30, "output": 1.5},
        Texts={"since": 12, "until": 6, "items": 3.0},
    )

    found = movements(made, book=BOOK, today=TODAY)

    steps = {one.class_name: one for one in found if one.measure != "spend"}
    assert set(steps) == {"Invoices", "Contracts"}
    for name, ago, part in (("Invoices", 21, "hit_rate"), ("Contracts", 30, "output")):
        step = steps[name]
        assert step.kind == "step"
        assert abs((step.since - (TODAY - timedelta(days=ago))).days) <= 3
        assert max(step.parts, key=lambda one: abs(one.amount)).name == part
        assert step.low is not None and step.high is not None
        assert 0 < step.low < step.usd_month < step.high
        assert step.usd_month == sum((one.amount for one in step.parts), Decimal(0))
    assert [abs(one.usd_month) for one in found] == sorted((abs(one.usd_month) for one in found), reverse=True)


def test_what_is_too_small_or_too_cheap_is_not_told() -> None:
    """Longer answers of a line that costs cents are no news, whatever their share."""
    cheap = quarter(5, Triage={"since": 30, "output": 1.6})

    assert movements(cheap.with_columns(pl.col("cost_usd") / 1000), book=BOOK, today=TODAY) == ()
    assert movements(cells(), book=BOOK, today=TODAY) == ()


def test_an_event_is_linked_where_it_is_near_and_explains_the_part() -> None:
    """The change of the cap explains longer answers; a price of another part, or of weeks ago, does not."""
    since = TODAY - timedelta(days=30)
    cap = Event(kind="cap", day=since, class_name="Contracts", said="The cap rose.")
    others = (
        Event(kind="cap", day=since, class_name="Invoices", said="Another line."),
        Event(kind="cap", day=since - timedelta(days=14), class_name="Contracts", said="Long ago."),
        Event(kind="priming", day=since, class_name="Contracts", said="Not its part."),
    )
    made = quarter(3, Contracts={"since": 30, "output": 1.5})

    (step,) = movements(made, book=BOOK, today=TODAY, events=(cap, *others))

    (link,) = step.events
    assert (link.event, link.parts) == (cap, ("output",))
    assert link.usd == next(part.amount for part in step.parts if part.name == "output")


def test_levels_are_found_at_their_first_day() -> None:
    """A large step does not hide a small one, and three days apart are no level."""
    rng = np.random.default_rng(1)
    values = np.concatenate([np.full(30, 1.0), np.full(30, 1.2), np.full(30, 9.0)]) + rng.normal(0, 0.03, 90)
    values[10:13] = 4.0

    found = levels(values)

    assert found.starts == (30, 60)
    assert {10, 11, 12} <= found.brief
    assert levels(np.full(50, 3.0)).starts == levels(np.array([])).starts == ()
    with pytest.raises(ValueError, match=str(MOST + 1)):
        levels(np.arange(MOST + 1.0))


def test_the_split_is_the_cheapest_of_all() -> None:
    """Exact: no other split of a short series has less squares and penalties."""
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(0, 1, 8), rng.normal(4, 1, 7)])
    standard = (values - values.mean()) / values.std()

    def cost(bounds: list[int]) -> float:
        parts = itertools.pairwise(bounds)
        squares = sum(((standard[a:b] - standard[a:b].mean()) ** 2).sum() for a, b in parts)
        return float(squares + 2 * np.log(len(values)) * (len(bounds) - 2))

    starts = list(levels(values, least=2).starts)
    one = min(([0, at, 15] for at in range(2, 14)), key=cost)
    assert starts == one[1:-1] == [8]
    assert cost([0, *starts, 15]) < cost([0, 15])


def test_weekdays_are_no_levels() -> None:
    """A rhythm of the week comes out of the series, and a step stays in it."""
    days = [TODAY + timedelta(days=number) for number in range(84)]
    rhythm = np.array([1.0 if day.weekday() < 5 else 3.0 for day in days])
    rhythm[42:] += 5

    flat = without_weekdays(days, rhythm)

    assert flat[:40].std() < 0.2
    assert levels(flat).starts == (42,)


def test_labelled_days_of_a_real_series_are_found(shared_data: Path) -> None:
    """Daily taxi rides of New York: seventeen days are flagged, and all five labelled events are among them."""
    rides = pl.read_csv(shared_data / "series" / "nyc_taxi_daily.csv", try_parse_dates=True)
    days, values = rides["date"].to_list(), rides["value"].cast(pl.Float64).to_numpy()
    labels = [date(2014, 11, 2), date(2014, 11, 27), date(2014, 12, 25), date(2015, 1, 1), date(2015, 1, 27)]

    flags = usual(values).flagged(values)
    flagged = [day for day, flag in zip(days, flags, strict=True) if flag]

    assert len(flagged) == 17
    for label in labels:
        assert any(abs((day - label).days) <= 1 for day in flagged)
    near = [day for day in flagged if any(abs((day - label).days) <= 4 for label in labels)]
    assert len(near) == 16


def test_expected_spend_begins_after_four_weeks_and_knows_quiet_days() -> None:
    """A day that is zero as a rule is not expected to be anything; a day without its work is flagged."""
    days = [TODAY + timedelta(days=number) for number in range(63)]
    work = [day for day in days if day.weekday() < 5 and day != days[50]]
    made = cells(*({"day": day, "cost_usd": Decimal(20)} for day in work)).sort("day")

    frame = expected(made, last=days[-1])

    assert frame["expected_usd"][:28].null_count() == 28
    weekend = frame.filter(pl.col("day").dt.weekday() > 5)
    assert weekend["expected_usd"].null_count() == weekend.height
    assert frame.filter("flagged")["day"].to_list() == [days[50]]
    cents = expected(made.with_columns(pl.col("cost_usd") / 1000), last=days[-1])
    assert not cents["flagged"].any()
    assert expected(cells(), last=TODAY).is_empty()


def movement(**stated: Any) -> Movement:
    """A step of a class; what is not stated is usual."""
    usual_fields: dict[str, Any] = {
        "key": "k",
        "kind": "step",
        "measure": "unit_cost",
        "class_name": "Invoices",
        "class_id": "c",
        "since": TODAY,
        "until": None,
        "before_usd": Decimal("0.004"),
        "after_usd": Decimal("0.028"),
        "usd_month": Decimal(110),
        "low": Decimal(105),
        "high": Decimal(115),
        "parts": (Part(name="hit_rate", amount=Decimal(112)), Part(name="output", amount=Decimal(-2))),
    }
    return Movement(**usual_fields | stated)


def test_a_resolved_movement_stays_so_until_it_has_grown_by_half() -> None:
    """More data move its day and its dollars a little: it is the same one. Half as much again is news."""
    finding = Finding(
        key="k",
        class_name="Invoices",
        kind="step",
        since=TODAY,
        usd_month=Decimal(110),
        note="The new form.",
        resolved_at=datetime(2026, 11, 2, tzinfo=UTC),
        resolved_by="ann",
    )
    seen = [
        movement(since=TODAY + timedelta(days=2), usd_month=Decimal(150)),
        movement(usd_month=Decimal(165)),
        movement(usd_month=Decimal(-110)),
        movement(since=TODAY + timedelta(days=9)),
        movement(class_name="Calls"),
    ]

    found = standings(seen, [finding], [])

    assert [one.state for one in found] == ["resolved", "open", "open", "open", "open"]
    assert [one.reopened for one in found] == [False, True, True, False, False]
    assert (found[0].said, found[0].by) == ("The new form.", "ann")


def test_what_moves_on_days_with_a_known_event_is_no_alarm() -> None:
    """Only within its days, and only of its class where it names one."""
    event = KnownEvent(
        event_id="e",
        class_name="Invoices",
        first_day=TODAY - timedelta(days=1),
        last_day=TODAY + timedelta(days=1),
        said="Year end.",
        added_by="ann",
    )
    seen = [movement(), movement(kind="days", until=TODAY + timedelta(days=3)), movement(class_name="Calls")]

    assert [one.state for one in standings(seen, [], [event])] == ["known", "open", "open"]


def test_sentences_say_what_moved_and_by_what() -> None:
    """Plain words with the same figures as the parts."""
    assert movement_sentence(movement()) == (
        "Invoices: since 2 Nov 2026 1,000 units cost $28.00 instead of $4.00 (×7), $110.00 more a month "
        "(cache hits +$112.00)."
    )
    spell = movement(kind="days", measure="spend", class_name=None, until=TODAY + timedelta(days=2))
    assert movement_sentence(spell).startswith("All work: from 2 Nov 2026 to 4 Nov 2026 a day cost $0.03 instead of")
    before, after = cells({}), cells({"output_tokens": 30_000})
    spent = list(spend_sentences(attribute(before, after, book=BOOK), by_day=False))
    assert spent[0].startswith("Spend rose from $0.")
    assert spent[1].startswith("That is: length of the output +$0.")
    (unit, why) = unit_sentences(attribute_unit_cost(before, after, book=BOOK))
    assert unit.startswith("The cost of 1,000 usable items rose from")
    assert "length of the output" in why
    assert list(unit_sentences(None)) == [
        "One of the periods has no usable item, so there is no cost per unit to compare."
    ]
