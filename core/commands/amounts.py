"""Amounts on the command line: argparse makes wrong usage of what they refuse."""

from collections.abc import Callable


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
