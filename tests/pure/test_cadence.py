"""The cadence of recurring work: rhythms and their moments, what they cost, and which one is recommended."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.caching.lifetimes import Lifetime
from core.schedule.arrivals import HOUR, Stream, Work, steady
from core.schedule.cadence import NeededSooner, NothingRecurs, advise, play
from core.schedule.deadlines import Recurring, UnclearDeadline
from core.schedule.lead import lead_of
from core.schedule.rhythm import NeededOnce, Rhythm, RhythmInvalid, Way, Within, parse_need, parse_recurring
from core.sizing.evidence import Evidence
from core.sizing.job_costs import JobCosts
from tests.pure.test_waves import MODELS

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
LEAD = 100 * 60.0
BERLIN = parse_recurring("07:00 Europe/Berlin")

# Input cost index and mean wait in hours of one day of real prompts, from an independent simulation of the same rules.
TABLE: list[tuple[float, Way, dict[str, Any], Lifetime, float, float]] = [
    (24, Way.EVERY, {"hours": 1}, "5m", 0.231, 0.5),
    (24, Way.EVERY, {"hours": 1}, "1h", 0.198, 0.5),
    (4, Way.QUEUE, {"items": 20}, "5m", 0.245, 0.5),
    (8, Way.QUEUE, {"items": 20}, "5m", 0.241, 0.8),
    (24, Way.QUEUE, {"items": 20}, "5m", 0.240, 1.7),
    (4, Way.QUEUE, {}, "5m", 0.207, 1.2),
    (8, Way.QUEUE, {}, "5m", 0.196, 3.5),
    (24, Way.QUEUE, {}, "5m", 0.191, 10.3),
]
BEST = {4: 0.198, 8: 0.196, 24: 0.191}


def costs(hot: float, once: float = 0.0, job: float = 0.0) -> JobCosts:
    """Costs without faults."""
    return JobCosts(hot_usd=hot, once_usd=once, job_usd=job, void_rate=0.0, fault_rate=0.0)


def stream(
    seconds: Any, items: Any = None, *, name: str = "a", job: float = 0.0, prefix: float = 0.9, read: float = 0.1
) -> Stream:
    """A class whose item costs a dollar, a share of it the prefix."""
    at = np.asarray(seconds, dtype=float)
    hot = 1 - prefix + read * prefix
    return Stream(
        class_id=name,
        name=name,
        model="claude-sonnet-5-5",
        seconds=at,
        items=np.ones_like(at) if items is None else np.asarray(items, dtype=float),
        plain=costs(1.0, job=job),
        primed={"5m": costs(hot, (1.25 - read) * prefix, job), "1h": costs(hot, (2 - read) * prefix, job)},
    )


def week(*streams: Stream, days: float = 7.0) -> Work:
    """A week of work from a Monday on."""
    return Work(start=MONDAY, days=days, streams=streams)


def day_and_night(job: float = 0.0, prefix: float = 0.9) -> Work:
    """A class that comes in by day, twenty items an hour, and one that trickles in."""
    by_day, ones = steady([0] * 8 + [20] * 10 + [0] * 6, MONDAY, weeks=1)
    trickle, single = steady([0.5], MONDAY, weeks=1)
    return week(stream(by_day, ones, job=job, prefix=prefix), stream(trickle, single, name="b", job=job, prefix=prefix))


@pytest.fixture(scope="module")
def workload(shared_data: Path) -> tuple[Work, float]:
    """One day of 11,647 real prompts in 115 classes, in input tokens, and what they cost unmarked."""
    folder = shared_data / "workloads"
    arrivals = pl.read_parquet(folder / "arrivals.parquet")
    truth = pl.read_parquet(folder / "truth.parquet").join(arrivals, on="custom_id").sort("arrival_s")
    streams, plain = [], 0.0
    for (name,), rows in truth.group_by("group_id", maintain_order=True):
        floor, read, price = MODELS[str(rows["model"][0])]
        prefix, rest = float(rows["prefix_tok"][0]), float(rows["suffix_tok"].to_numpy().mean())
        plain += price * (prefix + rest) * rows.height
        hot, writes = price * (read * prefix + rest), {"5m": 1.25, "1h": 2.0}
        primed: dict[Any, JobCosts] = {
            life: costs(hot, price * (write - read) * prefix) for life, write in writes.items()
        }
        streams.append(
            Stream(
                class_id=str(name),
                name=str(name),
                model=str(rows["model"][0]),
                seconds=rows["arrival_s"].to_numpy(),
                items=np.ones(rows.height),
                plain=costs(price * (prefix + rest)),
                primed=primed if prefix >= floor else {},
            )
        )
    return week(*streams, days=1.0), plain


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[1]} {row[2] or ''} {row[3]} {row[0]} h")
def test_policies_cost_and_wait_what_the_reference_says(workload: tuple[Work, float], row: Any) -> None:
    """Every policy of the table on a real day: cost index to a point in a thousand, mean wait to the digit."""
    (work, plain), (within, way, options, life, index, wait) = workload, row
    found = play(work, Rhythm(way=way, need=Within(within), lead=LEAD, **options), lifetime=life)

    assert found is not None
    assert found.week_usd / 7 / plain == pytest.approx(index, abs=0.0011)
    assert found.wait_seconds / HOUR == pytest.approx(wait, abs=0.051)


@pytest.mark.parametrize("within", BEST)
def test_what_is_recommended_costs_at_most_2_percent_more_than_the_best_policy(
    workload: tuple[Work, float], within: int
) -> None:
    """And nothing that is dearer waits less: of those within 2 % of the cheapest the shortest wait is taken."""
    work, plain = workload
    advice = advise(work, need=Within(within), lead=LEAD, confidence=0.95)
    best = advice.best

    assert best.week_usd / 7 / plain <= BEST[within] * 1.02
    assert best.longest_wait_seconds <= within * HOUR - LEAD + 1
    cheapest = min(one.week_usd for one in advice.all)
    near = [one.wait_seconds for one in advice.all if one.week_usd <= cheapest * 1.02]
    assert best.wait_seconds == min(near)


def test_an_hour_apart_sends_form_a_chain_that_a_gap_breaks() -> None:
    """Five items an hour: one write, then reads; after three hours of nothing it is written again."""
    hours = np.array([1, 2, 3, 7, 8]) * HOUR - 60
    rhythm = Rhythm(way=Way.EVERY, need=Within(24), lead=0.0, hours=1)
    work = week(stream(hours, np.full(5, 5.0)))
    chained, apart = play(work, rhythm, lifetime="1h"), play(work, rhythm, lifetime="5m")

    assert chained is not None and apart is not None
    hot = 0.1 + 0.09
    assert chained.week_usd == pytest.approx(25 * hot + 2 * 1.9 * 0.9)
    assert apart.week_usd == pytest.approx(25 * hot + 5 * 1.15 * 0.9)
    assert (chained.chained, apart.chained) == (True, False)
    assert play(work, rhythm) is not None and play(work, rhythm).lifetime == "1h"  # type: ignore[union-attr]


def test_dear_jobs_are_sent_less_often_and_classes_that_go_together_share_them() -> None:
    """A fixed cost of a job makes cadences rarer, never more frequent; two small classes are one job and one primer."""
    sends = []
    for job in (0.0, 0.05, 1.0, 20.0):
        best = advise(day_and_night(job, 0.01), need=Within(24), lead=HOUR, confidence=0.9).best
        sends.append(best.jobs_a_week)
    assert sends == sorted(sends, reverse=True) and sends[-1] < sends[0]

    rhythm = Rhythm(way=Way.EVERY, need=Within(48), lead=0.0, hours=24)
    played = play(day_and_night(0.25), rhythm)
    assert played is not None
    assert played.jobs_a_week == pytest.approx(2 * played.sends_a_week)


def test_what_is_needed_at_seven_is_sent_once_before_seven() -> None:
    """Nobody gains by having it sooner: the fewest sends of the cheapest, each item there at the first need it can."""
    advice = advise(day_and_night(0.25), need=BERLIN, lead=LEAD, confidence=0.95, chance=lambda seconds: seconds / 1e4)

    assert advice.best.rhythm == Rhythm(way=Way.BEFORE, need=BERLIN, lead=LEAD)
    assert advice.best.on_time == pytest.approx(LEAD / 1e4)
    assert advice.zone == "Europe/Berlin"
    assert np.flatnonzero(advice.best.sent) % 24 == pytest.approx(5)
    assert advice.came.sum() == pytest.approx(advice.best.sent.sum(), rel=0.02)
    assert all(one.week_usd >= advice.best.week_usd / 1.02 for one in advice.others)


def test_impossible_wishes_are_refused() -> None:
    """Nothing comes in; needed sooner than a job takes; no time is enough at that confidence."""
    with pytest.raises(NothingRecurs):
        advise(week(), need=Within(8), lead=LEAD, confidence=0.95)
    with pytest.raises(NeededSooner):
        advise(day_and_night(), need=Within(1), lead=LEAD, confidence=0.95)
    with pytest.raises(NeededSooner):
        advise(day_and_night(), need=BERLIN, lead=math.inf, confidence=0.9999)


NEEDS = st.one_of(
    st.builds(Within, st.sampled_from([3.0, 8.0, 24.0])),
    st.sampled_from([BERLIN, parse_recurring("Mon 09:00 America/New_York"), parse_recurring("Mon-Fri 02:30 UTC")]),
)
RHYTHMS = st.one_of(
    st.builds(Rhythm, way=st.just(Way.EVERY), need=NEEDS, lead=st.just(LEAD), hours=st.integers(1, 24)),
    st.builds(
        Rhythm, way=st.just(Way.BEFORE), need=NEEDS.filter(lambda one: not isinstance(one, Within)), lead=st.just(LEAD)
    ),
    st.builds(Rhythm, way=st.just(Way.AT), need=NEEDS, lead=st.just(LEAD), times=st.just((BERLIN,))),
)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=700)).map(lambda later: MONDAY - timedelta(days=300) + later)


@given(RHYTHMS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_moments_come_in_order_and_the_newest_is_the_last_of_them(
    rhythm: Rhythm, after: datetime, later: timedelta
) -> None:
    """Through every change of the clocks: later than asked for, at most a week away, none skipped by `newest`."""
    first = rhythm.next(after)
    assert first is not None
    assert after < first <= after + timedelta(days=7, hours=2)
    newest = rhythm.newest(first, first + later)
    following = rhythm.next(newest)
    assert following is not None
    assert first <= newest <= first + later < following


@given(RHYTHMS.filter(lambda rhythm: rhythm.way is not Way.AT), MOMENTS)
def test_what_goes_by_its_need_goes_in_time(rhythm: Rhythm, came: datetime) -> None:
    """The first send after an item came in is no later than the last one that is in time for it."""
    if isinstance(rhythm.need, Within):
        return
    sent = rhythm.next(came - timedelta(microseconds=1))
    assert sent is not None and sent <= rhythm.latest_send(came)
    assert rhythm.needed(came) - rhythm.latest_send(came) == timedelta(seconds=LEAD)


def test_the_lead_is_real_time_where_clocks_change() -> None:
    """On the last Sunday of March the night has an hour less: six hours before seven is midnight, not one o'clock."""
    rhythm = Rhythm(way=Way.BEFORE, need=BERLIN, lead=6 * HOUR)
    at = rhythm.next(datetime(2027, 3, 27, 12, tzinfo=UTC))
    assert at is not None
    assert f"{at.astimezone(ZoneInfo('Europe/Berlin')):%d %H:%M}" == "28 00:00"
    steps = Rhythm(way=Way.EVERY, need=BERLIN, lead=LEAD, hours=6)
    moments = [next(steps.moments(datetime(2026, 11, 23, hour, tzinfo=UTC))) for hour in (0, 6, 12)]
    assert [f"{moment:%H:%M}" for moment in moments] == ["04:20", "10:20", "16:20"]


