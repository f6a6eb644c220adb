"""Prices: the price book with its history, what was agreed by contract, and what could not be priced and why."""

from datetime import date

import polars as pl
import streamlit as st

from core.actions.prices import PriceList
from core.billing.terms import KeptPrice
from pages import formats, frame, price_files, price_form, prices_data
from pages.words import plain, say, term

_KINDS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_search")


def figures(found: PriceList, today: date) -> None:
    """How many models have a price today, what was agreed for today, and what has no known cost."""
    now = found.prices.filter(_on(today))
    unpriced = sum(group.attempts for group in found.unpriced)
    with st.grid(4, min_column_width=180, gap="small"):
        frame.metric("prices.models", formats.count(now["model"].n_unique()))
        frame.metric("prices.agreed", formats.count(sum(_state(one, today) == "holds" for one in found.kept)))
        frame.metric("prices.unpriced", formats.count(unpriced))
        frame.metric(
            "prices.unsplit",
            formats.count(found.unsplit["attempts"]),
            note=say("prices.unsplit_note", jobs=formats.count(found.unsplit["jobs"])),
        )


def missing(found: PriceList) -> None:
    """What could not be priced, and what to do about it."""
    if not found.unpriced:
        return
    st.header(say("prices.missing"), anchor=False)
    st.caption(say("prices.missing_how"))
    rows = [
        {
            "model": one.model,
            "attempts": one.attempts,
            "first_day": one.first_day,
            "last_day": one.last_day,
            "said": one.said,
        }
        for one in found.unpriced
    ]
    frame.table(
        pl.DataFrame(rows, schema_overrides={"first_day": pl.Date, "last_day": pl.Date}),
        {
            "attempts": frame.number("prices.columns.attempts"),
            "model": frame.text("prices.columns.model"),
            "said": frame.text("prices.columns.said", width="large"),
            "first_day": _day("prices.columns.first_sent"),
            "last_day": _day("prices.columns.last_sent"),
        },
        alt=plain("prices.missing_alt"),
        key="prices-missing",
    )
    if found.bad_counts:
        st.caption(say("prices.bad_counts"))
        frame.table(
            pl.DataFrame([vars(one) for one in found.bad_counts]),
            {
                "item_id": frame.text("prices.columns.item"),
                "said": frame.text("prices.columns.said", width="large"),
                "model": frame.text("prices.columns.model"),
                "job_id": frame.text("prices.columns.job"),
            },
            alt=plain("prices.bad_counts_alt"),
            key="prices-bad-counts",
        )


def contract(found: PriceList, today: date) -> None:
    """Every row that was added, and how to add or end one."""
    st.header(say("prices.contract"), anchor=False)
    if found.kept:
        frame.table(
            pl.DataFrame([_kept(one, today) for one in found.kept], infer_schema_length=None),
            {
                "number": frame.number("prices.columns.number"),
                "state": frame.text("prices.columns.state"),
                "model": frame.text("prices.columns.model"),
                "terms": frame.text("prices.columns.terms", width="medium"),
                "first_day": _day("prices.columns.first_day"),
                "last_day": _day("prices.columns.last_day"),
                "source": frame.text("prices.columns.source"),
                "note": frame.text("prices.columns.note"),
                "added_at": frame.instant("prices.columns.added_at"),
                "added_by": frame.text("prices.columns.added_by"),
            },
            alt=plain("prices.contract_alt"),
            key="prices-contract",
        )
    else:
        st.caption(say("prices.none_agreed"))
    price_form.show(found)


def book(found: PriceList, today: date) -> None:
    """Every dated row of the book, or those of today."""
    st.header(say("prices.book"), anchor=False)
    st.caption(say("prices.book_how"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        models = st.multiselect(
            say("prices.columns.model"),
            found.prices["model"].unique(maintain_order=True).to_list(),
            key="model",
            bind="query-params",
            placeholder=say("app.all"),
        )
        past = st.toggle(say("prices.history"), key="history", bind="query-params")
    rows = found.prices.filter(pl.col("model").is_in(models)) if models else found.prices
    rows = rows if past else rows.filter(_on(today))
    frame.table(
        rows,
        {
            "model": frame.text("prices.columns.model"),
            "first_day": _day("prices.columns.first_day"),
            "last_day": _day("prices.columns.last_day"),
            "above_tokens": frame.number("prices.columns.above"),
            **{kind: frame.dollars(f"price_kind.{kind}", digits=3) for kind in _KINDS},
            "number": frame.number("prices.columns.contract"),
            "source": frame.text("prices.columns.source", width="medium"),
            "checked": _day("prices.columns.checked"),
        },
        alt=plain("prices.book_alt"),
        key="prices-book",
        height=560 if rows.height > 15 else "content",
    )


def _kept(one: KeptPrice, today: date) -> dict[str, object]:
    terms = one.terms
    return {
        "number": terms.number,
        "state": term("price_state", _state(one, today)),
        "model": plain("prices.every_model") if terms.model == "*" else terms.model,
        "terms": price_form.in_words(terms),
        "first_day": terms.first_day,
        "last_day": terms.last_day,
        "source": terms.source,
        "note": terms.note,
        "added_at": one.added_at,
        "added_by": one.added_by,
    }


def _state(one: KeptPrice, today: date) -> str:
    if one.never_held:
        return "taken_back"
    if one.terms.first_day > today:
        return "to_come"
    return "over" if one.terms.last_day is not None and one.terms.last_day < today else "holds"


def _on(day: date) -> pl.Expr:
    return (pl.col("first_day") <= day) & (pl.col("last_day").is_null() | (pl.col("last_day") >= day))


def _day(key: str) -> object:
    return st.column_config.DateColumn(plain(key), format="D MMM YYYY")


frame.title("prices")
with frame.refusals():
    found, today = prices_data.listed(), formats.now().date()
    figures(found, today)
    missing(found)
    contract(found, today)
    book(found, today)
    price_files.show()
