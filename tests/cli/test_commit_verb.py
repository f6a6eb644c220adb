"""`commit --terms`: the ledger's own demand under the terms of a contract, and a sentence where there is no answer."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from core.workspace import Workspace, utc_now
from tests.cli.conftest import Call

TERMS = """
name = "offer"
as_of = 2026-11-20
first = {first}
months = 3
interest = 0.08
[[band]]
commit = 100
discount = 0.1
[[band]]
commit = 100000
discount = 0.3
"""


# Fifteen weeks up to yesterday: a job a day, less at weekends, 1,000 to 1,200 tokens in and 100 out each.
WORK = """
INSERT INTO cost_cell BY NAME
SELECT 'job-' || n AS job_id, 'Invoices' AS class_id, 'claude-sonnet-5-5' AS model, submitted_at,
       submitted_at::DATE AS day, 0 AS tag_set, 'succeeded' AS outcome, true AS usable, true AS billed,
       false AS rerun, false AS counted, 'batch' AS service_tier, 0 AS above_tokens, attempts,
       attempts * (1000 + n * 37 % 5 * 50) AS input_tokens, 0 AS cache_write_5m_tokens, 0 AS cache_write_1h_tokens,
       0 AS cache_read_tokens, attempts * 100 AS output_tokens, 1e4 * attempts AS output_squares, 0 AS web_searches,
       0 AS counted_units, 0.0015 * attempts AS cost_usd, 0 AS unpriced
FROM (SELECT n, $now::TIMESTAMPTZ - to_days(n::INTEGER) AS submitted_at,
             CASE WHEN n % 7 < 2 THEN 3000 ELSE 9000 END + n * 53 % 11 * 200 AS attempts
      FROM range(1, 106) r(n))
"""


@pytest.fixture
def work(workspace_dir: Path) -> None:
    """Three months of work in the ledger, as the pages and verbs read it."""
    with Workspace.open(workspace_dir):
        pass
    with duckdb.connect(str(workspace_dir / "lotwise.duckdb")) as ledger:
        ledger.execute("SET TimeZone = 'UTC'")
        ledger.execute(WORK, {"now": utc_now()})


def terms(folder: Path, text: str = TERMS) -> Path:
    """A file of terms that begin with the first day of the month after next."""
    now = utc_now()
    month = (now.month + 1) % 12 + 1
    first = now.date().replace(year=now.year + (month <= now.month), month=month, day=1)
    path = folder / "terms.toml"
    path.write_text(text.replace("{first}", first.isoformat()))
    return path


def by_name(rows: list[dict[str, Any]], name: str = "name") -> dict[str, dict[str, Any]]:
    """Rows by their name."""
    return {row[name]: row for row in rows}


@pytest.mark.usefixtures("work")
def test_the_ledger_says_what_to_commit_to(tmp_path: Path, call: Call, say: Call) -> None:
    """The recommendation costs least of all that stand beside it; amounts are text; the same seed says the same."""
    path = terms(tmp_path)
    told = call("commit", "--terms", path, "--seed", 3)
    named = by_name(told["commitments"])

    assert told["commitments"][0]["name"] == "recommended"
    assert Decimal(told["commit"]) == Decimal(named["recommended"]["commit"])
    assert Decimal(told["expected_pay"]) == min(Decimal(row["expected"]) for row in told["commitments"])
    assert {"none", "lowest_band", "p10", "p50", "p90", "trailing_60_days", "ask"} < set(named)
    assert Decimal(told["list_value"]["p10"]) < Decimal(told["list_value"]["p50"]) < Decimal(told["list_value"]["p90"])
    assert Decimal(by_name(told["clause_prices"], "clause")["protection"]["at_commitment"]) > 0
    assert sum(told["variance_shares"].values()) == pytest.approx(1, abs=1e-3)
    assert set(by_name(told["demand_classes"], "class_name")) == {"Invoices"}
    assert {**told, "as_of": None} == {**call("commit", "--terms", path, "--seed", 3), "as_of": None}
    assert "recommended" in say("commit", "--terms", path)


def test_there_is_no_answer_without_work(tmp_path: Path, call: Call) -> None:
    """An empty workspace has no demand; terms that contradict themselves and files that are none are named."""
    assert "too little work" in call("commit", "--terms", terms(tmp_path), code=1)["error"]
    bad = terms(tmp_path, TERMS.replace("months = 3", "months = 0"))
    assert "1 to 60 months" in call("commit", "--terms", bad, code=1)["context"]["why"]
    bad.write_text("name = ")
    assert call("commit", "--terms", bad, code=1)["context"]["why"].startswith("not TOML")
    assert "no file" in call("commit", "--terms", tmp_path / "none.toml", code=1)["error"]
