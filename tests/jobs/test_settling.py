"""Settling: what is in doubt is looked for by the API's own clock, proven by tags, and never resent too early."""

from typing import Any

import pytest

from core import actions
from core.commands.verbs import run_verb
from core.gateway import Gateway
from core.sandbox import CreateFault
from tests.jobs.driving import Bench, MakeBench, lone, request


def _sent_again(bench: Bench, *, late: float, count: int = 4) -> str:
    """A job that is to be sent again, whose first call the API accepts so many seconds after it was lost."""
    bench.faults.late_seconds = late
    bench.faults.creates.append(CreateFault.LATE_COMMIT)
    (job,) = bench.submit(*lone(count))
    bench.tick()
    bench.tick(seconds=1)
    bench.tick(seconds=120)
    assert bench.state(job)[0] == "planned"
    return job


def _twin(bench: Bench, count: int = 4) -> str:
    """A job whose first call the API accepts long after the job was sent again."""
    job = _sent_again(bench, late=600, count=count)
    bench.tick(seconds=1)
    assert bench.state(job)[0] == "running"
    return job


def test_a_batch_that_comes_late_is_waited_for(bench: Bench) -> None:
    """The API may accept a call after its connection was lost: within the settling time nothing is sent again."""
    bench.faults.late_seconds = 100
    bench.faults.creates.append(CreateFault.LATE_COMMIT)
    (job,) = bench.submit(*lone(4))
    bench.tick()
    bench.tick(seconds=60)
    assert bench.state(job)[0] == "unknown"
    bench.run()

    assert len(bench.server.bodies) == len(bench.batches()) == 1
    assert bench.statuses() == {"complete": 4}


@pytest.mark.parametrize("hours", [48, -48])
def test_settling_does_not_hang_on_the_clock_of_this_machine(bench: Bench, hours: int) -> None:
    """Somebody sets the clock by days during a call: the batch is found all the same, and none is sent too early."""
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    (job,) = bench.submit(*lone(4))
    bench.faults.list_lag_seconds = 30
    bench.tick()
    bench.set_own_clock(hours=hours)
    bench.tick(seconds=1)
    assert bench.state(job)[0] == "unknown"
    bench.tick(seconds=40)
    assert bench.state(job)[0] == "running"
    bench.run()

    assert len(bench.server.bodies) == len(bench.batches()) == 1
    assert bench.statuses() == {"complete": 4}


def test_a_batch_that_was_there_before_the_call_is_no_candidate(bench: Bench) -> None:
    """Somebody else's batch of the same size, sent a moment before, is never taken for ours."""
    foreign = bench.foreign_batch(4)
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    (job,) = bench.submit(*lone(4))
    bench.tick()
    bench.tick()

    assert bench.state(job)[0] == "running"
    assert bench.job(job)["batch_id"] != foreign


def test_a_batch_found_by_time_and_count_is_provisional_until_its_results_prove_it(bench: Bench) -> None:
    """Adopted is not proven: the journal tells the two apart."""
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    (job,) = bench.submit(*lone(4))
    bench.tick()
    bench.tick()
    assert bench.job(job)["provisional"]
    bench.run()

    assert not bench.job(job)["provisional"]


def test_a_stranger_is_looked_into_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was proven to be somebody else's is remembered, over restarts too."""
    asked: list[str] = []
    original: Any = type(bench.gateway).first_id

    def counted(gateway: Gateway, batch_id: str) -> str:
        asked.append(batch_id)
        return str(original(gateway, batch_id))

    monkeypatch.setattr(type(bench.gateway), "first_id", counted)
    bench.faults.creates.append(CreateFault.OVERLOADED)
    bench.submit(*lone(4))
    bench.tick()
    foreign = bench.foreign_batch(4)
    bench.clock.move(hours=1)
    for _ in range(3):
        bench.tick(seconds=20)
    bench.reopen()
    bench.run()

    assert asked == [foreign]
    assert bench.statuses() == {"complete": 4}


def test_while_a_job_is_in_doubt_others_of_its_size_wait(make_bench: MakeBench) -> None:
    """Two batches of one size could not be told apart; one of another size goes at once."""
    bench = make_bench({"max_job_requests": 3})
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    bench.submit(*lone(8))
    bench.tick()

    jobs = bench.jobs()
    assert sorted(zip(jobs["item_count"], jobs["state"], strict=True)) == [
        (2, "running"),
        (3, "planned"),
        (3, "unknown"),
    ]
    (waiting,) = jobs.filter(state="planned")["reason"]
    assert jobs.filter(state="unknown")["job_id"][0] in waiting
    bench.run()
    assert len(bench.batches()) == len(bench.server.bodies) == 3


