"""Who may come in and what they may do, on every page: signed in or not, operator, viewer or on no list."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.audit import Outcome, entries
from core.roles import Role, RolesInvalid
from pages import session

AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
    "client_id": "lotwise",
    "client_secret": "shh",
    "server_metadata_url": "http://localhost:1/.well-known/openid-configuration",
}
ROLES = {"operators": ["ann@example.com"], "viewers": ["@example.com"]}
PAGES = (
    "overview.py",
    "backlog.py",
    "routing.py",
    "classes.py",
    "jobs.py",
    "results.py",
    "trends.py",
    "savings.py",
    "history.py",
    "audit.py",
)

Enter = Callable[..., AppTest]


@pytest.fixture
def enter(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Enter]:
    """Return a function that opens a page with a sign-in, as the visitor with these claims; of jobs, one to repair."""

    def entered(folder: Path, claims: dict[str, Any] | None, page: str = "overview.py", **secrets: Any) -> AppTest:
        monkeypatch.setenv("LOTWISE_WORKSPACE", str(folder))
        app = AppTest.from_file(str(checkout / "pages" / "main.py"), default_timeout=60)
        app.secrets = {"auth": AUTH, "roles": ROLES} | secrets
        app.user = {"is_logged_in": claims is not None} | (claims or {})
        if page == "jobs.py":
            app.query_params["job"] = job_to_repair()
        return app.switch_page(page).run()

    try:
        yield entered
    finally:
        session.close()


def everything(app: AppTest) -> str:
    """All text that the page shows."""
    kinds = (app.title, app.header, app.markdown, app.caption, app.error, app.metric, app.dataframe)
    return " ".join(str(element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_anything_before_signing_in(enter: Enter, demo_workspace: Path, page: str) -> None:
    """Whatever page a link names, there is the way in and nothing else: no figure, no name, no table."""
    app = enter(demo_workspace, None, page)

    assert [button.label for button in app.button] == ["Sign in"]
    assert everything(app) == "Lotwise Sign in to see what your batch work costs, and why."
    assert [error.value for error in app.exception] == []


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "eve@elsewhere.org"},
        {"email": "ann@example.com", "email_verified": False},
        {"email": "ann@example.com", "email_verified": "false"},
        {"name": "ann@example.com"},
        {"email": ["ann@example.com"]},
    ],
)
def test_whoever_is_on_no_list_is_told_so_and_sees_nothing(
    enter: Enter, demo_workspace: Path, claims: dict[str, Any]
) -> None:
    """An account alone opens nothing, nor does an address that its provider has not verified."""
    app = enter(demo_workspace, claims)

    assert [button.label for button in app.button] == ["Sign out"]
    assert app.error[0].value.startswith("This account may not see this workspace.")
    assert not app.metric and not app.dataframe


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({"auth": AUTH | {"cookie_secret": "short"}}, "not set up safely"),
        ({"auth": {}}, "not set up safely"),
        ({"auth": "yes"}, "not set up safely"),
        ({"roles": {"operator": ["ann@example.com"]}}, "table of roles cannot be read"),
        ({"roles": "ann@example.com"}, "not set up safely"),
    ],
)
def test_a_slip_in_the_secrets_shuts_the_door(
    enter: Enter, demo_workspace: Path, secrets: dict[str, Any], said: str
) -> None:
    """A cookie that can be guessed, or a table that cannot be read, lets nobody in, and says what to correct."""
    app = enter(demo_workspace, {"email": "ann@example.com"}, **secrets)

    assert said in app.error[0].value
    assert not app.button and not app.metric


def test_secrets_that_cannot_be_read_shut_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bracket too few in the file must not turn the sign-in off."""
    torn = tmp_path / "secrets.toml"
    torn.write_text("[auth\n")
    session.close()
    monkeypatch.setattr(st, "secrets", type(st.secrets)())
    with given({"secrets.files": [str(torn)]}), pytest.raises(session.SignInUnsafe):
        session.visitor()


@pytest.mark.parametrize("page", PAGES)
def test_a_viewer_finds_no_live_button_that_changes_anything(enter: Enter, demo: Path, page: str) -> None:
    """Every button that works is pressed on every page: the core never has to refuse, and nothing is changed."""
    app = enter(demo, {"email": "bob@example.com"}, page)
    before = content(demo)
    assert any("Viewer" in badge.value for badge in app.markdown)

    for key in [str(button.key) for button in app.button if not button.disabled and button.key != "sign-out"]:
        app.button(key).click().run()
        assert [error.value for error in app.exception] == []

    tried = [entry for entry in entries(session.shared_workspace().store, limit=99) if entry.outcome != Outcome.DONE]
    assert tried == []
    assert content(demo) == before


def test_a_viewer_sees_why_a_button_is_dead(enter: Enter, demo: Path) -> None:
    """The tooltip says what a viewer may do, and who may do more; for an operator the button lives."""
    viewer = enter(demo, {"email": "bob@example.com"}, "backlog.py")
    assert viewer.button("submit").disabled
    assert "Only operators" in viewer.button("submit").help

    session.close()
    operator = enter(demo, {"email": "ann@example.com"}, "backlog.py")
    assert not operator.button("submit").disabled


