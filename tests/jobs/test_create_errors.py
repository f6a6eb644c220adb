"""What an answer to the create call makes of job and items: a labelled corpus, through the real SDK and the worker."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core import actions, gateway
from core.errors import LotwiseError
from tests.jobs.driving import Bench, request

CASES = json.loads((Path(__file__).parent / "cases" / "create_errors.json").read_text())
# Sending sees no more of an answer than what it means, and how long it asks to wait: one case for each of those.
_BY_MEANING = {
    (case["means"], case["state"], case["cause"], "retry-after" in case["headers"]): case for case in reversed(CASES)
}


class Scripted:
    """Answers the next create call as a case says, without creating anything; all others go to the server."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.case: dict[str, Any] | None = None
        self.calls = 0

    def begin(self, case: dict[str, Any]) -> None:
        """From here on, calls are counted anew."""
        self.case, self.calls = case, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] == "http" and (scope["method"], scope["path"]) == ("POST", "/v1/messages/batches"):
            self.calls += 1
            if self.case is not None:
                case, self.case = self.case, None
                while (await receive()).get("more_body"):
                    pass
                await _answer(case)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _answer(case: dict[str, Any]) -> Response:
    if "text" in case:
        return Response(case["text"], case["status"], case["headers"], media_type=case["media"])
    return JSONResponse(case["body"], case["status"], case["headers"])


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Scripted]]:
    """Give one bench for all cases, and its server's script: each case leaves everything complete."""
    folder = tmp_path_factory.mktemp("create") / "workspace"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        bench = Bench(folder, patch, {}, {})
        bench.server.app = server = Scripted(bench.server.app)
        yield bench, server
        bench.close()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_a_create_answer_means(shared_bench: tuple[Bench, Scripted], case: dict[str, Any]) -> None:
    """The call is made once, whatever comes, and becomes the one error that says what to do."""
    bench, server = shared_bench
    server.begin(case)
    body = bench.folder / "body.json"
    body.write_text('{"requests": []}')
    with pytest.raises(LotwiseError) as raised:
        bench.gateway.create(body)

    means = "TooLarge" if case["cause"] == "request_too_large" else case["means"]
    assert type(raised.value) is getattr(gateway, means), case["why"]
    assert server.calls == 1


@pytest.mark.parametrize("case", _BY_MEANING.values(), ids=[case["name"] for case in _BY_MEANING.values()])
def test_what_a_create_answer_makes_of_a_job(shared_bench: tuple[Bench, Scripted], case: dict[str, Any]) -> None:
    """One call; then it waits, is held, is looked for or is closed, with the API's words; and it gets through once."""
    bench, server = shared_bench
    server.begin(case)
    (job,) = bench.submit(request(case["name"]))
    complete, batches = bench.statuses().get("complete", 0), len(bench.batches())
    bench.tick()

    state, reason = bench.state(job)
    sentence = getattr(gateway, case["means"]).__doc__.strip().splitlines()[0]
    assert (state, server.calls) == (case["state"], 1), case["why"]
    assert reason is not None
    assert reason.startswith(sentence)
    failed = bench.slice(job).causes
    assert [one.cause for one in failed] == ([case["cause"]] if case["cause"] else [])

    if state == "held":
        actions.release(bench.workspace, job, now=bench.clock.now)
    if state == "failed":
        assert bench.slice(job).repairable == 0  # the same job would be refused again
        bench.load(request(case["name"], max_tokens=201), replace=True)
        bench.repair(job)
    bench.run()
    assert bench.statuses() == {"complete": complete + 1}
    assert (server.calls, len(bench.batches())) == (2, batches + 1)
