"""The primer as canary: what it meets decides whether and how the bodies behind it go."""

from datetime import timedelta

import polars as pl

from core import actions
from core.jobs.priming import release
from core.sandbox import CreateFault
from tests.jobs.driving import Bench, MakeBench, marks, request, shared

TOO_MANY = 200_000


def test_a_passing_failure_primes_once_more_with_another_item(make_bench: MakeBench) -> None:
    """An overloaded moment must not cost the cache: the next item of the body primes, and the body then reads."""
    bench = make_bench(error_rate=1.0)
    primer, body = bench.submit(*shared("alpha", 10))
    bench.tick()
    bench.tick(minutes=5)
    bench.server_changes(error_rate=0.0)
    bench.run()

    again = bench.jobs().filter((pl.col("role") == "primer") & (pl.col("job_id") != primer))
    assert again["parent_job_id"].to_list() == [primer]
    assert bench.attempts(again["job_id"][0])["item_id"][0] not in bench.attempts(primer)["item_id"]
    rest = bench.attempts(body)
    assert rest.height == bench.job(body)["item_count"] == 8
    assert (rest["cache_read_tokens"] > 0).all()
    assert bench.slice(primer).repairable == 1
    bench.repair(primer)
    assert bench.run().statuses() == {"complete": 10}


def test_a_second_primer_costs_what_the_first_did(make_bench: MakeBench) -> None:
    """It has a price, so that a budget knows it: held by the account, it is released like any other."""
    bench = make_bench(error_rate=1.0)
    primer, body = bench.submit(*shared("alpha", 10))
    bench.tick()
    bench.tick(minutes=5)
    bench.server_changes(error_rate=0.0)
    bench.faults.creates.append(CreateFault.CREDIT_TOO_LOW)
    (again,) = bench.jobs().filter(pl.col("parent_job_id") == primer)["job_id"]
    bench.run_until(again, "held")
    assert bench.job(again)["predicted_usd"] == bench.job(primer)["predicted_usd"] > 0

    actions.release(bench.workspace, again, now=bench.clock.now)
    bench.run()

    assert (bench.attempts(body)["cache_read_tokens"] > 0).all()


def test_bodies_of_one_class_are_primed_again_together(make_bench: MakeBench) -> None:
    """However many bodies wait for the failed primer, one more primer is made, and all of them read its entry."""
    bench = make_bench({"max_job_requests": 6}, error_rate=1.0)
    primer, *bodies = bench.submit(*shared("alpha", 19))
    assert len(bodies) == 3
    bench.tick()
    bench.tick(minutes=5)
    bench.server_changes(error_rate=0.0)
    bench.run()

    primers = bench.jobs().filter(pl.col("role") == "primer")
    assert primers["item_count"].to_list() == [1, 1]
    rest = bench.attempts().filter(pl.col("job_id").is_in(bodies))
    assert rest.height == 17
    assert (rest["cache_read_tokens"] > 0).all()
    assert bench.slice(primer).repairable == 1


def test_a_second_passing_failure_holds_the_body(make_bench: MakeBench) -> None:
    """Two canaries down: the body would fail the same way, so a person decides."""
    bench = make_bench(error_rate=1.0)
    _, body = bench.submit(*shared("alpha", 10))
    bench.run()

    state, reason = bench.state(body)
    assert state == "held"
    assert reason is not None and "Release the job" in reason
    assert bench.jobs()["role"].to_list().count("primer") == 2
    assert len(bench.server.bodies) == 2


def test_a_failure_for_good_holds_the_body_and_release_sends_it_without_marks(bench: Bench) -> None:
    """A request the API refuses is found out with one item; who releases the rest pays for no useless writes."""
    _, body = bench.submit(*shared("alpha", 6, max_tokens=TOO_MANY))
    bench.run()

    state, reason = bench.state(body)
    assert state == "held"
    assert reason is not None and reason.startswith("Its primer item came out invalid_request_error: max_tokens")
    assert bench.jobs()["role"].to_list().count("primer") == 1
    actions.release(bench.workspace, body, now=bench.clock.now)
    assert bench.state(body) == ("planned", None)
    bench.run()
    assert marks(bench.server.requests[-1]) == 0
    assert len(bench.server.bodies[-1]) == bench.job(body)["body_bytes"]
    assert bench.attempts(body)["cause"].unique().to_list() == ["invalid_request_error"]


