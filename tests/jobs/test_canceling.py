"""Calling jobs off: the wish is on disk first, and is carried out whatever happens; the kill switch is all of it."""

import random
from collections import Counter

import polars as pl
import pytest

from core import actions
from core.jobs.canceling import CallOff
from core.jobs.halt import NotStopped, SendingStopped
from core.jobs.sending import send
from core.jobs.states import JobState
from core.sandbox import CreateFault
from tests.jobs.driving import Bench, MakeBench, lone, shared

OVER = {JobState.DONE, JobState.CANCELED, JobState.FAILED}
ALONE = {"shared_account": False}


def cancel(bench: Bench, job: str, *, dry_run: bool = False) -> CallOff:
    """Call a job off now."""
    return actions.cancel(bench.workspace, job, now=bench.clock.now, dry_run=dry_run)


def stop(bench: Bench) -> CallOff:
    """Pull the kill switch now."""
    return actions.stop(bench.workspace, now=bench.clock.now)


def resume(bench: Bench) -> None:
    """Lift the halt now."""
    actions.resume(bench.workspace, now=bench.clock.now)


def named(name: str, count: int) -> list[dict[str, object]]:
    """Requests that share nothing, with ids of their own."""
    return [line | {"custom_id": f"{name}-{line['custom_id']}"} for line in lone(count)]


def assert_all_is_told(bench: Bench) -> None:
    """What the API billed is in the store, attempt by attempt; nothing went out twice; nothing runs on."""
    assert {batch.status for batch in bench.batches()} <= {"ended"}
    assert max(Counter(bench.server.items).values(), default=1) == 1
    succeeded = sum(batch.succeeded for batch in bench.batches())
    recorded = bench.attempts().filter(outcome="succeeded")
    assert recorded.height == succeeded
    assert recorded.filter(pl.col("cost_usd") > 0).height == succeeded
    assert bench.attempts()["outcome"].null_count() == 0


def test_a_wish_made_while_the_api_is_away_is_carried_out_later(make_bench: MakeBench) -> None:
    """The person is not asked to try again: it survives the outage, a restart and a 404 right after that."""
    bench = make_bench(width=1)
    (job,) = bench.submit(*lone(50))
    bench.tick()
    bench.server_down()

    asked = cancel(bench, job)
    assert (asked.unsent_jobs, asked.sent_jobs, asked.items) == (0, 1, 50)
    bench.tick()
    bench.reopen()
    bench.tick()
    assert bench.state(job)[0] == "running"
    bench.server_up(width=1)
    bench.faults.missing_retrieves = 1
    bench.run()

    assert bench.state(job)[0] == "done"
    assert 0 < bench.attempts(job).filter(outcome="canceled").height < 50
    assert_all_is_told(bench)


def test_the_api_is_asked_until_it_accepts_and_then_no_more(make_bench: MakeBench) -> None:
    """One accepted cancel is enough: the rest is watching."""
    bench = make_bench(width=1)
    (job,) = bench.submit(*lone(50))
    bench.tick()
    cancel(bench, job)
    bench.tick()
    since = bench.job(job)["cancel_accepted_at"]
    assert since is not None
    cancel(bench, job)
    bench.tick()

    row = bench.job(job)
    assert row["cancel_accepted_at"] == since
    assert row["cancel_requested_at"] <= since


def test_a_job_in_doubt_is_canceled_as_soon_as_it_is_found(make_bench: MakeBench) -> None:
    """A lost reply does not outlive the wish: the batch is found, canceled, and what ran of it is recorded."""
    bench = make_bench(width=1, settings=ALONE)
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    (job,) = bench.submit(*lone(50))
    bench.tick()
    assert bench.state(job)[0] == "unknown"
    cancel(bench, job)
    bench.run()

    assert bench.state(job)[0] == "done"
    assert bench.attempts(job).filter(outcome="canceled").height > 0
    assert_all_is_told(bench)


def test_a_job_in_doubt_that_the_api_never_had_is_closed_and_not_sent_again(bench: Bench) -> None:
    """Called off means that settling ends in nothing sent."""
    bench.faults.creates.append(CreateFault.OVERLOADED)
    (job,) = bench.submit(*lone(5))
    bench.tick()
    assert bench.state(job)[0] == "unknown"
    cancel(bench, job)
    bench.run()

    assert bench.state(job) == ("canceled", "Called off before it was sent.")
    assert len(bench.server.bodies) == 1 and bench.batches() == []
    assert bench.slice(job).repairable == 5


