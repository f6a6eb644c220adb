"""What a usable item costs on each model: its tokens, floor, prices and cache plan, jobs, faults and right answers."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.routing import classes
from core.caching.item_costs import with_tokens
from core.caching.learned import Learned
from core.prices import PriceBook
from core.routing.quality import BadQuality, Quality, usable_usd
from core.routing.whole_cost import TierCost, stage_of, tier_costs
from core.settings import Settings
from core.sizing.evidence import Evidence, Output
from tests.pure.test_cache_plan import history
from tests.pure.test_plan import backlog

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HAIKU, OLD_HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-haiku-4-5", "claude-sonnet-5-5", "claude-opus-5-5"
# Jobs that cost next to nothing besides their items, and primers that are always read within the hour.
FREE_JOBS = Settings(job_cost_usd=Decimal(0))
SURE = Evidence(learned=Learned(history=history(1.0, jobs=500), alive={"5m": 0.0, "1h": 1.0}))
# Faults that are assumed until there are jobs, and the cent that a job costs at least: what prices alone leave out.
BESIDES = 0.04


def costs(items: pl.DataFrame, *models: str, of: Settings = FREE_JOBS, **more: Any) -> tuple[TierCost, ...]:
    """What these items cost today on the models."""
    given_too: dict[str, Any] = {"qualities": {}, "evidence": SURE} | more
    return tier_costs(items, models, book=BOOK, settings=of, now=NOW, **given_too)


def usd(cost: TierCost) -> float:
    """The dollars of an item that has a price."""
    assert cost.item_usd is not None
    return cost.item_usd


def on_old_haiku(**more: Any) -> pl.DataFrame:
    """A class on a model with a high floor: 2,400 tokens are shared, which is too few there."""
    return backlog({"items": 300, "model": OLD_HAIKU, "prefix_chars": 9_000, "max_tokens": 150, **more})


def test_a_cached_larger_model_is_cheaper_than_a_smaller_one_whose_floor_shuts_the_cache() -> None:
    """Tier and cache belong together: the list price alone would choose wrongly."""
    old, sonnet, haiku = costs(on_old_haiku(max_tokens=100), OLD_HAIKU, SONNET, HAIKU)

    assert BOOK.rates(SONNET, at=NOW).input > BOOK.rates(OLD_HAIKU, at=NOW).input
    assert (old.cached, sonnet.cached, sonnet.lifetime) == (False, True, "1h")
    assert usd(haiku) < usd(sonnet) < usd(old)
    assert old.item_usd == old.plain_usd
    assert "do not surely reach the 4,096" in old.why
    assert "Filled up to that" in old.why
    assert "written once for an hour" in sonnet.why


def seen(items: pl.DataFrame, model: str, *, ratio: float, answers: float = 0.0) -> pl.DataFrame:
    """The items as they were on a model that has so many tokens for one of today's."""
    known = with_tokens(items, book=BOOK, settings=FREE_JOBS)
    return known.select(
        "item_id", model=pl.lit(model), prompt_tokens=pl.col("prompt_tokens") * ratio, output_tokens=pl.lit(answers)
    )


def test_each_model_counts_in_its_own_tokens() -> None:
    """The newer tokenizer makes 30 % more of the same text, until results of the class have shown what it makes."""
    items = on_old_haiku()
    old, assumed, opus = costs(items, OLD_HAIKU, SONNET, OPUS)
    (learned,) = costs(items, SONNET, seen=seen(items, SONNET, ratio=1.1))
    (other,) = costs(items, OPUS, seen=seen(items, SONNET, ratio=1.1))

    assert assumed.prefix_tokens == opus.prefix_tokens == pytest.approx(1.3 * old.prefix_tokens)
    assert learned.prefix_tokens == pytest.approx(1.1 * old.prefix_tokens, rel=0.01)
    assert other == opus


def test_answers_have_the_length_that_they_had_on_the_model() -> None:
    """Another model may be more verbose: its own answers count, once there are some, in work or on trial."""
    items = on_old_haiku(output_tokens=100.0)
    known = replace(SURE, outputs={(items["class_id"][0], SONNET): Output(mean=500.0, sd=0.0, items=20)})
    (assumed,), (at_work,) = costs(items, SONNET), costs(items, SONNET, evidence=known)
    (on_trial,) = costs(items, SONNET, seen=seen(items, SONNET, ratio=1.3, answers=500.0))

    longer = (500 - 130) * float(BOOK.rates(SONNET, at=NOW).output)
    assert usd(at_work) - usd(assumed) == pytest.approx(longer, rel=BESIDES)
    assert usd(on_trial) == pytest.approx(usd(at_work), rel=1e-6)