def test_a_body_of_one_item_is_not_taken_for_priming(make_bench: MakeBench) -> None:
    """Priming with its only item would leave an empty job, which the API refuses: it is held."""
    bench = make_bench({"max_job_requests": 1}, error_rate=1.0)
    _, *bodies = bench.submit(*shared("alpha", 3))
    bench.run()

    assert [bench.state(body)[0] for body in bodies] == ["held", "held"]
    assert min(len(body) for body in bench.server.requests) == 1


# Single digits are many tokens by the linear count, and few by the local server's characters.
DIGITS = "Sum up: " + " ".join(str(number % 10) for number in range(620))


def test_a_prefix_under_the_real_floor_is_sent_without_marks(bench: Bench) -> None:
    """An estimate above the floor can be wrong: where the primer neither wrote nor read, marks only mislead."""
    primer, body = bench.submit(*(request(f"item-{n}", system=DIGITS) for n in range(6)))
    bench.run()

    assert [marks(sent) for sent in bench.server.requests] == [1, 0]
    assert bench.attempts(primer)["cache_write_1h_tokens"].sum() == 0
    assert bench.attempts(body)["usable"].all()
    assert bench.job(body)["cache_ttl"] is None


def test_a_prefix_that_was_found_too_short_is_not_primed_again(bench: Bench) -> None:
    """What one primer found out holds for the next plan, which says that it was measured."""
    bench.submit(*(request(f"item-{n}", system=DIGITS) for n in range(6)))
    bench.run()
    bench.load(*(request(f"more-{n}", system=DIGITS) for n in range(6)))
    (of,) = actions.cache_plan(bench.workspace, now=bench.clock.now).planned

    assert (of.lifetime, of.reasons) == (None, ("under_floor_measured",))
    assert [job.role for job in actions.preview_plan(bench.workspace, now=bench.clock.now).jobs] == ["body"]


def test_a_cold_entry_is_written_anew_before_the_body_goes(bench: Bench) -> None:
    """An app that was away over night finds the entry gone: one more primer, not a body that writes in every item."""
    primer, body = bench.submit(*shared("alpha", 10))
    bench.tick()
    bench.tick(minutes=5)
    bench.write("set_state", job_id=body, state="waiting", reason=None)
    bench.clock.move(hours=12)
    bench.reopen()
    bench.run()

    second = bench.jobs().filter(pl.col("parent_job_id") == primer)
    assert second["role"].to_list() == ["primer"]
    rest = bench.attempts(body)
    assert rest["cache_write_1h_tokens"].sum() == 0
    assert (rest["cache_read_tokens"] > 0).all()
    assert bench.statuses() == {"complete": 10}


def test_a_cold_body_of_one_item_goes_without_marks(make_bench: MakeBench) -> None:
    """Nothing is left that could read what its only item writes."""
    bench = make_bench({"max_job_requests": 1})
    _, *bodies = bench.submit(*shared("alpha", 3))
    bench.tick()
    bench.tick(minutes=5)
    for body in bodies:
        bench.write("set_state", job_id=body, state="waiting", reason=None)
    bench.clock.move(hours=12)
    bench.run()

    assert [marks(body) for body in bench.server.requests] == [1, 0, 0]
    assert bench.statuses() == {"complete": 3}


def test_a_refused_primer_holds_its_bodies(bench: Bench) -> None:
    """A create call that was refused would be refused again: no second primer, the bodies say why they wait."""
    bench.faults.creates.append(CreateFault.TOO_LARGE_HTML)
    primer, body = bench.submit(*shared("alpha", 6))
    bench.run()

    assert bench.state(primer)[0] == "failed"
    assert bench.state(body)[0] == "held"
    assert "request_too_large" in str(bench.state(body)[1])
    assert bench.batches() == []


