"""Account history: what others sent comes in once, exactly priced, and changes nothing that is known."""

import errno
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import polars as pl
import pytest

from core import actions
from core.gateway import AnthropicGateway, GatewayDown
from core.jobs.results import results_path
from core.prices.costs import Usage, attempt_cost
from core.sandbox import ResultsFault
from core.store import Store
from core.workspace import Workspace
from tests.jobs.driving import Bench, MakeBench, lone, request, shared
from tests.jobs.looking_back import HAIKU, content, found, look_back, marked, send, standings, summaries


def exact_cost(bench: Bench, batch_id: str) -> Decimal:
    """What the raw results of a batch say, priced one by one."""
    total = Decimal(0)
    job = bench.job(batch_id)
    for line in results_path(bench.folder, batch_id).read_bytes().splitlines():
        result = orjson.loads(line)["result"]
        if result["type"] != "succeeded":
            continue
        message, used = result["message"], result["message"]["usage"]
        usage = Usage(
            input_tokens=used["input_tokens"],
            cache_write_5m_tokens=used["cache_creation"]["ephemeral_5m_input_tokens"],
            cache_write_1h_tokens=used["cache_creation"]["ephemeral_1h_input_tokens"],
            cache_read_tokens=used["cache_read_input_tokens"],
            output_tokens=used["output_tokens"],
            service_tier="batch",
        )
        at, reason = job["submitted_at"], message["stop_reason"]
        total += attempt_cost(bench.workspace.book, usage, model=message["model"], at=at, stop_reason=reason)
    return total


