"""Real processes: clean streams, exit codes, the local server, and verbs that run in the owner of a workspace."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anthropic
import httpx2
import pytest

from core.commands.command_line import main
from core.commands.local_api import OwnerSilent, RefusedByOwner, ask_owner, serve
from core.commands.verbs import UnknownVerb, run_verb
from core.loopback import LoopbackServer
from core.store import Owner
from core.workspace import Workspace
from tests.cli.conftest import Call, Run


def test_one_document_on_stdout_whatever_happens(run: Run, requests_file: Path) -> None:
    """A program reads standard output and the exit code, nothing else."""
    imported = run("import", requests_file, "--json")
    refused = run("repair", "nosuchjb", "--json")
    wrong = run("submit", "--quickly")

    assert (imported.returncode, refused.returncode, wrong.returncode) == (0, 1, 2)
    assert json.loads(imported.stdout)["added"] == 20
    assert "no job of this id" in json.loads(refused.stdout)["error"]
    assert imported.stderr == wrong.stdout == ""
    assert refused.stderr.startswith("lotwise: ")


def test_the_sandbox_serves_the_official_client(checkout: Path, tmp_path: Path) -> None:
    """`sandbox` is a server of its own: it says where it answers, takes its options, and ends when interrupted."""
    command = [sys.executable, "-m", "core", "sandbox", "--json", "--time-scale", "1000000", "--error-rate", "1"]
    with subprocess.Popen(
        [*command, "--folder", str(tmp_path / "state")],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None and server.stderr is not None
        told = server.stderr.readline()
        url = told.split()[5]
        assert told == f"Simulated Message Batches server on {url} (Ctrl-C stops it)\n"
        with httpx2.Client() as http:
            client = anthropic.Anthropic(api_key="any", base_url=url, http_client=http)
            asked = {"model": "claude-haiku-5-5", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}
            batch = client.messages.batches.create(requests=[{"custom_id": "one", "params": asked}])  # type: ignore[typeddict-item]
            while batch.processing_status != "ended":
                batch = client.messages.batches.retrieve(batch.id)
            (result,) = client.messages.batches.results(batch.id)
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=20)

    assert result.result.type == "errored"
    assert json.loads(out) == {"url": url, "simulated": True}
    assert err == ""


def test_a_port_in_use_is_refused(call: Call) -> None:
    """Two servers cannot have one port; the message says which and what to do."""
    with Workspace.open(Path(os.environ["LOTWISE_WORKSPACE"])) as workspace:
        taken = LoopbackServer(lambda *_: None)  # type: ignore[arg-type]
        with taken:
            port = taken.url.rpartition(":")[2]
            refused = call("sandbox", "--port", port, code=1)
        assert workspace.gateway.simulated

    assert refused["context"]["port"] == int(port)
    assert "Choose another one" in refused["error"]


@pytest.fixture
def owner(workspace_dir: Path) -> Iterator[Workspace]:
    """An app that owns the workspace, with its worker and its local API, in this process."""
    with Workspace.open(workspace_dir) as workspace:
        workspace.start(serve=serve)
        yield workspace


@pytest.fixture
def door(owner: Workspace) -> Owner:
    """What the lock file of that workspace says of its owner."""
    return Owner(**json.loads((owner.folder / "lotwise.lock").read_text()))


def test_verbs_run_in_the_owner(owner: Workspace, run: Run, requests_file: Path, tmp_path: Path) -> None:
    """While an app owns the workspace, a command of another process does the same there, and waits if told to."""
    imported = run("import", requests_file, "--json")
    submitted = run("submit", "--wait", "--json")
    refused = run("export", "items", "--to", tmp_path / "gone" / "items.csv", "--json")

    assert [done.returncode for done in (imported, submitted, refused)] == [0, 0, 1], imported.stderr
    assert json.loads(imported.stdout)["added"] == 20
    jobs = json.loads(submitted.stdout)["jobs"]
    assert owner.store.query("status_jobs")["job_id"].sort().to_list() == sorted(jobs)
    assert set(owner.store.query("status_jobs")["state"]) == {"done"}
    assert json.loads(refused.stdout)["error"].startswith("The file could not be written.")
    assert json.loads(refused.stdout)["context"]["file"] == str(tmp_path / "gone" / "items.csv")


def test_the_document_is_the_same_either_way(owner: Workspace, call: Call, requests_file: Path) -> None:
    """A program need not know whether an app runs: same keys, money as text with every digit."""
    call("import", requests_file)
    there = call("plan")
    owner.close()
    here = call("plan")

    times = {"prices_at", "send_at", "ready_by"}
    assert set(there) == set(here)
    jobs_there, jobs_here = (
        [{k: v for k, v in job.items() if k not in times} for job in plan["jobs"]] for plan in (there, here)
    )
    assert jobs_there == jobs_here
    assert {k: v for k, v in there["inputs"].items() if k not in times} == {
        k: v for k, v in here["inputs"].items() if k not in times
    }
    assert isinstance(there["predicted_cost"], str)


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}])
def test_a_wrong_token_gets_nothing(door: Owner, header: dict[str, str]) -> None:
    """Whoever does not know the token of the lock file, which only its user can read, is answered 401."""
    answer = httpx2.post(f"{door.url}/api/status", headers=header, content=b"{}")

    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "context"}


def test_the_lock_file_is_for_its_user_only(door: Owner, owner: Workspace) -> None:
    """The token lies in a file that nobody else may read, and the server listens on this machine alone."""
    assert (owner.folder / "lotwise.lock").stat().st_mode & 0o077 == 0
    assert str(door.url).startswith("http://127.0.0.1:")
    assert len(str(door.token)) >= 32


def test_the_api_answers_verbs_only(door: Owner) -> None:
    """Nothing else is there, and a wrong token is told so in the caller's words."""
    headers = {"authorization": f"Bearer {door.token}"}
    assert httpx2.get(f"{door.url}/api/status", headers=headers).status_code == 405
    assert httpx2.post(f"{door.url}/status", headers=headers).status_code == 404
    assert ask_owner(door, "active", {}) == {"active": 0}
    assert httpx2.post(f"{door.url}/api/active", headers=headers).json() == {"active": 0}
    with pytest.raises(RefusedByOwner, match="does not know this command"):
        ask_owner(door, "dance", {})
    with pytest.raises(RefusedByOwner, match="token"):
        ask_owner(Owner(**{**vars(door), "token": "wrong"}), "status", {})


