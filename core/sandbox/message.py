"""The messages and result lines that the local server makes up. Each says that it is simulated."""

from collections.abc import Iterator
from typing import Any

import orjson
from xxhash import xxh3_128_hexdigest

from core.sandbox.answers import SIMULATED
from core.sandbox.batch import Answer, Batch, Draft, Shape
from core.sandbox.cache import CacheUse
from core.sandbox.options import SandboxOptions
from core.sandbox.outcomes import NO_CREDIT, Draw, Outcome, drawn_error, output_tokens, refusal_category
from core.sandbox.params import Problem
from core.sandbox.quality import answered
from core.sandbox.wire_errors import error_body


def message(
    *,
    key: str,
    name: str,
    shape: Shape,
    topic: int,
    input_tokens: int,
    cache: CacheUse,
    outcome: Outcome,
    draw: Draw,
    options: SandboxOptions,
    service_tier: str,
) -> dict[str, Any]:
    """A Message as the API would return it. `key` makes its ids, `name` stands in its text."""
    refused = outcome is Outcome.REFUSED
    digest = xxh3_128_hexdigest(key.encode())[:24]
    answer = answered(shape.answer, topic=topic, model=shape.model, run=draw, options=options)
    tool = answer.kind == "tool" and outcome is Outcome.SUCCEEDED
    stop = "refusal" if refused else "max_tokens" if outcome is Outcome.TRUNCATED else "end_turn"
    return {
        "id": f"msg_sim_{digest}",
        "type": "message",
        "role": "assistant",
        "model": shape.model,
        "content": [] if refused else [_block(answer, name, digest, whole=outcome is Outcome.SUCCEEDED)],
        "stop_reason": "tool_use" if tool else stop,
        "stop_sequence": None,
        "stop_details": _refusal(draw) if refused else None,
        "container": None,
        "usage": {
            "input_tokens": input_tokens - sum(cache),
            "cache_creation_input_tokens": cache.written_5m + cache.written_1h,
            "cache_read_input_tokens": cache.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": cache.written_5m,
                "ephemeral_1h_input_tokens": cache.written_1h,
            },
            "output_tokens": output_tokens(draw, outcome, shape.max_tokens, options),
            "output_tokens_details": {"thinking_tokens": 0},
            "server_tool_use": None,
            "service_tier": service_tier,
            "inference_geo": shape.geo,
            "speed": "standard",
        },
    }


def result_lines(batch: Batch, options: SandboxOptions) -> Iterator[bytes]:
    """The results of an ended batch, one JSON line per item, in an order that is not that of the requests."""
    draft = batch.draft
    if draft is None:
        return
    draws = [Draw.of(options.seed, batch.ordinal, custom_id) for custom_id in draft.custom_ids]
    for index in sorted(range(batch.total), key=lambda index: draws[index].lane(3)):
        line = {
            "custom_id": draft.custom_ids[index],
            "result": _result(batch, draft, index, draws[index], options),
        }
        yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _result(batch: Batch, draft: Draft, index: int, draw: Draw, options: SandboxOptions) -> dict[str, Any]:
    outcome = Outcome(batch.outcomes[index])
    custom_id, shape = draft.custom_ids[index], draft.shapes[draft.shape_of[index]]
    key = f"{batch.id}/{custom_id}"
    if outcome.charged:
        made = message(
            key=key,
            name=custom_id,
            shape=shape,
            topic=draft.topics[index],
            input_tokens=draft.tokens[index],
            cache=CacheUse(batch.read[index], batch.written_5m[index], batch.written_1h[index]),
            outcome=outcome,
            draw=draw,
            options=options,
            service_tier="batch",
        )
        return {"type": "succeeded", "message": made}
    if outcome.status == "errored":
        kind, text = _problem(outcome, shape, draw)
        return {
            "type": "errored",
            "error": error_body(kind, text, f"req_sim_{xxh3_128_hexdigest(key.encode())[:24]}"),
        }
    return {"type": outcome.status}


def _problem(outcome: Outcome, shape: Shape, draw: Draw) -> Problem:
    if outcome is Outcome.UNPAID:
        return NO_CREDIT
    return shape.problem if outcome is Outcome.INVALID and shape.problem else drawn_error(draw)


def _block(answer: Answer, name: str, digest: str, *, whole: bool) -> dict[str, Any]:
    if answer.kind == "tool" and whole:
        return {
            "type": "tool_use",
            "id": f"toolu_sim_{digest}",
            "name": answer.tool,
            "input": orjson.loads(answer.body),
        }
    if answer.kind == "json":
        # A truncated answer is cut as a real one would be: it does not parse.
        return {"type": "text", "text": answer.body if whole else answer.body[: len(answer.body) // 2]}
    return {"type": "text", "text": f"{SIMULATED} result for {name}: no model was called."}


def _refusal(draw: Draw) -> dict[str, Any]:
    return {"type": "refusal", "category": refusal_category(draw), "explanation": f"{SIMULATED} refusal."}
