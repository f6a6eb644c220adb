"""Bodies with several cache entries: what is not there is left out, and what lies further out is still read."""

import json
from typing import Any

import polars as pl
import pytest

from core import actions
from core.commands.local_api import to_json
from core.commands.verbs import run_verb
from tests.jobs.driving import Bench, MakeBench, marks, prefix, request, shared

TOOLS = [{"name": "t", "description": prefix("tools"), "input_schema": {"type": "object"}}]


def nested(name: str, count: int) -> list[dict[str, Any]]:
    """Requests that share their tools with all others here, and under them a prompt of their own."""
    return [request(f"{name}-{number:03d}", system=prefix(name, 400), tools=TOOLS) for number in range(count)]


def lonely(count: int) -> list[dict[str, Any]]:
    """Requests that share nothing with the others but the tools."""
    return [request(f"only-{number:03d}", system=f"{number} is alone.", tools=TOOLS) for number in range(count)]


def fail(bench: Bench, job_id: str, name: str) -> None:
    """The job's item of that name comes out expired after all."""
    (custom_id,) = bench.attempts(job_id).filter(pl.col("item_id").str.starts_with(name))["custom_id"]
    attempt = bench.attempts(job_id).filter(custom_id=custom_id).drop("custom_id", "cause", "action")
    nothing = [column for column in attempt.columns if column.endswith("_tokens")]
    failed = attempt.with_columns(pl.lit(None, pl.Int64).alias(column) for column in nothing).with_columns(
        outcome=pl.lit("expired"),
        usable=False,
        custom_id=pl.lit(custom_id),
        cause=pl.lit("expired"),
        action=pl.lit("resubmit"),
        refusal_category=pl.lit(None, pl.String),
    )
    bench.workspace.store.write(lambda tx: tx.merge("put_results", failed, job_id=job_id))


def body_of(bench: Bench, name: str) -> str:
    """The body that carries items of that name."""
    sent = bench.attempts().filter((pl.col("role") == "body") & pl.col("item_id").str.starts_with(name))
    return str(sent["job_id"][0])


def primed(bench: Bench) -> tuple[str, str]:
    """Two prompts and some lonely items under the same tools, up to where the primer has ended; primer and one body."""
    primer, *_ = bench.submit(*nested("alpha", 20), *nested("beta", 20), *lonely(20))
    assert bench.job(primer)["item_count"] == 2
    bench.tick()
    bench.tick(minutes=5)
    body = body_of(bench, "alpha")
    bench.write("set_state", job_id=body, state="waiting", reason=None)
    return primer, body


def test_one_entry_that_failed_is_primed_again_and_the_others_go(bench: Bench) -> None:
    """A passing failure of one prefix concerns its items alone; they read in the end as the others do."""
    primer, body = primed(bench)
    fail(bench, primer, "alpha")
    bench.run()

    again = bench.jobs().filter(pl.col("parent_job_id") == primer)
    assert again["role"].to_list() == ["primer"]
    assert again["item_count"].to_list() == [1]
    rest = bench.attempts().filter(pl.col("role") == "body")
    assert (rest["cache_read_tokens"] > 0).all()
    assert rest["cache_write_1h_tokens"].sum() == 0
    sent = bench.attempts(body).group_by(pl.col("item_id").str.head(4)).len()
    assert dict(sent.iter_rows()) == {"alph": 18, "beta": 19, "only": 20}


def test_items_whose_entry_never_came_read_the_one_further_out(bench: Bench) -> None:
    """Twice expired: their own prefix is not there, so they keep only the mark on the tools, which others wrote."""
    primer, body = primed(bench)
    fail(bench, primer, "alpha")
    bench.tick()
    (again,) = bench.jobs().filter(pl.col("parent_job_id") == primer)["job_id"]
    bench.run_until(again, "done")
    bench.write("set_state", job_id=body, state="waiting", reason=None)
    fail(bench, again, "alpha")
    bench.run()

    sent = next(requests for requests in bench.server.requests if requests[0]["custom_id"].startswith(body))
    cold = [one for one in sent if one["custom_id"][9:].startswith("alpha")]
    assert {marks([{"tools": one["params"]["tools"]}]) for one in sent} == {1}
    assert {marks([{"system": one["params"]["system"]}]) for one in cold} == {0}
    rest = bench.attempts(body)
    assert rest["cache_write_1h_tokens"].sum() == 0
    assert (rest["cache_read_tokens"] > 0).all()
    assert len(bench.server.bodies[-1]) == bench.job(bench.server.requests[-1][0]["custom_id"][:8])["body_bytes"]


