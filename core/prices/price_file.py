"""The price book as a file, TOML or CSV: every row with its days and its source, to read, keep and bring in again."""

import csv
import io
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from core.errors import LotwiseError
from core.prices.acceptance import CURRENCY, in_usd
from core.prices.contract import KINDS, ContractPrice
from core.prices.rates import PriceRow
from core.spreadsheets import csv_of

PACKAGED, LIST, CONTRACT = "packaged", "list", "contract"
"""Where a row comes from: it came with Lotwise, it is a list price that was added, or it was agreed."""
_CLIFF = ("above_tokens", "above_input", "above_output")
_TEXTS = ("kind", "model", "source", "note", "currency", "checked")
COLUMNS = (
    "kind",
    "model",
    "first_day",
    "last_day",
    "discount",
    *KINDS,
    *_CLIFF,
    "currency",
    "source",
    "checked",
    "note",
)
"""Days are UTC and both included; prices in USD per million tokens (per thousand searches) of standard requests."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ROW = re.compile(r"^\s*\[\[\s*price\s*\]\]")
_ESCAPED = re.compile(r"^'(?=[\s\x00\u200b\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
Row = Mapping[str, Any]


class PriceFileRefused(LotwiseError):
    """This price file cannot be used, so nothing of it was taken in. Correct the line that is named."""


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """One row of a price file, and the line at which it begins."""

    line: int
    kind: str
    terms: ContractPrice
    """Its prices; those of a packaged row too."""
    cliff: Mapping[str, Decimal]
    """What it says of a cliff, which only a packaged row can have."""

    def came(self, ours: Row | None) -> bool:
        """Whether all that it says is said by the packaged row `ours` too."""
        said = {"discount": self.terms.discount, "last_day": self.terms.last_day, **self.terms.prices, **self.cliff}
        return ours is not None and all(value in (None, ours.get(name)) for name, value in said.items())


def packaged_row(row: PriceRow) -> dict[str, Any]:
    """A row that came with Lotwise as it stands in a file."""
    prices = row.list_prices()
    cliff = row.above
    return {
        "kind": PACKAGED,
        "model": row.model,
        "first_day": row.valid_from.date(),
        "last_day": row.valid_to.date() - timedelta(1) if row.valid_to else None,
        **prices,
        "above_tokens": cliff.min_input_tokens - 1 if cliff else None,
        "above_input": cliff.input if cliff else None,
        "above_output": cliff.output if cliff else None,
        "source": row.source,
        "checked": row.checked,
    }


def kept_row(terms: ContractPrice) -> dict[str, Any]:
    """An added row as it stands in a file."""
    return {
        "kind": LIST if terms.listed else CONTRACT,
        "model": terms.model,
        "first_day": terms.first_day,
        "last_day": terms.last_day,
        "discount": terms.discount,
        **terms.prices,
        "source": terms.source,
        "checked": terms.added_on,
        "note": terms.note or None,
    }


def as_csv(rows: Iterable[Row]) -> str:
    """The rows as CSV, its texts inert in a spreadsheet."""
    texts = [{name: _text(row.get(name)) for name in COLUMNS} | {"currency": CURRENCY} for row in rows]
    return csv_of(pl.DataFrame(texts, schema=dict.fromkeys(COLUMNS, pl.String)))


def as_toml(rows: Iterable[Row]) -> str:
    """The rows as TOML."""
    lines = [
        "# Prices in USD per million tokens (web_search: per thousand) of standard requests; days are UTC, both",
        "# included; discount is a share: 0.18 = 18 % off.",
        "# kind: packaged = came with Lotwise; list = a list price that was added; contract = what was agreed.",
        f'currency = "{CURRENCY}"',
    ]
    for row in rows:
        lines += ["", "[[price]]"]
        lines += [f"{name} = {_literal(row[name])}" for name in COLUMNS if row.get(name) not in (None, "")]
    return "\n".join(lines) + "\n"


def read_price_file(text: str, *, toml: bool) -> tuple[FileRow, ...]:
    """The rows of a price file. Raises `PriceFileRefused`, or `NotUsd`, with the line."""
    found = _toml_rows(text) if toml else _csv_rows(text)
    return tuple(_file_row(line, row) for line, row in found)


def _toml_rows(text: str) -> Iterator[tuple[int, Row]]:
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise PriceFileRefused(why=str(error)) from error
    except (ValueError, InvalidOperation, RecursionError) as error:
        raise PriceFileRefused(why="a number in it is too long, or it is nested too deeply") from error
    rows = document.get("price", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise PriceFileRefused(why="rows begin with [[price]]")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if _ROW.match(line)]
    lines += [0] * (len(rows) - len(lines))
    currency = document.get("currency", CURRENCY)
    yield from ((line, {"currency": currency, **row}) for line, row in zip(lines, rows, strict=False))


def _csv_rows(text: str) -> Iterator[tuple[int, Row]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    line = 1
    try:
        if missing := {"kind", "model", "first_day"} - set(reader.fieldnames or ()):
            raise PriceFileRefused(line=line, why=f"the header does not name {', '.join(sorted(missing))}")
        if twice := sorted(name for name, times in Counter(reader.fieldnames).items() if times > 1):
            raise PriceFileRefused(line=line, why=f"the header names {', '.join(twice)} twice")
        for row in reader:
            line = reader.line_num
            if None in row or None in row.values():
                raise PriceFileRefused(line=line, why="it has not as many cells as the header")
            yield line, {name: _ESCAPED.sub("", cell) for name, cell in row.items() if cell != ""}
    except csv.Error as error:
        raise PriceFileRefused(line=line + 1, why=str(error)) from error


def _file_row(line: int, row: Row) -> FileRow:
    if unknown := sorted(set(row) - set(COLUMNS)):
        raise PriceFileRefused(
            line=line, why=f"it has no {', '.join(unknown)}: what it may have is {', '.join(COLUMNS)}"
        )
    words = {name: _word(line, name, row.get(name, "")) for name in _TEXTS}
    try:
        in_usd(words["currency"] or CURRENCY)
    except LotwiseError as error:
        raise type(error)(line=line, **error.context) from error
    if words["kind"] not in (PACKAGED, LIST, CONTRACT):
        raise PriceFileRefused(
            line=line, why=f"kind is one of {PACKAGED}, {LIST} and {CONTRACT}, not {words['kind']!r}"
        )
    first_day = _day(line, "first_day", row.get("first_day"))
    if first_day is None or not words["model"]:
        raise PriceFileRefused(line=line, why="a row needs a model and a first_day")
    cliff = {name: _number(line, name, row[name]) for name in _CLIFF if name in row}
    if cliff and words["kind"] != PACKAGED:
        why = (
            f"only what came with Lotwise has a cliff, and what is agreed rises at it too: leave out {', '.join(cliff)}"
        )
        raise PriceFileRefused(line=line, why=why)
    return FileRow(
        line=line,
        kind=words["kind"],
        cliff=cliff,
        terms=ContractPrice(
            model=words["model"],
            listed=words["kind"] == LIST,
            discount=_number(line, "discount", row["discount"]) if "discount" in row else None,
            prices={kind: _number(line, kind, row[kind]) for kind in KINDS if kind in row},
            first_day=first_day,
            last_day=_day(line, "last_day", row.get("last_day")),
            source=words["source"],
            note=words["note"],
        ),
    )


def _word(line: int, name: str, value: object) -> str:
    if not isinstance(value, str | date):
        raise PriceFileRefused(line=line, why=f"{name} is a text, not {value!r}")
    return str(value).strip()


def _number(line: int, name: str, value: object) -> Decimal:
    sound = type(value) in (int, Decimal) or (isinstance(value, str) and _NUMBER.fullmatch(value))
    number = Decimal(value) if sound else Decimal("NaN")  # type: ignore[arg-type]
    if not number.is_finite():
        raise PriceFileRefused(line=line, why=f"{name} is a number, not {value!r}")
    return number


def _day(line: int, name: str, value: object) -> date | None:
    if value is None or type(value) is date:
        return value
    try:
        if not _DAY.fullmatch(str(value)):
            raise ValueError
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise PriceFileRefused(line=line, why=f"{name} is a day such as 2026-11-22, not {value!r}") from error


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return _plain(value) if isinstance(value, Decimal) else str(value)


def _literal(value: Any) -> str:
    if isinstance(value, Decimal):
        return _plain(value)
    return str(value) if isinstance(value, int | date) else _quoted(str(value))


def _plain(number: Decimal) -> str:
    """A number without exponent and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda sign: f"\\u{ord(sign[0]):04x}", escaped) + '"'
