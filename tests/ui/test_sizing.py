"""The Sizing page: what it recommends, how it answers, and that submitting does what it shows."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.planning.needs import Needs
from core.workspace import Workspace
from pages import data, session, timetable
from pages.words import plain, term
from tests.ui.conftest import Open

MODEL = "claude-sonnet-5-5"
SYSTEM = "You sort the letters of a small town library by what their writers want. " * 60
ITEMS = 150


def line(number: int, model: str = MODEL) -> dict[str, Any]:
    """One request: a shared prefix that is worth caching, and a letter of its own."""
    asked = {"role": "user", "content": f"Letter {number} about {number * 7}"}
    return {
        "custom_id": f"{model}-{number}",
        "params": {"model": model, "max_tokens": 20_000, "system": SYSTEM, "messages": [asked]},
    }


@pytest.fixture
def bring(open_app: Open, workspace_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports requests and opens the page, in real time."""
    monkeypatch.setenv("LOTWISE_SANDBOX_TIME_SCALE", "1")

    def brought(lines: list[dict[str, Any]]) -> AppTest:
        file = tmp_path / "requests.jsonl"
        file.write_text("\n".join(json.dumps(line) for line in lines))
        opened = Workspace.open(workspace_dir)
        try:
            actions.import_files(opened, [file])
        finally:
            opened.close()
        return open_app(workspace_dir, "sizing.py")

    return brought


@pytest.fixture
def letters(bring: Any) -> AppTest:
    """Give the page of one class of many letters."""
    app: AppTest = bring([line(number) for number in range(ITEMS)])
    return sound(app)


def sound(app: AppTest) -> AppTest:
    """No traceback and no refusal is on the page."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []
    return app


def metrics(app: AppTest) -> dict[str, str]:
    """The cards by their label."""
    return {metric.label: metric.value for metric in app.metric}


def items(app: AppTest) -> int:
    """The recommended size."""
    return int(metrics(app)["Items a job"].replace(",", ""))


def moved(app: AppTest, knob: str, value: float) -> AppTest:
    """The page after one slider was moved."""
    return sound(app.select_slider(key=knob).set_value(value).run())


def test_the_dearest_class_is_sized_and_explained(open_app: Open, demo_workspace: Path) -> None:
    """One sentence, the figures, every chart, each constraint, and where each figure comes from."""
    app = sound(open_app(demo_workspace, "sizing.py"))
    drafted = data.plan()
    assert drafted is not None
    assert drafted is data.plan(Needs()), "until a slider is moved, the plan below is the plan of the backlog"
    first = drafted.sizes[0]
    assert first.recommendation is not None

    assert str(app.selectbox(key="sized").value).startswith(first.group.class_name)
    assert items(app) == first.items
    assert app.info[0].value.startswith(f"{first.items:,} items a job\\:")
    assert len(app.selectbox(key="sized").options) == len(drafted.sizes) + len(drafted.alone)
    # Costs, dollars and hours at risk, and the schedule; the one of the deadline asks for a deadline.
    assert len(app.get("vega_lite_chart")) == 4
    assert any("No deadline is given" in info.value for info in app.info)
    tables = [table.value for table in app.dataframe]
    constraints = next(table for table in tables if "extra_usd" in table)
    assert len(constraints) == len(first.recommendation.constraints)
    sources = next(table for table in tables if "basis" in table)
    assert set(sources["basis"]) <= {term("basis", word) for word in ("measured", "estimated", "assumed", "set")}


def test_sliders_answer_at_once_and_the_plan_follows(letters: AppTest) -> None:
    """A smaller affordable loss makes smaller jobs, here and in what would be submitted; so do more faults."""
    usual, jobs = items(letters), int(metrics(letters)["Jobs"])

    assert items(moved(letters, "blast_usd", 1)) < usual
    assert int(metrics(letters)["Jobs"]) > jobs
    assert "Affordable loss" in {row for table in letters.dataframe for row in table.value.get("name", [])}
    sources = next(table.value for table in letters.dataframe if "basis" in table.value)
    assert term("basis", "what_if") not in set(sources["basis"])

    faulty = items(moved(moved(letters, "job_usd", 0.05), "void_rate", 1e-3))
    assert faulty <= usual
    sources = next(table.value for table in letters.dataframe if "basis" in table.value)
    assert list(sources["basis"]).count(term("basis", "what_if")) == 2


def test_a_very_large_plan_follows_on_a_click(letters: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where working the plan out takes seconds, the size answers at once and the plan waits to be asked."""
    monkeypatch.setattr(timetable, "LIVE", ITEMS - 1)
    usual, before = items(letters), metrics(letters)["Jobs"]

    assert items(moved(letters, "blast_usd", 1)) < usual
    assert metrics(letters)["Jobs"] == before
    letters.button(key="follow-sliders").click().run()
    assert int(metrics(sound(letters))["Jobs"]) > int(before)


