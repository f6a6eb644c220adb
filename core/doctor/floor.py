"""Prefixes just below the model's cache floor, where a longer one would be cheaper than none at all."""

from collections.abc import Iterator

from core.doctor.scope import LEAST_SHARE, Scope
from core.doctor.suspicion import Suspicion, excerpt
from core.grouping.exact_tree import best_cuts
from core.requests.rendering import Place, Rendered

# Further below, the added examples would outweigh the prompt itself.
_NEAR = 0.5
_SHOWN = 120
# Bytes of a block that are only what each request is wrapped in.
_WRAPPER = 64


def find_below_floor(scope: Scope) -> Iterator[Suspicion]:
    """The classes of a model whose prefix has at least half the floor and would pay if it were topped up to it.

    A prefix of P tokens, n requests, floor m, write w and read r: uncached it costs n P, topped up
    m (w + (n - 1) r), so topping up pays when P > m (r + (w - r) / n).
    """
    tariff, tree = scope.tariff, scope.tree
    cuts = best_cuts(tree, floor=1, write=tariff.write, read=tariff.read, scale=scope.scale)
    found: list[tuple[float, int, list[int]]] = []
    for node in cuts.nodes.tolist():
        depth, count = int(tree.depth[node]), float(tree.items[node]) * scope.scale
        gain = count * depth - tariff.floor * (tariff.write + (count - 1) * tariff.read)
        members = sorted(tree.members(node))
        total = scope.scale * sum(len(scope.items[position].prompt.data) for position in members)
        if _NEAR * tariff.floor <= depth < tariff.floor and gain >= LEAST_SHARE * total:
            found.append((gain, depth, members))
    if found:
        yield _suspicion(scope, sorted(found, reverse=True))


def _suspicion(scope: Scope, found: list[tuple[float, int, list[int]]]) -> Suspicion:
    """One suspicion for all, at the place of the dearest."""
    _, depth, members = found[0]
    prompt = scope.items[members[0]].prompt
    place = _border(prompt, depth)
    block = prompt.blocks[place.block - 1]
    end = prompt.content(block).decode()[: place.character][-_SHOWN:]
    shortest = min(depth for _, depth, _ in found)
    missing = f"{scope.tariff.floor - depth:,.0f}"
    examples = f"(further examples, about {missing} characters)"
    return Suspicion(
        kind="below_floor",
        scope=scope,
        affected=[position for _, _, below in found for position in below],
        gain=sum(gain for gain, _, _ in found),
        place=place,
        before=excerpt(end, len(end), len(end)),
        after=excerpt(end + examples, len(end), len(end) + len(examples)),
        texts=((end, f"{end}\n{examples}"),),
        words={
            "prefixes": f"{len(found):,} prefix{'es' if len(found) > 1 else ''}",
            "share": f"{depth / scope.tariff.floor:.0%}",
            "missing": missing,
            "others": f" (the others need up to {scope.tariff.floor - shortest:,.0f})" if len(found) > 1 else "",
        },
    )


def _border(prompt: Rendered, depth: int) -> Place:
    """Where examples would go: before the last line of the prefix, or at the end of the block before it.

    A block of which hardly more than an opening tag is shared belongs to each request, and is left alone.
    """
    number, path, character = prompt.place(depth)
    line = prompt.content(prompt.blocks[number - 1]).decode().rfind("\n", 0, character) + 1
    if line > _WRAPPER or number == 1:
        return Place(number, path, line)
    return prompt.place(prompt.blocks[number - 2].end)
