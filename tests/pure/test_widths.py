"""Learning what is really read: widths on a real day and a live run, posteriors against exact distributions."""

import csv
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.caching.lifetimes import break_even_hit_rate
from core.caching.waves import Ints, Served, serve, wave_times
from core.caching.widths import (
    Floats,
    ReadRate,
    beta_cdf,
    effective_width,
    expected_writes,
    has_strayed,
    predicted_hit_rate,
    read_rate,
)

CASES = json.loads((Path(__file__).parent / "cases" / "widths.json").read_text("utf-8"))
FLOOR, HOUR = 512, 3_600.0

classes = st.lists(st.integers(1, 5_000), min_size=1, max_size=12).map(lambda items: np.array(items, dtype=float))
shapes = st.floats(0.3, 300)


def shares(items: Floats) -> Floats:
    """Of each class in a job that holds nothing else."""
    return np.asarray(items / items.sum())


def test_one_class_alone_writes_as_many_as_are_in_flight() -> None:
    """And a class that one item at a time reaches writes once; no class writes more than it has."""
    alone, rare = np.array([100.0]), np.array([100.0, 100.0])

    assert expected_writes(alone, np.ones(1), 7.0).tolist() == [7.0]
    assert expected_writes(alone, np.ones(1), 700.0).tolist() == [100.0]
    assert expected_writes(rare, shares(rare), 1.0) == pytest.approx([1.0, 1.0])
    assert expected_writes(rare, shares(rare), math.inf).tolist() == [100.0, 100.0]


@given(classes, st.floats(1, 1e4), st.floats(1, 10))
def test_wider_jobs_write_more(items: Floats, width: float, factor: float) -> None:
    """At least once a class, at most every item."""
    narrow = expected_writes(items, shares(items), width)
    wide = expected_writes(items, shares(items), width * factor)

    assert (narrow >= 1 - 1e-9).all()
    assert (wide >= narrow - 1e-9).all()
    assert (wide <= items).all()


def test_the_first_wave_that_holds_a_class_holds_what_the_formula_says() -> None:
    """4,000 shuffled jobs of 30 and 270 items at width 20: the mean of what the first wave with the class holds."""
    rng = np.random.default_rng(7)
    job = np.repeat([0, 1], [30, 270])
    seen = []
    for _ in range(4_000):
        order = rng.permutation(job)
        first = np.flatnonzero(order == 0)[0] // 20
        seen.append(int((order[first * 20 : (first + 1) * 20] == 0).sum()))

    assert expected_writes(np.array([30.0]), np.array([0.1]), 20.0)[0] == pytest.approx(np.mean(seen), rel=0.02)


@given(classes, st.floats(1, 1e4))
def test_the_learned_width_explains_what_was_written(items: Floats, width: float) -> None:
    """The inverse of the prediction; infinite where everything was written."""
    written = float(expected_writes(items, shares(items), width).sum())
    learned = effective_width(items, shares(items), written)

    if written >= items.sum():
        assert learned == math.inf
    else:
        assert expected_writes(items, shares(items), learned).sum() == pytest.approx(written, rel=1e-6)


class Day:
    """A real day's prompts on one floor, one mark at the end of each prefix that reaches it."""

    def __init__(self, folder: Path) -> None:
        arrivals = pl.read_parquet(folder / "arrivals.parquet")
        truth = pl.read_parquet(folder / "truth.parquet").join(arrivals, on="custom_id").sort("arrival_s")
        self.depth = truth["prefix_tok"].to_numpy().astype(float)
        self.tokens = self.depth + truth["suffix_tok"].to_numpy()
        _, self.group = np.unique(truth["group_id"].to_numpy(), return_inverse=True)
        noon = int((truth["arrival_s"] < 43_200).sum())
        self.halves = np.arange(noon), np.arange(noon, truth.height)

    def sent(self, items: Ints, width: float) -> Served:
        """One cold mixed job of these items, in this order."""
        at = wave_times(np.zeros(len(items), dtype=np.int64), np.zeros(1), width=width)
        depth = self.depth[items]
        marked = np.flatnonzero(depth >= FLOOR)
        entry = self.group[items][marked]
        return serve(at, self.tokens[items], item=marked, entry=entry, depth=depth[marked], life=HOUR)

    def classes(self, items: Ints) -> tuple[Floats, Floats, Floats]:
        """Items, shares of the job, and prefix tokens of each class over the floor."""
        cacheable = items[self.depth[items] >= FLOOR]
        _, first, count = np.unique(self.group[cacheable], return_index=True, return_counts=True)
        return count.astype(float), count / len(items), self.depth[cacheable][first]


