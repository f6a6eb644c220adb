"""A workspace keeps to itself: what lies in its folder is its owner's alone, and no name leads out of it."""

import re
from pathlib import Path

from core.errors import LotwiseError

# Where prompts, outputs and copies of both lie.
_PRIVATE = ("inbox", "requests", "jobs", "results", "rejects")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
# What no file system and no terminal should meet in a file's name: control and formatting characters, separators.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff/\\:]")
# File systems take 255 bytes, and a number and an ending may be added.
_NAME_BYTES = 200


class OutsideWorkspace(LotwiseError):
    """This leads out of the workspace, so it was not touched. Put the file itself into the workspace's inbox."""


def make_private(folder: Path) -> None:
    """Make the workspace folder and those in it that hold prompts and outputs, readable by their owner only.

    A folder that is there already keeps its rights, as its owner chose them.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in _PRIVATE:
        (folder / name).mkdir(mode=0o700, exist_ok=True)


def named(folder: Path, name: str) -> Path:
    """The file `name` directly in `folder`, for names made of ids. Raises `OutsideWorkspace` for any other name."""
    if _NAME.fullmatch(name) is None:
        raise OutsideWorkspace(name=name)
    return folder / name


def within(folder: Path, path: Path) -> Path:
    """The path itself, where it stays in `folder` with every link followed. Raises `OutsideWorkspace`."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise OutsideWorkspace(path=path)
    return path


def fit_name(name: str) -> str:
    """A name of unknown origin as one that any file system takes: its last part, short, without odd characters."""
    last = _UNFIT.sub("_", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(" .")
    return last.encode(errors="replace")[-_NAME_BYTES:].decode(errors="ignore") or "unnamed"
