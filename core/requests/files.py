"""Which files a path stands for: itself, or every request file of a folder."""

from collections.abc import Iterable
from pathlib import Path

from core.errors import LotwiseError

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst")


class NoSuchFile(LotwiseError):
    """There is no file or folder at this path. Check the spelling; relative paths start at the working folder."""


class NothingToRead(LotwiseError):
    """This folder holds no request file. Put .jsonl files there (also .jsonl.gz or .jsonl.zst), or name a file."""


class NotAFile(LotwiseError):
    """This is no file that ends, but a device or a pipe. Name a file, or a folder with files."""


class EmptyFile(LotwiseError):
    """This file is empty, so there is nothing to import. Check that the export that wrote it has finished."""


def request_files(paths: Iterable[Path]) -> list[Path]:
    """Expand folders (not their subfolders) to the request files in them, in name order; keep files as they are.

    Raises `NoSuchFile`, `NothingToRead` for a folder without request files, `NotAFile` for a device or pipe,
    `EmptyFile` for a file of no bytes.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.name.endswith(SUFFIXES) and entry.is_file())
            if not inside:
                raise NothingToRead(folder=path)
            found += inside
        elif not path.exists():
            raise NoSuchFile(path=path)
        elif not path.is_file():
            raise NotAFile(path=path)
        elif path.stat().st_size == 0:
            raise EmptyFile(file=path)
        else:
            found.append(path)
    return found
