"""Every page stands on its own: with a history, with nothing at all, and whatever the filters say."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from pages import data, session
from tests.ui.conftest import Open

NOW = datetime.now(UTC)
PAGES = (
    "overview.py",
    "backlog.py",
    "sizing.py",
    "classes.py",
    "jobs.py",
    "results.py",
    "trends.py",
    "what_if.py",
    "audit.py",
)


def sound(app: AppTest) -> None:
    """No traceback and no refusal is on the page."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []
    assert len(app.title) == 1


@pytest.mark.parametrize("name", PAGES)
def test_every_page_draws_the_demo_and_draws_it_again(open_app: Open, demo_workspace: Path, name: str) -> None:
    """A page is the same on a rerun, and says that its data is simulated."""
    app = open_app(demo_workspace, name)
    sound(app)
    before = [metric.value for metric in app.metric], [frame.value.shape for frame in app.dataframe]

    app.run()

    sound(app)
    assert before == ([metric.value for metric in app.metric], [frame.value.shape for frame in app.dataframe])
    assert any("Simulated data" in text.value for text in app.markdown)


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_workspace_says_what_to_do_next(open_app: Open, workspace_dir: Path, name: str) -> None:
    """Nobody meets a blank page, a zero that stands for unknown, or a chart without data."""
    app = open_app(workspace_dir, name)

    sound(app)
    assert any(header.value for header in app.header), "an empty page has a heading that says why"
    assert not app.metric


def test_the_overview_answers_in_five_figures(open_app: Open, demo_workspace: Path) -> None:
    """Spend, unit cost, hit share, batch share and punctuality are all known on the demo, each with its change."""
    app = open_app(demo_workspace)

    values = {metric.label: metric.value for metric in app.metric}
    assert list(values) == ["Spend, last 30 days", "Cost per 1,000 usable", "Cache hit share", "Batch share", "On time"]
    assert "–" not in values.values()
    assert values["Batch share"] == "100.0%"
    assert all(str(metric.delta) != "" for metric in app.metric)


def test_what_needs_attention_leads_to_the_jobs_to_repair(open_app: Open, demo_workspace: Path) -> None:
    """The first thing is to get the results that are missing; what waits to be sent is not forgotten."""
    app = open_app(demo_workspace)

    said = [text.value for text in app.markdown]
    repair, submit = (next(n for n, text in enumerate(said) if text.startswith(word)) for word in ("**Rep", "**Sub"))
    assert repair < submit
    assert {"Open the job", "Open the plan"} <= {link.value for link in app.page_link}


def test_a_decision_is_not_pushed_out_by_repairs(open_app: Open, workspace_dir: Path) -> None:
    """Two repairs and one decision are shown; how many more there are is the last step of the block."""
    open_app(workspace_dir)
    failed = [(f"r{n}", "resubmit") for n in range(4)] + [("d", "edit")]
    made = pl.concat(one_job().with_columns(job_id=pl.lit(name)) for name, _ in failed)
    tried = pl.concat(
        one_failure().with_columns(
            job_id=pl.lit(name), item_id=pl.lit(name), custom_id=pl.lit(name), action=pl.lit(action)
        )
        for name, action in failed
    )
    session.workspace().store.write(lambda tx: (tx.merge("demo_add_jobs", made), tx.merge("demo_add_attempts", tried)))

    app = open_app(workspace_dir)

    assert [link.value for link in app.page_link] == ["Open the job"] * 3 + ["Show them all"]
    said = [text.value for text in app.markdown if text.value.startswith("**")]
    assert [text.split()[0] for text in said] == ["**Repair", "**Repair", "**Decide", "**2"]
    assert said[0].endswith("of several classes")
    assert said[-1] == "**2 more jobs** have items that did not complete"
    assert len(open_app(workspace_dir, "jobs.py", open="true").dataframe[0].value) == len(failed)


def test_filters_of_the_jobs(open_app: Open, demo_workspace: Path) -> None:
    """Each filter narrows the table; clearing them brings every job back."""
    app = open_app(demo_workspace, "jobs.py")
    everything = len(app.dataframe[0].value)

    app.multiselect(key="role").select("primer").run()
    assert set(app.dataframe[0].value["role"]) == {"Primer"}

    app.toggle(key="open").set_value(True).run()
    assert [info.value for info in app.info] == ["No job matches these filters."]

    app.button(key="clear-filters").click().run()
    assert len(app.dataframe[0].value) == everything

    app.toggle(key="open").set_value(True).run()
    shown = app.dataframe[0].value
    assert 0 < len(shown) < everything
    assert (shown["open_failures"] > 0).all()
    assert {word for words in shown["standing"] for word in words} <= {"To repair", "To decide"}


def test_a_history_without_a_single_result_is_drawn(open_app: Open, workspace_dir: Path) -> None:
    """The first job failed as a whole: there is spend of nothing and no cost per item, and no page breaks."""
    open_app(workspace_dir)
    session.workspace().store.write(
        lambda tx: (tx.merge("demo_add_jobs", one_job()), tx.merge("demo_add_attempts", one_failure()))
    )

    for name in PAGES:
        app = open_app(workspace_dir, name)
        assert [error.value for error in app.exception] == []
    overview = open_app(workspace_dir)
    values = {metric.label: metric.value for metric in overview.metric}
    assert values["Cost per 1,000 usable"] == "–"
    assert any(text.value.startswith("**Repair 1 item**") for text in overview.markdown)


def one_job() -> pl.DataFrame:
    """A job of one item that has ended."""
    times = dict.fromkeys(("created_at", "submitted_at", "ended_at"), NOW)
    words = {"job_id": "only", "role": "body", "model": "claude-haiku-5-5", "state": "done", "simulated": True}
    return pl.DataFrame([words | times | {"item_count": 1, "body_bytes": 900, "errored": 1}])


def one_failure() -> pl.DataFrame:
    """The one attempt of that job: it failed, and was not billed."""
    names = {"job_id": "only", "item_id": "a", "custom_id": "only-a", "class_id": "c", "model": "claude-haiku-5-5"}
    ending = {"outcome": "errored", "usable": False, "cause": "api_error", "action": "resubmit"}
    return pl.DataFrame([names | ending | {"number": 1, "cost_usd": Decimal(0), "submitted_at": NOW}])


def test_a_write_while_a_page_is_drawn_is_not_missed(
    open_app: Open, workspace_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page follows the store from before its first read: what ends meanwhile must still reach the screen."""
    read = data.standing

    def while_drawing() -> dict[str, Any]:
        session.workspace().store.write(lambda tx: tx.run("close_interrupted_imports"))
        return read()

    monkeypatch.setattr(data, "standing", while_drawing)
    app = open_app(workspace_dir, "overview.py")

    assert app.session_state["drawn-version"] < session.workspace().store.version
