"""The routes of the local server: the Message Batches wire protocol, spoken by a simulation."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.sandbox.batch import Batch, microseconds
from core.sandbox.body import parse_object, read_body
from core.sandbox.catalogue import Catalogue
from core.sandbox.corners import Corner
from core.sandbox.downloads import download
from core.sandbox.engine import Engine
from core.sandbox.faults import CreateFault, Faults
from core.sandbox.folder import SandboxFolder
from core.sandbox.gate import BATCHES, REPORTS, Gate
from core.sandbox.intake import MAX_BATCH_BYTES, MAX_MESSAGE_BYTES, read_batch
from core.sandbox.limits import Credit
from core.sandbox.options import SandboxOptions
from core.sandbox.outcomes import NO_CREDIT
from core.sandbox.paging import page
from core.sandbox.params import LONG_OUTPUT_BETA
from core.sandbox.rehearsal import Rehearsal
from core.sandbox.replies import error_reply, failure_after_commit, json_reply, refusal_before_commit
from core.sandbox.reports import Reports
from core.sandbox.streaming import streamed_reply
from core.sandbox.synchronous import Messages
from core.sandbox.usage_log import UsageLog
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
    api_key: str | None = None,
    admin_key: str | None = None,
) -> Starlette:
    """The local server as an ASGI app. With a folder its batches survive a restart.

    `app.state.faults` takes further faults while the server runs. Any key is accepted unless `api_key` is given; with
    `admin_key` that key alone may read usage and cost reports.
    """
    options = options or SandboxOptions()
    faults = faults or Faults(hang_seconds=options.hang_seconds)
    server = _Server(options, folder, clock, faults)
    app = Starlette(
        routes=[
            Route("/", server.front, methods=["GET"]),
            Route(BATCHES, server.create, methods=["POST"]),
            Route(BATCHES, server.list, methods=["GET"]),
            Route(f"{BATCHES}/{{id}}", server.retrieve, methods=["GET"]),
            Route(f"{BATCHES}/{{id}}", server.delete, methods=["DELETE"]),
            Route(f"{BATCHES}/{{id}}/cancel", server.cancel, methods=["POST"]),
            Route(f"{BATCHES}/{{id}}/results", server.results, methods=["GET"]),
            Route("/v1/messages", server.message, methods=["POST"]),
            Route("/v1/messages/count_tokens", server.count_tokens, methods=["POST"]),
            Route("/v1/models", server.models, methods=["GET"]),
            Route("/v1/models/{id}", server.model, methods=["GET"]),
            Route(f"{REPORTS}/usage", server.usage_report, methods=["GET"]),
            Route(f"{REPORTS}/cost", server.cost_report, methods=["GET"]),
        ],
        middleware=[
            Middleware(Gate, faults, (api_key, admin_key), options.requests_per_minute, lambda: microseconds(clock())),
        ],
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
        self._clock = clock
        self._catalogue = Catalogue()
        self._folder = SandboxFolder(folder)
        self._credit = Credit(options, faults)
        self._rehearsal = Rehearsal(options)
        self._usage = UsageLog(folder)
        self._reports = Reports(options, self._usage, clock)
        self._engine = Engine(options, self._folder, clock, self._credit, self._usage)
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
                "rehearsed": self._options.rehearsed(),
            }
        )

    async def create(self, request: Request) -> Response:
        """Take in a batch."""
        body = await read_body(request, MAX_BATCH_BYTES)
        fault = self._faults.next_create() or self._rehearsal.next_create()
        failed = refusal_before_commit(fault, self._faults)
        if failed is None:
            long_output = LONG_OUTPUT_BETA in request.headers.get("anthropic-beta", "")
            batch = await run_in_threadpool(self._create, body, long_output, fault)
            if fault is CreateFault.SLOW:
                await asyncio.sleep(self._faults.slow_seconds)
            failed = failure_after_commit(fault, self._faults) or json_reply(self._wire(request, batch))
        return error_reply(failed, request.scope.get("request_id")) if isinstance(failed, WireError) else failed

    def _create(self, body: bytearray, long_output: bool, fault: CreateFault | None) -> Batch:
        draft = read_batch(body, self._catalogue, long_output=long_output)
        late = fault is CreateFault.LATE_COMMIT
        batch = self._engine.create(draft, later_seconds=self._faults.late_seconds if late else 0.0)
        self._rehearsal.created(batch.id)
        return batch

    async def list(self, request: Request) -> Response:
        """A page of batches, newest first."""
        lag_seconds = self._faults.list_lag_seconds
        batches = await run_in_threadpool(lambda: self._engine.newest_first(lag_seconds=lag_seconds))
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
        if self._faults.next_retrieve_missing() or self._rehearsal.next_retrieve_missing(name):
            raise WireError.at(Corner.UNKNOWN_BATCH, id=name)
        lag_seconds = self._faults.retrieve_lag_seconds
        batch = await run_in_threadpool(lambda: self._engine.retrieve(name, lag_seconds=lag_seconds))
        return json_reply(self._wire(request, batch))

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
        return await run_in_threadpool(self._results, request.path_params["id"], request.headers)

    def _results(self, name: str, asked: Headers) -> Response:
        batch = self._engine.retrieve(name)
        if batch.ended_us is None:
            raise WireError.at(Corner.RESULTS_EARLY, id=name)
        if batch.archived_us(self._options) <= self._engine.now_us:
            raise WireError.at(Corner.RESULTS_ARCHIVED, id=name)
        path = self._folder.results(batch)
        fault = self._faults.next_results() or self._rehearsal.next_results()
        try:
            return download(path, etag=f'"{batch.id}"', asked=asked, fault=fault)
        except FileNotFoundError:
            raise WireError.at(Corner.RESULTS_ARCHIVED, id=name) from None

    async def message(self, request: Request) -> Response:
        """A direct message, answered at once."""
        body = await read_body(request, MAX_MESSAGE_BYTES)
        if self._credit.exhausted:
            raise WireError.bad_request(NO_CREDIT.message)
        number, params = next(self._message_numbers), parse_object(body)
        message = await run_in_threadpool(lambda: self._messages.answer(params, number))
        await run_in_threadpool(self._usage.direct, microseconds(self._clock()), message)
        return streamed_reply(message) if params.get("stream") else json_reply(message)

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

    async def usage_report(self, request: Request) -> Response:
        """A page of the usage report."""
        return await self._report("usage", request)

    async def cost_report(self, request: Request) -> Response:
        """A page of the cost report."""
        return await self._report("cost", request)

    async def _report(self, what: str, request: Request) -> Response:
        def answer() -> dict[str, Any]:
            self._engine.catch_up()
            return self._reports.answer(what, request.query_params, request.headers)

        return json_reply(await run_in_threadpool(answer))

    def _wire(self, request: Request, batch: Batch) -> dict[str, Any]:
        base_url = str(request.base_url).rstrip("/")
        return batch.wire(now_us=self._engine.now_us, base_url=base_url, options=self._options)
