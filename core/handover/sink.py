"""A sink: where results are handed over to, named by a path whose ending says its kind."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from core.errors import LotwiseError

_TABLE = "results"
_DUCKDB = re.compile(r"(?P<path>.+\.(?:duckdb|db))(?::(?P<table>[A-Za-z_][A-Za-z0-9_]{0,62}))?")


class UnknownSink(LotwiseError):
    """The name says no kind of sink. Use a folder, NAME.parquet for one of Parquet files, NAME.jsonl or NAME.duckdb."""


class SinkInside(LotwiseError):
    """A sink may not lie among the workspace's own files. Use its `delivered` folder, or a path outside."""


class SinkOutside(LotwiseError):
    """From the page, results go to the workspace's `delivered` folder only. For another place use `deliver --to`."""


class SinkKind(StrEnum):
    """What a sink is."""

    PARQUET = "parquet"
    """A folder to which part files are added."""
    JSON_LINES = "jsonl"
    """A file to which lines are appended."""
    DUCKDB = "duckdb"
    """A table of a DuckDB file, one row an item."""


@dataclass(frozen=True, kw_only=True)
class Sink:
    """One sink; `table` only where the kind is DuckDB."""

    kind: SinkKind
    path: Path
    table: str | None = None

    @classmethod
    def named(cls, target: str) -> Self:
        """The sink that `target` names: a folder, `DIR.parquet`, `FILE.jsonl`, `FILE.duckdb` or `FILE.duckdb:TABLE`.

        Links in the path are followed. Raises `UnknownSink`.
        """
        if "\0" in target or not target.strip():
            raise UnknownSink(sink=target)
        if found := _DUCKDB.fullmatch(target):
            path = Path(found["path"]).resolve()
            return cls(kind=SinkKind.DUCKDB, path=path, table=found["table"] or _TABLE)
        path = Path(target).resolve()
        if path.name.lower().endswith((".jsonl", ".ndjson")) and not path.is_dir():
            return cls(kind=SinkKind.JSON_LINES, path=path)
        if path.is_dir() or (path.suffix.lower() in ("", ".parquet") and not path.exists()):
            return cls(kind=SinkKind.PARQUET, path=path)
        raise UnknownSink(sink=target)

    @classmethod
    def stored(cls, kind: str, target: str) -> Self:
        """The sink of that name in the store: what lies at its path now does not change its kind."""
        if kind != SinkKind.DUCKDB:
            return cls(kind=SinkKind(kind), path=Path(target))
        path, _, table = target.rpartition(":")
        return cls(kind=SinkKind.DUCKDB, path=Path(path), table=table)

    @property
    def target(self) -> str:
        """Its name in the store: the same sink has one name, however it was asked for."""
        return f"{self.path}:{self.table}" if self.table else str(self.path)

    def confined(self, folder: Path) -> Self:
        """This sink, if it may lie where it does beside the workspace in `folder`. Raises `SinkInside`."""
        if self.path.resolve().is_relative_to(folder) and not self._delivered(folder):
            raise SinkInside(sink=self.path)
        return self

    def below(self, folder: Path) -> Self:
        """This sink, if it lies in the `delivered` folder of the workspace in `folder`. Raises `SinkOutside`."""
        if not self._delivered(folder):
            raise SinkOutside(sink=self.path)
        return self

    def _delivered(self, folder: Path) -> bool:
        path, allowed = self.path.resolve(), delivered_folder(folder)
        return path != allowed and path.is_relative_to(allowed)


def delivered_folder(folder: Path) -> Path:
    """The one folder of a workspace in which sinks may lie."""
    return folder / "delivered"
