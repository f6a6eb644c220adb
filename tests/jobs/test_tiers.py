"""What a class costs on each model rests on what its trials measured, and says what to take only then."""

from dataclasses import replace

import pytest

from core.actions import routes, tiers, trials
from core.routing.cascade import Cascade
from core.routing.quality import Quality
from core.routing.verdict import Bar
from tests.jobs.driving import Bench, MakeBench
from tests.jobs.trying import CANDIDATE, REFERENCE, follow, standing, start, trying

UNTRIED = "claude-opus-5-5"
FILTERS = ("class_id", "text", "model", "state", "waiting")


def tiers_of(bench: Bench, class_id: str | None = None) -> tiers.ClassTiers | None:
    """The bench's one class on every model."""
    found = class_id or bench.query("classes_listed", **dict.fromkeys(FILTERS), limit=1)["class_id"][0]
    listed = trials.list_trials(bench.workspace, now=bench.clock.now)
    return tiers.class_tiers(bench.workspace, found, trials=listed, items_month=1_000, now=bench.clock.now)


def test_before_a_trial_there_are_prices_and_no_advice(make_bench: MakeBench) -> None:
    """Nobody knows how often another model is right: it has a price, and no price per usable item."""
    bench = trying(make_bench, items=40)
    found = tiers_of(bench)
    assert found is not None

    assert (found.reference, found.choice, found.trial) == (REFERENCE, None, None)
    prices = [one.item_usd for one in found.costs if one.item_usd is not None]
    assert prices == sorted(prices) and len(prices) > 3
    assert {one.model for one in found.costs if one.usable_usd is not None} == {REFERENCE}
    assert [found.standing(model) for model in (REFERENCE, UNTRIED)] == ["today", "untried"]
    assert found.points()["name"].to_list() == ["Sonnet 5.5"], "short, as a chart has room for"

    bench.submit()
    bench.run()
    sent = tiers_of(bench)
    assert sent is not None, "what was sent last tells the same where nothing waits"
    assert {one.model for one in sent.costs} == {one.model for one in found.costs}
    assert tiers_of(bench, "no such class") is None


def test_a_trial_gives_every_price_its_quality_and_the_class_a_choice(make_bench: MakeBench) -> None:
    """The share of right answers is that of the labels, whatever the bar was; the model that clears is taken."""
    bench = trying(make_bench, items=60)
    trial_id = start(bench, bar=Bar(rate=0.7))
    (one,) = follow(bench, trial_id).candidates
    found = tiers_of(bench)
    assert found is not None and found.choice is not None

    (cost,) = [each for each in found.costs if each.model == CANDIDATE]
    assert cost.usable is not None and cost.usable_usd is not None and cost.item_usd is not None
    assert (cost.usable.labels, cost.usable.basis) == (one.tally.labels, "measured")
    assert cost.usable.share == one.tally.correct / one.tally.labels
    assert cost.usable_usd == pytest.approx(cost.item_usd / cost.usable.share)
    assert (found.choice.model, found.standing(CANDIDATE)) == (CANDIDATE, "clears")
    assert found.choice.saving_month_usd is not None and found.choice.saving_month_usd > 0
    points = {row["model"]: row for row in found.points().to_dicts()}
    assert (points[CANDIDATE]["standing"], points[REFERENCE]["standing"]) == ("clears", "today")


def test_the_model_in_use_is_as_good_as_a_trial_found_it(make_bench: MakeBench) -> None:
    """Where it answered the same items, its share of right answers is measured, not taken for granted; after a switch
    it is still there to be compared with."""
    bench = trying(make_bench, items=40, sonnet_right=0.8)
    trial_id = start(bench, bar=Bar(margin=0.3))
    (one,) = follow(bench, trial_id).candidates
    found = tiers_of(bench)
    assert found is not None

    (cost,) = [each for each in found.costs if each.model == REFERENCE]
    tally = one.tally
    assert cost.usable is not None and cost.usable.basis == "measured"
    assert cost.usable.share == (tally.correct - tally.better + tally.worse) / tally.labels < 1

    class_id = bench.query("classes_listed", **dict.fromkeys(FILTERS), limit=1)["class_id"][0]
    routes.apply_route(bench.workspace, class_id, CANDIDATE, now=bench.clock.now, uncertified=True)
    moved = tiers_of(bench, class_id)
    assert moved is not None
    assert [moved.standing(model) for model in (CANDIDATE, REFERENCE)] == ["today", "before"]
    assert set(moved.points()["model"]) == {CANDIDATE, REFERENCE}


def test_a_cascade_is_one_more_point(make_bench: MakeBench) -> None:
    """Two models in a row are drawn beside each of them alone; where one alone is cheaper there is no such point."""
    bench = trying(make_bench, items=40)
    trial_id = start(bench, bar=Bar(rate=0.7))
    follow(bench, trial_id)
    found = tiers_of(bench)
    assert found is not None and found.cascade is None
    cascade = Cascade(
        first=CANDIDATE,
        second=REFERENCE,
        rule="valid",
        threshold=None,
        accepted=0.8,
        quality=Quality(share=0.9, lower=0.8, upper=0.95, labels=200, basis="measured"),
        item_usd=0.001,
        usable_usd=0.0011,
        usable_low=0.001,
        usable_high=0.0013,
        gain_usd=None,
        gain_low=None,
        gain_high=None,
        against=REFERENCE,
        seconds=60,
        extra_seconds=30,
        verdict=None,
    )
    both = replace(found, trial=replace(standing(bench, trial_id), cascade=cascade))

    point = both.points().row(-1, named=True)
    assert (point["kind"], point["standing"], point["usd"]) == ("cascade", "not_yet", 0.0011)
    assert point["name"] == "Haiku 5.5 → Sonnet 5.5"
    assert both.points().height == found.points().height + 1

    presumed = replace(cascade, quality=Quality(share=0.9, lower=0.0, upper=1.0, labels=0, basis="assumed"))
    unmeasured = replace(both, trial=replace(standing(bench, trial_id), cascade=presumed))
    assert unmeasured.points().height == found.points().height, "what nobody measured is no point"
    alone = replace(both, trial=replace(standing(bench, trial_id), cascade=replace(cascade, second=None, rule=None)))
    assert alone.points().height == found.points().height
