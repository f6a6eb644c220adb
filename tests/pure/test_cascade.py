"""The cascade: exactly the cheapest way there is, proven on labels it was not chosen for; and the choice among all."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.routing.cascade import LEARN, Cascade, best_cascade
from core.routing.choice import Choice, choose
from core.routing.escalation import OutcomesUnusable
from core.routing.quality import Quality
from core.routing.stage import Stage
from core.routing.verdict import Bar, Ruling, Tally, Verdict, first_ruling, rule
from core.routing.whole_cost import TierCost

Row = dict[str, Any]
SCORES = (0.1, 0.5, 0.9)


def stage(model: str, *, plain: float, hot: float, once: float, items: int) -> Stage:
    """A model with a prefix: written once and read by the rest, or sent plain where that is cheaper."""
    sizes = np.arange(1, items + 1, dtype=np.float64)
    return Stage(model=model, sizes=sizes, usd=np.minimum(plain * sizes, once + hot * sizes), seconds=900.0)


SMALL = {"plain": 3.0, "hot": 1.0, "once": 4.0}
LARGE = {"plain": 20.0, "hot": 8.0, "once": 30.0}
# A larger model whose cache is open, and a smaller one whose floor shuts it: now the larger one is the cheaper.
SHUT = {"plain": 9.0, "hot": 9.0, "once": 0.0}


def accounts(rows: list[Row], stages: dict[str, Stage]) -> Iterator[tuple[float, float]]:
    """Every way there is, item by item: dollars a usable item (`inf` where none is), and the share that is right.

    Either model alone; and either first, with every rule that its signals allow at every threshold, where what is not
    kept goes to the other one.
    """
    for first, second in (("small", "large"), ("large", "small")):
        valid, score = [row.get(f"{first}_valid") for row in rows], [row.get(f"{first}_score") for row in rows]
        keeping: list[list[bool]] = [[True] * len(rows)]
        if f"{first}_valid" in rows[0]:
            keeping.append([one is True for one in valid])
        if f"{first}_score" in rows[0]:
            for threshold in SCORES:
                sure = [one is not None and one >= threshold for one in score]
                keeping.append(sure)
                if f"{first}_valid" in rows[0]:
                    keeping.append([one and two is True for one, two in zip(sure, valid, strict=True)])
        for kept in keeping:
            if not any(kept):
                continue
            dollars, right = float(stages[first].usd[len(rows) - 1]), 0
            again = kept.count(False)
            dollars += float(stages[second].usd[again - 1]) if again else 0.0
            for row, keeps in zip(rows, kept, strict=True):
                right += bool(row[f"{first if keeps else second}_ok"])
            yield (dollars / right if right else float("inf")), right / len(rows)


def rows_of(signals: tuple[str, ...]) -> st.SearchStrategy[list[Row]]:
    """Outcomes of a few items with these signals."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "valid": st.sampled_from([True, False, None]),
        "score": st.sampled_from([*SCORES, None]),
    }
    more = {name: kinds[name.split("_")[1]] for name in signals}
    row = st.fixed_dictionaries({"small_ok": st.booleans(), "large_ok": st.booleans(), **more})
    return st.lists(row, min_size=1, max_size=9)


some_rows = st.sampled_from(
    [
        ("small_valid",),
        ("small_score",),
        ("large_score",),
        ("small_valid", "small_score"),
        ("small_valid", "small_score", "large_valid", "large_score"),
    ]
).flatmap(rows_of)


def frame(rows: list[Row]) -> pl.DataFrame:
    """The rows as outcomes, in their order."""
    kinds: dict[str, Any] = {"valid": pl.Boolean, "score": pl.Float64, "ok": pl.Boolean}
    schema = {name: kinds[name.split("_")[1]] for name in rows[0]}
    return pl.DataFrame(rows, schema=schema).with_row_index("order")


@settings(max_examples=150)
@given(rows=some_rows, small=st.sampled_from([SMALL, SHUT]))
def test_no_way_is_cheaper(rows: list[Row], small: dict[str, float]) -> None:
    """Against every threshold, either order and every rule, by direct accounting of every item: the same cost."""
    n = len(rows)
    stages = {"small": stage("s", items=n, **small), "large": stage("l", items=n, **LARGE)}
    found = best_cascade(frame(rows), stages["small"], stages["large"], items=n)
    cheapest = min(usd for usd, _ in accounts(rows, stages))

    assert (found.usable_usd or float("inf")) == pytest.approx(cheapest, rel=1e-9)
    assert found.item_usd * n == pytest.approx((found.usable_usd or 0.0) * n * found.quality.share) or (
        found.usable_usd is None
    )


