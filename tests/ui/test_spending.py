"""Budgets, typed confirmations and the kill switch, as a visitor meets them."""

import json
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.jobs.spending import Check
from pages import formats, session
from tests.ui.conftest import Open

PAGES = ("overview.py", "backlog.py", "classes.py", "jobs.py", "trends.py")


@pytest.fixture
def waiting(open_app: Open, workspace_dir: Path, tmp_path: Path) -> Path:
    """Give a workspace in which ten requests wait."""
    open_app(workspace_dir)
    asked = {"model": "claude-haiku-5-5", "max_tokens": 900, "messages": [{"role": "user", "content": "Hello"}]}
    file = tmp_path / "ten.jsonl"
    file.write_text("".join(json.dumps({"custom_id": f"w-{n}", "params": asked}) + "\n" for n in range(10)))
    actions.import_files(session.workspace(), [file])
    return workspace_dir


def check() -> Check:
    """How the plan would meet the budgets now."""
    opened = session.workspace()
    plan = actions.preview_plan(opened, now=formats.now())
    return actions.check_plan(opened, plan, now=formats.now())


def jobs() -> pl.DataFrame:
    """All jobs of the open workspace."""
    found: pl.DataFrame = session.workspace().store.query("status_jobs")
    return found


def reopened(open_app: Open, folder: Path, page: str = "backlog.py") -> AppTest:
    """The page after the process began anew, with other settings."""
    session.close()
    return open_app(folder, page)


def said(app: AppTest) -> str:
    """Everything that a visitor reads."""
    parts = [*app.markdown, *app.caption, *app.warning, *app.error]
    return "\n".join(str(part.value) for part in parts)


def test_a_plan_that_fits_says_so_and_is_sent_with_one_click(open_app: Open, waiting: Path) -> None:
    """No amount has to be typed for what lies within the budgets."""
    app = open_app(waiting, "backlog.py")
    assert "This plan fits the budgets" in said(app)

    app.button(key="submit").click().run()
    assert all(box.key != "submit-amount" for box in app.text_input)
    assert not app.button(key="submit-confirm").disabled
    app.button(key="submit-confirm").click().run()

    assert not app.exception
    assert jobs().height == 1


def test_above_the_budget_the_button_works_once_the_amount_is_typed(
    open_app: Open, waiting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says before the click that it does not fit; another amount leaves the button dead."""
    monkeypatch.setenv("LOTWISE_DAY_BUDGET_USD", "0")
    app = reopened(open_app, waiting)
    words = check().confirm
    assert words is not None
    assert "The budget of the day is \\$0.00" in said(app)
    assert "type the amount" in said(app)

    app.button(key="submit").click().run()
    assert app.button(key="submit-confirm").disabled
    app.text_input(key="submit-amount").set_value("999.99").run()
    assert app.button(key="submit-confirm").disabled
    app.text_input(key="submit-amount").set_value(words).run()
    assert not app.button(key="submit-confirm").disabled
    assert jobs().is_empty()
    app.button(key="submit-confirm").click().run()

    assert not app.exception
    assert not app.error
    assert jobs().height == 1
    kept = session.workspace().store.query("confirmation_of", job_id=jobs()["job_id"][0])
    assert kept["amount"].to_list() == [words]


def test_stopping_everything_asks_first_and_shows_on_every_page(open_app: Open, waiting: Path) -> None:
    """The dialog says what it comes to; then every page says since when and by whom, until it is lifted."""
    open_app(waiting)
    actions.submit(session.workspace(), now=formats.now())
    app = open_app(waiting, "jobs.py")
    app.button(key="stop").click().run()
    assert "1 job is not sent yet" in said(app).replace("*", "")
    assert "10 items have no result yet" in said(app).replace("*", "")
    app.button(key="stop-keep").click().run()
    assert actions.halted(session.workspace()) is None

    app.button(key="stop").click().run()
    app.button(key="stop-confirm").click().run()
    assert not app.exception
    assert jobs()["state"].to_list() == ["canceled"]
    for page in PAGES:
        shown = open_app(waiting, page)
        assert not shown.exception
        titles = [error.proto.title for error in shown.error]
        assert titles == ["Sending is stopped"]
        assert session.workspace().actor.name in shown.error[0].value
    assert all(button.key != "stop" for button in open_app(waiting, "jobs.py").button)

    app = open_app(waiting)
    app.button(key="resume").click().run()
    assert not app.exception
    assert not app.error
    assert actions.halted(session.workspace()) is None


def test_calling_a_job_off_asks_first_and_is_then_said(open_app: Open, waiting: Path) -> None:
    """Where the API has the job, the page says that it is being canceled."""
    open_app(waiting)
    (job,) = actions.submit(session.workspace(), now=formats.now()).jobs
    session.workspace().store.write(lambda tx: tx.run("set_state", job_id=job, state="unknown", reason=None))
    app = open_app(waiting, "jobs.py", job=job)
    app.button(key="cancel-job").click().run()
    app.button(key="cancel-keep").click().run()
    assert jobs()["state"].to_list() == ["unknown"] and not said(app).count("being canceled")

    app.button(key="cancel-job").click().run()
    app.button(key="cancel-confirm").click().run()

    assert not app.exception
    assert "It is being canceled since" in said(app)
    assert all(button.key != "cancel-job" for button in app.button)


def test_lifting_what_somebody_else_has_lifted_is_a_sentence(open_app: Open, waiting: Path) -> None:
    """Two tabs show the banner; the second one to press is told."""
    open_app(waiting)
    actions.stop(session.workspace(), now=formats.now())
    first, second = open_app(waiting), open_app(waiting)
    first.button(key="resume").click().run()
    second.button(key="resume").click().run()

    assert not second.exception
    assert ["not stopped" in error.value for error in second.error] == [True]


def test_a_submission_during_a_halt_is_refused_in_words(open_app: Open, waiting: Path) -> None:
    """The button is there, and the core says no."""
    open_app(waiting)
    actions.stop(session.workspace(), now=formats.now())
    app = open_app(waiting, "backlog.py")
    app.button(key="submit").click().run()
    app.button(key="submit-confirm").click().run()

    assert not app.exception
    assert any("Sending is stopped, so nothing new goes out" in error.value for error in app.error)
    assert jobs().is_empty()
