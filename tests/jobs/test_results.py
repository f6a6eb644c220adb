"""Results: on disk as they came, verified as a whole, then stored in one step; or nothing of them is."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.gateway import RemoteBatch
from core.jobs.results import NotOurs, ResultsBroken, fetch_results, ingest, read_results, results_path
from core.sandbox import CreateFault, ResultsFault
from tests.jobs.driving import START, Bench, MakeBench, lone, shared

SILENT = [ResultsFault.FEWER_LINES, ResultsFault.MISSING_ID]
LOUD = [ResultsFault.CUT_LINE, ResultsFault.DUPLICATED, ResultsFault.FOREIGN_ID]


@pytest.mark.parametrize("fault", [*SILENT, *LOUD, ResultsFault.CUT_CONNECTION])
def test_a_bad_download_stores_nothing_and_is_fetched_again(bench: Bench, fault: ResultsFault) -> None:
    """Even a body cut on a line border, which looks well-formed, leaves no row behind; the next look mends it."""
    (job,) = bench.submit(*lone(10))
    bench.tick()
    bench.faults.results.append(fault)
    bench.tick(minutes=5)

    state, reason = bench.state(job)
    assert state == "ended"
    assert reason
    assert bench.trouble()
    assert bench.attempts(job)["outcome"].null_count() == 10
    assert bench.attempts(job)["cost_usd"].null_count() == 10
    assert bench.statuses() == {"in flight": 10}
    bench.tick()
    assert bench.state(job) == ("done", None)
    assert bench.trouble() is None
    assert bench.statuses() == {"complete": 10}


def test_the_raw_bytes_are_kept_as_they_came(bench: Bench) -> None:
    """Whatever is made of results later, what the API sent is there to be looked at again."""
    (job,) = bench.submit(*lone(4))
    bench.run()
    again = bench.folder / "again.jsonl"
    bench.gateway.download(bench.job(job)["batch_id"], again)

    assert results_path(bench.folder, job).read_bytes() == again.read_bytes()
    assert len(again.read_text().splitlines()) == 4


def test_ingesting_again_changes_nothing(make_bench: MakeBench) -> None:
    """A process that died between storing and telling does it again: same rows, same money."""
    bench = make_bench(error_rate=0.3)
    _, body = bench.submit(*shared("alpha", 20))
    bench.run()
    before, version = bench.attempts(), bench.jobs()

    for _ in range(2):
        fetch_results(
            bench.workspace.store,
            bench.folder,
            bench.gateway,
            bench.workspace.book,
            bench.job(body),
            now=bench.clock.now,
        )

    assert bench.attempts().equals(before)
    assert bench.jobs().equals(version)


def test_an_ended_job_is_ingested_after_a_restart(bench: Bench) -> None:
    """The process ended after the API had, and before the results were in."""
    (job,) = bench.submit(*lone(3))
    bench.tick()
    bench.faults.results.append(ResultsFault.CUT_LINE)
    bench.tick(minutes=5)
    bench.reopen()
    assert bench.state(job)[0] == "ended"
    assert bench.run().statuses() == {"complete": 3}


def test_a_batch_not_found_just_after_creation_is_asked_for_again(bench: Bench) -> None:
    """A 404 right after the create passes: the job runs on, and forgets the trouble."""
    (job,) = bench.submit(*lone(3))
    bench.tick()
    bench.faults.missing_retrieves = 1
    bench.tick(seconds=1)
    assert bench.state(job)[0] == "running"
    assert "does not know this batch" in str(bench.state(job)[1])
    bench.tick(seconds=1)
    assert bench.state(job) == ("running", None)
    assert bench.run().state(job)[0] == "done"


def test_results_that_are_no_longer_kept_are_said_to_be_gone(make_bench: MakeBench) -> None:
    """An app that was off for a month finds the batch archived: its job has a state of its own, and no cost."""
    bench = make_bench(results_retention_days=29)
    (job,) = bench.submit(*lone(3))
    bench.tick()
    assert bench.tick(days=30) == 0

    state, reason = bench.state(job)
    assert state == "gone"
    assert reason is not None and "29 days" in reason
    lost = bench.attempts(job)
    assert lost["outcome"].to_list() == ["gone"] * 3
    assert lost["cost_usd"].null_count() == 3
    assert [(cause.cause, cause.action) for cause in bench.slice(job).causes] == [("results_gone", "decide")]


def test_a_batch_that_was_deleted_is_said_to_be_gone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody deleted it: a 404 for an hour is no passing one, and nothing is sent again unasked."""
    (job,) = bench.submit(*lone(3))
    bench.tick()
    bench.faults.missing_retrieves = 10_000
    bench.tick(minutes=10)
    bench.tick(minutes=59)
    bench.tick(minutes=2)
    assert bench.state(job)[0] == "running"  # the list still has it
    monkeypatch.setattr(bench.gateway, "list_since", lambda _: [])
    assert bench.tick(minutes=2) == 0

    state, reason = bench.state(job)
    assert state == "gone"
    assert reason is not None and "deleted" in reason
    assert len(bench.server.bodies) == 1


