"""The other side: an account at the local server, on a clock of its own, with strangers in it; and what it billed."""

import json
import os
import signal
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import httpx2
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.loopback import LoopbackServer, PortBusy
from core.sandbox import CreateFault, Faults, ResultsFault, SandboxOptions, create_app

START = datetime(2026, 11, 20, 10, tzinfo=UTC)
_BATCHES = "/v1/messages/batches"
HEADERS = {"authorization": "Bearer any", "anthropic-version": "2026-10-21"}
_LONGEST_LIFE = timedelta(hours=25)
_STRANGER = "stranger"
_TAG_LENGTH = 8
_MOST_DOWNLOADS = 20


class KillAt(Enum):
    """The moment of a create call at which its sender is killed."""

    ARRIVAL = "its head has arrived, perhaps not yet its body"
    COMMITTED = "the batch is made, the answer is not sent"
    ANSWERED = "the answer is on its way"


@dataclass(frozen=True, kw_only=True)
class Truth:
    """One batch as the account knows it in the end.

    `billed` holds the items (custom_ids without their job's tag) that succeeded; nothing else is billed here, because
    the server of these tests makes no item unusable that it bills.
    """

    batch_id: str
    created_at: datetime
    stranger: bool
    cancel_asked: bool
    tags: frozenset[str]
    billed: tuple[str, ...]


class StruckFaults(Faults):
    """Faults that count how many of them struck, and that may spare some calls in between."""

    def __init__(self) -> None:
        super().__init__()
        self.struck = 0
        self.coming: deque[CreateFault | None] = deque()
        """What strikes the next creates; None lets one pass."""

    def end(self) -> None:
        """No fault any more."""
        self.coming.clear()
        self.results.clear()
        self.credit_exhausted = False
        self.missing_retrieves = 0
        self.latency_seconds = self.list_lag_seconds = self.retrieve_lag_seconds = 0.0

    def next_create(self) -> CreateFault | None:
        """The fault of this create, used up."""
        fault = self.coming.popleft() if self.coming else None
        self.struck += fault is not None
        return fault

    def next_results(self) -> ResultsFault | None:
        """The fault of this download, used up."""
        fault = super().next_results()
        self.struck += fault is not None
        return fault

    def next_retrieve_missing(self) -> bool:
        """Whether this retrieve finds nothing, used up."""
        missing = super().next_retrieve_missing()
        self.struck += missing
        return missing


