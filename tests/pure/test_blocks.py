"""Chains: two requests have equal chains up to a block exactly when their prompts are equal up to it."""

from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.caching.placing import mark
from core.requests.blocks import (
    BLOCK_MARK_BYTES,
    HEAD_BYTES,
    STRING_MARK_BYTES,
    BlockOutOfReach,
    Chain,
    any_chain,
    chain_of,
    text_at,
)
from core.requests.request import parse_request
from tests.strategies import Json, few_texts, line, params, request, unprompted_changes


def chain(of: Json) -> Chain:
    """The chain of parameters as they stand on a line."""
    return chain_of(parse_request(line("a", of)).params)


def prompt(of: Json) -> list[Any]:
    """The prompt, spelled out: scope, then every block in cache order with all that tells it from others."""

    def block(value: Any) -> Any:
        if isinstance(value, str):
            return ("text", value)
        rest = [(key, value[key]) for key in value if key != "cache_control"]
        return ("text", value["text"]) if {key for key, _ in rest} == {"type", "text"} else ("block", rest)

    def content(place: Any, value: Any) -> list[Any]:
        blocks = [value] if isinstance(value, str) else value
        return [(place, number == 0, block(one)) for number, one in enumerate(blocks)]

    format_switches = (of.get("output_format"), of.get("output_config"))
    contents = [message["content"] for message in of["messages"]]
    images = any(one["type"] == "image" for value in contents if isinstance(value, list) for one in value)
    switches = (*format_switches, of.get("tool_choice"), of.get("thinking"), images)
    blocks = content("tools", of.get("tools") or [])
    blocks += content(("system", format_switches), of.get("system") or [])
    for message in of["messages"]:
        blocks += content((message["role"], switches), message["content"])
    return [(of["model"], of.get("speed"), of.get("inference_geo")), *blocks]


