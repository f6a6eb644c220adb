"""The Overview's list of next savings: read at once, taken or dismissed there, and shown beside what came."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from core.commands.next_verb import next_saving
from core.workspace import Workspace
from pages import session
from tests.ui.conftest import Open

BROKEN = "**Invoice field extraction**"
PREFIX, TRIAL = "prefix:081c25930346141e", "trial:b5c5352817dfba61"


def savings(app: AppTest) -> list[str]:
    """The first line of every entry."""
    return [text.value for text in app.markdown if text.value.startswith("**") and "**: " in text.value]


def test_the_list_says_what_to_do_and_what_it_is_worth(open_app: Open, demo: Path) -> None:
    """The dearest first: a prompt that keeps changing, and where in it; dollars with their range, and how sure.

    The command line names the same savings in the same order.
    """
    app = open_app(demo)

    assert not app.exception
    first = savings(app)[0]
    assert first.startswith(BROKEN)
    assert "timestamp before stable text, at system\\[0\\]" in first
    (worth,) = [text.value for text in app.caption if "(estimated)" in text.value]
    assert worth.startswith("saves about \\$")
    assert "some hours of work" in worth

    session.close()
    with Workspace.open(demo) as workspace:
        told = next_saving(workspace, do="list")
    listed = told["next_savings"]
    assert [text.split("**")[1] for text in savings(app)] == [each["class_name"] for each in listed]
    (risen,) = [each for each in listed if each["kind"] == "rise"]
    assert risen["class_name"] == "Contract clause review"
    assert "longer answers" in risen["said"]
    # What was taken without a click is measured as well: the demo began to prime a class.
    (seen,) = [each for each in told["promises"] if each["class_name"] == "Search relevance grading"]
    assert (seen["kind"], seen["how"], seen["state"]) == ("prime", "seen", "kept")
    assert Decimal(seen["low_usd"]) <= Decimal(seen["realised_usd"]) <= Decimal(seen["high_usd"])
    assert abs(Decimal(seen["realised_usd"]) / Decimal(seen["promised_usd"]) - 1) < Decimal("0.1")


def test_taking_up_and_dismissing(open_app: Open, demo: Path) -> None:
    """What is taken becomes a promise; what is dismissed with a reason is gone; without one it stays."""
    app = open_app(demo)
    count = len(savings(app))

    app.session_state[f"more-{PREFIX}"] = True
    app.run()
    assert any("Share of them that is read: 0.0%" in text.value for text in app.markdown)
    _button(app, "take-prefix").click().run()
    assert not any(text.startswith(BROKEN) and "Find what changes" in text for text in savings(app))
    assert any("taken up" in done.value for done in app.success)

    app.session_state[f"more-{TRIAL}"] = True
    app.run()
    _button(app, "dismiss-trial").click().run()
    assert any("Say why" in text.value for text in app.caption)
    app.text_input(key=f"note-{TRIAL}").set_value("we tried that by hand").run()
    _button(app, "dismiss-trial").click().run()
    assert any("dismissed" in done.value for done in app.success)
    assert len(savings(app)) == count - 2

    page = open_app(demo, "savings.py")
    assert not page.exception
    assert any(header.value == "Promised and realised" for header in page.header)
    (table,) = [frame.value for frame in page.dataframe if "taken_by" in frame.value.columns]
    assert sorted(table["state"]) == ["As promised", "Too early to say"]


def _button(app: AppTest, start: str) -> Any:
    (found,) = [button for button in app.button if str(button.key).startswith(start)]
    return found
