"""The cheapest cascade of two models for a class: which rule, at which threshold, and what is proven of it. Pure.

The rule is chosen on the first labels, and everything said of it rests on those after them, so that neither the choice
nor looking again at any time makes it look better than it is.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from core.routing.escalation import Counts, Rule, Way, all_ways, keeps, outcome, paired
from core.routing.mixture import Counts as Outcomes
from core.routing.mixture import lower_bound, upper_bound
from core.routing.quality import Floats, Quality, usable_usd
from core.routing.stage import Stage
from core.routing.verdict import Bar, Verdict, first_ruling

LEARN = 100
"""Labels that a rule is chosen on; those that follow prove it."""

# A blend just at its bar would never be proven: one is chosen whose estimate lies so many standard errors above it.
_ROOM = 2.0
_RESAMPLES = 1_000
_SEED = 7
_TAIL = 0.025


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """Ask `first`, keep the answers that `rule` accepts at `threshold`, and ask `second` for the rest.

    `second` and `rule` are None where no cascade is cheaper than one model alone. `accepted`: share of answers that are
    kept; `quality`: of the blend; `item_usd`, `usable_usd` (between `usable_low` and `usable_high`): dollars per item
    and per usable item, both batches, both primers, and the second stage's fewer items told; None where no answer is
    usable, or none may be. `gain_usd` (`gain_low` to `gain_high`, 95 %): dollars that a usable item costs less than
    with `against` alone. `seconds`: median turnaround, `extra_seconds` longer than of `against` alone. `verdict`: of
    the blend, None where there is no bar.
    """

    first: str
    second: str | None
    rule: Rule | None
    threshold: float | None
    accepted: float
    quality: Quality
    item_usd: float
    usable_usd: float | None
    usable_low: float | None
    usable_high: float | None
    gain_usd: float | None
    gain_low: float | None
    gain_high: float | None
    against: str
    seconds: float
    extra_seconds: float
    verdict: Verdict | None


def best_cascade(
    outcomes: pl.DataFrame,
    small: Stage,
    large: Stage,
    *,
    items: int,
    bar: Bar | None = None,
    wrong_usd: float = 0.0,
    learn: int = LEARN,
) -> Cascade:
    """The cheapest way per usable item, either model first, at every threshold; above the bar where there is one.

    `outcomes`: see `paired`; `items`: of the class in one sending; `wrong_usd`: what an answer that is not usable costs
    besides; `learn`: labels that the way is chosen on. While there are no more, what is said rests on those, and
    nothing is proven. Raises `OutcomesUnusable`.
    """
    labels = paired(outcomes)
    stages = {"small": small, "large": large}
    way = _chosen(labels.head(learn), stages, items=items, bar=bar, wrong_usd=wrong_usd)
    fresh = labels.slice(learn)
    of = labels if fresh.is_empty() else fresh
    counts = outcome(of, way)
    first, second = stages[way.first], stages[way.second]
    item_usd = float(_item_usd(counts.kept / of.height, first, second, items)[0])
    quality = _quality(int(counts.right[0]), of.height, fresh.height, 0.05 if bar is None else bar.error)
    gain = _gain(of, way, (first, second), items=items, wrong_usd=wrong_usd)
    accepted = int(counts.kept[0]) / of.height
    seconds = first.seconds if accepted == 1 else first.seconds + second.seconds
    return Cascade(
        first=first.model,
        second=second.model if way.rule else None,
        rule=way.rule,
        threshold=way.threshold,
        accepted=accepted,
        quality=quality,
        item_usd=item_usd,
        usable_usd=_finite(usable_usd(item_usd, quality.share, wrong_usd)),
        usable_low=_finite(usable_usd(item_usd, quality.upper, wrong_usd)),
        usable_high=_finite(usable_usd(item_usd, quality.lower, wrong_usd)),
        gain_usd=gain[0],
        gain_low=gain[1],
        gain_high=gain[2],
        against=second.model,
        seconds=seconds,
        extra_seconds=seconds - second.seconds,
        verdict=None if bar is None else first_ruling(_blend(fresh, way), bar),
    )


def _chosen(labels: pl.DataFrame, stages: dict[str, Stage], *, items: int, bar: Bar | None, wrong_usd: float) -> Way:
    """The cheapest way whose estimate has room above the bar; where none has, the one that is right most often."""
    found: list[tuple[tuple[float, ...], Way]] = []
    for first, ways, counts in all_ways(labels):
        second = ways[0].second
        shares = counts.right / labels.height
        item_usd = _item_usd(counts.kept / labels.height, stages[first], stages[second], items)
        usd = usable_usd(item_usd, shares, wrong_usd)
        roomy = np.ones(len(ways), dtype=np.bool_) if bar is None else _has_room(counts, labels.height, bar)
        # Of equal ones a model alone, which comes first, is simpler than a cascade.
        for best in {int(np.argmin(np.where(roomy, usd, np.inf))), int(np.lexsort((usd, -shares))[0])}:
            merit = (0.0, float(usd[best])) if roomy[best] else (1.0, -float(shares[best]), float(usd[best]))
            found.append(((*merit, float(ways[best].rule is not None)), ways[best]))
    return min(found, key=lambda pair: pair[0])[1]


def _item_usd(kept: Floats, first: Stage, second: Stage, items: int) -> Floats:
    """Dollars of an item: all are asked of the first, and what is not kept of the second."""
    return (first.total_usd(items) + second.total_usd((1 - kept) * items)) / items


def _has_room(counts: Counts, labels: int, bar: Bar) -> npt.NDArray[np.bool_]:
    if bar.rate is not None:
        mean = counts.right / labels
        spread = np.sqrt(mean * (1 - mean) / labels)
        least = bar.rate
    else:
        mean = (counts.better - counts.worse) / labels
        spread = np.sqrt(((counts.better + counts.worse) / labels - mean**2) / labels)
        least = -(bar.margin or 0.0)
    room: npt.NDArray[np.bool_] = mean - _ROOM * spread > least
    return room


def _blend(labels: pl.DataFrame, way: Way) -> pl.DataFrame:
    """Whether the answer that the cascade would have given was right, beside the reference's, label by label."""
    own, other = (labels[f"{side}_ok"] for side in (way.first, way.second))
    correct = np.where(keeps(labels, way), own, other)
    return labels.select("order", pl.Series("correct", correct), reference="reference_ok")