def shared(one: list[Any], other: list[Any]) -> int:
    """How many entries two lists have in common from the start."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@given(params())
def test_the_fast_way_is_the_same_as_the_general_one(of: Json) -> None:
    """Most lines take a short cut; it may change nothing."""
    read = parse_request(line("a", of)).params

    assert any_chain(read) == chain_of(read)


@given(params(few_texts), params(few_texts))
def test_chains_share_exactly_what_prompts_share(one: Json, other: Json) -> None:
    """Equal chains mean equal prompts and the other way round, block by block."""
    assert shared(prompt(one), prompt(other)) == shared(chain(one)[0], chain(other)[0])


@given(params(few_texts), st.data())
def test_a_change_at_one_place_parts_the_chains_there(of: Json, data: st.DataObject) -> None:
    """Two requests that are nearly the same share all before the difference, and nothing after it."""
    other: Json = orjson.loads(orjson.dumps(of))
    key = data.draw(
        st.sampled_from(["system", "tools", "tool_choice", "thinking", "output_config", "speed", "messages"])
    )
    drawn = data.draw(params(few_texts))
    assume(key in drawn)
    other[key] = drawn[key]

    assert shared(prompt(of), prompt(other)) == shared(chain(of)[0], chain(other)[0])


@given(params(), st.data())
def test_what_is_no_part_of_the_prompt_never_matters(of: Json, data: st.DataObject) -> None:
    """Marks, metadata, max_tokens, sampling, the custom_id, and whether a text stands alone or as one block."""
    other = data.draw(unprompted_changes(of))
    changed = parse_request(line("another", other)).params

    hashes, depths, _, heads = chain_of(changed)
    assert (hashes, depths) == chain(of)[:2]
    assert heads == chain(of)[3]


@given(params())
def test_a_setting_given_as_null_is_a_setting_not_given(of: Json) -> None:
    """Some SDKs write every field."""
    names = ("system", "tools", "tool_choice", "thinking", "output_config", "output_format", "speed", "inference_geo")
    spelled: Json = dict.fromkeys(names) | of

    assert chain(spelled) == chain({key: value for key, value in of.items() if value is not None})


@given(params())
def test_chains_run_in_step_and_count_up(of: Json) -> None:
    """One entry a block after the scope, depths that never fall, as many blocks as the prompt has."""
    hashes, depths, overheads, heads = chain(of)

    assert len(prompt(of)) == len(hashes) == len(depths) == len(overheads) == len(heads)
    assert sorted(depths) == depths
    assert (depths[0], overheads[0]) == (0, 0)


@pytest.mark.parametrize("form", ["string", "blocks"])
def test_texts_that_begin_alike_have_one_head(form: str) -> None:
    """A head says that texts behind the same prompt agree on their first bytes; a short text has none."""

    def head(text: str, **more: Any) -> int:
        content = text if form == "string" else [{"type": "text", "text": text}]
        return chain({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": content}]} | more)[3][-1]

    long = "a" * HEAD_BYTES
    assert head(long + "x") == head(long + "y") == head(long) != 0
    assert head(long[1:]) == 0
    assert len({head("b" + long), head(long), head(long, system="s"), head(long, model="n")}) == 4


@given(params())
def test_the_text_of_a_block_is_found_by_its_number(of: Json) -> None:
    """What a head or a border is about can be read again."""
    read = parse_request(line("a", of)).params
    for block, (after, before) in enumerate(zip(chain(of)[1][1:], chain(of)[1], strict=False), 1):
        if chain(of)[3][block]:
            assert len(text_at(read, block).decode()) == after - before
    with pytest.raises(BlockOutOfReach):
        text_at(read, len(chain(of)[0]))


@given(params())
def test_every_mark_goes_where_the_chain_says_and_adds_its_exact_bytes(of: Json) -> None:
    """Block k of the chain is block k of the request, tools included; sizes are planned on these bytes."""
    _, _, overheads, _ = chain(of)
    before = orjson.dumps(of)
    for block, bytes_added in enumerate(overheads[1:], 1):
        marked = mark(orjson.loads(before), block)
        assert chain(of)[:2] == chain(marked)[:2]
        assert prompt(of) == prompt(marked)
        if bytes_added:
            assert bytes_added == len(orjson.dumps(marked)) - len(before)
        assert [block] == marked_blocks(marked)


def marked_blocks(of: Json) -> list[int]:
    """Positions of the blocks that carry a mark, counted from 1 in cache order."""
    found, position = [], 0
    for content in (of.get("tools"), of.get("system"), *(message["content"] for message in of["messages"])):
        if isinstance(content, str):
            position += 1 if content or content is not of.get("system") else 0
            continue
        for block in content or ():
            position += 1
            if "cache_control" in block:
                assert block["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
                found.append(position)
    return found


def test_mark_bytes_are_as_the_api_writes_marks() -> None:
    """The two overheads, spelled out once."""
    assert len(b',"cache_control":{"type":"ephemeral","ttl":"1h"}') == BLOCK_MARK_BYTES
    assert BLOCK_MARK_BYTES + len(b'[{"type":"text","text":}]') == STRING_MARK_BYTES


@pytest.mark.parametrize(
    "content",
    [
        "",
        [{"type": "text", "text": ""}],
        [{"type": "thinking", "thinking": "…", "signature": "s"}],
        [{"type": "redacted_thinking", "data": "…"}],
    ],
    ids=["empty string", "empty text", "thinking", "redacted thinking"],
)
def test_what_the_api_lets_nobody_mark_is_not_marked(content: Any) -> None:
    """Empty texts and thinking take no cache mark: the API would refuse the whole item."""
    of = request() | {"messages": [{"role": "assistant", "content": content}]}

    assert chain(of)[2] == [0, 0]


def test_an_image_anywhere_parts_all_messages_but_not_the_system_prompt() -> None:
    """The page on prompt caching: images invalidate the messages, not what stands before them."""
    picture = [{"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}]
    turn = {"role": "user", "content": "Look"}
    without = request(system="Describe.") | {"messages": [turn, {"role": "user", "content": "There"}]}
    with_one = request(system="Describe.") | {"messages": [turn, {"role": "user", "content": picture}]}

    assert shared(chain(without)[0], chain(with_one)[0]) == 2


def test_message_borders_are_part_of_the_prompt() -> None:
    """Two messages of one block each are not one message of two."""
    a, b = {"type": "text", "text": "a"}, {"type": "text", "text": "b"}
    one = request() | {"messages": [{"role": "user", "content": [a, b]}]}
    two = request() | {"messages": [{"role": "user", "content": [a]}, {"role": "user", "content": [b]}]}

    assert shared(chain(one)[0], chain(two)[0]) == 2
