"""The page of account history, and every other page with history alone and with history among jobs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.gateway import AnthropicGateway
from core.loopback import LoopbackServer
from core.sandbox import SandboxOptions, create_app
from core.settings import Settings
from core.workspace import Workspace
from pages import session
from tests.ui.conftest import Open

PAGES = ("overview.py", "backlog.py", "classes.py", "jobs.py", "trends.py", "history.py")
BATCHES = {"summary": 30, "grade": 12}
Past = Callable[[Path], None]


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """Return a function that imports what somebody else sent into a workspace: one batch in four fails."""
    sent = datetime.now(UTC) - timedelta(days=1)
    clock = {"now": sent}

    def imported(folder: Path) -> None:
        options = SandboxOptions(error_rate=0.25, width=10_000)
        app = create_app(options, folder=tmp_path / "server", clock=lambda: clock["now"])
        with LoopbackServer(app) as server:
            gateway = AnthropicGateway(api_key="any", base_url=server.url, simulated=True)
            for name, count in BATCHES.items():
                body = tmp_path / "body.json"
                body.write_text(json.dumps({"requests": [asked(f"{name}-{number:03d}") for number in range(count)]}))
                gateway.create(body)
            clock["now"] = sent + timedelta(hours=2)
            with Workspace.open(folder, gateway=gateway, settings=Settings()) as workspace:
                actions.import_history(workspace, since=sent - timedelta(days=1))

    return imported


def asked(name: str) -> dict[str, object]:
    """One request, long enough for a batch of them to cost cents."""
    messages = [{"role": "user", "content": f"Record {name}? " + "It was kept. " * 600}]
    return {"custom_id": name, "params": {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": messages}}


def sound(app: AppTest) -> None:
    """No traceback and no refusal is on the page."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []


def waiting(app: AppTest) -> list[str]:
    """What the Overview says of failures to repair or to decide about, and of what waits to be sent."""
    return [text.value for text in app.markdown if text.value.startswith(("**Repair", "**Decide", "**Submit"))]


def figure(app: AppTest, label: str) -> str:
    """The value of one figure."""
    return next(metric.value for metric in app.metric if metric.label == label)


def dollars(shown: str) -> Decimal:
    """An amount as the page shows it."""
    return Decimal(shown.removeprefix("\\$").replace(",", ""))


def test_every_page_draws_history_alone(open_app: Open, workspace_dir: Path, past: Past) -> None:
    """A workspace that has sent nothing shows what the account did: nothing breaks where no job was planned."""
    past(workspace_dir)
    for page in PAGES:
        app = open_app(workspace_dir, page)
        sound(app)
        if page not in {"backlog.py"}:
            assert app.metric or app.dataframe, page

    app = open_app(workspace_dir, "jobs.py")
    rows = app.dataframe[0].value
    assert set(rows["role"]) == {"History"}
    assert {word for words in rows["standing"] for word in words} == {"Had failures"}
    job = rows["job_id"][0]
    app = open_app(workspace_dir, "jobs.py", job=job)
    sound(app)
    assert any("nothing of it can be repaired" in info.value for info in app.info)
    assert figure(app, "Open failures") == "0"
    app = open_app(workspace_dir, "classes.py")
    rows = app.dataframe[0].value
    assert set(rows["name"]) == set(BATCHES)
    assert set(rows["plan"]) == {"From account history"}
    ids = session.workspace().store.query("job", job_id=job)["class_id"]
    app = open_app(workspace_dir, "classes.py", id=ids[0])
    sound(app)
    assert any("told from custom" in info.value for info in app.info)
    assert figure(app, "Shared tokens") == "–"


def test_every_page_draws_history_among_jobs(open_app: Open, demo: Path, past: Past) -> None:
    """History adds to the figures of the demo, and leaves its open failures and its backlog as they were."""
    app = open_app(demo)
    waits, spend = waiting(app), figure(app, "Spend, last 30 days")
    session.close()
    past(demo)
    for page in PAGES:
        sound(open_app(demo, page))

    app = open_app(demo)
    assert waiting(app) == waits != []
    assert dollars(figure(app, "Spend, last 30 days")) > dollars(spend)
    names = set(open_app(demo, "trends.py").dataframe[0].value["line"])
    assert set(BATCHES) < names


def test_the_page_asks_the_worker(open_app: Open, workspace_dir: Path) -> None:
    """A press hands the look to the worker and says so; nothing long runs in the page."""
    app = open_app(workspace_dir, "history.py")
    sound(app)
    assert [header.value for header in app.header] == ["Nothing brought in yet", "How its classes are named"]

    app.number_input(key="history-days").set_value(7).run()
    app.button(key="history-look").click().run()
    sound(app)
    assert any("Looking through the account" in info.value for info in app.info)
    history = session.workspace().worker.history
    assert history.busy()
    assert not history.go_on()  # the worker's turn: the account has sent nothing
    assert not history.busy()
    app.run()
    assert not app.info


def test_rules_are_tried_before_they_are_saved(open_app: Open, workspace_dir: Path, past: Past) -> None:
    """A bad rule is a sentence and stays in the editor; a good one shows what it would do, and a button saves it."""
    past(workspace_dir)
    app = open_app(workspace_dir, "history.py")
    before = (workspace_dir / "naming.toml").read_text()
    assert app.text_area(key="naming-text").value == before
    assert figure(app, "Batches imported") == "2"

    app.text_area(key="naming-text").set_value("[[rule]]\npattern = '('\nclass = 'x'\n").run()
    assert "no regular expression" in app.error[0].value
    app.button(key="naming-save").click().run()
    assert "no regular expression" in app.error[0].value
    assert (workspace_dir / "naming.toml").read_text() == before
    assert "pattern = '('" in str(app.text_area(key="naming-text").value)

    good = "[[rule]]\npattern = '^sum'\nclass = 'S'\n"
    app.text_area(key="naming-text").set_value(good).run()
    sound(app)
    shown = app.dataframe[-1].value
    assert list(shown["items"]) == [30, 12]
    assert list(shown["rule"]) == ["Rule 1", "None: the model"]
    assert any("42 would be named otherwise" in text.value for text in app.markdown)
    app.button(key="naming-save").click().run()
    assert (workspace_dir / "naming.toml").read_text() == good
    assert any("Saved" in success.value for success in app.success)
    history = session.workspace().worker.history
    assert not history.go_on()
    app.run()
    assert any("0 would be named otherwise" in text.value for text in app.markdown)

    app.text_area(key="naming-text").set_value("nonsense").run()
    app.button(key="naming-reload").click().run()
    assert app.text_area(key="naming-text").value == good
