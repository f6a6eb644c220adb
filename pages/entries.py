"""Entries of the audit log: what one is about, in words, and all of them as a file."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from core import actions
from core.workspace import Workspace


def subject(text: str) -> str:
    """What an entry is about, in one line."""
    named: dict[str, Any] = orjson.loads(text)
    return "; ".join(
        f"{name.replace('_', ' ')} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in named.items()
    )


def whole_log(opened: Workspace) -> bytes:
    """The log as CSV; that it was taken is its last entry but one."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "log.csv"
        actions.export(opened, "audit", file)
        return file.read_bytes()
