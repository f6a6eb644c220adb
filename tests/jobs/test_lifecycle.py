"""The whole way of the work: import, plan, submit, prime, send, ingest, repair, until every item is complete."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core import actions
from core.jobs.journal import PlanOutdated, record_plan
from core.jobs.spending import Allowance
from core.planning.identity import short_item
from core.planning.plan import NothingToPlan
from tests.jobs.driving import Bench, MakeBench, lone, marks, shared


def test_every_item_completes_exactly_once(make_bench: MakeBench) -> None:
    """Failures are repaired until nothing is open; no completed item is sent again, whatever failed beside it."""
    bench = make_bench(error_rate=0.2, expiry_rate=0.1, seed=3)
    bench.submit(*shared("alpha", 40), *shared("beta", 25), *lone(15))
    bench.run()
    clicks = 0
    while (broken := bench.jobs().filter(pl.col("open_failures") > 0)).height:
        for job in broken["job_id"]:
            bench.repair(job)
            clicks += 1
        bench.run()

    attempts = bench.attempts()
    usable = attempts.filter("usable")
    assert clicks > 1
    assert bench.statuses() == {"complete": 80}
    assert usable["item_id"].n_unique() == usable.height == 80
    last = attempts.sort("number").group_by("item_id", maintain_order=True).last()
    assert last["usable"].all()
    assert Counter(bench.server.items) == Counter(attempts["item_id"])
    assert len(bench.batches()) == bench.jobs().height


def test_the_primed_body_reads_what_the_primer_wrote(bench: Bench) -> None:
    """One real item a prefix writes the cache for an hour; every other item of the class reads it."""
    primer, *bodies = bench.submit(*shared("alpha", 12), *shared("beta", 8))
    bench.run()

    first = bench.attempts(primer)
    assert first.height == 2
    assert (first["cache_write_1h_tokens"] > 512).all()
    rest = bench.attempts().filter(pl.col("job_id").is_in(bodies))
    assert rest.height == 18
    assert (rest["cache_read_tokens"] > 512).all()
    assert rest["cache_write_1h_tokens"].sum() == rest["cache_write_5m_tokens"].sum() == 0
    assert sorted(marks(body) for body in bench.server.requests) == [2, 18]


def test_bodies_wait_for_their_primer(bench: Bench) -> None:
    """A body sent beside its primer would find no entry and pay for writing it in every item."""
    primer, body = bench.submit(*shared("alpha", 12))

    bench.tick()
    assert bench.state(primer)[0] == "running"
    assert bench.state(body)[0] == "waiting"
    assert len(bench.server.bodies) == 1
    bench.tick(minutes=5)
    assert bench.state(primer)[0] == "done"
    bench.tick()
    assert bench.state(body)[0] == "running"


def test_what_shares_nothing_goes_unmarked_and_writes_nothing(bench: Bench) -> None:
    """A mark that nobody reads costs a quarter more, or double: unprimed items carry none."""
    (body,) = bench.submit(*lone(9), *shared("tiny", 2))
    bench.run()

    sent = bench.attempts(body)
    assert marks(bench.server.requests[0]) == 0
    cached = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")
    assert sent.select(pl.sum_horizontal(cached).sum()).item() == 0
    assert sent["usable"].all()


def test_every_body_is_as_large_as_planned(bench: Bench) -> None:
    """Limits are checked on exact bytes before anything is written: plan, file and wire agree."""
    jobs = bench.submit(*shared("alpha", 7), *shared("gamma-" + "g" * 50, 5), *lone(3))
    planned = [bench.job(job)["body_bytes"] for job in jobs]
    bench.run()

    assert sorted(len(body) for body in bench.server.bodies) == sorted(planned)
    assert list((bench.folder / "jobs").iterdir()) == []


def test_names_on_the_wire_tell_job_and_item(bench: Bench) -> None:
    """Results prove whose they are: job id, dash, item id, 64 characters at most even for the longest item."""
    long = "x" * 64
    (job,) = bench.submit(*lone(1), {**lone(1)[0], "custom_id": long})
    bench.run()

    names = sorted(request["custom_id"] for request in bench.server.requests[0])
    assert names[0] == f"{job}-lone-000"
    assert names[1].startswith(f"{job}-xxx")
    assert len(names[1]) == 64
    assert bench.statuses() == {"complete": 2}


@given(st.text("abc_-19XYZ", min_size=1, max_size=64), st.text("abc_-19XYZ", min_size=1, max_size=64))
@example("x" * 60, "x" * 61)
def test_short_names_of_items_fit_and_stay_apart(one: str, other: str) -> None:
    """Two items never share a name on the wire, and a name is as long as was planned for it."""
    names = [short_item(one), short_item(other)]

    assert (names[0] == names[1]) is (one == other)
    assert all(len(name) == min(len(item), 55) for name, item in zip(names, (one, other), strict=True))


def test_submitting_twice_submits_once(bench: Bench) -> None:
    """A second tab with the same plan is told that it is outdated; nothing is claimed twice."""
    bench.load(*shared("alpha", 6))
    plan = actions.preview_plan(bench.workspace, now=bench.clock.now)
    bench.submit()

    with pytest.raises(PlanOutdated):
        allowance = Allowance(settings=bench.settings, now=bench.clock.now, by="somebody")
        record_plan(bench.workspace.store, plan, now=bench.clock.now, simulated=True, allowance=allowance)
    with pytest.raises(NothingToPlan):
        bench.submit()
    bench.run()
    assert Counter(bench.server.items).most_common(1)[0][1] == 1
    assert bench.jobs().height == 2


def test_a_restart_anywhere_repeats_nothing(make_bench: MakeBench) -> None:
    """The state is the store's: a process that ends after any step is followed by one that goes on."""
    bench = make_bench(error_rate=0.1)
    bench.submit(*shared("alpha", 20), *lone(10))
    for _ in range(20):
        active = bench.tick(minutes=3)
        bench.reopen()
        if not active:
            break

    assert set(bench.jobs()["state"]) == {"done"}
    assert max(Counter(bench.server.items).values()) == 1
    assert len(bench.batches()) == bench.jobs().height == 2


def test_the_prediction_is_of_the_size_of_what_happens(bench: Bench) -> None:
    """Before any result, reads are assumed with care: a prediction lies within a factor of 1.6 of the actual cost."""
    bench.submit(*shared("alpha", 60, max_tokens=1_000), *shared("beta", 30, max_tokens=400), *lone(30))
    bench.run()

    for job in bench.jobs().filter(pl.col("role") == "body").iter_rows(named=True):
        assert 1 / 1.6 < float(job["predicted_usd"] / job["cost_usd"]) < 1.6, job


def test_a_class_with_results_is_predicted_from_them(make_bench: MakeBench) -> None:
    """Measured output replaces the assumed share of max_tokens, and one job's reads weigh as ten items."""
    bench = make_bench(output_share=0.02, output_spread=0.0)
    requests = shared("alpha", 30, max_tokens=4_000)
    _, first = bench.submit(*requests)
    bench.run()
    second = bench.submit(*(line | {"custom_id": f"again-{line['custom_id']}"} for line in requests))
    bench.run()

    def off(job_id: str) -> float:
        job = bench.job(job_id)
        return float(job["predicted_usd"] / job["cost_usd"])

    assert off(first) > 3
    assert 0.8 < off(second[-1]) < 1.4
