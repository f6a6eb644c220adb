"""What happened beside a movement of cost, and which part of its money that explains."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from core.trends.attribution import Part

NEAR = timedelta(days=3)
"""An event and a movement this far apart may belong together: work planned before a change is sent after it."""

_NAMED = Decimal("0.1")
"""A part smaller than this share of all that moved is not worth an explanation."""

EXPLAINS: dict[str, frozenset[str]] = {
    "prompt": frozenset({"units_per_item", "own_input", "prefix", "output", "hit_rate"}),
    "unshared": frozenset({"hit_rate", "prefix"}),
    "priming": frozenset({"hit_rate"}),
    "model": frozenset({"units_per_item", "tier", "own_input", "prefix", "output", "hit_rate", "reruns"}),
    "route": frozenset({"units_per_item", "tier", "own_input", "prefix", "output", "hit_rate", "reruns"}),
    "tier": frozenset({"tier"}),
    "cliff": frozenset({"tier"}),
    "price": frozenset({"price"}),
    "contract": frozenset({"contract", "price"}),
    "source": frozenset({"units_per_item", "volume", "mix", "own_input"}),
    "schedule": frozenset({"volume", "mix", "hit_rate"}),
    "cap": frozenset({"units_per_item", "output", "reruns"}),
    "plan": frozenset({"hit_rate", "reruns", "volume", "mix"}),
    "failures": frozenset({"reruns"}),
}
"""Which parts of a difference a kind of event can have caused."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something dated that can move cost; `class_name` is None where it concerns all work."""

    kind: str
    day: date
    class_name: str | None
    said: str


@dataclass(frozen=True, kw_only=True)
class Linked:
    """An event beside a movement: the parts that it explains and their dollars, of those that the movement has."""

    event: Event
    parts: tuple[str, ...]
    usd: Decimal


def linked(
    events: Iterable[Event], parts: tuple[Part, ...], *, class_name: str | None, since: date, until: date
) -> tuple[Linked, ...]:
    """The events near a movement that explain some of it, most money first."""
    whole = sum((abs(part.amount) for part in parts), Decimal(0))
    found = []
    for event in events:
        about = class_name is None or event.class_name in {None, class_name}
        if not about or not since - NEAR <= event.day <= until + NEAR:
            continue
        named = [p for p in parts if p.name in EXPLAINS[event.kind] and abs(p.amount) >= _NAMED * whole]
        if named:
            usd = sum((part.amount for part in named), Decimal(0))
            found.append(Linked(event=event, parts=tuple(part.name for part in named), usd=usd))
    return tuple(sorted(found, key=lambda one: (-abs(one.usd), abs(one.event.day - since), one.event.said)))