def test_what_may_be_somebody_elses_is_not_canceled(make_bench: MakeBench) -> None:
    """On a shared account a batch found by time and size alone is left to a person, and that is said."""
    bench = make_bench(width=1, settings={"shared_account": True})
    bench.faults.creates.append(CreateFault.DROP_BEFORE_COMMIT)
    (job,) = bench.submit(*lone(50))
    bench.tick()
    foreign = bench.foreign_batch(50)
    cancel(bench, job)
    bench.tick()
    bench.tick()

    state, reason = bench.state(job)
    assert state == "running" and bench.job(job)["batch_id"] == foreign
    assert reason is not None and foreign in reason and "not canceled" in reason
    bench.run(60)
    assert [batch.canceled for batch in bench.batches()] == [0]
    assert bench.state(job)[0] == "canceled"


@pytest.mark.parametrize("state", ["planned", "waiting", "held"])
def test_an_unsent_job_is_over_at_once(bench: Bench, state: str) -> None:
    """Nothing of it is asked of anybody: its items are free when the call returns."""
    if state == "held":
        bench.faults.creates.append(CreateFault.CREDIT_TOO_LOW)
    jobs = bench.submit(*shared("alpha", 6))
    job = jobs[state == "waiting"]
    if state == "held":
        bench.tick()
    assert bench.state(job)[0] == state

    assert cancel(bench, job).unsent_jobs == 1

    assert bench.state(job)[0] == "canceled"
    assert bench.slice(job).repairable == bench.job(job)["item_count"]
    with pytest.raises(actions.NotCancelable):
        cancel(bench, job)


def test_a_dry_run_calls_nothing_off(bench: Bench) -> None:
    """It counts what the real one would, and keeps nothing."""
    (job,) = bench.submit(*lone(5))
    before = bench.workspace.store.version

    tried = cancel(bench, job, dry_run=True)
    everything = actions.stop(bench.workspace, now=bench.clock.now, dry_run=True)

    assert tried == everything == actions.stop_preview(bench.workspace)
    assert tried.items == 5
    assert bench.workspace.store.version == before
    assert actions.halted(bench.workspace) is None
    assert bench.run().state(job)[0] == "done"


def test_the_kill_switch_reaches_every_state(make_bench: MakeBench) -> None:
    """Planned, waiting, held, in doubt, cut off in the call, and running: with the API away and a restart between."""
    bench = make_bench(width=1, settings=ALONE)
    (running,) = bench.submit(*named("running", 30))
    bench.tick()
    bench.faults.creates.append(CreateFault.CREDIT_TOO_LOW)
    (held,) = bench.submit(*named("held", 7))
    bench.tick()
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    (doubted,) = bench.submit(*named("doubted", 31))
    bench.tick()
    (cut,) = bench.submit(*named("cut", 8))
    bench.write("set_intent", job_id=cut, now=bench.clock.now, after=bench.clock.now, after_id=None)
    planned, waiting = bench.submit(*shared("alpha", 9))
    states = {job: bench.state(job)[0] for job in (running, doubted, held, cut, planned, waiting)}
    assert list(states.values()) == ["running", "unknown", "held", "sending", "planned", "waiting"]
    sent = len(bench.server.bodies)
    bench.server_down()

    found = stop(bench)

    assert (found.unsent_jobs, found.sent_jobs, found.items) == (3, 3, 30 + 31 + 7 + 8 + 9)
    assert {bench.state(job)[0] for job in (held, planned, waiting)} == {"canceled"}
    bench.tick()
    bench.reopen()
    bench.tick()
    bench.server_up(width=1)
    bench.run(60)

    assert {bench.state(job)[0] for job in states} <= OVER
    assert bench.state(cut)[0] == "canceled"
    assert len(bench.server.bodies) == sent
    canceled = bench.attempts().filter(outcome="canceled")
    for job in (running, doubted):
        assert canceled.filter(job_id=job).height > 0
    assert_all_is_told(bench)


def test_nothing_is_sent_until_a_person_lifts_the_halt(bench: Bench) -> None:
    """No submission, no repair, no release, no worker; a restart changes nothing of that."""
    bench.faults.creates.append(CreateFault.CREDIT_TOO_LOW)
    (job,) = bench.submit(*lone(5))
    stop(bench)
    bench.load(*named("next", 3))
    bench.reopen()

    halt = actions.halted(bench.workspace)
    assert halt is not None and (halt.since, halt.by) == (bench.clock.now, bench.workspace.actor.name)
    for ask in (bench.submit, lambda: bench.repair(job)):
        with pytest.raises(SendingStopped):
            ask()
    with pytest.raises(SendingStopped):
        actions.release(bench.workspace, job, now=bench.clock.now)
    assert bench.run().server.bodies == []

    resume(bench)
    assert actions.halted(bench.workspace) is None
    with pytest.raises(NotStopped):
        resume(bench)
    bench.faults.creates.clear()
    bench.submit()
    bench.repair(job)
    assert bench.run().statuses() == {"complete": 8}


