"""The repair button: just the items that did not complete, priced before, once however often it is pressed."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import polars as pl
import pytest

from core import actions
from core.jobs.failures import NoSuchJob
from core.jobs.repair import NothingToRepair
from core.planning.plan import NothingToPlan
from tests.jobs.driving import Bench, MakeBench, lone, marks, request, shared


def broken(make_bench: MakeBench, **options: Any) -> tuple[Bench, str]:
    """A job of 40 items of which some failed for a passing reason."""
    bench = make_bench(**{"error_rate": 0.2, "expiry_rate": 0.1, **options})
    (job,) = bench.submit(*lone(40))
    bench.run()
    assert 2 < bench.slice(job).repairable < 38
    return bench, job


def test_many_clicks_in_two_tabs_make_one_job(make_bench: MakeBench) -> None:
    """Two people press the button again and again at the same moment: one of all presses creates the job."""
    bench, job = broken(make_bench)
    failed = bench.slice(job).repairable
    start = Barrier(2)

    def presses(_: int) -> list[Any]:
        start.wait()
        return [bench.repair(job) for _ in range(10)]

    with ThreadPoolExecutor(2) as tabs:
        made = [one for tab in tabs.map(presses, range(2)) for one in tab]

    assert len({one.job_id for one in made}) == 1
    assert [one.created for one in made].count(True) == 1
    assert {one.items for one in made} == {failed}
    assert bench.jobs()["role"].to_list().count("repair") == 1


@pytest.mark.parametrize("later", ["at once", "after a restart", "after it has run"])
def test_a_later_click_finds_the_same_job(make_bench: MakeBench, later: str) -> None:
    """A click after a restart, or long after the repair is done, makes nothing new."""
    bench, job = broken(make_bench)
    first = bench.repair(job)
    if later == "after a restart":
        bench.reopen()
    if later == "after it has run":
        bench.server_changes()
        bench.run()

    again = bench.repair(job)

    assert (again.job_id, again.items, again.created) == (first.job_id, first.items, False)
    assert bench.slice(job).repaired_by == first.job_id
    assert bench.slice(job).blocked_reason == "Nothing is left to repair."


def test_it_sends_just_what_did_not_complete(make_bench: MakeBench) -> None:
    """The repair job carries the failed items, each once, is linked to its parent, and nothing else goes out."""
    bench, job = broken(make_bench)
    sent = bench.attempts(job)
    failed = set(sent.filter(~pl.col("usable"))["item_id"])
    repair = bench.repair(job)
    bench.server_changes()
    bench.run()

    again = [name["custom_id"].removeprefix(f"{repair.job_id}-") for name in bench.server.requests[-1]]
    assert sorted(again) == sorted(failed)
    row = bench.job(repair.job_id)
    assert (row["role"], row["parent_job_id"], row["item_count"]) == ("repair", job, len(failed))
    assert len(bench.server.bodies[-1]) == row["body_bytes"]
    assert bench.attempts(repair.job_id)["number"].unique().to_list() == [2]
    assert bench.statuses() == {"complete": 40}


def test_a_repair_that_fails_again_is_repaired_in_turn(make_bench: MakeBench) -> None:
    """What failed twice belongs to the second job; pressing on the first one shows where it went."""
    bench, first = broken(make_bench, error_rate=0.5)
    chain = [first]
    while bench.slice(chain[-1]).repairable:
        assert len(chain) < 15
        chain.append(bench.repair(chain[-1]).job_id)
        bench.run()

    assert len(chain) > 3
    assert bench.statuses() == {"complete": 40}
    listed = bench.query("job_chain", job_id=chain[1])
    assert listed["job_id"].to_list() == chain
    assert listed["depth"].to_list() == list(range(len(chain)))
    assert all(not bench.repair(job).created for job in chain[:-1])
    with pytest.raises(NothingToRepair):
        bench.repair(chain[-1])


def test_the_slice_says_why_how_many_and_for_how_much(make_bench: MakeBench) -> None:
    """Count, causes in words and price are shown before the click; the job that it makes has that very price."""
    bench, job = broken(make_bench)
    shown = bench.slice(job)

    assert shown.items == shown.repairable == sum(cause.items for cause in shown.causes)
    assert {cause.cause for cause in shown.causes} <= {"expired", "api_error", "overloaded_error"}
    assert all(cause.action == "resubmit" and cause.says for cause in shown.causes)
    assert shown.blocked_reason is None
    assert shown.repaired_by is None
    assert shown.predicted_usd > Decimal(0)
    repair = bench.repair(job)
    assert bench.job(repair.job_id)["predicted_usd"] == round(shown.predicted_usd, 9)
    bench.server_changes()
    bench.run()
    assert 0.5 < float(shown.predicted_usd / bench.job(repair.job_id)["cost_usd"]) < 2


@pytest.mark.parametrize(("minutes", "warm"), [(10, True), (51, False)])
def test_a_warm_entry_is_read_and_a_cold_one_is_not_written(make_bench: MakeBench, minutes: int, warm: bool) -> None:
    """Marks go along only while the class's entry surely lives; the price says which of the two it is."""
    bench = make_bench(error_rate=0.3, seed=5)
    _, body = bench.submit(*shared("alpha", 30))
    bench.run_until(body, "done")
    bench.clock.now = bench.job(body)["ended_at"] + timedelta(minutes=minutes)
    shown = bench.slice(body)
    repair = bench.repair(body)
    bench.server_changes()
    bench.tick()
    bench.run()

    sent = bench.attempts(repair.job_id)
    assert (shown.cache, shown.warm_items) == (("warm", shown.repairable) if warm else ("cold", 0))
    assert re.search(r"surely warm for 4\d more minutes" if warm else "gone cold", shown.says)
    assert (shown.predicted_usd < shown.cold_usd) is warm
    assert marks(bench.server.requests[-1]) == (sent.height if warm else 0)
    assert (sent["cache_read_tokens"] > 0).all() is warm
    assert sent["cache_write_1h_tokens"].sum() == 0
    row = bench.job(repair.job_id)
    assert (row["predicted_usd"] < row["predicted_plain_usd"]) is warm