class Account:
    """An account and its server, which runs in a thread of this process on one port; `begin` makes both new."""

    def __init__(self) -> None:
        self._front = _Front()
        self._server: LoopbackServer | None = LoopbackServer(self._front).start()
        self.url = self._server.url
        self._port = int(self.url.rpartition(":")[2])
        self._client = httpx2.Client(base_url=self.url, headers=HEADERS, timeout=30.0)
        self.begin(SandboxOptions())

    def begin(self, options: SandboxOptions, *, pace: float = 0.0) -> None:
        """A new account, without batches and faults, at the start of its time.

        Its time stands still unless it is moved; with a `pace` that many seconds pass in a real one besides.
        """
        self.up()
        self._moved_to, self._began, self._pace = START, time.monotonic(), pace
        self.faults = StruckFaults()
        self._front.app = create_app(options, clock=lambda: self.now, faults=self.faults)
        self._front.victim = None

    @property
    def now(self) -> datetime:
        """What the account's clock says."""
        return self._moved_to + timedelta(seconds=self._pace * (time.monotonic() - self._began))

    def move(self, by: timedelta) -> None:
        """Time passes."""
        self._moved_to += by

    def down(self) -> None:
        """Nothing listens any more: connections are refused."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def up(self) -> None:
        """It listens again, with all its batches, where it did."""
        while self._server is None:
            with suppress(PortBusy):  # somebody's passing connection
                self._server = LoopbackServer(self._front, port=self._port).start()
                return
            time.sleep(0.05)

    def close(self) -> None:
        """End the server."""
        self._client.close()
        self.down()

    def kill(self, pid: int | None, moment: KillAt) -> None:
        """Kill that process at that moment of the next create call; None calls it off."""
        self._front.victim, self._front.moment = pid, moment

    def strange_batch(self, items: int) -> None:
        """Somebody else sends a batch on the same account; no fault is meant for them.

        While the API is away, or the account has no credit, they cannot either.
        """
        requests = [
            {
                "custom_id": f"{_STRANGER}-{number}",
                "params": {
                    "model": "claude-sonnet-5-5",
                    "max_tokens": 100,
                    "messages": [{"role": "user", "content": "Theirs."}],
                },
            }
            for number in range(items)
        ]
        ours, self.faults.coming = self.faults.coming, deque()
        with suppress(httpx2.ConnectError):
            answer = self._client.post(_BATCHES, content=json.dumps({"requests": requests}))
            assert answer.is_success or self.faults.credit_exhausted, answer.text
        self.faults.coming = ours

    def truth(self) -> list[Truth]:
        """Every batch of the account once all have ended, oldest first; whatever was left running runs and bills."""
        self.up()
        self.move(_LONGEST_LIFE)
        self.faults.end()
        return books(self._client)


class _Front:
    """What stands before the server: it can kill the sender of a create call at a moment of that call."""

    def __init__(self) -> None:
        self.app: ASGIApp
        self.victim: int | None = None
        self.moment = KillAt.ARRIVAL

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        creates = scope["type"] == "http" and (scope["method"], scope["path"]) == ("POST", _BATCHES)
        victim, moment = self.victim, self.moment
        if not creates or victim is None:
            await self.app(scope, receive, send)
            return
        self.victim = None
        if moment is KillAt.ARRIVAL:
            os.kill(victim, signal.SIGKILL)

        async def answer(message: Message) -> None:
            if moment is KillAt.COMMITTED and message["type"] == "http.response.start":
                os.kill(victim, signal.SIGKILL)
            await send(message)

        await self.app(scope, receive, answer)
        if moment is KillAt.ANSWERED:
            os.kill(victim, signal.SIGKILL)


def books(client: httpx2.Client) -> list[Truth]:
    """Every batch that the account at this address lists, oldest first; all must have ended."""
    found: list[dict[str, Any]] = []
    more = True
    while more:
        after = {"after_id": found[-1]["id"]} if found else {}
        page = client.get(_BATCHES, params={"limit": 1000, **after}).raise_for_status().json()
        found += page["data"]
        more = page["has_more"]
    return [_told(client, batch) for batch in reversed(found)]


def _told(client: httpx2.Client, batch: dict[str, Any]) -> Truth:
    lines = _results(client, batch)
    return Truth(
        batch_id=batch["id"],
        created_at=datetime.fromisoformat(batch["created_at"]),
        stranger=lines[0]["custom_id"].startswith(_STRANGER),
        cancel_asked=batch["cancel_initiated_at"] is not None,
        tags=frozenset(line["custom_id"][:_TAG_LENGTH] for line in lines),
        billed=tuple(line["custom_id"][_TAG_LENGTH + 1 :] for line in lines if line["result"]["type"] == "succeeded"),
    )


def _results(client: httpx2.Client, batch: dict[str, Any]) -> list[dict[str, Any]]:
    """All results of a batch, asked for until they are whole: the server may still be told to break some."""
    for _ in range(_MOST_DOWNLOADS):
        with suppress(httpx2.HTTPError, json.JSONDecodeError):
            answer = client.get(f"{_BATCHES}/{batch['id']}/results").raise_for_status()
            lines = [json.loads(line) for line in answer.text.splitlines()]
            if len(lines) == sum(batch["request_counts"].values()):
                return lines
    raise RuntimeError(f"no whole results of {batch['id']}")
