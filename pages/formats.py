"""Figures as people read them. What is not known is a dash, never a zero."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

Number = int | float | Decimal

UNKNOWN = "–"
_STEPS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def money(value: Number | None) -> str:
    """Dollars to the cent, finer where a cent is too coarse: $1,204.50, $0.0213, $0.00213."""
    if value is None:
        return UNKNOWN
    if value < 0:
        return f"-{money(-value)}"
    if value == 0 or value >= 0.1:
        return f"${value:,.2f}"
    size = Decimal(str(value))
    return f"${size:.{max(2, 2 - size.adjusted())}f}"


def per_thousand(unit_cost: Number | None) -> Number | None:
    """The cost of 1,000 units: the cost of one is mostly zeros."""
    return None if unit_cost is None else unit_cost * 1000


def percent(share: Number | None, *, signed: bool = False) -> str:
    """A share of one as a percentage: 0.873 is 87.3 %."""
    if share is None:
        return UNKNOWN
    return f"{share * 100:{'+' if signed else ''},.1f}%"


def chance(share: Number | None) -> str:
    """A probability as a percentage; what is nearly sure is not called sure."""
    if share is not None and share > 0.9995:
        return ">99.9%"
    return "<0.1%" if share is not None and share < 0.0005 else percent(share)


def count(value: int | None) -> str:
    """A whole number with separators."""
    return UNKNOWN if value is None else f"{value:,}"


def volume(size: int | None) -> str:
    """Bytes in decimal units, as the limits of the API are."""
    if size is None:
        return UNKNOWN
    for unit, step in _STEPS:
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} bytes"


def span(seconds: Number | None) -> str:
    """How long something took, in the two largest units."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(at: datetime | None) -> str:
    """A stored instant in the reader's time zone."""
    return UNKNOWN if at is None else f"{at.astimezone(zone()):%-d %b %Y, %H:%M}"


def clock(at: datetime | None) -> str:
    """The same where its day stands beside it: Sun 09:05."""
    return UNKNOWN if at is None else f"{at.astimezone(zone()):%a %H:%M}"


def day(at: datetime | None) -> str:
    """The day of an instant in the reader's time zone: 22 Nov."""
    return UNKNOWN if at is None else f"{at.astimezone(zone()):%-d %b}"


def zone() -> ZoneInfo:
    """The time zone of the reader's browser; UTC where it does not say."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def change(now: Number | None, before: Number | None) -> float | None:
    """The change from `before` to `now` as a share of `before`; None with nothing to compare with."""
    if now is None or not before:
        return None
    return float(now) / float(before) - 1


def moved(now: Number | None, before: Number | None) -> str | int | None:
    """The same change for a metric's delta; flat is the number 0, because "0%" would get an arrow up."""
    share = change(now, before)
    if share is None:
        return None
    return percent(share, signed=True) if abs(share) >= 0.0005 else 0


def points(now: Number | None, before: Number | None) -> str | int | None:
    """The change of a share, in percentage points, for a metric's delta."""
    if now is None or before is None:
        return None
    moved = (float(now) - float(before)) * 100
    return f"{moved:+.1f} pts" if abs(moved) >= 0.05 else 0


def now() -> datetime:
    """This instant, to hand to the core, which has no clock of its own."""
    return datetime.now(UTC)
