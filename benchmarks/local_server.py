"""The local server under load: a batch at both limits of the API, and a hundred clients at once."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.timing import Ratio, compare
from core.loopback import LoopbackServer

REQUESTS = 100_000
BODY_BYTES = 255_900_000
CLIENTS = 100
ITEMS = 50
BATCHES = "/v1/messages/batches"
_PIECE = 1 << 20
_MIB = 1 << 20
_CHECKOUT = Path(__file__).resolve().parents[1]
_OPTIONS = ("--time-scale", "1000000", "--width", "100000")


class ServerProcess:
    """A local server in a process of its own, as a user starts it."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.url = url
        self._process = process

    def peak_mib(self) -> float:
        """The most memory it has had so far; known on Linux only."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) / 1024 if found else float("nan")


@contextmanager
def server_process(*options: str) -> Iterator[ServerProcess]:
    """Start a local server, and end it."""
    command = [sys.executable, "-m", "core", "sandbox", *_OPTIONS, *options]
    with subprocess.Popen(command, cwd=_CHECKOUT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            (url,) = re.findall(r"http://\S+", process.stderr.readline())
            yield ServerProcess(process, url)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)


def write_batch(path: Path, *, requests: int, size: int) -> None:
    """A create body of that many requests and at most that many bytes."""
    head, tail = '{"requests":[', "]}"
    params = {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "TEXT"}]}
    sample = json.dumps({"custom_id": f"item-{0:06d}", "params": params}, separators=(",", ":"))
    text = "x" * ((size - len(head) - len(tail)) // requests - len(sample) - 1 + len("TEXT"))
    with path.open("w") as file:
        file.write(head)
        for number in range(requests):
            request = {"custom_id": f"item-{number:06d}", "params": params}
            line = json.dumps(request, separators=(",", ":")).replace("TEXT", text)
            file.write(f",{line}" if number else line)
        file.write(tail)


def send_file(url: str, path: Path) -> dict[str, object]:
    """Create a batch from a body on disk, a piece at a time."""
    headers = {"x-api-key": "any", "anthropic-version": "2023-06-01", "content-length": str(path.stat().st_size)}
    with path.open("rb") as file, httpx2.Client(timeout=600) as http:
        answer = http.post(f"{url}{BATCHES}", headers=headers, content=iter(lambda: file.read(_PIECE), b""))
    answer.raise_for_status()
    return dict(answer.json())


async def whole_life(url: str, name: str, items: int) -> set[str]:
    """One client on connections of its own: create a batch, look until it has ended, return the ids of its results."""
    headers = {"x-api-key": name, "anthropic-version": "2023-06-01"}
    params = {"model": "claude-haiku-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": f"I am {name}"}]}
    asked = {"requests": [{"custom_id": f"{name}-{number}", "params": params} for number in range(items)]}
    # No address of this machine is worth loading its certificates for.
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=120, verify=False) as http:
        batch = (await http.post(BATCHES, json=asked)).raise_for_status().json()
        while batch["processing_status"] != "ended":
            await asyncio.sleep(0.02)
            batch = (await http.get(f"{BATCHES}/{batch['id']}")).raise_for_status().json()
        async with http.stream("GET", batch["results_url"]) as answer:
            return {json.loads(line)["custom_id"] async for line in answer.aiter_lines()}


async def crowd(url: str, *, clients: int, items: int) -> list[set[str]]:
    """That many clients at once."""
    return await asyncio.gather(*(whole_life(url, f"client-{number}", items) for number in range(clients)))


async def _queue(url: str) -> None:
    for number in range(CLIENTS):
        await whole_life(url, f"client-{number}", ITEMS)


async def _parse(request: Request) -> Response:
    """The least that a server must do with a batch."""
    return JSONResponse({"count": len(orjson.loads(await request.body())["requests"])})


def measure() -> list[Ratio]:
    """Seconds and memory of the largest batch there can be, and what it costs to serve a hundred clients at once."""
    with tempfile.TemporaryDirectory() as name:
        body = Path(name) / "body.json"
        write_batch(body, requests=REQUESTS, size=BODY_BYTES)
        return [*_largest_batch(body), _hundred_clients()]


def _largest_batch(body: Path) -> Iterator[Ratio]:
    bare = Starlette(routes=[Route(BATCHES, _parse, methods=["POST"])])
    with server_process() as server, LoopbackServer(bare) as floor:
        idle = server.peak_mib()
        yield compare(
            "take in 100,000 requests, 256 MB",
            lambda: send_file(server.url, body),
            "receive and parse it",
            lambda: send_file(floor.url, body),
            goal="<= 5",
            rounds=3,
        )
        peak, size = server.peak_mib() - idle, body.stat().st_size / _MIB
    yield Ratio(
        name="memory of the server for it, four times over",
        seconds=peak,
        against="the body",
        against_seconds=size,
        ratio=peak / size,
        goal="<= 2.5",
        unit="MiB",
    )


def _hundred_clients() -> Ratio:
    with server_process() as server:
        return compare(
            "100 clients at once, 50 items each",
            lambda: asyncio.run(crowd(server.url, clients=CLIENTS, items=ITEMS)),
            "one after another",
            lambda: asyncio.run(_queue(server.url)),
            goal="<= 1",
            rounds=3,
        )