@settings(max_examples=100)
@given(rows=some_rows, rate=st.sampled_from([0.2, 0.5, 0.8]))
def test_no_way_with_room_above_the_bar_is_cheaper(rows: list[Row], rate: float) -> None:
    """With a bar, the cheapest of the ways that lie two standard errors above it; if none does, the one most right."""
    n = len(rows)
    stages = {"small": stage("s", items=n, **SMALL), "large": stage("l", items=n, **LARGE)}
    ways = list(accounts(rows, stages))
    roomy = [usd for usd, share in ways if share - 2 * (share * (1 - share) / n) ** 0.5 > rate]
    most = max(share for _, share in ways)
    wanted = min(roomy) if roomy else min(usd for usd, share in ways if share == most)
    found = best_cascade(frame(rows), stages["small"], stages["large"], items=n, bar=Bar(rate=rate))

    assert (found.usable_usd or float("inf")) == pytest.approx(wanted, rel=1e-9)
    assert found.verdict is not None
    assert found.verdict.ruling is Ruling.NOT_YET


def drawn(n: int, *, small: float = 0.7, large: float = 0.95, told: float = 0.9, seed: int = 1) -> pl.DataFrame:
    """Answers of two models, where a score tells right from wrong ones of the small model so often."""
    rng = np.random.default_rng(seed)
    right = rng.random(n) < small
    return pl.DataFrame(
        {
            "order": np.arange(n),
            "small_ok": right,
            "large_ok": rng.random(n) < large,
            "small_score": np.where(rng.random(n) < told, right, ~right) * 0.6 + rng.random(n) * 0.4,
        }
    )


def cascade(outcomes: pl.DataFrame, bar: Bar | None = None, **more: Any) -> Cascade:
    """The best cascade of a cheap and a dear model for 1,000 items."""
    small, large = stage("s", items=1_000, **SMALL), stage("l", items=1_000, **LARGE)
    return best_cascade(outcomes, small, large, items=1_000, bar=bar, **more)


def test_what_is_said_rests_on_labels_after_the_choice() -> None:
    """Neither the threshold nor its estimate flatter themselves: later labels judge what the first ones chose."""
    outcomes = drawn(600)
    found, first = cascade(outcomes, Bar(rate=0.8)), cascade(outcomes.head(LEARN), Bar(rate=0.8))
    fresh = outcomes.slice(LEARN)
    kept = (fresh["small_score"] >= found.threshold).to_numpy()
    right = np.where(kept, fresh["small_ok"], fresh["large_ok"])

    assert (found.first, found.second, found.rule) == ("s", "l", "score")
    assert found.threshold == first.threshold
    assert found.accepted == pytest.approx(kept.mean())
    assert found.quality.share == pytest.approx(right.mean())
    assert found.quality.labels == 500
    assert found.verdict == first_ruling(fresh.select("order", correct=pl.Series(right * 1)), Bar(rate=0.8))
    assert found.verdict is not None
    assert found.verdict.ruling is Ruling.CLEARS


def test_later_labels_change_neither_rule_nor_threshold() -> None:
    """So that a verdict on them may be looked at after every one of them."""
    chosen = {(of.rule, of.threshold) for of in (cascade(drawn(500).head(n)) for n in (LEARN, 101, 250, 500))}

    assert len(chosen) == 1


def test_without_labels_after_the_choice_nothing_is_proven() -> None:
    """A way that was chosen for these labels says little of others."""
    found = cascade(drawn(LEARN), Bar(rate=0.5))

    assert found.quality.basis == "assumed"
    assert (found.quality.lower, found.quality.upper, found.quality.labels) == (0.0, 1.0, 0)
    assert found.verdict == rule(Tally(), Bar(rate=0.5))
    assert found.usable_high is None


def test_the_second_stage_writes_its_prefix_for_fewer_items() -> None:
    """Both batches and both primers are paid for: an item escalated costs more than one of the whole class."""
    found = cascade(drawn(600), Bar(rate=0.8))
    again = (1 - found.accepted) * 1_000

    assert found.item_usd == pytest.approx((1_000 * 1.0 + 4.0 + 30.0 + again * 8.0) / 1_000)
    assert (found.seconds, found.extra_seconds) == (1_800.0, 900.0)


