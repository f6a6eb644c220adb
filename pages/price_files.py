"""The price book as a file: taken away, and brought in again."""

from functools import partial

import streamlit as st

from core.actions.prices import import_prices, price_file
from core.errors import LotwiseError
from pages import formats, frame, price_form, prices_data
from pages.session import workspace
from pages.words import literal, plain, say

_SAID = "price-file-said"


def show() -> None:
    """Two downloads, one upload, and what the upload would change."""
    st.header(say("prices.files"), anchor=False)
    st.caption(say("prices.files_how"))
    opened = workspace()
    with st.container(horizontal=True):
        for ending, label in (("toml", say("prices.download_toml")), ("csv", say("prices.download_csv"))):
            st.download_button(
                label,
                data=partial(price_file, opened, f"prices.{ending}"),
                file_name=f"lotwise-prices.{ending}",
                mime=f"text/{ending}",
                on_click="ignore",
                icon=":material/download:",
                key=f"prices-{ending}",
            )
    uploaded = st.file_uploader(say("prices.upload"), type=["toml", "csv"], key="prices-upload")
    if said := st.session_state.pop(_SAID, None):
        (st.error if said[0] else st.success)(said[1])
    if uploaded is None:
        return
    name, content = uploaded.name, uploaded.getvalue()
    with frame.refusals():
        would = prices_data.would_import(name, content)
        st.markdown(
            say(
                "prices.file_holds",
                known=formats.count(would.known),
                new=formats.count(len(would.numbers)),
            )
        )
        if would.ended:
            st.markdown(say("prices.file_ended", numbers=", ".join(map(str, would.ended))))
        if would.numbers:
            st.markdown(price_form.told(would))
            frame.action_button(
                say("prices.take_in"),
                type="primary",
                icon=":material/save:",
                key="prices-take-in",
                on_click=_take_in,
                args=(name, content),
            )


def _take_in(name: str, content: bytes) -> None:
    try:
        done = import_prices(workspace(), name, content, now=formats.now())
        st.session_state[_SAID] = (False, plain("prices.taken_in", new=formats.count(len(done.numbers))))
    except LotwiseError as error:
        st.session_state[_SAID] = (True, literal(str(error)))
