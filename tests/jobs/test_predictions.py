"""The ledger: what a plan predicts is kept with it, compared with what comes, and learned from."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core import actions
from core.jobs.drifts import drifts_of
from core.jobs.predictions import learn_sizing
from core.jobs.spending import OverBudget
from core.sizing.evidence import Evidence
from tests.jobs.driving import MODEL, Bench, MakeBench, lone, shared

ROW = {"job_id": "d", "role": "body", "model": MODEL, "state": "done", "item_count": 100, "body_bytes": 1}


def learned(bench: Bench, *, scale: float = 1.0) -> Evidence:
    """What the jobs of the bench teach now."""
    return learn_sizing(bench.workspace.store, now=bench.clock.now, scale=scale, void_rate=1e-5)


def past_jobs(bench: Bench, seconds: list[float], *, batch: str = "msgbatch_", **row: Any) -> None:
    """One job a day up to now that took so long each."""
    rows = []
    for number, took in enumerate(seconds):
        at = bench.clock.now - timedelta(days=len(seconds) - number)
        times = {"created_at": at, "submitted_at": at, "ended_at": at + timedelta(seconds=took)}
        rows.append(ROW | times | {"job_id": f"d{number}", "batch_id": f"{batch}{number}", "simulated": True} | row)
    bench.workspace.store.write(lambda tx: tx.merge("demo_add_jobs", pl.DataFrame(rows)))


def test_every_plan_keeps_its_predictions_and_meets_them(bench: Bench) -> None:
    """Cost and time of every job, the hit rate of every primed body: each with its interval, then with what came."""
    primer, body = bench.submit(*shared("a", 40))
    kept = bench.query("export_predictions")
    assert kept["actual"].is_null().all()

    bench.run()

    met = bench.query("predictions_met")
    assert sorted(met.select("job_id", "measure").rows()) == sorted(
        [(primer, "cost"), (primer, "seconds"), (body, "cost"), (body, "seconds"), (body, "hit_rate")]
    )
    assert sorted(met.select("job_id", "measure").rows()) == sorted(kept.select("job_id", "measure").rows())
    assert (met["low"] <= met["point"]).all()
    assert (met["point"] <= met["high"]).all()
    assert set(met.filter(pl.col("measure") == "seconds")["basis"]) == {"assumed"}
    came = {(row["job_id"], row["measure"]): row["actual"] for row in met.iter_rows(named=True)}
    row = bench.job(body)
    assert came[body, "cost"] == pytest.approx(float(row["cost_usd"]))
    assert came[body, "seconds"] == (row["ended_at"] - row["submitted_at"]).total_seconds()
    assert came[body, "hit_rate"] == pytest.approx(row["hit_rate"])


def test_what_was_not_submitted_was_not_predicted(make_bench: MakeBench) -> None:
    """A plan that is refused, or only rehearsed, leaves nothing in the ledger."""
    bench = make_bench(settings={"job_budget_usd": Decimal("0.0001")})
    bench.load(*lone(40, max_tokens=4000))
    with pytest.raises(OverBudget):
        bench.submit()
    actions.submit(bench.workspace, now=bench.clock.now, dry_run=True)

    assert bench.query("export_predictions").is_empty()


def test_a_job_that_was_called_off_is_not_judged(make_bench: MakeBench) -> None:
    """It ended early because somebody said so: neither its time nor its price says anything of the model."""
    bench = make_bench(width=1)
    (job,) = bench.submit(*lone(30))
    bench.tick()
    actions.cancel(bench.workspace, job, now=bench.clock.now)
    bench.run()

    assert bench.state(job)[0] == "done"
    assert bench.query("predictions_met").is_empty()
    assert learned(bench).turnarounds.jobs == {}


def test_finished_jobs_teach_the_next_plan(make_bench: MakeBench) -> None:
    """Times, faults, output and hit rates are measured from then on, and so are the next predictions."""
    bench = make_bench(truncation_rate=0.1)
    for name in ("a", "b"):
        bench.submit(*shared(name, 60))
        bench.run()
    evidence, class_id = learned(bench), bench.query("primed_history")["class_id"][0]

    assert evidence.turnaround(MODEL, 60, bench.clock.now).basis == "measured"
    faults = evidence.faults(class_id, MODEL)
    assert faults.basis == "measured"
    assert faults.fault_rate.mean > 0.02 > 4 * faults.unbilled_rate.mean
    output = evidence.output(class_id, MODEL)
    assert output is not None
    assert output.items >= 59
    bench.submit(*shared("a", 90)[60:])
    bench.run()
    newest = bench.query("predictions_met").tail(5)
    assert set(newest.filter(pl.col("measure") != "hit_rate")["basis"]) == {"measured"}


@pytest.mark.parametrize(("options", "voided"), [({"truncation_rate": 1.0}, True), ({"error_rate": 1.0}, False)])
def test_a_job_is_void_where_nearly_all_failed_for_what_does_not_pass(
    make_bench: MakeBench, options: dict[str, float], voided: bool
) -> None:
    """Answers cut off in every item are a wrong limit; a server that had a bad hour is none."""
    bench = make_bench(**options)
    bench.submit(*lone(20))
    bench.run()

    (job,) = bench.query("fault_history").iter_rows(named=True)

    assert (job["items"], job["voided"]) == (20, voided)
    assert (job["billed_faults"], job["unbilled_faults"]) == ((20, 0) if voided else (0, 20))


def test_repairs_are_no_evidence_of_faults(make_bench: MakeBench) -> None:
    """What a repair sends has failed before: its faults would count what is known already once more."""
    bench = make_bench(error_rate=0.5)
    (job,) = bench.submit(*lone(20))
    bench.run()
    bench.repair(job)
    bench.run()

    assert bench.query("fault_history")["items"].to_list() == [20]


def test_the_history_of_a_demo_ran_at_lifes_speed(bench: Bench) -> None:
    """On a server that runs forty times faster, ten minutes of the demo's history are fifteen seconds."""
    past_jobs(bench, [600.0] * 3, batch="msgbatch_demo")

    assert bench.query("turnaround_history", scale=40.0)["seconds"].to_list() == [15.0] * 3
    assert learned(bench, scale=40.0).turnaround(MODEL, 100, bench.clock.now).quantile(0.5) < 20


def test_expired_items_are_told_from_jobs_that_took_a_day(bench: Bench) -> None:
    """Items that the API did not get to in 24 hours are a chance of their own, not a turnaround."""
    past_jobs(bench, [86_400.0], expired=5)

    assert bench.query("turnaround_history", scale=1.0)["expired"].to_list() == [True]
    assert bench.query("turnaround_history", scale=0.5)["expired"].to_list() == [False]
    assert learned(bench).turnarounds.expiry > 0.04


def test_slower_jobs_are_noticed(bench: Bench) -> None:
    """For ten days all jobs have taken four times as long: said with the date, and steady ones are not mentioned."""
    minutes = [10, 11, 9, 12, 10, 9, 11, 10, 12, 9] * 3
    past_jobs(bench, [60.0 * of for of in minutes + [4 * of for of in minutes[:10]]])

    (drift,) = drifts_of(bench.workspace.store, now=bench.clock.now, scale=1.0)

    assert (drift.measure, drift.subject) == ("seconds", MODEL)
    assert 3 < drift.after / drift.before < 5
    assert abs((bench.clock.now - drift.since).days - 10) <= 1