def test_a_batch_taken_for_ours_that_disappears_leaves_the_job_in_doubt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found by time and count only, so it may have been somebody else's: ours is looked for again."""
    bench.faults.creates.append(CreateFault.OVERLOADED)
    (job,) = bench.submit(*lone(3))
    bench.tick()
    bench.foreign_batch(3)
    bench.tick()
    bench.faults.missing_retrieves = 2
    bench.tick(minutes=1)
    with monkeypatch.context() as gone:
        gone.setattr(bench.gateway, "list_since", lambda _: [])
        bench.tick(minutes=61)
    assert bench.state(job)[0] == "unknown"
    assert bench.run().statuses() == {"complete": 3}


def test_a_whole_file_of_strangers_is_no_proof_against_a_batch_that_was_named(bench: Bench) -> None:
    """The create call said which batch is ours: other results are a broken download, never a reason to send again."""
    (job,) = bench.submit(*lone(3))
    bench.tick()
    path = bench.folder / "strangers.jsonl"
    path.write_text("".join(json.dumps({"custom_id": f"s{n}", "result": {"type": "expired"}}) + "\n" for n in range(3)))
    arguments = bench.workspace.store, path, bench.workspace.book

    with pytest.raises(ResultsBroken):
        ingest(*arguments, bench.job(job), batch(3, succeeded=0, expired=3), now=START)
    with pytest.raises(NotOurs):
        ingest(*arguments, bench.job(job) | {"provisional": True}, batch(3, succeeded=0, expired=3), now=START)


