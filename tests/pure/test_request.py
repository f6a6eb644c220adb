"""Checking one line: what is a request, and a reason that a person can act on where it is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.requests.blocks import chain_of
from core.requests.request import NotARequest, parse_request
from tests.strategies import BAD_LINES, Json, custom_ids, line, params, request


@given(custom_id=custom_ids, of=params(), end=st.sampled_from([b"", b"\n", b"\r\n"]))
def test_every_request_of_the_apis_form_is_read(custom_id: str, of: Json, end: bytes) -> None:
    """Whatever the API takes is taken: any shape of prompt, any line end."""
    read = parse_request(line(custom_id, of) + end)

    assert custom_id == read.custom_id
    assert (of["model"], of["max_tokens"]) == (read.params.model, read.params.max_tokens)
    assert [message["role"] for message in of["messages"]] == [message.role for message in read.params.messages]


def test_fields_that_lotwise_does_not_know_are_no_fault() -> None:
    """The API grows: a new parameter is sent as it is."""
    of = request(service_tier="auto", context_management={"edits": [1]}, brand_new=True)

    assert parse_request(line("a", of)).custom_id == "a"


IN_THE_ENVELOPE = {
    # These lie where parsing does not look: reading the blocks, or all of the line, finds them.
    name: bad
    for name, bad in BAD_LINES.items()
    if not name.startswith(
        ("block", "tool", "text block", "UTF-8 in a", "UTF-8 in m", "lone surrogate in", "nested too")
    )
}


@pytest.mark.parametrize("name", IN_THE_ENVELOPE)
def test_what_is_no_request_is_refused_with_a_reason(name: str) -> None:
    """The reason names what is wrong, not what the parser felt."""
    bad, reason = BAD_LINES[name]

    with pytest.raises(NotARequest) as refused:
        parse_request(bad)

    assert reason in str(refused.value)


@given(st.binary(max_size=80))
def test_no_bytes_at_all_end_in_anything_but_a_request_or_a_reason(line: bytes) -> None:
    """Whatever lies in a file, reading it never fails in another way."""
    try:
        chain_of(parse_request(line).params)
    except NotARequest as refused:
        assert str(refused)


@given(of=params(), at=st.integers(0, 10_000), byte=st.binary(min_size=1, max_size=3))
def test_no_damage_to_a_line_ends_in_anything_but_a_request_or_a_reason(of: Json, at: int, byte: bytes) -> None:
    """The same for lines that are nearly right."""
    good = line("a", of)
    cut = at % len(good)
    for damaged in (good[:cut] + byte + good[cut:], good[:cut] + byte + good[cut + 1 :], good[:cut]):
        try:
            chain_of(parse_request(damaged).params)
        except NotARequest as refused:
            assert str(refused)
