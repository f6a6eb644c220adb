"""Pieces that every page is made of: refusals as sentences, figures, tables, and following the worker."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import polars as pl
import streamlit as st

from core.errors import LotwiseError
from core.roles import Role
from core.spreadsheets import inert
from pages import formats, sign_in
from pages.session import visitor, workspace
from pages.words import literal, plain, say

_DRAWN = "drawn-version"


@contextmanager
def refusals() -> Iterator[None]:
    """Show what the core refuses inside this block as its sentence; the page goes on after it."""
    try:
        yield
    except LotwiseError as error:
        st.error(literal(str(error)), icon=":material/error:")


def title(name: str) -> None:
    """The page's title, the question that it answers, and whether its figures are real."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(say(f"{name}.title"), anchor=False, width="content")
        if workspace().gateway.simulated:
            st.badge(
                say("app.simulated"),
                icon=":material/science:",
                color="orange",
                help=say("app.simulated_help"),
            )
        sign_in.account()
    st.caption(say(f"{name}.question"))


def action_button(label: str, **options: Any) -> bool:
    """A button that changes, sends or spends; for viewers it is dead and says why. The core refuses them too."""
    return st.button(label, **_for_operators(options))


def action_submit(label: str, **options: Any) -> bool:
    """The same at the end of a form."""
    return st.form_submit_button(label, **_for_operators(options))


def may_change() -> bool:
    """Whether this visitor may change anything."""
    return visitor().may(Role.OPERATOR)


def _for_operators(options: dict[str, Any]) -> dict[str, Any]:
    if may_change():
        return options
    return options | {"disabled": True, "help": say("sign_in.viewer_help")}


def legible_controls() -> None:
    """Write what is chosen as the page's text: in the primary colour it is too faint on dark ground for WCAG AA."""
    st.html("<style>[data-testid=stSliderThumbValue] { color: inherit !important; }</style>")
    st.html("<style>[data-testid=stButtonGroup] button[data-selected=true] { color: inherit !important; }</style>")
    st.html("<style>[data-testid=stTab][aria-selected=true] { color: inherit !important; }</style>")


def empty(name: str, *, page: str | None = None) -> None:
    """What stands where there is nothing to show: why, and what to do next."""
    with st.container(border=True, key=f"{name}-empty"):
        st.header(say(f"{name}.empty_title"), anchor=False)
        st.markdown(say(f"{name}.empty"))
        if page:
            st.page_link(page, label=say(f"{name}.empty_link"), icon=":material/arrow_forward:")


def metric(
    key: str,
    value: str,
    *,
    delta: str | int | None = None,
    note: str | None = None,
    good: Literal["up", "down"] | None = None,
    line: pl.Series | None = None,
) -> None:
    """One figure on a card; `good` says which way is good news, `note` what the change is against."""
    moved = delta not in {None, 0}
    st.metric(
        say(key),
        value.replace("$", "\\$"),
        plain("app.unchanged") if delta == 0 else delta if delta is not None else note,
        delta_color="off" if not moved or good is None else "normal" if good == "up" else "inverse",
        delta_arrow="auto" if moved else "off",
        delta_description=note if delta is not None else None,
        help=say(f"{key}_help"),
        border=True,
        height="stretch",
        chart_data=None if line is None else line.drop_nulls().to_list() or None,
        chart_type="line",
    )


def table(frame: pl.DataFrame, columns: Mapping[str, Any], *, alt: str, key: str, **options: Any) -> Any:
    """The named columns of `frame`, in that order; money as numbers, times in the reader's zone.

    Visitors can save every table as CSV, so its texts are made inert as in any other export.
    """
    return st.dataframe(
        inert(frame.select(_shown(name, frame.schema[name]) for name in columns)),
        column_config=dict(columns),
        hide_index=True,
        placeholder=formats.UNKNOWN,
        alt=alt,
        key=key,
        **options,
    )


def _shown(name: str, kind: pl.DataType) -> pl.Expr:
    if isinstance(kind, pl.Datetime):
        return pl.col(name).dt.convert_time_zone(formats.zone().key)
    return pl.col(name).cast(pl.Float64) if isinstance(kind, pl.Decimal) else pl.col(name)


def dollars(key: str, *, digits: int = 4) -> Any:
    """A column of money, fine enough that what was paid for is not shown as nothing."""
    return st.column_config.NumberColumn(plain(key), format=f"$%,.{digits}f")


def number(key: str, *, shape: str = "localized", hint: str | None = None) -> Any:
    """A column of numbers."""
    return st.column_config.NumberColumn(plain(key), format=shape, help=hint)


def share(key: str) -> Any:
    """A column of shares of one, as percentages."""
    return st.column_config.NumberColumn(plain(key), format="percent")


def text(key: str, *, width: Any = None) -> Any:
    """A column of text."""
    return st.column_config.TextColumn(plain(key), width=width)


def instant(key: str) -> Any:
    """A column of times, shown in the reader's zone."""
    return st.column_config.DatetimeColumn(plain(key), format="D MMM YYYY, HH:mm")


def begin() -> None:
    """Note what the page is about to be drawn from: a write while it is being drawn must not go unseen."""
    st.session_state[_DRAWN] = workspace().store.version


def follow(active: bool, *, every: str = "2s") -> None:
    """While `active`, look every few seconds whether the store moved on, and rerun the page when it did."""
    if not active:
        return
    drawn = st.session_state[_DRAWN]
    first = True

    @st.fragment(run_every=every)
    def watch() -> None:
        nonlocal first
        if first:
            first = False
        elif _moved(drawn):
            st.rerun()

    watch()


def _moved(drawn: int) -> bool:
    """Whether there is something new to draw; for whoever is not let in any more, the page that says so."""
    try:
        return workspace().store.version != drawn
    except LotwiseError:
        return True
