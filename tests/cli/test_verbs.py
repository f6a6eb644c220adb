"""Every verb, for programs and for people."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core import actions
from core.commands.command_line import main
from core.export import UnknownExport
from core.workspace import Workspace
from tests.cli.conftest import Call, line


def test_the_whole_way(call: Call, requests_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Import, plan, submit, status, repair and export, each one call of a fresh process, with failures on the way."""
    monkeypatch.setenv("LOTWISE_SANDBOX_ERROR_RATE", "0.15")
    imported = call("import", requests_file)
    assert (imported["added"], imported["known"], imported["rejected"]) == (20, 0, 0)
    plan = call("plan")
    assert plan["items"] == 20
    assert plan["jobs"][0]["role"] == "primer"
    assert plan["simulated"] is True
    submitted = call("submit", "--wait")
    assert submitted["items"] == 20
    assert len(submitted["jobs"]) == 2

    for _ in range(30):
        status = call("status")
        held = [job["job_id"] for job in status["jobs"] if job["state"] == "held"]
        broken = [job["job_id"] for job in status["jobs"] if job["repairable_items"]]
        if not held and not broken:
            break
        for job in held:
            call("release", job)
        for job in broken:
            shown = call("repair", job, "--dry-run")["slice"]
            made = call("repair", job, "--wait")
            assert made["repair"]["items"] == shown["repairable"] == made["slice"]["repairable"]
            assert made["repair"]["created"] is True
    status = call("status")
    assert status["items"] == {"complete": 20}
    assert status["trouble"] is None

    attempts = tmp_path / "attempts.parquet"
    exported = call("export", "attempts", "--to", attempts)
    frame = pl.read_parquet(attempts)
    assert exported == {"what": "attempts", "to": str(attempts), "rows": frame.height}
    assert frame.filter("usable")["item_id"].n_unique() == frame.filter("usable").height == 20
    assert str(frame["cost_usd"].sum()) == str(
        sum(pl.Series([job["cost_usd"] for job in status["jobs"]]).cast(pl.Decimal(38, 12)))
    )


@pytest.mark.parametrize("what", ["items", "attempts", "costs"])
def test_exports_agree_in_every_format(call: Call, requests_file: Path, tmp_path: Path, what: str) -> None:
    """CSV, Parquet and JSON Lines hold the same rows; money keeps every digit."""
    call("import", requests_file)
    call("submit", "--wait")
    frames = {}
    for ending in (".csv", ".parquet", ".jsonl"):
        path = tmp_path / f"{what}{ending}"
        rows = call("export", what, "--to", path)["rows"]
        read: Any = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".jsonl": pl.read_ndjson}[ending]
        frames[ending] = read(path)
        assert frames[ending].height == rows > 0
    exact = frames[".parquet"]["cost_usd"]
    assert exact.dtype == pl.Decimal(exact.dtype.precision, exact.dtype.scale)
    assert frames[".jsonl"]["cost_usd"].cast(exact.dtype).to_list() == exact.to_list()
    assert not list(tmp_path.glob(".*.part"))


def test_results_hold_one_message_per_complete_item(call: Call, requests_file: Path, tmp_path: Path) -> None:
    """What the work was for: each complete item with the answer as the API gave it."""
    path = tmp_path / "results.jsonl"
    call("import", requests_file)
    assert call("export", "results", "--to", path)["rows"] == 0
    call("submit", "--wait")
    assert call("export", "results", "--to", path)["rows"] == 20

    rows = [json.loads(row) for row in path.read_text().splitlines()]
    assert len({row["item_id"] for row in rows}) == 20
    assert all(row["message"]["content"][0]["text"].startswith("Simulated") for row in rows)


