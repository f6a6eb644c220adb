"""Tokens of every class of the backlog, on the best basis there is: counted, measured, or estimated from its texts."""

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl

from core.intake.payloads import PayloadReader
from core.prices import PriceBook, UnknownModel
from core.store import Store, Transaction
from core.tokens.counting import Reach, TokenEstimate, learned_ratio, reaches_floor, token_factor
from core.tokens.prompts import prompt_count, prompt_head

# Texts of a class that are read: the mean of their lengths is known for all, tokens a character differ little.
_SAMPLES = 8
_COUNTS = {
    "class_id": pl.String,
    "prefix_count": pl.Float64,
    "suffix_count_per_char": pl.Float64,
    "counted_chars": pl.Int64,
    "counted_of": pl.UInt64,
}


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

    `simulated`: whether the workspace works with the local server, whose counts are its own. Reads payloads only of
    classes whose texts were never counted, as those that an older version imported.
    """
    evidence = store.query("class_evidence", simulated=simulated)
    if not evidence["texts_counted"].all():
        counts = count_texts(store, folder).select("class_id", "prefix_count", "suffix_count_per_char")
        evidence = evidence.update(counts, on="class_id")
    return {row["class_id"]: _estimate(row, book) for row in evidence.iter_rows(named=True)}


def count_texts(store: Store, folder: Path) -> pl.DataFrame:
    """Linear counts of the classes of the backlog that were not counted since they got their prefix and items.

    Columns: class_id, prefix_count, suffix_count_per_char, counted_chars and counted_of (the prefix and items that this
    is true of). Reads a few payloads of each of these classes.
    """
    samples = store.query("class_samples", most=_SAMPLES, uncounted=True)
    with PayloadReader(folder) as payloads:
        rows = [
            (class_id, *_count(list(items), payloads))
            for class_id, items in groupby(samples.iter_rows(named=True), key=itemgetter("class_id"))
        ]
    return pl.DataFrame(rows, schema=_COUNTS, orient="row")


def keep_counts(counts: pl.DataFrame, tx: Transaction) -> None:
    """Store what `count_texts` found."""
    tx.merge("set_class_counts", counts)


def _count(items: list[dict[str, Any]], payloads: PayloadReader) -> tuple[float, float, int, int]:
    of, prefix, suffixes = items[0], None, 0.0
    for item in items:
        params = payloads.params(item["import_id"], item["payload_offset"], item["payload_bytes"])
        if prefix is None:
            prefix = prompt_count(prompt_head(params, of["prefix_blocks"], of["cut_chars"]))
        suffixes += max(prompt_count(params) - prefix, 0.0)
    chars = sum(item["chars"] for item in items) - len(items) * of["prefix_chars"]
    return prefix or 0.0, suffixes / chars if chars > 0 else 0.0, of["prefix_chars"], of["class_hash"]


def _estimate(known: dict[str, Any], book: PriceBook) -> ClassTokens:
    """What is certain of the prefix is taken as it is, and the results then tell of the rest alone."""
    factor, results = token_factor(book, known["model"]), known["items"]
    text, per_char, chars = known["prefix_count"], known["suffix_count_per_char"], known["prefix_chars"]
    suffix = per_char * (known["waiting_chars"] / known["waiting_items"] - chars)
    suffixes = per_char * (known["chars"] - results * chars)
    prefix = _known_prefix(known)
    if prefix is not None:
        measured = max(known["tokens"] - results * prefix.tokens, 0.0)
        ratio = learned_ratio(suffixes, measured, results, factor)
        whole = TokenEstimate.learned(ratio * suffix, results).plus(prefix.tokens)
    else:
        ratio = learned_ratio(results * text + suffixes, known["tokens"], results, factor)
        prefix = TokenEstimate.learned(ratio * text, results)
        whole = TokenEstimate.learned(ratio * (text + suffix), results)
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
