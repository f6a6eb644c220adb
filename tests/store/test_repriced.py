"""The ledger at other prices: only what they are about changes, and a start that finds nothing writes nothing."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from core.actions import prices
from core.billing.ledger import price_what_is_known
from core.billing.terms import add_prices, effective_book, end_price
from core.demo import fill_demo
from core.prices import ContractPrice
from core.prices.price_file import PriceFileRefused
from core.prices.repricing import reprice
from core.store import Store
from core.workspace import Workspace
from tests.cells import assert_cells_kept, rows
from tests.store.coming_back import NOW, came, message, opened

OCTOBER = date(2026, 10, 1)
NOVA = {"input": Decimal(3), "output": Decimal(15), "cache_read": Decimal("0.3")}
TENTH, FIFTH = (
    ContractPrice(discount=Decimal(share), first_day=day, source=share)
    for share, day in (("0.1", date(2025, 1, 1)), ("0.2", date(2026, 1, 1)))
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace that sends nothing."""
    with opened(tmp_path) as one:
        yield one


def costs(workspace: Workspace) -> dict[str, Decimal | None]:
    """What each item cost."""
    return dict(workspace.store.query("export_attempts").select("custom_id", "cost_usd").iter_rows())


def cost_once(store: Store, custom_id: str, usd: str) -> None:
    """Let an attempt have the cost that an older Lotwise gave it."""
    [place] = rows(store, f"SELECT rowid AS place, job_id FROM attempt WHERE custom_id = '{custom_id}'")
    frame = pl.DataFrame([place]).with_columns(cost_usd=pl.lit(Decimal(usd), pl.Decimal(38, 12)))
    store.write(lambda tx: tx.merge("put_costs", frame))


def test_what_nothing_was_agreed_about_keeps_its_cost(workspace: Workspace) -> None:
    """In the same batch too: what older prices gave, of a model that is known and of one that is not any more."""
    came(
        workspace,
        "first",
        message("opus", model="claude-opus-5-5"),
        message("haiku", model="claude-haiku-4-5"),
        message("retired", model="claude-retired-1"),
        message("nova", model="claude-nova-1"),
    )
    cost_once(workspace.store, "haiku", "0.55")
    cost_once(workspace.store, "retired", "7")
    before = costs(workspace)

    agreed = ContractPrice(model="claude-opus-5-5", discount=Decimal("0.1"), first_day=OCTOBER)
    listed = ContractPrice(model="claude-nova-1", listed=True, prices=NOVA, first_day=OCTOBER)
    assert before["opus"] is not None
    opus = before["opus"] * Decimal("0.9")
    assert prices.add_price(workspace, [agreed], now=NOW).attempts == 1
    assert costs(workspace) == before | {"opus": opus}
    done = prices.add_price(workspace, [listed], now=NOW)
    assert (done.attempts, done.found, done.lost) == (1, 1, 0)
    assert costs(workspace) == before | {"opus": opus, "nova": Decimal("0.00225")}
    assert_cells_kept(workspace.store)


def test_a_start_reads_what_is_unknown_and_writes_nothing_in_vain(workspace: Workspace) -> None:
    """A count that cannot be is looked at, alone of its batch; no transaction is made for it."""
    came(workspace, "first", message("good"), message("bad", output_tokens=None))
    store = workspace.store
    jobs = store.query("cells_to_price", only_unpriced=True)["job_id"].to_list()
    assert store.query("attempts_to_price", job_ids=jobs, only_unpriced=True).height == 1
    version = store.version
    assert price_what_is_known(store, workspace.book).attempts == 0
    assert store.version == version
    assert costs(workspace)["bad"] is None


def test_a_price_ends_earlier_whatever_the_clock_said(workspace: Workspace) -> None:
    """An end that was written down by a clock that had been put back counts as any other."""
    prices.add_price(workspace, [TENTH], now=NOW)
    for day, at in ((date(2026, 11, 30), NOW), (OCTOBER, NOW - timedelta(hours=1))):
        workspace.store.write(partial(end_price, number=1, last_day=day, by=str(day), now=at))
    [kept] = prices.price_list(workspace).kept
    assert (kept.terms.last_day, kept.ended_by, kept.ended_at) == (OCTOBER, "2026-10-01", NOW - timedelta(hours=1))


