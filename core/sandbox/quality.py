"""Tiers that differ in quality: each item has a hidden right answer, which larger models give more often.

Only answers out of a finite set can be right: the enums and booleans of a JSON schema or of a forced tool. What is
right follows from the seed and the item's own text (its last user message), never from the model, the batch or the
`custom_id`. How hard an item is follows from the same: a model is right on the items that are easy enough for it, so a
larger one is right on what a smaller one is. Of the answers, `answer_noise` are drawn anew at each run, at the same
rate. A judge that chooses by an enum is such a model too: its choice says nothing of the answers it compares.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from xxhash import xxh3_64_intdigest

from core.prices import PriceBook
from core.sandbox.answers import Path, answer_to
from core.sandbox.batch import Answer
from core.sandbox.options import SandboxOptions
from core.sandbox.outcomes import Draw

ORDINARY_TIERS: Mapping[str, Any] = {
    "haiku_right": 0.86,
    "sonnet_right": 0.94,
    "opus_right": 0.97,
    "fable_right": 0.98,
}
"""Options of the server that a workspace starts by itself: made up, so that trials have something to find."""
_DOUBT = 0.2  # how far a stated confidence is off, at most to both sides together

_Choice = tuple[Path, tuple[Any, ...]]


def topic_of(params: Mapping[str, Any]) -> int:
    """What sets an item apart from others of its class, as 64 bits: the content of its last user message.

    Neither cache marks nor the borders between texts count, since whoever sends the item may move them.
    """
    said = [message for message in params["messages"] if message["role"] == "user"]
    content = said[-1]["content"] if said else ""
    if isinstance(content, str):
        return xxh3_64_intdigest(content.encode())
    return xxh3_64_intdigest(b"".join(_bare(block) for block in content if isinstance(block, dict)))


def _bare(block: Mapping[str, Any]) -> bytes:
    if block.get("type") == "text":
        return str(block.get("text")).encode()
    return orjson.dumps({key: value for key, value in block.items() if key != "cache_control"})


def answered(answer: Answer, *, topic: int, model: str, run: Draw, options: SandboxOptions) -> Answer:
    """The answer with the choices of this model on this item, as it was before where its line has no rate."""
    rate = _right_rate(model, options)
    if not (answer.choices and rate):
        return answer
    item = Draw.of(options.seed, topic, "item")
    again = Draw.of(options.seed, run.bits, "run")
    anew = again.share(0) < options.answer_noise
    right = (again if anew else item).share(1) < rate
    own = Draw.of(options.seed, topic, model)
    sure = 0.5 + (rate - item.share(1)) / 2 + _DOUBT * (own.share(0) - 0.5)
    body = _filled(answer, item, options.seed, wrong=None if right else own, sure=min(1.0, max(0.0, sure)))
    return answer._replace(body=orjson.dumps(body).decode())


def truth_of(params: Mapping[str, Any], seed: int) -> Any:
    """What a model that is always right would answer to these params; None where nothing can be right."""
    answer = answer_to(params)
    if not (answer.choices and _parsed(answer.choices)[0]):
        return None
    return _filled(answer, Draw.of(seed, topic_of(params), "item"), seed, wrong=None, sure=1.0)


def _right_rate(model: str, options: SandboxOptions) -> float:
    line = PriceBook.load().model(model).line
    return float(getattr(options, f"{'fable' if line == 'mythos' else line}_right", 0.0))


def _filled(answer: Answer, item: Draw, seed: int, *, wrong: Draw | None, sure: float) -> Any:
    """The body with the right values, but for one of them where the model is `wrong`."""
    body = orjson.loads(answer.body)
    choices, confidence = _parsed(answer.choices)
    missed = item.lane(2) % len(choices) if wrong and choices else -1
    for number, (path, values) in enumerate(choices):
        at = Draw.of(seed, item.bits, f"{number}").lane(0) % len(values)
        if number == missed and wrong:
            at = (at + 1 + wrong.lane(1) % (len(values) - 1)) % len(values)
        body = _put(body, path, values[at])
    for path in confidence:
        body = _put(body, path, round(sure, 3))
    return body


@lru_cache(maxsize=256)
def _parsed(choices: str) -> tuple[tuple[_Choice, ...], tuple[Path, ...]]:
    found = [(tuple(path), tuple(values)) for path, values in orjson.loads(choices)]
    return tuple(of for of in found if of[1]), tuple(path for path, values in found if not values)


def _put(body: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    *above, name = path
    place = body
    for step in above:
        place = place[step]
    place[name] = value
    return body
