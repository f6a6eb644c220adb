"""Contract prices in a workspace: the ledger follows them exactly, on record; what cannot be priced is said."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.actions import prices
from core.audit import NotAllowed, entries
from core.billing.terms import NoSuchPrice, OnlyEarlier
from core.prices import ContractPrice
from core.prices.acceptance import NotUsd, PriceRefused
from core.prices.costs import Usage, attempt_cost
from core.prices.price_file import PriceFileRefused
from core.prices.repricing import reprice
from core.roles import Actor, Role, Way
from core.workspace import Workspace
from tests.store.coming_back import MODEL, NOW, SENT, came, errored, message, opened

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 10)
TENTH_OFF = ContractPrice(discount=Decimal("0.1"), first_day=OCTOBER, source="Order form")
NOVA = {"input": Decimal(3), "output": Decimal(15), "cache_read": Decimal("0.3")}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace that sends nothing."""
    with opened(tmp_path) as one:
        yield one


def costs(workspace: Workspace) -> dict[str, Any]:
    """What each item cost."""
    rows = workspace.store.query("export_attempts").select("custom_id", "cost_usd")
    return dict(rows.iter_rows())


def in_cells(workspace: Workspace) -> pl.DataFrame:
    """The cells of all attempts that are billed."""
    return workspace.store.query("cells_to_price", only_unpriced=False)


def test_the_ledger_follows_what_was_agreed(workspace: Workspace) -> None:
    """Attempts and cells of its days are priced anew, others stay; taken back, each costs to the digit what it did."""
    came(workspace, "first", message("a"), message("b", cache_read_input_tokens=10_000), errored("c"))
    came(workspace, "second", message("d", stop="max_tokens"), message("e", model="claude-haiku-5-5"))
    listed = costs(workspace)
    plain = Usage(input_tokens=1_000, output_tokens=100)
    assert listed["a"] == attempt_cost(workspace.book, plain, model=MODEL, at=SENT["first"]) == Decimal("0.0015")
    assert listed["c"] == 0

    fifth = ContractPrice(model=MODEL, discount=Decimal("0.2"), first_day=NOVEMBER)
    done = prices.add_price(workspace, [TENTH_OFF, fifth], now=NOW)

    paid = costs(workspace)
    shares = {"a": "0.9", "b": "0.9", "c": "1", "d": "0.8", "e": "0.9"}
    assert paid == {item: listed[item] * Decimal(share) for item, share in shares.items()}
    assert (done.numbers, done.attempts, done.found, done.lost) == ((1, 2), 4, 0, 0)
    assert done.change_usd == sum(paid.values()) - sum(listed.values()) == done.after_usd - done.before_usd
    cells = in_cells(workspace)
    assert reprice(cells, workspace.book).sum() == sum(paid.values())
    assert reprice(cells, workspace.book.listed()).sum() == sum(listed.values())
    assert workspace.store.query("export_costs")["cost_usd"].sum() == sum(paid.values())

    prices.end_contract_price(workspace, 2, last_day=date(2026, 11, 9), now=NOW)
    assert costs(workspace)["d"] == listed["d"] * Decimal("0.9")
    prices.end_contract_price(workspace, 1, last_day=date(2026, 9, 30), now=NOW)
    assert costs(workspace) == listed
    assert [one.never_held for one in prices.price_list(workspace).kept] == [True, True]


def test_a_rehearsal_says_the_same_and_keeps_nothing(workspace: Workspace) -> None:
    """How many attempts change, and by how much, is known before; neither rows nor costs nor the log remember it."""
    came(workspace, "first", message("a"), message("b"))
    before = costs(workspace)
    would = prices.add_price(workspace, [TENTH_OFF], now=NOW, dry_run=True)
    assert costs(workspace) == before
    assert workspace.store.query("contract_prices").is_empty()
    assert entries(workspace.store, limit=9) == ()
    assert prices.add_price(workspace, [TENTH_OFF], now=NOW) == would


def test_every_holder_of_the_book_follows(workspace: Workspace) -> None:
    """What comes in later is priced by it: for the worker, for whoever holds the workspace, and after a restart."""
    handed = workspace.acting(workspace.actor)
    prices.add_price(handed, [TENTH_OFF], now=NOW)
    came(workspace, "second", message("a"))
    assert costs(workspace) == {"a": Decimal("0.00135")}
    assert handed.book is workspace.book
    rate = workspace.book.rates(MODEL, at=NOW)
    folder = workspace.folder.parent
    workspace.close()
    with opened(folder) as again:
        assert again.book.rates(MODEL, at=NOW) == rate
        assert again.book.listed().rates(MODEL, at=NOW).input == rate.input / Decimal("0.9")


