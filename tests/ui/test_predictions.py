"""Predictions on the trends: how far they kept their word, and what is no longer as it was learned."""

from pathlib import Path

from pages import session
from tests.ui.conftest import Open
from tests.ui.test_pages import one_failure, one_job, sound

VIEW = "Predicted and learned"


def test_the_ledger_stands_on_the_trends(open_app: Open, demo_workspace: Path) -> None:
    """Three cards say how often intervals kept their word in the demo, and the table shows each prediction."""
    app = open_app(demo_workspace, "trends.py", view=VIEW)

    sound(app)
    inside = {metric.label: float(metric.value.rstrip("%")) for metric in app.metric if "inside" in metric.label}
    assert set(inside) == {"Cost inside its interval", "Turnaround inside", "Hit rate inside"}
    # The demo is as old as the hour: what is drawn of it differs a little.
    assert all(70 <= share <= 90 for share in inside.values()), inside
    rows = next(frame.value for frame in app.dataframe if "actual" in frame.value.columns)
    assert set(rows["measure"]) == {"Cost", "Turnaround", "Hit rate"}
    assert rows["known_at"].is_monotonic_decreasing


def test_a_drift_is_said_with_what_to_do(open_app: Open, demo_workspace: Path) -> None:
    """The class of the demo whose prefix broke is named, with what it read before and since."""
    app = open_app(demo_workspace, "trends.py", view=VIEW)

    (said,) = [text.value for text in app.markdown if "of its cached tokens since" in text.value]
    assert "**Invoice field extraction** reads " in said
    assert any("in front of its prefix" in caption.value for caption in app.caption)


def test_filters_hold_for_the_ledger(open_app: Open, demo_workspace: Path) -> None:
    """One class leaves only its predictions."""
    app = open_app(demo_workspace, "trends.py", view=VIEW, **{"class": "Call note summary"})

    rows = next(frame.value for frame in app.dataframe if "actual" in frame.value.columns)
    assert set(rows["class_name"]) == {"Call note summary"}


def test_without_a_prediction_the_page_says_how_to_get_one(open_app: Open, workspace_dir: Path) -> None:
    """A history that no plan was made for has nothing to compare."""
    open_app(workspace_dir)
    store = session.workspace().store
    store.write(lambda tx: (tx.merge("demo_add_jobs", one_job()), tx.merge("demo_add_attempts", one_failure())))

    app = open_app(workspace_dir, "trends.py", view=VIEW)

    sound(app)
    assert any("Submit the plan of the backlog" in info.value for info in app.info)


def test_what_the_next_plan_rests_on_can_be_read(open_app: Open, demo_workspace: Path) -> None:
    """Times by model and size with how well they are known, rates by class, and whether that is measured."""
    app = open_app(demo_workspace, "trends.py", view=VIEW)

    times = next(frame.value for frame in app.dataframe if "between" in frame.value.columns)
    assert set(times["items"]) == {1, 100, 1_000, 10_000, 100_000}
    assert set(times["basis"]) == {"Measured"}
    assert all(" to " in between for between in times["between"])
    rates = next(frame.value for frame in app.dataframe if "fault" in frame.value.columns)
    assert "Invoice field extraction" in set(rates["name"])
    assert all("(under " in rate for rate in rates["fault"])
