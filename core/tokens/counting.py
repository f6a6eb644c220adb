"""Tokens of a text: counted linearly before any result, corrected by what the results say. Never the bill."""

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from core.prices import PriceBook, UnknownModel

Basis = Literal["exact", "measured", "estimated"]
"""Told by the API's own counter; learned from the usage of results; counted in the text."""
Reach = Literal["yes", "no", "unsure"]

# For a model that the price book does not list: the older tokenizer's rough measure.
_UNKNOWN_CHARS_PER_TOKEN = 3.5
_UNKNOWN_TOKENIZER = "older"
# Fits the processor's cache, and bounds memory; a word cut in two there is one in many thousands.
_PIECE_CHARS = 1 << 17

_Bytes = npt.NDArray[np.uint8]
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class TokenEstimate:
    """A number of tokens and the band that holds the true one for 95 of 100 classes; exact where it has no width."""

    tokens: float
    low: float
    high: float
    basis: Basis

    @classmethod
    def known(cls, tokens: float, basis: Basis) -> Self:
        """A number that needs no band."""
        return cls(tokens=tokens, low=tokens, high=tokens, basis=basis)

    @classmethod
    def learned(cls, tokens: float, results: int) -> Self:
        """A number that rests on the text and on so many results of its class."""
        width = tokens * error_band(results)
        basis: Basis = "measured" if results else "estimated"
        return cls(tokens=tokens, low=tokens - width, high=tokens + width, basis=basis)

    def plus(self, tokens: float) -> Self:
        """This and so many tokens more that are certain."""
        return replace(self, tokens=self.tokens + tokens, low=self.low + tokens, high=self.high + tokens)

    def under(self, floor: int) -> Self:
        """What is left of this once it is known to be less than `floor`."""
        most = floor - 1.0
        return replace(self, tokens=min(self.tokens, most), low=min(self.low, most), high=min(self.high, most))


def linear_count(text: str) -> float:
    """Tokens of `text` in the older tokenizer: a weighted sum of its words, digits, signs and line breaks.

    The weights, their source and their error are in `counting.toml`.
    """
    pieces = (text[start : start + _PIECE_CHARS] for start in range(0, len(text), _PIECE_CHARS))
    # What is no character (half a surrogate pair) never leaves as one either: it goes out as a question mark.
    return sum((_count(np.frombuffer(piece.encode(errors="replace"), np.uint8)) for piece in pieces), 0.0)


def token_factor(book: PriceBook, model: str) -> float:
    """Tokens of the model's tokenizer for one of `linear_count`; as of the older ones for a model not listed."""
    try:
        tokenizer = book.model(model).tokenizer
    except UnknownModel:
        tokenizer = _UNKNOWN_TOKENIZER
    return float(_data()["factor"][tokenizer])


def learned_ratio(counted: float, measured: float, items: int, factor: float) -> float:
    """Tokens for one of `linear_count` after `items` results, in which `counted` were in truth `measured`.

    The mean of what was measured and of the model's `factor`, which weighs as much as two results do.
    """
    if not items or counted <= 0:
        return factor
    prior = _data()["learning"]["prior_results"]
    return float((items * measured / counted + prior * factor) / (items + prior))


def error_band(results: int) -> float:
    """The relative error that 95 of 100 classes keep to after so many results of their own."""
    return float(next(step["error"] for step in reversed(_data()["band"]) if results >= step["results"]))


def reaches_floor(estimate: TokenEstimate, floor: int) -> Reach:
    """Whether a prefix is long enough to be cached. Plan with `unsure` as with `no`: a mark may do nothing there."""
    if estimate.low >= floor:
        return "yes"
    return "unsure" if estimate.high >= floor else "no"


def prefix_tokens(book: PriceBook, model: str, chars: int) -> tuple[int, bool]:
    """Estimated tokens of a prefix of `chars` characters, and whether that reaches the model's cache floor.

    For where only the length of the text is at hand.
    """
    try:
        listed = book.model(model)
    except UnknownModel:
        return round(chars / _UNKNOWN_CHARS_PER_TOKEN), False
    tokens = round(chars / listed.chars_per_token)
    return tokens, tokens >= listed.cache_floor_tokens


def flat_tokens(kind: str) -> float | None:
    """Assumed tokens of a block whose length says nothing (picture, scanned document); None for any other kind."""
    tokens = _data()["flat"].get(kind)
    return None if tokens is None else float(tokens)


def _count(text: _Bytes) -> float:
    """The linear count of UTF-8 bytes."""
    weight = _data()["weight"]
    lower, upper, digits = _between(text, "a", "z"), _between(text, "A", "Z"), _between(text, "0", "9")
    letters = lower | upper
    marks = _between(text, "!", "~") & ~(letters | digits)
    beyond_ascii = text >= 0x80
    counts: dict[str, int | np.intp] = {
        # A letter after one with an accent goes on with its word.
        "word": np.count_nonzero(letters[1:] & ~(letters | beyond_ascii)[:-1]) + np.count_nonzero(letters[:1]),
        "long_word_letter": np.count_nonzero(_beyond_sixth(letters)),
        "inner_capital": np.count_nonzero(upper[1:] & lower[:-1]),
        "capital_after_capital": np.count_nonzero(upper[1:] & upper[:-1]),
        "digit_run": _runs(digits),
        "digit": np.count_nonzero(digits),
        "mark_run": _runs(marks),
        "mark": np.count_nonzero(marks),
        "line_break": np.count_nonzero(text == ord("\n")),
    }
    ascii_tokens = sum(float(weight[name]) * int(count) for name, count in counts.items())
    return ascii_tokens + (float(_script_weights()[text[beyond_ascii]].sum()) if beyond_ascii.any() else 0.0)


def _between(text: _Bytes, first: str, last: str) -> _Mask:
    # Unsigned bytes wrap around, so one comparison is enough.
    return (text - np.uint8(ord(first))) <= np.uint8(ord(last) - ord(first))


def _runs(mask: _Mask) -> int:
    return int(np.count_nonzero(mask[1:] & ~mask[:-1]) + np.count_nonzero(mask[:1]))


def _beyond_sixth(letters: _Mask) -> _Mask:
    """True where a letter has at least six letters before it in its word: seven in a row, found by doubling."""
    two = letters[1:] & letters[:-1]
    four = two[2:] & two[:-2]
    seven: _Mask = four[3:] & four[:-3]
    return seven


@cache
def _script_weights() -> npt.NDArray[np.float64]:
    """Tokens of a character by its first UTF-8 byte; the bytes that follow it count nothing."""
    weights = np.zeros(256)
    for script in _data()["script"]:
        weights[script["first_byte"] : script["last_byte"] + 1] = script["tokens"]
    return weights


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("core.tokens").joinpath("counting.toml").read_text("utf-8"))
