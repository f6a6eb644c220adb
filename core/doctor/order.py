"""The question before the document: what differs stands in front of what many requests share."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xxhash import xxh3_128_hexdigest

from core.doctor.move import MoveField, fingerprint
from core.doctor.scope import Scope
from core.doctor.suspicion import Suspicion, excerpt, place_of, text_of
from core.doctor.texts import Params, find_text, put
from core.grouping.exact_tree import best_cuts, common_prefix, exact_tree
from core.requests.blocks import without_mark
from core.requests.rendering import render

_LEAST_ITEMS = 4
# A shorter block is not worth changing the order for.
_LEAST_BLOCK = 500
_LEAST_LABEL = 4
_LABEL = 64
_FIRST = ("messages", 0, "content")


@dataclass(frozen=True, kw_only=True)
class OrderBlocks:
    """Put the blocks of the first message in another order, the most shared first.

    The document is told from the question by its length, so that a message in the right order stays as it is.
    """

    model: str
    head: str
    """The hash of all that stands before the message."""
    order: tuple[int, ...]
    least: int
    """Bytes that the block which comes first must have, and the block which it overtakes must not."""

    def apply(self, params: Params) -> Params:
        """The parameters with the blocks in that order; the same object for a request of another form."""
        content = params["messages"][0]["content"]
        if isinstance(content, str) or len(content) != len(self.order):
            return params
        place = next(number for number, other in enumerate(self.order) if number != other)
        overtaken, first = (_size(content[number]) for number in (place, self.order[place]))
        if not overtaken < self.least <= first or _head(params) != self.head:
            return params
        marks = [block.get("cache_control") for block in content]
        # A mark belongs to the position, not to the block that happened to stand there.
        blocks = [_marked(content[number], mark) for number, mark in zip(self.order, marks, strict=True)]
        return put(params, _FIRST, blocks)

    def document(self) -> dict[str, Any]:
        """The change as plain values."""
        return {"change": "order the blocks of the first message", "model": self.model, "order": list(self.order)}


def find_block_order(scope: Scope) -> Iterator[Suspicion]:
    """Messages of several blocks in which a long one that differs less stands behind one that differs more."""
    shapes: dict[tuple[str, int], list[int]] = defaultdict(list)
    for position, item in enumerate(scope.items):
        content = item.params["messages"][0]["content"]
        if not isinstance(content, str) and len(content) > 1:
            shapes[_head(item.params), len(content)].append(position)
    for (head, count), members in shapes.items():
        if len(members) < _LEAST_ITEMS:
            continue
        columns = [[_content(scope, position, number) for position in members] for number in range(count)]
        order = _order(columns)
        place = next((number for number, other in enumerate(order) if number != other), None)
        if place is None:
            continue
        longest, shortest = max(map(len, columns[place])), min(map(len, columns[order[place]]))
        rewrite = OrderBlocks(model=scope.model, head=head, order=order, least=(longest + shortest + 1) // 2)
        if longest < shortest and (gain := scope.gain(members, rewrite.apply)):
            yield _moved_blocks(scope, members, rewrite, gain)


def _order(columns: list[list[bytes]]) -> tuple[int, ...]:
    """Each long block before the first one that has more different contents."""
    distinct = [len(set(column)) for column in columns]
    order = list(range(len(columns)))
    for number, column in enumerate(columns):
        if min(map(len, column)) >= _LEAST_BLOCK:
            place = next(
                place for place, other in enumerate(order) if distinct[other] > distinct[number] or other == number
            )
            order.remove(number)
            order.insert(place, number)
    return tuple(order)


def _moved_blocks(scope: Scope, members: list[int], rewrite: OrderBlocks, gain: float) -> Suspicion:
    item = scope.items[members[0]]
    first = next(number for number, other in enumerate(rewrite.order) if number != other)
    path = (*_FIRST, first)
    before, after = text_of(item.params, path), text_of(rewrite.apply(item.params), path)
    return Suspicion(
        kind="order",
        scope=scope,
        affected=members,
        gain=gain,
        place=place_of(item, path, 0),
        before=excerpt(before, 0, len(before)),
        after=excerpt(after, 0, len(after)),
        rewrites=(rewrite,),
        texts=((_all_text(item.params), _all_text(rewrite.apply(item.params))),),
        words={"what": f"blocks {', '.join(str(number + 1) for number in rewrite.order)}"},
    )


def find_text_order(scope: Scope) -> Iterator[Suspicion]:
    """Texts whose ends are shared and whose middles are not: a document behind its question, in one string."""
    heads: dict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(scope.items):
        if sum(message["role"] == "user" for message in item.params["messages"]) == 1 and find_text(
            item.params, _FIRST
        ):
            heads[_head(item.params)].append(position)
    for members in heads.values():
        if len(members) >= _LEAST_ITEMS and (suspicion := _documents_last(scope, members)):
            yield suspicion


def _documents_last(scope: Scope, members: list[int]) -> Suspicion | None:
    texts = [text_of(scope.items[position].params, _FIRST).encode() for position in members]
    tree = exact_tree([text[::-1] for text in texts])
    tariff = scope.tariff
    cuts = best_cuts(tree, floor=tariff.floor, write=tariff.write, read=tariff.read, scale=scope.scale)
    shared = min(common_prefix(texts[0], text) for text in texts)
    keep = texts[0].rfind(b"\n", 0, shared) + 1
    ends = [(tree.members(node), int(tree.depth[node])) for node in cuts.nodes.tolist()]
    starts = {n: _line_start(texts[n], len(texts[n]) - depth, keep) for below, depth in ends for n in below}
    starts = {n: start for n, start in starts.items() if keep < start < len(texts[n])}
    if len(starts) < _LEAST_ITEMS:
        return None
    head, label = texts[0][:keep].decode(), _label([texts[n][start:] for n, start in starts.items()])
    move = MoveField(
        model=scope.model,
        path=_FIRST,
        start=len(head),
        head=fingerprint(head),
        anchors=(label,),
        anchor_ends_block=False,
    )
    if len(label.strip()) < _LEAST_LABEL or not (gain := scope.gain(members, move.apply)):
        return None
    params = [scope.items[position].params for position in members]
    affected = [p for p, of in zip(members, params, strict=True) if move.apply(of) is not of]
    item = scope.items[affected[0]]
    before, after = text_of(item.params, _FIRST), text_of(move.apply(item.params), _FIRST)
    question = before[move.start : move.end(before)].strip()
    return Suspicion(
        kind="order",
        scope=scope,
        affected=affected,
        gain=gain,
        place=place_of(item, _FIRST, move.start),
        before=excerpt(before, move.start, move.start + len(question)),
        after=excerpt(after, len(after) - len(question), len(after)),
        rewrites=(move,),
        texts=((before, after),),
        words={"what": "the text of the first message"},
    )


def _line_start(text: bytes, offset: int, least: int) -> int:
    """The first line that begins at or after an offset, past empty ones; the length where there is none."""
    start = text.find(b"\n", max(offset - 1, least))
    if start < 0:
        return len(text)
    while text[start : start + 1] == b"\n":
        start += 1
    return start


def _label(tails: list[bytes]) -> str:
    """What nearly all shared ends begin with: the words that announce the document."""
    ranked, aside = sorted(tails), len(tails) // 20
    first, last = ranked[aside], ranked[-1 - aside]
    return first[: min(_LABEL, common_prefix(first, last))].decode(errors="ignore")


def _head(params: Params) -> str:
    return xxh3_128_hexdigest(render(params | {"messages": []}).data)


def _content(scope: Scope, position: int, number: int) -> bytes:
    prompt = scope.items[position].prompt
    block = next(block for block in prompt.blocks if block.path == (*_FIRST, number))
    return prompt.content(block)


def _marked(block: dict[str, Any], mark: Any) -> dict[str, Any]:
    bare = {key: value for key, value in block.items() if key != "cache_control"}
    return bare | {"cache_control": mark} if mark else bare


def _size(block: dict[str, Any]) -> int:
    return len(block["text"].encode()) if block.get("type") == "text" else len(without_mark(block))


def _all_text(params: Params) -> str:
    return "\n".join(block["text"] for block in params["messages"][0]["content"] if block.get("type") == "text")
