"""One line of a request file, checked: what the API refuses at once, or only after the whole batch."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

_CUSTOM_ID = "^[a-zA-Z0-9_-]{1,64}$"


class Message(msgspec.Struct, gc=False):
    """One turn: a text, or blocks as they were sent."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Raw]


class Params(msgspec.Struct, gc=False):
    """What Lotwise reads of a request's parameters; whatever else is there is sent as it is."""

    model: Annotated[str, Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[Raw] | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw | None = None
    thinking: Raw | None = None
    output_format: Raw | None = None
    output_config: Raw | None = None
    speed: str | None = None
    inference_geo: str | None = None


class Request(msgspec.Struct, gc=False):
    """One Message Batches request."""

    custom_id: Annotated[str, Meta(pattern=_CUSTOM_ID)]
    params: Params


class NotARequest(ValueError):
    """This line is not a request; the text says why."""


_decode = msgspec.json.Decoder(Request).decode


def parse_request(line: bytes) -> Request:
    """The request on a line of UTF-8 JSON. Raises `NotARequest` with a reason that a person can act on."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotARequest(_reason(line, error)) from None


def _reason(line: bytes, error: Exception) -> str:
    try:
        line.decode()
    except UnicodeDecodeError as broken:
        return f"not valid UTF-8 at byte {broken.start + 1}"
    text = str(error)
    if "$.custom_id" in text or "`custom_id`" in text:
        return "custom_id must be there: 1 to 64 letters, digits, _ or -"
    if isinstance(error, msgspec.ValidationError):
        return f"not of the API's form: {text}"
    return f"not valid JSON: {text}"