def test_a_twin_is_recorded_and_its_cost_counted(bench: Bench) -> None:
    """A batch that came after the settling time is ours too: what it cost is in the books, its items complete once."""
    job = _twin(bench)
    bench.run()
    bench.clock.move(hours=1)
    bench.run()

    twin = bench.jobs().filter(role="twin").row(0, named=True)
    assert (twin["parent_job_id"], twin["state"], twin["item_count"]) == (job, "done", 4)
    assert len(bench.batches()) == 2
    assert (bench.attempts(twin["job_id"])["cost_usd"] > 0).all()
    assert bench.attempts(twin["job_id"])["number"].to_list() == [2] * 4
    assert bench.statuses() == {"complete": 4}
    bench.clock.move(hours=1)
    bench.run()
    assert bench.jobs().height == 2


def test_a_running_twin_is_a_suspect_where_others_send_too(make_bench: MakeBench) -> None:
    """Nothing but its results can prove a running batch: what may be somebody else's is never canceled unasked."""
    bench = make_bench(width=1, seconds_per_item=600.0)
    job = _twin(bench)
    bench.tick(minutes=10)
    bench.tick(minutes=3)

    (suspect,) = bench.workspace.worker.suspects
    assert (suspect.job_id, suspect.items) == (job, 4)
    assert all(batch.canceled == 0 and batch.status == "in_progress" for batch in bench.batches())


def test_a_running_twin_is_canceled_where_nobody_else_sends(make_bench: MakeBench) -> None:
    """Canceled items are free: only what had begun of the twin is paid for, and that is in the books."""
    bench = make_bench({"shared_account": False}, width=1, seconds_per_item=600.0)
    _twin(bench)
    bench.tick(minutes=10)
    bench.tick(minutes=3)
    bench.run(most=200)
    bench.clock.move(hours=2)
    bench.run(most=200)

    twin = bench.jobs().filter(role="twin").row(0, named=True)
    assert bench.attempts(twin["job_id"]).filter(outcome="canceled").height >= 3
    assert bench.statuses() == {"complete": 4}


def test_a_foreign_batch_is_never_taken_for_a_twin(bench: Bench) -> None:
    """Somebody else's batch of the same size ends after ours was sent again: it stays theirs."""
    bench.faults.creates.append(CreateFault.OVERLOADED)
    (job,) = bench.submit(*lone(4))
    bench.run()
    bench.foreign_batch(4)
    bench.clock.move(hours=1)
    bench.run()

    assert bench.jobs()["job_id"].to_list() == [job]
    assert bench.workspace.worker.suspects == ()


def test_a_call_that_could_not_be_written_down_is_in_doubt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API took the job and the disk was full when that was to be stored: it is found, not sent again."""
    (job,) = bench.submit(*lone(4))
    store = bench.workspace.store
    write, calls = store.write, []

    def full(task: Any) -> Any:
        calls.append(task)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return write(task)

    monkeypatch.setattr(store, "write", full)
    bench.tick()
    assert bench.state(job)[0] == "sending"
    assert "No space left on device" in str(bench.trouble())
    monkeypatch.undo()
    bench.run()

    assert len(bench.batches()) == len(bench.server.bodies) == 1
    assert bench.statuses() == {"complete": 4}


def test_a_wait_that_the_api_asks_for_is_kept(make_bench: MakeBench) -> None:
    """After a 429 with retry-after no call is made before that time is over, for no job."""
    bench = make_bench({"max_job_requests": 3})
    bench.faults.retry_after_seconds = 90
    bench.faults.creates.append(CreateFault.RATE_LIMITED)
    bench.submit(*lone(5))
    bench.tick()
    bench.tick(seconds=89)
    assert len(bench.server.bodies) == 1
    bench.tick(seconds=1)

    assert len(bench.server.bodies) == 3


def test_bodies_left_behind_are_cleared_at_the_next_start(bench: Bench) -> None:
    """A process that was killed leaves prompts on the disk; the next one clears them away."""
    left = bench.folder / "jobs" / "aaaaaaaa.json"
    left.parent.mkdir(exist_ok=True)
    left.write_text("{}")
    bench.reopen()

    assert not left.exists()


def test_a_suspect_is_canceled_on_a_persons_word_and_nothing_else_is(make_bench: MakeBench) -> None:
    """A person who knows that nobody else sends may stop the second batch; no other batch can be named."""
    bench = make_bench(width=1, seconds_per_item=600.0)
    _twin(bench)
    bench.tick(minutes=10)
    bench.tick(minutes=3)
    (suspect,) = bench.workspace.worker.suspects
    with pytest.raises(actions.NotSuspected):
        actions.cancel_twin(bench.workspace, "msgbatch_other")
    shown = run_verb(bench.workspace, "cancel", {"job": suspect.batch_id})
    assert shown["state"] == "canceling"
    bench.run(most=200)
    bench.clock.move(hours=2)
    bench.run(most=200)

    twin = bench.jobs().filter(role="twin").row(0, named=True)
    assert bench.attempts(twin["job_id"]).filter(outcome="canceled").height >= 3
    assert bench.statuses() == {"complete": 4}


def test_a_job_is_looked_for_once_more_right_before_it_goes_again(bench: Bench) -> None:
    """Between the decision and the call lies a wait, and the late batch may come in it: then there is no second one."""
    _sent_again(bench, late=150)
    bench.clock.move(seconds=60)
    bench.run()

    assert len(bench.batches()) == len(bench.server.bodies) == 1
    assert bench.statuses() == {"complete": 4}


def test_a_late_batch_of_a_held_job_is_that_jobs_own(bench: Bench) -> None:
    """The account holds the second call for an hour, the first one's batch comes: it is adopted, nothing goes again."""
    job = _sent_again(bench, late=150)
    bench.faults.creates.append(CreateFault.SPEND_LIMIT)
    bench.tick(seconds=1)
    assert bench.state(job)[0] == "held"
    for _ in range(6):
        bench.tick(minutes=10)

    assert bench.state(job)[0] == "done"
    assert len(bench.batches()) == 1
    assert bench.statuses() == {"complete": 4}