def test_stopping_twice_keeps_the_first(bench: Bench) -> None:
    """Since when and by whom is what the banner says."""
    stop(bench)
    first = actions.halted(bench.workspace)
    bench.clock.move(hours=1)

    assert stop(bench).jobs == 0
    assert actions.halted(bench.workspace) == first


def test_what_comes_about_during_a_halt_is_called_off_too(bench: Bench) -> None:
    """Whatever the worker makes of a call that was under way, it is not sent when sending goes on."""
    (job,) = bench.submit(*lone(5))
    bench.write("set_intent", job_id=job, now=bench.clock.now, after=bench.clock.now, after_id=None)
    stop(bench)
    bench.write("set_state", job_id=job, state=JobState.PLANNED, reason=None)
    (late,) = [row["job_id"] for row in bench.jobs().to_dicts()]
    bench.tick()
    resume(bench)
    bench.run()

    assert bench.state(late)[0] == "canceled"
    assert bench.server.bodies == []


def test_the_step_that_sends_asks_in_the_same_breath(bench: Bench) -> None:
    """The worker holds a row that says planned; a halt, or a wish, that came since then wins."""
    (job,) = bench.submit(*lone(5))
    seen = bench.job(job)

    def try_to_send() -> str:
        send(bench.workspace.store, bench.folder, bench.gateway, seen, now=bench.clock.now)
        return bench.state(job)[0]

    bench.write("add_halt", now=bench.clock.now, by="somebody")
    assert try_to_send() == "planned"
    resume(bench)
    bench.write("request_cancel", job_id=job, states=["planned"], now=bench.clock.now)
    assert try_to_send() == "planned"
    assert bench.server.bodies == []


def test_a_primer_that_ends_after_its_body_was_called_off_frees_nothing(bench: Bench) -> None:
    """Called off is called off: no second primer, no body."""
    primer, body = bench.submit(*shared("alpha", 12))
    bench.tick()
    stop(bench)
    bench.run()
    resume(bench)
    bench.run()

    assert bench.state(body)[0] == "canceled"
    assert bench.state(primer)[0] == "done"
    assert len(bench.server.bodies) == 1
    assert_all_is_told(bench)


@pytest.mark.parametrize("seed", range(6))
def test_at_whatever_moment_it_is_pulled(make_bench: MakeBench, seed: int) -> None:
    """Random work, faults, outages and restarts, and the switch in the midst of it: nothing is sent any more, what the
    API has is canceled, even where it shows up late, and what it billed is recorded."""
    dice = random.Random(seed)
    bench = make_bench(width=dice.choice([1, 3]), settings=ALONE)
    faults = [fault for fault in CreateFault if fault not in (CreateFault.HANG_AFTER_COMMIT, CreateFault.SLOW)]
    for number in range(3):
        bench.load(*named(f"n{number}", dice.randint(3, 40)), *shared(f"s{number}", dice.randint(0, 9)))
        bench.faults.creates.extend(dice.sample(faults, dice.randint(0, 2)))
        bench.submit()
        for _ in range(dice.randint(0, 2)):
            bench.tick(seconds=dice.choice([0, 1, 200]))
    if away := dice.random() < 0.5:
        bench.server_down()
    stop(bench)
    sent = len(bench.server.bodies)
    bench.tick(seconds=30)
    bench.reopen()
    if away:
        bench.server_up(width=1)
    bench.run(60)
    for _ in range(4):
        bench.tick(hours=1)
    bench.run(60)

    assert len(bench.server.bodies) == sent
    assert set(bench.jobs()["state"]) <= OVER
    assert {batch.status for batch in bench.batches()} <= {"ended"}
    billed = sum(batch.succeeded for batch in bench.batches())
    assert bench.attempts().filter(outcome="succeeded").height == billed


def test_a_batch_that_shows_up_after_its_job_was_closed_is_canceled_and_told(make_bench: MakeBench) -> None:
    """The API may accept a call long after its connection was lost: nothing of that runs on or stays unknown."""
    bench = make_bench(width=1, settings=ALONE)
    bench.faults.creates.append(CreateFault.LATE_COMMIT)
    bench.faults.late_seconds = 900.0
    (job,) = bench.submit(*lone(50))
    bench.tick()
    stop(bench)
    for _ in range(4):
        bench.tick(minutes=3)
    assert bench.state(job)[0] == "canceled" and bench.batches() == []
    for _ in range(12):
        bench.tick(minutes=3)
    bench.run()

    (late,) = bench.batches()
    assert (late.status, late.succeeded + late.canceled) == ("ended", 50) and late.canceled > 0
    assert bench.attempts().filter(outcome="succeeded").height == late.succeeded
