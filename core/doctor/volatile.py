"""Changing text before stable text: a timestamp, an id, a name early in the prompt parts all that follows it.

A node of the prefix tree whose items go many ways at once is a suspect. Where the texts of nearly all of them have the
same words a little later, what stands between is the field; it can be moved behind the words that all share.
"""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from xxhash import xxh3_64_intdigest

from core.doctor.fields import CHANGING_TEXT, name_field, written_form
from core.doctor.move import MoveField, fingerprint
from core.doctor.rewrite import rewrite_params
from core.doctor.scope import Item, Scope
from core.doctor.suspicion import Suspicion, excerpt, place_of, text_of
from core.doctor.texts import next_text
from core.grouping.exact_tree import common_prefix
from core.requests.rendering import Path, render

# Fewer items are no pattern.
LEAST_ITEMS = 6
_SUSPECTS = 100
_SAMPLE = 100
_PROBES = 12
_SHINGLE = 64
_WINDOW = 1024
_FIELD = 200
_HEAD = 240
_MOST = 0.9
# A class may be one of several behind the same first words.
_CLASS_SHARE = 0.2
_CLASSES = 100
# A smaller part of a scope is not searched for several tasks behind one field.
_LEAST_MIXED = 0.02
# Bytes behind a node whose lines are compared; fields that are looked for in one scope, at most.
_LINES = 3_000
_TRIES = 400
_RUN = 8
# Named fields with fewer values, and unnamed ones with fewer than the second, are variants, not volatile.
_LEAST_VALUES = 3
_LEAST_UNNAMED = 8
_LINE = 80
_LEAST_ANCHOR = 12
_FOLLOWING = 32
_ROUNDS = 5
_NAMED = 50
_VALUE = 200
# A further field is part of the finding when moving it too saves clearly more.
_BETTER = 1.01
_TOKEN_END = re.compile(r"[\w.:+/@-]*\Z")
_TOKEN_START = re.compile(r"[\w.:+/@-]*")


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field found: how to move it, what it is, and how many values were seen."""

    move: MoveField
    name: str
    values: int

    @property
    def takes_lines(self) -> bool:
        """Whether whole lines are moved, up to an anchor that begins a line."""
        return not self.move.pointer and not self.move.anchor_ends_block


@dataclass(frozen=True, kw_only=True)
class Cured:
    """Requests, the fields whose move heals them, and the bytes of plain input that this saves."""

    affected: Sequence[int]
    fields: list[Field]
    gain: float


def find_volatile(scope: Scope) -> Iterator[Suspicion]:
    """Every class whose sharing ends at a field that changes, with all such fields of its prompts in one rewrite."""
    seen: set[int] = set()
    tries = _TRIES
    for node in _suspects(scope):
        members = scope.tree.members(node)
        open_ = sorted(position for position in members if position not in seen)
        if 2 * len(open_) < len(members) or not tries:
            continue
        tries -= 1
        found = [_class(scope, open_, range(len(scope.items)))]
        if found == [None] and len(open_) >= _LEAST_MIXED * len(scope.items):
            buckets = _alike(scope, open_, int(scope.tree.depth[node]))[:tries]
            tries -= len(buckets)
            found = [_class(scope, bucket, bucket) for bucket in buckets]
        for cured in _together([cured for cured in found if cured]):
            seen.update(cured.affected)
            yield _suspicion(scope, cured)


def _suspects(scope: Scope) -> list[int]:
    """Nodes whose items part into several ways with much text still to come, those with most to win first."""
    tree = scope.tree
    largest = np.zeros(len(tree.depth), dtype=np.int64)
    np.maximum.at(largest, tree.parent[1:], tree.items[1:])
    lengths = np.array([len(scope.items[position].prompt.data) for position in tree.order.tolist()])
    before = np.concatenate(([0], np.cumsum(lengths)))
    to_come = before[tree.right] - before[tree.left] - tree.depth * tree.items
    suspect = (tree.items >= LEAST_ITEMS) & (100 * largest <= 98 * tree.items) & (to_come >= tree.items * 2 * _SHINGLE)
    nodes = np.flatnonzero(suspect)
    chosen: list[int] = nodes[np.argsort(-to_come[nodes], kind="stable")][:_SUSPECTS].tolist()
    return chosen


def _alike(scope: Scope, members: list[int], depth: int) -> list[list[int]]:
    """Members in groups whose texts go on with the same lines soon after the node, the largest first.

    The least hash of a text's pieces is the same for two texts as often as they have pieces in common (Broder, On the
    resemblance and containment of documents, 1997).
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for position in members:
        text = scope.items[position].prompt.data[depth : depth + _LINES]
        groups[min(map(xxh3_64_intdigest, _pieces(text)))].append(position)
    large = [group for group in groups.values() if len(group) >= LEAST_ITEMS and _part_at(scope, group, depth)]
    return sorted(large, key=lambda group: (-len(group), group))[:_CLASSES]