def test_release_after_an_account_hold_keeps_the_primer_a_primer(bench: Bench) -> None:
    """The account was topped up: the plan goes on as it was priced, marks and all."""
    bench.faults.creates.append(CreateFault.CREDIT_TOO_LOW)
    primer, body = bench.submit(*shared("alpha", 6))
    bench.run_until(primer, "held")
    actions.release(bench.workspace, primer, now=bench.clock.now)
    bench.run()

    assert bench.attempts(primer)["cache_write_1h_tokens"].sum() > 0
    assert (bench.attempts(body)["cache_read_tokens"] > 0).all()


def test_release_after_an_account_hold_looks_at_the_entry_once_more(bench: Bench) -> None:
    """A primed body that the account held keeps its marks where the entry is warm, and is primed again where not."""
    primer, body = bench.submit(*shared("alpha", 8))
    bench.tick()
    bench.faults.creates.append(CreateFault.SPEND_LIMIT)
    bench.run_until(body, "held")
    bench.clock.move(hours=3)
    actions.release(bench.workspace, body, now=bench.clock.now)
    assert bench.state(body)[0] == "waiting"
    bench.run()

    assert bench.jobs().filter(pl.col("parent_job_id") == primer).height == 1
    assert (bench.attempts(body)["cache_read_tokens"] > 0).all()


def test_a_body_called_off_meanwhile_stays_called_off(bench: Bench) -> None:
    """The worker decides on what it read a moment ago; a cancel in between wins, or items would go out twice."""
    primer, body = bench.submit(*shared("alpha", 6))
    bench.tick()
    seen = bench.job(body)
    bench.write("set_state", job_id=primer, state="done", reason=None)
    actions.cancel(bench.workspace, body, now=bench.clock.now)

    release(bench.workspace.store, seen, now=bench.clock.now + timedelta(minutes=1), lifetime=timedelta(hours=1))

    assert bench.state(body)[0] == "canceled"


def test_small_classes_share_a_body_and_each_reads_its_own_entry(bench: Bench) -> None:
    """A job costs a look whatever is in it: three primed classes go as one body, which all of them warmed."""
    primer, body = bench.submit(*shared("alpha", 8), *shared("beta", 6), *shared("gamma", 5))

    assert bench.run().statuses() == {"complete": 19}
    sent = bench.attempts(body)
    assert bench.job(primer)["item_count"] == 3
    assert sent["class_id"].n_unique() == 3
    assert bench.job(body)["class_id"] is None
    assert (sent["cache_read_tokens"] > 0).all()
    learned = actions.cache_plan(bench.workspace, now=bench.clock.now).history
    assert [one.jobs for one in learned] == [1, 1, 1]
    assert {one.actual for one in learned} == {1.0}


def test_one_refused_canary_holds_its_own_class_and_the_others_go_on(bench: Bench) -> None:
    """Classes that share a body share no fault: nobody waits for a request that somebody else has to mend."""
    _, body = bench.submit(*shared("alpha", 6, max_tokens=TOO_MANY), *shared("beta", 9))
    before = bench.job(body)
    bench.run()

    (held,) = bench.jobs().filter(state="held")["job_id"]
    assert held != body
    assert bench.state(body)[0] == "done"
    assert (bench.job(held)["item_count"], bench.job(body)["item_count"]) == (5, 8)
    assert bench.job(held)["predicted_usd"] + bench.job(body)["predicted_usd"] == before["predicted_usd"]
    assert set(bench.attempts(held)["item_id"].str.head(5)) == {"alpha"}
    assert (bench.attempts(body)["cache_read_tokens"] > 0).all()
    assert len(bench.server.bodies[-1]) == bench.job(body)["body_bytes"]

    actions.release(bench.workspace, held, now=bench.clock.now)
    bench.run()
    assert marks(bench.server.requests[-1]) == 0


def test_classes_of_one_body_are_primed_again_where_their_entry_failed(make_bench: MakeBench) -> None:
    """A passing failure of every canary takes one more item of each class, and the shared body reads after that."""
    bench = make_bench(error_rate=1.0)
    _, body = bench.submit(*shared("alpha", 8), *shared("beta", 8))
    bench.tick()
    bench.tick(minutes=5)
    bench.server_changes(error_rate=0.0)
    bench.run()

    assert bench.jobs().filter(pl.col("role") == "primer")["item_count"].to_list() == [2, 2]
    rest = bench.attempts(body)
    assert rest.height == 12
    assert (rest["cache_read_tokens"] > 0).all()
