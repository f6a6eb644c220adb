"""Figures in words, for alternative texts: money, shares, days."""

from collections.abc import Sequence
from datetime import date

_SMALL = 0.01
_LARGE = 1_000


def usd(amount: float) -> str:
    """Dollars with as many digits as the amount deserves: $0.0042, $3.18, $12,400."""
    if amount < 0:
        return f"-{usd(-amount)}"
    if amount == 0:
        return "$0"
    if amount < _SMALL:
        return f"${amount:.2g}"
    return f"${amount:,.0f}" if amount >= _LARGE else f"${amount:,.2f}"


def percent(share: float) -> str:
    """A share as whole percent: 0.974 is 97 %."""
    return f"{share * 100:.0f} %"


def day(when: date) -> str:
    """A day as people write it: 2 Nov 2026."""
    return f"{when.day} {when:%b %Y}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: 1 job, 1,204 jobs."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listing(parts: Sequence[str]) -> str:
    """Parts in one sentence: a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
