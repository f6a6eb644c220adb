"""The names of history: told from custom_ids, changed at any time, and counted by time."""

from datetime import timedelta

import polars as pl
import pytest

from core import actions
from core.workspace import Workspace
from tests.jobs.driving import Bench, MakeBench, request
from tests.jobs.looking_back import HAIKU, content, look_back, rules, send, summaries

NAMINGS = (
    ('pattern = "^(?P<name>[a-z]+)"\nclass = "{name}"',),
    ('pattern = "-(?P<item>[0-9]+)$"\nclass = "all"',),
    ('pattern = "^summary-(?P<item>[0-9]+)"\nclass = "summary of {model}"', 'pattern = "."\nclass = "rest"'),
    (),
)


@pytest.mark.parametrize("naming", NAMINGS, ids=["names", "one class", "filtered", "none"])
def test_naming_anew_is_naming_so_from_the_start(bench: Bench, naming: tuple[str, ...]) -> None:
    """Rules may be changed at any time: the store is as if they had always been these, and nothing else has moved."""
    for _ in range(2):
        send(bench, summaries(4))
        send(bench, [request("grade-00001"), request("grade-00002", model=HAIKU)])
        bench.clock.move(hours=2)
    look_back(bench)
    before = bench.attempts()
    rules(bench, *naming)
    preview = actions.name_history(bench.workspace, dry_run=True)
    assert bench.attempts().equals(before)
    done = actions.name_history(bench.workspace)
    assert done == preview
    assert actions.name_history(bench.workspace).changed == 0
    bench.workspace.close()
    renamed = content(bench.folder)

    fresh = bench.folder.parent / "fresh"
    fresh.mkdir()
    (fresh / "naming.toml").write_bytes((bench.folder / "naming.toml").read_bytes())
    with Workspace.open(fresh, gateway=bench.gateway, settings=bench.settings) as workspace:
        actions.import_history(workspace, since=bench.clock.now - timedelta(days=2))
    assert content(fresh) == renamed


def test_attempts_of_an_item_are_counted_by_time(bench: Bench) -> None:
    """A rule that names the item joins its retries over batches, also where the older batch comes in later."""
    rules(bench, 'pattern = "^sum-(?P<item>[0-9]+)"\nclass = "sum"')
    first = send(bench, [request("sum-1-a"), request("sum-2-a")])
    bench.clock.move(days=3)
    second = send(bench, [request("sum-1-b"), request("sum-3")])
    bench.clock.move(hours=2)
    look_back(bench, days=1)
    assert set(bench.attempts(second)["number"]) == {1}

    look_back(bench, days=9)

    numbers = {row["custom_id"]: row["number"] for row in bench.attempts().iter_rows(named=True)}
    assert numbers == {"sum-1-a": 1, "sum-2-a": 1, "sum-1-b": 2, "sum-3": 1}
    assert set(bench.attempts(first)["item_id"]) == {"sum/1", "sum/2"}
    assert bench.query("export_costs")["reruns"].sum() == 1
    rules(bench)
    actions.name_history(bench.workspace)
    assert set(bench.attempts()["number"]) == {1}


def test_a_failed_item_has_the_model_of_its_batch_where_that_is_certain(make_bench: MakeBench) -> None:
    """A failure names no model: with one model in the batch it is that one, with several or none nobody knows."""
    bench = make_bench(error_rate=0.4)
    single = send(bench, summaries(20, model="claude-haiku-4-5-20251001"))
    mixed = send(bench, summaries(10) + [request(f"grade-{number}", model=HAIKU) for number in range(10)])
    bench.clock.move(hours=2)
    look_back(bench)

    assert set(bench.attempts(single)["model"]) == {"claude-haiku-4-5"}
    assert bench.job(single)["model"] == "claude-haiku-4-5"
    failed = bench.attempts(mixed).filter(pl.col("outcome") == "errored")
    assert failed.height
    assert set(failed["model"]) == {"unknown"}
    assert bench.job(mixed)["model"] == "several"


def test_rules_that_are_wrong_stop_the_import_and_change_nothing(bench: Bench) -> None:
    """A slip in the file is told in a sentence; the batch waits, and comes in when the file is right."""
    send(bench, summaries(2))
    bench.clock.move(hours=2)
    rules(bench, 'pattern = "("\nclass = "x"')
    history = bench.workspace.worker.history
    history.ask_look(bench.clock.now - timedelta(days=2))

    assert not history.go_on()
    assert "rule: 1" in str(history.trouble)
    assert bench.attempts().is_empty()
    rules(bench, 'pattern = "."\nclass = "x"')
    bench.clock.move(minutes=5)
    assert history.go_on()
    assert history.trouble is None
    assert bench.attempts().height == 2


def test_only_one_of_two_who_edit_the_rules_is_silent(bench: Bench) -> None:
    """Rules are saved in the place of those that were read: nobody overwrites what he has not seen."""
    text = actions.naming_rules(bench.workspace)
    mine = text + "\n# mine\n"
    actions.save_naming(bench.workspace, mine, instead_of=text)
    with pytest.raises(Exception, match="Somebody else changed"):
        actions.save_naming(bench.workspace, text + "# theirs\n", instead_of=text)
    with pytest.raises(Exception, match="no TOML"):
        actions.save_naming(bench.workspace, "[[", instead_of=mine)
    assert actions.naming_rules(bench.workspace) == mine