def _quality(right: int, labels: int, fresh: int, error: float) -> Quality:
    """The blend's share of right answers; nothing is sure of one that was chosen for these labels."""
    if not fresh:
        return Quality(share=right / labels, lower=0.0, upper=1.0, labels=0, basis="assumed")
    counts = Outcomes(wins=right, losses=labels - right)
    return Quality(
        share=right / labels,
        lower=float(lower_bound(counts, error)),
        upper=float(upper_bound(counts, error)),
        labels=labels,
        basis="measured",
    )


def _gain(
    labels: pl.DataFrame, way: Way, stages: tuple[Stage, Stage], *, items: int, wrong_usd: float
) -> tuple[float | None, float | None, float | None]:
    """Dollars per usable item less than with the second model alone, and what that lies between (95 %).

    The bounds are quantiles over resampled labels (percentile bootstrap, Efron 1979), always the same ones. What an
    item is worth here is kept or not, right or not on either model: eight cells, whose counts are drawn at once.
    """
    first, second = stages
    kept = keeps(labels, way)
    right, other = (labels[f"{side}_ok"].to_numpy() > 0 for side in (way.first, way.second))
    cells = np.bincount(4 * kept + 2 * right + other, minlength=8)
    drawn = np.random.default_rng(_SEED).multinomial(labels.height, cells / labels.height, size=_RESAMPLES)
    shares = np.vstack([cells, drawn]) / labels.height
    accepted = shares[:, 4:].sum(axis=1)
    blend = shares[:, 6:].sum(axis=1) + shares[:, [1, 3]].sum(axis=1)
    alone_usd = usable_usd(second.total_usd(items) / items, shares[:, 1::2].sum(axis=1), wrong_usd)
    blend_usd = usable_usd(_item_usd(accepted, first, second, items), blend, wrong_usd)
    known = np.isfinite(alone_usd) & np.isfinite(blend_usd)
    gains = alone_usd[known] - blend_usd[known]
    mean = float(gains[0]) if known[0] else None
    if not known.all():
        return mean, None, None
    low, high = np.quantile(gains[1:], [_TAIL, 1 - _TAIL])
    return mean, float(low), float(high)


def _finite(usd: Floats) -> float | None:
    return float(usd) if math.isfinite(usd) else None