@pytest.fixture(scope="session")
def day(shared_data: Path) -> Day:
    """The real day."""
    return Day(shared_data / "workloads")


@pytest.mark.parametrize("order", ["shuffled", "as they came"])
@pytest.mark.parametrize(
    ("width", "reference"), [*zip(CASES["widths"], CASES["shuffled_seen"], strict=True), (math.inf, 0.0)]
)
def test_the_morning_predicts_the_afternoon(day: Day, order: str, width: float, reference: float) -> None:
    """Hit share of the second half of a real day, predicted from the writes of the first."""
    rng = np.random.default_rng(1)
    morning, afternoon = (rng.permutation(half) if order == "shuffled" else half for half in day.halves)
    items, share, _ = day.classes(morning)
    learned = effective_width(items, share, float((day.sent(morning, width).written > 0).sum()))
    items, share, prefix = day.classes(afternoon)
    marked = float((prefix * items).sum() / day.tokens[afternoon].sum())
    seen = 100 * day.sent(afternoon, width).hit_share

    assert 100 * marked * predicted_hit_rate(items, share, prefix, learned) == pytest.approx(
        seen, abs=CASES["within_points"][order]
    )
    if order == "shuffled":
        assert seen == pytest.approx(reference, abs=0.6)
    if width >= 200:
        assert learned == pytest.approx(width, rel=0.15 if order == "shuffled" else 0.4)


def test_a_recorded_live_run_has_the_width_that_explains_its_tokens(shared_data: Path) -> None:
    """Five in flight, one document after another, wrote each document about three times; the totals agree in 1 %."""
    live = CASES["live"]
    with (shared_data / "claude_cookbooks" / "recorded_cache_usage.csv").open(encoding="utf-8") as file:
        (recorded,) = (row for row in csv.DictReader(file) if row["label"].startswith("total of 737 chunks"))
    uncached, written, read = (
        int(recorded[name]) for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )
    groups = pl.read_parquet(shared_data / "workloads" / "groups.parquet").filter(pl.col("family") == "contextual")
    factor = live["tokens_per_estimate"]
    documents = groups.filter(pl.col("prefix_tok") * factor >= live["floor"])
    items, tokens = (documents[name].to_numpy().astype(float) for name in ("n", "prefix_tok"))
    tokens *= factor
    alone = np.ones(len(items))

    assert tokens.sum() == pytest.approx(live["once_tokens"], abs=1)
    width = effective_width(items, alone, written, weight=tokens)
    assert width == pytest.approx(live["effective_width"], abs=live["within"])
    total = factor * (groups["prefix_tok"] * groups["n"] + groups["suffix_tok_sum"]).sum()
    assert uncached + written + read == pytest.approx(total, rel=0.01)
    assert read == pytest.approx(
        predicted_hit_rate(items, alone, tokens, width) * float((tokens * items).sum()), rel=0.01
    )


def exact_cdf(x: Fraction, a: int, b: int) -> Fraction:
    """I_x(a, b) of whole numbers: the chance of at least a successes in a + b - 1 tries."""
    tries = a + b - 1
    return sum((math.comb(tries, k) * x**k * (1 - x) ** (tries - k) for k in range(a, tries + 1)), Fraction(0))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 64))
def test_the_beta_distribution_of_whole_numbers_is_exact(a: int, b: int, at: int) -> None:
    """It is a binomial tail, which fractions give without rounding."""
    x = Fraction(at, 64)

    assert beta_cdf(float(x), a, b) == pytest.approx(float(exact_cdf(x, a, b)), rel=1e-11, abs=1e-14)


@given(st.floats(0.001, 0.999), shapes)
def test_the_beta_distribution_with_a_one_is_a_power(x: float, a: float) -> None:
    """Shapes that are no whole numbers, in closed form: x ** a, and its mirror image."""
    assert beta_cdf(x, a, 1) == pytest.approx(x**a, rel=1e-10)
    assert beta_cdf(x, 1, a) == pytest.approx(-math.expm1(a * math.log1p(-x)), rel=1e-10)


def test_the_distribution_of_a_rare_fault_is_right_too() -> None:
    """Beta(1/2, 50,000): almost all mass near zero; near zero it is a chi-square of one degree over 100,000."""
    assert beta_cdf(3.841459 / 100_000, 0.5, 50_000) == pytest.approx(0.95, rel=1e-5)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 64))
