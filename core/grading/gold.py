"""Gold answers: what is right, by item, from a file."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from core.errors import LotwiseError
from core.grading.part import NoSuchPart, canonical, json_of
from core.requests.lines import FileTornApart, FileUnreadable, Oversize, read_lines

ITEM_COLUMNS = ("item_id", "custom_id", "item", "id")
GOLD_COLUMNS = ("gold", "answer", "label", "expected")
_TABLES = (".csv", ".parquet")
_LINES = (".jsonl", ".ndjson")


class GoldUnusable(LotwiseError):
    """These gold answers cannot be used, so nothing was graded by them. Correct the file as said and give it again."""


@dataclass(frozen=True, kw_only=True)
class MatchedGold:
    """Gold answers of known items; how many belong to no known item, and how many items have none."""

    gold: dict[str, str]
    unknown: int
    missing: int


def read_gold(path: Path) -> dict[str, str]:
    """Item ids and their gold answers: a .csv, .parquet or .jsonl file with a column of each.

    Columns: item_id (or custom_id, item, id) and gold (or answer, label, expected). A value that is no text stands as
    canonical JSON; a row without gold is not labelled yet and left out. Raises `GoldUnusable`.
    """
    gold: dict[str, str] = {}
    rows = 0
    for item, value in _rows(path):
        rows += 1
        if value is None or value == "":
            continue
        if gold.setdefault(item, value) != value:
            raise GoldUnusable(file=path.name, item=item, why="this item has two different gold answers")
    if not gold:
        raise GoldUnusable(file=path.name, rows=rows, why="it holds no gold answer")
    return gold


def matched_gold(gold: Mapping[str, str], items: Collection[str]) -> MatchedGold:
    """The gold answers of these items. Raises `GoldUnusable` where there is not one."""
    known = {item: gold[item] for item in items if item in gold}
    if not known:
        raise GoldUnusable(gold=len(gold), items=len(items), why="not one of its items is among those of the class")
    return MatchedGold(gold=known, unknown=len(gold) - len(known), missing=len(items) - len(known))


def _rows(path: Path) -> Iterator[tuple[str, str | None]]:
    ending = path.suffix.lower()
    if ending in _TABLES:
        rows = _table(path, ending).iter_rows(named=True)
    elif ending in _LINES:
        rows = _lines(path)
    else:
        raise GoldUnusable(file=path.name, why=f"its name must end with one of {', '.join((*_TABLES, *_LINES))}")
    for number, row in enumerate(rows, 1):
        item, value = _column(row, ITEM_COLUMNS, path), _column(row, GOLD_COLUMNS, path)
        if row[item] in (None, ""):
            raise GoldUnusable(file=path.name, row=number, why=f"its {item} is empty")
        yield str(row[item]), _text(row[value])


def _table(path: Path, ending: str) -> pl.DataFrame:
    try:
        if ending == ".csv":
            return pl.read_csv(path, infer_schema=False, glob=False)
        return pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise GoldUnusable(file=path.name, why=str(error).partition("\n")[0]) from error


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for number, line in enumerate(read_lines(path), 1):
            if isinstance(line, Oversize):
                line.spool.close()
                raise GoldUnusable(file=path.name, line=number, why="this line is longer than a request may be")
            if not line.strip():
                continue
            row = json_of(line.decode())
            if not isinstance(row, dict):
                raise GoldUnusable(file=path.name, line=number, why="it is no JSON object")
            yield row
    except (NoSuchPart, UnicodeDecodeError) as error:
        raise GoldUnusable(file=path.name, line=number, why="it is no JSON object") from error
    except (FileUnreadable, FileTornApart) as error:
        raise GoldUnusable(file=path.name, why=error.message) from error


def _column(row: Mapping[str, Any], names: tuple[str, ...], path: Path) -> str:
    found = next((name for name in names if name in row), None)
    if found is None:
        raise GoldUnusable(file=path.name, columns=", ".join(row), why=f"it has no column {' or '.join(names)}")
    return found


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else canonical(value)