def test_rhythms_and_needs_in_words() -> None:
    """What was read is written the same way; what makes no schedule is refused."""
    for text in ("within 8 h", "07:00 Europe/Berlin", "Mon 09:00 America/New_York"):
        assert str(parse_need(text)) == text
    assert parse_need("within 1.5 hours") == Within(1.5)
    with pytest.raises(NeededOnce):
        parse_need("2026-11-23T07:00+01:00")
    with pytest.raises(UnclearDeadline):
        parse_need("soon")
    for broken in ({"way": Way.AT}, {"way": Way.EVERY}, {"way": Way.BEFORE}, {"way": Way.QUEUE, "items": 0}):
        with pytest.raises(RhythmInvalid):
            Rhythm(**{"need": Within(8), "lead": LEAD} | broken)  # type: ignore[arg-type]
    said = [
        str(Rhythm(way=Way.AT, need=Within(8), lead=LEAD, times=(BERLIN,))),
        str(Rhythm(way=Way.BEFORE, need=BERLIN, lead=LEAD)),
        str(Rhythm(way=Way.EVERY, need=Within(8), lead=LEAD, hours=4)),
        str(Rhythm(way=Way.EVERY, need=BERLIN, lead=LEAD, hours=4)),
        str(Rhythm(way=Way.QUEUE, need=Within(8), lead=LEAD, items=50, class_items={"a": 1200})),
        str(Rhythm(way=Way.QUEUE, need=Within(8), lead=LEAD)),
    ]
    assert said == [
        "at 07:00 Europe/Berlin",
        "100 min before 07:00 Europe/Berlin",
        "every 4 h",
        "every 4 h, counted back from 100 min before 07:00 Europe/Berlin",
        "when 50 to 1,200 items of a class wait, or when the oldest has to go: 100 min before it is needed",
        "when the oldest has to go: 100 min before it is needed",
    ]


