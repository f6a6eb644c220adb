"""Sending: journal first, one call, and a lost reply is settled before anything goes out again."""

from collections import Counter
from decimal import Decimal

import pytest

from core import actions
from core.jobs.failures import NoSuchJob
from core.jobs.repair import NothingToRepair
from core.jobs.sending import give_up, send
from core.jobs.states import JobState
from core.sandbox import CreateFault
from tests.jobs.driving import LONG_AGO, Bench, MakeBench, lone, shared

LOST = [
    CreateFault.DROP_AFTER_COMMIT,
    CreateFault.ERROR_500_AFTER_COMMIT,
    CreateFault.TIMEOUT_504_AFTER_COMMIT,
]


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_reply_is_settled_by_adopting_the_one_batch(bench: Bench, fault: CreateFault) -> None:
    """The API took the job and the answer was lost: one batch exists afterwards, and its results are ours."""
    bench.faults.creates.append(fault)
    (job,) = bench.submit(*lone(5))
    bench.tick()
    assert bench.state(job)[0] == "unknown"
    bench.tick()
    assert bench.state(job) == ("running", None)
    bench.run()

    assert len(bench.batches()) == len(bench.server.bodies) == 1
    assert bench.job(job)["batch_id"] == bench.batches()[0].batch_id
    assert bench.statuses() == {"complete": 5}


