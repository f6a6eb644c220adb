"""The texts of classes found in files: read from one request each, for a name and for the tokens that they have."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import orjson

from core.executors import run_shards
from core.grouping.classes import Classes
from core.grouping.prefix_tree import Ints
from core.intake.scanning import Scan
from core.requests.passages import first_text, shortened
from core.requests.request import parse_request
from core.requests.shards import Shard, lines_at
from core.tokens.prompts import prompt_count, prompt_head

_NAME_CHARS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassText:
    """A class in words, and linear counts: of its `prefix`, and of a character behind it (`per_char`)."""

    name: str
    prefix: float
    per_char: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """Requests to be read from one shard, in order of their lines, and where the prefixes of their classes end."""

    shard: Shard
    lines: Ints
    blocks: Ints
    cuts: Ints
    behind: Ints

    def __str__(self) -> str:
        return str(self.shard)


def class_texts(shards: Sequence[Shard], scan: Scan, found: Classes, executor: Executor) -> list[ClassText]:
    """The text of every class, read from the first of its items."""
    items = found.first
    behind = scan.chains.depths[scan.chains.ends[items] - 1] - found.prefix_chars
    order = np.lexsort((scan.lines[items], scan.shards[items]))
    parts = np.split(order, np.flatnonzero(np.diff(scan.shards[items[order]])) + 1) if len(order) else []
    readings = [
        _Reading(
            shard=shards[scan.shards[items[part[0]]]],
            lines=scan.lines[items[part]],
            blocks=found.prefix_blocks[part],
            cuts=found.cuts[part],
            behind=behind[part],
        )
        for part in parts
    ]
    texts = [text for _, read in run_shards(_read, readings, executor) for text in read]
    return [texts[place] for place in np.argsort(order)]


def _read(reading: _Reading) -> list[ClassText]:
    return list(_texts(reading))


def _texts(reading: _Reading) -> Iterator[ClassText]:
    columns = (column.tolist() for column in (reading.blocks, reading.cuts, reading.behind))
    for raw, blocks, cut, behind in zip(lines_at(reading.shard, reading.lines.tolist()), *columns, strict=True):
        params = orjson.loads(raw)["params"]
        prefix = prompt_count(prompt_head(params, blocks, cut)) if blocks or cut else 0.0
        rest = max(prompt_count(params) - prefix, 0.0)
        yield ClassText(
            name=shortened(first_text(parse_request(raw).params), _NAME_CHARS),
            prefix=prefix,
            per_char=rest / behind if behind else 0.0,
        )
