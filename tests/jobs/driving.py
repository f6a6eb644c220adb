"""A bench for jobs: a workspace, the real SDK, and a local server on a clock that only the test moves."""

import json
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import polars as pl
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import actions
from core.gateway import AnthropicGateway, RemoteBatch
from core.loopback import LoopbackServer
from core.sandbox import Faults, SandboxOptions, create_app
from core.settings import Settings
from core.workspace import Workspace

MODEL = "claude-sonnet-5-5"
START = datetime(2026, 11, 20, 10, tzinfo=UTC)
LONG_AGO = START - timedelta(days=30)


class Clock:
    """A clock that stands still until it is moved, and a stopwatch beside it that only runs forward."""

    def __init__(self) -> None:
        self.now = START
        self._seconds = 0.0

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)
        self._seconds += timedelta(**by).total_seconds()

    def jump(self, **by: float) -> None:
        """Somebody sets the clock."""
        self.now += timedelta(**by)

    def stopwatch(self) -> float:
        return self._seconds


class _Reading:
    """A receive that reads along; its owner is still the connection, because injected faults close that."""

    def __init__(self, receive: Receive, bodies: list[bytes], number: int) -> None:
        self.__self__ = getattr(receive, "__self__", None)
        self._receive, self._bodies, self._number = receive, bodies, number

    async def __call__(self) -> Message:
        message = await self._receive()
        self._bodies[self._number] += message.get("body", b"")
        return message


