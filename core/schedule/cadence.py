"""The cadence of recurring work: how often, how big and when, so that results are there before each need. Pure.

Every candidate is played over the arrivals that are expected again, class by class, and priced by the one cost model.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from core.caching.lifetimes import Lifetime
from core.errors import LotwiseError
from core.schedule.arrivals import DAY, DAYS_A_WEEK, HOUR, WEEK_HOURS, Floats, Stream, Work, hours_of_week
from core.schedule.rhythm import Need, Rhythm, Way, Within
from core.schedule.send_costs import send_costs
from core.schedule.sends import Moments, Sends

NEARLY = 0.02
"""Costs this close are one: then the shorter wait decides, or, where nobody gains by it, the fewer sends."""

# Sums in another order differ in the last digits only.
_DIGITS = 9
_STEPS = (1, 2, 3, 4, 6, 8, 12, 24)
# "Enough" items of a class: writing the prefix and opening the job add this share to what its items cost.
_EXCESSES = (0.05, 0.02, 0.01)
_LIVES: tuple[Lifetime, ...] = ("5m", "1h")
Chance = Callable[[float], float]


class NeededSooner(LotwiseError):
    """No rhythm has the results there in time: a job itself takes longer than that, at the confidence asked for. Allow
    more time, or less confidence."""


class NothingRecurs(LotwiseError):
    """Nothing came in lately from which a rhythm could be learned. Import request files, or state how many items come
    in a day."""


@dataclass(frozen=True, kw_only=True)
class Cadence:
    """A rhythm, and what it makes of the expected work.

    `lifetime`: of the cache entries with which it is cheapest; `chained`: whether some sends read what an earlier one
    wrote. `wait_seconds`: mean from coming in to being sent; `longest_wait_seconds`: the longest. `items_a_send`: mean
    over all classes. `on_time`: chance that everything of a send is there when it is needed, of the tightest one.
    """

    rhythm: Rhythm
    lifetime: Lifetime
    chained: bool
    item_usd: float
    week_usd: float
    sends_a_week: float
    jobs_a_week: float
    items_a_send: float
    wait_seconds: float
    longest_wait_seconds: float
    on_time: float
    sent: Floats
    """Items sent in each hour of a mean week, from Monday 00:00 on; shape (168,)."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """The cadence to keep, and every other one that is in time, cheapest first.

    `came`: items expected in each hour of the week, on clocks of `zone`; `lead`: seconds before the need by which
    everything has to be sent.
    """

    best: Cadence
    others: tuple[Cadence, ...]
    lead: float
    confidence: float
    zone: str
    came: Floats

    @property
    def all(self) -> tuple[Cadence, ...]:
        """The best one first."""
        return (self.best, *self.others)


def advise(
    work: Work, *, need: Need, lead: float, confidence: float, zone: str = "UTC", chance: Chance | None = None
) -> Advice:
    """Choose the cadence of recurring work, in the cheapest way that is in time every cycle.

    `lead`: seconds from sending to results at that confidence, repair included; `chance`: probability that a send is
    back within so many seconds (only reported); `zone`: whose hours of the week are shown where the need names none.
    Raises `NothingRecurs` and `NeededSooner`.
    """
    if not work.items_a_week:
        raise NothingRecurs
    if math.isinf(lead):
        raise NeededSooner(need=str(need), confidence=confidence)
    zone = zone if isinstance(need, Within) else need.zone
    played = [play(work, rhythm, zone=zone, chance=chance) for rhythm in _candidates(work, need, lead)]
    in_time = _distinct([cadence for cadence in played if cadence is not None])
    if not in_time:
        raise NeededSooner(need=str(need), hours_at_least=round(lead / HOUR, 2))
    in_time.sort(key=lambda cadence: (round(cadence.week_usd, _DIGITS), cadence.jobs_a_week))
    best = _chosen(in_time, need)
    return Advice(
        best=best,
        others=tuple(cadence for cadence in in_time if cadence is not best),
        lead=lead,
        confidence=confidence,
        zone=zone,
        came=work.week(ZoneInfo(zone)),
    )


def play(
    work: Work, rhythm: Rhythm, *, zone: str = "UTC", lifetime: Lifetime | None = None, chance: Chance | None = None
) -> Cadence | None:
    """What a rhythm costs and how long items wait; None where something would be sent too late.

    Without a `lifetime` the cheaper of both counts.
    """
    moments = Moments.of(work, rhythm)
    sends = [Sends.of(stream, rhythm, moments) for stream in work.streams]
    slack = min(float(one.slack.min()) for one in sends)
    if slack < rhythm.lead - 1e-3:
        return None
    priced = [send_costs(work, sends, life) for life in ((lifetime,) if lifetime else _LIVES)]
    best = min(priced, key=lambda total: total.usd)
    at = np.concatenate([one.at for one in sends])
    items = np.concatenate([one.items for one in sends])
    total, weeks = float(items.sum()), work.days / DAYS_A_WEEK
    # What comes in last goes after the end, with what would come in first if the work went on.
    times = len(np.unique(np.round(at % (work.days * DAY))))
    return Cadence(
        rhythm=rhythm,
        lifetime=best.lifetime,
        chained=best.chained,
        item_usd=best.usd / total,
        week_usd=best.usd / weeks,
        sends_a_week=times / weeks,
        jobs_a_week=best.jobs / weeks,
        items_a_send=total / times,
        wait_seconds=sum(one.waited for one in sends) / total,
        longest_wait_seconds=max(one.longest for one in sends),
        on_time=chance(slack) if chance else math.nan,
        sent=np.bincount(hours_of_week(work.start, at, ZoneInfo(zone)), weights=items, minlength=WEEK_HOURS) / weeks,
    )


def _distinct(played: list[Cadence]) -> list[Cadence]:
    """The first of those that come to the same."""
    found: dict[tuple[float, ...], Cadence] = {}
    for one in played:
        found.setdefault((round(one.week_usd, _DIGITS), one.sends_a_week, round(one.wait_seconds, 3)), one)
    return list(found.values())


def _chosen(in_time: list[Cadence], need: Need) -> Cadence:
    """The one to keep, of cadences cheapest first; what is needed at a set time is no better for being early."""
    near = [cadence for cadence in in_time if cadence.week_usd <= in_time[0].week_usd * (1 + NEARLY)]
    if isinstance(need, Within):
        return min(near, key=lambda cadence: cadence.wait_seconds)
    return min(near, key=lambda cadence: (cadence.sends_a_week, round(cadence.week_usd, _DIGITS)))


def _candidates(work: Work, need: Need, lead: float) -> Iterator[Rhythm]:
    daily = not isinstance(need, Within) and len(need.days) == DAYS_A_WEEK
    if not isinstance(need, Within):
        yield Rhythm(way=Way.BEFORE, need=need, lead=lead)
    for hours in _STEPS[:-1] if daily else _STEPS:
        yield Rhythm(way=Way.EVERY, need=need, lead=lead, hours=hours)
    for excess in _EXCESSES:
        enough = {stream.class_id: size for stream in work.streams if (size := _enough(stream, excess)) is not None}
        if enough:
            yield Rhythm(way=Way.QUEUE, need=need, lead=lead, class_items=enough)
    if isinstance(need, Within):
        yield Rhythm(way=Way.QUEUE, need=need, lead=lead)


def _enough(stream: Stream, excess: float) -> int | None:
    """The items from which on a job costs at most so much more than its items do; None where size saves nothing."""
    costs = stream.primed.get("5m", stream.plain)
    if not costs.begin_usd or not costs.hot_usd:
        return None
    return math.ceil(costs.begin_usd / (excess * costs.hot_usd))
