"""Pages show hostile texts as texts: nothing in them becomes a link, a picture, a colour, a heading or a formula."""

import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from core import actions
from core.jobs.states import JobState
from pages import session
from pages.words import literal
from tests.nasty import HOST, NASTY, nasty_requests, nasty_workspace
from tests.ui.conftest import Open

PAGES = sorted(
    path.name for path in (Path(__file__).parents[2] / "pages").glob("*.py") if "frame.title(" in path.read_text()
)
# What Markdown makes of an unescaped text: a link or picture, a directive, a formula, code, or HTML.
ALIVE = re.compile(
    r"(?<!\\)\]\(|:(?:material/delete|streamlit|bomb):|(?<!\\):(?:red\[alarm|red-badge\[PAID|blue-background\[calm)"
    r"|(?<!\\):(?:rainbow|small)|(?<!\\)\$\\(?:href|frac)|(?<!\\)<(?:script|img)"
    rf"|https?://{re.escape(HOST)}|(?<!\u2060)\.{re.escape(HOST)}"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the hostile workspace once."""
    folder = tmp_path_factory.mktemp("nasty") / "workspace"
    nasty_workspace(folder)
    return folder


@pytest.fixture
def nasty(made: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a copy that one test opens."""
    yield Path(shutil.copytree(made, tmp_path / "nasty"))


def markdown(app: AppTest) -> Iterator[str]:
    """Every text of the page that is read as Markdown."""
    for kind in ("markdown", "caption", "title", "header", "subheader", "error", "warning", "info", "success"):
        for element in app.get(kind):
            yield str(cast(Element, element).value)
    for kind in ("page_link", "button", "download_button", "selectbox", "metric", "expander"):
        for element in app.get(kind):
            yield str(getattr(element, "label", "") or element.proto.label)
    for element in app.table:
        yield from map(str, [*element.value.index, *element.value.to_numpy().ravel()])


def check(app: AppTest) -> None:
    """The page works, and none of its texts is alive."""
    assert [error.value for error in app.exception] == []
    alive = [text[:300] for text in markdown(app) if ALIVE.search(text)]
    assert alive == []
    for table in app.dataframe:
        cells = table.value.select_dtypes(["object", "string"]).to_numpy().ravel()
        assert [cell for cell in cells if str(cell).startswith(("=", "+", "-", "@", "\t", "\r"))] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_hostile_texts_as_texts(open_app: Open, nasty: Path, name: str) -> None:
    """Names, messages, reasons, notes and ids come from files and from the API."""
    check(open_app(nasty, name))


def test_every_job_and_class_shows_hostile_texts_as_texts(open_app: Open, nasty: Path) -> None:
    """The pages of one job with failures, and of one class, where most of such texts are."""
    open_app(nasty)
    store = session.workspace().store
    jobs: list[Any] = store.query("jobs_in", states=[*JobState])["job_id"].to_list()
    classes = store.query("classes_listed", class_id=None, text=None, model=None, state=None, waiting=True, limit=6)

    assert jobs
    assert classes.height
    for job in jobs[:2]:
        check(open_app(nasty, "jobs.py", job=job))
    for class_id in classes["class_id"]:
        app = open_app(nasty, "classes.py", id=class_id)
        check(app)
        shown = "".join(part.proto.body for part in app.get("html"))
        assert not re.search(r"<(?:script|img|b)\b", shown)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_literal_text_is_not_alive(text: str) -> None:
    """What a value becomes in a sentence."""
    made = literal(text)

    assert not ALIVE.search(made)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", made)
    assert not re.match(r"\s*(?:#|>|-{1,3}\s|\d+\.\s|\||```)", made)


def test_no_secret_is_on_any_page(
    open_app: Open, workspace_dir: Path, monkeypatch: pytest.MonkeyPatch, checkout: Path
) -> None:
    """With a key set and an API that is away, pages say what is wrong and never with what."""
    canary = "sk-ant-canary-0123456789abcdef"
    monkeypatch.setenv("ANTHROPIC_API_KEY", canary)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    for page in PAGES:
        app = open_app(workspace_dir, page)
        assert [error.value for error in app.exception] == []
        assert canary not in "".join(
            str(element.proto) for element in app.main.children.values() if hasattr(element, "proto")
        )
        assert canary not in "".join(markdown(app))
    assert canary in os.environ["ANTHROPIC_API_KEY"]


def test_a_metadata_only_workspace_says_why_previews_are_empty(
    open_app: Open, workspace_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pages work without the texts: classes have neutral names, and the page says why."""
    monkeypatch.setenv("LOTWISE_METADATA_ONLY", "1")
    open_app(workspace_dir)
    file = tmp_path / "requests.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in itertools.islice(nasty_requests(), 6)))
    actions.import_files(session.workspace(), [file])

    backlog = open_app(workspace_dir, "backlog.py")
    assert any("Metadata-only is on" in caption.value for caption in backlog.caption)
    for page in PAGES:
        check(open_app(workspace_dir, page))
    names = session.workspace().store.query("prefix_nodes")["excerpt"].unique().to_list()
    assert names == [""]
