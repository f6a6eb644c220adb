"""Differences of cost in plain sentences, for the command line and the pages alike."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal

from core.trends.attribution import Attribution, Part
from core.trends.movement import Movement, times
from core.wording import day, listing, usd

PART_WORDS = {
    "volume": "number of items",
    "mix": "mix of classes",
    "reruns": "failures and reruns",
    "units_per_item": "units in an item",
    "own_input": "length of the items' own text",
    "prefix": "length of the shared prefix",
    "output": "length of the output",
    "searches": "web searches",
    "hit_rate": "cache hits",
    "tier": "model, tier and price cliffs",
    "price": "list prices",
    "contract": "contract",
}
"""What each part of a difference is called."""

_SHOWN = 4
_SMALL = Decimal("0.03")
"""Parts below this share of the largest one are not named in a sentence."""
_ALL = "All work"
_TIMES = 2
_MANY = 1_000
"""Units in a sentence: what one costs is mostly zeros."""


def part_words(parts: Iterable[Part], *, most: int = _SHOWN) -> str:
    """The largest parts in words: cache hits +$50.56, mix of classes -$6.81; empty where there are none."""
    ordered = sorted(parts, key=lambda part: -abs(part.amount))
    if not ordered:
        return ""
    named = [part for part in ordered[:most] if abs(part.amount) >= _SMALL * abs(ordered[0].amount)]
    return listing([f"{PART_WORDS[part.name]} {signed(part.amount)}" for part in named])


def signed(amount: Decimal) -> str:
    """Dollars with their sign."""
    return f"{'+' if amount >= 0 else ''}{usd(float(amount))}"


def spend_sentences(spend: Attribution, *, by_day: bool) -> Iterator[str]:
    """How spend moved between two periods, and by what."""
    per = " a day" if by_day else ""
    yield _moved(f"Spend{per}", spend)
    if spend.parts:
        yield f"That is: {part_words(spend.parts)}."
    largest = sorted(spend.lines, key=lambda line: -abs(line.after_usd - line.before_usd))[:_SHOWN]
    for line in largest:
        change = line.after_usd - line.before_usd
        if change and abs(change) >= _SMALL * abs(largest[0].after_usd - largest[0].before_usd):
            yield f"{line.class_name}: {signed(change)}{per} ({part_words(line.parts)})."
    if spend.unknown:
        yield f"{spend.unknown:,} attempts without a known price are on neither side."


def unit_sentences(unit_cost: Attribution | None) -> Iterator[str]:
    """How the cost of a unit moved."""
    if unit_cost is None:
        yield "One of the periods has no usable item, so there is no cost per unit to compare."
        return
    yield _moved(f"The cost of {_MANY:,} {unit_cost.unit}s", unit_cost, many=_MANY)
    if unit_cost.parts:
        yield f"That is: {part_words(times(unit_cost.parts, Decimal(_MANY)))}."


def movement_sentence(movement: Movement) -> str:
    """What moved, since when, by how much, and what of it came from where."""
    name = movement.class_name or _ALL
    change = usd(abs(float(movement.usd_month)))
    more = "more" if movement.usd_month > 0 else "less"
    many, what = (1, "a day") if movement.measure == "spend" else (_MANY, f"{_MANY:,} units")
    before, after = (usd(float(amount) * many) for amount in (movement.before_usd, movement.after_usd))
    if movement.kind == "step":
        head = f"{name}: since {day(movement.since)} {what} cost {after} instead of {before}{_factor(movement)}"
        head += f", {change} {more} a month"
    else:
        head = f"{name}: {_days(movement)} {what} cost {after} instead of {before}, {change} {more} in all"
    return f"{head} ({part_words(movement.parts, most=2)})."


def _days(movement: Movement) -> str:
    if movement.last == movement.since:
        return f"on {day(movement.since)}"
    return f"from {day(movement.since)} to {day(movement.last)}"


def _factor(movement: Movement) -> str:
    if not movement.before_usd or not movement.after_usd:
        return ""
    ratio = float(movement.after_usd / movement.before_usd)
    if ratio >= _TIMES:
        return f" (×{ratio:.2g})"
    return f" (÷{1 / ratio:.2g})" if ratio <= 1 / _TIMES else f" ({ratio - 1:+.0%})"


def _moved(what: str, split: Attribution, *, many: int = 1) -> str:
    before, after = (usd(float(amount) * many) for amount in (split.before_usd, split.after_usd))
    change = split.after_usd - split.before_usd
    if not change:
        return f"{what} did not change: {after}."
    share = f" ({change / split.before_usd:+,.1%})" if split.before_usd else ""
    moved, size = "rose" if change > 0 else "fell", usd(abs(float(change) * many))
    return f"{what} {moved} from {before} to {after}, by {size}{share}."


def days_words(first: date, last: date) -> str:
    """A stretch of days: 2 Nov 2026, or 2 Nov 2026 to 8 Nov 2026."""
    return day(first) if last - first < timedelta(days=1) else f"{day(first)} to {day(last)}"