class Recorder:
    """Keeps the body of every create call that reaches the server, and counts the bytes of every download."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.downloads: list[int] = []
        self.app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, reading along."""
        if scope["type"] == "http" and scope["path"].endswith("/results"):
            await self._download(scope, receive, send)
            return
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/v1/messages/batches"):
            await self.app(scope, receive, send)
            return
        self.bodies.append(b"")
        await self.app(scope, _Reading(receive, self.bodies, len(self.bodies) - 1), send)

    async def _download(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = len(self.downloads)
        self.downloads.append(0)

        async def counted(message: Message) -> None:
            self.downloads[number] += len(message.get("body", b""))
            await send(message)

        await self.app(scope, receive, counted)

    @property
    def requests(self) -> list[list[dict[str, Any]]]:
        """The requests of each body."""
        return [json.loads(body)["requests"] for body in self.bodies]

    @property
    def items(self) -> list[str]:
        """The item of every request that arrived, as often as it arrived."""
        return [request["custom_id"][9:] for body in self.requests for request in body]


class Bench:
    """One workspace against one local server; `tick` and `run` do what the worker's thread would do."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, settings: dict[str, Any], options: Any) -> None:
        self.folder = folder
        self.clock = Clock()
        self.faults = Faults()
        self.settings = Settings(**{"settle_seconds": 120.0, **settings})
        self.ahead = timedelta(0)
        patch.setattr("core.workspace.utc_now", lambda: self.clock.now + self.ahead)
        patch.setattr("core.workspace.stopwatch", self.clock.stopwatch)
        patch.setattr("core.planning.identity.secrets", random.Random(0))  # outcomes are drawn from the ids sent
        self.server = Recorder()
        self._serve(options)
        self.workspace = self._open()

    def _serve(self, options: dict[str, Any]) -> None:
        options = {"width": 10_000, **options}
        self.server.app = create_app(
            SandboxOptions(**options), folder=self.folder / "sandbox", clock=self.clock, faults=self.faults
        )
        self._running = LoopbackServer(self.server).start()
        self.gateway = AnthropicGateway(api_key="any", base_url=self._running.url, simulated=True)

    def _open(self) -> Workspace:
        return Workspace.open(self.folder, gateway=self.gateway, settings=self.settings)

    def close(self) -> None:
        """End both."""
        self.workspace.close()
        self.gateway.close()
        self._running.stop()

    def reopen(self) -> None:
        """The process ends and another one starts on the same folder."""
        self.workspace.close()
        self.workspace = self._open()

    def set_own_clock(self, **ahead: float) -> None:
        """Somebody sets the clock of this machine, not the API's."""
        self.ahead = timedelta(**ahead)

    def server_down(self) -> None:
        """Nothing listens any more."""
        self.gateway.close()
        self._running.stop()

    def server_up(self, **options: Any) -> None:
        """The server is back with all its batches, on another port; what it makes of new items may have changed."""
        self._serve(options)
        self.reopen()

    def server_changes(self, **options: Any) -> None:
        """From here on, other things become of items."""
        self.server_down()
        self.server_up(**options)

    def load(self, *requests: dict[str, Any], replace: bool = False) -> None:
        """Import these requests."""
        path = self.folder.parent / "requests.jsonl"
        path.write_text("".join(json.dumps(request) + "\n" for request in requests))
        actions.import_files(self.workspace, [path], replace=replace)

    def submit(self, *requests: dict[str, Any], confirmed: str | None = None) -> list[str]:
        """Import these requests, and submit the whole backlog; return the ids of the jobs."""
        if requests:
            self.load(*requests)
        return list(actions.submit(self.workspace, now=self.clock.now, confirmed=confirmed).jobs)

    def tick(self, **later: float) -> int:
        """Let time pass, then have the worker take one step."""
        self.clock.move(**later)
        return self.workspace.worker.tick()

    def run(self, most: int = 40) -> Self:
        """Go on until no job is under way."""
        for _ in range(most):
            if not self.tick(minutes=5):
                return self
        raise AssertionError(f"still under way: {self.jobs().to_dicts()}")

    def run_until(self, job: str, state: str, most: int = 20) -> None:
        """Go on until a job is in a state."""
        for _ in range(most):
            if self.state(job)[0] == state:
                return
            self.tick(minutes=5)
        raise AssertionError(f"not {state}: {self.job(job)}")

    def foreign_batch(self, items: int) -> str:
        """Somebody else sends a batch on the same account; return its id."""
        body = self.folder.parent / "foreign.json"
        requests = [request(f"foreign-{number}") for number in range(items)]
        body.write_text(json.dumps({"requests": requests}))
        return self.gateway.create(body).batch_id

    def repair(self, job: str, *causes: str, confirmed: str | None = None) -> Any:
        """Click the button, with these causes chosen or with what is chosen by itself."""
        now = self.clock.now
        return actions.repair(self.workspace, job, now=now, causes=causes or None, confirmed=confirmed)

    def slice(self, job: str, *causes: str) -> Any:
        """What the button shows."""
        return actions.repair_preview(self.workspace, job, now=self.clock.now, causes=causes or None)

    def query(self, name: str, **params: Any) -> pl.DataFrame:
        """A named read."""
        return self.workspace.store.query(name, **params)

    def jobs(self) -> pl.DataFrame:
        """All jobs in the order in which they were made."""
        return self.query("status_jobs")

    def job(self, job_id: str) -> dict[str, Any]:
        """One job."""
        return self.query("job", job_id=job_id).row(0, named=True)

    def state(self, job_id: str) -> tuple[str, str | None]:
        """State and reason of a job."""
        row = self.job(job_id)
        return row["state"], row["reason"]

    def trouble(self) -> str | None:
        """What the worker says is wrong."""
        return self.workspace.worker.trouble

    def attempts(self, job_id: str | None = None) -> pl.DataFrame:
        """All attempts, or those of one job."""
        frame = self.query("export_attempts")
        return frame if job_id is None else frame.filter(pl.col("job_id") == job_id)

    def statuses(self) -> dict[str, int]:
        """How many items stand where."""
        return dict(self.query("status_items").iter_rows())

    def batches(self) -> list[RemoteBatch]:
        """Every batch that the server has, newest first."""
        return self.gateway.list_since(LONG_AGO)

    def write(self, sql_name: str, **params: Any) -> None:
        """Run a named statement, to put a job into a state that only an accident makes."""
        self.workspace.store.write(lambda tx: tx.run(sql_name, **params))


MakeBench = Callable[..., Bench]


def prefix(name: str, sentences: int = 120) -> str:
    """A system prompt worth caching: about 45 characters a sentence."""
    return f"{name}: " + "Judge the record by every one of these rules. " * sentences


def request(item: str, *, system: str | None = None, **params: Any) -> dict[str, Any]:
    """One request line."""
    asked: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 200,
        "messages": [{"role": "user", "content": f"Record {item}: is it in order?"}],
        **params,
    }
    return {"custom_id": item, "params": asked | ({"system": system} if system else {})}


def shared(name: str, count: int, **params: Any) -> list[dict[str, Any]]:
    """Requests of one class: a long system prompt, each with its own question."""
    return [request(f"{name}-{number:03d}", system=prefix(name), **params) for number in range(count)]


def lone(count: int, **params: Any) -> list[dict[str, Any]]:
    """Requests that share nothing worth caching: one unmarked body."""
    return [request(f"lone-{number:03d}", **params) for number in range(count)]


def marks(requests: Iterable[dict[str, Any]]) -> int:
    """How many of the requests carry a cache mark."""
    return sum('"cache_control"' in json.dumps(request) for request in requests)