def test_an_older_file_revives_nothing(workspace: Workspace) -> None:
    """What was ended or taken back since stays so and is named; what holds as it is written is known."""
    prices.add_price(workspace, [TENTH, FIFTH], now=NOW)
    text = prices.price_file(workspace, "book.toml").encode()
    prices.end_contract_price(workspace, 1, last_day=OCTOBER, now=NOW)
    prices.end_contract_price(workspace, 2, last_day=date(2025, 12, 31), now=NOW)
    book = workspace.book.rate_frame()

    done = prices.import_prices(workspace, "book.toml", text, now=NOW)
    assert (done.numbers, done.ended) == ((), (1, 2))
    newer = prices.price_file(workspace, "book.toml").encode()
    assert prices.import_prices(workspace, "book.toml", newer, now=NOW).ended == ()
    assert workspace.book.rate_frame().equals(book)


def test_a_file_never_turns_round_which_row_counts(workspace: Workspace) -> None:
    """A row that another one covers in the file is not added on top of that one; after it, it may be."""
    prices.add_price(workspace, [TENTH, FIFTH], now=NOW)
    text = prices.price_file(workspace, "book.csv").encode()
    with opened(workspace.folder / "late") as other:
        prices.add_price(other, [FIFTH], now=NOW)
        with pytest.raises(PriceFileRefused, match=r"line: \d+, why: in this file it counts less than number 1"):
            prices.import_prices(other, "book.csv", text, now=NOW)
        assert other.store.query("contract_prices").height == 1
    with opened(workspace.folder / "early") as other:
        prices.add_price(other, [TENTH], now=NOW)
        assert prices.import_prices(other, "book.csv", text, now=NOW).numbers == (2,)
        assert other.book.rate_frame().equals(workspace.book.rate_frame())


def test_a_list_price_that_leaves_out_what_all_models_share_is_added_once(workspace: Workspace) -> None:
    """A file by hand names three kinds; brought in again it holds nothing new."""
    text = b"kind,model,first_day,input,output,cache_read\nlist,claude-nova-1,2026-10-01,3,15,0.3\n"
    assert prices.import_prices(workspace, "book.csv", text, now=NOW).numbers == (1,)
    again = prices.import_prices(workspace, "book.csv", text, now=NOW)
    assert (again.numbers, again.known, again.ended) == ((), 1, ())


@pytest.mark.parametrize(
    "row",
    [
        "packaged,claude-opus-5-5,2026-09-22,,0.18,4,,,",
        "packaged,claude-opus-5-5,2026-09-22,2027-01-01,,4,,,",
        "packaged,claude-haiku-5-5,2026-10-07,,,0.10,200000,,",
        "packaged,claude-nothing,2026-10-07,,,,,,",
    ],
)
def test_a_packaged_row_that_was_edited_is_refused(workspace: Workspace, row: str) -> None:
    """Whatever cell of it says something else: nobody takes for known what does not hold."""
    text = f"kind,model,first_day,last_day,discount,input,above_tokens,above_input,above_output\n{row}\n"
    with pytest.raises(PriceFileRefused, match=r"line: 2, .*not what came with Lotwise"):
        prices.import_prices(workspace, "book.csv", text.encode(), now=NOW)


def test_the_demo_costs_what_was_agreed(tmp_path: Path) -> None:
    """In a workspace with a contract it is history at the prices of that workspace, as all that comes in later."""
    store = Store.open(tmp_path / "lotwise.duckdb")
    try:
        half = ContractPrice(discount=Decimal("0.5"), first_day=date(2025, 1, 1))
        store.write(lambda tx: add_prices(tx, [half], by="somebody", now=NOW))
        spent = fill_demo(store, tmp_path, now=NOW).spend_usd
        cells, book = store.query("cells_to_price", only_unpriced=False), effective_book(store)
        assert spent == reprice(cells, book).sum() == reprice(cells, book.listed()).sum() / 2
    finally:
        store.close()
