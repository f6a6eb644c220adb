"""Rules by which a first answer is kept or the item is asked of a second model, and what came of each rule. Pure.

A rule costs nothing: whether the answer is valid, how sure its own score is, or both. Every rule is tried at every
threshold that tells items apart, by sorting once and summing up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from core.errors import LotwiseError

Rule = Literal["valid", "score", "valid_score"]
"""Keep an answer that is valid; that has a score of at least the threshold; that is both."""
Side = Literal["small", "large"]

RULES: tuple[Rule, ...] = ("valid", "score", "valid_score")
_KEYS = ("right", "better", "worse")


class OutcomesUnusable(LotwiseError):
    """These outcomes say nothing of a cascade. Give one row an item that both models answered, with the columns order,
    small_ok and large_ok, and for a rule small_valid, small_score, large_valid or large_score.
    """


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to answer: ask `first`, keep what `rule` accepts, ask the other model for the rest.

    `rule`: None where all is kept, so that one model answers alone; `threshold`: None where the rule has none.
    """

    first: Side
    rule: Rule | None = None
    threshold: float | None = None

    @property
    def second(self) -> Side:
        """The model asked for what is not kept, or the one not asked at all."""
        return "large" if self.first == "small" else "small"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What came of ways over the same items, one entry a way: `kept`, `right`, and `better` or `worse` than the
    reference on the same item."""

    kept: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    better: npt.NDArray[np.int64]
    worse: npt.NDArray[np.int64]


def paired(outcomes: pl.DataFrame) -> pl.DataFrame:
    """The outcomes in order, of items that were graded on both sides; adds reference_ok (large_ok unless given).

    Columns: order, small_ok and large_ok (booleans, or 0 and 1), and any of small_valid, small_score, large_valid,
    large_score and reference_ok. Raises `OutcomesUnusable`.
    """
    if missing := {"order", "small_ok", "large_ok"} - set(outcomes.columns):
        raise OutcomesUnusable(missing=", ".join(sorted(missing)))
    reference = "reference_ok" if "reference_ok" in outcomes.columns else "large_ok"
    found = (
        outcomes.with_columns(reference_ok=pl.col(reference))
        .drop_nulls(["small_ok", "large_ok", "reference_ok"])
        .with_columns(pl.col("small_ok", "large_ok", "reference_ok").cast(pl.Int64))
        .sort("order")
    )
    if found.is_empty():
        raise OutcomesUnusable(rows=outcomes.height)
    return found


def all_ways(outcomes: pl.DataFrame) -> Iterator[tuple[Side, list[Way], Counts]]:
    """Per model that may be asked first: every way, that model alone before its cascades, and what came of each."""
    sides: tuple[Side, Side] = ("small", "large")
    for first in sides:
        ways, kept = [Way(first=first)], [np.ones((1, outcomes.height), dtype=np.bool_)]
        counts = [_counts(outcomes, first, kept[0])]
        for rule in RULES:
            if set(_signals(first, rule)) <= set(outcomes.columns):
                thresholds, found = _every_threshold(outcomes, first, rule)
                ways += [Way(first=first, rule=rule, threshold=threshold) for threshold in thresholds]
                counts.append(found)
        yield first, ways, _joined(counts)


def outcome(outcomes: pl.DataFrame, way: Way) -> Counts:
    """What came of one way."""
    return _counts(outcomes, way.first, keeps(outcomes, way)[np.newaxis])


def keeps(outcomes: pl.DataFrame, way: Way) -> npt.NDArray[np.bool_]:
    """Which of the first model's answers a way keeps."""
    if way.rule is None:
        return np.ones(outcomes.height, dtype=np.bool_)
    scores = _scores(outcomes, way.first, way.rule)
    return scores >= (1.0 if way.threshold is None else way.threshold)


def _signals(first: Side, rule: Rule) -> list[str]:
    return [f"{first}_{name}" for name in rule.split("_")]


def _scores(outcomes: pl.DataFrame, first: Side, rule: Rule) -> npt.NDArray[np.float64]:
    """What the rule goes by; nothing is kept that has no score, or that is not valid where that is asked."""
    if rule == "valid":
        return outcomes[f"{first}_valid"].cast(pl.Float64).fill_null(0.0).to_numpy()
    scores = outcomes[f"{first}_score"].cast(pl.Float64).fill_nan(None).fill_null(-np.inf).to_numpy()
    if rule == "score":
        return scores
    return np.where(_scores(outcomes, first, "valid") >= 1, scores, -np.inf)


def _every_threshold(outcomes: pl.DataFrame, first: Side, rule: Rule) -> tuple[list[float | None], Counts]:
    """Each threshold at which one more item is kept, and what came of it: sorted once, then summed up."""
    scores = _scores(outcomes, first, rule)
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    ends = np.flatnonzero(np.append(descending[1:] < descending[:-1], True))
    ends = ends[np.isfinite(descending[ends])] if rule != "valid" else ends[descending[ends] >= 1]
    own, other = (_gains(outcomes, side)[:, order] for side in (first, Way(first=first).second))
    summed = other.sum(axis=1, keepdims=True) + np.cumsum(own - other, axis=1)[:, ends]
    thresholds = [None] * len(ends) if rule == "valid" else descending[ends].tolist()
    return thresholds, Counts(kept=ends + 1, **dict(zip(_KEYS, summed, strict=True)))


def _counts(outcomes: pl.DataFrame, first: Side, kept: npt.NDArray[np.bool_]) -> Counts:
    own, other = (_gains(outcomes, side) for side in (first, Way(first=first).second))
    summed = np.where(kept, own[:, np.newaxis], other[:, np.newaxis]).sum(axis=2)
    return Counts(kept=kept.sum(axis=1), **dict(zip(_KEYS, summed, strict=True)))


def _gains(outcomes: pl.DataFrame, side: Side) -> npt.NDArray[np.int64]:
    """Three rows, one entry an item: right, better than the reference, worse than it."""
    right, reference = outcomes[f"{side}_ok"].to_numpy(), outcomes["reference_ok"].to_numpy()
    return np.stack([right, right > reference, right < reference]).astype(np.int64)


def _joined(parts: list[Counts]) -> Counts:
    return Counts(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in ("kept", *_KEYS)})
