"""The one door to the API: what each answer means, and which API answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from core import actions
from core.account import api_key
from core.gateway import (
    AccountHeld,
    AnthropicGateway,
    BatchMissing,
    Busy,
    ClosedGateway,
    GatewayDown,
    NotSent,
    Refused,
    ReplyLost,
    TooLarge,
)
from core.loopback import LoopbackServer
from core.sandbox import create_app, is_simulated
from core.workspace import Workspace, utc_now
from tests.jobs.driving import Bench, Recorder, lone, request

Answering = Callable[[Response], tuple[AnthropicGateway, list[Request]]]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Return a function that starts a server with one answer to everything, and gives a gateway to it."""
    with ExitStack() as stack:

        def start(response: Response) -> tuple[AnthropicGateway, list[Request]]:
            seen = []

            async def answer(request: Request) -> Response:
                await request.body()
                seen.append(request)
                return response

            app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
            server = stack.enter_context(LoopbackServer(app))
            gateway = AnthropicGateway(api_key="sk-test", base_url=server.url)
            stack.callback(gateway.close)
            return gateway, seen

        yield start


def api_error(status: int, kind: str, message: str = "Simulated", code: str | None = None) -> Response:
    """An error as the API words it."""
    details = {"details": {"error_code": code}} if code else {}
    body = {"type": "error", "error": {"type": kind, "message": message, **details}, "request_id": "req_1"}
    return JSONResponse(body, status, headers={"request-id": "req_1"})


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """Return the file of a small body."""
    path = tmp_path / "body.json"
    path.write_bytes(b'{"requests":[]}')
    return path


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        (api_error(400, "invalid_request_error"), Refused),
        (api_error(401, "authentication_error"), AccountHeld),
        (api_error(402, "billing_error"), AccountHeld),
        (api_error(403, "permission_error"), AccountHeld),
        (api_error(404, "not_found_error"), Refused),
        (api_error(408, "timeout_error"), ReplyLost),
        (api_error(409, "conflict_error"), ReplyLost),
        (HTMLResponse("<html>too large</html>", 413), TooLarge),
        (api_error(422, "invalid_request_error"), Refused),
        (api_error(429, "rate_limit_error"), Busy),
        (api_error(500, "api_error"), ReplyLost),
        (HTMLResponse("<html>bad gateway</html>", 502), ReplyLost),
        (api_error(504, "timeout_error"), ReplyLost),
        (api_error(529, "overloaded_error"), ReplyLost),
        (api_error(400, "invalid_request_error", "Your credit balance is too low to access the API."), AccountHeld),
        (api_error(400, "invalid_request_error", "You have reached your specified API usage limits."), AccountHeld),
        (api_error(429, "rate_limit_error", code="enforced_spend_limit_reached"), AccountHeld),
        (api_error(429, "rate_limit_error", code="contract_spend_limit_reached"), AccountHeld),
        (api_error(429, "rate_limit_error", code="linked_organization_limit_reached"), AccountHeld),
        (api_error(400, "invalid_request_error", code="organization_on_hold"), AccountHeld),
        (api_error(400, "invalid_request_error", code="cmek_key_disabled"), AccountHeld),
        (api_error(429, "rate_limit_error", code="ramp_limit_exceeded"), Busy),
        (JSONResponse({"error": "text"}, 400), Refused),
        (JSONResponse({"error": {"details": "text"}}, 400), Refused),
        (JSONResponse(["odd"], 400), Refused),
    ],
    ids=lambda value: f"{value.status_code}" if isinstance(value, Response) else value.__name__,
)
def test_what_a_refused_create_means(answering: Answering, body: Path, answer: Response, means: Any) -> None:
    """One call whatever is answered; what surely created nothing is told from what may have, and from the account."""
    gateway, seen = answering(answer)

    with pytest.raises(means) as caught:
        gateway.create(body)

    assert type(caught.value) is means
    assert len(seen) == 1
    assert caught.value.context["status"] == answer.status_code


@pytest.mark.parametrize(
    "answer",
    [
        HTMLResponse("<html>sign in to this network</html>"),
        JSONResponse({}),
        JSONResponse({"id": "x"}),
        Response("{", media_type="application/json"),
    ],
    ids=["page", "nothing", "half", "cut"],
)
def test_an_answer_that_is_no_batch_may_have_made_one(answering: Answering, body: Path, answer: Response) -> None:
    """A 200 from a proxy, or half an answer: lost, so that the job is looked for before it is sent again."""
    gateway, seen = answering(answer)

    with pytest.raises(ReplyLost):
        gateway.create(body)

    assert len(seen) == 1
    with pytest.raises(GatewayDown):
        gateway.retrieve("msgbatch_1")


def test_the_words_of_the_api_and_its_request_id_are_kept(answering: Answering, body: Path) -> None:
    """What support needs, and what a person can act on, stands in the message."""
    gateway, _ = answering(api_error(400, "invalid_request_error", "requests: List should have at least 1 item"))

    with pytest.raises(Refused) as caught:
        gateway.create(body)

    assert str(caught.value).endswith(
        "(status: 400, why: requests: List should have at least 1 item, request_id: req_1)"
    )


def test_no_reply_in_time_is_lost_and_no_connection_is_not_sent(bench: Bench, body: Path) -> None:
    """Where the connection was never made nothing can have been created; after that nobody knows."""
    bench.server_down()
    with pytest.raises(NotSent):
        bench.gateway.create(body)
    with pytest.raises(GatewayDown):
        bench.gateway.list_since(bench.clock.now)


