"""Amounts and days on the command line: argparse makes wrong usage of what they refuse."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import date


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number from `least` on, up to `most` where that is given."""

    def number(text: str) -> int:
        value = int(text)
        if value < least or (most is not None and value > most):
            raise ValueError(text)
        return value

    return number


def amount(text: str) -> float:
    """A finite amount above nothing."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def share(text: str) -> float:
    """A share above nothing and below all."""
    value = float(text)
    if not 0 < value < 1:
        raise ValueError(text)
    return value


def utc_day(text: str) -> str:
    """A day as 2026-11-01, in the form in which it travels to the process that owns the workspace."""
    try:
        day = date.fromisoformat(text).isoformat()
        if day != text:  # 20261001 and 2026-W40 are such days too, but hardly what was meant
            raise ValueError(text)
        return day
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a day like 2026-11-01") from error