def _pieces(text: bytes) -> list[bytes]:
    """The long lines inside a text, or runs of its words where it has none."""
    long = [line for line in text.splitlines()[1:-1] if len(line) >= _LINE // 2]
    words = [] if long else text[:_WINDOW].split()
    return long or [b" ".join(words[n : n + _RUN]) for n in range(max(1, len(words) - _RUN + 1))]


def _part_at(scope: Scope, group: list[int], depth: int) -> bool:
    """Whether some of a group part soon behind the node: otherwise it is a class that shares well already."""
    first, *others = (scope.items[position].prompt.data for position in group[:LEAST_ITEMS])
    return min(common_prefix(first, other) for other in others) < depth + _FIELD


def _class(scope: Scope, members: Sequence[int], all_: Sequence[int]) -> Cured | None:
    """The field at which members part, and further ones behind it as far as they pay; None where nothing is saved."""
    if len(members) < LEAST_ITEMS:
        return None
    fields: list[Field] = []
    affected: Sequence[int] = []
    items = [scope.items[position] for position in members[:_SAMPLE]]
    while len(fields) < _ROUNDS and (field := find_field(items)):
        if not fields:
            affected = [p for p in all_ if field.move.apply(scope.items[p].params) is not scope.items[p].params]
            if len(affected) < LEAST_ITEMS:
                return None
            items = [scope.items[position] for position in affected[:_SAMPLE]]
        fields.append(field)
        items = [_changed(item, field.move) for item in items]
    best, gain = 0, 0.0
    for count in range(1, len(fields) + 1):
        moves = [field.move for field in fields[:count]]
        gained = scope.gain(affected, partial(rewrite_params, rewrites=moves))
        if gained > _BETTER * gain:
            best, gain = count, gained
    return Cured(affected=affected, fields=fields[:best], gain=gain) if best else None


def _changed(item: Item, move: MoveField) -> Item:
    params = move.apply(item.params)
    return Item(custom_id=item.custom_id, params=params, prompt=render(params))


def _together(found: list[Cured]) -> list[Cured]:
    """Classes with the same field behind the same head as one: several tasks behind one date are one defect."""
    groups: dict[tuple[object, ...], list[Cured]] = defaultdict(list)
    for cured in found:
        move = cured.fields[0].move
        groups[move.path, move.start, move.head, move.pointer, cured.fields[0].name].append(cured)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[Cured]) -> Cured:
    alike = [cured for cured in group if len(cured.fields) == 1 and cured.fields[0].takes_lines]
    fields = [field for cured in group if cured not in alike for field in cured.fields]
    if alike:
        first = alike[0].fields[0]
        anchors = dict.fromkeys(anchor for cured in alike for anchor in cured.fields[0].move.anchors)
        fields.insert(0, replace(first, move=replace(first.move, anchors=tuple(anchors))))
    return Cured(
        affected=sorted({position for cured in group for position in cured.affected}),
        fields=fields,
        gain=sum(cured.gain for cured in group),
    )


def _suspicion(scope: Scope, cured: Cured) -> Suspicion:
    fields, first = cured.fields, cured.fields[0].move
    item = next(
        item for item in map(scope.items.__getitem__, cured.affected) if first.apply(item.params) is not item.params
    )
    before, after = text_of(item.params, first.path), rewrite_params(item.params, [field.move for field in fields])
    shown = text_of(after, first.path) or first.pointer
    # Without a name, taking words out of a sentence is for the prompt's owner.
    automatic = all(field.name != CHANGING_TEXT or not field.move.pointer for field in fields)
    return Suspicion(
        kind="volatile",
        scope=scope,
        affected=cured.affected,
        gain=cured.gain,
        place=place_of(item, first.path, first.start),
        before=excerpt(before, first.start, first.end(before) or first.start),
        after=excerpt(shown, first.start, first.start + len(first.pointer)),
        rewrites=tuple(field.move for field in fields) if automatic else (),
        texts=((before, shown),),
        words={
            "field": " and ".join(dict.fromkeys(field.name for field in fields)),
            "values": f"{fields[0].values:,}",
        },
    )


