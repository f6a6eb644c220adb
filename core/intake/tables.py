"""Tables whose rows become prompts: the order of rows and fields with the most to share, and what it is worth."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from core.errors import LotwiseError
from core.grouping.field_order import Ints, best_saving, order_fields, shared_bytes, sort_rows
from core.intake.templates import Segment, Template, parse_template
from core.prices import PriceBook

_ORIGINAL_ROW = "original_row"

NOTES = (
    "Shares are exact, for a cache that never forgets; real caches have a floor, a lifetime and need a primer.",
    "Another order of fields may change what a model answers: try it on a sample that you can judge.",
)
PRICE_NOTES = (
    "Dollars are estimated: input only, tokens from characters, every row at the price of the mean one, each shared "
    "head written once for an hour and then read.",
)


class NotATable(LotwiseError):
    """This file cannot be read as a table. Give a .csv file with a header in UTF-8, or a .parquet file."""


class NoRows(LotwiseError):
    """This table has no rows or no columns, so there is nothing to put in order. Check the query that wrote it."""


class DuplicateColumns(LotwiseError):
    """Two columns have one name, so a placeholder could mean either. Rename one of them."""


class NotUtf8(LotwiseError):
    """This text file is not in UTF-8. Save it as UTF-8 and try again."""


class NotText(LotwiseError):
    """This column holds lists, structures or bytes, which have no one form as text. Turn it into text first, or leave
    it out with a template of your own."""


class UnknownFormat(LotwiseError):
    """The file's ending says how to write it. Use .csv, .parquet or .jsonl."""


class NotWritable(LotwiseError):
    """The file could not be written. Check that its folder exists and may be written to; CSV holds no lists."""


@dataclass(frozen=True, kw_only=True)
class OrderCost:
    """Estimated dollars for the input of all rows as one batch.

    Without caching, cached in the best way with the fields as they are, and cached in the best way in the new order.
    """

    model: str
    uncached_usd: Decimal
    as_is_usd: Decimal
    ordered_usd: Decimal
    cache_floor_tokens: int
    mean_prompt_tokens: int
    price_source: str


@dataclass(frozen=True, kw_only=True)
class FieldOrderReport:
    """The order found, and the share of all prompt bytes that are shared.

    `previous_row_share`: with the row before, as the table is; `sorted_share`: with any row before, fields as they
    are (sorting the rows brings these together); `ordered_share`: the same with the new `template`. `ordered` are
    the rows in their new order, columns by the new template, with their `original_row` (counted from 0).
    """

    rows: int
    fields: tuple[str, ...]
    changed: bool
    exact: bool
    template: str
    prompt_bytes: int
    previous_row_share: float
    sorted_share: float
    ordered_share: float
    cost: OrderCost | None
    notes: tuple[str, ...]
    seconds: float
    ordered: pl.DataFrame

    def document(self) -> dict[str, Any]:
        """All but the rows, for printing."""
        return {
            name: asdict(value) if isinstance(value, OrderCost) else value
            for name, value in vars(self).items()
            if name != "ordered"
        }


def field_order(
    path: Path, template: str | None, *, instructions: str = "", book: PriceBook, model: str | None, now: datetime
) -> FieldOrderReport:
    """The best fixed order of a table's fields, and its rows sorted by it.

    Without a template every column is a line `name: value`; `instructions` stand before every row. With a model the
    order is priced too. Raises the errors above, `UnknownModel` or `UnpricedModel`.
    """
    began = time.perf_counter()
    table = read_table(path)
    before = _default(table) if template is None else parse_template(template, table.columns)
    prompts = _Prompts.render(table, before, instructions)
    found = order_fields(prompts.lengths, prompts.codes, prompts.labels)
    as_is = tuple(range(len(before.segments)))
    shared = {order: prompts.shared(prompts.joined(order).sort()) for order in (as_is, found.fields)}
    # Values that only begin alike count here: the order found must be better in full, or nothing is changed.
    order = max(shared, key=lambda fields: shared[fields])
    after = replace(before, segments=tuple(before.segments[at] for at in order))
    fields = tuple(dict.fromkeys(field for segment in after.segments for field in segment.fields))
    total = prompts.bytes
    return FieldOrderReport(
        rows=table.height,
        fields=fields,
        changed=order != as_is,
        exact=found.exact,
        template=after.text,
        prompt_bytes=total,
        previous_row_share=prompts.shared(prompts.joined(as_is)) / total,
        sorted_share=shared[as_is] / total,
        ordered_share=shared[order] / total,
        cost=None if model is None else _cost(prompts, order, book, model, now),
        notes=NOTES if model is None else (*NOTES, *PRICE_NOTES),
        seconds=round(time.perf_counter() - began, 3),
        ordered=_ordered(table, fields, sort_rows(prompts.codes, order)),
    )


def read_table(path: Path) -> pl.DataFrame:
    """The rows of a CSV file (every value as the text it is) or of a Parquet file.

    Raises `NotATable`, `DuplicateColumns` or `NoRows`.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table = pl.read_parquet(path, glob=False)
        elif path.suffix.lower() == ".csv":
            header = pl.read_csv(path, has_header=False, n_rows=1, infer_schema=False, glob=False).row(0)
            if twice := sorted({str(name) for name in header if header.count(name) > 1}):
                raise DuplicateColumns(file=path, columns=", ".join(twice))
            table = pl.read_csv(path, infer_schema=False, glob=False)
        else:
            raise NotATable(file=path, why="it ends neither with .csv nor with .parquet")
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error).partition("\n")[0]
        raise NotATable(file=path, why=why) from error
    if table.is_empty():
        raise NoRows(file=path)
    return table


def read_text(path: Path) -> str:
    """A template or instructions. Raises `NotUtf8`."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8(file=path) from error