def test_a_prefix_that_only_may_reach_the_floor_is_priced_without_caching() -> None:
    """The tokens of another model are an estimate: near its floor a mark may do nothing, and promise nothing."""
    near = on_old_haiku(prefix_chars=1_600)
    (sonnet,) = costs(near, SONNET)
    (known,) = costs(near, SONNET, seen=seen(near, SONNET, ratio=1.3))

    assert sonnet.floor < sonnet.prefix_tokens < 1.14 * sonnet.floor
    assert (sonnet.cached, known.cached) == (False, True)


def test_what_is_known_of_a_prefix_holds_on_a_model_that_counts_alike() -> None:
    """The same tokenizer and no higher floor: what is cached today would be cached there."""
    items = backlog({"items": 100, "model": SONNET, "prefix_chars": 1_500})
    (opus,) = costs(items, OPUS)

    assert items["cacheable"][0]
    assert opus.cached


def test_every_item_beyond_the_cliff_pays_for_all_of_its_tokens() -> None:
    """Haiku 5.5 costs five times as much beyond 100,000 tokens of input, whatever the other items of the class are."""
    short = backlog({"items": 50, "model": HAIKU, "prefix_blocks": 0, "suffix_chars": 2_850, "output_tokens": 0.0})
    long = short.with_columns(chars=pl.lit(300_000, pl.Int64))
    mixed = pl.concat([short.head(49), long.tail(1)])
    (small,), (large,), (both,) = (costs(items, HAIKU) for items in (short, long, mixed))
    rate = float(BOOK.rates(HAIKU, at=NOW).input)

    assert usd(large) == pytest.approx(5 * rate * 300_000 / 2.85, rel=BESIDES)
    assert usd(both) == pytest.approx((49 * usd(small) + usd(large)) / 50, rel=BESIDES)
    assert both.why.endswith("1 of 50 items are so long that all of their tokens cost more.")
    assert "so long" not in small.why


def test_prompts_that_do_not_fit_are_said() -> None:
    """A price means nothing for a model that refuses the item."""
    items = backlog({"items": 5, "model": HAIKU, "prefix_blocks": 0}).with_columns(chars=pl.lit(900_000, pl.Int64))
    haiku, old = costs(items, HAIKU, OLD_HAIKU)

    assert "longer than it takes" not in haiku.why
    assert old.why.endswith("5 of 5 items are longer than it takes.")


def test_jobs_and_faults_are_part_of_the_cost() -> None:
    """An item pays its share of a look at its job, and what is expected to be sent again."""
    items = backlog({"items": 2_000, "prefix_blocks": 0, "model": SONNET})
    (free,), (looked_at,) = costs(items, SONNET), costs(items, SONNET, of=Settings(job_cost_usd=Decimal(5)))
    price = free.plain_usd

    assert price is not None
    assert usd(free) == price
    assert usd(looked_at) > usd(free) + 5 / 20_000


def test_a_small_class_shares_its_job() -> None:
    """Ten items do not pay for a job of their own, as they will not have one."""
    few, many = backlog({"items": 10, "prefix_blocks": 0}), backlog({"items": 2_000, "prefix_blocks": 0})
    of = Settings(job_cost_usd=Decimal(1))
    (small,), (large,) = costs(few, HAIKU, of=of), costs(many, HAIKU, of=of)

    assert usd(small) < usd(large) < 1 / 10


def test_a_cached_class_waits_for_its_primer() -> None:
    """The primer's own turnaround comes before the body's."""
    old, sonnet = costs(on_old_haiku(), OLD_HAIKU, SONNET)

    assert sonnet.seconds > old.seconds > 0


def test_a_model_without_a_price_has_none_here() -> None:
    """What is not known is not zero."""
    (unknown,) = costs(on_old_haiku(), "claude-unheard-of", qualities={"claude-unheard-of": quality(0.9)})

    assert (unknown.item_usd, unknown.plain_usd, unknown.usable_usd, unknown.cached) == (None, None, None, False)
    assert unknown.why == "The price book has no price for this model."


