"""The Prices page: the book, contract prices added and ended by click, and what could not be priced."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.actions.prices import add_price, end_contract_price, price_file
from core.prices import ContractPrice
from core.workspace import Workspace
from pages.session import shared_workspace
from pages.standing import RUNNING, STOPPED
from tests.store.coming_back import NOW, came, message, opened

Open = Any


def sound(app: AppTest) -> AppTest:
    """No traceback and no refusal is on the page."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []
    return app


def total(workspace: Workspace) -> Decimal:
    """The sum of all known costs, to the last decimal."""
    return sum(workspace.store.query("export_attempts")["cost_usd"].drop_nulls().to_list(), Decimal(0))


def lost(workspace: Workspace) -> Decimal:
    """What failures that are still open have cost."""
    cost: Decimal = workspace.store.query("standing", running=RUNNING, stopped=STOPPED)["open_cost_usd"][0]
    return cost


def test_the_book_shows_today_or_its_history(open_app: Open, demo: Path) -> None:
    """Today every model has its prices and where they were read; with past prices each earlier row stands there too."""
    app = sound(open_app(demo, "prices.py"))
    today = app.dataframe[-1].value
    assert {"claude-haiku-5-5", "claude-fable-5-2"} <= set(today["model"])
    assert today["source"].notna().all()
    assert today["checked"].notna().all()

    app.toggle(key="history").set_value(True).run()
    assert len(sound(app).dataframe[-1].value) > len(today)


def test_a_discount_is_checked_added_and_taken_back(open_app: Open, demo: Path) -> None:
    """The check says what the click then does: the ledger costs that share less; taken back, it costs what it did."""
    app = sound(open_app(demo, "prices.py"))
    listed, failed = total(shared_workspace()), lost(shared_workspace())
    assert failed > 0
    app.number_input(key="price-percent").set_value(20.0)
    app.date_input(key="price-first-day").set_value(date(2025, 1, 1)).run()
    app.button(key="price-add-check").click().run()
    assert "Nothing is kept yet" in sound(app).info[0].value
    assert total(shared_workspace()) == listed

    app.button(key="price-add").click().run()
    assert "Kept." in sound(app).success[0].value
    assert total(shared_workspace()) == listed * Decimal("0.8")
    assert lost(shared_workspace()) == failed * Decimal("0.8")
    assert app.dataframe[0].value["state"].to_list() == ["In force"]

    app.date_input(key="price-end-day").set_value(date(2024, 12, 31)).run()
    app.button(key="price-end").click().run()
    assert sound(app).dataframe[0].value["state"].to_list() == ["Taken back"]
    assert total(shared_workspace()) == listed


def test_what_is_wrong_is_said_and_changes_nothing(open_app: Open, demo: Path) -> None:
    """A click without terms is refused with a sentence."""
    app = sound(open_app(demo, "prices.py"))
    app.button(key="price-add").click().run()
    assert "either a discount or prices" in app.error[0].value
    assert [error.value for error in app.exception] == []
    assert shared_workspace().store.query("contract_prices").is_empty()


def test_a_file_that_was_taken_away_holds_nothing_new(open_app: Open, demo: Path) -> None:
    """Brought in again, every row is there already; a faulty file is refused with its line."""
    app = sound(open_app(demo, "prices.py"))
    text = price_file(shared_workspace(), "prices.csv")
    app.file_uploader(key="prices-upload").upload("prices.csv", text.encode(), "text/csv").run()
    assert any("0 rows are new" in each.value for each in sound(app).markdown)

    app.file_uploader(key="prices-upload").upload("bad.csv", b"kind,model,first_day\nlist,m,soon\n", "text/csv").run()
    assert "line\\: 2" in app.error[0].value

    nested = f"price = {'[' * 5_000}{']' * 5_000}"
    app.file_uploader(key="prices-upload").upload("bad.toml", nested.encode(), "application/toml").run()
    assert "nested too deeply" in app.error[0].value
    assert [error.value for error in app.exception] == []


def test_a_row_of_an_older_file_that_ended_since_is_named(open_app: Open, tmp_path: Path) -> None:
    """It is there already, ended, and stays so."""
    with opened(tmp_path) as workspace:
        add_price(workspace, [ContractPrice(discount=Decimal("0.1"), first_day=date(2026, 1, 1))], now=NOW)
        text = price_file(workspace, "prices.csv")
        end_contract_price(workspace, 1, last_day=date(2026, 3, 31), now=NOW)
    app = sound(open_app(tmp_path / "workspace", "prices.py"))
    app.file_uploader(key="prices-upload").upload("prices.csv", text.encode(), "text/csv").run()
    assert any("left so: number 1" in each.value for each in sound(app).markdown)


def test_what_has_no_price_is_listed_until_it_has_one(open_app: Open, tmp_path: Path) -> None:
    """Model, reason and number stand on the page, and counts that cannot be; a list price added there prices them."""
    with opened(tmp_path) as workspace:
        came(workspace, "first", message("a", model="claude-nova-1"), message("b", output_tokens=-1), message("c"))
    app = sound(open_app(tmp_path / "workspace", "prices.py"))
    assert next(metric.value for metric in app.metric if metric.label == "Attempts without a price") == "2"
    assert set(app.dataframe[0].value["model"]) == {"claude-nova-1", "claude-sonnet-5-5"}
    assert app.dataframe[1].value["said"].to_list() == ["output_tokens is -1"]

    app.radio(key="price-kind").set_value("list").run()
    app.text_input(key="price-new-model").set_value("claude-nova-1")
    app.date_input(key="price-first-day").set_value(date(2026, 1, 1))
    for kind, price in (("input", 3.0), ("output", 15.0), ("cache_read", 0.3)):
        app.number_input(key=f"price-{kind}").set_value(price)
    app.button(key="price-add").click().run()
    assert "1 of them had no known cost" in sound(app).success[0].value
    assert set(app.dataframe[0].value["model"]) == {"claude-sonnet-5-5"}


def test_viewers_may_look(open_app: Open, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not change anything sees the book; the buttons that change it are dead."""
    monkeypatch.setattr("pages.frame.may_change", lambda: False)
    app = sound(open_app(demo, "prices.py"))
    assert app.button(key="price-add").disabled
    assert not app.button(key="price-add-check").disabled
