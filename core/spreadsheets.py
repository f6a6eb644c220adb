"""Rows for spreadsheets, which run a cell that looks like a formula wherever its text came from."""

import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

SHEET_ROWS = 1_048_575
"""Rows that a worksheet holds below its header (Excel specifications and limits)."""
_SHEET_NAME = 31
"""Characters of a worksheet's name, at most."""

# What OWASP names under CSV injection, the full-width signs too; some programs strip blanks before they look.
_FORMULA = "^([\\s\\x00\u200b\u2060\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\\t\\r\\n])"


def inert(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before every text that a spreadsheet could run.

    Numbers and times stay what they are: a negative number is no formula. The columns' names are Lotwise's own.
    """
    return frame.with_columns(pl.selectors.string().str.replace(_FORMULA, "'${1}"))


def csv_of(frame: pl.DataFrame) -> str:
    """The frame as CSV that is safe to open in a spreadsheet."""
    return inert(_flat(frame)).write_csv()


def xlsx_of(sheets: Mapping[str, pl.DataFrame], *, made_at: datetime) -> bytes:
    """The frames as worksheets of one workbook: days, times and amounts typed, texts that run nowhere.

    Times are UTC, as in the store. A spreadsheet keeps 15 digits of a number; CSV keeps them all. The same frames
    and the same `made_at` give the same bytes. No frame may have more than `SHEET_ROWS` rows.
    """
    # Imported here, where it is used: pages load without it.
    import xlsxwriter  # noqa: PLC0415

    file = io.BytesIO()
    as_written = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, {"in_memory": True, **as_written}) as book:
        book.set_properties({"created": made_at.replace(tzinfo=None)})
        for name, frame in sheets.items():
            typed = inert(_flat(frame)).with_columns(
                pl.selectors.datetime(time_zone="*").dt.convert_time_zone("UTC").dt.replace_time_zone(None),
            )
            typed.write_excel(book, worksheet=name[:_SHEET_NAME], column_formats=_FORMATS, freeze_panes=(1, 0))
    return file.getvalue()


# Every digit of an amount that a cell holds is shown: three decimals would make a cost per item nothing.
_FORMATS: Any = {
    pl.selectors.date(): "yyyy-mm-dd",
    pl.selectors.datetime(): "yyyy-mm-dd hh:mm:ss",
    pl.selectors.decimal(): "#,##0.00##########",
    pl.selectors.float(): "General",
    pl.selectors.integer(): "#,##0",
}


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists, structs and maps as JSON text: a cell holds one value."""
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    return frame.with_columns(
        pl.when(pl.col(name).is_not_null())
        .then(pl.struct(name).struct.json_encode().str.strip_prefix(f'{{"{name}":').str.strip_suffix("}"))
        .alias(name)
        for name in nested
    )
