"""History among jobs: it is in every figure of cost, and in nothing that plans, repairs, teaches or hands over."""

from decimal import Decimal

import pytest

from core import actions
from core.actions.opportunities import workload
from core.jobs.hit_rates import learn
from core.jobs.repair import NothingToRepair
from core.jobs.results import results_path
from core.opportunities.opportunity import Kind
from core.opportunities.prefixes import cache_savings
from tests.jobs.driving import Bench, MakeBench, lone, shared
from tests.jobs.looking_back import look_back, marked, rules, send, summaries


def test_history_is_not_to_be_repaired(make_bench: MakeBench) -> None:
    """Its requests are not known: its failures are nobody's to-do here, and the refusal says why."""
    bench = make_bench(error_rate=0.5)
    batch_id = send(bench, summaries(12))
    bench.clock.move(hours=2)
    look_back(bench)

    job = bench.job(batch_id)
    assert job["failed_items"] > 0
    assert (job["open_failures"], job["repairable_items"]) == (0, 0)
    assert "not sent from here" in bench.slice(batch_id).says
    with pytest.raises(NothingToRepair, match="not sent from here"):
        bench.repair(batch_id)
    assert bench.query("repairs_waiting", repairs=9, decisions=9).is_empty()


def test_history_neither_plans_nor_teaches_nor_is_handed_over(bench: Bench) -> None:
    """Its items are no backlog, its jobs no lesson for a plan, its results nobody's results; its cost is counted."""
    bench.submit(*shared("alpha", 12))
    bench.run()
    bench.load(*shared("alpha", 30)[12:])
    now, hour = bench.clock.now, bench.gateway.cache_lifetime
    plan = actions.preview_plan(bench.workspace, now=now)
    learned, statuses = learn(bench.workspace.store, now=now, hour=hour), bench.statuses()
    complete, spent = bench.query("complete_attempts"), bench.query("export_costs")["cost_usd"].sum()

    # The very ids that wait and that are complete, in a batch of somebody else's.
    send(bench, shared("alpha", 30))
    bench.clock.move(hours=2)
    report = look_back(bench)

    again = actions.preview_plan(bench.workspace, now=now)
    assert (again.items, again.jobs, again.predicted_usd) == (plan.items, plan.jobs, plan.predicted_usd)
    after = learn(bench.workspace.store, now=now, hour=hour)
    assert after.history.equals(learned.history)
    assert after.alive == learned.alive
    assert bench.statuses() == statuses
    assert bench.query("complete_attempts").equals(complete)
    assert bench.query("completed_jobs")["items"].sum() == 12
    cost = next(row.cost_usd for row in report.found if row.standing == "new")
    assert cost is not None
    assert bench.query("export_costs")["cost_usd"].sum() == Decimal(spent) + cost


def test_a_class_of_history_that_used_the_cache_is_one_worth_caching(bench: Bench) -> None:
    """What was written or read is proof: such a class is asked about when it reads too little."""
    send(bench, marked("alpha", 5))
    send(bench, summaries(3))
    bench.clock.move(hours=2)
    look_back(bench)

    leaking = cache_savings(workload(bench.workspace, now=bench.clock.now))
    assert [(each.kind, each.class_name, each.confidence) for each in leaking] == [(Kind.PRIME, "alpha", "assumed")]
    listed = bench.query(
        "classes_listed", class_id=None, model=None, state="inferred", waiting=None, text=None, limit=9
    )
    assert sorted(listed["name"]) == ["alpha", "summary"]
    assert listed["prefix_tokens"].null_count() == 2


def test_a_metadata_only_workspace_keeps_nothing_of_what_was_said(make_bench: MakeBench) -> None:
    """Costs and counts come in; outputs do not stay on the disk, nor do messages that may quote requests."""
    bench = make_bench(settings={"metadata_only": True}, error_rate=0.5)
    batch_id = send(bench, summaries(8))
    bench.clock.move(hours=2)
    look_back(bench)
    bench.tick()

    assert not results_path(bench.folder, batch_id).exists()
    attempts = bench.attempts(batch_id)
    assert attempts["message"].null_count() == 8
    assert set(attempts["cause"].drop_nulls()) <= {"api_error", "overloaded_error"}
    assert bench.query("class_names")["name"].to_list() == ["summary"]


def test_budgets_are_for_what_is_sent_from_here(make_bench: MakeBench) -> None:
    """What others spent on the account is seen in every figure, and asks nobody for a confirmation here."""
    bench = make_bench()
    now = bench.clock.now
    before = actions.check_plan(bench.workspace, None, now=now)
    send(bench, marked("alpha", 5))
    bench.clock.move(hours=2)
    look_back(bench)

    assert bench.query("history_cost")["cost_usd"][0] > 0
    assert actions.check_plan(bench.workspace, None, now=now) == before


def test_foreign_ids_do_not_claim_the_items_of_this_workspace(bench: Bench) -> None:
    """The same ids in somebody's batch are other work: what waits here is sent, once, and completes."""
    send(bench, lone(3))
    bench.clock.move(hours=2)
    rules(bench, 'pattern = "^(?P<item>.*)$"\nclass = "lone"')
    look_back(bench)
    bench.submit(*lone(3))
    assert bench.run().statuses() == {"complete": 3}
