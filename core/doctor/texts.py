"""Texts inside a request's parameters by path, and changes that leave the original alone."""

from typing import Any

from core.requests.rendering import Path

Params = dict[str, Any]
_PLAIN = frozenset(("type", "text", "cache_control"))


def find_text(params: Params, path: Path) -> tuple[Path, str] | None:
    """The plain text at a path and the path of its string; None where there is none.

    A string and a single text block are the same prompt, so either form of the path finds both.
    """
    value: Any = params
    for position, step in enumerate(path):
        if isinstance(value, str) and step == 0 and position == len(path) - 1:
            return path[:-1], value
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    if isinstance(value, list) and len(value) == 1:
        value, path = value[0], (*path, 0)
    if isinstance(value, str):
        return path, value
    if isinstance(value, dict) and value.get("type") == "text" and value.keys() <= _PLAIN:
        return (*path, "text"), str(value["text"])
    return None


def next_text(params: Params, path: Path) -> str:
    """The text of the block behind the one at this path, in cache order; nothing where it is none."""
    bare = path[:-1] if path[-1] == "text" else path
    contents: list[tuple[Path, Any]] = [(("system",), params.get("system") or [])]
    contents += [(("messages", n, "content"), message["content"]) for n, message in enumerate(params["messages"])]
    paths: list[Path] = []
    for place, content in contents:
        paths += [place] if isinstance(content, str) else [(*place, number) for number in range(len(content))]
    after = paths[paths.index(bare) + 1 :] if bare in paths else []
    found = find_text(params, after[0]) if after else None
    return found[1] if found else ""


def put(params: Params, path: Path, value: Any) -> Params:
    """The same parameters with another value at a path; what is not on the path is shared with the original."""
    changed: Params = _put(params, path, value)
    return changed


def _put(holder: Any, path: Path, value: Any) -> Any:
    changed = holder.copy()
    changed[path[0]] = value if len(path) == 1 else _put(holder[path[0]], path[1:], value)
    return changed


def drop_block(params: Params, path: Path) -> Params | None:
    """Take out the block whose string is at this path; None where a message would be left without content."""
    bare = path[:-1] if path[-1] == "text" else path
    holder: Any = params
    for step in bare[:-1]:
        holder = holder[step]
    left = [] if isinstance(holder, dict) else [block for number, block in enumerate(holder) if number != bare[-1]]
    if left:
        return put(params, bare[:-1], left)
    return {key: value for key, value in params.items() if key != "system"} if bare[0] == "system" else None


def add_to_end(params: Params, text: str) -> Params | None:
    """Put a text at the end of the last user message; None where the request has none."""
    users = [number for number, message in enumerate(params["messages"]) if message["role"] == "user"]
    if not users:
        return None
    path: Path = ("messages", users[-1], "content")
    content = params["messages"][users[-1]]["content"]
    if isinstance(content, str):
        return put(params, path, f"{content}\n\n{text}" if content else text)
    return put(params, path, [*content, {"type": "text", "text": text}])