def test_repair_all_mends_every_job(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command for a cron job: every failed slice, each once."""
    monkeypatch.setenv("LOTWISE_SANDBOX_ERROR_RATE", "0.4")
    path = tmp_path / "lone.jsonl"
    path.write_text("".join(json.dumps(line(f"lone-{number}")) + "\n" for number in range(20)))
    call("import", path)
    call("submit", "--wait")
    before = [job["job_id"] for job in call("status")["jobs"] if job["repairable_items"]]

    shown = call("repair", "all", "--dry-run")["repairs"]
    made = call("repair", "all", "--wait")["repairs"]

    assert sorted(each["job_id"] for each in shown) == sorted(before) == sorted(each["job_id"] for each in made)
    assert {each["repair_job_id"] for each in shown} == {None}
    repaired = {each["repair_job_id"]: each["job_id"] for each in made}
    assert repaired.items() <= {job["job_id"]: job["parent_job_id"] for job in call("status")["jobs"]}.items()


def test_import_names_the_lines_that_it_set_aside(call: Call, requests_file: Path) -> None:
    """A file with bad lines goes in as far as it can; the rest lies in a file of its own, with reasons."""
    with requests_file.open("a") as file:
        file.write("not json\n")

    report = call("import", requests_file)

    (one,) = report["imports"]
    assert (report["added"], report["rejected"]) == (20, 1)
    assert one["reasons"][0]["line"] == 21
    assert Path(one["rejects_file"]).read_text() == "not json\n"
    again = call("import", requests_file.parent)
    assert (again["added"], again["known"]) == (0, 20)


def test_people_read_tables_and_sentences(say: Call, requests_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --json every verb prints plain lines: counts, money with a dollar sign, yes and no."""
    with requests_file.open("a") as file:
        file.write("not json\n")
    grouped = say("group", requests_file)
    assert "requests: 20" in grouped
    assert "yes" in grouped and "cacheable" in grouped
    imported = say("import", requests_file)
    assert "added: 20" in imported
    assert "not valid JSON" in imported
    plan = say("plan")
    assert "predicted cost: $0.0" in plan
    assert "primer" in plan
    submitted = say("submit", "--wait")
    assert "items: 20" in submitted
    status = say("status")
    assert "complete: 20" in status
    assert "done" in status and "simulated: yes" in status
    assert "trouble" not in status


def test_people_read_why_a_slice_failed(say: Call, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run shows count, price and cause, and sends nothing."""
    monkeypatch.setenv("LOTWISE_SANDBOX_ERROR_RATE", "1")
    path = tmp_path / "lone.jsonl"
    path.write_text(json.dumps(line("lone")) + "\n")
    call("import", path)
    (job,) = call("submit", "--wait")["jobs"]

    shown = say("repair", job, "--dry-run")

    assert "repairable: 1" in shown
    assert "predicted usd: $0.0" in shown
    assert "Not billed." in shown
    assert len(call("status")["jobs"]) == 1


def test_calling_a_job_off_and_sending_it_after_all(call: Call, requests_file: Path) -> None:
    """Cancel before sending frees the items; a repair sends them; a job that is over can be neither."""
    call("import", requests_file)
    _, body = call("submit")["jobs"]
    assert call("cancel", body)["state"] == "canceled"
    assert "nothing left to cancel" in call("cancel", body, code=1)["error"]
    assert "Only a held job" in call("release", body, code=1)["error"]
    call("repair", body, "--wait")
    assert call("status")["items"] == {"complete": 20}


def test_submit_without_waiting_sends_and_status_moves_on(call: Call, requests_file: Path) -> None:
    """Where no app runs, each call takes a step: cron is enough to bring a backlog through."""
    call("import", requests_file)
    jobs = call("submit")["jobs"]
    for _ in range(20):
        status = call("status")
        if {job["state"] for job in status["jobs"]} == {"done"}:
            break
    assert len(jobs) == len(status["jobs"]) == 2
    assert status["items"] == {"complete": 20}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("plan",), "every item is already in a job"),
        (("submit",), "every item is already in a job"),
        (("repair", "nosuchjb"), "There is no job of this id"),
        (("release", "nosuchjb"), "There is no job of this id"),
        (("import", "gone.jsonl"), "There is no file or folder at this path"),
        (("group", "gone.jsonl"), "There is no file or folder at this path"),
        (("export", "items", "--to", "items.xlsx"), "Use .csv, .parquet or .jsonl"),
        (("export", "items", "--to", "gone/items.csv"), "could not be written"),
        (("sandbox", "--width", "0"), "out of range"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_refusal_is_one_document_and_one_sentence(
    arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1: with --json the error is the document, and standard error says it for people either way."""
    assert main([*arguments, "--json"]) == 1
    as_json = capsys.readouterr()
    assert main([*arguments]) == 1
    as_text = capsys.readouterr()

    document = json.loads(as_json.out)
    assert set(document) == {"error", "context"}
    assert says in document["error"]
    assert as_text.out == ""
    assert as_text.err.startswith("lotwise: ")
    assert says in as_text.err
    assert "Traceback" not in as_json.err + as_text.err


def test_a_folder_that_cannot_be_one_is_refused(call: Call, tmp_path: Path, requests_file: Path) -> None:
    """What the operating system refuses is said, too: no traceback for a mistyped path."""
    assert "exists" in call("status", "--workspace", requests_file, code=1)["error"].lower()
    gone = tmp_path / "gone" / "groups.parquet"
    assert "gone" in call("group", requests_file, "--assignments", gone, code=1)["error"]


def test_a_setting_that_is_no_number_is_refused(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped environment variable is named."""
    monkeypatch.setenv("LOTWISE_POLL_SECONDS", "often")

    assert call("status", code=1)["context"]["setting"] == "LOTWISE_POLL_SECONDS"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("dance",),
        ("import",),
        ("group",),
        ("repair",),
        ("export", "items"),
        ("export", "secrets", "--to", "x.csv"),
        ("sandbox", "--port", "often"),
        ("status", "--nonsense"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays empty; standard error shows the usage."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    captured = capsys.readouterr()
    assert caught.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("usage: python -m core")


def test_what_the_pages_ask_for_is_refused_in_the_same_words(workspace_dir: Path) -> None:
    """Pages call the functions below the verbs: no rejects, and no such table, are said there, too."""
    with Workspace.open(workspace_dir) as workspace:
        with pytest.raises(actions.NoRejects):
            actions.rejects_file(workspace, "abc")
        with pytest.raises(UnknownExport):
            actions.export(workspace, "secrets", workspace_dir / "x.csv")


def test_interrupting_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends a command without a traceback, and says by its exit code that it did not finish."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("core.commands.command_line.run_verb", interrupted)

    assert main(["plan"]) == 1
    assert capsys.readouterr().out == ""


def test_the_demo_is_built_and_shown(call: Call, say: Call, workspace_dir: Path) -> None:
    """One command fills a workspace; a second call changes nothing."""
    made = call("demo")
    again = call("demo")

    assert made["created"] is True
    assert again == {**made, "created": False}
    assert call("export", "costs", "--to", workspace_dir / "costs.csv")["rows"] > 100
    assert f"{made['jobs']}" in say("demo")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("cut.jsonl.gz", gzip.compress(b'{"custom_id":"a"}\n' * 2000)[:-20], "ends early"),
        ("notes.jsonl", b"hello\nworld\n", "not one of its 2 lines is a request"),
    ],
)
def test_an_import_that_lost_lines_is_no_success(call: Call, tmp_path: Path, name: str, data: bytes, says: str) -> None:
    """A pipeline must notice: what went in stays in, and the exit code is 1 with the reason."""
    (tmp_path / name).write_bytes(data)

    (problem,) = call("import", tmp_path / name, code=1)["problems"][:1]
    assert name in problem
    assert says in problem


def test_a_device_is_no_request_file(call: Call) -> None:
    """What never ends is refused before it is read."""
    assert "no file that ends" in call("import", "/dev/zero", code=1)["error"]


def test_a_port_out_of_range_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and a sentence, not a traceback."""
    with pytest.raises(SystemExit) as stopped:
        main(["sandbox", "--port", "99999"])

    assert stopped.value.code == 2
    assert "99999" in capsys.readouterr().err
