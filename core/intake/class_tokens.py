"""Tokens of every class of the backlog, on the best basis there is: counted, measured, or estimated from its texts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from core.intake.payloads import PayloadReader
from core.prices import PriceBook, UnknownModel
from core.store import Store
from core.tokens.counting import Reach, TokenEstimate, learned_ratio, reaches_floor, token_factor
from core.tokens.prompts import prompt_count, prompt_head

# Texts of a class that are read: the mean of their lengths is known for all, tokens a character differ little.
_SAMPLES = 8


@dataclass(frozen=True, kw_only=True)
class ClassTokens:
    """Tokens of one class: of its `prefix`, of the `whole` prompt of its mean item that waits, and what they rest on.

    `reaches`: whether the prefix is long enough for the model's cache; `results`: prompts of the class whose true
    tokens are known.
    """

    prefix: TokenEstimate
    whole: TokenEstimate
    reaches: Reach
    results: int


def class_tokens(store: Store, folder: Path, book: PriceBook, *, simulated: bool) -> dict[str, ClassTokens]:
    """The tokens of each class that has items never attempted, by class id.

    `simulated`: whether the workspace works with the local server, whose counts are its own. Reads a few payloads
    of each class.
    """
    evidence = {
        row["class_id"]: row for row in store.query("class_evidence", simulated=simulated).iter_rows(named=True)
    }
    samples = store.query("class_samples", most=_SAMPLES)
    found = {}
    with PayloadReader(folder) as payloads:
        for (class_id,), items in samples.group_by("class_id", maintain_order=True):
            known = evidence[class_id]
            found[str(class_id)] = _estimate(known, _read(known, items, payloads), book)
    return found


@dataclass(frozen=True, kw_only=True)
class _Text:
    """Linear counts of a class: of its prefix, a character of what follows, and what follows in the mean item."""

    prefix: float
    per_char: float
    suffix: float


def _read(known: dict[str, Any], items: pl.DataFrame, payloads: PayloadReader) -> _Text:
    prefix = suffixes = 0.0
    for item in items.iter_rows(named=True):
        params = payloads.params(item["import_id"], item["payload_offset"], item["payload_bytes"])
        prefix = prompt_count(prompt_head(params, known["prefix_blocks"], known["cut_chars"]))
        suffixes += max(prompt_count(params) - prefix, 0.0)
    chars = items["chars"].sum() - items.height * known["prefix_chars"]
    per_char = suffixes / chars if chars > 0 else 0.0
    mean_chars = items["class_chars"][0] / items["class_items"][0] - known["prefix_chars"]
    return _Text(prefix=prefix, per_char=per_char, suffix=per_char * mean_chars)


def _estimate(known: dict[str, Any], text: _Text, book: PriceBook) -> ClassTokens:
    """What is certain of the prefix is taken as it is, and the results then tell of the rest alone."""
    factor, results = token_factor(book, known["model"]), known["items"]
    suffixes = text.per_char * (known["chars"] - results * known["prefix_chars"])
    prefix = _known_prefix(known)
    if prefix is not None:
        measured = max(known["tokens"] - results * prefix.tokens, 0.0)
        ratio = learned_ratio(suffixes, measured, results, factor)
        whole = TokenEstimate.learned(ratio * text.suffix, results).plus(prefix.tokens)
    else:
        ratio = learned_ratio(results * text.prefix + suffixes, known["tokens"], results, factor)
        prefix = TokenEstimate.learned(ratio * text.prefix, results)
        whole = TokenEstimate.learned(ratio * (text.prefix + text.suffix), results)
    try:
        floor = book.model(known["model"]).cache_floor_tokens
    except UnknownModel:
        return ClassTokens(prefix=prefix, whole=whole, reaches="unsure", results=results)
    if known["never_cached"] and prefix.basis != "exact":
        prefix = prefix.under(floor)
    return ClassTokens(prefix=prefix, whole=whole, reaches=reaches_floor(prefix, floor), results=results)


def _known_prefix(known: dict[str, Any]) -> TokenEstimate | None:
    """What the API said of the prefix: in a bill, which is what counts, or else when it was asked."""
    if known["cached_prefix"] is not None:
        return TokenEstimate.known(known["cached_prefix"], "measured")
    if known["counted_prefix"] is not None:
        return TokenEstimate.known(known["counted_prefix"], "exact")
    return None
