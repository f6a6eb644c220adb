"""The classes: what is shared is seen, filtered, opened, explained, agreed to and examined."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core import actions
from core.caching.class_caching import ClassCaching
from core.requests.passages import Passage
from pages import data, prompt, session
from pages.words import plain
from tests.ui.conftest import Open

SYSTEM = "You sort the letters of a small town library by what their writers want. " * 60
RULES = "Read the letter <b>twice</b> & answer in one word.\n" * 90
MODEL = "claude-haiku-5-5"


def line(custom_id: str, user: str, **params: Any) -> dict[str, Any]:
    """One request."""
    usual = {"model": MODEL, "max_tokens": 32, "messages": [{"role": "user", "content": user}]}
    return {"custom_id": custom_id, "params": usual | params}


def whole_block() -> list[dict[str, Any]]:
    """Requests whose shared part is a block of its own."""
    return [line(f"w-{n}", f"Letter {n} about {n * 7}", system=SYSTEM) for n in range(30)]


def inside_a_text() -> list[dict[str, Any]]:
    """Requests whose shared part ends inside their only text."""
    return [line(f"t-{n}", f"{RULES}Letter {n * 131} asks about the atlas of {1900 + n}.") for n in range(30)]


def dated() -> list[dict[str, Any]]:
    """Requests that begin with the minute they were made in."""
    return [line(f"d-{n}", f"Letter {n}", system=f"It is 2026-11-22T08:{n:02d}:00Z.\n{SYSTEM}") for n in range(40)]


@pytest.fixture
def bring(open_app: Open, workspace_dir: Path, tmp_path: Path) -> Any:
    """Return a function that imports requests and opens the classes, or the only class."""

    def brought(lines: Sequence[dict[str, Any]], *, only: bool = False) -> AppTest:
        open_app(workspace_dir)
        file = tmp_path / "requests.jsonl"
        file.write_text("\n".join(json.dumps(line) for line in lines))
        actions.import_files(session.workspace(), [file])
        query = {"id": only_plan().class_id} if only else {}
        return open_app(workspace_dir, "classes.py", **query)

    return brought


def sound(app: AppTest) -> AppTest:
    """No traceback and no refusal is on the page."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []
    return app


def shown(app: AppTest) -> str:
    """All HTML of the page."""
    return "".join(part.proto.body for part in app.get("html"))


def metrics(app: AppTest) -> dict[str, str]:
    """The cards by their label."""
    return {metric.label: metric.value for metric in app.metric}


def worth(app: AppTest) -> list[str]:
    """The dollars a month of the findings."""
    return worth_of(" ".join(text.value for text in app.markdown))


def worth_of(said: str) -> list[str]:
    """The dollars a month in a text."""
    return re.findall(r"\$[\d.,]+ a month", said)


def only_plan() -> ClassCaching:
    """The plan of the only class that waits."""
    (planned,) = data.caching().values()
    return planned


def test_an_empty_workspace_says_what_to_do(open_app: Open, workspace_dir: Path) -> None:
    """Where there is no class there is no empty table."""
    app = sound(open_app(workspace_dir, "classes.py"))

    assert [header.value for header in app.header] == ["No class yet"]
    assert not app.dataframe
    assert not app.metric


def test_the_demo_is_a_picture_and_a_table(open_app: Open, demo_workspace: Path) -> None:
    """What waits is drawn; past and waiting classes are listed, and a rerun changes nothing."""
    app = sound(open_app(demo_workspace, "classes.py"))
    rows = app.dataframe[0].value

    assert len(app.get("vega_lite_chart")) == 1
    assert (
        len(rows)
        == rows["waiting_items"].gt(0).sum()
        + rows["cost_usd"].notna().sum()
        - (rows["waiting_items"].gt(0) & rows["cost_usd"].notna()).sum()
    )
    assert set(metrics(app)) == {"Classes waiting", "Without caching", "Caching saves", "Still to win"}
    before = rows.shape, metrics(app)

    app.run()
    assert before == (app.dataframe[0].value.shape, metrics(sound(app)))


def test_filters_narrow_the_table(open_app: Open, demo_workspace: Path) -> None:
    """By words, model, kind of prefix and what waits; a link carries them, and one button clears them."""
    app = open_app(demo_workspace, "classes.py")
    every = app.dataframe[0].value

    app.selectbox(key="where").select("sent").run()
    assert (app.dataframe[0].value["waiting_items"] == 0).all()

    app.selectbox(key="class-model").select("claude-opus-5").run()
    assert set(app.dataframe[0].value["model"]) == {"claude-opus-5"}

    app.text_input(key="find").set_value("no such words").run()
    assert [info.value for info in app.info] == ["No class matches these filters."]

    app.button(key="clear-filters").click().run()
    assert len(app.dataframe[0].value) == len(every)

    linked = sound(open_app(demo_workspace, "classes.py", find="INVOICE FIELD"))
    assert set(linked.dataframe[0].value["name"]) == {"Invoice field extraction"}


def test_a_class_shows_what_is_shared_and_what_differs(bring: Any) -> None:
    """The shared text stands once, each sample's own text beside the others; markup in prompts is text."""
    app = sound(bring(inside_a_text(), only=True))
    drawn = shown(app)

    assert html.escape("Read the letter <b>twice</b> & answer in one word.") in drawn
    assert "<b>twice" not in drawn
    assert sum(f"{1900 + n}." in drawn for n in range(30)) == prompt.SAMPLES
    assert "more characters" in drawn
    assert metrics(app)["Waiting"] == "30"


