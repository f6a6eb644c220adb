"""Which size each lot takes, and in which order the lots go, where not all can have their cheapest at once. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from core.schedule.packing import Choice, Sent, late_lots, pack
from core.schedule.slots import Slotted, propose, slot_counts

# Lots that are offered a cheaper way by themselves.
_ONE_BY_ONE = 20


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A choice for each lot, what goes when, and which lots are late although they go as early as the others let them.

    `least_usd`: what no schedule with as few late lots costs less than.
    """

    choices: Mapping[int, Choice]
    sent: Sequence[Sent]
    late: frozenset[int]
    least_usd: float

    @property
    def usd(self) -> float:
        """What all lots cost together."""
        return sum(choice.usd for choice in self.choices.values())

    @property
    def rank(self) -> tuple[int, float]:
        """Fewer late lots are better, then fewer dollars."""
        return len(self.late), self.usd


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What is to be chosen: the ways in time of each lot, cheapest first; `hopeless` lots have none and keep their
    cheapest; `first`: the cheapest of each."""

    able: Mapping[int, Sequence[Choice]]
    first: Mapping[int, Choice]
    hopeless: frozenset[int]
    queue_limit: int | None


def choose(ways: Sequence[Sequence[Choice]], queue_limit: int | None, *, thorough: bool = True) -> Chosen:
    """Choose for each lot one of its ways (the cheapest first in each list), and when its jobs go.

    Late are as few lots as can be found, and the rest costs as little as can be found. Where nothing is late and every
    lot has its cheapest way, that is proven: `usd` equals `least_usd`. `thorough`: ask the solver where the plain
    orders make something late.
    """
    able = {lot: [way for way in found if way.latest >= way.earliest] for lot, found in enumerate(ways)}
    case = _Case(
        able=able,
        first={lot: (found or list(ways[lot]))[0] for lot, found in able.items()},
        hopeless=frozenset(lot for lot, found in able.items() if not found),
        queue_limit=queue_limit,
    )
    tried = []
    for chosen in _in_plain_orders(case.first, case):
        if chosen.late == case.hopeless:
            return chosen
        tried.append(chosen)
    quick = {lot: min(found, key=_room_taken) if found else case.first[lot] for lot, found in able.items()}
    tried += _in_plain_orders(quick, case)
    if thorough and queue_limit is not None:
        tried += _solved(case, queue_limit)
    best = min(tried, key=lambda chosen: chosen.rank)
    return _cheaper(best, case) if thorough else best


def _in_plain_orders(choices: Mapping[int, Choice], case: _Case) -> Iterator[Chosen]:
    """By the latest time of sending, and by the latest time at which room is given back."""
    for back in (False, True):
        order = sorted(choices, key=lambda lot: (choices[lot].latest + back * choices[lot].hold, lot))
        yield _packed([lot for lot in order if lot not in case.hopeless], choices, case)


def _packed(order: list[int], choices: Mapping[int, Choice], case: _Case) -> Chosen:
    """Pack in this order; where something is late, lots step back behind everything else, the most demanding first.

    Dropping the longest of those up to the first late one leaves the fewest late on one machine (Moore 1968).
    """
    behind: list[int] = []
    while True:
        whole = [*order, *behind, *sorted(case.hopeless)]
        sent = pack([(lot, choices[lot].jobs) for lot in whole], choices, case.queue_limit)
        late = late_lots(sent, choices)
        newly = [lot for lot in order if lot in late]
        if not newly:
            return _chosen(choices, sent, case)
        until = order[: order.index(newly[0]) + 1]
        # One at a time while there are few, then more, so that many late lots take no longer than few.
        worst = sorted(until, key=lambda lot: -_room_taken(choices[lot]))[: 1 + len(newly) // 2]
        order = [lot for lot in order if lot not in worst]
        behind += worst


def _solved(case: _Case, queue_limit: int) -> Iterator[Chosen]:
    """What the program in slots proposes, read as an order and packed: with holds rounded down, then up."""
    due = {lot: found for lot, found in case.able.items() if found and found[0].latest < float("inf")}
    rest = [lot for lot, found in case.able.items() if found and lot not in due]
    for slots, cautious in product(slot_counts(due), (False, True)):
        proposed = propose(due, queue_limit, slots=slots, cautious=cautious)
        if proposed is None:
            continue
        yield from _as_proposed(proposed, [*(lot for lot in due if lot not in proposed.ways), *rest], case)


def _as_proposed(proposed: Slotted, behind: Sequence[int], case: _Case) -> Iterator[Chosen]:
    choices = {**case.first, **proposed.ways}
    after = [(lot, choices[lot].jobs) for lot in [*behind, *sorted(case.hopeless)]]
    yield _chosen(choices, pack([*proposed.order, *after], choices, case.queue_limit), case)
    starts = {lot: place for place, (lot, _) in reversed(list(enumerate(proposed.order)))}
    yield _packed([*sorted(starts, key=lambda lot: starts[lot]), *behind], choices, case)


def _cheaper(best: Chosen, case: _Case) -> Chosen:
    """Give lots their cheaper ways back while no more are late: first many at once, then one by one.

    In the order of dollars saved for the room that it takes; how many at once is found by halving.
    """
    dear = [lot for lot, choice in best.choices.items() if choice.usd > case.first[lot].usd]
    dear.sort(key=lambda lot: _saving_for_room(best.choices[lot], case.first[lot]), reverse=True)
    few, many = 0, len(dear) + 1
    while many - few > 1:
        middle = (few + many) // 2
        tried = _again(best, {lot: case.first[lot] for lot in dear[:middle]}, case)
        few, many, best = (middle, many, tried) if tried.rank < best.rank else (few, middle, best)
    for lot in dear[few : few + _ONE_BY_ONE]:
        for choice in case.able[lot]:
            if choice.usd >= best.choices[lot].usd:
                break
            best = min(best, _again(best, {lot: choice}, case), key=lambda chosen: chosen.rank)
    return best


def _again(chosen: Chosen, other: Mapping[int, Choice], case: _Case) -> Chosen:
    """The same order with other choices for some lots."""
    choices = {**chosen.choices, **other}
    order = dict.fromkeys(one.lot for one in sorted(chosen.sent, key=lambda one: one.at))
    return _chosen(choices, pack([(lot, choices[lot].jobs) for lot in order], choices, case.queue_limit), case)


def _saving_for_room(dear: Choice, cheap: Choice) -> float:
    return (dear.usd - cheap.usd) / max(_room_taken(cheap) - _room_taken(dear), 1e-9)


def _chosen(choices: Mapping[int, Choice], sent: Sequence[Sent], case: _Case) -> Chosen:
    return Chosen(
        choices=choices,
        sent=sent,
        late=late_lots(sent, choices) | case.hopeless,
        least_usd=sum(choice.usd for choice in case.first.values()),
    )


def _room_taken(choice: Choice) -> float:
    """Items times seconds."""
    return choice.jobs * choice.items * choice.hold
