"""Adding and ending contract prices: what the change would do to the ledger is shown before it is made."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import streamlit as st

from core.actions.prices import Agreed, PriceList, add_price, end_contract_price
from core.errors import LotwiseError
from core.prices import ContractPrice
from core.prices.contract import EVERY_MODEL, KINDS
from pages import formats, frame
from pages.session import workspace
from pages.words import literal, plain, say, term

DISCOUNT, PRICES, LIST = "discount", "prices", "list"
_SAID = "price-said"


def show(found: PriceList) -> None:
    """The two forms, and what came of the last click."""
    _outcome()
    with st.expander(say("prices.add"), icon=":material/add:", key="price-add-form"):
        _add(found)
    if running := [one.terms for one in found.kept if not one.never_held]:
        with st.expander(say("prices.end"), icon=":material/event_busy:", key="price-end-form"):
            _end(running)


def in_words(terms: ContractPrice) -> str:
    """What was agreed, in a cell; plain text."""
    if terms.discount is not None:
        return plain("prices.off", share=f"{terms.discount * 100:f}".rstrip("0").rstrip("."))
    prices = ", ".join(f"{term('price_kind', kind)} ${price:f}" for kind, price in terms.prices.items())
    return plain("prices.added_list", prices=prices) if terms.listed else prices


def told(done: Agreed) -> str:
    """What a change does to the ledger, as a sentence."""
    if not done.attempts:
        return say("prices.changes_nothing")
    return say(
        "prices.changes",
        attempts=formats.count(done.attempts),
        before=formats.money(done.before_usd),
        after=formats.money(done.after_usd),
        found=formats.count(done.found),
    )


def _add(found: PriceList) -> None:
    kind = st.radio(
        say("prices.kind"),
        (DISCOUNT, PRICES, LIST),
        format_func=lambda one: term("price_terms", one),
        key="price-kind",
        horizontal=True,
    )
    with st.grid(3, min_column_width=200, gap="small", vertical_alignment="bottom"):
        if kind == LIST:
            models = [st.text_input(say("prices.columns.model"), key="price-new-model")]
        else:
            models = st.multiselect(
                say("prices.for_models"),
                found.prices["model"].unique(maintain_order=True).to_list(),
                key="price-models",
                placeholder=plain("prices.every_model"),
            )
        first_day = st.date_input(say("prices.columns.first_day"), formats.now().date(), key="price-first-day")
        last_day = st.date_input(say("prices.last_day_open"), None, key="price-last-day")
    discount, prices = _amounts(kind)
    with st.grid(2, min_column_width=200, gap="small"):
        source = st.text_input(say("prices.columns.source"), key="price-source", placeholder=plain("prices.source_eg"))
        note = st.text_input(say("prices.columns.note"), key="price-note")
    terms = [
        ContractPrice(
            model=model,
            listed=kind == LIST,
            discount=discount,
            prices=prices,
            first_day=first_day,
            last_day=last_day,
            source=source.strip(),
            note=note.strip(),
        )
        for model in models or [EVERY_MODEL]
    ]

    def add(*, dry_run: bool) -> Agreed:
        return add_price(workspace(), terms, now=formats.now(), dry_run=dry_run)

    _buttons("price-add", say("prices.add_it"), add)


def _amounts(kind: str) -> tuple[Decimal | None, dict[str, Decimal]]:
    if kind == DISCOUNT:
        percent = st.number_input(
            say("prices.percent"), min_value=0.0, max_value=99.99, value=None, step=0.5, key="price-percent", width=220
        )
        return None if percent is None else Decimal(str(percent)) / 100, {}
    st.caption(say("prices.per_million"))
    prices = {}
    with st.grid(6, min_column_width=120, gap="small"):
        for name in KINDS:
            amount = st.number_input(
                term("price_kind", name), min_value=0.0, value=None, format="%.6g", key=f"price-{name}"
            )
            if amount is not None:
                prices[name] = Decimal(str(amount))
    return None, prices


def _end(running: list[ContractPrice]) -> None:
    names = {one.number: f"{one.number}: {in_words(one)}" for one in running}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(say("prices.which"), names, format_func=names.__getitem__, key="price-end-number")
        last_day = st.date_input(say("prices.columns.last_day"), formats.now().date(), key="price-end-day")
    st.caption(say("prices.end_how"))

    def end(*, dry_run: bool) -> Agreed:
        return end_contract_price(workspace(), number, last_day=last_day, now=formats.now(), dry_run=dry_run)

    _buttons("price-end", say("prices.end_it"), end)


def _buttons(key: str, label: str, act: Callable[..., Agreed]) -> None:
    """Try it, or do it: with what is in the fields now, which a callback would not know yet."""
    with st.container(horizontal=True):
        tried = st.button(say("prices.check"), icon=":material/preview:", key=f"{key}-check")
        meant = frame.action_button(label, type="primary", icon=":material/save:", key=key)
    if tried or meant:
        try:
            st.session_state[_SAID] = (None, tried, act(dry_run=tried))
        except LotwiseError as error:
            st.session_state[_SAID] = (str(error), tried, None)
        st.rerun()


def _outcome() -> None:
    """What the last click did, would do, or why not."""
    said: tuple[str | None, bool, Any] | None = st.session_state.pop(_SAID, None)
    if said is None:
        return
    refused, dry_run, done = said
    if refused is not None:
        st.error(literal(refused), icon=":material/error:")
    elif dry_run:
        st.info(f"{say('prices.would')} {told(done)}", icon=":material/preview:")
    else:
        st.success(f"{say('prices.did')} {told(done)}", icon=":material/check_circle:")
