"""The verbs about sharing and caching: on files without a workspace, and on the backlog."""

import json
from pathlib import Path

import polars as pl
import pytest

from core.commands.command_line import main
from tests.cli.conftest import Call, line


def test_group_needs_no_workspace(call: Call, requests_file: Path, workspace_dir: Path, tmp_path: Path) -> None:
    """What files share is shown without importing them, with the group of every request where asked."""
    assignments = tmp_path / "groups.parquet"
    shown = call("group", requests_file, "--assignments", assignments)

    assert set(shown) == {"requests", "rejected", "bytes", "seconds", "shareable", "groups"}
    assert 0.5 < shown["shareable"] < 1
    assert (shown["requests"], shown["rejected"]) == (20, 0)
    assert shown["bytes"] == requests_file.stat().st_size
    assert shown["seconds"] >= 0
    first = shown["groups"][0]
    assert set(first) == {"id", "name", "model", "items", "prefix_chars", "prefix_tokens", "cacheable", "inside_text"}
    assert (first["items"], first["model"], first["cacheable"]) == (12, "claude-sonnet-5-5", True)
    assert sum(group["items"] for group in shown["groups"]) == 20
    frame = pl.read_parquet(assignments)
    assert frame.columns == ["custom_id", "group_id"]
    counted = dict(frame.group_by("group_id").len().iter_rows())
    assert counted == {group["id"]: group["items"] for group in shown["groups"]}
    assert list(workspace_dir.iterdir()) == []


def test_group_says_which_lines_it_left_out(requests_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rejected lines are counted in the document and explained on standard error."""
    with requests_file.open("a") as file:
        file.write('{"custom_id": "no params"}\nnot json\n')

    assert main(["group", str(requests_file), "--json"]) == 0

    captured = capsys.readouterr()
    assert json.loads(captured.out)["rejected"] == 2
    assert "requests.jsonl:21: custom_id" in captured.err
    assert "requests.jsonl:22: not valid JSON" in captured.err


def test_cache_plan_says_what_to_mark_and_why(call: Call, requests_file: Path, workspace_dir: Path) -> None:
    """The three plans of every class in dollars, the one taken, and the rule that binds; on any model."""
    plan = call("cache-plan", requests_file)
    largest = max(plan["classes"], key=lambda one: one["items"])

    assert largest["lifetime"] == "1h"
    assert largest["primers"] == 1
    assert "primed_1h" in largest["reasons"]
    plain, hour, planned = (float(largest[name]) for name in ("plain_usd", "one_hour_usd", "planned_usd"))
    assert planned == hour < plain
    assert {refused["way"] for refused in largest["refused"]} >= {"unprimed_1h", "automatic"}

    other = call("cache-plan", requests_file, "--model", "claude-haiku-4-5")
    assert {one["model"] for one in other["classes"]} == {"claude-haiku-4-5"}
    assert all(one["lifetime"] is None for one in other["classes"])
    assert "error" in call("cache-plan", requests_file, "--model", "gpt-99", code=1)
    assert list(workspace_dir.iterdir()) == []


def test_caching_of_the_backlog_asks_before_it_splits_a_text(call: Call, tmp_path: Path) -> None:
    """A prefix that ends inside a text is cached only once its owner agrees, and no longer when that is taken back."""
    guide = "Answer with the number of the paragraph that settles the question, and with nothing else. " * 90
    path = tmp_path / "strings.jsonl"
    lines = [line(f"s-{number}") for number in range(9)]
    for number, one in enumerate(lines):
        one["params"] |= {"messages": [{"role": "user", "content": f"{guide}\n\nQuestion {number}?"}]}
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    call("import", path)
    (before,) = call("caching")["planned"]

    call("agree-split", before["class_id"])
    (agreed,) = call("caching")["planned"]
    call("agree-split", before["class_id"], "--no")
    (after,) = call("caching")["planned"]

    assert (before["lifetime"], before["reasons"][0]) == (None, "needs_split")
    assert agreed["lifetime"] == "1h"
    assert agreed["split_chars"] > len(guide) - 64
    assert float(before["planned_usd"]) - float(agreed["planned_usd"]) == pytest.approx(float(before["split_usd"]))
    assert after == before
    assert "error" in call("agree-split", "no such class", code=1)


def test_doctor_prices_what_it_finds_and_rewrites_on_request(call: Call, tmp_path: Path) -> None:
    """A time at the head of every prompt: named, priced by the month, and moved in a copy; the file stays as it is."""
    guide = "Sort the letter into one of four queues and say why in one short sentence. " * 90
    path, folder = tmp_path / "letters.jsonl", tmp_path / "rewritten"
    lines = [line(f"d-{number}") for number in range(40)]
    for number, one in enumerate(lines):
        one["params"]["system"] = f"Now: 2026-11-{number % 28 + 1:02d}T08:{number:02d}:11Z\n{guide}"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    source = path.read_bytes()
    once, daily = call("doctor", path), call("doctor", path, "--runs-a-month", "30", "--rewrite", folder)

    (finding,) = once["findings"]
    assert (finding["kind"], finding["items"], finding["automatic"]) == ("volatile", 40, True)
    assert float(daily["findings"][0]["saving_month_usd"]) == pytest.approx(30 * float(finding["saving_month_usd"]))
    assert path.read_bytes() == source
    (written,) = daily["rewritten"]
    assert call("doctor", written["target"])["findings"] == []


def test_field_order_puts_what_repeats_first(call: Call, tmp_path: Path) -> None:
    """The new template and the rows in their order, with what that is worth where a model is named."""
    table, to = tmp_path / "orders.csv", tmp_path / "ordered.jsonl"
    rows = "".join(
        f"{number},{'a long description of the city ' * 90}{number % 2},{number % 3}\n" for number in range(60)
    )
    table.write_text(f"order,city,stars\n{rows}")
    report = call("field-order", table, "--model", "claude-haiku-5-5", "--to", to)

    assert report["fields"][0] == "city"
    assert report["changed"]
    assert report["ordered_share"] > 0.9 > report["previous_row_share"]
    cost = report["cost"]
    assert float(cost["ordered_usd"]) < float(cost["as_is_usd"]) <= float(cost["uncached_usd"])
    assert len(to.read_text().splitlines()) == 60