def test_the_intent_is_stored_before_the_call(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever kills the process during the call, the journal says that there was one."""
    (job,) = bench.submit(*lone(5))
    seen = []

    def dies(_: object) -> None:
        seen.append((bench.state(job)[0], bench.job(job)["intent_at"]))
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.gateway, "create", dies)
    with pytest.raises(KeyboardInterrupt):
        bench.tick()

    assert seen == [("sending", bench.clock.now)]
    assert bench.state(job)[0] == "sending"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_process_that_died_during_the_call_is_settled_by_the_next_one(bench: Bench, arrived: bool) -> None:
    """After a start nobody knows whether the call arrived: adopted if it did, sent again once it surely did not."""
    (job,) = bench.submit(*lone(5))
    if arrived:
        bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
        bench.tick()
    else:
        bench.write("set_intent", job_id=job, now=bench.clock.now, after=LONG_AGO, after_id=None)
    bench.write("set_state", job_id=job, state="sending", reason=None)
    bench.reopen()

    bench.tick(seconds=1)
    assert bench.state(job)[0] == ("running" if arrived else "unknown")
    bench.tick(seconds=119)
    assert bench.state(job)[0] == ("done" if arrived else "unknown")
    bench.tick(seconds=1)
    assert bench.state(job)[0] == ("done" if arrived else "planned")
    bench.run()
    assert len(bench.batches()) == len(bench.server.bodies) == 1
    assert bench.statuses() == {"complete": 5}


def test_an_overloaded_api_gets_the_job_again_after_settling(bench: Bench) -> None:
    """A 529 does not say that nothing was made: wait, look, and only then send again."""
    bench.faults.creates.append(CreateFault.OVERLOADED)
    (job,) = bench.submit(*lone(5))
    bench.tick()
    assert bench.state(job)[0] == "unknown"
    bench.run()

    assert len(bench.server.bodies) == 2
    assert len(bench.batches()) == 1
    assert bench.statuses() == {"complete": 5}


@pytest.mark.parametrize("fault", [CreateFault.RATE_LIMITED, CreateFault.RATE_LIMITED_BARE])
def test_a_rate_limit_keeps_the_job_planned(bench: Bench, fault: CreateFault) -> None:
    """429 creates nothing: the job says why it waits, and goes with the next step."""
    bench.faults.creates.append(fault)
    (job,) = bench.submit(*lone(5))
    bench.tick()

    state, reason = bench.state(job)
    assert state == "planned"
    assert reason is not None and "too many batch requests" in reason
    bench.run()
    assert bench.state(job) == ("done", None)
    assert len(bench.batches()) == 1


@pytest.mark.parametrize("fault", [CreateFault.SPEND_LIMIT, CreateFault.CREDIT_TOO_LOW])
def test_an_account_that_is_used_up_holds_the_job(bench: Bench, fault: CreateFault) -> None:
    """Retrying cannot help: the job is held with the API's words until a person releases it."""
    bench.faults.creates.append(fault)
    (job,) = bench.submit(*lone(5))
    assert bench.tick() == 0

    state, reason = bench.state(job)
    assert state == "held"
    assert reason is not None and "Fix the account" in reason and "request_id: req_" in reason
    bench.tick(days=2)
    assert len(bench.server.bodies) == 1
    actions.release(bench.workspace, job, now=bench.clock.now)
    assert bench.run().statuses() == {"complete": 5}


def test_a_job_that_the_api_finds_too_large_goes_in_halves(bench: Bench) -> None:
    """A 413, even one that a proxy answers in HTML, creates nothing: each half goes once, no item twice or never."""
    bench.faults.creates += [CreateFault.TOO_LARGE_HTML] * 2
    (job,) = bench.submit(*lone(5))
    predicted = bench.job(job)["predicted_usd"]
    bench.run()

    jobs = bench.jobs()
    assert sorted(jobs["item_count"]) == [1, 2, 2]
    assert abs(jobs["predicted_usd"].sum() - predicted) < Decimal("1e-6")
    assert sorted(bench.server.items[-5:]) == sorted(bench.attempts()["item_id"])
    assert bench.attempts()["number"].to_list() == [1] * 5
    assert bench.statuses() == {"complete": 5}


def test_halves_of_a_primer_are_both_waited_for(bench: Bench) -> None:
    """A primer that was too large goes in halves, and the body still waits for what both of them write."""
    bench.faults.creates.append(CreateFault.TOO_LARGE_HTML)
    jobs = bench.submit(*shared("alpha", 6), *shared("beta", 6))
    assert bench.job(jobs[0])["item_count"] == 2
    bench.run()

    assert bench.jobs().filter(role="primer")["item_count"].to_list() == [1, 1]
    assert bench.statuses() == {"complete": 12}
    assert (bench.attempts().filter(role="body")["cache_read_tokens"] > 0).all()


def test_a_request_that_alone_is_too_large_has_to_be_edited(bench: Bench) -> None:
    """There is nothing left to halve: the job failed, nothing was billed, and the same request is not sent again."""
    bench.faults.creates.append(CreateFault.TOO_LARGE_HTML)
    (job,) = bench.submit(*lone(1))
    assert bench.tick() == 0

    assert bench.state(job)[0] == "failed"
    assert bench.attempts(job)["cost_usd"].sum() == 0
    assert bench.statuses() == {"failed": 1}
    assert [(cause.cause, cause.action) for cause in bench.slice(job).causes] == [("request_too_large", "edit")]
    with pytest.raises(NothingToRepair):
        bench.repair(job)


def test_a_server_that_is_down_was_not_sent_anything(bench: Bench) -> None:
    """A refused connection means not sent: the job waits, planned, and goes when the server is back."""
    (job,) = bench.submit(*lone(5))
    bench.server_down()
    bench.tick()
    assert bench.state(job)[0] == "planned"
    assert "did not reach the API" in str(bench.state(job)[1])
    bench.server_up()
    bench.run()

    assert Counter(bench.server.items) == Counter(bench.attempts()["item_id"])
    assert len(bench.batches()) == 1


def test_a_server_that_is_down_settles_nothing(bench: Bench) -> None:
    """While the API cannot be asked, an unknown job stays unknown, however long that takes."""
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    (job,) = bench.submit(*lone(5))
    bench.tick()
    bench.server_down()
    bench.tick(hours=5)
    assert bench.state(job)[0] == "unknown"
    assert bench.trouble() is not None
    bench.server_up()
    bench.tick()
    assert bench.state(job)[0] == "running"
    assert bench.trouble() is None


def test_several_candidates_leave_the_job_unknown_until_results_tell(bench: Bench) -> None:
    """Somebody else's batch of the same size: nothing is sent again, and the ids in the results prove ours."""
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    (job,) = bench.submit(*lone(4))
    bench.tick()
    bench.foreign_batch(4)
    bench.tick()

    state, reason = bench.state(job)
    assert state == "unknown"
    assert reason is not None and all(batch.batch_id in reason for batch in bench.batches())
    bench.tick()
    assert bench.state(job)[0] == "unknown"
    bench.run()
    assert bench.state(job)[0] == "done"
    assert len(bench.batches()) == 2
    assert bench.statuses() == {"complete": 4}


@pytest.mark.parametrize("arrived", [(True, True), (False, True), (True, False), (False, False)])
def test_jobs_of_one_size_never_take_each_others_batch(make_bench: MakeBench, arrived: tuple[bool, bool]) -> None:
    """An outage loses two replies in a row: whichever calls arrived, each item is billed once in the end."""
    bench = make_bench({"max_job_requests": 3})
    for there in arrived:
        bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT if there else CreateFault.OVERLOADED)
    jobs = bench.submit(*lone(6))
    bench.tick()
    assert sorted(bench.state(job)[0] for job in jobs) == ["planned", "unknown"]
    bench.run()

    assert [bench.state(job)[0] for job in jobs] == ["done", "done"]
    assert len(bench.batches()) == 2
    assert bench.statuses() == {"complete": 6}


