"""Report beside ledger: every difference has parts that add up to it, and only what has no cause is flagged."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from core.charts import reconciliation
from core.gateway import AccountReports
from core.gateway.reports import COST_SCHEMA, USAGE_SCHEMA
from core.prices import ContractPrice, PriceBook
from core.reconciliation import KINDS, Pending, Reconciliation, compare, learned_discounts, ledger_by_kind
from core.reconciliation.discounts import as_contract

MODEL = "claude-sonnet-5-5"
DAY = date(2026, 11, 10)
BOOK = PriceBook.load()
LISTED = dict(
    zip(
        KINDS,
        (getattr(BOOK.rates(MODEL, at=datetime(2026, 11, 10, tzinfo=UTC)), kind) for kind in KINDS),
        strict=True,
    )
)
_CELL: dict[str, Any] = {
    "day": pl.Date,
    "model": pl.String,
    "service_tier": pl.String,
    "inference_geo": pl.String,
    "above_tokens": pl.Int64,
    "billed": pl.Boolean,
    "submitted_at": pl.Datetime("us", "UTC"),
    "unpriced": pl.Int64,
    **dict.fromkeys(KINDS.values(), pl.Int64),
}


def day(number: int) -> date:
    """The day so many days after the first."""
    return DAY + timedelta(days=number)


def cells(*rows: dict[str, Any]) -> pl.DataFrame:
    """Cells of the ledger, one a row; `day` and counts by kind."""
    made = [
        {
            "model": MODEL,
            "service_tier": "batch",
            "inference_geo": None,
            "above_tokens": 0,
            "billed": True,
            "unpriced": 0,
            **dict.fromkeys(KINDS.values(), 0),
            "day": DAY,
            **{KINDS.get(name, name): value for name, value in row.items()},
        }
        for row in rows
    ]
    return pl.DataFrame(
        [row | {"submitted_at": datetime.combine(row["day"], time(9), UTC)} for row in made], schema=_CELL
    )


def reports(*rows: dict[str, Any], off: Decimal = Decimal(0), dearer: int = 1) -> AccountReports:
    """What the account says: counts by kind, charged at list price less `off`."""
    usage, cost = [], []
    for row in rows:
        group = {
            "day": DAY,
            "model": MODEL,
            "service_tier": "batch",
            "workspace_id": "wrkspc_1",
            "product": None,
        } | {name: value for name, value in row.items() if name not in KINDS}
        counts = {name: value for name, value in row.items() if name in KINDS}
        zeros = dict.fromkeys(KINDS.values(), 0)
        usage.append(group | zeros | {KINDS[kind]: count for kind, count in counts.items()} | {"requests": 1})
        for kind, count in counts.items():
            listed = count * LISTED[kind] * dearer
            cost.append(group | {"kind": kind, "amount_usd": listed * (1 - off), "list_usd": listed})
    return AccountReports(
        usage=pl.DataFrame(usage, schema=USAGE_SCHEMA), cost=pl.DataFrame(cost, schema=COST_SCHEMA), refreshed_at=None
    )


def reconciled(said: AccountReports, ours: pl.DataFrame, *, days: int = 1, **known: Any) -> Reconciliation:
    """Both compared over so many days, all of them over unless told otherwise."""
    every = known.pop("days_read", {day(number): True for number in range(days)})
    usual: dict[str, Any] = {"book": BOOK, "known_models": [MODEL], "shown": (min(every), max(every))}
    found = compare(said.usage, said.cost, ours, days=every, **usual | known)
    add_up(found)
    return found


def add_up(found: Reconciliation) -> None:
    """Of every row, in tokens and in dollars, the parts are the difference."""
    key = ["day", "model", "service_tier", "kind"]
    split = found.parts.group_by(key).agg(pl.col("tokens", "usd").sum())
    both = found.rows.join(split, on=key, how="left", nulls_equal=True)
    for row in both.iter_rows(named=True):
        assert row["reported_tokens"] - row["our_tokens"] == (row["tokens"] or 0)
        assert row["reported_usd"] - row["our_usd"] == (row["usd"] or 0)


def names(found: Reconciliation) -> dict[str, tuple[int, Decimal]]:
    """Every part with its tokens and dollars."""
    return {part.name: (part.tokens, part.usd) for part in (*found.explained, *found.unexplained)}


COUNTS = st.integers(0, 5_000_000)
LIFE = st.lists(st.tuples(COUNTS, COUNTS, st.booleans()), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(LIFE, st.decimals(0, Decimal("0.5"), places=3), st.integers(0, 200))
def test_parts_add_up_whatever_is_compared(life: list[tuple[int, int, bool]], off: Decimal, pending: int) -> None:
    """Any tokens on either side, any discount, days that are over or not: nothing is lost and nothing doubled."""
    said = reports(*({"day": day(n), "input": got, "output": got // 7} for n, (got, _, _) in enumerate(life)), off=off)
    ours = cells(*({"day": day(n), "input": had, "output": had // 5} for n, (_, had, _) in enumerate(life)))
    read = {day(n): over for n, (_, _, over) in enumerate(life)}
    work = [Pending(day=DAY, model=MODEL, why="under_way", usd=Decimal(pending))]
    reconciled(said, ours, days_read=read, pending=work)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(COUNTS, st.integers(0, 100)), min_size=1, max_size=7))
def test_late_tokens_are_no_difference(life: list[tuple[int, int]]) -> None:
    """Whatever share of each day's tokens the account dates by the next day: all of it is told, nothing is flagged."""
    days = len(life) + 1
    late = [count * share // 100 for count, share in life]
    dated = [count - kept for (count, _), kept in zip(life, late, strict=True)] + [0]
    for number, kept in enumerate(late):
        dated[number + 1] += kept
    said = reports(*({"day": day(number), "output": count} for number, count in enumerate(dated)))
    found = reconciled(said, cells(*({"day": day(n), "output": count} for n, (count, _) in enumerate(life))), days=days)

    assert found.flags == ()
    assert found.total(("dating",)) == ()
    assert set(found.parts["name"]) <= {"dating"}


def test_a_lack_is_flagged_on_its_own_day() -> None:
    """Tokens that never turn up are missing where they were sent, not on the last day that was compared."""
    ours = cells(*({"day": day(number), "output": 1_000_000} for number in range(4)))
    said = reports(*({"day": day(number), "output": 1_000_000 - 400_000 * (number == 1)} for number in range(4)))

    (flag,) = reconciled(said, ours, days=4).flags

    assert (flag.day, flag.tokens) == (day(1), -400_000)
    assert flag.usd == -400_000 * LISTED["output"]


def test_a_rest_below_the_floor_is_not_flagged() -> None:
    """More than a cent and more than a thousandth: below either it is shown and flags nothing."""
    million = {"output": 10_000_000}
    little = reconciled(reports({"output": 10_005_000}), cells(million))
    cheap = reconciled(reports({"output": 1_200}), cells({"output": 1_000}))
    both = reconciled(reports({"output": 10_050_000}), cells(million))

    assert little.unexplained[0].usd > Decimal("0.01")
    assert cheap.unexplained[0].usd < Decimal("0.01")
    assert [len(found.flags) for found in (little, cheap, both)] == [0, 0, 1]


def test_a_discount_is_all_of_the_difference_even_beside_stray_work() -> None:
    """Stray tokens cost what the account charges for them; the discount is off our own tokens alone."""
    off = Decimal("0.2")
    found = reconciled(
        reports({"input": 1_500_000, "output": 1_000}, off=off), cells({"input": 1_000_000, "output": 1_000})
    )

    ours = 1_000_000 * LISTED["input"] + 1_000 * LISTED["output"]
    stray = 500_000 * LISTED["input"] * (1 - off)
    assert names(found) == {"discount": (0, -ours * off), "unexplained_use": (500_000, stray)}


def test_another_list_price_is_no_discount() -> None:
    """The account's list price is twice ours: tokens agree, so the price is what is flagged."""
    found = reconciled(reports({"output": 1_000_000}, dearer=2), cells({"output": 1_000_000}))

    assert names(found) == {"unexplained_price": (0, 1_000_000 * LISTED["output"])}
    assert "list price" in found.flags[0].said


def test_attempts_without_a_price_cost_what_the_account_says() -> None:
    """Their tokens are in the ledger, so they explain their own dollars and no token is missing."""
    ours = cells({"output": 600_000}, {"output": 400_000, "unpriced": 3})
    found = reconciled(reports({"output": 1_000_000}), ours)

    assert names(found) == {"unpriced": (0, 400_000 * LISTED["output"])}
    assert found.our_usd == 600_000 * LISTED["output"]


def test_pending_work_explains_as_much_as_it_costs_and_only_near_its_day() -> None:
    """Up to its prediction, on its day or the next; beyond that a surplus is flagged."""
    usd = 300_000 * LISTED["output"]
    said = reports(*({"day": day(number), "output": 200_000} for number in (0, 1, 3)))
    work = [Pending(day=DAY, model=MODEL, why="missing", usd=usd)]
    found = reconciled(said, cells(), days=4, pending=work)

    assert names(found)["missing"] == (300_000, usd)
    assert [(flag.day, flag.tokens) for flag in found.flags] == [(day(3), 200_000), (day(1), 100_000)]


def test_what_was_not_sent_from_here_is_named() -> None:
    """Other tiers, other workspaces, other models, other charges: each by its own name, and none of it flagged."""
    said = reports(
        {"output": 1_000},
        {"output": 2_000, "service_tier": "standard"},
        {"output": 3_000, "workspace_id": "wrkspc_2"},
        {"output": 4_000, "model": "claude-opus-5-5"},
    )
    extra = said.cost.head(1).with_columns(
        pl.lit("code_execution").alias("kind"), pl.lit(None, pl.String).alias("model")
    )
    said = AccountReports(usage=said.usage, cost=pl.concat([said.cost, extra]), refreshed_at=None)

    found = reconciled(said, cells({"output": 1_000}), workspaces=("wrkspc_1",))

    assert {name: tokens for name, (tokens, _) in names(found).items()} == {
        "other_tier": 2_000,
        "other_workspace": 3_000,
        "other_model": 4_000,
        "other_charge": 0,
    }
    assert found.flags == ()


def test_the_report_may_round() -> None:
    """Equal tokens and an amount that is off by less than a hundredth of a cent: the report's rounding."""
    said = reports({"output": 1_000})
    cost = said.cost.with_columns((pl.col("amount_usd", "list_usd") + Decimal("0.00004")).cast(pl.Decimal(38, 12)))
    found = reconciled(AccountReports(usage=said.usage, cost=cost, refreshed_at=None), cells({"output": 1_000}))

    assert names(found) == {"rounding": (0, Decimal("0.00004"))}


def test_the_ledger_by_kind_is_the_whole_ledger() -> None:
    """Kinds add up to what is paid; what is not billed counts for nothing, and snapshots go under their model."""
    kinds = {"input": 11, "cache_write_5m": 13, "cache_write_1h": 17, "cache_read": 19, "output": 23, "web_search": 2}
    ours = ledger_by_kind(cells(kinds, {"output": 99, "billed": False}, {"input": 5, "billed": None}), BOOK)

    assert dict(ours.select("kind", "tokens").iter_rows()) == kinds
    assert sum(ours["our_usd"]) == sum(count * LISTED[kind] for kind, count in kinds.items())


def test_learned_discounts_become_terms() -> None:
    """One share for a model where its kinds agree, prices where they do not; nothing where the book has them."""
    even = reconciled(reports({"input": 1_000_000, "output": 1_000_000}, off=Decimal("0.15")), cells())
    found = learned_discounts(even.rows, BOOK)
    assert {(each.kind, each.share, each.agreed, each.days) for each in found} == {
        ("input", Decimal("0.15"), Decimal(0), 1),
        ("output", Decimal("0.15"), Decimal(0), 1),
    }
    (terms,) = as_contract(found, BOOK, source="report")
    assert (terms.model, terms.discount, terms.first_day, terms.source) == (MODEL, Decimal("0.15"), DAY, "report")
    agreed = BOOK.with_contract([terms])
    assert as_contract(learned_discounts(even.rows, agreed), agreed, source="report") == ()

    uneven = even.rows.with_columns(
        pl.when(pl.col("kind") == "input").then("reported_list_usd").otherwise("reported_usd").alias("reported_usd")
    )
    (prices,) = as_contract(learned_discounts(uneven, BOOK), BOOK, source="report")
    listed = next(row for row in BOOK.rows() if row.model == MODEL).list_prices()
    assert prices.prices == {"input": listed["input"], "output": listed["output"] * Decimal("0.85")}
    assert isinstance(prices, ContractPrice)


def test_the_picture_says_what_agrees_and_what_does_not() -> None:
    """Days as they were compared, drawn and in words; without a dollar on either side it says what to do."""
    money = pl.Decimal(38, 12)
    schema: dict[str, Any] = {
        "day": pl.Date,
        **dict.fromkeys(("our_usd", "explained_usd", "unexplained_usd", "reported_usd"), money),
    }
    rows = [(day(0), "10", "2", "0", "12"), (day(1), "5", "-1", "3", "7")]
    frame = pl.DataFrame([(when, *map(Decimal, amounts)) for when, *amounts in rows], schema=schema, orient="row")

    drawn = reconciliation(frame)

    assert drawn.chart is not None
    spec = drawn.chart.to_dict()
    assert spec["description"] == drawn.alt
    assert (
        "reports $19.00 and the ledger has $15.00. Of the difference $1.00 is explained and $3.00 is not." in drawn.alt
    )
    assert reconciliation(frame.clear()).empty
    assert reconciliation(frame.with_columns(pl.lit(Decimal(0), money).alias(name) for name in frame.columns[1:])).empty
