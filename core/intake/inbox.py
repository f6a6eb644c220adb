"""The inbox: a folder of the workspace that is watched; what lies in it goes in and moves to `imported/` beside it.

A subfolder named as a tag (`inbox/team=search/`) tags what lies in it, and so do folders of such names in that one.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from core.confinement import fit_name
from core.intake.tags import TAG_SIGN, Tags, parse_tags
from core.requests.files import SUFFIXES, EmptyFile

# A file still being written changes: it must have been left alone for this long.
_QUIET_SECONDS = 2.0
_COPY_BYTES = 1 << 20


def inbox_folder(folder: Path) -> Path:
    """The inbox of a workspace folder."""
    return folder / "inbox"


def is_in_inbox(folder: Path, path: Path) -> bool:
    """Whether a path as it is written leads into the inbox of a workspace folder."""
    return path.is_relative_to(inbox_folder(folder))


def tags_of(folder: Path, path: Path) -> Tags:
    """The tags that the folders give in which a file of the inbox lies. Raises `TagInvalid`."""
    return parse_tags(path.relative_to(inbox_folder(folder)).parent.parts)


def waiting_files(folder: Path, *, clock_seconds: float | None = None) -> Iterator[Path]:
    """Request files in the inbox that nobody has written to for two seconds, in name order, folder by folder."""
    now = time.time() if clock_seconds is None else clock_seconds
    inbox = inbox_folder(folder)
    yield from _waiting(inbox, now) if inbox.is_dir() else ()


def _waiting(inbox: Path, now: float) -> Iterator[Path]:
    entries = sorted(inbox.iterdir())
    for path in entries:
        if path.name.endswith(SUFFIXES) and path.is_file() and abs(now - path.stat().st_mtime) >= _QUIET_SECONDS:
            yield path
    for path in entries:
        if TAG_SIGN in path.name and path.is_dir() and not path.is_symlink():
            yield from _waiting(path, now)


def put_away(path: Path) -> Path:
    """Move an imported file to `imported/` beside it, under a new name where that one is taken; nothing is deleted."""
    done = path.parent / "imported"
    done.mkdir(exist_ok=True)
    target, number = done / path.name, 1
    while target.exists():
        number += 1
        target = done / f"{number}-{path.name}"
    return path.rename(target)


def accept(folder: Path, name: str, file: IO[bytes]) -> Path:
    """Copy an uploaded file into the inbox under its own name made fit, visible only once it is whole.

    Raises `EmptyFile` for one of no bytes.
    """
    inbox = inbox_folder(folder)
    inbox.mkdir(parents=True, exist_ok=True)
    safe = fit_name(name)
    safe = safe if safe.endswith(SUFFIXES) else f"{safe}.jsonl"
    target, number = inbox / safe, 1
    while target.exists():
        number += 1
        target = inbox / f"{number}-{safe}"
    part = target.with_name(f".{target.name}.part")
    with part.open("wb") as copy:
        shutil.copyfileobj(file, copy, _COPY_BYTES)
    if part.stat().st_size == 0:
        part.unlink()
        raise EmptyFile(file=name)
    return part.rename(target)
