"""Rendering: one string of bytes a prompt, in step with the chains, and a way back from a byte to its place."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.requests.blocks import chain_of
from core.requests.rendering import path_name, render
from core.requests.request import parse_request
from tests.strategies import Json, few_texts, line, params, request, unprompted_changes


def shared_in_chains(one: Json, other: Json) -> int:
    """Blocks that two requests share by their running hashes; -1 in different scopes."""
    hashes = [chain_of(parse_request(line("a", of)).params)[0] for of in (one, other)]
    pairs = zip(*hashes, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(map(len, hashes))) - 1


def shared_in_bytes(one: Json, other: Json) -> int:
    """Blocks that two requests share by their bytes up to and with the border of each."""
    first, second = render(one), render(other)
    if first.scope != second.scope:
        return -1
    ends = [(a.end, b.end) for a, b in zip(first.blocks, second.blocks, strict=False)]
    same = [a == b and first.data[: a + 1] == second.data[: b + 1] for a, b in ends]
    return same.index(False) if False in same else len(same)


@given(params(few_texts), params(few_texts))
def test_prompts_share_the_same_blocks_by_bytes_as_by_chain(one: Json, other: Json) -> None:
    """Classes found on chains and figures measured on bytes speak of the same sharing."""
    assert shared_in_chains(one, other) == shared_in_bytes(one, other)


@given(params(few_texts), params(few_texts), st.data())
def test_a_change_at_one_key_parts_both_at_the_same_block(of: Json, drawn: Json, data: st.DataObject) -> None:
    """Two requests that are nearly the same: the hard case."""
    key = data.draw(st.sampled_from([key for key in drawn if key != "max_tokens"]))
    other = of | {key: drawn[key]}

    assert shared_in_chains(of, other) == shared_in_bytes(of, other)


@given(params(), st.data())
def test_what_is_no_part_of_the_prompt_never_matters(of: Json, data: st.DataObject) -> None:
    """Marks, metadata, max_tokens, sampling, and whether a text stands alone or as one block."""
    changed = data.draw(unprompted_changes(of))

    assert (render(of).scope, render(of).data) == (render(changed).scope, render(changed).data)


@given(params())
def test_every_byte_leads_back_to_its_character(of: Json) -> None:
    """A finding names the exact place: block in cache order, path, and offset in characters."""
    prompt = render(of)
    for number, block in enumerate(prompt.blocks, 1):
        value: Any = of
        for step in block.path:
            value = value[step]
        text = prompt.content(block).decode()
        if block.is_text:
            assert text == (value if isinstance(value, str) else value["text"])
        for character in range(len(text) + 1):
            offset = block.start + len(text[:character].encode())
            assert (number, block.path, character) == prompt.place(offset)


@given(params())
def test_offsets_of_borders_and_beyond_have_a_place(of: Json) -> None:
    """A node of the tree may end anywhere, also between two blocks or inside a character."""
    prompt = render(of)
    for offset in range(len(prompt.data) + 1):
        block, path, character = prompt.place(offset) if prompt.blocks else (1, (), 0)
        if prompt.blocks:
            assert prompt.blocks[block - 1].path == path
            assert 0 <= character <= len(prompt.content(prompt.blocks[block - 1]).decode())


def test_texts_cannot_imitate_borders() -> None:
    """Control characters in a text are text."""
    one = request([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    joined = request([{"type": "text", "text": "a\x1eb"}])

    assert shared_in_bytes(one, joined) == 0


def test_pictures_count_as_a_hash_and_text_documents_as_their_text() -> None:
    """Base64 says nothing of tokens; a document given as text is text that caching can save."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 9_000}}
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A" * 9_000}}

    assert len(render(request([image])).data) < 100
    assert len(render(request([document])).data) > 9_000
    assert render(request([image])).data != render(request([image | {"title": "x"}])).data


def test_images_part_the_messages_only() -> None:
    """A switch of the messages leaves the system prompt shared."""
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    one, other = request([{"type": "text", "text": "a"}], system="S"), request([picture], system="S")

    assert shared_in_bytes(one, other) == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("system",), "system"),
        (("system", 0), "system[0]"),
        (("messages", 0, "content", 1), "messages[0].content[1]"),
    ],
)
def test_paths_are_named_as_people_write_them(path: tuple[str | int, ...], name: str) -> None:
    """What a finding shows."""
    assert name == path_name(path)


def test_rendering_changes_nothing() -> None:
    """It reads; what it was given stays as it is."""
    of = request([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}], tools=[{"name": "t"}])
    before = orjson.dumps(of)
    render(of)

    assert before == orjson.dumps(of)
