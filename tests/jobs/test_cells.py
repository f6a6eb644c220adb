"""Cost cells through whole lives of jobs: failures, expiry, repairs, cancels and trials, told by real replies."""

from decimal import Decimal

import polars as pl

from core import actions
from tests.cells import assert_cells_kept
from tests.jobs import trying
from tests.jobs.driving import Bench, MakeBench, lone, shared


def total(costs: pl.Series) -> Decimal:
    """The sum of the known ones, exactly."""
    return sum(costs.drop_nulls().to_list(), Decimal(0))


def test_cells_follow_a_whole_life(make_bench: MakeBench) -> None:
    """Results, expiry, a cancel, repairs, and a job that was never sent: cells are right at every step."""
    bench = make_bench(error_rate=0.2, expiry_rate=0.1, seed=3)
    store = bench.workspace.store
    bench.submit(*shared("alpha", 24), *lone(9))
    bench.run()
    assert_cells_kept(store)
    for job in bench.jobs().filter(pl.col("repairable_items") > 0)["job_id"]:
        bench.repair(job)
    bench.tick()
    assert_cells_kept(store)
    bench.run()
    called_off, *_ = bench.submit(*shared("beta", 12))
    actions.cancel(bench.workspace, called_off, now=bench.clock.now)
    bench.run()

    assert_cells_kept(store)
    attempts = bench.attempts().filter(pl.col("outcome").is_not_null())
    assert {"succeeded", "errored", "expired", "canceled"} <= set(attempts["outcome"])
    assert (attempts["number"] > 1).any()
    days, jobs, batches = bench.query("export_costs"), bench.jobs(), bench.query("batch_costs")
    assert total(days["cost_usd"]) == total(jobs["cost_usd"]) == total(attempts["cost_usd"]) > 0
    assert total(batches["cost_usd"]) == total(attempts["cost_usd"])
    assert days["attempts"].sum() == attempts.height
    assert days["units"].sum() == jobs["usable_items"].sum() == attempts["usable"].sum()
    assert days["failures"].sum() == jobs["failed_items"].sum() == (~attempts["usable"]).sum()
    assert days["reruns"].sum() == (attempts["number"] > 1).sum()
    assert (bench.query("standing", running=[], stopped=[])["unpriced_attempts"] == 0).all()


def test_trials_have_cells_that_are_no_work(make_bench: MakeBench) -> None:
    """What a trial spends is in the cells and in its own sum, and in no figure of the work."""
    bench: Bench = trying.trying(make_bench, items=60)
    before = bench.query("export_costs")
    trial_id = trying.start(bench)
    trying.follow(bench, trial_id)

    assert_cells_kept(bench.workspace.store)
    spent = bench.query("trial_spending", trial_id=trial_id, over=[])["spent_usd"][0]
    assert spent == total(bench.attempts()["cost_usd"]) > 0
    assert bench.query("export_costs").equals(before)
