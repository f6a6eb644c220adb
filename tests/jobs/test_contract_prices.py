"""Contract prices on the way of a job: predicted by them, and priced by them when its results are there."""

from datetime import date
from decimal import Decimal

import pytest

from core import actions
from core.actions.prices import add_price, end_contract_price
from core.prices import ContractPrice
from tests.cells import rows
from tests.jobs.driving import LONG_AGO, MakeBench, lone


def test_a_job_under_way_is_priced_by_what_was_agreed(make_bench: MakeBench) -> None:
    """Plans foresee the price that the worker then pays, agreed while the process runs; ended, both are the list's."""
    bench = make_bench()
    bench.load(*lone(4))
    listed = actions.preview_plan(bench.workspace, now=bench.clock.now).predicted_usd
    assert listed is not None
    terms = ContractPrice(discount=Decimal("0.25"), first_day=LONG_AGO.date())
    add_price(bench.workspace, [terms], now=bench.clock.now)
    agreed = actions.preview_plan(bench.workspace, now=bench.clock.now).predicted_usd
    assert agreed == listed * Decimal("0.75")

    bench.submit()
    bench.run()
    paid = Decimal(bench.attempts()["cost_usd"].sum())
    done = end_contract_price(bench.workspace, 1, last_day=date(2025, 1, 1), now=bench.clock.now)
    assert done.attempts == 4
    assert Decimal(bench.attempts()["cost_usd"].sum()) * Decimal("0.75") == paid > 0


def test_forecasts_follow_a_price_that_is_agreed_later(make_bench: MakeBench) -> None:
    """A job that is back, and one under way, are held against what they cost: no contract makes a forecast wrong."""
    bench = make_bench()
    items = lone(8)
    bench.submit(*items[:4])
    bench.run()
    bench.submit(*items[4:])
    store = bench.workspace.store
    [met] = store.query("predictions_met").filter(measure="cost").to_dicts()
    said = "SELECT job_id, predicted_usd::DOUBLE AS job_usd, point, low, high FROM prediction JOIN job USING (job_id)"
    said += " WHERE measure = 'cost' ORDER BY job_id"
    before = rows(store, said)
    assert len(before) == 2

    terms = ContractPrice(discount=Decimal("0.25"), first_day=LONG_AGO.date())
    add_price(bench.workspace, [terms], now=bench.clock.now)
    for then, now in zip(before, rows(store, said), strict=True):
        assert [now[name] / then[name] for name in ("point", "low", "high")] == pytest.approx([0.75] * 3)
        assert now["job_usd"] == pytest.approx(then["job_usd"] * 0.75, abs=1e-9)
    [again] = store.query("predictions_met").filter(measure="cost").to_dicts()
    assert again["actual"] / again["point"] == pytest.approx(met["actual"] / met["point"])

    end_contract_price(bench.workspace, 1, last_day=date(2025, 1, 1), now=bench.clock.now)
    assert [row["point"] for row in rows(store, said)] == pytest.approx([row["point"] for row in before])
