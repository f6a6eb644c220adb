"""What to do next, from the data: each step with the dollars behind it and the page that does it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from core.actions.routes import Alarm
from core.errors import LotwiseError
from core.prices import PriceBook
from pages import data, formats, routes_data
from pages.words import literal, plain, say

Row = dict[str, Any]

WINDOW_DAYS = 14
RISE = 0.05
"""A class whose unit cost rose by less than this is noise, not news."""
COLD = 0.5
"""Below about half reads, a one-hour cache write costs more than it saves: (w - 1)/(w - r), prompt caching page."""
WARM = 0.9
"""What a primed class reaches, one writer to many readers: the saving is reckoned against it."""
_TIMES = 2
"""From here on a rise reads better as a multiple than in percent."""
SHOWN = 3
"""Steps of one kind: the list is for the next hour, not for the quarter."""
REPAIRS, DECISIONS = 2, 1
"""Of the jobs with open failures: what is repaired by a click does not hide what needs a thought."""
_RUNG, _OTHERS = frozenset(("failing", "drift")), frozenset(("retires", "not_applied"))
"""Kinds of alarms about routes: answers that went bad come before anything else."""
_ALARMS = {
    "failing": ("next.route_failing", "next.route_stake"),
    "drift": ("next.route_drift", "next.route_stake"),
    "retires": ("next.route_retires", "next.route_stake"),
    "not_applied": ("next.route_not_applied", "next.route_saves"),
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing worth doing."""

    what: str
    money: str
    weight: float
    """Dollars, to sort by; steps without a known amount come last."""
    page: str
    link: str
    query: dict[str, str] = field(default_factory=dict)


def steps(book: PriceBook, today: date) -> list[Step]:
    """All steps, dearest first; answers that went bad, and failures, which hold back results, first."""
    cold = {
        row["class_id"]: row for row in data.read("cold_classes", **_window(today), floor=COLD).iter_rows(named=True)
    }
    alarms = routes_data.alarms()
    found = [*_costlier(today, cold), *_backlog(), *_cold(book, cold), *_routes(alarms, _OTHERS)]
    return [*_routes(alarms, _RUNG), *_repairs(), *sorted(found, key=lambda step: -step.weight)]


def _window(today: date) -> dict[str, date | int]:
    return {"today": today, "days": WINDOW_DAYS, "limit": SHOWN}


def _routes(alarms: Sequence[Alarm], kinds: frozenset[str]) -> Iterator[Step]:
    """What about models a person should decide, the most money first."""
    for alarm in [alarm for alarm in alarms if alarm.kind in kinds][:SHOWN]:
        what, money = _ALARMS[alarm.kind]
        dollars = formats.money(alarm.usd_month)
        yield Step(
            what=say(what, name=alarm.class_name, model=alarm.model),
            money=literal(alarm.said) if alarm.usd_month is None else say(money, dollars=dollars, said=alarm.said),
            weight=float(alarm.usd_month or 0),
            page="routing.py",
            link=say("next.route_link"),
            query={"class": alarm.class_id},
        )


def _repairs() -> Iterator[Step]:
    jobs = data.read("repairs_waiting", repairs=REPAIRS, decisions=DECISIONS)
    for job in jobs.iter_rows(named=True):
        can = job["repairable"] > 0
        price = data.failed_slice(job["job_id"]).predicted_usd if can else None
        yield Step(
            what=say(
                "next.repair" if can else "next.decide",
                items=formats.count(job["repairable"] if can else job["items"]),
                name=job["class_name"] or plain("next.several"),
            ),
            money=_repair_money(price) if can else say("next.decide_money"),
            weight=float(price or 0),
            page="jobs.py",
            link=say("next.repair_link"),
            query={"job": job["job_id"]},
        )
    more = jobs["jobs"][0] - jobs.height if jobs.height else 0
    if more:
        yield Step(
            what=say("next.more", jobs=formats.count(more)),
            money=say("next.more_money"),
            weight=0,
            page="jobs.py",
            link=say("next.more_link"),
            query={"open": "true"},
        )


def _repair_money(price: Decimal | None) -> str:
    return say("next.unpriced") if price is None else say("next.repair_money", dollars=formats.money(price))


def _reads(rate: float) -> str:
    """A low hit rate in words: none is none, and not "only 0.0%"."""
    return plain("next.reads", rate=formats.percent(rate)) if rate else plain("next.reads_none")


def _costlier(today: date, cold: dict[str, Row]) -> Iterator[Step]:
    """Classes that got dearer; where the cache went cold, that is said with it and not a step of its own."""
    for row in data.read("unit_cost_rises", **_window(today), rise=RISE).iter_rows(named=True):
        ratio = float(row["unit_cost_usd"] / row["unit_cost_before_usd"])
        why = cold.pop(row["class_id"], None)
        yield Step(
            what=say("next.rise_times", name=row["class_name"], rise=f"{ratio:.1f}")
            if ratio >= _TIMES
            else say("next.rise", name=row["class_name"], rise=formats.percent(ratio - 1)),
            money=say(
                "next.rise_money_cold" if why else "next.rise_money",
                dollars=formats.money(row["extra_usd"]),
                reads=_reads(why["hit_rate"]) if why else None,
            ),
            weight=row["extra_usd"],
            page="trends.py",
            link=say("next.rise_link"),
            query={"class": row["class_name"]},
        )


def _backlog() -> Iterator[Step]:
    plan = data.plan()
    if plan is None:
        return
    dollars, plain = plan.predicted_usd, plan.predicted_plain_usd
    saved = plain - dollars if dollars is not None and plain is not None else Decimal(0)
    yield Step(
        what=say("next.submit", items=formats.count(plan.items)),
        money=say("next.submit_money", dollars=formats.money(dollars), saved=formats.money(saved))
        if saved > 0
        else say("next.submit_money_plain", dollars=formats.money(dollars)),
        weight=float(max(saved, dollars or Decimal(0))),
        page="backlog.py",
        link=say("next.submit_link"),
    )


def _cold(book: PriceBook, cold: dict[str, Row]) -> Iterator[Step]:
    for row in cold.values():
        saving = _saving(book, row["model"], row["read_tokens"], row["write_tokens"])
        yield Step(
            what=say("next.cold", name=row["class_name"], reads=_reads(row["hit_rate"])),
            money=say("next.cold_money", dollars=formats.money(saving)) if saving is not None else say("next.unpriced"),
            weight=float(saving or 0),
            page="trends.py",
            link=say("next.cold_link"),
            query={"class": row["class_name"]},
        )


def _saving(book: PriceBook, model: str, read: int, written: int) -> Decimal | None:
    """What the written tokens beyond those that a primed class writes would have cost less as reads."""
    try:
        rates = book.rates(model, at=formats.now())
    except LotwiseError:
        return None
    needless = max(0, written - round((1 - WARM) * (read + written)))
    return needless * (rates.cache_write_1h - rates.cache_read)
