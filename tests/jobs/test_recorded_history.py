"""Batches as the API really answered them, listed by a server that only repeats what was recorded."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core import actions
from core.gateway import AnthropicGateway
from core.loopback import LoopbackServer
from core.workspace import Workspace
from tests.jobs.looking_back import found

SINCE = datetime(2024, 10, 1, tzinfo=UTC)


class Recording:
    """A server of recorded batches, as they stood at one of their polls."""

    def __init__(self, folder: Path) -> None:
        polls = [json.loads(line) for line in (folder / "recorded_batches.jsonl").read_text().splitlines()]
        self.first = {batch["id"]: batch for batch in reversed(polls)}
        self.last = {batch["id"]: batch for batch in polls}
        self.now = self.first
        with (folder / "recorded_batch_items.csv").open() as file:
            self.items = list(csv.DictReader(file))
        self.app = Starlette(
            routes=[
                Route("/v1/messages/batches", self.list),
                Route("/v1/messages/batches/{id}", self.retrieve),
                Route("/v1/messages/batches/{id}/results", self.results),
            ]
        )

    async def list(self, request: Request) -> Response:
        """All batches, newest first."""
        rows = sorted((self.wire(request, name) for name in self.now), key=lambda row: row["created_at"], reverse=True)
        return JSONResponse({"data": rows, "has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]})

    async def retrieve(self, request: Request) -> Response:
        """One batch."""
        return JSONResponse(self.wire(request, request.path_params["id"]))

    async def results(self, request: Request) -> Response:
        """What was recorded of the results: the id and the type of each."""
        rows = [item for item in self.items if item["batch_id"] == request.path_params["id"]]
        lines = [{"custom_id": row["custom_id"], "result": {"type": row["result_type"]}} for row in rows]
        return Response("".join(json.dumps(line) + "\n" for line in lines))

    def wire(self, request: Request, name: str) -> dict[str, Any]:
        """A batch whose results are fetched from here."""
        batch = dict(self.now[name])
        if batch["results_url"]:
            batch["results_url"] = f"{str(request.base_url).rstrip('/')}/v1/messages/batches/{name}/results"
        return batch


@pytest.fixture
def recording(shared_data: Path) -> Recording:
    """Return the recording, at its first poll."""
    folder = shared_data / "claude_cookbooks"
    if not folder.is_dir():
        pytest.skip("the recorded batches are not here")
    return Recording(folder)


@pytest.fixture
def workspace(recording: Recording, tmp_path: Path) -> Iterator[Workspace]:
    """Return a workspace on the account that was recorded."""
    with LoopbackServer(recording.app) as server:
        gateway = AnthropicGateway(api_key="any", base_url=server.url)
        with Workspace.open(tmp_path / "workspace", gateway=gateway) as opened:
            yield opened


def test_two_recorded_batches_come_in_when_they_have_ended(recording: Recording, workspace: Workspace) -> None:
    """Real objects, real ids: four questions are one class; four ids without a counter are named after their model."""
    assert found(actions.import_history(workspace, since=SINCE)) == {"running": (2, 8)}
    recording.now = recording.last
    report = actions.import_history(workspace, since=SINCE)

    assert found(report) == {"new": (2, 8)}
    everything: dict[str, Any] = {"class_name": None, "models": [], "tag_name": None, "tag_value": None}
    jobs = workspace.store.query("jobs_ended", first=SINCE.date(), last=SINCE.date().replace(day=9), **everything)
    seconds = sorted((row["ended_at"] - row["submitted_at"]).total_seconds() for row in jobs.iter_rows(named=True))
    assert [round(each, 1) for each in seconds] == [16.6, 29.3]
    assert not jobs["simulated"].any()
    names = workspace.store.query("class_names")["name"].to_list()
    assert names == ["question", "unknown"]
    # The recording holds no usage and no model: what is not known has no price, and no price is no zero.
    assert [row.cost_usd for row in report.found] == [None]
    assert [row.unpriced for row in report.found] == [8]
    assert found(actions.import_history(workspace, since=SINCE)) == {"known": (2, 8)}
