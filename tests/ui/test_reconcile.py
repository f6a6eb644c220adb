"""The Reconcile page: reports read by click, what explains the difference, what is flagged, a discount taken over."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core.actions.reconciliation import reconcile
from core.gateway import ReportsRefused
from core.store import Store
from pages import session, words
from tests.ui.conftest import Open

PAGE = "reconcile.py"


def sound(app: AppTest) -> AppTest:
    """No traceback and no refusal is on the page."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []
    return app


def dollars(app: AppTest, label: str) -> str:
    """What stands on a card."""
    return next(metric.value for metric in app.metric if metric.label == label).replace("\\", "")


@pytest.fixture
def read(open_app: Open, demo: Path) -> AppTest:
    """The page of the demo once its reports were read."""
    app = sound(open_app(demo, PAGE))
    assert any(words.say("reconcile.empty_title") in header.value for header in app.header)
    return sound(app.button(key="read-reports").click().run())


def test_reports_are_read_by_click_and_kept(read: AppTest, demo: Path, open_app: Open) -> None:
    """Report and ledger stand side by side; direct messages explain, batches from elsewhere are flagged in words."""
    opened = session.workspace()
    span = opened.store.query("report_span").row(0, named=True)
    found = reconcile(opened, first=span["first"], last=span["last"]).found

    assert dollars(read, "Account reports") == f"${found.reported_usd:,.2f}"
    assert dollars(read, "Ledger") == f"${found.our_usd:,.2f}"
    assert [part.name for part in found.explained] == ["other_tier"]
    (flag,) = found.flags
    assert [warning.value for warning in read.warning if "more of batches" in warning.value] == [
        words.literal(flag.said)
    ]
    before = [metric.value for metric in read.metric]
    assert [metric.value for metric in sound(open_app(demo, PAGE)).metric] == before


def test_a_refused_key_is_a_sentence(open_app: Open, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account refuses: the page says what to set, and goes on with what it has."""
    app = sound(open_app(demo, PAGE))

    def refuse(*_: Any) -> None:
        raise ReportsRefused

    monkeypatch.setattr(session.workspace().gateway, "reports", refuse)
    app = app.button(key="read-reports").click().run()

    assert [error.value for error in app.exception] == []
    assert "ANTHROPIC" in app.error[0].value


def test_a_discount_is_taken_over_by_click(read: AppTest, demo: Path, open_app: Open) -> None:
    """The report charges less than list price: the page says so, and one click adds it to the price book."""
    opened = session.workspace()
    opened.store.write(_charge_less)
    app = sound(open_app(demo, PAGE))
    assert any("price book does not have" in warning.value for warning in app.warning)
    before = _spent(opened.store)

    app = sound(app.button(key="take-discount").click().run())

    assert not any("price book does not have" in warning.value for warning in app.warning)
    after = _spent(opened.store)
    assert after < before
    assert {row["discount"] for row in opened.store.query("contract_prices").iter_rows(named=True)} == {
        Decimal("0.100000")
    }


def _charge_less(tx: Any) -> None:
    cost = tx.frame("reported_cost", first="2020-01-01", last="2030-01-01")
    tx.run("forget_reported_cost", first="2020-01-01", last="2030-01-01")
    less = (pl.col("list_usd").cast(pl.Decimal(38, 13)) * Decimal("0.9")).cast(pl.Decimal(38, 12))
    tx.merge("add_reported_cost", cost.with_columns(less.alias("amount_usd")))


def _spent(store: Store) -> Decimal:
    return sum(store.query("export_attempts")["cost_usd"].drop_nulls().to_list(), Decimal(0))