def test_what_is_surely_so_is_so_four_times_in_five(reads: int, misses: int, at: int) -> None:
    """By the exact chance that the probability lies at or under the share."""
    share = Fraction(at, 64)
    under = exact_cdf(share, reads, misses)
    assume(abs(under - Fraction(1, 5)) > 1e-9)

    assert ReadRate(reads=reads, misses=misses).surely_above(float(share)) == (under < Fraction(1, 5))


def no_history(*, primed: bool) -> ReadRate:
    """What is assumed before any job has ended."""
    return read_rate(np.empty(0), np.empty(0), np.empty(0), primed=primed)


def test_before_any_result_primed_bodies_are_trusted_and_unprimed_jobs_are_not() -> None:
    """The cautious rate of a Beta(9, 1) is 0.2 ** (1/9): over every break-even. Unprimed it is under all of them."""
    primed, unprimed = no_history(primed=True), no_history(primed=False)

    assert (primed.mean, unprimed.mean) == (0.9, 0.2)
    for rate, cautious in ((primed, 0.2 ** (1 / 9)), (unprimed, 1 - 0.8 ** (1 / 4))):
        assert rate.surely_above(cautious - 1e-9)
        assert not rate.surely_above(cautious + 1e-9)
    assert not unprimed.surely_above(break_even_hit_rate(write=1.25, read=0.025))
    assert primed.surely_above(break_even_hit_rate(write=2.0, read=0.1))


def test_a_job_counts_as_ten_items_at_most_and_half_after_a_month() -> None:
    """Reads within a job are all or nothing, and the service changes."""
    rate = read_rate(np.array([1.0, 0.0, 0.5]), np.array([4.0, 5_000.0, 10.0]), np.array([0.0, 0.0, 30.0]), primed=True)

    assert rate.reads == pytest.approx(9 + 4 + 0 + 5 * 0.5)
    assert rate.misses == pytest.approx(1 + 0 + 10 + 5 * 0.5)


@given(st.floats(0, 1), st.integers(1, 1_000), st.floats(0, 400), st.floats(0, 1))
def test_a_better_job_never_lowers_what_is_believed(hit_rate: float, items: int, age: float, share: float) -> None:
    """And an old job moves belief less than a new one."""

    def after(rate: float, days: float) -> ReadRate:
        return read_rate(np.array([rate]), np.array([float(items)]), np.array([days]), primed=True)

    assert after(1.0, age).surely_above(max(share - 1e-12, 0.0)) >= after(hit_rate, age).surely_above(share)
    start = no_history(primed=True).mean
    assert abs(after(hit_rate, age + 30).mean - start) <= abs(after(hit_rate, age).mean - start) + 1e-12


@given(shapes, shapes, st.integers(1, 40))
def test_a_jobs_outcome_lies_in_its_interval_four_times_in_five(reads: float, misses: float, items: int) -> None:
    """By the chances of every outcome, from products of the two counts instead of gamma functions."""
    low, high = ReadRate(reads=reads, misses=misses).interval(items)
    trials = min(items, 10)
    inside = 0.0
    for hits in range(trials + 1):
        chance = float(math.comb(trials, hits))
        for place in range(trials):
            drawn = reads + place if place < hits else misses + place - hits
            chance *= drawn / (reads + misses + place)
        inside += chance if low <= hits / trials <= high else 0.0

    assert inside >= 0.8 - 1e-9
    assert 0 <= low <= high <= 1


def test_reading_everything_is_no_stray_where_it_is_the_rule() -> None:
    """An interval of the probability itself would leave out 100 %."""
    trusted = read_rate(np.ones(50), np.full(50, 100.0), np.zeros(50), primed=True)

    assert trusted.interval(100) == (1.0, 1.0)
    assert no_history(primed=True).interval(100)[1] == 1.0


def test_a_class_is_flagged_when_two_jobs_running_leave_their_intervals() -> None:
    """One bad job is chance; a good one in between starts the count anew."""
    interval = (0.6, 1.0)

    assert has_strayed([0.1, 0.2], [interval] * 2)
    assert has_strayed([1.0, 0.1, 0.2], [interval] * 3)
    assert not has_strayed([0.1, 0.2, 0.9], [interval] * 3)
    assert not has_strayed([0.2, 0.9, 0.1], [interval] * 3)
    assert not has_strayed([0.1], [interval])
    assert not has_strayed([], [])
