"""Whitespace and Unicode variants: prompts whose words are the same, but not their bytes."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from core.doctor.scope import Scope
from core.doctor.suspicion import Suspicion, excerpt, place_of, text_of
from core.doctor.texts import Params, find_text, put
from core.grouping.exact_tree import best_cuts, exact_tree
from core.requests.rendering import Path, Rendered, path_name, render

_WORD = re.compile(r"\S+")
# Quotation marks and dashes that editors change by themselves; characters that take no room.
_ALIKE = str.maketrans(
    dict.fromkeys("‘’‚‛′", "'")
    | dict.fromkeys("“”„‟″", '"')
    | dict.fromkeys("‐‑‒–—−", "-")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", "")
)
# Below this many bytes, equal words say little.
_LEAST_BYTES = 200


def same_words(text: str) -> str:
    """A text with every variant of space, quotation mark, dash and composed letter written one way."""
    if not text.isascii():
        # Twice: what takes no room may stand between two letters that compose, and composing may yield a sign anew.
        text = unicodedata.normalize("NFKC", text.translate(_ALIKE)).translate(_ALIKE)
    return " ".join(text.split())


_remembered = lru_cache(maxsize=4096)(same_words)


@dataclass(frozen=True, kw_only=True)
class Respell:
    """Write the head of a text as most requests do, where its words are the same."""

    model: str
    path: Path
    head: str
    whole: bool
    """Whether the head is the whole text."""

    def apply(self, params: Params) -> Params:
        """The parameters with that head; the same object where it is there already, or has other words."""
        if not (found := find_text(params, self.path)):
            return params
        path, text = found
        end = len(text) if self.whole else _end_of_words(text, len(self.head.split()))
        if text[:end] == self.head or _remembered(text[:end]) != _remembered(self.head):
            return params
        return put(params, path, self.head + text[end:])

    def document(self) -> dict[str, Any]:
        """The change as plain values."""
        return {"change": "spell a text one way"} | asdict(self) | {"path": path_name(self.path)}


def find_variants(scope: Scope) -> Iterator[Suspicion]:
    """Heads with the same words and other bytes."""
    plain = [_plain(item.params) for item in scope.items]
    tree = exact_tree([prompt.data for prompt in plain])
    cuts = best_cuts(tree, floor=_LEAST_BYTES, write=scope.tariff.write, read=scope.tariff.read, scale=scope.scale)
    for node in cuts.nodes.tolist():
        members = sorted(tree.members(node))
        yield from _class(scope, members, plain[members[0]], int(tree.depth[node]))


def _class(scope: Scope, members: list[int], plain: Rendered, depth: int) -> Iterator[Suspicion]:
    number, _, character = plain.place(depth)
    last = plain.blocks[number - 1]
    text = plain.content(last).decode()
    whole = character == len(text)
    words = text[:character].count(" ") + whole
    spelled: dict[tuple[str, ...], list[int]] = defaultdict(list)
    known: dict[bytes, tuple[str, ...]] = {}
    for position in members:
        prompt = scope.items[position].prompt
        # Most begin with the very bytes of one seen before; counting words is for the others.
        heads = next((heads for data, heads in known.items() if prompt.data.startswith(data)), None)
        if heads is None:
            heads = _heads(prompt, number, None if whole else words)
            known[_bytes_of(prompt, heads, whole=whole)] = heads
        spelled[heads].append(position)
    if len(spelled) < 2:
        return
    usual = max(spelled, key=lambda heads: (len(spelled[heads]), heads))
    blocks = scope.items[spelled[usual][0]].prompt.blocks
    rewrites = tuple(
        Respell(model=scope.model, path=blocks[n].path, head=head, whole=n < number - 1 or whole)
        for n, head in enumerate(usual)
        if blocks[n].is_text and head and any(heads[n] != head for heads in spelled)
    )
    if not rewrites or not (gain := scope.gain(members, lambda params: _apply(params, rewrites))):
        return
    affected = sorted(set(members) - set(spelled[usual]))
    item = scope.items[affected[0]]
    found = next((rewrite for rewrite in rewrites if rewrite.apply(item.params) is not item.params), None)
    if found is None:
        return
    before = text_of(item.params, found.path)
    at = _first_difference(before, found.head)
    marks = Counter(kind for heads in spelled for kind in _kinds(heads, usual))
    yield Suspicion(
        kind="variants",
        scope=scope,
        affected=affected,
        gain=gain,
        place=place_of(item, found.path, at),
        before=excerpt(before, at, at + 1),
        after=excerpt(found.head, at, at + 1),
        rewrites=rewrites,
        texts=((before, text_of(found.apply(item.params), found.path)),),
        words={"variants": f"{len(spelled):,}", "what": " and ".join(sorted(marks)) or "spelling"},
    )


def _apply(params: Params, rewrites: tuple[Respell, ...]) -> Params:
    for rewrite in rewrites:
        params = rewrite.apply(params)
    return params


def _heads(prompt: Rendered, blocks: int, words: int | None) -> tuple[str, ...]:
    """The texts of the first blocks, the last one cut behind a number of words."""
    texts = [prompt.content(block).decode() for block in prompt.blocks[:blocks]]
    if words is not None:
        texts[-1] = texts[-1][: _end_of_words(texts[-1], words)]
    return tuple(texts)


def _bytes_of(prompt: Rendered, heads: tuple[str, ...], *, whole: bool) -> bytes:
    """The prompt up to the end of these heads, with the border behind a whole text."""
    return prompt.data[: prompt.blocks[len(heads) - 1].start + len(heads[-1].encode()) + whole]


def _end_of_words(text: str, words: int) -> int:
    end = 0
    for count, word in enumerate(_WORD.finditer(text), 1):
        if count > words:
            break
        end = word.end()
    return end


def _first_difference(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _kinds(heads: tuple[str, ...], usual: tuple[str, ...]) -> Iterator[str]:
    for one, other in zip(heads, usual, strict=True):
        if one.split() != other.split():
            yield "Unicode forms"
        elif one != other:
            yield "whitespace"


def _plain(params: Params) -> Rendered:
    """The prompt in the same words everywhere."""

    def content(value: Any) -> Any:
        if isinstance(value, str):
            return _remembered(value)
        texts = ("type", "text", "cache_control")
        return [
            block | {"text": _remembered(block["text"])}
            if block.get("type") == "text" and block.keys() <= set(texts)
            else block
            for block in value
        ]

    changed = params | {"messages": [m | {"content": content(m["content"])} for m in params["messages"]]}
    if params.get("system"):
        changed["system"] = content(params["system"])
    return render(changed)
