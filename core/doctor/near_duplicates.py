"""Near-duplicate prompts: long texts that differ in a line or two, so that each is written to the cache on its own."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from difflib import SequenceMatcher

from core.doctor.scope import Scope
from core.doctor.suspicion import Suspicion, excerpt, place_of
from core.doctor.texts import Params, find_text, put
from core.doctor.variants import same_words
from core.requests.rendering import Path

# A difference in a shorter text is cheap; more texts than that are compared only by their weight.
_LEAST_CHARS = 400
_LEAST_ITEMS = 2
_TEXTS = 60
# Lines (or sentences, in a text without lines) that may differ, and the share of the text that must not.
_LINES = 3
_SAME = 0.8
# Lines between the first and the last difference, at most: comparing takes their square.
_BETWEEN = 200
# More variants than that are a field, not versions.
_VARIANTS = 12
_SHOWN = 3
_PIECE = re.compile(r"(?<=\n)|(?<=[.!?] )")


def find_near_duplicates(scope: Scope) -> Iterator[Suspicion]:
    """Clusters of long texts at one place, each used several times, that differ in a line or two."""
    texts: dict[Path, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for position, item in enumerate(scope.items):
        for block in item.prompt.blocks:
            if block.is_text and block.end - block.start >= _LEAST_CHARS:
                texts[block.path][item.prompt.content(block).decode()].append(position)
    for path, by_text in texts.items():
        heavy = {text: found for text, found in by_text.items() if len(found) >= _LEAST_ITEMS}
        ranked = sorted(heavy, key=lambda text: (-len(heavy[text]) * len(text), text))[:_TEXTS]
        for cluster in _clusters(ranked):
            if suspicion := _priced(scope, path, {text: heavy[text] for text in cluster}):
                yield suspicion


def _clusters(ranked: list[str]) -> Iterator[list[str]]:
    pieces = {text: _PIECE.split(text) for text in ranked}
    left = list(ranked)
    while left:
        first, *others = left
        near = [text for text in others if _near(pieces[first], pieces[text]) and same_words(first) != same_words(text)]
        if 0 < len(near) < _VARIANTS:
            yield [first, *near]
        left = [text for text in others if text not in near]


def _near(one: list[str], other: list[str]) -> bool:
    same = sum(len(piece) * count for piece, count in (Counter(one) & Counter(other)).items())
    longer = max(sum(map(len, one)), sum(map(len, other)))
    common = _common(one, other) if same >= _SAME * longer else None
    return common is not None and max(len(one), len(other)) - len(common) <= _LINES


def _common(one: list[str], other: list[str]) -> list[str] | None:
    """The pieces that two texts have in common, in order; None where too much lies between their differences."""
    least = min(len(one), len(other))
    head = next((n for n in range(least) if one[n] != other[n]), least)
    tail = next((n for n in range(least - head) if one[-1 - n] != other[-1 - n]), least - head)
    mine, theirs = one[head : len(one) - tail], other[head : len(other) - tail]
    if max(len(mine), len(theirs)) > _BETWEEN:
        return None
    matches = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
    middle = [piece for match in matches for piece in mine[match.a : match.a + match.size]]
    return [*one[:head], *middle, *one[len(one) - tail :]]


def _priced(scope: Scope, path: Path, cluster: dict[str, list[int]]) -> Suspicion | None:
    """What the cluster would save with the lines that differ at the end of the text."""
    first, *others = cluster
    common = _PIECE.split(first)
    for other in others:
        common = _common(common, _PIECE.split(other)) or common
    moved = {text: "".join(common).rstrip() + "\n" + "".join(_own(_PIECE.split(text), common)) for text in cluster}

    def change(params: Params) -> Params:
        found = find_text(params, path)
        return put(params, found[0], moved[found[1]]) if found and found[1] in moved else params

    pool = [position for positions in cluster.values() for position in positions]
    if not (gain := scope.gain(pool, change)):
        return None
    affected = sorted(position for other in others for position in cluster[other])
    start, end, new = _difference(first, others[0])
    return Suspicion(
        kind="near_duplicates",
        scope=scope,
        affected=affected,
        gain=gain,
        place=place_of(scope.items[affected[0]], path, start),
        before=excerpt(others[0], start, end),
        after=excerpt(first, start, new),
        texts=tuple((other, first) for other in others[:_SHOWN]),
        words={"variants": f"{len(cluster):,}"},
    )


def _own(pieces: list[str], common: list[str]) -> list[str]:
    left = Counter(common)
    own = []
    for piece in pieces:
        if left[piece]:
            left[piece] -= 1
        else:
            own.append(piece)
    return own


def _difference(usual: str, other: str) -> tuple[int, int, int]:
    """Start and end of the difference in the other text, and its end in the usual one."""
    least = min(len(usual), len(other))
    start = next((n for n in range(least) if usual[n] != other[n]), least)
    tail = next((n for n in range(least - start) if usual[-1 - n] != other[-1 - n]), least - start)
    return start, len(other) - tail, len(usual) - tail