def find_field(items: Sequence[Item]) -> Field | None:
    """The field at which these prompts part, where most of them have the same text soon after it."""
    data = [item.prompt.data for item in items]
    seed = data[0]
    shared = min((common_prefix(seed, other) for other in data[1:]), default=len(seed))
    while 0 < shared < len(seed) and seed[shared] & 0xC0 == 0x80:
        shared -= 1
    block = next((block for block in items[0].prompt.blocks if block.start <= shared <= block.end), None)
    if block is None or not block.is_text:
        return None
    windows = [other[shared : shared + _WINDOW + _SHINGLE] for other in data]
    offset = _anchor(windows, block.end - shared)
    if offset is None:
        return None
    head = seed[block.start : shared].decode()
    anchor = seed[shared + offset : block.end].decode(errors="ignore")
    ends = [window.find(seed[shared + offset : shared + offset + _SHINGLE]) for window in windows]
    values = [
        window[:end].split(b"\xff")[0].decode(errors="ignore")
        for window, end in zip(windows, ends, strict=True)
        if end >= 0
    ]
    return _field(items[0], block.path, head, values, anchor)


def _anchor(windows: list[bytes], block_end: int) -> int | None:
    """Where in the first window a shingle starts that the others have too, inside its block or right behind it.

    The first that a class has may still be in the field (two requests of one day): the one that most have is taken.
    """
    seed, others = windows[0], windows[1:]
    probes = others[:: max(1, len(others) // _PROBES)][:_PROBES]
    known = {probe[n : n + _SHINGLE] for probe in probes for n in range(len(probe) - _SHINGLE + 1)}
    offsets = range(min(_WINDOW, block_end + 1, len(seed) - _SHINGLE + 1))
    starts = (n for n in offsets if (n >= block_end or seed[n] & 0xC0 != 0x80) and seed[n : n + _SHINGLE] in known)
    for first in starts:
        if _share(seed[first : first + _SHINGLE], probes) >= _CLASS_SHARE:
            near = [first, *itertools.takewhile((first + _FIELD).__ge__, starts)]
            shares = [_share(seed[n : n + _SHINGLE], probes) for n in near]
            best = near[next(n for n, share in enumerate(shares) if share >= _MOST * max(shares))]
            return best if _share(seed[best : best + _SHINGLE], others) >= _CLASS_SHARE else None
    return None


def _share(shingle: bytes, windows: Sequence[bytes]) -> float:
    return sum(shingle in window for window in windows) / len(windows) if windows else 0.0


def _field(item: Item, path: Path, head: str, values: list[str], anchor: str) -> Field | None:
    """Widen the span to whole words, or to whole lines where those hold little else, and name it."""
    # What the texts around the values add to them: `back` characters of the head, `ahead` characters of the anchor.
    back = len(_TOKEN_END.search(head).group()) if not _opens_word(values) else 0  # type: ignore[union-attr]
    ahead = len(_TOKEN_START.match(anchor).group()) if not _closes_word(values) else 0  # type: ignore[union-attr]
    near = head[-_HEAD:]
    more_back, more_ahead = written_form(near[: len(near) - back], near[len(near) - back :] + values[0], anchor, ahead)
    back, ahead = back + more_back, ahead + more_ahead
    words = [f"{head[len(head) - back :]}{value}{anchor[:ahead]}" for value in values]
    distinct = Counter(word.strip() for word in words)
    name = name_field([word[:_VALUE] for word in itertools.islice(distinct, _NAMED)], near[: len(near) - back])
    if len(distinct) < (_LEAST_UNNAMED if name == CHANGING_TEXT else _LEAST_VALUES):
        return None
    if name == CHANGING_TEXT and path[0] == "messages":
        # That is a question; `order` looks whether it stands before a document.
        return None
    line_back = len(head) - (head.rfind("\n") + 1)
    line_end = anchor.find("\n")
    line_ahead = line_end + 1 if line_end >= 0 else len(anchor)
    whole_line = line_back + line_ahead <= _LINE
    start = len(head) - (line_back if whole_line else back)
    rest = anchor[line_ahead if whole_line else ahead :]
    following = next_text(item.params, path)[:_FOLLOWING] if len(rest) < _LEAST_ANCHOR else ""
    move = MoveField(
        model=item.params["model"],
        path=path,
        start=start,
        head=fingerprint(head[:start]),
        anchors=(rest[:_SHINGLE],),
        anchor_ends_block=len(rest) <= _SHINGLE,
        following=following,
        pointer="" if whole_line else f"({name} given at the end)",
        label="" if whole_line else f"{name[0].upper()}{name[1:]}: ",
    )
    return Field(move=move, name=name, values=len(distinct)) if len(rest) >= _LEAST_ANCHOR or following else None


def _opens_word(values: list[str]) -> bool:
    return all(value[:1].isspace() for value in values)


def _closes_word(values: list[str]) -> bool:
    return all(value[-1:].isspace() for value in values)
