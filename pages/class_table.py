"""Every class as a row: filters above, and a row opens its class."""

import polars as pl
import streamlit as st

from pages import data, formats, frame, work_class
from pages.words import plain, say, term

SHOWN = 1_000
STATES = ("cacheable", "split", "short", "unshared", "inferred")
WHERE = ("waiting", "sent")
_TABLE = "classes-listed"


def open_class(class_id: str | None) -> None:
    """Open a class; it is in the link from now on."""
    if class_id:
        st.query_params["id"] = class_id


def filtered() -> pl.DataFrame:
    """Draw the filters and return the classes that pass them, most input waiting first."""
    with st.grid(4, min_column_width=200, gap="small", vertical_alignment="bottom"):
        text = st.text_input(
            say("classes.find"), key="find", bind="query-params", placeholder=say("classes.find_placeholder")
        ).strip()
        model = st.selectbox(
            say("classes.model"),
            data.class_models(),
            index=None,
            key="class-model",
            bind="query-params",
            placeholder=say("app.all"),
        )
        state = st.selectbox(
            say("classes.state"),
            STATES,
            index=None,
            format_func=lambda name: term("prefix", name),
            key="class-state",
            bind="query-params",
            placeholder=say("app.all"),
        )
        where = st.selectbox(
            say("classes.where"),
            WHERE,
            index=None,
            format_func=lambda name: term("where", name),
            key="where",
            bind="query-params",
            placeholder=say("app.all"),
        )
    waiting = None if where is None else where == "waiting"
    return data.classes(text=text or None, model=model, state=state, waiting=waiting, limit=SHOWN)


def show(listed: pl.DataFrame) -> None:
    """Draw the classes with their cache plan, predicted and measured hit rate; say so where none passes."""
    if not listed.height:
        st.info(say("classes.none_match"), icon=":material/filter_alt_off:")
        st.button(say("classes.clear"), on_click=_clear, key="clear-filters")
        return
    ids = listed["class_id"].to_list()

    def open_row() -> None:
        rows = st.session_state[_TABLE].selection.rows
        if rows:
            open_class(ids[rows[0]])

    rows = listed.join(data.caching_frame(), on="class_id", how="left", maintain_order="left")
    st.caption(say("classes.how"))
    frame.table(
        rows.with_columns(
            pl.Series("plan", [work_class.verdict(row) for row in rows.iter_rows(named=True)], dtype=pl.String)
        ),
        {
            "name": frame.text("classes.columns.name", width="medium"),
            "model": frame.text("classes.columns.model"),
            "waiting_items": frame.number("classes.columns.waiting"),
            "prefix_tokens": frame.number("classes.columns.prefix_tokens"),
            "plan": frame.text("classes.columns.plan"),
            "saved_usd": frame.dollars("classes.columns.saved"),
            "split_usd": frame.dollars("classes.columns.split"),
            "expected_hit_rate": frame.share("classes.columns.expected"),
            "hit_rate": frame.share("classes.columns.hit_rate"),
            "cost_usd": frame.dollars("classes.columns.cost"),
            "last_day": st.column_config.DateColumn(plain("classes.columns.last"), format="YYYY-MM-DD"),
        },
        alt=plain("classes.alt"),
        key=_TABLE,
        height=560 if listed.height > 15 else "content",
        on_select=open_row,
        selection_mode="single-row",
    )
    found = listed["classes"][0]
    if listed.height < found:
        shown = formats.count(listed.height)
        st.caption(say("classes.limited", shown=shown, classes=formats.count(found)))


def _clear() -> None:
    st.session_state.update({"find": "", "class-model": None, "class-state": None, "where": None})