@pytest.fixture
def quick(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench whose workspace has learned that priming takes seconds."""
    monkeypatch.setattr("core.jobs.hit_rates.alive_after_priming", lambda *_: {"5m": 1.0, "1h": 1.0})
    return make_bench()


def test_a_short_life_is_marked_as_such_and_read_in_time(quick: Bench) -> None:
    """Where priming is quick the cheaper write is taken; the body goes while the entry lives."""
    primer, body = quick.submit(*shared("alpha", 12))
    quick.tick()
    quick.tick(minutes=3)
    quick.tick(seconds=1)
    quick.run()

    assert [quick.job(job)["cache_ttl"] for job in (primer, body)] == ["5m", "5m"]
    assert '"ttl":"5m"' in quick.server.bodies[0].decode()
    assert quick.attempts(primer)["cache_write_5m_tokens"].sum() > 0
    assert (quick.attempts(body)["cache_read_tokens"] > 0).all()


def test_a_short_life_that_is_over_is_written_anew_and_then_given_up(quick: Bench) -> None:
    """Five minutes are over before the body could go: one more primer, and after that no cold body."""
    primer, body = quick.submit(*shared("alpha", 12))
    quick.tick()
    quick.tick(minutes=30)
    quick.tick(minutes=30)
    quick.run()

    again = quick.jobs().filter(pl.col("parent_job_id") == primer)
    assert again["role"].to_list() == ["primer"]
    rest = quick.attempts(body)
    assert rest.select("cache_write_5m_tokens", "cache_write_1h_tokens").sum().row(0) == (0, 0)
    assert quick.statuses() == {"complete": 12}


def test_a_body_that_could_not_be_sent_in_time_goes_back_to_its_primer(bench: Bench) -> None:
    """Released with marks, then the process was away over night: nothing is sent cold, whatever state it was in."""
    primer, body = bench.submit(*shared("alpha", 12))
    bench.tick()
    bench.tick(minutes=5)
    assert bench.state(body)[0] == "planned"
    bench.clock.move(hours=12)
    bench.reopen()
    bench.run()

    assert bench.jobs().filter(pl.col("parent_job_id") == primer)["role"].to_list() == ["primer"]
    rest = bench.attempts(body)
    assert rest["cache_write_1h_tokens"].sum() == 0
    assert (rest["cache_read_tokens"] > 0).all()


def test_a_repair_that_could_not_be_sent_in_time_goes_without_marks(make_bench: MakeBench) -> None:
    """The repair was planned while its entry lived; by the time it goes the entry may be dead."""
    bench = make_bench(error_rate=0.3, seed=5)
    _, body = bench.submit(*shared("alpha", 30))
    bench.run_until(body, "done")
    repair = bench.repair(body)
    assert bench.job(repair.job_id)["cache_ttl"] == "1h"
    bench.clock.move(hours=12)
    bench.run()

    sent = bench.attempts(repair.job_id)
    assert sent["cache_write_1h_tokens"].sum() == 0
    assert bench.job(repair.job_id)["cache_ttl"] is None


def test_a_refused_canary_holds_its_own_body_alone(bench: Bench) -> None:
    """What the API refuses of one prompt says nothing of another under the same tools."""
    wrong = [line | {"params": line["params"] | {"max_tokens": 200_000}} for line in nested("alpha", 20)]
    primer, *_ = bench.submit(*wrong, *nested("beta", 20), *lonely(20))
    bench.run()

    assert bench.job(primer)["item_count"] == 2
    assert {name: bench.state(body_of(bench, name))[0] for name in ("alpha", "beta", "only")} == {
        "alpha": "held",
        "beta": "done",
        "only": "done",
    }


def test_predicted_stands_beside_actual_and_the_next_plan_learns(bench: Bench) -> None:
    """Assumed before the first job, measured after it; a body that reads all raises what is expected of the next."""
    _, body = bench.submit(*shared("alpha", 12))
    bench.run()
    bench.load(*({**line, "custom_id": f"more-{line['custom_id']}"} for line in shared("alpha", 12)))
    now = bench.clock.now
    caching = actions.cache_plan(bench.workspace, now=now)

    assert (bench.job(body)["prediction_basis"], bench.job(body)["hit_rate"]) == ("assumed", 1.0)
    assert bench.job(body)["predicted_hit_rate"] == pytest.approx(0.9, abs=0.01)
    (seen,), (planned,) = caching.history, caching.planned
    assert (seen.jobs, seen.actual, seen.basis, seen.strayed) == (1, 1.0, "measured", False)
    assert seen.predicted == pytest.approx(0.9, abs=0.01)
    assert seen.expected == planned.hit_rate == pytest.approx(0.95, abs=0.001)
    assert planned.basis == "measured"
    assert seen.low <= seen.actual <= seen.high


def test_consent_is_only_asked_where_a_text_would_be_split(bench: Bench) -> None:
    """A prefix that ends with a block needs no rewrite; agreeing to one there is a mistake that is told."""
    bench.load(*shared("alpha", 6))
    (planned,) = actions.cache_plan(bench.workspace, now=bench.clock.now).planned

    for class_id in (planned.class_id, "nosuchclass"):
        with pytest.raises(actions.NothingToSplit):
            actions.agree_split(bench.workspace, class_id, agreed=True)


def test_consent_is_kept_and_can_be_taken_back(bench: Bench) -> None:
    """Agreed, the text is sent as two blocks whose head is read; taken back, nothing is rewritten any more."""
    text = prefix("alpha")
    bench.load(
        *(
            request(f"item-{number}", messages=[{"role": "user", "content": f"{text}\n{number} is the record."}])
            for number in range(8)
        )
    )
    now = bench.clock.now
    (planned,) = actions.cache_plan(bench.workspace, now=now).planned
    actions.agree_split(bench.workspace, planned.class_id, agreed=True)
    actions.agree_split(bench.workspace, planned.class_id, agreed=False)
    assert [job.role for job in actions.preview_plan(bench.workspace, now=now).jobs] == ["body"]
    actions.agree_split(bench.workspace, planned.class_id, agreed=True)
    primer, body = bench.submit()
    bench.run()

    assert bench.attempts(primer)["cache_write_1h_tokens"].sum() > 0
    assert (bench.attempts(body)["cache_read_tokens"] > 0).all()
    assert bench.statuses() == {"complete": 8}


def test_an_empty_backlog_still_shows_how_it_went(bench: Bench) -> None:
    """Nothing to plan is no reason to hide the past."""
    assert actions.cache_plan(bench.workspace, now=bench.clock.now).planned == ()


def test_the_verbs_give_what_the_page_shows(bench: Bench) -> None:
    """A pipeline reads the cache plan as JSON, and agrees to a split with one command."""
    text = prefix("alpha")
    content = [f"{text}\n{number} is the record." for number in range(8)]
    bench.load(*(request(f"item-{n}", messages=[{"role": "user", "content": said}]) for n, said in enumerate(content)))
    (planned,) = run_verb(bench.workspace, "caching", {})["planned"]
    assert planned["reasons"] == ("needs_split", "ends_inside_text")
    assert run_verb(bench.workspace, "agree-split", {"class_id": planned["class_id"], "agreed": True})["agreed"]
    document = json.loads(to_json(run_verb(bench.workspace, "caching", {})))

    assert document["planned"][0]["lifetime"] == "1h"
    assert document["simulated"]
