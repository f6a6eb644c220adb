"""Cache marks: where they land, what a string becomes, how a text is cut, and exactly how many bytes that adds."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.caching.lifetimes import Lifetime
from core.caching.placing import mark, place_marks
from core.planning.envelope import SPLIT_BYTES
from core.requests.blocks import BlockOutOfReach, chain_of
from core.requests.request import parse_params
from tests.strategies import Json, params, request

MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
SHORT_MARK = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}


def three_parts() -> Json:
    """Two tools, a system prompt and one message: four blocks."""
    return request("M", system="S", tools=[{"name": "a"}, {"name": "b"}])


def overheads(of: Json) -> list[int]:
    """Bytes that a mark on each block adds, the scope first."""
    return chain_of(parse_params(orjson.dumps(of)))[2]


def test_tools_come_before_the_system_prompt_and_that_before_the_messages() -> None:
    """Cache order, the one thing a mark depends on; a string becomes a block that can carry the mark."""
    text = {"type": "text", "text": "S"}

    assert three_parts() | {"tools": [{"name": "a"}, {"name": "b"} | MARK]} == mark(three_parts(), 2)
    assert three_parts() | {"system": [text | MARK]} == mark(three_parts(), 3)
    assert [{"role": "user", "content": [text | {"text": "M"} | MARK]}] == mark(three_parts(), 4)["messages"]


def test_several_marks_have_one_lifetime() -> None:
    """Marks of an hour must stand before those of five minutes; with one lifetime a request cannot be wrong."""
    marked = place_marks(three_parts(), [1, 2, 3, 4], lifetime="5m")

    assert marked["tools"] == [{"name": "a"} | SHORT_MARK, {"name": "b"} | SHORT_MARK]
    assert marked["system"] == [{"type": "text", "text": "S"} | SHORT_MARK]
    assert marked["messages"][0]["content"] == [{"type": "text", "text": "M"} | SHORT_MARK]


@pytest.mark.parametrize("content", ["Rules. Question", [{"type": "text", "text": "Rules. Question"}]])
def test_a_text_is_cut_in_two_and_its_head_marked(content: Any) -> None:
    """A prefix that ends inside a text gets a block of its own; not a character is lost, what follows stays."""
    of = request(content) | {"system": "S"}
    of["messages"].append({"role": "assistant", "content": "A"})
    marked = place_marks(of, [1, 2], lifetime="1h", split_chars=7)

    head, rest = {"type": "text", "text": "Rules. "} | MARK, {"type": "text", "text": "Question"}
    assert marked["system"] == [{"type": "text", "text": "S"} | MARK]
    assert [{"role": "user", "content": [head, rest]}, {"role": "assistant", "content": "A"}] == marked["messages"]


@pytest.mark.parametrize("block", [0, 2, 99])
def test_a_block_that_is_not_there_cannot_be_marked(block: int) -> None:
    """A request with fewer blocks than its class shares is a fault to be seen, not a mark somewhere else."""
    with pytest.raises(BlockOutOfReach):
        mark(request(), block)


@pytest.mark.parametrize(("block", "chars"), [(1, 1), (2, 0), (2, 5), (2, 99), (3, 1)])
def test_what_is_no_text_of_that_length_cannot_be_cut(block: int, chars: int) -> None:
    """A tool cannot be cut, and neither half of a text may be empty: the API refuses empty text blocks."""
    with pytest.raises(BlockOutOfReach):
        place_marks(request("Hello", tools=[{"name": "a"}]), [block], lifetime="1h", split_chars=chars)


@given(params(), st.sampled_from(["5m", "1h"]), st.data())
def test_marks_add_exactly_the_bytes_that_were_counted(of: Json, lifetime: Lifetime, data: st.DataObject) -> None:
    """Limits are checked on these sums, whatever the lifetime and wherever a text is cut."""
    added = overheads(of)
    possible = [block for block, size in enumerate(added) if size]
    if not possible:
        return
    blocks = sorted(data.draw(st.lists(st.sampled_from(possible), min_size=1, max_size=4, unique=True)))
    before = len(orjson.dumps(of))
    text = texts(of).get(blocks[-1], "")
    split = data.draw(st.none() | st.integers(1, len(text) - 1)) if len(text) > 1 else None
    after = len(orjson.dumps(place_marks(orjson.loads(orjson.dumps(of)), blocks, lifetime=lifetime, split_chars=split)))

    assert after - before == sum(added[block] for block in blocks) + (SPLIT_BYTES if split else 0)


def texts(of: Json) -> dict[int, str]:
    """Plain texts by the number of their block."""
    contents = [of.get("tools") or [], of.get("system") or [], *(message["content"] for message in of["messages"])]
    blocks = [block for content in contents for block in ([content] if isinstance(content, str) else content)]
    plain = {number: {"text": block} if isinstance(block, str) else block for number, block in enumerate(blocks, 1)}
    return {number: block["text"] for number, block in plain.items() if "text" in block and "citations" not in block}
