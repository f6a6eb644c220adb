"""The models on offer, asked of the API by the real SDK."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.gateway import AccountHeld, AnthropicGateway, ClosedGateway, GatewayDown, KeyMissing
from core.loopback import LoopbackServer
from core.prices import PriceBook
from core.sandbox import create_app

Answering = Callable[[Callable[[Request], Response]], AnthropicGateway]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Return a function that gives a gateway to a server with this answer to every list of models."""
    with ExitStack() as stack:

        def start(answer: Callable[[Request], Response]) -> AnthropicGateway:
            async def models(request: Request) -> Response:
                return answer(request)

            server = stack.enter_context(LoopbackServer(Starlette(routes=[Route("/v1/models", models)])))
            gateway = AnthropicGateway(api_key="sk-test", base_url=server.url)
            stack.callback(gateway.close)
            return gateway

        yield start


def test_every_model_of_the_local_server_is_read() -> None:
    """What the book knows and the list tells agree, line by line."""
    with LoopbackServer(create_app()) as server:
        gateway = AnthropicGateway(api_key="any", base_url=server.url)
        found = gateway.models()
        gateway.close()

    assert [
        (of.id, of.display_name, of.line, of.lifecycle, of.retires_at, of.max_input_tokens, of.max_tokens, of.batch)
        for of in found
    ] == [
        (m.id, m.display_name, m.line, m.lifecycle, m.retires_at, m.max_input_tokens, m.max_tokens, True)
        for m in PriceBook.load().models()
    ]


def test_the_list_is_read_to_its_last_page(answering: Answering) -> None:
    """A model on the second page is as good as one on the first; retired ones are not asked for."""
    asked: list[list[str]] = []

    def page(request: Request) -> Response:
        asked.append(request.query_params.getlist("lifecycle[]"))
        last = "after_id" in request.query_params
        name = "claude-b" if last else "claude-a"
        return JSONResponse({"data": [{"id": name}], "has_more": not last, "first_id": name, "last_id": name})

    found = answering(page).models()

    assert [of.id for of in found] == ["claude-a", "claude-b"]
    assert asked == [["active", "deprecated"]] * 2


def test_what_is_missing_is_unknown_and_what_is_new_is_passed_over(answering: Answering) -> None:
    """A later API may add fields, lines and stages; an older one may lack some: neither stops the list."""
    told: list[dict[str, Any]] = [
        {"id": "bare"},
        {
            "id": "claude-next-9",
            "type": "model",
            "display_name": "Claude Next 9",
            "line": "next",
            "lifecycle": "preview",
            "deprecated_at": None,
            "retires_at": "2027-05-01T02:00:00+02:00",
            "max_input_tokens": "many",
            "max_tokens": 256_000,
            "capabilities": {"batch": {"supported": False}, "dreaming": {"supported": True}},
            "mood": "good",
        },
    ]

    bare, new = answering(lambda _: JSONResponse({"data": told, "has_more": False})).models()

    assert (bare.display_name, bare.line, bare.lifecycle, bare.max_tokens) == ("bare", None, "active", None)
    assert (bare.retires_at, bare.batch) == (None, True)
    assert (new.line, new.lifecycle, new.batch) == ("next", "preview", False)
    assert (new.max_input_tokens, new.max_tokens) == (None, 256_000)
    assert new.retires_at == datetime(2027, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "raised"), [(401, AccountHeld), (403, AccountHeld), (400, GatewayDown), (404, GatewayDown)]
)
def test_a_refused_list_says_what_to_do(answering: Answering, status: int, raised: type[Exception]) -> None:
    """A key that may not list models is the account's matter; anything else passes or is asked again."""
    error = {"type": "error", "error": {"type": "some_error", "message": "Simulated"}}

    with pytest.raises(raised, match="Simulated"):
        answering(lambda _: JSONResponse(error, status_code=status)).models()


def test_what_is_no_list_is_an_api_that_is_down(answering: Answering) -> None:
    """A proxy's page is no list of models."""
    with pytest.raises(GatewayDown):
        answering(lambda _: Response("<html>", media_type="text/html")).models()


def test_without_a_key_nothing_is_asked() -> None:
    """A real account whose key is missing says so."""
    with pytest.raises(KeyMissing):
        ClosedGateway().models()