def test_it_is_on_record(workspace: Workspace) -> None:
    """Who added and ended what is kept with the rows, and the log says what it changed; viewers are refused."""
    came(workspace, "first", message("a"))
    prices.add_price(workspace, [TENTH_OFF], now=NOW)
    prices.end_contract_price(workspace, 1, last_day=date(2026, 10, 31), now=NOW)
    assert [(entry.action, entry.subject["attempts"]) for entry in entries(workspace.store, limit=9)] == [
        ("end-price", 1),
        ("add-prices", 1),
    ]
    kept = prices.price_list(workspace).kept[0]
    assert (kept.added_by, kept.ended_by) == (workspace.actor.name, workspace.actor.name)
    assert (kept.agreed_last_day, kept.terms.last_day) == (None, date(2026, 10, 31))
    viewer = workspace.acting(Actor(name="somebody", role=Role.VIEWER, how=Way.BROWSER))
    with pytest.raises(NotAllowed):
        prices.add_price(viewer, [TENTH_OFF], now=NOW)


def test_rows_only_end_earlier(workspace: Workspace) -> None:
    """Nothing that priced something is edited: a row can neither be prolonged nor begin again."""
    prices.add_price(workspace, [TENTH_OFF], now=NOW)
    with pytest.raises(NoSuchPrice, match="number: 7"):
        prices.end_contract_price(workspace, 7, last_day=NOVEMBER, now=NOW)
    prices.end_contract_price(workspace, 1, last_day=NOVEMBER, now=NOW)
    with pytest.raises(OnlyEarlier, match="ends: 2026-11-10"):
        prices.end_contract_price(workspace, 1, last_day=date(2026, 12, 1), now=NOW)


def test_refused_terms_leave_nothing(workspace: Workspace) -> None:
    """Of several rows none is added where one is wrong."""
    with pytest.raises(PriceRefused, match="claude-nobody-1"):
        prices.add_price(
            workspace,
            [TENTH_OFF, ContractPrice(model="claude-nobody-1", discount=Decimal("0.1"), first_day=OCTOBER)],
            now=NOW,
        )
    assert workspace.store.query("contract_prices").is_empty()
    assert workspace.book.rates(MODEL, at=NOW) == workspace.book.listed().rates(MODEL, at=NOW)


def test_an_unknown_model_is_priced_once_its_price_is_there(workspace: Workspace) -> None:
    """Until then its cost is unknown, never zero, named and counted; then it is priced, also from a later start."""
    came(workspace, "first", message("a", model="claude-nova-1"), message("b"))
    assert costs(workspace) == {"a": None, "b": Decimal("0.0015")}
    group = prices.price_list(workspace).unpriced[0]
    assert (group.why, group.model, group.attempts) == ("unknown_model", "claude-nova-1", 1)
    assert group.first_day == group.last_day == date(2026, 11, 1)
    assert "does not list this model" in group.said

    late = ContractPrice(model="claude-nova-1", listed=True, prices=NOVA, first_day=NOVEMBER)
    assert prices.add_price(workspace, [late], now=NOW).attempts == 0
    assert prices.price_list(workspace).unpriced[0].why == "no_price"

    early = ContractPrice(model="claude-nova-1", listed=True, prices=NOVA, first_day=OCTOBER)
    done = prices.add_price(workspace, [early, TENTH_OFF], now=NOW)
    assert (done.found, done.lost) == (1, 0)
    assert costs(workspace)["a"] == (1_000 * Decimal(3) + 100 * Decimal(15)) / 2_000_000 * Decimal("0.9")
    assert prices.price_list(workspace).unpriced == ()

    assert prices.end_contract_price(workspace, 2, last_day=date(2026, 9, 1), now=NOW).lost == 1
    assert costs(workspace)["a"] is None


def test_what_a_newer_book_prices_is_priced_at_the_start(tmp_path: Path) -> None:
    """A price that came with another Lotwise prices what was unknown, once, and on record."""
    with opened(tmp_path) as workspace:
        came(workspace, "first", message("a", model="claude-nova-1"))
        row = {"model": "claude-nova-1", "listed": True, "discount": None, "first_day": OCTOBER, "last_day": None}
        kinds = {**dict.fromkeys(("cache_write_5m", "cache_write_1h", "web_search")), **NOVA}
        values = {**row, **kinds, "source": "", "remark": "", "now": NOW, "by": "somebody"}
        workspace.store.write(
            lambda tx: tx.run(
                "add_contract_price", **values | {"cache_write_5m": 4, "cache_write_1h": 6, "web_search": 10}
            )
        )
        assert costs(workspace) == {"a": None}
    for _ in range(2):
        with opened(tmp_path) as workspace:
            assert costs(workspace) == {"a": Decimal("0.00225")}
            assert [(entry.action, entry.actor) for entry in entries(workspace.store, limit=9)] == [
                ("reprice", "worker")
            ]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"input_tokens": -5}, "input_tokens is -5"),
        ({"output_tokens": None}, "output_tokens is missing"),
        ({"input_tokens": None}, "input_tokens is missing"),
        ({"cache_read_input_tokens": -1, "output_tokens": -2}, "cache_read_tokens is -1"),
        (
            {"cache_creation_input_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 9}},
            "write_5m_tokens is -4",
        ),
        ({"server_tool_use": {"web_search_requests": -1}}, "web_searches is -1"),
    ],
)
def test_counts_that_cannot_be_are_named(workspace: Workspace, counts: dict[str, Any], said: str) -> None:
    """Negative or missing tokens are priced as unknown, never as zero nor below it; no price can mend them."""
    came(workspace, "first", message("good"), message("bad", **counts))
    assert costs(workspace) == {"good": Decimal("0.0015"), "bad": None}
    found = prices.price_list(workspace)
    assert [(group.why, group.attempts) for group in found.unpriced] == [("bad_counts", 1)]
    assert [said in one.said for one in found.bad_counts] == [True]
    prices.add_price(workspace, [TENTH_OFF], now=NOW)
    assert costs(workspace) == {"good": Decimal("0.00135"), "bad": None}


