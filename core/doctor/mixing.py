"""Mixed models, speeds or regions in one class: the same prompt under two of them is written to the cache twice."""

from collections.abc import Iterator, Sequence

from core.doctor.scope import LEAST_SHARE, MEASURED_BYTES, Scope
from core.doctor.suspicion import Suspicion, excerpt
from core.grouping.exact_tree import common_prefix
from core.requests.rendering import Place


def find_mixed_models(scopes: Sequence[Scope]) -> Iterator[Suspicion]:
    """Scopes whose prompts begin like those of a larger one, priced as if all had the larger one's model.

    Only sharing is counted, at the larger one's price: what the models themselves cost is another question.
    """
    ranked = sorted(scopes, key=lambda scope: (-scope.population, scope.items[0].prompt.scope))
    for number, smaller in enumerate(ranked):
        for larger in ranked[:number]:
            if suspicion := _mixed(larger, smaller):
                yield suspicion
                break


def _mixed(larger: Scope, smaller: Scope) -> Suspicion | None:
    ours, theirs = _part(smaller), _part(larger)
    affected = _alike(ours, theirs, larger.tariff.floor)
    if not affected:
        return None
    # One price and one scale for both: the smaller scope's requests as if they were sent with the larger's model.
    scale = max(smaller.population / len(ours), larger.population / len(theirs))
    mine = [ours[position] for position in affected]
    apart = larger.saved(mine, scale=scale).cost + larger.saved(theirs, scale=scale).cost
    gain = apart - larger.saved([*mine, *theirs], scale=scale).cost
    if gain < LEAST_SHARE * larger.saved(mine, scale=scale).cost:
        return None
    before, after = (scope.items[0].prompt.scope.replace("\x00", ", ") for scope in (smaller, larger))
    return Suspicion(
        kind="mixed_models",
        scope=smaller,
        affected=affected,
        gain=gain * larger.tariff.usd_per_byte / smaller.tariff.usd_per_byte,
        place=Place(1, ("model",), 0),
        before=excerpt(before, 0, len(before)),
        after=excerpt(after, 0, len(after)),
        texts=((f"model: {before}", f"model: {after}"),),
        words={"other": after},
    )


def _part(scope: Scope) -> list[bytes]:
    part: list[bytes] = []
    left = MEASURED_BYTES
    for item in scope.items:
        left -= len(item.prompt.data)
        if left < 0 and part:
            break
        part.append(item.prompt.data)
    return part


def _alike(ours: list[bytes], theirs: list[bytes], floor: float) -> list[int]:
    """Positions of our prompts whose nearest neighbour among theirs, in sorted order, shares the floor or more."""
    together = sorted([(data, number) for number, data in enumerate(ours)] + [(data, -1) for data in theirs])
    found: set[int] = set()
    for direction in (together, together[::-1]):
        # What the last prompt of theirs shares with us falls as we move away from it.
        last: bytes | None = None
        for data, number in direction:
            if number < 0:
                last = data
            elif last is not None and common_prefix(data, last) >= floor:
                found.add(number)
    return sorted(found)