def test_counts_that_do_not_add_up_are_not_stored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The five counts are the items sent, at any time; what says otherwise is asked again."""
    (job,) = bench.submit(*lone(3))
    bench.tick()
    honest: Any = bench.gateway.retrieve
    wrong = {"processing": 2, "succeeded": 0}
    monkeypatch.setattr(bench.gateway, "retrieve", lambda name: replace(honest(name), **wrong))
    bench.tick(minutes=5)

    state, reason = bench.state(job)
    assert (state, bench.job(job)["processing"]) == ("running", 3)
    assert reason is not None and "does not add up" in reason
    monkeypatch.undo()
    assert bench.run().statuses() == {"complete": 3}


def test_a_type_of_result_that_nobody_knows_yet_is_for_a_person(bench: Bench, tmp_path: Path) -> None:
    """The API may name new types: such an item is neither usable nor sent again, and the rest of the file counts."""
    (job,) = bench.submit(*lone(3))
    names = bench.query("job_attempts", job_id=job)["custom_id"].to_list()
    types = ["expired", "brand_new", "brand_new"]
    path = tmp_path / "results.jsonl"
    lines = [{"custom_id": name, "result": {"type": kind}} for name, kind in zip(names, types, strict=True)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = bench.workspace.store, path, bench.workspace.book, bench.job(job)

    with pytest.raises(ResultsBroken):
        ingest(*arguments, batch(3, succeeded=3), now=START)
    ingest(*arguments, batch(3, succeeded=1, errored=1, expired=1), now=START)
    assert sorted(bench.attempts(job)["action"].to_list()) == ["decide", "decide", "resubmit"]


@pytest.mark.parametrize("fault", list(ResultsFault))
def test_no_fault_of_a_download_reaches_complete(bench: Bench, fault: ResultsFault) -> None:
    """Cut, doubled, foreign, missing, empty or malformed: nothing of it is stored; another order harms nothing."""
    (job,) = bench.submit(*lone(8))
    bench.tick()
    bench.faults.results.append(fault)
    bench.tick(minutes=5)

    if fault is ResultsFault.REORDERED:
        assert bench.state(job)[0] == "done"
    else:
        assert bench.state(job)[0] == "ended"
        assert bench.attempts(job)["outcome"].null_count() == 8
    assert bench.run().statuses() == {"complete": 8}
    row = bench.job(job)
    assert sum(row[name] for name in ("processing", "succeeded", "errored", "canceled", "expired")) == 8


def test_a_download_that_broke_off_goes_on_where_it_stopped(bench: Bench) -> None:
    """What has arrived is not fetched again, not even after a restart; the whole is verified all the same."""
    (job,) = bench.submit(*lone(400))
    bench.tick()
    bench.faults.results.append(ResultsFault.CUT_CONNECTION)
    bench.tick(minutes=5)
    (part,) = (bench.folder / "results").glob("*.part")
    arrived = part.stat().st_size
    assert arrived > 0
    bench.reopen()
    bench.tick(minutes=1)

    assert bench.state(job)[0] == "done"
    whole = results_path(bench.folder, job).stat().st_size
    assert bench.server.downloads == [arrived, whole - arrived]


def test_a_part_that_is_none_of_these_results_is_dropped(bench: Bench) -> None:
    """Bytes left behind that do not fit what the API has: the file is fetched anew."""
    (job,) = bench.submit(*lone(20))
    bench.tick()
    (bench.folder / "results").mkdir(exist_ok=True)
    for left in (b"x" * 100, b"y" * 10_000_000):
        (bench.folder / "results" / f"{bench.job(job)['batch_id']}.part").write_bytes(left)
        bench.tick(minutes=5)

    assert bench.run().statuses() == {"complete": 20}


def test_counts_follow_the_api_while_it_runs(make_bench: MakeBench) -> None:
    """Where the API counts live, the job shows it; all counts together are always the whole job."""
    bench = make_bench(live_counts=True, width=2, seconds_spread=0.0)
    (job,) = bench.submit(*lone(8))
    bench.tick()
    bench.tick(seconds=45)

    row = bench.job(job)
    assert (row["processing"], row["succeeded"]) == (4, 4)
    bench.run()
    row = bench.job(job)
    assert (row["processing"], row["succeeded"], row["state"]) == (0, 8, "done")


def test_a_drop_during_creation_and_bad_results_together(bench: Bench) -> None:
    """Troubles come in company: the reply lost, then two bad downloads; still one batch and every item once."""
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    bench.faults.results.extend([ResultsFault.DUPLICATED, ResultsFault.FEWER_LINES])
    bench.submit(*lone(6))
    bench.run()

    assert len(bench.batches()) == 1
    assert bench.statuses() == {"complete": 6}


def batch(total: int, **counts: int) -> RemoteBatch:
    """A batch that has ended."""
    nothing = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    return RemoteBatch(
        batch_id="msgbatch_1",
        status="ended",
        created_at=START,
        expires_at=START,
        ended_at=START,
        has_results=True,
        archived=False,
        **{**nothing, "succeeded": total, **counts},
    )


def test_outcomes_must_agree_with_the_counts(bench: Bench, tmp_path: Path) -> None:
    """As many rows as expected, but one fewer succeeded than the batch says: not this batch's results."""
    (job,) = bench.submit(*lone(3))
    lines = [
        {"custom_id": name, "result": {"type": "expired"}}
        for name in bench.query("job_attempts", job_id=job)["custom_id"]
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = bench.workspace.store, path, bench.workspace.book, bench.job(job)

    with pytest.raises(ResultsBroken) as caught:
        ingest(*arguments, batch(3, succeeded=1, expired=2), now=START)
    assert caught.value.context["rows"] == {"expired": 3}
    done = ingest(*arguments, batch(3, succeeded=0, expired=3), now=START)
    assert (done.rows, done.usable) == (3, 0)


@pytest.mark.parametrize(
    "text", ["<html>Bad Gateway</html>", '{"custom_id": 1', "[1, 2]\n", '{"custom_id":"a","result":[]}']
)
def test_what_is_no_json_of_results_is_broken(tmp_path: Path, text: str) -> None:
    """A proxy's page in place of results is refused with the file's name and the reason."""
    path = tmp_path / "job.jsonl"
    path.write_text(text)

    with pytest.raises(ResultsBroken) as caught:
        read_results(path)

    assert caught.value.context["file"] == "job.jsonl"


def test_a_stranger_in_place_of_an_item_is_found(bench: Bench, tmp_path: Path) -> None:
    """The right number of rows with one foreign id, or one id twice, is not what was sent."""
    (job,) = bench.submit(*lone(3))
    names = bench.query("job_attempts", job_id=job)["custom_id"].to_list()
    path = tmp_path / "results.jsonl"
    for ids in ([*names[:2], "stranger"], [*names[:2], names[0]]):
        lines = [{"custom_id": name, "result": {"type": "expired"}} for name in ids]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with pytest.raises(ResultsBroken):
            ingest(
                bench.workspace.store,
                path,
                bench.workspace.book,
                bench.job(job),
                batch(3, succeeded=0, expired=3),
                now=START,
            )
    assert bench.attempts(job)["outcome"].null_count() == 3


def test_an_empty_download_is_broken(bench: Bench) -> None:
    """No line at all is no result of any job."""
    (job,) = bench.submit(*lone(1))
    bench.tick()
    bench.faults.results.append(ResultsFault.FEWER_LINES)
    bench.tick(minutes=5)

    assert bench.state(job)[0] == "ended"
    assert bench.run().statuses() == {"complete": 1}


def test_usage_is_read_as_billed(tmp_path: Path) -> None:
    """Writes without the split by lifetime count as five-minute ones; what is missing stays unknown."""
    usages = {
        "split": {
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        },
        "lump": {"cache_creation_input_tokens": 30},
        "hour": {"cache_creation_input_tokens": 30, "cache_creation": {"ephemeral_1h_input_tokens": 20}},
        "none": {"input_tokens": 5, "server_tool_use": {"web_search_requests": 2}, "inference_geo": "us"},
    }
    path = tmp_path / "job.jsonl"
    path.write_text(
        "".join(
            json.dumps({"custom_id": name, "result": {"type": "succeeded", "message": {"usage": usage}}}) + "\n"
            for name, usage in usages.items()
        )
    )

    rows = {row["custom_id"]: row for row in read_results(path).iter_rows(named=True)}

    writes = {name: (row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) for name, row in rows.items()}
    assert writes == {"split": (10, 20), "lump": (30, None), "hour": (10, 20), "none": (None, None)}
    assert (rows["none"]["web_searches"], rows["none"]["inference_geo"]) == (2, "us")
    assert rows["none"]["output_tokens"] is None


def test_large_results_are_stored_in_one_step(make_bench: MakeBench) -> None:
    """Thousands of rows at once: every id known, every cost there, and the sum is the job's."""
    bench = make_bench(error_rate=0.05)
    (job,) = bench.submit(*lone(3_000))
    bench.run()

    sent = bench.attempts(job)
    assert sent.height == 3_000
    assert sent["cost_usd"].null_count() == 0
    assert sent["cost_usd"].sum() == bench.job(job)["cost_usd"]
    assert sent.filter(pl.col("outcome") == "errored")["cost_usd"].sum() == 0
