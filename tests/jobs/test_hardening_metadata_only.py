"""Metadata-only: prompts and outputs never come into the store, and leave the workspace when nobody needs them."""

import json
from pathlib import Path
from typing import Any

import pytest

from core import actions
from core.intake.inbox import accept
from core.settings import Settings
from core.store.database import TextsHeld
from core.workspace import Workspace
from tests.jobs.driving import Bench, MakeBench, request
from tests.jobs.fronts import Front, refusing

PROMPT, OUTPUT, ERROR, BAD = "canary-prompt", "canary-output", "canary-error", "canary-reject"
SCHEMA = {"type": "object", "properties": {"word": {"const": OUTPUT}}, "required": ["word"]}
ANSWER = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}


def lines(count: int) -> list[dict[str, Any]]:
    """Requests of one class whose prompt and output would be known again."""
    system = f"{PROMPT}: " + f"Judge the record by these rules, {PROMPT}. " * 120
    return [request(f"item-{n}", system=system, **ANSWER) for n in range(count)]


def held(folder: Path, *words: str) -> dict[str, list[str]]:
    """In which files of the workspace each word stands; the local server's own folder is the API's side."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and folder / "sandbox" not in path.parents:
            data = path.read_bytes()
            for word in words:
                if word.encode() in data:
                    found.setdefault(word, []).append(str(path.relative_to(folder)))
    return found


def in_front(bench: Bench, status: int) -> None:
    """The first create is refused with a quoting message, and every failed item comes back with one."""
    bench.server.app = Front(bench.server.app, refusing(status, f"messages.0: {ERROR}"), error_text=f"bad: {ERROR}")


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """Return a metadata-only bench on which a third of the items fail."""
    return make_bench({"metadata_only": True}, error_rate=0.3, seed=5)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_no_byte_of_prompts_outputs_or_quoting_errors_stays(bench: Bench, tmp_path: Path, status: int) -> None:
    """Import, plan, a refused and a lost call, failures, repairs, hand-over, export: no file has a word of it after.

    While work waits its parameters must lie in `requests/`, and only there.
    """
    in_front(bench, status)
    bench.load(*lines(24))
    actions.add_sink(bench.workspace, str(tmp_path / "out.jsonl"), now=bench.clock.now)
    assert {name.partition("/")[0] for name in held(bench.folder, PROMPT)[PROMPT]} == {"requests"}

    bench.submit()
    for _ in range(15):
        for _ in range(4):
            bench.tick(minutes=5)
        for job, state, failed in bench.jobs().select("job_id", "state", "open_failures").iter_rows():
            if state == "held":
                actions.release(bench.workspace, job, now=bench.clock.now)
            elif failed:
                bench.repair(job, *(one.cause for one in bench.slice(job).causes))
        if bench.statuses() == {"complete": 24}:
            break
    assert bench.statuses() == {"complete": 24}, bench.jobs().to_dicts()
    bench.tick()
    bench.workspace.close()

    assert held(bench.folder, PROMPT, OUTPUT, ERROR) == {}
    assert [OUTPUT in line for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [True] * 24
    bench.workspace = bench._open()
    assert set(bench.query("class_names")["name"].str.slice(0, 6)) == {"Class "}


def test_results_stay_where_nobody_else_has_them(bench: Bench) -> None:
    """Without a sink the raw results are the only copy of what was paid for: they can still be exported."""
    bench.server_changes(error_rate=0.0)
    bench.submit(*lines(6))
    bench.run()
    bench.tick()

    assert {name.partition("/")[0] for name in held(bench.folder, OUTPUT)[OUTPUT]} == {"results"}
    assert held(bench.folder, PROMPT) == {}
    out = bench.folder.parent / "out.jsonl"
    assert actions.export(bench.workspace, "results", out) == 6
    assert out.read_text().count(OUTPUT) == 6


def test_rejected_lines_give_reasons_without_words(bench: Bench) -> None:
    """What a library says of a line quotes it; the line itself lies in `rejects/` for whoever corrects it."""
    path = bench.folder.parent / "bad.jsonl"
    wrong = request("wrong")
    wrong["params"]["messages"][0]["role"] = BAD
    path.write_text(json.dumps(wrong) + "\n" + '{"custom_id": ' + BAD + "\n")
    (report,) = actions.import_files(bench.workspace, [path])

    assert report.rejected == 2
    reasons = bench.query("rejects", import_id=report.import_id)["reason"].to_list()
    assert reasons == ["not of the API's form: …", "not valid JSON: …"]
    assert held(bench.folder, BAD) == {BAD: [f"rejects/{report.import_id}.jsonl"]}


def test_an_upload_is_not_kept_beside_its_import(bench: Bench) -> None:
    """The inbox keeps no second copy; a file that was torn stays, because not all of it is in."""
    path = bench.folder.parent / "up.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines(3)))
    with path.open("rb") as file:
        whole = accept(bench.folder, "up.jsonl", file)
    torn = bench.folder / "inbox" / "torn.jsonl.gz"
    torn.write_bytes(b"\x1f\x8b\x08\x00 cut")
    for each in (whole, torn):
        bench.workspace.worker._try_import(each)

    assert bench.statuses() == {"backlog": 3}
    assert sorted(each.name for each in (bench.folder / "inbox").rglob("*.*")) == ["torn.jsonl.gz"]


def test_a_workspace_with_texts_cannot_become_one_without(make_bench: MakeBench) -> None:
    """A database file keeps what was once in it, so the setting is refused with what to do instead."""
    bench = make_bench()
    bench.load(*lines(3))
    bench.workspace.close()
    settings = type(bench.settings)(metadata_only=True)

    with pytest.raises(TextsHeld, match="new workspace"):
        Workspace.open(bench.folder, gateway=bench.gateway, settings=settings)

    bench.workspace = bench._open()
    assert bench.statuses() == {"backlog": 3}


def test_a_workspace_stays_what_it_was_made_as(bench: Bench) -> None:
    """Another terminal, or cron, opens it without the setting: no text gets in all the same."""
    bench.workspace.close()
    bench.workspace = Workspace.open(bench.folder, gateway=bench.gateway, settings=Settings())
    bench.load(*lines(4))
    bench.submit()
    bench.workspace.close()

    assert PROMPT.encode() not in (bench.folder / "lotwise.duckdb").read_bytes()
    with Workspace.open(bench.folder, gateway=bench.gateway, settings=Settings(metadata_only=True)) as again:
        assert again.settings.metadata_only
