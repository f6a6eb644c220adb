"""Forecasts of totals on public daily series: score, coverage, skill, and what a commitment by them would regret."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.series import GROUPS, SHARED, Score, Task, made, score, tasks
from benchmarks.timing import Ratio
from core.commitment.payment import Rate, pay
from core.forecast.draws import Draws, Floats
from core.forecast.naive import naive

_BEST = {"A": 0.125, "B": 0.174, "C": 0.056, "E": 0.110}
"""The best row of a comparison of published methods on the same tasks, as CRPS of the total over what came."""
_REGRET = {0.1: 3.12, 0.2: 4.41, 0.3: 5.27}
"""Percent of list value by discount: the best rule of the same comparison."""
_GOAL_SECONDS = 0.1


def measure() -> Iterator[Ratio]:
    """One line a figure; nothing where the series are absent."""
    if not (SHARED / "series").is_dir():
        return
    drawn: dict[str, list[tuple[Task, Floats]]] = {}
    took: list[float] = []
    for name in GROUPS:
        drawn[name] = []
        for task in tasks(name):
            began = time.perf_counter()
            drawn[name].append((task, made(task).totals))
            took.append(time.perf_counter() - began)
        yield from _scored(name, drawn[name])
    pooled = [score(task, totals) for name in _BEST for task, totals in drawn[name]]
    yield _line("coverage of the 80 % interval, A to C and E", _mean(pooled, "in_80"), ("goal", 0.8), "0.75 to 0.87")
    yield _line("coverage of the 95 % interval, A to C and E", _mean(pooled, "in_95"), ("goal", 0.95), ">= 0.90")
    yield _line("a forecast, median", float(np.median(took)), ("goal", _GOAL_SECONDS), "<= 0.1 s", "s")
    yield from _regrets(drawn["E"])


def _scored(name: str, drawn: Sequence[tuple[Task, Floats]]) -> Iterator[Ratio]:
    scores = [score(task, totals) for task, totals in drawn]
    reference = [score(task, _naive(task)) for task, _ in drawn]
    skill = _skill(scores, reference)
    covered = f"80 % {_mean(scores, 'in_80'):.2f}, 95 % {_mean(scores, 'in_95'):.2f}, {len(scores)} forecasts"
    theirs = _mean(reference, "crps")
    yield _line(f"group {name}: CRPS of the total ({covered})", _mean(scores, "crps"), ("naive", theirs), "< 1")
    if name in _BEST:
        yield _line(f"group {name}: the same", _mean(scores, "crps"), ("best published method", _BEST[name]), "<= 1")
    yield _line(f"group {name}: skill, geometric mean over series", skill, ("naive", 1.0), "< 1")


def _naive(task: Task) -> Floats:
    days = len(task.came)
    totals: Floats = naive(task.known.values, days, Draws.make(1_000, days, seed=7)).sum(axis=1)
    return totals


def _skill(ours: Sequence[Score], theirs: Sequence[Score]) -> float:
    by_series = defaultdict(list)
    for mine, other in zip(ours, theirs, strict=True):
        by_series[mine.name].append((mine.crps, other.crps))
    ratios = [
        np.mean([mine for mine, _ in pairs]) / np.mean([other for _, other in pairs]) for pairs in by_series.values()
    ]
    return float(np.exp(np.mean(np.log(ratios))))


def _regrets(drawn: Sequence[tuple[Task, Floats]]) -> Iterator[Ratio]:
    """Percent of list value paid above the commitment of hindsight, list overage, half a year ahead."""
    for discount, best in _REGRET.items():
        ours = _regret(drawn, discount, [float(np.quantile(totals, discount)) for _, totals in drawn])
        sixty = [float(task.known.values[-60:].mean() * len(task.came)) for task, _ in drawn]
        lookback = _regret(drawn, discount, sixty)
        name = f"regret at {discount:.0%} discount, percent of list"
        yield _line(name, ours, ("trailing 60 days", lookback), "< 1", "%")
        yield _line(name, ours, ("best published rule", best), "<= 1", "%")


def _regret(drawn: Sequence[tuple[Task, Floats]], discount: float, capacities: Sequence[float]) -> float:
    rate = Rate(discount=discount)
    lost = []
    for (task, _), capacity in zip(drawn, capacities, strict=True):
        came = task.came.sum()
        paid = pay(np.array([came]), (1 - discount) * capacity, rate)[0]
        lost.append(100 * (paid / came - (1 - discount)))
    return float(np.mean(lost))


def _mean(scores: Sequence[Score], name: str) -> float:
    return float(np.mean([getattr(one, name) for one in scores]))


def _line(name: str, value: float, against: tuple[str, float], goal: str, unit: str = "") -> Ratio:
    peer, other = against
    return Ratio(
        name=name, seconds=value, against=peer, against_seconds=other, ratio=value / other, goal=goal, unit=unit
    )
