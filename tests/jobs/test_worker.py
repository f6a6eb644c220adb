"""The worker: one step at a time, alive whatever it meets, and every trouble said."""

import io
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core import actions
from core.intake.inbox import accept, put_away
from core.intake.payloads import payload_path
from core.jobs.body import BodySizeWrong
from core.jobs.steps import Steps
from tests.jobs.driving import Bench, MakeBench, lone


def eventually(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def test_one_broken_job_does_not_keep_the_others(make_bench: MakeBench, caplog: pytest.LogCaptureFixture) -> None:
    """The payload of one import cannot be read: its job says so, the other jobs go on to their end."""
    bench = make_bench()
    bench.submit(*lone(2))
    bench.clock.move(seconds=1)
    lost = bench.query("imports")["import_id"][0]
    other = [line | {"custom_id": f"other-{number}"} for number, line in enumerate(lone(2))]
    bench.submit(*other)
    payload_path(bench.folder, lost).unlink()
    payload_path(bench.folder, lost).mkdir()
    with caplog.at_level(logging.CRITICAL):
        bench.tick()
        bench.tick(minutes=5)

    jobs = dict(bench.jobs().select("state", "reason").iter_rows())
    assert set(jobs) == {"planned", "done"}
    assert "Is a directory" in jobs["planned"]
    assert "goes on" in str(bench.workspace.worker.trouble)


def test_the_thread_imports_sends_and_ingests(make_bench: MakeBench) -> None:
    """Started once, however often it is asked to: an upload goes in, and a submission runs to its end."""
    bench = make_bench()
    workspace = bench.workspace
    workspace.start()
    workspace.worker.start()
    path = bench.folder / "two.jsonl"
    bench_lines(path, 2)
    with path.open("rb") as file:
        actions.accept_upload(workspace, "two.jsonl", file)
    eventually(lambda: bench.statuses() == {"backlog": 2})
    actions.request_import(workspace, [path])
    eventually(lambda: bench.query("imports").height == 2)
    bench.submit()
    eventually(lambda: bool(bench.batches()))
    bench.clock.move(minutes=5)
    eventually(lambda: bench.statuses() == {"complete": 2})
    workspace.close()
    workspace.close()


def test_the_inbox_is_watched(make_bench: MakeBench) -> None:
    """A file that lies in the inbox, left alone, goes in and is put away."""
    bench = make_bench()
    inbox = bench.folder / "inbox"
    bench_lines(inbox / "three.jsonl", 3)
    os.utime(inbox / "three.jsonl", (1_000_000, 1_000_000))
    bench.workspace.start()
    eventually((inbox / "imported" / "three.jsonl").exists)

    assert bench.statuses() == {"backlog": 3}


def test_a_file_that_cannot_be_read_is_said_until_one_can(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    """The trouble with an upload outlives the next look at the jobs, or nobody would see it."""
    bench = make_bench()
    worker = bench.workspace.worker
    good = bench.folder.parent / "good.jsonl"
    bench_lines(good, 1)
    with caplog.at_level(logging.CRITICAL):
        worker.request_import(bench.folder / "gone.jsonl")
        bench.workspace.start()
        eventually(lambda: worker.trouble is not None)
        worker.wake()
        time.sleep(0.1)
        assert "gone.jsonl" in str(worker.trouble)
    worker.request_import(good)
    eventually(lambda: bench.statuses() == {"backlog": 1} and worker.trouble is None)


def test_the_thread_outlives_what_it_does_not_expect(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong is logged and shown, and the next turn comes."""
    worker = bench.workspace.worker
    turns = []

    def fails(_: Path) -> None:
        turns.append(1)
        raise RuntimeError("disk on fire")

    monkeypatch.setattr("core.worker.waiting_files", fails)
    with caplog.at_level(logging.CRITICAL):
        worker.start()
        eventually(lambda: worker.trouble is not None)
        worker.wake()
        eventually(lambda: len(turns) > 1)
        worker.stop()

    assert "disk on fire" in str(worker.trouble)


def test_a_job_being_sent_is_under_way(bench: Bench) -> None:
    """Who waits for the jobs of another process must not be told that all is over during a create call."""
    (job,) = bench.submit(*lone(1))
    bench.write("set_intent", job_id=job, now=bench.clock.now, after=bench.clock.now, after_id=None)

    assert bench.state(job)[0] == "sending"
    assert bench.workspace.worker.active() == 1


def test_nothing_of_that_name_is_overwritten(tmp_path: Path) -> None:
    """Uploads and files put away keep what is there: a number goes in front of the name."""
    uploads = [accept(tmp_path, name, io.BytesIO(b"{}")) for name in ("a.jsonl", "a.jsonl", "../a", "b.txt")]
    put = [put_away(path) for path in uploads]
    again = put_away(accept(tmp_path, "a.jsonl", io.BytesIO(b"{}")))

    assert [path.name for path in uploads] == ["a.jsonl", "2-a.jsonl", "3-a.jsonl", "b.txt.jsonl"]
    assert len({*put, again}) == 5
    assert all(path.parent == tmp_path / "inbox" / "imported" for path in put)


def test_stopping_ends_between_two_jobs(make_bench: MakeBench) -> None:
    """A long list of jobs does not hold up the end of the process."""
    bench = make_bench({"max_job_requests": 1})
    bench.submit(*lone(3))
    bench.workspace.worker.stop()
    bench.tick()

    assert set(bench.jobs()["state"]) == {"planned"}


def test_an_import_that_was_cut_off_is_noted_at_the_next_start(bench: Bench) -> None:
    """Nobody waits for an import that no process is working on."""
    bench.write("start_import", import_id="abc", source="big.jsonl", started_at=bench.clock.now)
    bench.reopen()

    assert bench.query("imports")["note"].to_list() == ["Interrupted. Import it again: nothing goes in twice."]


def test_the_real_api_is_asked_once_a_minute(bench: Bench) -> None:
    """Fast where the server is our own, at the API's own pace where it is not, and idle where nothing runs."""
    worker = bench.workspace.worker

    assert worker._pause(0) == 2.0
    assert worker._pause(1) == 0.5
    bench.gateway.simulated = False
    assert worker._pause(1) == 60.0


def test_errors_of_a_step_become_the_reason_of_the_job(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no passing trouble of the API is logged and stands beside the job."""
    (job,) = bench.submit(*lone(1))
    thrown = (error for error in [BodySizeWrong(job=job)])
    monkeypatch.setattr(Steps, "step", lambda *_, **__: (_ for _ in ()).throw(next(thrown)))
    with caplog.at_level(logging.WARNING):
        bench.tick()

    assert "came out larger" in str(bench.state(job)[1])
    assert job in caplog.text


def bench_lines(path: Path, count: int) -> None:
    """Write a request file."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lone(count)))


def test_the_worker_asks_for_the_tokens_of_what_waits(make_bench: MakeBench) -> None:
    """Counts are free, so nobody has to ask for them; once they are known the plan stops guessing."""
    bench = make_bench()
    lines = [line | {"custom_id": f"n-{number}"} for number, line in enumerate(lone(3))]
    path = bench.folder / "three.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    bench.workspace.start()
    actions.request_import(bench.workspace, [path])

    eventually(lambda: bench.query("token_counts", simulated=True)["tokens"].count() == 3)