def test_a_deadline_shows_its_chance_and_what_would_help(letters: AppTest) -> None:
    """Twelve hours are plenty for one class, until when it may go is said; in one hour no size is surely there, and the
    page says so, with what the plan is missing.
    """
    letters.radio(key="due").set_value("hours").run()

    sound(letters)
    assert len(letters.get("vega_lite_chart")) == 5
    shown = metrics(letters)
    assert float(shown["Class on time"].removesuffix("%").removeprefix(">")) > 95
    assert shown["Plan on time"].endswith("%")
    assert shown["Latest safe send"] != "–"

    letters.slider(key="hours").set_value(1).run()
    moved(letters, "confidence", 0.98)
    assert "in time as surely as you" in letters.info[0].value
    assert any("will not all be there" in warning.value for warning in letters.warning)
    assert metrics(letters)["Latest safe send"] == "–"


def test_a_deadline_that_is_none_is_a_sentence(letters: AppTest) -> None:
    """Nonsense and the past are refused in words; the page goes on without a deadline, and takes the next one."""
    letters.radio(key="due").set_value("time").run()
    for typed, said in (("tea time", "cannot be understood"), ("2020-01-01", "not in the future")):
        letters.text_input(key="due-at").set_value(typed).run()

        assert not letters.exception
        assert [said in error.value for error in letters.error] == [True]
        assert metrics(letters)["Class on time"] == "–"

    letters.text_input(key="due-at").set_value("07:00 Europe/Berlin").run()
    assert metrics(sound(letters))["Class on time"] != "–"


def test_a_link_carries_what_was_set(letters: AppTest, open_app: Open, workspace_dir: Path) -> None:
    """What somebody sees can be sent to somebody else."""
    linked = sound(open_app(workspace_dir, "sizing.py", due=term("due", "hours"), hours="30", blast_usd="$1.00"))

    assert linked.slider(key="hours").value == 30
    assert items(linked) == items(moved(letters, "blast_usd", 1))


def test_a_class_that_shares_its_jobs_is_shown_by_itself(open_app: Open, demo_workspace: Path) -> None:
    """Small classes go together; each can be looked at all the same, and the page says that it does not go alone."""
    app = open_app(demo_workspace, "sizing.py")
    drafted = data.plan()
    assert drafted is not None
    alone = drafted.alone[0]

    app.selectbox(key="sized").select_index(len(drafted.sizes)).run()

    assert items(sound(app)) == alone.items
    assert any("shares them with others" in caption.value for caption in app.caption)


def test_a_class_without_a_price_says_so(bring: Any) -> None:
    """There is no best size where nobody knows the price; the schedule stands all the same."""
    app = sound(bring([line(number, "claude-nova-9") for number in range(5)]))

    assert any("no price for claude-nova-9" in warning.value for warning in app.warning)
    assert "Items a job" not in metrics(app)
    assert metrics(app)["Jobs"] == "1"


def test_what_is_shown_is_what_is_submitted(letters: AppTest) -> None:
    """The button only asks; confirmed, the jobs are those of the page under its sliders."""
    usual = int(metrics(letters)["Jobs"])
    shown = int(metrics(moved(letters, "blast_usd", 1))["Jobs"])

    letters.button(key="submit").click().run()
    assert jobs() == 0
    letters.button(key="submit-confirm").click().run()

    assert jobs() == shown > usual
    assert any("queued" in success.value for success in letters.success)
    assert [header.value for header in letters.header] == [plain("sizing.empty_title")]


def jobs() -> int:
    """Jobs in the open workspace."""
    count: int = session.workspace().store.query("standing", running=[], stopped=[])["jobs"][0]
    return count