def test_a_foreign_batch_that_was_taken_for_ours_is_given_back(bench: Bench) -> None:
    """Only somebody else's batch fits, so it is taken; its results show the mistake, and the job goes again."""
    bench.faults.creates.append(CreateFault.OVERLOADED)
    (job,) = bench.submit(*lone(4))
    bench.tick()
    foreign = bench.foreign_batch(4)
    bench.tick()
    assert bench.job(job)["batch_id"] == foreign
    bench.run()

    assert bench.state(job)[0] == "done"
    assert bench.job(job)["batch_id"] != foreign
    assert bench.statuses() == {"complete": 4}


def test_batches_of_other_sizes_and_older_ones_are_no_candidates(bench: Bench) -> None:
    """Time and count tell: neither a batch of last week nor one of another size is adopted."""
    bench.foreign_batch(5)
    bench.clock.move(days=7)
    bench.foreign_batch(6)
    bench.faults.creates.append(CreateFault.OVERLOADED)
    (job,) = bench.submit(*lone(5))
    bench.run()

    assert bench.state(job)[0] == "done"
    assert len(bench.batches()) == 3


def test_a_job_called_off_meanwhile_is_not_sent(bench: Bench) -> None:
    """The worker holds a row that says planned; the journal, asked in the same step, knows better."""
    (job,) = bench.submit(*lone(5))
    seen = bench.job(job)
    actions.cancel(bench.workspace, job, now=bench.clock.now)

    send(bench.workspace.store, bench.folder, bench.gateway, seen, now=bench.clock.now)

    assert bench.state(job)[0] == "canceled"
    assert bench.server.bodies == []
    assert list((bench.folder / "jobs").iterdir()) == []


def test_a_job_sent_meanwhile_is_not_called_off_here(bench: Bench) -> None:
    """Freeing the items of a job that the API has would have them billed twice."""
    (job,) = bench.submit(*lone(5))
    bench.tick()

    closed = give_up(
        bench.workspace.store,
        job,
        "Called off.",
        state=JobState.CANCELED,
        leaving=[JobState.PLANNED],
        now=bench.clock.now,
    )

    assert not closed
    assert bench.state(job)[0] == "running"
    assert bench.attempts(job)["outcome"].null_count() == 5


def test_a_body_that_is_not_as_planned_is_not_sent(bench: Bench) -> None:
    """Limits were checked on the planned bytes, so other bytes do not go out; the items can be repaired."""
    (job,) = bench.submit(*lone(5))
    bench.write("set_body", job_id=job, body_bytes=17, item_count=5)
    bench.tick()

    state, reason = bench.state(job)
    assert state == "failed"
    assert reason is not None and "planned: 17" in reason
    assert bench.server.bodies == []
    bench.repair(job)
    assert bench.run().statuses() == {"complete": 5}


def test_calling_off_before_sending_frees_the_items(bench: Bench) -> None:
    """Canceled before it was sent: nothing reaches the API, and the items can be sent by a repair."""
    primer, body = bench.submit(*shared("alpha", 6))
    actions.cancel(bench.workspace, body, now=bench.clock.now)
    bench.run()

    assert bench.state(body) == ("canceled", "Called off before it was sent.")
    assert bench.state(primer)[0] == "done"
    with pytest.raises(actions.NotCancelable):
        actions.cancel(bench.workspace, body, now=bench.clock.now)
    bench.repair(body)
    assert bench.run().statuses() == {"complete": 6}


def test_calling_off_a_running_job_asks_the_api(make_bench: MakeBench) -> None:
    """What had not begun comes back canceled and unbilled; it is left to repair."""
    bench = make_bench(width=2)
    (job,) = bench.submit(*lone(8))
    bench.tick()
    bench.clock.move(seconds=1)
    actions.cancel(bench.workspace, job, now=bench.clock.now)
    bench.tick()
    bench.run()

    canceled = bench.attempts(job).filter(outcome="canceled")
    assert canceled.height == 6
    assert canceled["cost_usd"].sum() == 0
    assert bench.slice(job).repairable == 6


def test_only_held_jobs_can_be_released(bench: Bench) -> None:
    """Releasing twice, or what was never held, sends nothing a second time."""
    (job,) = bench.submit(*lone(5))
    bench.tick()

    with pytest.raises(actions.NotHeld):
        actions.release(bench.workspace, job, now=bench.clock.now)
    with pytest.raises(NoSuchJob):
        actions.release(bench.workspace, "nosuchjb", now=bench.clock.now)
    assert bench.state(job)[0] == "running"
