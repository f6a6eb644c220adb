"""Text for spreadsheets, which run a cell that looks like a formula wherever its text came from."""

import polars as pl

# What OWASP names under CSV injection, the full-width signs too; some programs strip blanks before they look.
_FORMULA = "^([\\s\\x00\u200b\u2060\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\\t\\r\\n])"


def inert(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before every text that a spreadsheet could run.

    Numbers and times stay what they are: a negative number is no formula. The columns' names are Lotwise's own.
    """
    return frame.with_columns(pl.selectors.string().str.replace(_FORMULA, "'${1}"))


def csv_of(frame: pl.DataFrame) -> str:
    """The frame as CSV that is safe to open in a spreadsheet."""
    return inert(frame).write_csv()