def test_missing_words_of_a_batch_result(workspace: Workspace) -> None:
    """No tier means batch; writes without their split count as five-minute ones, and how many is said."""
    came(
        workspace,
        "first",
        message("no-tier", service_tier=None),
        message("unsplit", cache_creation_input_tokens=4_000),
        message("split", cache_creation_input_tokens=4_000, cache_creation={"ephemeral_1h_input_tokens": 4_000}),
        message("none", cache_creation_input_tokens=0, cache_creation=None),
    )
    base = Decimal("0.0015")
    assert costs(workspace) == {
        "no-tier": base,
        "unsplit": base + 4_000 * Decimal("1.25") / 1_000_000,
        "split": base + 4_000 * Decimal(2) / 1_000_000,
        "none": base,
    }
    assert prices.price_list(workspace).unsplit == {"jobs": 1, "attempts": 1, "tokens": 4_000}


@pytest.mark.parametrize("name", ["book.toml", "book.csv", "BOOK.CSV"])
def test_a_book_that_is_taken_away_changes_nothing_when_it_comes_back(workspace: Workspace, name: str) -> None:
    """Every row of an exported file is there already; in another workspace it makes the same book."""
    nova = ContractPrice(model="claude-nova-1", listed=True, prices=NOVA, first_day=OCTOBER, note='say "=2", \\ too')
    agreed = ContractPrice(model="claude-nova-1", discount=Decimal("0.25"), first_day=NOVEMBER, source="=cmd()")
    prices.add_price(workspace, [TENTH_OFF, nova, agreed], now=NOW)
    prices.end_contract_price(workspace, 1, last_day=NOVEMBER, now=NOW)
    path = workspace.folder.parent / name
    assert prices.write_price_file(workspace, path) == len(workspace.book.packaged_rows()) + 3

    again = prices.import_prices(workspace, name, path.read_bytes(), now=NOW)
    assert (again.numbers, again.attempts) == ((), 0)
    assert workspace.store.query("contract_prices").height == 3
    with opened(workspace.folder / "other") as other:
        assert prices.import_prices(other, name, path.read_bytes(), now=NOW).numbers == (1, 2, 3)
        ours, theirs = workspace.book.rate_frame(), other.book.rate_frame()
        assert theirs.drop("source").equals(ours.drop("source"))


@pytest.mark.parametrize(
    ("content", "error", "why"),
    [
        (
            b"kind,model,first_day,discount\ncontract,*,2026-10-01,0.1\ncontract,*,2026-10-01,7\n",
            PriceFileRefused,
            "line: 3",
        ),
        (b"kind,model,first_day,input\npackaged,claude-opus-5-5,2026-09-22,3\n", PriceFileRefused, "line: 2"),
        (b"kind,model,first_day,input\npackaged,claude-opus-5-5,2026-09-21,4\n", PriceFileRefused, "line: 2"),
        (b"kind,model,first_day,discount,currency\ncontract,*,2026-10-01,0.1,EUR\n", NotUsd, "line: 2, currency: EUR"),
        (b"kind,model,first_day\n\xff\n", PriceFileRefused, "line: 2, why: it is not UTF-8"),
    ],
)
def test_a_faulty_file_is_refused_whole(workspace: Workspace, content: bytes, error: type[Exception], why: str) -> None:
    """With the line; nothing of it is kept."""
    with pytest.raises(error, match=why):
        prices.import_prices(workspace, "book.csv", content, now=NOW)
    assert workspace.store.query("contract_prices").is_empty()


def test_only_price_files_are_read_and_written(workspace: Workspace) -> None:
    """The ending tells the kind; another one is refused with a sentence."""
    with pytest.raises(prices.NotAPriceFile, match="book\\.xlsx"):
        prices.import_prices(workspace, "book.xlsx", b"", now=NOW)
    with pytest.raises(prices.NotAPriceFile):
        prices.write_price_file(workspace, workspace.folder / "book")
