"""One line of a request file, checked: what the API refuses at once, or only after the whole batch."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

# Not `$`: that would let a line end through.
_CUSTOM_ID = r"^[a-zA-Z0-9_-]{1,64}\Z"
MOST_TAGS = 8
TAG_NAME = r"^[a-zA-Z0-9_-]{1,40}\Z"
TAG_TEXT = r"^[^\x00-\x1f\x7f]{1,80}\Z"
# The store's whole numbers end there; no model gives a millionth of it.
_MOST_TOKENS = 2**53


class Message(msgspec.Struct, gc=False):
    """One turn: a text, or blocks as they were sent."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Raw]


class Params(msgspec.Struct, gc=False):
    """What Lotwise reads of a request's parameters; whatever else is there is sent as it is."""

    model: Annotated[str, Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1, le=_MOST_TOKENS)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[Raw] | None = None
    tools: list[Raw] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_format: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None
    speed: str | None = None
    inference_geo: str | None = None


class Request(msgspec.Struct, gc=False):
    """One Message Batches request, and the tags that its owner put beside it: they are never sent."""

    custom_id: Annotated[str, Meta(pattern=_CUSTOM_ID)]
    params: Params
    tags: (
        Annotated[
            dict[Annotated[str, Meta(pattern=TAG_NAME)], Annotated[str, Meta(pattern=TAG_TEXT)]],
            Meta(max_length=MOST_TAGS),
        ]
        | None
    ) = None


class NotARequest(ValueError):
    """This line is not a request; the text says why."""


_decode = msgspec.json.Decoder(Request).decode
_decode_params = msgspec.json.Decoder(Params).decode


def parse_request(line: bytes) -> Request:
    """The request on a line of UTF-8 JSON. Raises `NotARequest` with a reason that a person can act on."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotARequest(why_not(line, error)) from None


def parse_params(payload: bytes) -> Params:
    """The parameters of a request that was read and kept before."""
    return _decode_params(payload)


def why_not(line: bytes, error: Exception) -> str:
    """The reason why a line is no request, from what a JSON library said of it."""
    try:
        line.decode()
    except UnicodeDecodeError as broken:
        return f"not valid UTF-8 at byte {broken.start + 1}"
    text = str(error)
    if isinstance(error, RecursionError) or "ecursion limit" in text or "depth limit" in text:
        return "nested too deeply"
    if "$.custom_id" in text or "`custom_id`" in text:
        missing = "missing required field" in text
        return f"custom_id {'is missing' if missing else 'does not fit'}: it must be 1 to 64 letters, digits, _ or -"
    if "$.tags" in text:
        return (
            f'tags do not fit: at most {MOST_TAGS}, as {{"team": "search"}}, with names of 1 to 40 letters, digits, _ '
            "or -, and texts of 1 to 80 characters"
        )
    if isinstance(error, msgspec.ValidationError):
        return f"not of the API's form: {text}"
    return f"not valid JSON: {text}"