def test_after_a_second_loss_the_first_calls_batch_is_still_looked_for(make_bench: MakeBench) -> None:
    """What any of a job's calls may have made counts: there is no third call while the first one's batch runs."""
    bench = make_bench(width=1, seconds_per_item=60.0)
    _sent_again(bench, late=140)
    bench.faults.creates.append(CreateFault.DROP_BEFORE_COMMIT)
    bench.tick(seconds=1)
    bench.run(200)

    assert (len(bench.server.bodies), len(bench.batches())) == (2, 1)
    assert bench.statuses() == {"complete": 4}


def test_another_jobs_batch_is_never_stopped_as_a_twin(make_bench: MakeBench) -> None:
    """Nobody else sends; a job was sent again, and later one of the same size loses its reply: its batch is its own."""
    bench = make_bench({"shared_account": False}, width=1, seconds_per_item=600.0)
    bench.faults.creates.append(CreateFault.DROP_BEFORE_COMMIT)
    bench.submit(*lone(4))
    bench.tick()
    bench.tick(seconds=1)
    bench.tick(seconds=120)
    bench.run(100)
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    bench.submit(*[request(f"other-{number}") for number in range(4)])
    bench.tick(minutes=6)
    bench.run(100)

    assert bench.attempts()["outcome"].to_list() == ["succeeded"] * 8
    assert len(bench.batches()) == 2


def test_a_job_in_doubt_is_not_halved(bench: Bench) -> None:
    """Its late batch has the items of both halves: it keeps them, and what the batch cost is in the books."""
    job = _sent_again(bench, late=400)
    bench.faults.creates.append(CreateFault.TOO_LARGE_HTML)
    bench.tick(seconds=1)
    assert bench.state(job)[0] == "failed"
    for _ in range(12):
        bench.tick(minutes=10)

    assert bench.jobs().filter(role="twin")["state"].to_list() == ["done"]
    assert bench.statuses() == {"complete": 4}


def test_a_late_batch_is_found_after_a_long_weekend(bench: Bench) -> None:
    """Lotwise was closed while it ran and ended: the first look finds it, however late that is."""
    _twin(bench)
    bench.clock.move(hours=90)
    bench.reopen()
    for _ in range(6):
        bench.tick(minutes=10)

    assert bench.jobs().filter(role="twin")["state"].to_list() == ["done"]
    assert bench.query("doubted_jobs").is_empty()


def test_two_jobs_that_go_again_do_not_wait_for_each_other(make_bench: MakeBench) -> None:
    """Both of one size, neither there: each goes once more."""
    bench = make_bench({"max_job_requests": 3})
    bench.faults.creates += [CreateFault.DROP_BEFORE_COMMIT] * 2
    bench.submit(*lone(6))
    bench.run()

    assert bench.statuses() == {"complete": 6}
    assert len(bench.batches()) == 2
