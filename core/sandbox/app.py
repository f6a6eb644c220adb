"""The routes of the local server: the Message Batches wire protocol, spoken by a simulation."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.sandbox.batch import Batch
from core.sandbox.body import parse_object, read_body
from core.sandbox.catalogue import Catalogue
from core.sandbox.corners import Corner
from core.sandbox.engine import Engine
from core.sandbox.faults import Faults
from core.sandbox.folder import SandboxFolder
from core.sandbox.gate import Gate
from core.sandbox.intake import MAX_BATCH_BYTES, MAX_MESSAGE_BYTES, read_batch
from core.sandbox.options import SandboxOptions
from core.sandbox.paging import page
from core.sandbox.params import LONG_OUTPUT_BETA
from core.sandbox.replies import (
    FileReply,
    error_reply,
    failure_after_commit,
    faulty_results,
    json_reply,
    refusal_before_commit,
)
from core.sandbox.synchronous import Messages
from core.sandbox.wire_errors import WireError


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


def create_app(
    options: SandboxOptions | None = None,
    *,
    folder: Path | None = None,
    clock: Callable[[], datetime] = utc_now,
    faults: Faults | None = None,
) -> Starlette:
    """The local server as an ASGI app. With a folder its batches survive a restart.

    `app.state.faults` takes further faults while the server runs.
    """
    options = options or SandboxOptions()
    faults = faults or Faults()
    server = _Server(options, folder, clock, faults)
    batches = "/v1/messages/batches"
    app = Starlette(
        routes=[
            Route("/", server.front, methods=["GET"]),
            Route(batches, server.create, methods=["POST"]),
            Route(batches, server.list, methods=["GET"]),
            Route(f"{batches}/{{id}}", server.retrieve, methods=["GET"]),
            Route(f"{batches}/{{id}}", server.delete, methods=["DELETE"]),
            Route(f"{batches}/{{id}}/cancel", server.cancel, methods=["POST"]),
            Route(f"{batches}/{{id}}/results", server.results, methods=["GET"]),
            Route("/v1/messages", server.message, methods=["POST"]),
            Route("/v1/messages/count_tokens", server.count_tokens, methods=["POST"]),
            Route("/v1/models", server.models, methods=["GET"]),
            Route("/v1/models/{id}", server.model, methods=["GET"]),
        ],
        middleware=[Middleware(Gate, faults)],
        exception_handlers={WireError: _on_wire_error, HTTPException: _on_http_error},
    )
    app.state.faults = faults
    app.state.options = options
    return app


async def _on_wire_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, WireError):
        raise error
    return error_reply(error, request.scope.get("request_id"))


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind = "not_found_error" if status == 404 else "invalid_request_error"
    text = f"{request.method} {request.url.path}: the local server has no such endpoint."
    return error_reply(WireError(status, kind, text), request.scope.get("request_id"))


class _Server:
    """The endpoints. Work that may take long runs off the event loop."""

    def __init__(
        self, options: SandboxOptions, folder: Path | None, clock: Callable[[], datetime], faults: Faults
    ) -> None:
        self._options = options
        self._faults = faults
        self._catalogue = Catalogue()
        self._folder = SandboxFolder(folder)
        self._engine = Engine(options, self._folder, clock)
        self._messages = Messages(options, self._catalogue, clock)
        self._message_numbers = itertools.count(1)

    async def front(self, request: Request) -> Response:
        """What this server is, for whoever opens its address in a browser."""
        return json_reply(
            {
                "service": "Lotwise local server",
                "simulated": True,
                "note": "Simulated data: no model is called and nothing is billed.",
                "options": self._options.as_dict(),
            }
        )

    async def create(self, request: Request) -> Response:
        """Take in a batch."""
        body = await read_body(request, MAX_BATCH_BYTES)
        fault = self._faults.next_create()
        refused = refusal_before_commit(fault, self._faults)
        if refused is None:
            long_output = LONG_OUTPUT_BETA in request.headers.get("anthropic-beta", "")
            batch = await run_in_threadpool(self._create, body, long_output)
            refused = failure_after_commit(fault, self._faults)
            if refused is None:
                return json_reply(self._wire(request, batch))
        return error_reply(refused, request.scope.get("request_id")) if isinstance(refused, WireError) else refused

    def _create(self, body: bytearray, long_output: bool) -> Batch:
        return self._engine.create(read_batch(body, self._catalogue, long_output=long_output))

    async def list(self, request: Request) -> Response:
        """A page of batches, newest first."""
        batches = await run_in_threadpool(self._engine.newest_first)
        found = page(
            batches,
            request.query_params,
            key=lambda batch: batch.id,
            wire=lambda batch: self._wire(request, batch),
        )
        return json_reply(found)

    async def retrieve(self, request: Request) -> Response:
        """One batch."""
        name = request.path_params["id"]
        if self._faults.next_retrieve_missing():
            raise WireError.at(Corner.UNKNOWN_BATCH, id=name)
        return json_reply(self._wire(request, await run_in_threadpool(self._engine.retrieve, name)))

    async def cancel(self, request: Request) -> Response:
        """Stop a batch."""
        batch = await run_in_threadpool(self._engine.cancel, request.path_params["id"])
        return json_reply(self._wire(request, batch))

    async def delete(self, request: Request) -> Response:
        """Drop an ended batch."""
        name = request.path_params["id"]
        await run_in_threadpool(self._engine.delete, name)
        return json_reply({"id": name, "type": "message_batch_deleted"})

    async def results(self, request: Request) -> Response:
        """The results of an ended batch as JSON lines."""
        return await run_in_threadpool(self._results, request.path_params["id"])

    def _results(self, name: str) -> Response:
        batch = self._engine.retrieve(name)
        if batch.ended_us is None:
            raise WireError.at(Corner.RESULTS_EARLY, id=name)
        if batch.archived_us(self._options) <= self._engine.now_us:
            raise WireError.at(Corner.RESULTS_ARCHIVED, id=name)
        path = self._folder.results(batch)
        fault = self._faults.next_results()
        try:
            return faulty_results(path, fault) if fault else FileReply(path)
        except FileNotFoundError:
            raise WireError.at(Corner.RESULTS_ARCHIVED, id=name) from None

    async def message(self, request: Request) -> Response:
        """A direct message, answered at once."""
        body = await read_body(request, MAX_MESSAGE_BYTES)
        number = next(self._message_numbers)
        return json_reply(await run_in_threadpool(lambda: self._messages.answer(parse_object(body), number)))

    async def count_tokens(self, request: Request) -> Response:
        """The input tokens of a request."""
        body = await read_body(request, MAX_MESSAGE_BYTES)
        return json_reply(await run_in_threadpool(lambda: self._messages.count(parse_object(body))))

    async def models(self, request: Request) -> Response:
        """A page of models."""
        asked = request.query_params.getlist("lifecycle[]") or ["active", "deprecated"]
        entries = self._catalogue.entries(asked)
        return json_reply(page(entries, request.query_params, key=lambda entry: entry["id"], wire=lambda entry: entry))

    async def model(self, request: Request) -> Response:
        """One model, by id or alias."""
        name = request.path_params["id"]
        entry = self._catalogue.entry(name)
        if entry is None:
            raise WireError(404, "not_found_error", f"model: {name}")
        return json_reply(entry)

    def _wire(self, request: Request, batch: Batch) -> dict[str, Any]:
        base_url = str(request.base_url).rstrip("/")
        return batch.wire(now_us=self._engine.now_us, base_url=base_url, options=self._options)
