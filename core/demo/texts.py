"""The words of the demo: heavy shared prefixes and items that look like a company's own."""

from functools import cache
from typing import Any

import numpy as np
import orjson

from core.demo.scenario import ClassOfWork
from core.requests.blocks import Chain, chain_of
from core.requests.request import parse_request

_LINE_CHARS = 60


@cache
def prefix(work: ClassOfWork) -> str:
    """What rides along with every item of a class: rules, terms, then examples up to its length."""
    parts = [work.role, work.task, "", "## Rules", *(f"{n}. {rule}" for n, rule in enumerate(work.rules, 1))]
    parts.append("\n## Terms")
    for n, label in enumerate(work.labels, 1):
        near = work.labels[n % len(work.labels)].lower()
        parts.append(
            f"- {label} (code {n:02d}): use it when the text is about {label.lower()} itself. "
            f"If it could also be {near}, the one that is named first decides."
        )
    parts.append("\n## Worked examples")
    for n in range(1, work.prefix_chars // 150):
        first, second = (work.sentences[k % len(work.sentences)] for k in (n, n * 3 + 1))
        label, rule = work.labels[n * 7 % len(work.labels)], work.rules[n * 5 % len(work.rules)]
        parts.append(f"### Example {n}\n{first} {second}\nRight answer: {label}. Why: {rule}")
    text = "\n".join(parts)
    return text[: text.rfind("\n", 0, work.prefix_chars)]


def body(work: ClassOfWork, item_id: str, chars: int, rng: np.random.Generator) -> str:
    """What is unique to one item, about `chars` long."""
    picks = rng.integers(0, len(work.sentences), size=chars // _LINE_CHARS + 1)
    marks = rng.integers(1000, 9999, size=picks.size)
    lines = [f"{work.sentences[k]} [{mark}]" for k, mark in zip(picks.tolist(), marks.tolist(), strict=True)]
    return "\n".join([item_id, *lines])[: max(chars, 2 * _LINE_CHARS)]


def params(work: ClassOfWork, model: str, text: str, *, stamp: str = "") -> dict[str, Any]:
    """The parameters of one request; a `stamp` goes in front of the shared prefix and spoils it."""
    form = {"format": {"type": "json_schema", "schema": orjson.loads(work.answer)}} if work.answer else None
    return {
        "model": model,
        "max_tokens": work.max_tokens,
        "system": [{"type": "text", "text": stamp + prefix(work)}],
        "messages": [{"role": "user", "content": text}],
        **({"output_config": form} if form else {}),
    }


@cache
def class_id(work: ClassOfWork, model: str) -> str:
    """The id of the class on that model: the running hash at the end of its prefix, as an import finds it."""
    return f"{chain(params(work, model, '-'))[0][1]:016x}"


def chain(request: dict[str, Any]) -> Chain:
    """The blocks of a request as an import sees them."""
    return chain_of(parse_request(orjson.dumps({"custom_id": "-", "params": request})).params)