def test_a_cascade_is_not_recommended_where_one_model_is_cheaper() -> None:
    """A score that says nothing, or a small model that is nearly always wrong, leaves the large one alone."""
    useless = drawn(400, small=0.02, large=1.0, told=0.5)
    good = drawn(400, small=1.0, large=1.0)

    assert (cascade(useless).first, cascade(useless).second) == ("l", None)
    assert (cascade(good).first, cascade(good).second) == ("s", None)
    assert cascade(good).extra_seconds == 0
    assert cascade(useless).accepted == 1


def test_the_gain_lies_between_its_bounds() -> None:
    """What a usable item costs less than on the other model alone, and how sure that is."""
    found = cascade(drawn(1_000), Bar(rate=0.8))
    large = drawn(1_000).slice(LEARN)["large_ok"].to_numpy()
    alone = (30.0 + 8.0 * 1_000) / 1_000 / large.mean()

    assert found.gain_usd is not None
    assert found.gain_low is not None
    assert found.gain_high is not None
    assert found.gain_usd == pytest.approx(alone - (found.usable_usd or 0.0))
    assert found.gain_low < found.gain_usd < found.gain_high
    assert found.against == "l"
    assert cascade(drawn(1_000), Bar(rate=0.8)) == found


def test_a_margin_is_tested_on_the_same_items() -> None:
    """The blend against what the class runs on today, pair by pair."""
    outcomes = drawn(800, small=0.8, large=0.9, told=1.0)
    other = outcomes.with_columns(reference_ok=pl.lit(value=True))
    found, harder = (cascade(each, Bar(margin=0.1)) for each in (outcomes, other))

    assert found.verdict is not None
    assert harder.verdict is not None
    assert found.verdict.ruling is Ruling.CLEARS
    assert (harder.verdict.estimate or 0.0) < (found.verdict.estimate or 0.0)


@pytest.mark.parametrize(
    "outcomes",
    [
        pl.DataFrame({"order": [1], "small_ok": [True]}),
        drawn(10).clear(),
        drawn(2).with_columns(large_ok=pl.lit(None, pl.Boolean)),
    ],
    ids=["a column is missing", "no row", "nothing graded on both"],
)
def test_outcomes_without_pairs_are_refused(outcomes: pl.DataFrame) -> None:
    """Nothing can be said of a cascade without items that both models answered."""
    with pytest.raises(OutcomesUnusable):
        cascade(outcomes)


def test_on_real_outcomes_the_cheapest_way_costs_what_accounting_says(shared_data: Path) -> None:
    """7,907 pairs of a weak and a strong model; its score is whether a class is one that it mostly gets right."""
    pairs = pl.read_parquet(shared_data / "routing_outcomes" / "outcomes.parquet")
    outcomes = pairs.select(
        order=pl.int_range(pl.len()),
        small_ok=pl.col("weak_ok").cast(pl.Boolean),
        large_ok=pl.col("strong_ok").cast(pl.Boolean),
        small_score=pl.col("weak_ok").cast(pl.Float64).mean().over("cls"),
    )
    n = outcomes.height
    small, large = stage("weak", items=n, **SMALL), stage("strong", items=n, **LARGE)
    found = best_cascade(outcomes, small, large, items=n, learn=n)
    ways = [
        (small.usd[-1] + (large.usd[again - 1] if again else 0.0)) / float(right)
        for threshold in [0.0, *outcomes["small_score"].unique()]
        for kept in [outcomes["small_score"] >= threshold]
        for again in [n - int(kept.sum())]
        for right in [(kept & outcomes["small_ok"] | ~kept & outcomes["large_ok"]).sum()]
    ]

    assert found.usable_usd == pytest.approx(min(*ways, large.usd[-1] / float(outcomes["large_ok"].sum())), rel=1e-9)


# The choice among single models and the cascade.


def tier(model: str, usd: float | None, *, share: float = 0.9) -> TierCost:
    """What a usable item costs on a model."""
    return TierCost(
        model=model,
        name=model.title(),
        item_usd=None if usd is None else usd * share,
        plain_usd=usd,
        usable=Quality(share=share, lower=0.0, upper=1.0, labels=0, basis="assumed"),
        usable_usd=usd,
        usable_low=usd,
        usable_high=usd,
        cached=False,
        lifetime=None,
        prefix_tokens=0.0,
        floor=512,
        seconds=900.0,
        why="",
    )


def verdict(ruling: Ruling, more: int | None = None) -> Verdict:
    """A ruling after some labels."""
    return Verdict(ruling=ruling, labels=50, estimate=0.9, lower=0.8, upper=0.95, more_labels=more)


