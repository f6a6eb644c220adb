"""Outcomes of answers as somebody recorded them: checked, since a wrong row would be a wrong verdict."""

import polars as pl

from core.errors import LotwiseError
from core.routing.verdict import Bar


class NoOutcomes(LotwiseError):
    """There is not one outcome here, so there is nothing to rule on. Give at least one row under the header."""


class MissingColumn(LotwiseError):
    """A column is missing. Outcomes have the columns order and correct, and for a margin also reference."""


class NotAnOutcome(LotwiseError):
    """An outcome is neither 0 (wrong) nor 1 (right). Leave rows that nobody could label out; never leave them blank."""


class NoOrder(LotwiseError):
    """A row has no order, so nobody can say which labels came before it. Number the rows as they were drawn."""


class ContradictoryOutcomes(LotwiseError):
    """One order has two different outcomes, and only one can be true. Find out which one, and delete the other."""


class DuplicateOutcomes(LotwiseError):
    """One order is there more than once, with the same outcome. Each label counts once: delete the copies."""


def outcomes_of(table: pl.DataFrame, bar: Bar) -> pl.DataFrame:
    """The outcomes that a bar is about, sorted: columns order, correct (0 or 1), and reference for a margin.

    `order` is sorted as numbers where all are numbers, else as text; other columns are left out. Raises the errors
    above, with the first order that they are about.
    """
    names = ("correct",) if bar.rate is not None else ("correct", "reference")
    if missing := [name for name in ("order", *names) if name not in table.columns]:
        raise MissingColumn(missing=", ".join(missing), found=", ".join(table.columns))
    if table.is_empty():
        raise NoOutcomes
    rows = table.select(_order(table["order"]), *(_outcome(table[name]) for name in names))
    _refuse_unknown(table, rows)
    rows = rows.sort("order")
    _refuse_twice(rows)
    return rows


def _order(found: pl.Series) -> pl.Series:
    """As numbers, exact ones if possible, or as they are; null where there is none."""
    if found.dtype.is_float():
        return found.fill_nan(None)
    if found.dtype.is_integer() or found.dtype.is_temporal():
        return found
    texts = _texts(found)
    for kind in (pl.Int64, pl.Float64):
        numbers = texts.cast(kind, strict=False)
        if numbers.null_count() == texts.null_count():
            return numbers
    return texts


def _outcome(found: pl.Series) -> pl.Series:
    """0 or 1, or null where it is neither."""
    numbers = (found if found.dtype.is_numeric() or found.dtype == pl.Boolean else _texts(found)).cast(
        pl.Float64, strict=False
    )
    return numbers.set(~numbers.is_in([0.0, 1.0]), None).cast(pl.Int8)


def _texts(found: pl.Series) -> pl.Series:
    """What the cells say; null for blanks, and for lists and structures."""
    if found.dtype.is_nested() or found.dtype in (pl.Binary, pl.Object):
        return pl.Series(found.name, [None] * found.len(), dtype=pl.String)
    texts = found.cast(pl.String).str.strip_chars()
    return texts.set(texts == "", None)


def _refuse_unknown(table: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Name the first cell that says nothing."""
    for name in rows.columns:
        unknown = rows[name].is_null().arg_true()
        if unknown.len():
            row = int(unknown[0])
            if name == "order":
                raise NoOrder(row=row + 1)
            given = table[name][row]
            raise NotAnOutcome(column=name, order=table["order"][row], value="blank" if given is None else given)


def _refuse_twice(rows: pl.DataFrame) -> None:
    """An order names one item: it was labelled once."""
    twice = rows.filter(pl.col("order").is_duplicated())
    if twice.is_empty():
        return
    different = twice.group_by("order", maintain_order=True).agg(
        pl.struct(pl.exclude("order")).n_unique().alias("ways")
    )
    if (contradictory := different.filter(pl.col("ways") > 1)).height:
        raise ContradictoryOutcomes(order=contradictory["order"][0])
    raise DuplicateOutcomes(order=twice["order"][0])