def test_reading_errors_are_told_apart(answering: Answering) -> None:
    """An unknown batch may appear yet; a refused read is asked again."""
    missing, _ = answering(api_error(404, "not_found_error"))
    refused, _ = answering(api_error(403, "permission_error", "no access"))

    with pytest.raises(BatchMissing):
        missing.retrieve("msgbatch_1")
    with pytest.raises(GatewayDown, match="no access"):
        refused.cancel("msgbatch_1")


def test_listing_goes_over_pages_and_stops_in_time(bench: Bench) -> None:
    """All batches since an instant, however many pages that takes, and none before it."""
    ids = [bench.foreign_batch(1) for _ in range(3)]
    bench.clock.move(hours=1)
    since = bench.clock.now
    ids = [bench.foreign_batch(1) for _ in range(120)]

    assert [batch.batch_id for batch in bench.gateway.list_since(since)] == ids[::-1]
    assert len(bench.gateway.list_since(since - timedelta(hours=2))) == 123


def test_a_batch_shows_all_its_counts(bench: Bench) -> None:
    """The sum of the five counts is the batch, before and after its end."""
    name = bench.foreign_batch(3)
    running = bench.gateway.retrieve(name)
    bench.clock.move(hours=1)
    ended = bench.gateway.retrieve(name)

    assert (running.status, running.total, running.processing, running.has_results) == ("in_progress", 3, 3, False)
    assert (ended.status, ended.total, ended.succeeded, ended.has_results) == ("ended", 3, 3, True)
    assert ended.created_at == running.created_at < ended.ended_at  # type: ignore[operator]


def test_with_a_key_the_real_api_is_asked(workspace_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same code talks to the API that the environment names; nothing is marked as simulated."""
    recorder = Recorder()
    recorder.app = create_app()
    with LoopbackServer(recorder) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        with Workspace.open(workspace_dir) as workspace:
            assert workspace.gateway.simulated is False
            send(workspace, tmp=workspace_dir.parent)
            jobs = workspace.store.query("status_jobs")

    assert jobs["state"].to_list() == ["running"]
    assert jobs["simulated"].to_list() == [False]
    assert len(recorder.items) == 3
    assert not (workspace_dir / "sandbox").exists()


def test_without_a_key_the_embedded_server_is_started(workspace_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app runs without an account: it brings its own server, and says of everything that it is simulated."""
    monkeypatch.setenv("LOTWISE_SANDBOX_TIME_SCALE", "1000000")
    with Workspace.open(workspace_dir) as workspace:
        assert workspace.gateway.simulated is True
        send(workspace, tmp=workspace_dir.parent)
        for _ in range(200):
            if not workspace.worker.tick():
                break
        jobs = workspace.store.query("status_jobs")

    assert jobs["simulated"].to_list() == [True]
    assert jobs["state"].to_list() == ["done"]
    assert is_simulated(jobs["batch_id"][0])


def test_play_never_spends_money(workspace_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace whose jobs are simulated stays with the embedded server after a key is set."""
    with Workspace.open(workspace_dir) as workspace:
        send(workspace, tmp=workspace_dir.parent)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    with Workspace.open(workspace_dir) as workspace:
        assert workspace.gateway.simulated is True


def test_the_key_may_lie_in_the_secrets_of_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment goes first, then the secrets file; an empty key is none."""
    secrets = tmp_path / "secrets.toml"
    assert api_key(secrets) is None
    secrets.write_text('ANTHROPIC_API_KEY = ""')
    assert api_key(secrets) is None
    secrets.write_text('ANTHROPIC_API_KEY = "from-file"')
    assert api_key(secrets) == "from-file"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from-shell")
    assert api_key(secrets) == "from-shell"


def send(workspace: Workspace, *, tmp: Path) -> None:
    """Import three requests, submit them, take one step."""
    path = tmp / "three.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lone(3)))
    actions.import_files(workspace, [path])
    actions.submit(workspace, now=utc_now())
    workspace.worker.tick()


def test_marks_and_accents_arrive_as_written(bench: Bench) -> None:
    """The file's bytes go out as they are, non-ASCII included."""
    bench.submit(request("greeting", messages=[{"role": "user", "content": "Grüße 😀"}]))
    bench.run()

    assert "Grüße 😀".encode() in bench.server.bodies[0]


def test_a_real_workspace_without_its_key_sends_nothing(bench: Bench) -> None:
    """Jobs of a real account wait, as they are, until the key is there again; none is taken for sent."""
    (job,) = bench.submit(*lone(3))
    bench.workspace.close()
    bench.gateway = ClosedGateway()  # type: ignore[assignment]
    bench.reopen()
    bench.tick()

    assert bench.state(job)[0] == "planned"
    assert "ANTHROPIC_API_KEY" in str(bench.state(job)[1])
    for ask in (bench.gateway.retrieve, bench.gateway.cancel, bench.gateway.list_since):
        with pytest.raises(GatewayDown):
            ask(None)  # type: ignore[arg-type]
    with pytest.raises(GatewayDown):
        bench.gateway.download("msgbatch_1", bench.folder / "x.jsonl")


def test_closing_is_for_now(bench: Bench) -> None:
    """A gateway that was closed connects anew when it is asked again."""
    bench.gateway.close()
    bench.gateway.close()

    assert bench.batches() == []