def invalid(bench: Bench) -> str:
    """A job whose only failures need an edit."""
    (job,) = bench.submit(*lone(3), request("too-long", max_tokens=200_000))
    bench.run()
    return job


def unknown_type(bench: Bench) -> str:
    """A job whose failure nobody knows."""
    job = invalid(bench)
    frame = pl.DataFrame({"custom_id": [f"{job}-too-long"], "cause": ["brand_new"], "action": ["decide"]})
    columns = bench.query("export_attempts").filter(pl.col("cause").is_not_null())
    known = columns.drop("custom_id", "cause", "action").with_columns(pl.lit(None, pl.String).alias("refusal_category"))
    bench.workspace.store.write(
        lambda tx: tx.merge("put_results", pl.concat([frame, known], how="horizontal"), job_id=job)
    )
    return job


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (
            invalid,
            "Nothing is sent: 1 item (invalid_request_error): cannot go as is: correct the lines",
        ),
        (unknown_type, "Nothing is sent: 1 item (brand_new): may come out the same: look first"),
    ],
)
def test_what_does_not_pass_by_itself_is_not_sent(bench: Bench, prepare: Callable[[Bench], str], says: str) -> None:
    """The same request would fail the same way, or nobody knows: the button is off and says what helps."""
    job = prepare(bench)
    shown = bench.slice(job)

    assert (shown.items, shown.repairable, shown.predicted_usd) == (1, 0, 0)
    assert shown.blocked_reason.startswith(says)
    with pytest.raises(NothingToRepair):
        bench.repair(job)
    assert len(bench.server.bodies) == 1


def test_only_the_repairable_part_of_a_slice_goes(make_bench: MakeBench) -> None:
    """Beside items that pass, one that needs an edit stays behind, open and explained."""
    bench = make_bench(error_rate=0.4)
    (job,) = bench.submit(*lone(20), request("too-long", max_tokens=200_000))
    bench.run()
    shown = bench.slice(job)
    assert shown.items == shown.repairable + 1
    bench.repair(job)
    bench.server_changes()
    bench.run()

    assert bench.statuses() == {"complete": 20, "failed": 1}
    assert [cause.action for cause in bench.slice(job).causes] == ["edit"]
    assert bench.repair(job).created is False


def test_parameters_that_are_no_longer_kept_block_the_button(make_bench: MakeBench) -> None:
    """Without the request nothing can be sent; importing the file again brings it back."""
    bench, job = broken(make_bench)
    bench.workspace.store.write(lambda tx: tx._connection.execute("UPDATE item SET payload_offset = NULL").fetchall())

    assert "parameters no longer kept: import the lines again with --replace" in bench.slice(job).says
    with pytest.raises(NothingToRepair):
        bench.repair(job)


def test_a_job_of_several_classes_and_models_is_one_repair(make_bench: MakeBench) -> None:
    """A primer carries one item of every prefix; what fails of it is repaired together."""
    bench = make_bench(error_rate=1.0)
    primer, *_ = bench.submit(*shared("alpha", 5), *shared("beta", 5, model="claude-opus-5-5"))
    bench.tick()
    bench.tick(minutes=5)
    repair = bench.repair(primer)

    row = bench.job(repair.job_id)
    assert (row["class_id"], row["model"], row["item_count"]) == (None, "several", 2)
    assert row["predicted_usd"] > 0


def test_a_model_without_a_price_is_repaired_without_one(make_bench: MakeBench) -> None:
    """Unknown is shown as unknown, never as zero."""
    bench = make_bench()
    (job,) = bench.submit(*lone(3, model="claude-nothing-1"), confirmed="unpriced")
    actions.cancel(bench.workspace, job, now=bench.clock.now)
    shown = bench.slice(job)

    assert (shown.repairable, shown.predicted_usd, shown.low_usd, shown.high_usd) == (3, None, None, None)
    assert shown.says.startswith("Sends 3 items again as one new job, at a price that is not known")
    assert bench.job(bench.repair(job, confirmed="unpriced").job_id)["predicted_usd"] is None


def test_a_job_that_does_not_exist_is_said_to(bench: Bench) -> None:
    """A mistyped id changes nothing."""
    for ask in (bench.repair, bench.slice):
        with pytest.raises(NoSuchJob):
            ask("nosuchjb")


def test_a_running_job_has_nothing_to_repair_yet(bench: Bench) -> None:
    """Items in flight may still complete."""
    (job,) = bench.submit(*lone(3))
    bench.tick()

    assert bench.slice(job).blocked_reason == "Nothing is left to repair."
    with pytest.raises(NothingToRepair):
        bench.repair(job)


def test_items_in_flight_elsewhere_are_left_alone(make_bench: MakeBench) -> None:
    """While a repair runs, neither its parent nor a resubmission of the backlog can claim its items."""
    bench, job = broken(make_bench)
    bench.repair(job)
    bench.tick()

    assert bench.repair(job).created is False
    with pytest.raises(NothingToPlan):
        actions.submit(bench.workspace, now=bench.clock.now)
    assert bench.statuses()["in flight"] == bench.job(bench.slice(job).repaired_by)["item_count"]