TIERS = (tier("haiku", 0.1), tier("sonnet", 1.0), tier("opus", 2.0))
CLEARS, FAILS = verdict(Ruling.CLEARS), verdict(Ruling.FAILS)


def chosen(of: Cascade | None = None, costs: tuple[TierCost, ...] = TIERS, **verdicts: Verdict) -> Choice:
    """What is recommended where all runs on Opus today."""
    return choose(costs, verdicts, of, reference="opus", items_a_month=1_000)


def test_the_cheapest_model_that_provably_clears_is_chosen() -> None:
    """Not the cheapest that looks good, nor one that was refuted."""
    both = chosen(haiku=CLEARS, sonnet=CLEARS)
    refuted = chosen(haiku=FAILS, sonnet=CLEARS)

    assert (both.model, both.saving_month_usd, both.unproven) == ("haiku", Decimal(1_900), ())
    assert refuted.model == "sonnet"
    assert refuted.saving_usd == pytest.approx(1.0)
    assert refuted.why == ("Move to Sonnet: it clears the bar, and a usable item costs 50 % less than on Opus today.")


def test_what_is_still_unproven_is_said_with_its_price() -> None:
    """The next step names the cheapest open model, the labels it takes, and what they cost."""
    found = chosen(haiku=verdict(Ruling.NOT_YET, 200), sonnet=CLEARS)

    assert found.model == "sonnet"
    assert found.unproven == ("haiku",)
    assert found.next_step is not None
    assert (found.next_step.labels, found.next_step.usd) == (200, Decimal("18.000000"))
    assert found.why.endswith(
        "About 200 more labels for about $18.00 would show whether Haiku, which costs less still, clears it too."
    )
    assert choose(
        TIERS, {"haiku": verdict(Ruling.NOT_YET, 5)}, None, reference="opus", more_usd={"haiku": Decimal(7)}
    ).why.startswith("Stay on Opus: nothing cheaper is proven to clear the bar. About 5 more labels for about $7.00")


def test_no_labels_are_asked_for_where_none_would_decide() -> None:
    """A model that is too near its bar is passed over for the next one; one that was never tried can be tried."""
    near, fresh = (
        verdict(Ruling.NOT_YET),
        Verdict(ruling=Ruling.NOT_YET, labels=0, estimate=None, lower=0.0, upper=1.0, more_labels=None),
    )
    found = chosen(haiku=near, sonnet=verdict(Ruling.NOT_YET, 40))

    assert found.unproven == ("haiku", "sonnet")
    assert found.next_step is not None
    assert found.next_step.model == "sonnet"
    assert chosen(haiku=near, sonnet=FAILS).next_step is None
    assert chosen(haiku=fresh).why.endswith("Haiku would cost less still: try it.")
    assert chosen().why.endswith("Haiku would cost less still: try it.")


def test_a_dearer_model_is_never_recommended() -> None:
    """The model of today always counts as cleared: clearing alone is no reason to pay more."""
    found = choose(TIERS, {"sonnet": CLEARS, "opus": CLEARS}, None, reference="haiku")

    assert (found.model, found.saving_usd, found.unproven) == ("haiku", 0.0, ())
    assert found.why == "Stay on Haiku: nothing cheaper is proven to clear the bar."


def test_nothing_is_cheaper_than_what_has_no_price() -> None:
    """Without a price of today's model no saving can be claimed."""
    found = chosen(None, (TIERS[0], tier("opus", None)), haiku=CLEARS)

    assert (found.model, found.saving_usd, found.saving_month_usd) == ("opus", None, None)
    assert "not known" in found.why


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({}, True),
        ({"verdict": verdict(Ruling.NOT_YET)}, False),
        ({"verdict": None}, False),
        ({"usable_usd": 1.5}, False),
        ({"second": None, "rule": None}, False),
    ],
    ids=["clears and is cheaper", "not yet", "no bar", "a single model is cheaper", "is a single model"],
)
def test_a_cascade_is_taken_only_where_it_clears_and_is_cheaper(change: dict[str, Any], taken: bool) -> None:
    """It takes longer and is more to follow: a single model that clears at no higher cost comes first."""
    of = replace(
        cascade(drawn(600), Bar(rate=0.8)), first="haiku", second="opus", usable_usd=0.5, accepted=0.72, verdict=CLEARS
    )
    found = chosen(replace(of, **change), sonnet=CLEARS)

    assert (found.cascade is not None) == taken
    assert found.model == ("haiku" if taken else "sonnet")
    if taken:
        assert found.why.startswith("Ask Haiku first and Opus for the 28 % it does not settle: together they clear")
