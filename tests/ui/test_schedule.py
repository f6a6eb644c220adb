"""The Schedule page: the recommended rhythm, the schedules that are kept, and what their runs did."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from streamlit.testing.v1 import AppTest

from core import actions
from core.schedule.rhythm import Rhythm, Way, Within
from core.settings import Settings
from core.workspace import Workspace
from tests.ui.conftest import Open


def sound(app: AppTest) -> None:
    """No traceback and no refusal is on the page."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []


def kept(folder: Path, *, settings: Settings | None = None, run: bool = False) -> None:
    """Keep a schedule that has been due for an hour, and let it run."""
    begin = datetime.now(UTC) - timedelta(hours=3)
    rhythm = Rhythm(way=Way.EVERY, need=Within(24), lead=3600.0, hours=1)
    with Workspace.open(folder, settings=settings) as workspace:
        actions.add_recurring(workspace, "nightly", rhythm, now=begin)
        if run:
            workspace.worker.tick()


def test_nothing_came_in_yet(open_app: Open, workspace_dir: Path) -> None:
    """The page says how a rhythm is learned, and where to bring requests in."""
    app = open_app(workspace_dir, "schedule.py")
    sound(app)
    assert "Nothing has come in yet" in [header.value for header in app.header]
    assert app.button == [] or all(button.key != "schedule-keep-button" for button in app.button)


def test_a_rhythm_is_recommended_and_kept_with_one_click(open_app: Open, demo: Path) -> None:
    """One sentence, its price and its wait, every alternative; the click adds it, and the page then shows it."""
    app = open_app(demo, "schedule.py")
    sound(app)
    assert any(heading.value.startswith("Send ") for heading in app.subheader)
    cost = next(metric for metric in app.metric if metric.label == "Cost a week")
    assert Decimal(cost.value.removeprefix("\\$").replace(",", "")) > 0
    assert len(app.dataframe[0].value) > 3

    app.text_input(key="schedule-name").set_value("every day").run()
    app.button(key="schedule-keep-button").click().run()
    sound(app)
    assert [message.value for message in app.success] == ["every day is kept from now on."]
    assert "every day" in [heading.value for heading in app.subheader]
    app.button(key="schedule-keep-button").click().run()
    assert "There is a schedule of this name already" in app.error[0].value


def test_within_hours_and_a_stated_rate(open_app: Open, demo: Path) -> None:
    """What the visitor says changes what is recommended; what cannot be met is a sentence."""
    app = open_app(demo, "schedule.py")
    app.selectbox(key="need").set_value("within").run()
    app.number_input(key="need-hours").set_value(8.0)
    app.number_input(key="schedule-rate").set_value(24_000.0).run()
    sound(app)
    size = next(metric.value for metric in app.metric if metric.label == "Sends a week")
    assert float(size.replace(",", "")) >= 21
    app.select_slider(key="sure").set_value(0.99).run()
    assert app.exception == []


def test_a_refused_run_shows_its_reason_everywhere(open_app: Open, demo: Path) -> None:
    """Over the budget: the Overview says that a person is needed, the page why, and Send asks for the amount."""
    kept(demo, settings=Settings(day_budget_usd=Decimal(0), month_budget_usd=Decimal(0)), run=True)
    overview = open_app(demo)
    assert any("nightly" in warning.value for warning in overview.warning)
    app = open_app(demo, "schedule.py")
    sound(app)
    assert any("nothing was sent" in warning.value for warning in app.warning)
    runs = app.dataframe[-1].value
    assert runs["state"].to_list() == ["Not sent"]
    assert "budget of the day" in runs["reason"][0]


def test_pausing_and_removing(open_app: Open, demo: Path) -> None:
    """The button pauses and resumes; removing asks first."""
    kept(demo)
    app = open_app(demo, "schedule.py")
    key = next(str(button.key) for button in app.button if str(button.key).startswith("pause-"))
    app.button(key=key).click().run()
    sound(app)
    assert app.button(key=key).label == "Resume"
    assert any("Sends nothing until it is resumed" in text.value for text in app.markdown)
    app.button(key=key).click().run()
    app.button(key=key.replace("pause", "remove")).click().run()
    sound(app)
    app.button(key="schedule-remove-confirm").click().run()
    assert "nightly" not in [heading.value for heading in app.subheader]