def test_a_button_that_is_pressed_although_it_is_dead_does_nothing(enter: Enter, demo: Path) -> None:
    """A browser can be made to send anything: a click on a dead button does not even reach the core."""
    app = enter(demo, {"email": "bob@example.com"}, "jobs.py")
    before = content(demo)
    button = app.button("repair")
    assert button.disabled
    button.proto.disabled = False
    button.click().run()

    assert entries(session.shared_workspace().store, limit=9) == ()
    assert content(demo) == before


def test_whoever_becomes_a_viewer_meanwhile_is_refused_by_the_core(enter: Enter, demo: Path) -> None:
    """The button still lives on a page drawn before: the core refuses, says why, and writes it down."""
    app = enter(demo, {"email": "ann@example.com"}, "jobs.py")
    before = content(demo)
    app.secrets = {"auth": AUTH, "roles": {"viewers": ["ann@example.com"]}}
    session._secrets.clear()
    app.button("repair").click().run()

    (entry,) = entries(session.shared_workspace().store, limit=9)
    assert (entry.actor, entry.action, entry.outcome) == ("ann@example.com", "repair", Outcome.REFUSED)
    assert any(error.value.startswith("You may look at everything here") for error in app.error)
    assert content(demo) == before


def test_an_operator_acts_under_their_own_name(enter: Enter, demo: Path) -> None:
    """What is pressed in the browser is in the log with the address of who is signed in."""
    app = enter(demo, {"email": "ann@example.com"}, "jobs.py")
    app.button("repair").click().run()

    (entry,) = entries(session.shared_workspace().store, limit=9)
    assert (entry.actor, entry.role, entry.how) == ("ann@example.com", "operator", "browser")
    assert (entry.action, entry.outcome) == ("repair", Outcome.DONE)


def test_whoever_loses_the_role_meanwhile_can_do_nothing_more(enter: Enter, demo: Path) -> None:
    """The list is looked at for every action, not only when somebody comes in."""
    app = enter(demo, {"email": "ann@example.com"}, "jobs.py")
    app.secrets = {"auth": AUTH, "roles": {"operators": ["zoe@example.com"]}}
    session._secrets.clear()
    app.button("repair").click().run()

    assert app.error[0].value.startswith("This account may not see this workspace.")
    assert entries(session.shared_workspace().store, limit=9) == ()


@pytest.mark.parametrize(
    ("options", "here"),
    [
        ({}, True),
        ({"server.address": "0.0.0.0"}, False),
        ({"server.address": None}, False),
        ({"server.allowedHosts": []}, False),
        ({"server.allowedHosts": ["localhost", "lotwise.example.com"]}, False),
        ({"server.address": "::1", "server.allowedHosts": ["localhost"]}, True),
    ],
)
def test_a_dashboard_that_others_reach_changes_nothing_without_a_sign_in(options: dict[str, Any], here: bool) -> None:
    """With an open address, or a public name, and no sign-in, everybody is a viewer."""
    with given(options):
        assert session.visitor().role is (Role.OPERATOR if here else Role.VIEWER)
        assert session.open_to_others() is not here


def test_an_open_dashboard_says_so(open_app: Callable[..., AppTest], demo_workspace: Path) -> None:
    """Whoever wonders why every button is dead finds the reason on top of the page."""
    closed = open_app(demo_workspace)
    assert not any(warning.value.startswith("Whoever reaches this page") for warning in closed.warning)
    with given({"server.address": "0.0.0.0"}):
        app = open_app(demo_workspace)

    assert any(warning.value.startswith("Whoever reaches this page") for warning in app.warning)
    assert any("Viewer" in badge.value for badge in app.markdown)


@contextmanager
def given(options: dict[str, Any]) -> Iterator[None]:
    """Run with these options of Streamlit."""
    before = {name: st.get_option(name) for name in options}
    try:
        for name, value in options.items():
            st.config.set_option(name, value)
        yield
    finally:
        for name, value in before.items():
            st.config.set_option(name, value)


def test_the_owner_may_give_anybody_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """A star in the table is the owner's word that no sign-in is needed; a slip in it shuts the door."""
    monkeypatch.setattr(session, "only_here", lambda: False)
    monkeypatch.setattr(session, "_secrets", lambda: {"roles": {"operators": ["*"]}})
    assert session.visitor().role is Role.OPERATOR
    assert not session.open_to_others()

    monkeypatch.setattr(session, "_secrets", lambda: {"roles": {"operators": "*"}})
    with pytest.raises(RolesInvalid):
        session.visitor()


def content(folder: Path) -> dict[str, object]:
    """What a viewer could have changed: rows of the tables, files of the workspace."""
    store = session.shared_workspace().store
    # The naming rules are made with their defaults by whoever looks first.
    files = sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != "naming.toml"
    )
    return {"items": store.query("status_items").rows(), "jobs": store.query("status_jobs").rows(), "files": files}


def job_to_repair() -> str:
    """A job with a failed slice that can be sent again."""
    jobs = session.shared_workspace().store.query("status_jobs")
    return str(jobs.filter(pl.col("repairable_items") > 0)["job_id"][0])