def write_table(table: pl.DataFrame, to: Path) -> None:
    """Write rows as .csv, .parquet or .jsonl, whole or not at all. Raises `UnknownFormat` or `NotWritable`."""
    writers: dict[str, Callable[[Path], object]] = {
        ".csv": table.write_csv,
        ".parquet": table.write_parquet,
        ".jsonl": table.write_ndjson,
    }
    write = writers.get(to.suffix.lower())
    if write is None:
        raise UnknownFormat(file=to.name)
    part = to.with_name(f".{to.name}.part")
    try:
        write(part)
        part.replace(to)
    except (OSError, pl.exceptions.PolarsError) as error:
        with suppress(OSError):
            part.unlink()
        raise NotWritable(file=to, why=str(error).partition("\n")[0]) from error


@dataclass(frozen=True, kw_only=True)
class _Prompts:
    """All rows rendered: per segment its `cells`, and as arrays (segments, rows) their codes and bytes."""

    head: str
    tail: str
    joint: str
    cells: pl.DataFrame
    codes: Ints
    lengths: Ints
    labels: Ints

    @classmethod
    def render(cls, table: pl.DataFrame, template: Template, instructions: str) -> "_Prompts":
        cells = table.select(
            _cell(table, segment, template.joint).alias(str(number)) for number, segment in enumerate(template.segments)
        )
        return cls(
            head=instructions + template.head,
            tail=template.tail,
            joint=template.joint,
            cells=cells,
            codes=np.array([column.rank("dense").cast(pl.Int64).to_numpy() - 1 for column in cells]),
            lengths=np.array([column.str.len_bytes().cast(pl.Int64).to_numpy() for column in cells]),
            labels=np.array([_common(column) for column in cells]),
        )

    @property
    def bytes(self) -> int:
        around = len((self.head + self.tail).encode()) - len(self.joint.encode())
        return int(self.lengths.sum()) + around * self.cells.height

    def joined(self, order: Iterable[int]) -> pl.Series:
        """Each row without the head that all share."""
        cells = [pl.col(str(number)) for number in order]
        prompt = pl.concat_str(*cells).str.strip_suffix(self.joint) + pl.lit(self.tail)
        return self.cells.select(prompt=prompt)["prompt"]

    def shared(self, rows: pl.Series) -> int:
        """Bytes that the prompts share with the one before them."""
        return shared_bytes(rows.cast(pl.Binary).to_list()) + len(self.head.encode()) * (len(rows) - 1)

    def chars(self) -> Ints:
        """Characters per segment and row."""
        return np.array([column.str.len_chars().cast(pl.Int64).to_numpy() for column in self.cells])


def _cost(prompts: _Prompts, order: Sequence[int], book: PriceBook, model: str, now: datetime) -> OrderCost:
    listed = book.model(model)
    chars = prompts.chars()
    heads = np.full((1, chars.shape[1]), len(prompts.head))
    tokens = (len(prompts.head) + len(prompts.tail) - len(prompts.joint) + chars.sum(axis=0)) / listed.chars_per_token
    mean = round(float(tokens.mean()))
    rates = book.rates(listed.id, at=now, total_input_tokens=mean)

    def usd(saved: float) -> Decimal:
        return rates.input * round(float(tokens.sum()) - saved)

    def saving(fields: Sequence[int]) -> float:
        rows = sort_rows(prompts.codes, fields)
        depths = np.cumsum(np.vstack([heads, chars[list(fields)][:, rows]]), axis=0) / listed.chars_per_token
        return best_saving(
            depths,
            prompts.codes[list(fields)][:, rows],
            write=float(rates.cache_write_1h / rates.input),
            read=float(rates.cache_read / rates.input),
            floor=listed.cache_floor_tokens,
        )

    return OrderCost(
        model=listed.id,
        uncached_usd=usd(0),
        as_is_usd=usd(saving(range(len(order)))),
        ordered_usd=usd(saving(order)),
        cache_floor_tokens=listed.cache_floor_tokens,
        mean_prompt_tokens=mean,
        price_source=rates.source,
    )


def _ordered(table: pl.DataFrame, fields: Sequence[str], rows: Ints) -> pl.DataFrame:
    """The rows in order, what the template names first and in its order, and where each row stood."""
    name = _ORIGINAL_ROW
    while name in table.columns:
        name += "_"
    others = [column for column in table.columns if column not in fields]
    return table.select(*fields, *others).with_row_index(name)[rows]


def _default(table: pl.DataFrame) -> Template:
    segments = (Segment(texts=(f"{name}: ", ""), fields=(name,)) for name in table.columns)
    return Template(head="", segments=tuple(segments), tail="\n")


def _cell(table: pl.DataFrame, segment: Segment, joint: str) -> pl.Expr:
    """A segment filled in for every row, with what parts it from the next; what is missing is empty."""
    parts: list[pl.Expr] = [pl.lit(segment.texts[0])]
    for field, text in zip(segment.fields, segment.texts[1:], strict=True):
        kind = table.schema[field]
        if kind.is_nested() or kind in (pl.Binary, pl.Object):
            raise NotText(column=field, type=str(kind))
        parts += [pl.col(field).cast(pl.String).fill_null(""), pl.lit(text)]
    return pl.concat_str(*parts, pl.lit(joint))


def _common(cells: pl.Series) -> int:
    """Bytes that all cells begin with: the first and the last in byte order differ soonest."""
    return shared_bytes([str(cells.min()).encode(), str(cells.max()).encode()])
