"""What a trial shows of a model's tokens: the price of the class on it rests on that, not on a factor."""

from decimal import Decimal
from math import fsum

import pytest

from core.actions.tiers import class_tiers
from core.routing.whole_cost import TierCost
from core.trials.standing import TrialStanding
from tests.jobs.driving import Bench, MakeBench
from tests.jobs.trying import CANDIDATE, follow, start, trying


def candidate(bench: Bench, class_id: str, *trials: TrialStanding) -> TierCost:
    """What the class costs on the candidate."""
    found = class_tiers(bench.workspace, class_id, trials=trials, now=bench.clock.now)
    assert found is not None
    return next(cost for cost in found.costs if cost.model == CANDIDATE)


def test_a_model_that_was_on_trial_is_priced_by_the_tokens_it_had(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts and answers count as they were billed for the copies: the class's own items never went to that model."""
    monkeypatch.setattr("core.trials.asking.FIRST_ROUND", (20, 20))
    bench = trying(make_bench, items=20, settings={"job_cost_usd": Decimal(0)})
    waiting = bench.query("backlog", class_ids=None)
    class_id = waiting["class_id"][0]
    before = candidate(bench, class_id)
    after = candidate(bench, class_id, follow(bench, start(bench)))
    seen, billed = bench.query("trial_tokens", class_ids=[class_id]), bench.attempts()
    rates = bench.workspace.book.rates(CANDIDATE, at=bench.clock.now)
    paid = seen["prompt_tokens"] * float(rates.input) + seen["output_tokens"] * float(rates.output)

    assert set(seen["item_id"]) == set(waiting["item_id"])
    assert seen["output_tokens"].sum() == billed["output_tokens"].sum()
    assert bench.query("trial_tokens", class_ids=["another"]).is_empty()
    assert before.plain_usd is not None
    assert after.plain_usd is not None
    mean = fsum(paid) / seen.height
    assert abs(after.plain_usd - mean) < abs(before.plain_usd - mean)
    assert after.plain_usd == pytest.approx(mean, rel=0.03)
