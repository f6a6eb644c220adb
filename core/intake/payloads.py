"""Request parameters on disk: one file an import, parameters back to back, found by offset and length."""

import os
from pathlib import Path
from typing import IO, Any, Self

import orjson

from core.confinement import named
from core.errors import LotwiseError


def without_marks(params: dict[str, Any]) -> dict[str, Any]:
    """Take every cache mark out of the parameters (in place): where to mark is the plan's to say."""
    params.pop("cache_control", None)
    groups = [
        params.get("tools"),
        params.get("system"),
        *(message["content"] for message in params["messages"]),
    ]
    for blocks in groups:
        if isinstance(blocks, list):
            for block in blocks:
                block.pop("cache_control", None)
    return params


class PayloadsMissing(LotwiseError):
    """The requests of an import are no longer on disk. Import its file again with --replace: what waits is restored."""


class PayloadWriter:
    """Appends parameters to the payload file of one import."""

    def __init__(self, folder: Path, import_id: str) -> None:
        self._path = payload_path(folder, import_id)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = self._path.open("ab")
        self._offset = self._file.tell()

    def append(self, payloads: list[bytes]) -> list[int]:
        """Write the payloads and return their offsets; they are on disk before this returns."""
        offsets = []
        for payload in payloads:
            offsets.append(self._offset)
            self._offset += len(payload)
        self._file.writelines(payloads)
        self._file.flush()
        os.fsync(self._file.fileno())
        return offsets

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self._offset:
            self._path.unlink()


class PayloadReader:
    """Reads parameters back; keeps the files open that it has used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}

    def read(self, import_id: str, offset: int, size: int) -> bytes:
        """The parameters at this place, as JSON."""
        file = self._files.get(import_id)
        if file is None:
            try:
                file = payload_path(self._folder, import_id).open("rb")
            except FileNotFoundError as error:
                raise PayloadsMissing(file=payload_path(self._folder, import_id)) from error
            self._files[import_id] = file
        file.seek(offset)
        return file.read(size)

    def params(self, import_id: str, offset: int, size: int) -> dict[str, Any]:
        """The parameters at this place, parsed."""
        params: dict[str, Any] = orjson.loads(self.read(import_id, offset, size))
        return params

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()


def payload_path(folder: Path, import_id: str) -> Path:
    """Where the payloads of an import lie in a workspace folder."""
    return named(folder / "requests", f"{import_id}.jsonl")
