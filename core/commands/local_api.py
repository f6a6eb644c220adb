"""The local API: how the command line reaches the process that owns a workspace. Loopback only, token-guarded."""

import hmac
from typing import Any

import httpx2
import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.commands.verbs import Document, run_verb
from core.errors import LotwiseError
from core.loopback import LoopbackServer
from core.store import Owner
from core.workspace import Workspace

# An import of 256 MB takes seconds; a stuck owner should still let the caller go.
_TIMEOUT_SECONDS = 600.0


class OwnerSilent(LotwiseError):
    """The app that owns this workspace does not answer. Stop it, then run the command again."""


class RefusedByOwner(LotwiseError):
    """The app that owns this workspace refused."""


def serve(workspace: Workspace, token: str) -> LoopbackServer:
    """A server that runs verbs on `workspace` for whoever shows the token."""

    async def answer(request: Request) -> Response:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), token.encode()):
            return _json({"error": "The token is not the one of this workspace.", "context": {}}, 401)
        arguments = orjson.loads(await request.body() or b"{}")
        try:
            document = await run_in_threadpool(run_verb, workspace, request.path_params["verb"], arguments)
        except LotwiseError as error:
            return _json({"error": error.message, "context": {k: str(v) for k, v in error.context.items()}}, 409)
        return _json(document, 200)

    return LoopbackServer(Starlette(routes=[Route("/api/{verb}", answer, methods=["POST"])]))


def ask_owner(owner: Owner, verb: str, arguments: Document) -> Document:
    """Run a verb in the owning process. Raises `OwnerSilent`, or `RefusedByOwner` with the owner's words."""
    if owner.url is None or owner.token is None:
        raise OwnerSilent(pid=owner.pid, command=owner.command)
    try:
        response = httpx2.post(
            f"{owner.url}/api/{verb}",
            content=orjson.dumps(arguments),
            headers={"authorization": f"Bearer {owner.token}"},
            timeout=_TIMEOUT_SECONDS,
        )
    except httpx2.HTTPError as error:
        raise OwnerSilent(pid=owner.pid, command=owner.command, why=type(error).__name__) from error
    try:
        document: Document = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise RefusedByOwner("The app that owns this workspace failed. Its log says why.", verb=verb) from error
    if response.status_code != 200:
        raise RefusedByOwner(document["error"], **document["context"])
    return document


def to_json(value: Any) -> bytes:
    """One JSON document; money as text with every digit, times in ISO form."""
    return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def _json(document: Document, status: int) -> Response:
    return Response(to_json(document), status_code=status, media_type="application/json")
