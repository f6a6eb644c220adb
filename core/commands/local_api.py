"""The local API: how the command line reaches the process that owns a workspace. Loopback only, token-guarded."""

import hmac
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

import httpx2
import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.commands.verbs import Document, run_verb
from core.errors import LotwiseError
from core.loopback import HOST, LoopbackServer
from core.roles import Actor, Role, Way, user_name
from core.store import Owner
from core.workspace import Workspace

# An import of 256 MB takes seconds; a stuck owner should still let the caller go.
_TIMEOUT_SECONDS = 600.0
# Arguments are names of files and jobs.
_MOST_BYTES = 1_000_000
_USER = "lotwise-user"
_LONGEST_NAME = 100


class OwnerSilent(LotwiseError):
    """The app that owns this workspace does not answer. Stop it, then run the command again."""


class RefusedByOwner(LotwiseError):
    """The app that owns this workspace refused."""


def serve(workspace: Workspace, token: str) -> LoopbackServer:
    """A server that runs verbs on `workspace` for whoever shows the token.

    A browser has no business here: what names another host, or comes from a web page, is refused before the token is
    looked at, so that no site can reach it by a name that it points to this machine.
    """

    async def answer(request: Request) -> Response:
        if request.headers.get("origin") is not None:
            return _refusal("Web pages cannot use this address.", 403)
        shown = request.headers.get("authorization", "")
        if not hmac.compare_digest(shown.encode(), f"Bearer {token}".encode()):
            return _refusal("The token is not the one of this workspace.", 401)
        body = await _read(request)
        if body is None:
            return _refusal(f"More than {_MOST_BYTES:,} bytes are no arguments of a command.", 413)
        try:
            arguments = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError:
            arguments = None
        if not isinstance(arguments, dict):
            return _refusal("The arguments are not a JSON object.", 400)
        handed = workspace.acting(_caller(request))
        try:
            document = await run_in_threadpool(run_verb, handed, request.path_params["verb"], arguments)
        except LotwiseError as error:
            return _json({"error": error.message, "context": {k: str(v) for k, v in error.context.items()}}, 409)
        return _json(document, 200)

    only_here = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST], www_redirect=False)
    return LoopbackServer(Starlette(routes=[Route("/api/{verb}", answer, methods=["POST"])], middleware=[only_here]))


def ask_owner(owner: Owner, verb: str, arguments: Document) -> Document:
    """Run a verb in the owning process. Raises `OwnerSilent`, or `RefusedByOwner` with the owner's words."""
    if owner.url is None or owner.token is None:
        raise OwnerSilent(pid=owner.pid, command=owner.command)
    try:
        response = httpx2.post(
            f"{owner.url}/api/{verb}",
            content=orjson.dumps(arguments),
            headers={"authorization": f"Bearer {owner.token}", _USER: quote(user_name())},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,  # a proxy of the environment would get to see the token
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
    return orjson.dumps(value, default=_as_text, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def _as_text(value: Any) -> str:
    """An amount digit by digit, never with an exponent; whatever else there is as it says itself."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _caller(request: Request) -> Actor:
    """Who runs the command, for the log: whoever has the token is trusted to say it, and may do all."""
    name = unquote(request.headers.get(_USER, ""))[:_LONGEST_NAME]
    return Actor(name=name or user_name(), role=Role.OPERATOR, how=Way.COMMAND_LINE)


async def _read(request: Request) -> bytes | None:
    """The body; None where it is larger than any arguments are."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return None
    return bytes(body)


def _refusal(error: str, status: int) -> Response:
    return _json({"error": error, "context": {}}, status)


def _json(document: Document, status: int) -> Response:
    return Response(to_json(document), status_code=status, media_type="application/json")
