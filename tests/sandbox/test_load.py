"""Many clients at once, and large batches: nothing is lost, and memory stays in proportion to one body."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from benchmarks.local_server import BATCHES, ServerProcess, crowd, send_file, server_process, write_batch
from core.commands.command_line import main

HEADERS = {"x-api-key": "any", "anthropic-version": "2023-06-01"}
CLIENTS, ITEMS = 100, 20
REQUESTS, BODY_BYTES = 10_000, 40_000_000
PATIENCE = 120.0
MIB = 1 << 20


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    """Return a local server in a process of its own, as a user starts it."""
    with server_process() as running:
        yield running


def test_a_hundred_clients_at_once_get_each_their_own(process: ServerProcess) -> None:
    """Every client gets exactly the results of its own batch, and the server has every batch once."""
    found = asyncio.run(crowd(process.url, clients=CLIENTS, items=ITEMS))

    for number, ids in enumerate(found):
        assert ids == {f"client-{number}-{item}" for item in range(ITEMS)}
    with httpx2.Client(base_url=process.url, headers=HEADERS, timeout=PATIENCE) as http:
        page = http.get(BATCHES, params={"limit": 1000}).json()
    assert len({batch["id"] for batch in page["data"]}) == CLIENTS
    assert {batch["request_counts"]["succeeded"] for batch in page["data"]} == {ITEMS}


def test_large_batches_take_memory_for_one_body(process: ServerProcess, tmp_path: Path) -> None:
    """Every request comes back once; a second and third such batch take hardly more memory than the first."""
    body = tmp_path / "body.json"
    write_batch(body, requests=REQUESTS, size=BODY_BYTES)
    peaks = [_peak(process)]

    with httpx2.Client(base_url=process.url, headers=HEADERS, timeout=PATIENCE) as http:
        for _ in range(3):
            batch = http.get(f"{BATCHES}/{send_file(process.url, body)['id']}").json()
            assert batch["request_counts"]["succeeded"] == REQUESTS
            with http.stream("GET", batch["results_url"]) as results:
                ids = [json.loads(line)["custom_id"] for line in results.iter_lines()]
            assert len(ids) == len(set(ids)) == REQUESTS
            peaks.append(_peak(process))

    size = body.stat().st_size / MIB
    assert peaks[1] - peaks[0] < 3 * size + 64
    assert peaks[3] - peaks[1] < size / 2 + 16


def _peak(process: ServerProcess) -> float:
    """The most memory so far in MiB, where the machine tells it."""
    return process.peak_mib() if sys.platform == "linux" else 0.0


def test_the_command_line_takes_rehearsals_and_a_key() -> None:
    """Its options are those of the server; the key is in nothing that can be read from it."""
    with server_process("--drop-rate", "0.25", "--queue-limit", "9", "--api-key", "sk-sim-secret") as running:
        page = httpx2.get(running.url, timeout=PATIENCE)
        keys = ("sk-sim-secret", "sk-sim-other")
        answers = [
            httpx2.get(f"{running.url}{BATCHES}", headers=HEADERS | {"x-api-key": key}, timeout=PATIENCE)
            for key in keys
        ]

    assert page.json()["rehearsed"] == {"drop_rate": 0.25, "queue_limit": 9}
    assert [answer.status_code for answer in answers] == [200, 401]
    assert not any("secret" in answer.text for answer in (page, *answers))


@pytest.mark.parametrize("key", ["", " padded ", "with\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_wrong_usage(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody could ever offer it, so the server does not start with it."""
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "--api-key", key])

    assert ended.value.code == 2
    assert "printable ASCII" in capsys.readouterr().err
