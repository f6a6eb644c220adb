"""The queue of the API: never over its limit, never idle, and in the order of the plan."""

from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest

from core import actions
from core.jobs.queue_room import queue_room
from core.planning.needs import Needs
from tests.jobs.driving import Bench, MakeBench, lone, shared

LIMIT = 25


def test_jobs_wait_for_room_in_the_order_of_the_plan_and_all_go(make_bench: MakeBench) -> None:
    """Four jobs of ten through a queue of twenty-five: two at a time, the others say why they wait."""
    bench = make_bench(settings={"queue_limit": LIMIT, "max_job_requests": 10}, queue_limit=LIMIT)
    jobs = bench.submit(*lone(40))
    assert len(jobs) == 4

    most, waited = 0, False
    for _ in range(40):
        active = bench.tick(minutes=2)
        most = max(most, LIMIT - queue_room(bench.workspace.store, limit=LIMIT))
        if bench.state(jobs[2]) == (
            "planned",
            "It waits for room in the queue of the API: 20 of 25 requests are in it.",
        ):
            assert bench.state(jobs[0])[0] == bench.state(jobs[1])[0] == "running"
            assert bench.state(jobs[3])[0] == "planned"
            waited = True
        if not active:
            break

    assert waited
    assert most == 20
    assert bench.statuses() == {"complete": 40}
    sent = [bench.job(job)["submitted_at"] for job in jobs]
    assert sent == sorted(sent)


def test_a_job_larger_than_the_queue_goes_alone(make_bench: MakeBench) -> None:
    """What the API thinks of it is for the API to say: it must not wait for ever."""
    bench = make_bench()
    (job,) = bench.submit(*lone(8))
    bench.settings = replace(bench.settings, queue_limit=5)
    bench.reopen()

    assert bench.run().statuses() == {"complete": 8}
    assert bench.state(job)[0] == "done"


def test_no_job_is_planned_that_the_queue_could_not_take(make_bench: MakeBench) -> None:
    """A queue for five requests makes jobs of five at most."""
    bench = make_bench(settings={"queue_limit": 5}, queue_limit=5)
    bench.load(*lone(12))
    plan = actions.preview_plan(bench.workspace, now=bench.clock.now)

    assert [job.items for job in plan.jobs] == [4, 4, 4]
    assert {job.decided_by for job in plan.jobs} == {"queue"}


def test_bodies_that_wait_for_room_read_all_the_same(make_bench: MakeBench) -> None:
    """An entry that goes cold while a body waits is written once more for it, as often as it takes."""
    bench = make_bench(
        {"queue_limit": 6, "max_job_requests": 6}, queue_limit=6, seconds_per_item=1_500.0, seconds_spread=0.0
    )
    _, *bodies = bench.submit(*shared("alpha", 31))
    assert len(bodies) == 5
    for _ in range(200):
        if not bench.tick(minutes=10):
            break

    assert bench.statuses() == {"complete": 31}
    sent = bench.attempts().filter(pl.col("role") == "body")
    assert (sent["cache_read_tokens"] > 0).all()
    assert bench.jobs().filter(pl.col("role") == "primer").height > 2


def test_a_plan_over_its_own_budget_is_not_sent(bench: Bench) -> None:
    """Whoever names a budget means it: nothing is claimed, and the sentence says what would do."""
    bench.load(*lone(30))
    with pytest.raises(actions.BudgetTooSmall, match="does not fit the budget") as refused:
        actions.submit(bench.workspace, now=bench.clock.now, needs=Needs(budget_usd=Decimal("0.001")))

    assert "It would do to allow $" in str(refused.value)
    assert bench.statuses() == {"backlog": 30}
