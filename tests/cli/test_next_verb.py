"""The verb `next`: what would save money, taking it up or not, and what came of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.store import Store, Transaction
from tests.cli.conftest import Call

MODEL = "claude-sonnet-5-5"
DAYS, ITEMS = 14, 20
PREFIX, COLD_USD, CUT_USD = 40_000, Decimal("0.3"), Decimal("0.2")


@pytest.fixture
def ledger(workspace_dir: Path) -> Path:
    """Give a workspace with two weeks of two classes: one writes its prefix with every request, one is cut off."""
    store = Store.open(workspace_dir / "lotwise.duckdb")
    store.write(_two_classes)
    store.close()
    return workspace_dir


def _two_classes(tx: Transaction) -> None:
    tx.merge("demo_add_classes", pl.DataFrame([_class("cold"), _class("cut")]))
    today = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0)
    days = [today - timedelta(days=age) for age in range(1, DAYS + 1)]
    sent = [(name, day, f"{name}-{day:%m%d}") for name in ("cold", "cut") for day in days]
    tx.merge("demo_add_jobs", pl.DataFrame([_job(*one) for one in sent]))
    attempts = [_attempt(*one, number) for one in sent for number in range(ITEMS)]
    tx.merge(
        "demo_add_attempts",
        pl.DataFrame(attempts, infer_schema_length=None, schema_overrides={"cost_usd": pl.Decimal(24, 12)}),
    )


def _class(name: str) -> dict[str, Any]:
    shared = {"prefix_blocks": 1, "prefix_chars": 4 * PREFIX, "prefix_tokens": PREFIX, "cacheable": True, "preview": ""}
    return {"class_id": name, "name": f"Class {name}", "model": MODEL, "created_at": datetime.now(UTC), **shared}


def _job(name: str, day: datetime, job_id: str) -> dict[str, Any]:
    fixed = {"role": "body", "model": MODEL, "state": "done", "item_count": ITEMS, "body_bytes": 1, "simulated": True}
    return fixed | {"job_id": job_id, "class_id": name, "created_at": day, "submitted_at": day, "ended_at": day}


def _attempt(name: str, day: datetime, job_id: str, number: int) -> dict[str, Any]:
    cut = name == "cut" and number < ITEMS // 2
    return {
        "job_id": job_id,
        "item_id": f"{job_id}-{number}",
        "custom_id": f"{job_id}-{job_id}-{number}",
        "class_id": name,
        "model": MODEL,
        "number": 1,
        "outcome": "succeeded",
        "usable": not cut,
        "cause": "max_tokens" if cut else None,
        "stop_reason": "max_tokens" if cut else "end_turn",
        "input_tokens": 100,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": PREFIX if name == "cold" else 0,
        "cache_read_tokens": 0 if name == "cold" else PREFIX,
        "output_tokens": 100,
        "service_tier": "batch",
        "cost_usd": COLD_USD if name == "cold" else CUT_USD,
        "submitted_at": day,
    }


@pytest.mark.usefixtures("ledger")
def test_list_take_and_dismiss(call: Call, say: Call) -> None:
    """Listed with dollars, evidence and a key; what is taken becomes a promise, what is dismissed is gone."""
    listed = call("next")["next_savings"]

    found = {(each["kind"], each["class_name"]): each for each in listed}
    first, second = found["prime", "Class cold"], found["truncated", "Class cut"]
    assert {each["confidence"] for each in listed} <= {"measured", "estimated", "assumed"}
    assert all(Decimal(each["usd_month"]) >= 1 for each in listed)
    assert first["evidence"]["hit_rate"] == 0
    assert Decimal(second["usd_month"]) == 30 * ITEMS // 2 * CUT_USD
    assert f"{first['usd_month'][:4]}" in say("next")

    taken = call("next", "take", first["key"])
    assert (taken["key"], taken["usd_month"]) == (first["key"], first["usd_month"])
    assert call("next", "dismiss", second["key"], "--note", "not now")["dismissed"]

    after = call("next")
    assert not {first["key"], second["key"]} & {each["key"] for each in after["next_savings"]}
    (promise,) = after["promises"]
    assert (promise["key"], promise["state"], promise["how"]) == (first["key"], "early", "taken")
    assert promise["realised_usd"] is None


def test_wrong_usage_and_unknown_keys(call: Call, say: Call) -> None:
    """A key that is not listed is refused with a sentence; a key or a note that is missing is wrong usage."""
    assert call("next")["next_savings"] == []
    assert "no such entry among the next savings" in call("next", "take", "prime:0", code=1)["error"]
    for arguments in (("take",), ("dismiss", "prime:0")):
        with pytest.raises(SystemExit) as ended:
            say("next", *arguments)
        assert ended.value.code == 2
