"""What a model answered and what it was asked, as text that can be graded and read."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.grading.part import canonical


def answer_of(message: Mapping[str, Any]) -> str:
    """The answer in a Message of the API: its text, or the input of the tool that it called, as canonical JSON.

    Texts are joined as they are: the API cuts one text into blocks where it cites. Thinking is no answer. Several
    calls are a JSON list. A message that calls a tool and says something besides answers by the call.
    """
    blocks = message.get("content") or ()
    calls = [block.get("input") for block in blocks if block.get("type") == "tool_use"]
    if calls:
        return canonical(calls[0] if len(calls) == 1 else calls)
    return "".join(block.get("text") or "" for block in blocks if block.get("type") == "text")


def prompt_of(params: Mapping[str, Any]) -> str:
    """What a request asks, as people and judges read it: system text, then the messages.

    Roles are named where there is more than one message. What is no text stands as its type in square brackets.
    """
    messages = params.get("messages") or ()
    parts = list(_texts(params.get("system")))
    for message in messages:
        said = "\n".join(_texts(message.get("content")))
        parts.append(said if len(messages) == 1 else f"{message.get('role')}: {said}")
    return "\n\n".join(part for part in parts if part)


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for block in content or ():
        if block.get("type") == "text":
            yield block.get("text") or ""
        elif block.get("type") == "tool_result":
            yield from _texts(block.get("content"))
        else:
            yield f"[{block.get('type')}]"