def test_an_owner_that_fails_is_told_from_one_that_refuses(door: Owner) -> None:
    """An error inside the app is not a traceback in the caller's terminal."""
    with pytest.raises(RefusedByOwner, match="failed"):
        ask_owner(door, "repair", {"no": "such argument"})


def test_a_verb_that_does_not_exist_is_refused(owner: Workspace) -> None:
    """An older app may not know a newer command."""
    with pytest.raises(UnknownVerb):
        run_verb(owner, "dance", {})


def test_an_owner_without_a_local_api_is_silent(workspace_dir: Path, call: Call) -> None:
    """Another command is at work on the workspace: say who, instead of waiting."""
    with Workspace.open(workspace_dir):
        refused = call("status", code=1)

    assert "does not answer" in refused["error"]
    assert refused["context"]["pid"] == os.getpid()


def test_an_owner_that_does_not_answer_is_silent() -> None:
    """Nothing listens at the address any more."""
    gone = Owner(pid=1, command="app.py", since="today", url="http://127.0.0.1:9", token="t")

    with pytest.raises(OwnerSilent) as caught:
        ask_owner(gone, "status", {})

    assert caught.value.context["why"] == "ConnectError"


def test_an_owner_that_left_no_note_is_busy(workspace_dir: Path, call: Call) -> None:
    """The lock is held, but its file does not say by whom."""
    with Workspace.open(workspace_dir):
        (workspace_dir / "lotwise.lock").write_text("")
        refused = call("status", code=1)

    assert "Another process owns this workspace" in refused["error"]


def test_waiting_for_jobs_of_the_owner(
    owner: Workspace, requests_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--wait` comes back when every job of the owner is over."""
    assert main(["import", str(requests_file)]) == 0
    assert main(["submit", "--wait"]) == 0

    assert owner.worker.active() == 0
    assert dict(owner.store.query("status_items").iter_rows()) == {"complete": 20}
    assert "items: 20" in capsys.readouterr().out
