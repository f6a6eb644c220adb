"""The local API lets in whoever has the token, from this machine, and no web page; the token is shown to nobody."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from core.audit import Outcome, entries
from core.commands.local_api import ask_owner, serve
from core.loopback import LoopbackServer
from core.roles import user_name
from core.store import Owner, StoreBusy
from core.workspace import Workspace
from tests.cli.conftest import Call, Run


@contextmanager
def owned(folder: Path) -> Iterator[Workspace]:
    """An app that owns the workspace and serves its local API, in this process; without a worker."""
    with Workspace.open(folder) as workspace:
        workspace.worker.start = lambda: None  # type: ignore[method-assign]
        workspace.start(serve=serve)
        yield workspace


def address(workspace: Workspace) -> Owner:
    """What the lock file of that workspace says of its owner."""
    return Owner(**json.loads((workspace.folder / "lotwise.lock").read_text()))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """The local API of a workspace on which nothing is changed."""
    with owned(tmp_path_factory.mktemp("door") / "workspace") as workspace:
        yield address(workspace)


@pytest.fixture
def owner(workspace_dir: Path) -> Iterator[Workspace]:
    """The app that owns the workspace which commands mean."""
    with owned(workspace_dir) as workspace:
        yield workspace


def post(door: Owner, body: bytes = b"{}", verb: str = "active", **headers: str) -> "httpx2.Response":
    """Send a request with the right token, and with these headers."""
    return httpx2.post(
        f"{door.url}/api/{verb}", content=body, headers={"authorization": f"Bearer {door.token}"} | headers
    )


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "{token}"])
def test_only_the_whole_token_opens(door: Owner, shown: str | None) -> None:
    """None, a wrong one, another scheme, or the bare text: 401, and nothing was run."""
    headers = {} if shown is None else {"authorization": shown.format(token=door.token)}
    answer = httpx2.post(f"{door.url}/api/active?token={door.token}", headers=headers, content=b"{}")

    assert answer.status_code == 401
    assert str(door.token) not in answer.text


@pytest.mark.parametrize("host", ["lotwise.evil.example", "localhost.evil.example:80", "", "127.0.0.1.evil.example"])
def test_a_name_that_was_pointed_here_is_refused(door: Owner, host: str) -> None:
    """A web site may let its own name mean 127.0.0.1 (DNS rebinding): its requests name it, and get nowhere."""
    assert post(door, host=host).status_code == 400
    assert post(door).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8501"])
def test_a_web_page_is_refused(door: Owner, origin: str) -> None:
    """Browsers say where a request comes from; no page, not even the dashboard's own, uses this address."""
    answer = post(door, origin=origin)

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert httpx2.request("OPTIONS", f"{door.url}/api/active", headers={"origin": origin}).status_code == 405


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_only_post_does_anything(door: Owner, method: str) -> None:
    """A link, an image or a prefetch can never run a command."""
    headers = {"authorization": f"Bearer {door.token}"}
    assert httpx2.request(method, f"{door.url}/api/active", headers=headers).status_code == 405


def test_a_body_without_end_is_cut_off(door: Owner) -> None:
    """More than a megabyte is not read, whatever its length is said to be."""

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 100_000

    assert post(door, b'{"x": "' + b"a" * 1_000_001).status_code == 413
    headers = {"authorization": f"Bearer {door.token}"}
    assert httpx2.post(f"{door.url}/api/active", content=endless(), headers=headers).status_code == 413


@pytest.mark.parametrize("body", [b"{", b"[]", b'"active"', b"\xff"])
def test_arguments_are_an_object(door: Owner, body: bytes) -> None:
    """Anything else is refused with a sentence, not with a fault of the app."""
    answer = post(door, body)

    assert answer.status_code == 400
    assert answer.json()["error"] == "The arguments are not a JSON object."


def test_the_log_names_who_ran_the_command(owner: Workspace, call: Call, tmp_path: Path) -> None:
    """A command is recorded under the name of the user who gave it, though the app carries it out."""
    door = address(owner)
    call("export", "items", "--to", tmp_path / "items.csv")
    post(
        door,
        json.dumps({"what": "items", "to": str(tmp_path / "b.csv")}).encode(),
        "export",
        **{"lotwise-user": "%C3%84nn"},
    )
    post(door, json.dumps({"what": "items", "to": str(tmp_path / "c.csv")}).encode(), "export")

    nameless, other, own = entries(owner.store, limit=9)
    assert [entry.actor for entry in (own, other, nameless)] == [user_name(), "Änn", user_name()]
    assert {entry.how for entry in (own, other, nameless)} == {"command line"}
    assert {entry.outcome for entry in (own, other, nameless)} == {Outcome.DONE}


def test_the_token_is_shown_to_nobody(owner: Workspace, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Not in what is printed of an owner, in a refusal, in a log at its wordiest, nor in what a command prints."""
    door = address(owner)
    token = str(door.token)
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreBusy) as busy:
        Workspace.open(owner.folder)
    with caplog.at_level(logging.DEBUG):
        ask_owner(door, "active", {})
    done, refused = run("status", "--json"), run("repair", "nosuchjb")

    said = [repr(door), repr(busy.value), str(busy.value), str(busy.value.context), caplog.text]
    said += [done.stdout, done.stderr, refused.stdout, refused.stderr]
    assert [text for text in said if token in text] == []
    assert token not in (owner.folder / "lotwise.duckdb").read_bytes().decode("latin-1")


def test_the_token_never_passes_a_proxy(door: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment would see the token, and could answer in the owner's name."""
    met: list[str] = []

    async def proxy(scope: dict[str, str], receive: object, send: object) -> None:
        met.append(scope["path"])

    with LoopbackServer(proxy) as server:  # type: ignore[arg-type]
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, server.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert ask_owner(door, "active", {}) == {"active": 0}

    assert met == []


def test_the_lock_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """The token lies there: nobody else may read it, even where files are made for all."""
    before = os.umask(0)
    try:
        with owned(tmp_path / "open") as workspace:
            assert (workspace.folder / "lotwise.lock").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
