"""Rules that clear a model on labels, side by side: how often they are wrong, how often they find out, at what price.

The classes are real: whether a small model was right on each question of 30 subjects, and a large one on the same.
Drawing labels from a class with replacement, only its true rate matters, so the figures of every rule on counts are
exact: the chances of all counts are carried from label to label. Rules on pairs of labels are replayed.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.timing import Ratio
from core.routing.mixture import Counts, Floats, log_counter_evidence, log_evidence
from core.routing.verdict import Bar, labels_needed

SHARED = Path(os.environ.get("LOTWISE_SHARED_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
RATE, ERROR, CAP = 0.70, 0.05, 1_000
BORDER = 0.699
"""A true rate just under the bar: averages over classes hide what a rule does there."""

MARGIN, REPLAYS = 0.05, 200
_TRUE_RATES = (0.75, 0.80, 0.85, 0.90, 0.95, 0.65, 0.60, 0.55)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """After 1, 2, … labels (one entry each): the least right answers that clear, and the most that fail.

    Where it does not look, the first is more than all of them and the second is -1.
    """

    name: str
    clears: Ints
    fails: Ints


@dataclass(frozen=True, kw_only=True)
class Chances:
    """Of a rule, for one true rate each: the chance to have cleared and to have failed by each label; mean labels."""

    cleared: Floats
    failed: Floats
    labels: Floats


def measure() -> Iterator[Ratio]:
    """Print the tables; then the figures that were promised."""
    classes = outcomes()
    rates = classes.group_by("cls").agg(pl.col("weak_ok").mean())["weak_ok"].to_numpy()
    print(f"{len(rates)} classes, bar {RATE:.0%}: false clear, its worst class, power, labels, false clear at {BORDER}")
    for rule in (*rivals(), mixture(RATE, 300), mixture(RATE, CAP)):
        found, border = chances(rates, rule), chances(np.array([BORDER]), rule)
        false, over = found.cleared[rates <= RATE, -1], found.cleared[rates > RATE, -1]
        print(
            f"  {rule.name:<34} {false.mean():6.1%} {false.max():6.1%} {over.mean():6.1%} "
            f"{found.labels.mean():6.1f} {border.cleared[0, -1]:6.1%}"
        )
    yield _ratio(f"mixture test: false clears at {BORDER}", border.cleared[0, -1], "accepted", ERROR, "<= 1")
    yield _ratio("mixture test: power", over.mean(), "promised", 0.90, ">= 1")
    yield _ratio("mixture test: mean labels", found.labels.mean(), "promised", 215, "<= 1", unit="labels")
    print("true rate: labels until decided (median, 90 %), as predicted")
    ahead = []
    for true, median, most in zip(_TRUE_RATES, *medians(_TRUE_RATES), strict=True):
        predicted = labels_needed(true, Bar(rate=RATE)) or 0
        ahead.append(abs(math.log(predicted / median)))
        print(f"  {true:.2f} {median:6,} {most:6,} {predicted:6,}")
    yield _ratio("labels until decided: furthest prediction", math.exp(max(ahead)), "median", 1.0, "<= 1.2", unit="")
    false, power, labels = paired(classes, replays=REPLAYS)
    print(f"at most {MARGIN:.0%} worse than the large model: false clear {false:.1%}, power {power:.1%}", end=", ")
    print(f"labels {labels:.0f}")


def outcomes(folder: Path = SHARED) -> pl.DataFrame:
    """Columns cls, weak_ok, strong_ok of 7,907 questions."""
    return pl.read_parquet(folder / "routing_outcomes" / "outcomes.parquet").sort("cls", "item")


def mixture(rate: float, cap: int, error: float = ERROR) -> Rule:
    """The test of this project, looked at after every label."""
    looks = np.arange(1, cap + 1)
    clears = _least_wins(looks, rate, error)
    return Rule(name=f"mixture test to {cap:,}", clears=clears, fails=looks - _least_wins(looks, 1 - rate, error))


def rivals() -> tuple[Rule, ...]:
    """What others do: the share itself, and the exact bound for one look, at one look or at many."""
    return (
        *(_point_estimate(labels) for labels in (50, 100)),
        *(_exact_bound(f"Clopper-Pearson at {labels}", labels, labels) for labels in (100, 300)),
        *(_exact_bound(f"Clopper-Pearson every 10 to {cap:,}", cap, 10) for cap in (300, CAP)),
    )


def chances(rates: Floats, rule: Rule) -> Chances:
    """Exact, by carrying the chance of every count that is not decided yet from label to label."""
    cap = len(rule.clears)
    right, wrong = rates[:, None], 1 - rates[:, None]
    cleared, failed, undecided = np.zeros((3, len(rates), cap))
    alive, least = np.ones((len(rates), 1)), 0  # chances of the counts least, least + 1, …
    for look, (clears, fails) in enumerate(zip(rule.clears.tolist(), rule.fails.tolist(), strict=True)):
        undecided[:, look] = alive.sum(axis=1)
        grown = np.pad(alive * wrong, ((0, 0), (0, 1))) + np.pad(alive * right, ((0, 0), (1, 0)))
        under, over = max(0, fails + 1 - least), max(0, clears - least)
        failed[:, look], cleared[:, look] = grown[:, :under].sum(axis=1), grown[:, over:].sum(axis=1)
        alive, least = grown[:, under:over], least + under
    return Chances(cleared=cleared.cumsum(axis=1), failed=failed.cumsum(axis=1), labels=undecided.sum(axis=1))


def medians(rates: tuple[float, ...], cap: int = 3_000) -> tuple[list[int], list[int]]:
    """Labels by which a half and nine tenths of all trials at these true rates are decided."""
    found = chances(np.array(rates), mixture(RATE, cap))
    decided = found.cleared + found.failed
    return [int(n) for n in (decided < 0.5).sum(axis=1) + 1], [int(n) for n in (decided < 0.9).sum(axis=1) + 1]


def paired(classes: pl.DataFrame, *, replays: int, cap: int = CAP, seed: int = 0) -> tuple[float, float, float]:
    """Share of false clears, power and mean labels of the test of non-inferiority, items drawn with replacement."""
    rng = np.random.default_rng(seed)
    bar = Bar(margin=MARGIN)
    false: list[float] = []
    power: list[float] = []
    labels: list[float] = []
    for _, rows in classes.group_by("cls", maintain_order=True):
        step = rows["weak_ok"].to_numpy().astype(np.int64) - rows["strong_ok"].to_numpy()
        drawn = rng.choice(step, (replays, cap))
        better, worse = (drawn > 0).cumsum(axis=1), (drawn < 0).cumsum(axis=1)
        counts = Counts(wins=better, ties=np.arange(1, cap + 1) - better - worse, losses=worse)
        up, down = (log(counts, bar.mean) >= math.log(1 / ERROR) for log in (log_evidence, log_counter_evidence))
        decided = up | down
        first = np.where(decided.any(axis=1), decided.argmax(axis=1), cap - 1)
        (power if step.mean() > -MARGIN else false).append(up[np.arange(replays), first].mean())
        labels.append((first + 1).mean())
    return float(np.mean(false)), float(np.mean(power)), float(np.mean(labels))


def _least_wins(looks: Ints, rate: float, error: float) -> Ints:
    """By halving: evidence rises with every win."""
    low, high = np.full_like(looks, -1), looks + 1
    while np.any(high - low > 1):
        middle = (low + high) // 2
        enough = log_evidence(Counts(wins=middle, losses=looks - middle), rate) >= math.log(1 / error)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _point_estimate(labels: int) -> Rule:
    clears, fails = np.arange(2, labels + 2), np.full(labels, -1)
    clears[-1] = math.ceil(RATE * labels - 1e-9)
    fails[-1] = clears[-1] - 1
    return Rule(name=f"point estimate at {labels}", clears=clears, fails=fails)


def _exact_bound(name: str, cap: int, every: int) -> Rule:
    """The one-sided bound of Clopper and Pearson (Biometrika 26, 1934): it passes the bar where the tail is small."""
    clears, fails = np.arange(2, cap + 2), np.full(cap, -1)
    for labels in range(every, cap + 1, every):
        chance = _binomial(labels, RATE)
        clears[labels - 1] = int((chance[::-1].cumsum()[::-1] > ERROR).sum())
        fails[labels - 1] = int((chance.cumsum() <= ERROR).sum()) - 1
    return Rule(name=name, clears=clears, fails=fails)


def _binomial(labels: int, rate: float) -> Floats:
    logs = np.concatenate(([0.0], np.log(np.arange(1, labels + 1)).cumsum()))
    wins = np.arange(labels + 1)
    chance: Floats = np.exp(
        logs[labels] - logs - logs[::-1] + wins * math.log(rate) + (labels - wins) * math.log(1 - rate)
    )
    return chance


def _ratio(name: str, found: float, against: str, goal: float, wanted: str, *, unit: str = "of trials") -> Ratio:
    return Ratio(
        name=name, seconds=found, against=against, against_seconds=goal, ratio=found / goal, goal=wanted, unit=unit
    )