def quality(share: float, off: float = 0.05) -> Quality:
    """A measured share with even bounds."""
    return Quality(share=share, lower=max(share - off, 0), upper=min(share + off, 1), labels=100, basis="measured")


def test_what_is_not_usable_is_paid_by_what_is() -> None:
    """(c + (1 - s) w) / s, between the same at the upper and at the lower bound of the share."""
    of = replace(FREE_JOBS, wrong_answer_usd=Decimal("0.01"))
    (cost,) = costs(on_old_haiku(), SONNET, of=of, qualities={SONNET: quality(0.8)})
    item = usd(cost)

    assert cost.usable_usd == pytest.approx((item + 0.2 * 0.01) / 0.8)
    assert cost.usable_low == pytest.approx((item + 0.15 * 0.01) / 0.85)
    assert cost.usable_high == pytest.approx((item + 0.25 * 0.01) / 0.75)


@pytest.mark.parametrize(("share", "lower"), [(0.0, 0.0), (0.5, 0.0)])
def test_a_model_of_which_no_answer_may_be_usable_has_no_highest_cost(share: float, lower: float) -> None:
    """An open bound is None, so that it can be stored and shown."""
    of = Quality(share=share, lower=lower, upper=1.0, labels=1, basis="measured")
    (cost,) = costs(on_old_haiku(), SONNET, qualities={SONNET: of})

    assert cost.usable_high is None
    assert (cost.usable_usd is None) == (share == 0)
    assert cost.usable_low == cost.item_usd


def test_a_share_outside_its_bounds_is_refused() -> None:
    """Contradictory quality would give an interval that does not hold its middle."""
    with pytest.raises(BadQuality):
        Quality(share=0.5, lower=0.6, upper=0.9, labels=10, basis="measured")


@given(c=st.floats(1e-6, 1), s=st.floats(0.01, 1), t=st.floats(0.01, 1), w=st.floats(0, 1))
def test_a_better_model_of_the_same_price_is_never_dearer(c: float, s: float, t: float, w: float) -> None:
    """Dollars per usable item fall with the share that is usable."""
    better, worse = max(s, t), min(s, t)

    assert float(usable_usd(c, better, w)) <= float(usable_usd(c, worse, w)) * (1 + 1e-12)


def test_a_stage_of_fewer_items_has_its_own_plan() -> None:
    """With fewer items the writing is shared by fewer, or not worth it: nearly what planning just those says."""
    stage = stage_of(on_old_haiku(items=400), SONNET, book=BOOK, settings=FREE_JOBS, now=NOW, evidence=SURE)

    assert stage is not None
    for items in (2, 4, 30, 100, 333):
        (alone,) = costs(on_old_haiku(items=items), SONNET)
        assert float(stage.total_usd(items)) == pytest.approx(items * usd(alone), rel=0.02)


def test_a_stage_beyond_its_class_costs_as_much_an_item() -> None:
    """And without a price there is no stage."""
    known: dict[str, Any] = {"book": BOOK, "settings": FREE_JOBS, "now": NOW, "evidence": SURE}
    stage = stage_of(on_old_haiku(), SONNET, **known)

    assert stage is not None
    assert float(stage.total_usd(600)) == pytest.approx(2 * float(stage.total_usd(300)))
    assert float(stage.total_usd(0)) == 0
    assert stage_of(on_old_haiku(), "claude-unheard-of", **known) is None


def test_on_real_prompts_a_cached_sonnet_is_cheaper_than_an_old_haiku_in_a_quarter_of_the_classes(
    shared_data: Path,
) -> None:
    """By price, floor and cache alone: in 29 of 115, at $7.12 and $8.03 for the whole set, faults left out."""
    pairs = [(items.height, costs(items, OLD_HAIKU, SONNET)) for items in classes(shared_data)]

    assert 27 <= sum(usd(sonnet) < usd(haiku) for _, (haiku, sonnet) in pairs) <= 31
    assert sum(n * usd(haiku) for n, (haiku, _) in pairs) == pytest.approx(7.12, rel=0.05)
    assert sum(n * usd(sonnet) for n, (_, sonnet) in pairs) == pytest.approx(8.03, rel=0.06)
