"""Numbers in texts, as people and models write them."""

import re
from decimal import Decimal
from typing import Literal

from core.grading.part import NoSuchPart

DecimalMark = Literal[".", ","]
Place = Literal["first", "last"]


def _pattern(mark: DecimalMark) -> re.Pattern[str]:
    """Thousands are parted by the other mark, by apostrophes, or by spaces that do not break.

    A number neither goes on to the left as a name does (`Q4`) nor to the right behind a mark: `1,5` is none where the
    point is the decimal mark, as it would be read as another number than was meant.
    """
    group = r"[.'’\u00a0\u2009\u202f]" if mark == "," else r"[,'’\u00a0\u2009\u202f]"
    return re.compile(
        r"(?<![\w.,])(?P<sign>[-+−][$€£¥]?)?"
        rf"(?:(?P<whole>\d{{1,3}}(?:{group}\d{{3}})+|\d+)(?:{re.escape(mark)}(?P<rest>\d+))?"
        rf"|{re.escape(mark)}(?P<only>\d+))"
        r"(?:[eE](?P<power>[-+]?\d{1,3}))?(?!\d|[.,]\d)(?P<percent>\s?%)?"
    )


_NUMBERS: dict[DecimalMark, re.Pattern[str]] = {".": _pattern("."), ",": _pattern(",")}


def number_in(text: str, *, take: Place = "last", decimal: DecimalMark = ".") -> Decimal:
    """The first or last number of a text; with a percent sign a hundredth of it. Raises `NoSuchPart`."""
    found = list(_NUMBERS[decimal].finditer(text))
    if not found:
        raise NoSuchPart("holds no number")
    number = found[-1 if take == "last" else 0]
    whole = "".join(character for character in number["whole"] or "0" if character.isdecimal())
    sign = "-" if (number["sign"] or "+")[0] in "-−" else ""
    power = int(number["power"] or 0) - (2 if number["percent"] else 0)
    return Decimal(f"{sign}{whole}.{number['rest'] or number['only'] or ''}E{power}")


def near(number: Decimal, true: Decimal, *, absolute: float, relative: float) -> bool:
    """Whether a number is within the wider of two tolerances of the true one: `relative` is a share of that."""
    try:
        # Decimals of floats as they are written: 10.3 is 0.1 from 10.2, which binary fractions deny.
        return abs(number - true) <= max(Decimal(str(absolute)), Decimal(str(relative)) * abs(true))
    except ArithmeticError:  # a million digits
        return False