def test_the_week_is_learned_and_a_stated_rate_comes_evenly() -> None:
    """Two weeks with a busy Tuesday show it, hours seldom seen lean on other days; a rate gives what it says."""
    tuesdays = np.array([24 + 9.5, 7 * 24 + 24 + 9.5]) * HOUR
    came = Work(start=MONDAY, days=14.0, streams=(stream(tuesdays, [300, 300]),)).week(ZoneInfo("UTC"))
    assert int(came.argmax()) == 24 + 9
    assert came[24 + 9] == pytest.approx((600 + 600 / 14) / 3)
    assert came[9] == pytest.approx(600 / 14 / 3)
    assert came.sum() == pytest.approx(300)

    seconds, items = steady([10.0] * 12 + [0.0] * 12, MONDAY.replace(hour=6), weeks=2)
    assert items.sum() == 14 * 120
    assert set((seconds / HOUR + 6) % 24 // 12) == {0}


def test_the_lead_grows_with_confidence_and_work() -> None:
    """From the documented assumptions alone: whole minutes, a margin added, infinite where expiry leaves no chance."""

    def lead(confidence: float, work: Work | None = None, **options: float) -> float:
        return lead_of(
            work or day_and_night(), Evidence(), need=BERLIN, confidence=confidence, now=MONDAY, **options
        ).seconds

    assert lead(0.5) < lead(0.8) < lead(0.95)
    assert lead(0.8) % 60 == 0
    assert lead(0.8, margin=600.0) == lead(0.8) + 600
    assert lead(0.8, week()) <= lead(0.8)
    found = lead_of(day_and_night(), Evidence(), need=BERLIN, confidence=0.8, now=MONDAY)
    assert 0.8 <= found.chance(found.seconds) < 0.82


def test_recurring_needs_are_days_and_a_time() -> None:
    """The need of a schedule is a rule of the deadlines, nothing of its own."""
    assert isinstance(parse_need("Mon-Fri 07:00 UTC"), Recurring)