def test_batches_of_every_shape_come_in_over_many_pages(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its own count and its exact cost, whatever its items were called and came to."""
    monkeypatch.setattr("core.gateway.official._LIST_PAGE", 3)
    bench = make_bench(error_rate=0.2, expiry_rate=0.1, truncation_rate=0.1)
    sent = [send(bench, summaries(number + 1)) for number in range(7)]
    sent.append(send(bench, marked("alpha", 6)))
    sent.append(send(bench, [request("one-1"), request("two-1", model=HAIKU), request("no-number")]))
    bench.clock.move(hours=2)

    report = look_back(bench)

    assert found(report) == {"new": (9, 37)}
    assert report.problems == ()
    assert set(standings(bench).values()) == {"imported"}
    attempts = bench.attempts()
    assert attempts.height == 37
    assert set(attempts["role"]) == {"history"}
    assert attempts["simulated"].all()
    assert set(attempts["outcome"]) >= {"succeeded", "errored"}
    for batch_id in sent:
        cost = attempts.filter(pl.col("batch_id") == batch_id)["cost_usd"]
        assert cost.null_count() == 0
        assert cost.sum() == exact_cost(bench, batch_id)
    assert report.found[0].cost_usd == attempts["cost_usd"].sum()


def test_a_second_look_fetches_and_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running it from cron costs one list call: no download, no row, no byte."""
    sent = [send(bench, summaries(5)), send(bench, marked("alpha", 4))]
    bench.clock.move(hours=2)
    look_back(bench)
    bench.workspace.close()
    before = content(bench.folder)
    bench.reopen()
    downloads: list[str] = []
    monkeypatch.setattr(AnthropicGateway, "download", lambda _, batch_id, to: downloads.append(batch_id))

    bench.clock.move(hours=5)
    report = look_back(bench)

    assert found(report) == {"known": (2, 9)}
    assert downloads == []
    bench.workspace.close()
    assert content(bench.folder) == before
    assert {name for name, _ in before["results"]} == {f"{batch_id}.jsonl" for batch_id in sent}


def test_a_dry_run_only_lists(bench: Bench) -> None:
    """What would come in is said with its count, and nothing is stored."""
    send(bench, summaries(5))
    bench.clock.move(hours=2)
    send(bench, summaries(3))

    report = look_back(bench, dry_run=True)

    assert found(report) == {"new": (1, 5), "running": (1, 3)}
    assert [row.cost_usd for row in report.found] == [None, None]
    assert standings(bench) == {}
    assert bench.jobs().is_empty()
    assert not list((bench.folder / "results").glob("*"))


def test_a_look_goes_no_further_back_than_asked(bench: Bench) -> None:
    """Older batches are left for a longer look, which takes nothing in twice."""
    send(bench, summaries(2))
    bench.clock.move(days=3)
    send(bench, summaries(4))
    bench.clock.move(hours=2)

    assert found(look_back(bench, days=2)) == {"new": (1, 4)}
    assert found(look_back(bench, days=5)) == {"new": (1, 2), "known": (1, 4)}


def test_what_still_runs_comes_in_when_it_has_ended(bench: Bench) -> None:
    """The worker follows it; until then nothing of it is stored but that it is there."""
    batch_id = send(bench, summaries(3))
    assert found(look_back(bench)) == {"running": (1, 3)}
    assert bench.jobs().is_empty()

    history = bench.workspace.worker.history
    assert not history.go_on()
    bench.clock.move(hours=2)
    assert not history.go_on()  # it has ended: noted
    bench.clock.move(minutes=5)
    assert history.go_on()
    assert standings(bench) == {batch_id: "imported"}
    assert bench.job(batch_id)["usable_items"] == 3


def test_results_that_are_gone_are_counted_and_not_priced(make_bench: MakeBench) -> None:
    """Thirty days later the counts are all there is: a named standing, in no sum, and no zero for what it cost."""
    bench = make_bench(results_retention_days=29)
    batch_id = send(bench, summaries(4))
    bench.clock.move(days=30)

    report = look_back(bench)

    assert found(report) == {"gone": (1, 4)}
    assert [row.cost_usd for row in report.found] == [None]
    row = bench.query("history_batches", limit=10).row(0, named=True)
    assert (row["batch_id"], row["items"], row["succeeded"], row["cost_usd"]) == (batch_id, 4, 4, None)
    assert "29 days" in row["reason"]
    assert bench.query("history_cost").row(0) == (None, 0)
    assert found(look_back(bench)) == {"known": (1, 4)}


def test_what_we_sent_is_no_history(bench: Bench) -> None:
    """Batches of our jobs are known; one that only bears the tag of such a job is left to its settling."""
    _, body = bench.submit(*shared("alpha", 12))
    bench.run()
    twin = send(bench, [request(f"{body}-alpha-{number:03d}") for number in range(3)])
    bench.clock.move(hours=2)

    report = look_back(bench)

    assert found(report) == {"known": (2, 12), "ours": (1, 3)}
    assert standings(bench) == {twin: "ours"}
    assert set(bench.jobs()["role"]) == {"primer", "body"}
    assert not results_path(bench.folder, twin).exists()
    assert found(look_back(bench)) == {"known": (3, 15)}


@pytest.mark.parametrize(
    "fault", [ResultsFault.FEWER_LINES, ResultsFault.DUPLICATED, ResultsFault.CUT_LINE, ResultsFault.CUT_CONNECTION]
)
def test_results_that_do_not_add_up_stay_out_and_are_fetched_again(bench: Bench, fault: ResultsFault) -> None:
    """One broken download neither stores a row nor keeps the others from coming in; the next look mends it."""
    broken, whole = send(bench, summaries(6)), send(bench, marked("alpha", 3))
    bench.clock.move(hours=2)
    bench.faults.results.append(fault)

    report = look_back(bench)

    assert found(report) == {"new": (1, 3), "broken": (1, 6)}
    assert broken in report.problems[0]
    assert standings(bench) == {broken: "broken", whole: "imported"}
    assert set(bench.attempts()["batch_id"]) == {whole}
    assert found(look_back(bench)) == {"new": (1, 6), "known": (1, 3)}


def test_an_api_that_goes_away_leaves_what_is_in(bench: Bench) -> None:
    """The rest waits in the store, and comes in by itself when the API is back."""
    send(bench, summaries(3))
    send(bench, summaries(4))
    bench.clock.move(hours=2)
    history = bench.workspace.worker.history
    history.ask_look(bench.clock.now - timedelta(days=2))
    assert history.go_on()

    bench.server_down()
    assert history.busy()
    assert not history.go_on()
    assert history.trouble is not None
    with pytest.raises(GatewayDown):
        look_back(bench)

    bench.server_up()
    history = bench.workspace.worker.history
    assert history.busy()
    while history.go_on():
        pass
    assert not history.busy()
    assert sorted(bench.jobs()["item_count"]) == [3, 4]


def test_a_full_disk_is_said_and_passes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the results cannot be written, nothing of the batch is stored, and it comes in when there is room."""
    send(bench, summaries(3))
    bench.clock.move(hours=2)
    history = bench.workspace.worker.history
    history.ask_look(bench.clock.now - timedelta(days=2))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(AnthropicGateway, "download", full)
        assert not history.go_on()
    assert "No space left" in str(history.trouble)
    assert bench.attempts().is_empty()
    bench.clock.move(minutes=5)
    assert history.go_on()
    assert history.trouble is None
    assert bench.attempts().height == 3


def test_the_worker_does_it_by_itself(bench: Bench) -> None:
    """Asked once, its thread looks and takes in batch after batch; a job that waits is sent meanwhile."""
    sent = [send(bench, summaries(count)) for count in (2, 3, 4)]
    bench.clock.move(hours=2)
    (job,) = bench.submit(*lone(2))
    actions.request_history(bench.workspace, since=bench.clock.now - timedelta(days=2))
    bench.workspace.worker.start()
    deadline = time.monotonic() + 60
    while standings(bench) != dict.fromkeys(sent, "imported") or bench.state(job)[0] != "running":
        assert time.monotonic() < deadline, (standings(bench), bench.state(job))
        time.sleep(0.02)
    bench.workspace.worker.stop()
    assert bench.attempts().filter(pl.col("role") == "history").height == 9


class Died(BaseException):
    """The process ended here."""


def dies(monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> Callable[[], int]:
    """Let the process die just before or just after a step from the outside; return a count of those there were."""
    steps = 0

    def mortal(owner: Any, name: str) -> None:
        step = getattr(owner, name)

        def stepping(*args: Any, **values: Any) -> Any:
            nonlocal steps
            steps += 1
            now = steps == at
            if now and not after:
                raise Died
            made = step(*args, **values)
            if now:
                raise Died
            return made

        monkeypatch.setattr(owner, name, stepping)

    for name in ("list_since", "retrieve", "download"):
        mortal(AnthropicGateway, name)
    mortal(Store, "write")

    def taken() -> int:
        return steps

    return taken


def test_dying_at_any_step_ends_in_the_same_place(bench: Bench) -> None:
    """Kill it before or after every call and every commit, and run it again: the same store, the same files."""
    send(bench, [request("one-1"), request("two-1", model=HAIKU)])
    bench.clock.move(hours=2)
    bench.workspace.close()
    folders = bench.folder.parent

    def live(name: str, dies_at: int, *, after: bool) -> int:
        """One run in a workspace of its own, up to its end or to its death; return how many steps it took."""
        with (
            Workspace.open(folders / name, gateway=bench.gateway, settings=bench.settings) as workspace,
            pytest.MonkeyPatch.context() as patch,
        ):
            steps = dies(patch, dies_at, after=after)
            with suppress(Died):
                workspace.worker.history.import_now(bench.clock.now - timedelta(days=2), dry_run=False)
            return steps()

    steps = live("undisturbed", 0, after=False)
    expected = content(folders / "undisturbed")
    assert steps == 5
    assert len(expected["attempt"]) == 2
    for step in range(1, steps + 1):
        for after in (False, True):
            name = f"died-{step}-{after}"
            assert live(name, step, after=after) == step
            live(name, 0, after=False)
            assert content(folders / name) == expected, name
