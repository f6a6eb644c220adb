"""Rhythms and needs in the words of the pages."""

from zoneinfo import ZoneInfo

from core.schedule.rhythm import Need, Rhythm, Way, Within
from pages import formats
from pages.words import plain


def rhythm(of: Rhythm) -> str:
    """When it sends, as the end of a sentence; plain text."""
    lead = lasting(of.lead)
    match of.way:
        case Way.AT:
            return plain("schedule.at", times=", ".join(str(time) for time in of.times))
        case Way.BEFORE if not isinstance(of.need, Within):
            following = of.latest_send(formats.now()).astimezone(ZoneInfo(of.need.zone))
            return plain("schedule.before", time=f"{following:%H:%M}", lead=lead, need=need(of.need))
        case Way.EVERY if not isinstance(of.need, Within):
            return plain("schedule.every_back", hours=_hours(of.hours), lead=lead, need=need(of.need))
        case Way.EVERY:
            return plain("schedule.every", hours=_hours(of.hours))
    enough = [*of.class_items.values(), *([] if of.items is None else [of.items])]
    return (
        plain("schedule.queue", items=_items(enough), lead=lead)
        if enough
        else plain("schedule.queue_oldest", lead=lead)
    )


def need(of: Need) -> str:
    """When results are needed."""
    return plain("schedule.need_within", hours=f"{of.hours:g}") if isinstance(of, Within) else str(of)


def lasting(seconds: float) -> str:
    """A lead or a wait, to the minute."""
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{minutes} min" if not hours else f"{hours} h {rest} min" if rest else f"{hours} h"


def _hours(hours: int | None) -> str:
    return plain("schedule.an_hour") if hours == 1 else plain("schedule.some_hours", hours=hours)


def _items(enough: list[int]) -> str:
    low, high = min(enough), max(enough)
    if low == high:
        return plain("schedule.items_same", items=formats.count(low))
    return plain("schedule.items_range", low=formats.count(low), high=formats.count(high))