def test_a_row_of_the_backlog_leads_to_its_class(bring: Any, open_app: Open, workspace_dir: Path) -> None:
    """From what would be sent to why: one choice of a row, and the class is open."""
    bring(whole_block())
    app = open_app(workspace_dir, "backlog.py")
    app.session_state["class-opened"] = only_plan().class_id
    app.run()

    assert app.query_params["id"] == only_plan().class_id
    assert "The prompt" in [header.value for header in sound(app).header]


def test_an_unknown_class_is_a_sentence(open_app: Open, demo_workspace: Path) -> None:
    """An old link opens a page that says so, with the way back."""
    app = sound(open_app(demo_workspace, "classes.py", id="0123456789abcdef"))

    assert "There is no class 0123456789abcdef" in app.warning[0].value
    assert [link.value for link in app.page_link] == ["All classes"]


def test_the_plan_is_explained_in_dollars(bring: Any) -> None:
    """Three ways, one taken, the others dearer; the reason in words; the expectation says what it rests on."""
    app = sound(bring(whole_block(), only=True))

    assert set(metrics(app)) >= {"Without caching", "Entries of 5 minutes", "Entries of an hour"}
    assert only_plan().lifetime == "1h"
    said = " ".join(text.value for text in app.markdown)
    assert "1 primer goes first" in said
    assert "Assumed" in said
    ways = app.dataframe[0].value
    assert plain("way.unprimed_1h") in set(ways["way"])
    assert (ways["extra_usd"] >= 0).all()


def test_a_text_is_split_only_when_agreed(bring: Any) -> None:
    """The button says what it saves and changes nothing but the consent; it can be taken back."""
    app = sound(bring(inside_a_text(), only=True))
    before = only_plan()
    assert before.lifetime is None
    assert before.split_usd is not None

    app.button(key="split").click().run()
    agreed = only_plan()
    assert agreed.lifetime == "1h"
    assert agreed.split_chars is not None
    assert "You agreed to send the text as two blocks" in " ".join(text.value for text in sound(app).markdown)

    app.button(key="split").click().run()
    assert only_plan().lifetime is None
    assert app.button(key="split").label.startswith("Send this text as two blocks and save")


def test_predicted_stands_beside_measured(open_app: Open, demo_workspace: Path) -> None:
    """Job by job, with what each prediction rested on; what is not predicted is unknown, not zero."""
    app = open_app(demo_workspace, "classes.py")
    name = next(one.class_id for one in data.hit_rates().values() if one.class_name == "Support ticket triage")
    app = sound(open_app(demo_workspace, "classes.py", id=name))
    jobs = next(frame.value for frame in app.dataframe if "predicted_hit_rate" in frame.value)
    bodies = jobs[jobs["role"] == "Body"]

    assert bodies["hit_rate"].between(0, 1).all()
    assert set(bodies["basis"].dropna()) <= {"Measured", "Estimated", "Assumed", "–"}
    assert metrics(app)["Hit rate, last job"].endswith("%")


def test_nothing_is_examined_unasked(bring: Any) -> None:
    """Reading all that waits takes a while, so it is the visitor's choice."""
    app = sound(bring(dated()))

    assert not app.get("download_button")
    assert app.button(key="examine")


def test_a_finding_is_priced_placed_and_can_be_downloaded(bring: Any) -> None:
    """A timestamp early in the prompt: dollars a month, the place, before and after, what the change means."""
    app = bring(dated())
    app.button(key="examine").click().run()
    said = " ".join(text.value for text in sound(app).markdown)

    assert "What the change means" in said
    assert "a month (estimated)" in said
    assert any("system" in caption.value for caption in app.caption)
    assert "<mark" in shown(app)
    assert app.get("download_button")

    app.number_input(key="runs").set_value(60).run()
    dollars = worth(sound(app))
    assert dollars
    assert dollars != worth_of(said), "they follow the runs a month"

    app.query_params["id"] = next(iter(data.read("classes_of_items", item_ids=("d-0",))["class_id"]))
    app.run()
    assert "What breaks its sharing" in [header.value for header in sound(app).header]
    assert set(worth(app)) <= set(dollars), "a class tells the same dollars"


def test_a_finding_is_healed_on_one_click(bring: Any) -> None:
    """The rewritten requests take the place of those that wait, and the doctor finds nothing more to heal."""
    app = bring(dated())
    app.button(key="examine").click().run()
    app.button(key="heal-0").click().run()

    said = [success.value for success in sound(app).success]
    assert any("now say what you agreed to" in one for one in said)
    assert not [button for button in app.button if str(button.key).startswith("heal-")]
    assert data.read("classes_of_items", item_ids=("d-0", "d-1")).height == 1


def test_clean_requests_are_called_clean(bring: Any) -> None:
    """A doctor who always finds something is not believed."""
    app = bring(whole_block())
    app.button(key="examine").click().run()

    assert [success.value for success in sound(app).success] == [
        "Nothing found that breaks or wastes sharing. 30 requests examined."
    ]


@given(
    st.lists(
        st.builds(
            Passage, part=st.sampled_from(["tools", "system", "user"]), text=st.text(max_size=9), is_text=st.booleans()
        ),
        max_size=6,
    ),
    st.integers(0, 7),
    st.integers(0, 12),
)
def test_nothing_is_lost_at_the_border(passages: list[Passage], blocks: int, cut: int) -> None:
    """Shared and different together are the prompt, character by character."""
    shared, rest = prompt.divide(passages, blocks, cut)

    assert "".join(p.text for p in shared + rest) == "".join(p.text for p in passages)
    if blocks < len(passages) and cut <= len(passages[blocks].text):
        assert len("".join(p.text for p in shared)) == sum(len(p.text) for p in passages[:blocks]) + cut
