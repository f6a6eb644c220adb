"""What may stand between Lotwise and the API: answers with words that nobody here chose."""

import json
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Answer = Callable[[Scope], Response | None]


class Front:
    """Answers a request itself where `answer` gives something; passes on all others, with texts of errors replaced."""

    def __init__(self, app: ASGIApp, answer: Answer, *, error_text: str | None = None) -> None:
        self._app, self._answer, self._error_text = app, answer, error_text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and (response := self._answer(scope)) is not None:
            await response(scope, receive, send)
        elif self._error_text and scope["type"] == "http" and scope["path"].endswith("/results"):
            await self._results(scope, receive, send, self._error_text)
        else:
            await self._app(scope, receive, send)

    async def _results(self, scope: Scope, receive: Receive, send: Send, text: str) -> None:
        body = b""

        async def gather(message: Message) -> None:
            nonlocal body
            body += message.get("body", b"")

        await self._app(scope, receive, gather)
        lines = [json.loads(line) for line in body.splitlines()]
        for line in lines:
            if line["result"]["type"] == "errored":
                line["result"]["error"]["error"]["message"] = text
        changed = "".join(json.dumps(line) + "\n" for line in lines)
        await Response(changed, media_type="application/binary")(scope, receive, send)


def refusing(status: int, text: str, *, path: str = "/v1/messages/batches", method: str = "POST") -> Answer:
    """Refuse the first call to `path` in the form of the API, with these words."""
    left = [True]

    def answer(scope: Scope) -> Response | None:
        if left[0] and scope["path"] == path and scope["method"] == method:
            left[0] = False
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": text}}
            return Response(json.dumps(error), status, {"request-id": "req_front"}, "application/json")
        return None

    return answer
