"""Why it moved: what is found in the demo stands on the page, and is dealt with by one click and a note."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.roles import Actor, Role, Way
from pages import movements, session
from pages.words import plain, term
from tests.ui.conftest import Open

VIEW = {"view": term("view", "movements")}


def sound(app: AppTest) -> None:
    """No error on the page."""
    assert [error.value for error in app.exception] == []


def said(app: AppTest) -> str:
    """All of its sentences, without what keeps Markdown from reading them."""
    return "\n".join(str(each.value) for each in (*app.markdown, *app.caption, *app.info)).replace("\\", "")


def test_movements_stand_with_their_dollars_and_events(open_app: Open, demo_workspace: Path) -> None:
    """The broken prefix first, with what a month of it costs and what happened beside it; both charts are drawn."""
    app = open_app(demo_workspace, "trends.py", **VIEW)

    sound(app)
    text = said(app)
    assert "Invoice field extraction: since" in text
    assert term("event", "unshared") in text
    assert "a month" in text
    assert "Spend rose from" in text or "Spend fell from" in text
    assert len(app.get("vega_lite_chart")) == 2
    ways = [each.value.startswith(":orange-badge") for each in app.markdown if "-badge" in each.value]
    assert ways == sorted(ways, reverse=True), "what costs more comes first, and is marked"
    first = movements.short()[0]
    assert (first.class_name, first.usd_month > 50) == ("Invoice field extraction", True)


def test_a_movement_is_dealt_with_and_opened_again(open_app: Open, demo: Path) -> None:
    """Without a note it is refused; with one it is listed as dealt with, and why; and it can be opened again."""
    app = open_app(demo, "trends.py", **VIEW)
    key = next(str(button.key) for button in app.button if str(button.key).startswith("resolve-"))
    name = key.removeprefix("resolve-")

    app.button(key=key).click().run()
    assert "wants to know why" in app.error[0].value
    assert name not in app.error[0].value, "a key says nothing to a reader"
    app.text_input(key=f"note-{name}").input("It was the new form.").run()
    app.button(key=key).click().run()

    sound(app)
    assert "It was the new form." in said(app)
    assert not [button for button in app.button if button.key == key]
    app.button(key=f"reopen-{name}").click().run()
    assert [button for button in app.button if button.key == key]


def test_a_known_event_is_noted_and_removed(open_app: Open, demo: Path) -> None:
    """It stands in the list with its days; no words, no event."""
    app = open_app(demo, "trends.py", **VIEW)
    about = plain("movements.known_add", about=plain("movements.all_work"))
    submit = next(button for button in app.button if button.label == about)

    submit.click().run()
    assert app.error
    app.text_input(key="known-said").input("Year end closing.")
    next(button for button in app.button if button.label == about).click().run()

    sound(app)
    assert "Year end closing." in said(app)
    forget = next(button for button in app.button if str(button.key).startswith("forget-"))
    forget.click().run()
    assert "Year end closing." not in said(app)


def test_few_days_and_one_class_make_a_whole_page(open_app: Open, demo_workspace: Path, workspace_dir: Path) -> None:
    """A week of one class, and a workspace without any work: no error, and a sentence where nothing is to be seen."""
    week = open_app(
        demo_workspace, "trends.py", **VIEW, **{"range": term("range", "days_7"), "class": "Call note summary"}
    )
    sound(week)
    assert plain("movements.none") in said(week)

    sound(open_app(workspace_dir, "trends.py", **VIEW))
    assert movements.short() == []


def test_viewers_look_and_change_nothing(open_app: Open, demo_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The buttons are there, and dead."""
    viewer = Actor(name="zoe", role=Role.VIEWER, how=Way.BROWSER)
    monkeypatch.setattr(session, "visitor", lambda: viewer)
    monkeypatch.setattr("pages.frame.visitor", lambda: viewer)

    app = open_app(demo_workspace, "trends.py", **VIEW)

    sound(app)
    changing = [button for button in app.button if str(button.key).split("-")[0] in {"resolve", "reopen", "forget"}]
    assert changing
    assert all(button.disabled for button in changing)
