"""Savings: from list price to what was paid, what each lever took off, and what was not taken."""

from decimal import Decimal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actions.savings import declare_baseline
from core.savings import LEVERS, Savings
from core.savings.not_taken import NotTaken
from pages import data, downloads, formats, frame, periods, pictures, promises, savings_data
from pages.session import workspace
from pages.words import literal, plain, say, term

_DOLLAR = Decimal(1)
_CENTS, _FINE = 2, 6


def headline(total: Savings) -> DeltaGenerator:
    """List price, paid, and the difference; the place of a fourth card is filled when it is known."""
    with st.grid(4, min_column_width=180, gap="small"):
        frame.metric("savings.list", formats.money(total.list_cost), note=say("savings.list_note"))
        frame.metric(
            "savings.paid",
            formats.money(total.paid),
            note=say("savings.attempts", attempts=formats.count(total.attempts)),
        )
        share = total.saved / total.list_cost if total.list_cost else None
        frame.metric(
            "savings.saved",
            formats.money(total.saved),
            note=say("savings.share", share=formats.percent(share)),
        )
        return st.empty()


def levers(total: Savings) -> None:
    """Each lever with its amount and its meaning."""
    st.header(say("savings.levers"), anchor=False)
    for name in LEVERS:
        amount = total.of(name)
        means = term("lever_help", name) if amount else plain("savings.lever_unused")
        st.markdown(say("savings.lever", name=term("lever", name), amount=formats.money(amount), means=means))


def taken_for_granted(notes: tuple[str, ...]) -> None:
    """What the amounts rest on."""
    with st.expander(say("savings.approximations"), icon=":material/info:"):
        for note in (plain("savings.order_free"), *notes):
            st.markdown(f"- {literal(note)}")


def not_taken(missed: tuple[NotTaken, ...]) -> None:
    """What the period's work could have cost less."""
    st.header(say("savings.not_taken"), anchor=False)
    st.caption(say("savings.not_taken_how"))
    rows = savings_data.missed_frame(missed)
    if rows.is_empty():
        st.info(say("savings.nothing_missed"), icon=":material/check:")
        return
    frame.table(
        rows,
        {
            "usd": frame.dollars("savings.columns.usd"),
            "what": frame.text("savings.columns.what"),
            "class_name": frame.text("savings.columns.class", width="medium"),
            "known": frame.text("savings.columns.known"),
            "said": frame.text("savings.columns.said", width="large"),
        },
        alt=plain("savings.not_taken_alt"),
        key="not-taken",
    )
    downloads.of_table("not_taken", rows, key="not-taken-rows")


def baselines(names: list[str]) -> None:
    """Which model work would have run on, as its owners declare it."""
    st.header(say("savings.baselines"), anchor=False)
    st.caption(say("savings.baselines_how"))
    # Classes of one name are one here, as in all filters.
    for name, model in data.read("baselines").select("class_name", "model").unique(maintain_order=True).iter_rows():
        st.markdown(say("savings.declared", name=name, model=model))
    own = plain("savings.as_routed")
    with st.form("baseline", border=True):
        name = st.selectbox(say("savings.columns.class"), names, key="baseline-class")
        models = [own, *(model.id for model in workspace().book.models())]
        model = st.selectbox(say("savings.baseline_model"), models, key="baseline-model")
        sent = frame.action_submit(say("savings.declare"), key="declare")
    if sent and name:
        with frame.refusals():
            declare_baseline(workspace(), name, None if model == own else model, now=formats.now())
            st.rerun()


frame.title("savings")
known = data.row("trend_span")
if known is None or known["last"] is None:
    frame.empty("savings", page="backlog.py")
    st.stop()

period = periods.choose(known["first"], max(known["last"], formats.now().date()))
chosen = st.selectbox(
    say("savings.columns.class"),
    data.class_names(),
    index=None,
    placeholder=say("app.all"),
    key="class",
    bind="query-params",
)
found = savings_data.found(period.first, period.last, chosen)
if not found.total.attempts and not found.total.unknown:
    st.info(say("savings.none"), icon=":material/filter_alt_off:")
    st.stop()

# In cents that add up, where there are dollars to show.
shown = found.total.cents() if found.total.list_cost >= _DOLLAR else found.total
place = headline(shown)
with st.grid(2, min_column_width=380, gap="medium") as grid:
    with grid.cell():
        st.header(say("savings.waterfall"), anchor=False)
        pictures.draw("waterfall", frame=savings_data.steps(shown), key="savings-waterfall")
    with grid.cell():
        levers(shown)
taken_for_granted(found.approximations)
if found.trials_usd or found.trials_unknown:
    st.caption(say("savings.trials", dollars=formats.money(found.trials_usd)))

st.header(say("savings.by_class"), anchor=False)
classes = savings_data.by_class(found)
digits = _CENTS if found.total.list_cost >= _DOLLAR else _FINE
frame.table(
    classes,
    {
        "class_name": frame.text("savings.columns.class", width="medium"),
        "list_cost": frame.dollars("savings.list", digits=digits),
        **{name: st.column_config.NumberColumn(term("lever", name), format=f"$%,.{digits}f") for name in LEVERS},
        "paid": frame.dollars("savings.paid", digits=digits),
        "share": frame.share("savings.columns.share"),
        "attempts": frame.number("savings.columns.attempts"),
        "unknown": frame.number("savings.columns.unknown"),
    },
    alt=plain("savings.by_class_alt"),
    key="savings-classes",
)
downloads.of_table("savings_by_class", classes, key="savings-classes-rows")
missed = savings_data.not_taken(found)
with place:
    frame.metric("savings.missed", formats.money(missed[0].amount if missed else None), note=say("savings.missed_note"))
not_taken(missed)
promises.show()
baselines(classes["class_name"].to_list())
st.caption(say("app.utc_days", zone=formats.zone().key))
