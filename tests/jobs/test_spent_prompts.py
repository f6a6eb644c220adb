"""Answered prompts are let go after a month, and nothing that is asked later misses them."""

from datetime import timedelta

import polars as pl

from core.jobs.spent_prompts import KEPT, SpentPrompts
from tests.cells import rows
from tests.jobs.driving import MODEL, Bench, MakeBench, request, shared


def with_blocks(bench: Bench) -> set[str]:
    """Items whose blocks are known."""
    return {row["item_id"] for row in rows(bench.workspace.store, "SELECT item_id FROM item WHERE len(chain) > 0")}


def let_go(bench: Bench, *, newest: int = 1) -> None:
    """All that may go after a month, a few at a time."""
    spent = SpentPrompts(bench.workspace.store, newest=newest, at_once=7)
    while spent.step(now=bench.clock.now):
        pass


def test_only_answered_prompts_of_a_month_ago_go(make_bench: MakeBench) -> None:
    """What waits, what failed, what primed and what is newer stays; of all others the length of the prompt stays."""
    bench = make_bench(error_rate=0.3)
    bench.submit(*shared("alpha", 40))
    bench.run()
    chars = dict(rows_of(bench))
    let_go(bench)
    assert with_blocks(bench) == set(chars)  # too new
    bench.clock.move(days=KEPT.days + 1)
    bench.load(*shared("beta", 3))

    let_go(bench)

    statuses = {row["item_id"]: row["status"] for row in rows(bench.workspace.store, "FROM item_status")}
    primed = set(bench.attempts().filter(role="primer")["item_id"])
    assert {"complete", "failed", "backlog"} == set(statuses.values())
    assert primed
    needed = primed | {item for item, status in statuses.items() if status != "complete"}
    assert needed <= with_blocks(bench)
    assert len(with_blocks(bench) - needed) <= 1  # the newest of the class
    assert chars.items() <= dict(rows_of(bench)).items()


def rows_of(bench: Bench) -> list[tuple[str, int]]:
    """The length of every prompt."""
    found = rows(bench.workspace.store, "SELECT item_id, depths[-1] AS chars FROM item")
    return [(row["item_id"], row["chars"]) for row in found]


def test_later_work_goes_as_if_nothing_had_gone(make_bench: MakeBench) -> None:
    """Repairs send the same bytes with the same marks, and a new import joins the class that it would have joined."""
    bench = make_bench(error_rate=0.3)
    bench.submit(*shared("alpha", 40))
    bench.run()
    body = bench.jobs().filter(role="body")["job_id"][0]
    first = {one["custom_id"][9:]: one["params"] for sent in bench.server.requests for one in sent}
    bench.clock.move(days=KEPT.days + 1)
    let_go(bench, newest=3)
    bench.server_changes()

    repair = bench.repair(body)
    bench.run()
    bench.load(request("alpha-new", system=shared("alpha", 1)[0]["params"]["system"]))

    again = bench.server.requests[-1]
    assert len(again) == repair.items > 1
    assert len(bench.server.bodies[-1]) == bench.job(repair.job_id)["body_bytes"]
    for one in again:
        assert one["params"]["messages"] == first[one["custom_id"][9:]]["messages"]
    assert bench.statuses() == {"complete": 40, "backlog": 1}
    assert len({row["class_id"] for row in rows(bench.workspace.store, "SELECT class_id FROM item")}) == 1


def test_the_worker_lets_go_while_nothing_is_under_way(make_bench: MakeBench) -> None:
    """Not while a job runs; then by itself."""
    bench = make_bench()
    bench.submit(*shared("alpha", 5))
    bench.run()
    bench.workspace.worker._spent_prompts = SpentPrompts(bench.workspace.store, newest=1)
    bench.clock.move(days=KEPT.days + 1)
    bench.submit(*shared("alpha-again", 2))
    bench.tick()
    assert len(with_blocks(bench)) == 7
    bench.run()
    bench.tick()
    assert len(with_blocks(bench)) < 7


def test_new_ones_are_let_go_a_day_later(make_bench: MakeBench) -> None:
    """A look that finds nothing rests for a day, not for good."""
    bench = make_bench()
    bench.submit(*shared("alpha", 5))
    bench.run()
    spent = SpentPrompts(bench.workspace.store, newest=1)
    later = bench.clock.now + KEPT - timedelta(hours=1)
    assert not spent.step(now=later)
    assert not spent.step(now=later + timedelta(hours=2))

    assert spent.step(now=later + timedelta(days=1))


def test_what_others_answered_keeps_its_blocks(make_bench: MakeBench) -> None:
    """A result of the account's history may be named otherwise later: then the item waits, and is to be sent whole."""
    bench = make_bench()
    bench.load(*shared("alpha", 4))
    batch = pl.DataFrame(
        [
            {"job_id": "msgbatch_theirs", "item_id": f"alpha-{number:03d}", "custom_id": f"alpha-{number:03d}"}
            | {"class_id": "theirs", "model": MODEL, "number": 1, "outcome": "succeeded", "usable": True}
            for number in range(4)
        ]
    )
    bench.workspace.store.write(lambda tx: tx.merge("add_history_attempts", batch))
    assert bench.statuses() == {"complete": 4}
    bench.clock.move(days=KEPT.days + 1)

    let_go(bench)

    assert len(with_blocks(bench)) == 4
