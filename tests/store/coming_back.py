"""Batches of an account as they come back: results files by hand, taken in as the account's history."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.gateway import AnthropicGateway, RemoteBatch
from core.history.naming import NamingRules, default_text
from core.history.results import take_in
from core.settings import Settings
from core.workspace import Workspace

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SENT = {"first": datetime(2026, 11, 1, 10, tzinfo=UTC), "second": datetime(2026, 11, 20, 10, tzinfo=UTC)}
"""When each batch was sent: a month has a day of contract prices in between."""
MODEL = "claude-sonnet-5-5"


def usage(**counts: Any) -> dict[str, Any]:
    """The usage of a message as the API gives it."""
    return {"input_tokens": 1_000, "output_tokens": 100, "service_tier": "batch", **counts}


def message(item: str, *, model: str = MODEL, stop: str = "end_turn", **counts: Any) -> dict[str, Any]:
    """One result line that succeeded."""
    said = {"model": model, "stop_reason": stop, "usage": usage(**counts)}
    return {"custom_id": item, "result": {"type": "succeeded", "message": said}}


def errored(item: str) -> dict[str, Any]:
    """One result line that failed."""
    error = {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}
    return {"custom_id": item, "result": {"type": "errored", "error": error}}


def opened(folder: Path) -> Workspace:
    """Open it; nobody listens where its gateway looks."""
    gateway = AnthropicGateway(api_key="any", base_url="http://127.0.0.1:9", simulated=True)
    return Workspace.open(folder / "workspace", gateway=gateway, settings=Settings())


def came(workspace: Workspace, batch: str, *results: dict[str, Any]) -> None:
    """A batch of the account came back with these results."""
    path = workspace.folder / f"{batch}.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in results))
    failed = sum(each["result"]["type"] == "errored" for each in results)
    at = SENT[batch]
    remote = RemoteBatch(
        batch_id=batch,
        status="ended",
        created_at=at,
        expires_at=at + timedelta(days=1),
        ended_at=at,
        has_results=True,
        archived=False,
        processing=0,
        succeeded=len(results) - failed,
        errored=failed,
        canceled=0,
        expired=0,
    )
    rules = NamingRules.parse(default_text())
    take_in(workspace.store, path, workspace.book, rules, remote, now=NOW, simulated=True)
