"""Units and tags in real life: items carry tags, answers are counted as they come in, and anew for another unit."""

import json
import os
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core import actions
from core.actions import costs as of_costs
from core.actions import units as of_units
from core.jobs import counted_units
from core.jobs.results import results_path
from core.unit_costs.unit import Unit
from tests.jobs.driving import LONG_AGO, Bench, MakeBench, prefix, request, shared
from tests.jobs.test_worker import eventually

LINES = Unit.of("json", "$.lines", "line")
# The local server answers by one of these, drawn by the item's own text.
_ANSWERS: list[Any] = [[{"sku": "A"}] * 3, [{"sku": "A"}], [], "none"]
_SCHEMA = {"type": "object", "required": ["lines"], "properties": {"lines": {"enum": _ANSWERS}}}


@pytest.fixture
def answers(make_bench: MakeBench) -> Bench:
    """Return a bench whose answers differ."""
    return make_bench(sonnet_right=1.0, answer_noise=0.0)


def asking(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Requests of one class, each answered by a JSON with some lines, or with a text in their place."""
    form = {"format": {"type": "json_schema", "schema": _SCHEMA}}
    return [
        request(f"alpha-{number:03d}", system=prefix("alpha"), output_config=form)
        for number in range(first, first + count)
    ]


def lines_of(bench: Bench) -> dict[str, int | None]:
    """How many lines the answer to each item has, straight from the raw results; None where they are a text."""
    found = {}
    for job in bench.jobs()["job_id"]:
        for line in results_path(bench.folder, job).read_text().splitlines():
            result = json.loads(line)
            lines = json.loads(result["result"]["message"]["content"][0]["text"])["lines"]
            found[result["custom_id"][9:]] = len(lines) if isinstance(lines, list) else None
    return found


def cells(bench: Bench) -> pl.DataFrame:
    """The ledger as unit costs read it."""
    everything: dict[str, Any] = dict.fromkeys(("first", "last", "class_name", "tag_name", "tag_text"))
    return bench.query("unit_cells", **everything, models=[], tagged=True)


def class_name(bench: Bench) -> str:
    """The name of the only class."""
    return str(cells(bench)["class_name"].unique().item())


def test_what_items_carry_is_what_costs_are_seen_by(bench: Bench) -> None:
    """Tags of a line are never sent, and the costs by a tag add up to those of the ledger; without the tag is a row of
    its own.
    """
    tagged = [
        one | {"tags": {"team": "search" if number < 6 else "ads", "feature": "rank"}}
        for number, one in enumerate(shared("alpha", 10))
    ]
    bench.submit(*tagged, *shared("beta", 4))
    bench.run()

    found = of_costs.costs(bench.workspace, by=("team",))

    rows = {row["team"]: row for row in found.rows.iter_rows(named=True)}
    assert {team: row["usable_items"] for team, row in rows.items()} == {"ads": 4, "search": 6, None: 4}
    assert sum(row["cost_usd"] for row in rows.values()) == bench.attempts()["cost_usd"].sum()
    assert all("tags" not in sent for body in bench.server.requests for sent in body)
    by_feature = of_costs.costs(bench.workspace, by=("tag:feature", "class"))
    assert by_feature.rows["tag:feature"].to_list() == ["rank", None]
    only = of_costs.costs(bench.workspace, by=(), tag=("team", "search"))
    assert only.rows["usable_items"].to_list() == [6]


def test_tags_change_with_another_import_at_any_stage(bench: Bench) -> None:
    """What is complete is seen by its new tags, too; a line that says nothing of tags leaves them as they are."""
    plain = shared("alpha", 4)
    bench.submit(*plain)
    bench.run()

    bench.load(*[one | {"tags": {"team": "search"}} for one in plain])
    bench.load(*plain)
    bench.load(plain[0] | {"tags": {}})

    rows = of_costs.costs(bench.workspace, by=("team",)).rows
    assert dict(rows.select("team", "usable_items").iter_rows()) == {"search": 3, None: 1}


def test_answers_are_counted_as_they_come_in(answers: Bench) -> None:
    """The length of an array in each answer is its class's unit; an answer without one is unknown, and in no unit
    cost: neither its cost nor its units.
    """
    answers.submit(*asking(2))
    answers.run()
    of_units.set_unit(answers.workspace, class_name(answers), LINES)

    answers.submit(*asking(10, first=2))
    answers.run()

    lines = lines_of(answers)
    known = [item for item, count in lines.items() if count is not None]
    units = sum(lines[item] or 0 for item in known)
    (row,) = of_costs.costs(answers.workspace, by=("class",)).rows.iter_rows(named=True)
    assert 0 < len(known) < len(lines) == 12
    assert (row["unit"], row["units"], row["uncounted"]) == ("line", units, 12 - len(known))
    attempts = answers.attempts()
    assert row["cost_usd"] == attempts["cost_usd"].sum()
    of_known: Decimal = attempts.filter(pl.col("item_id").is_in(known))["cost_usd"].sum()  # type: ignore[assignment]
    assert row["unit_cost_usd"] == round(of_known / units, 12)


def test_another_unit_counts_what_came_in_before(answers: Bench) -> None:
    """A unit may be chosen, and chosen anew, at any time: the raw results are kept, so the past is seen by it, too."""
    answers.submit(*asking(8))
    answers.run()
    name, lines = class_name(answers), lines_of(answers)
    all_lines, no_list = sum(count or 0 for count in lines.values()), list(lines.values()).count(None)
    expected = {
        Unit.of("json", "$.nothing"): (0, 8),
        LINES: (all_lines, no_list),
        Unit.of("matches", '"sku"'): (all_lines, 0),
        Unit.of("matches", "^never$"): (0, 0),
        Unit.of("json", "/lines/0/sku"): (0, 8),
        Unit(): (8, 0),
    }

    for unit, (units, uncounted) in expected.items():
        done = of_units.set_unit(answers.workspace, name, unit)
        (row,) = of_costs.costs(answers.workspace).rows.iter_rows(named=True)
        assert (row["units"], row["uncounted"], row["unit"]) == (units, uncounted, unit.noun)
        assert (done.uncounted, done.recounting) == (uncounted, 0)


def test_output_tokens_are_those_of_usable_items(make_bench: MakeBench) -> None:
    """Tokens of answers that nobody can use cost, and are no units."""
    bench = make_bench(truncation_rate=0.4)
    bench.submit(*shared("alpha", 12))
    bench.run()
    of_units.set_unit(bench.workspace, class_name(bench), Unit.of("output_tokens"))

    (row,) = of_costs.costs(bench.workspace).rows.iter_rows(named=True)

    attempts = bench.attempts()
    assert 0 < attempts.filter("usable").height < 12
    assert row["units"] == attempts.filter("usable")["output_tokens"].sum()
    assert row["cost_usd"] == attempts["cost_usd"].sum()


def test_the_worker_counts_what_a_page_asked_for(answers: Bench) -> None:
    """No page reads results: until the worker has, units are unknown, and a restart in between loses nothing."""
    answers.submit(*asking(8))
    answers.run()
    name = class_name(answers)

    of_units.request_unit(answers.workspace, name, LINES)
    asked = of_units.class_unit(answers.workspace, name)
    answers.reopen()
    while answers.query("to_recount").height:
        answers.tick()

    assert asked.uncounted == 8
    assert asked.recounting > 0
    done = of_units.class_unit(answers.workspace, name)
    assert (done.uncounted, done.recounting) == (list(lines_of(answers).values()).count(None), 0)


def test_a_unit_chosen_while_results_are_read_is_counted_again(answers: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job came in by the old unit: it must not keep those counts, or stay without any."""
    answers.submit(*asking(4))
    answers.run()
    name = class_name(answers)
    of_units.set_unit(answers.workspace, name, Unit.of("matches", "x"))
    read = counted_units.read_counts

    def chosen_meanwhile(*args: Any, **kwargs: Any) -> pl.DataFrame:
        monkeypatch.setattr(counted_units, "read_counts", read)
        of_units.request_unit(answers.workspace, name, LINES)
        return read(*args, **kwargs)

    monkeypatch.setattr(counted_units, "read_counts", chosen_meanwhile)
    answers.submit(*asking(4, first=4))
    answers.run()
    while answers.query("to_recount").height:
        answers.tick()

    lines = lines_of(answers)
    assert len(lines) == 8
    assert of_costs.costs(answers.workspace).rows["units"].to_list() == [sum(count or 0 for count in lines.values())]


def test_where_results_are_gone_counts_are_unknown(make_bench: MakeBench) -> None:
    """In a metadata-only workspace results go once they are handed over: what was counted by then stays, and another
    unit says how many it cannot count.
    """
    answers = make_bench(settings={"metadata_only": True}, sonnet_right=1.0, answer_noise=0.0)
    answers.submit(*asking(8))
    answers.run()
    name = class_name(answers)
    of_units.set_unit(answers.workspace, name, LINES)
    before = of_costs.costs(answers.workspace).rows["units"].to_list()
    lines = lines_of(answers)
    actions.add_sink(answers.workspace, str(answers.folder.parent / "handed.jsonl"), now=answers.clock.now)
    actions.deliver(answers.workspace, now=answers.clock.now)
    answers.tick()
    kept = [path for job in answers.jobs()["job_id"] if (path := results_path(answers.folder, job)).exists()]

    done = of_units.set_unit(answers.workspace, name, Unit.of("matches", "sku"))

    assert before == [sum(count or 0 for count in lines.values())]
    assert kept == []
    assert (done.uncounted, done.recounting) == (8, 0)
    assert of_units.preview_unit(answers.workspace, name, LINES).jobs == 0
    (row,) = of_costs.costs(answers.workspace).rows.iter_rows(named=True)
    assert (row["units"], row["unit_cost_usd"]) == (0, None)
    assert row["cost_usd"] > Decimal(0)


def test_the_preview_says_in_how_many_answers_the_count_is(answers: Bench) -> None:
    """Before anything is changed one sees whether the place is right."""
    answers.submit(*asking(12))
    answers.run()

    answers.submit(*asking(5, first=12))
    answers.run()

    found = of_units.preview_unit(answers.workspace, class_name(answers), LINES)

    lines = list(lines_of(answers).values())
    known = [count for count in lines if count is not None]
    assert found.jobs is not None and found.jobs >= 2
    assert (found.answers, found.found, found.units) == (len(lines), len(known), sum(known))
    assert (found.least, found.most) == (min(known), max(known))
    assert of_units.class_units(answers.workspace) == ()


def test_a_tagged_folder_of_the_inbox_tags_what_lies_in_it(bench: Bench) -> None:
    """A scheduled export needs no command: the folder says whose work it is."""
    folder = bench.folder / "inbox" / "team=search"
    folder.mkdir(parents=True)
    path = folder / "nightly.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in shared("alpha", 4)))
    os.utime(path, (1_000_000, 1_000_000))
    bench.workspace.start()
    eventually((folder / "imported" / "nightly.jsonl").exists)
    bench.reopen()

    bench.submit()
    bench.run()

    assert of_costs.costs(bench.workspace, by=("team",)).rows["team"].to_list() == ["search"]


def test_batches_of_the_account_are_counted_too(answers: Bench) -> None:
    """Their classes are named by rules, and may have a unit like any other: the worker counts what came in."""
    alone = [one | {"custom_id": f"invoice-{number}"} for number, one in enumerate(asking(6))]
    body = answers.folder.parent / "foreign.json"
    body.write_text(json.dumps({"requests": alone}))
    answers.gateway.create(body)
    answers.clock.move(hours=1)
    actions.import_history(answers.workspace, since=LONG_AGO)
    (name,) = of_costs.costs(answers.workspace).rows["class"]

    of_units.set_unit(answers.workspace, name, LINES)
    again = of_units.set_unit(answers.workspace, name, Unit.of("matches", "sku"))
    answers.gateway.create(body)
    answers.clock.move(hours=1)
    actions.import_history(answers.workspace, since=LONG_AGO)
    while answers.query("to_recount").height:
        answers.tick()

    assert (again.usable_items, again.uncounted) == (6, 0)
    done = of_units.class_unit(answers.workspace, name)
    assert (done.usable_items, done.uncounted, done.recounting) == (12, 0, 0)
