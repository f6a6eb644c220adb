"""What Hypothesis draws from: texts, blocks, requests of every form, and lines that are none."""

from typing import Any

import orjson
from hypothesis import strategies as st

Json = dict[str, Any]

MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-haiku-4-5")
MARKS: tuple[Json, ...] = ({"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"})

texts = st.text(st.characters(codec="utf-8"), max_size=40)
few_texts = st.sampled_from(["Extract the fields.", "Grade it: ä€🎈", "q1", "q2"])
custom_ids = st.text("abcXYZ019_-", min_size=1, max_size=64)

_scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
json_values: st.SearchStrategy[Any] = st.recursive(
    _scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def _block(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


def blocks(text: st.SearchStrategy[str] = texts) -> st.SearchStrategy[Json]:
    """Content blocks as the API takes them: text, pictures, documents, tool calls, thinking."""
    plain = _block("text", text=text)
    return (
        plain
        | plain
        | _block("text", text=text, citations=st.just({"enabled": True}))
        | _block("image", source=st.fixed_dictionaries({"type": st.just("url"), "url": text}))
        | _block("document", source=st.fixed_dictionaries({"type": st.just("text"), "data": text}), title=text)
        | _block("tool_use", id=text, name=text, input=json_values)
        | _block("thinking", thinking=text, signature=text)
    )


def contents(text: st.SearchStrategy[str] = texts) -> st.SearchStrategy[Any]:
    """The content of a message or a system prompt: a string, or a list of at least one block."""
    return text | st.lists(blocks(text), min_size=1, max_size=3)


def params(text: st.SearchStrategy[str] = texts) -> st.SearchStrategy[Json]:
    """Request parameters of every form, without cache marks."""
    message = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": contents(text)})
    tool = st.fixed_dictionaries({"name": text, "input_schema": st.just({"type": "object"})})
    return st.fixed_dictionaries(
        {
            "model": st.sampled_from(MODELS),
            "max_tokens": st.integers(1, 64_000),
            "messages": st.lists(message, min_size=1, max_size=3),
        },
        optional={
            "system": st.none() | contents(text) | st.just([]),
            "tools": st.none() | st.lists(tool, max_size=3),
            "tool_choice": st.sampled_from([None, {"type": "auto"}, {"type": "any"}]),
            "thinking": st.sampled_from([None, {"type": "enabled", "budget_tokens": 1024}, {"type": "disabled"}]),
            "output_config": st.sampled_from([None, {"effort": "low"}, {"effort": "high"}]),
            "output_format": st.sampled_from([None, {"type": "json_schema", "schema": {}}]),
            "speed": st.sampled_from([None, "standard", "fast"]),
            "inference_geo": st.sampled_from([None, "us"]),
        },
    )


def all_blocks(of: Json) -> list[Json]:
    """The blocks that are objects, in cache order."""
    groups = [of.get("tools"), of.get("system"), *(message["content"] for message in of["messages"])]
    return [block for group in groups if isinstance(group, list) for block in group]


@st.composite
def unprompted_changes(draw: st.DrawFn, of: Json) -> Json:
    """The same prompt in other clothes: cache marks, metadata, max_tokens, sampling, a string as one text block."""
    changed: Json = orjson.loads(orjson.dumps(of))
    changed["max_tokens"] = draw(st.integers(1, 64_000))
    changed["metadata"] = {"user_id": draw(texts)}
    changed["temperature"] = draw(st.floats(0, 1))
    if draw(st.booleans()):
        changed["cache_control"] = MARKS[0]
    for holder in (changed, *changed["messages"]):
        key = "system" if holder is changed else "content"
        if isinstance(holder.get(key), str) and holder[key] and draw(st.booleans()):
            holder[key] = [{"type": "text", "text": holder[key]}]
    for block in all_blocks(changed):
        if draw(st.booleans()):
            block["cache_control"] = draw(st.sampled_from(MARKS))
    return changed


def line(custom_id: str, of: Json) -> bytes:
    """One line of a request file, without its end."""
    return orjson.dumps({"custom_id": custom_id, "params": of})


def request(text: Any = "Hello", *, system: Any = None, model: str = MODELS[0], **more: Any) -> Json:
    """Plain parameters for tests that need no more than that."""
    head = {} if system is None else {"system": system}
    return {"model": model, "max_tokens": 100, **head, "messages": [{"role": "user", "content": text}], **more}


_VALID = line("a", request())

BAD_LINES: dict[str, tuple[bytes, str]] = {
    "truncated": (_VALID[:-3], "not valid JSON"),
    "not JSON": (b"hello, world", "not valid JSON"),
    "an array": (b"[1]", "not of the API's form"),
    "nested without end": (b"[" * 50_000, "not of the API's form"),
    "no custom_id": (line("a", request()).replace(b"custom_id", b"customid_"), "custom_id is missing"),
    "custom_id of 65": (line("a" * 65, request()), "custom_id does not fit"),
    "custom_id with a space": (line("a b", request()), "custom_id does not fit"),
    "custom_id with a line end": (line("a\n", request()), "custom_id does not fit"),
    "custom_id a number": (b'{"custom_id":1,"params":{}}', "custom_id does not fit"),
    "no params": (b'{"custom_id":"a"}', "`params`"),
    "no model": (line("a", {"max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}), "`model`"),
    "empty model": (line("a", request(model="")), "$.params.model"),
    "max_tokens 0": (line("a", request() | {"max_tokens": 0}), "$.params.max_tokens"),
    "max_tokens absurd": (_VALID.replace(b":100", b":99999999999999999999"), "$.params.max_tokens"),
    "max_tokens a text": (line("a", request() | {"max_tokens": "1"}), "$.params.max_tokens"),
    "no messages": (line("a", request() | {"messages": []}), "$.params.messages"),
    "unknown role": (line("a", request() | {"messages": [{"role": "tool", "content": "x"}]}), "'tool'"),
    "block a text": (line("a", request(system=["x"])), "a block must be an object"),
    "block empty": (line("a", request(system=[{}])), "a block must be an object"),
    "tool empty but for a mark": (line("a", request(tools=[{"cache_control": MARKS[0]}])), "a block must be an object"),
    "text block without text": (line("a", request(system=[{"type": "text"}])), "a block must be an object"),
    "UTF-8 in a text": (line("a", request("@@")).replace(b"@@", b"\xff\xfe"), "not valid UTF-8 at byte"),
    "UTF-8 in a block": (
        line("a", request(system=[{"type": "text", "text": "@@"}])).replace(b"@@", b"\xc3("),
        "not valid UTF-8 at byte",
    ),
    "UTF-8 in a switch": (
        line("a", request(thinking={"type": "@@"})).replace(b"@@", b"\xed\xa0\x80"),
        "not valid UTF-8 at byte",
    ),
    "UTF-8 in metadata": (
        line("a", request(metadata={"user_id": "@@"})).replace(b"@@", b"\xff"),
        "not valid UTF-8 at byte",
    ),
    "UTF-16": (_VALID.decode().encode("utf-16"), "not valid UTF-8 at byte 1"),
    "lone surrogate": (line("a", request("@@")).replace(b"@@", rb"\ud800"), "not valid JSON"),
    "lone surrogate in a block": (
        line("a", request(system=[{"type": "text", "text": "@@"}])).replace(b"@@", rb"\ud800"),
        "not valid JSON",
    ),
    "nested too deep to write": (
        line("a", request(metadata=[0])).replace(b"[0]", b"[" * 400 + b"]" * 400),
        "nested too deeply",
    ),
    "block nested too deep to write": (
        line("a", request(tools=[{"name": "t", "x": 0}])).replace(b":0", b":" + b"[" * 400 + b"]" * 400),
        "nested too deeply",
    ),
    "nested too deep to read": (
        line("a", request(metadata=[0])).replace(b"[0]", b"[" * 20_000 + b"]" * 20_000),
        "nested too deeply",
    ),
}
"""Lines that are no requests, each with words of the reason that is given."""
