"""Savings that were not taken: what work would have cost less in other ways that were open to it, way by way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import polars as pl

from core.opportunities.resending import resent
from core.opportunities.workload import Workload
from core.prices.book import MONEY
from core.prices.rates import RATE_DECIMALS
from core.prices.repricing import reprice
from core.wording import count

Known = Literal["measured", "estimated", "assumed"]
_CLASS = ("class_id", "class_name")
_STEP = Decimal(1).scaleb(-RATE_DECIMALS)


@dataclass(frozen=True, kw_only=True)
class NotTaken:
    """What a class would have cost less, in USD of the period, with one thing done otherwise and all else as it was.

    So amounts of two ways overlap, and do not add up to what both together would have saved. `known`: measured in the
    ledger, estimated from it, or assumed. `attempts`: how many it is about.
    """

    name: str
    class_id: str
    class_name: str
    amount: Decimal
    attempts: int
    known: Known
    said: str


def not_taken(work: Workload, proven: Mapping[str, str]) -> tuple[NotTaken, ...]:
    """Everything that was missed on these cells, most money first; what has no known price is left out.

    `proven`: by class id, a cheaper model that is proven for it and not used.
    """
    cells = work.cells.filter(pl.col("unpriced") == 0).with_columns(pl.col("class_name").fill_null(pl.col("class_id")))
    found = [
        *_standard_tier(cells, work),
        *_cache(cells, work),
        *_dearer_model(cells, work, proven),
        *_failed(cells),
        *_reruns(cells, work),
        *_duplicates(work),
    ]
    missed = [each for each in found if each.amount > 0]
    return tuple(sorted(missed, key=lambda each: (-each.amount, each.name, each.class_id)))


def _standard_tier(cells: pl.DataFrame, work: Workload) -> Iterator[NotTaken]:
    tier = pl.col("service_tier")
    sync = cells.filter(pl.col("billed"), tier.is_not_null(), tier != "batch")
    missed = sync.with_columns(missed=pl.col("cost_usd") - reprice(sync, work.book, batch=True))
    yield from _by_class(missed, "standard_tier", "measured", "{attempts} paid for an answer at once, not as a batch.")


def _cache(cells: pl.DataFrame, work: Workload) -> Iterator[NotTaken]:
    """Prefixes that were sent plain, and those that were written and hardly read, beside what a primed class reads."""
    sent = resent(work, cells)
    missed = sent.with_columns(
        missed=pl.col("cost_usd") - pl.col("primed_usd"), cold=pl.col("cached").sum().over("class_id", "send") > 0
    ).filter(pl.col("missed") != 0)
    said = "{attempts} sent the prefix of the class uncached; primed, nearly all would have read it."
    yield from _by_class(missed.filter(~pl.col("cold")), "uncached", "estimated", said)
    said = "{attempts} went in jobs that wrote what could have been read; primed, nearly all would have read."
    yield from _by_class(missed.filter("cold"), "cold_writes", "estimated", said)


def _dearer_model(cells: pl.DataFrame, work: Workload, proven: Mapping[str, str]) -> Iterator[NotTaken]:
    best = pl.col("class_id").replace_strict(dict(proven), default=None, return_dtype=pl.String)
    routable = cells.with_columns(best=best).filter(pl.col("best").is_not_null(), pl.col("billed"))
    missed = routable.with_columns(missed=pl.col("cost_usd") - reprice(routable, work.book, model="best"))
    said = "{attempts} went to a dearer model than the one that is proven for the class; re-priced at their tokens."
    yield from _by_class(missed, "dearer_model", "estimated", said)


def _failed(cells: pl.DataFrame) -> Iterator[NotTaken]:
    useless = cells.filter(pl.col("billed"), ~pl.col("usable").fill_null(True)).with_columns(missed="cost_usd")
    yield from _by_class(useless, "failed", "measured", "{attempts} were billed and gave nothing usable.")


def _reruns(cells: pl.DataFrame, work: Workload) -> Iterator[NotTaken]:
    """What reading a prompt cost more in a rerun than at a first attempt of its class, on the same model and tier.

    Not what its answer cost more: it may have been sent again to have a longer one.
    """
    nothing = pl.lit(0, pl.Int64)
    answers = cells.filter(pl.col("billed"), pl.col("usable").fill_null(False))
    prompts = reprice(answers.with_columns(output_tokens=nothing, web_searches=nothing), work.book)
    answers = answers.with_columns(cost_usd=prompts).drop_nulls("cost_usd")
    alike = [*_CLASS, "model", "service_tier"]
    first = answers.filter(~pl.col("rerun")).group_by(alike).agg(pl.col("attempts", "cost_usd").sum())
    again = answers.filter("rerun").group_by(alike).agg(pl.col("attempts", "cost_usd").sum())
    both = again.join(first, on=alike, nulls_equal=True, suffix="_first")
    usual = [
        (each["attempts"] * each["cost_usd_first"] / each["attempts_first"]).quantize(_STEP)
        for each in both.iter_rows(named=True)
    ]
    missed = both.with_columns(missed=pl.col("cost_usd") - pl.Series(usual, dtype=MONEY))
    said = "{attempts} were reruns, whose prompts cost more than at a first attempt: small jobs read less of the cache."
    yield from _by_class(missed, "reruns", "estimated", said)


def _duplicates(work: Workload) -> Iterator[NotTaken]:
    named = work.duplicates.join(work.classes.select(_CLASS), on="class_id", how="left").with_columns(missed="cost_usd")
    said = "{attempts} asked for content that had a usable answer already, under another id."
    yield from _by_class(named, "duplicates", "measured", said)


def _by_class(missed: pl.DataFrame, name: str, known: Known, said: str) -> Iterator[NotTaken]:
    """What was missed by each class, from rows with a column `missed`; unknown where it is null."""
    sums = missed.drop_nulls("missed").group_by(_CLASS, maintain_order=True).agg(pl.col("missed", "attempts").sum())
    for class_id, class_name, usd, attempts in sums.iter_rows():
        yield NotTaken(
            name=name,
            class_id=class_id,
            class_name=class_name or class_id,
            amount=usd,
            attempts=attempts,
            known=known,
            said=said.format(attempts=count(attempts, "attempt")),
        )
