"""What came of the savings that were taken up: promised beside realised, from the ledger."""

import streamlit as st

from core.opportunities.opportunity import CENT
from pages import downloads, formats, frame, opportunities_data, pictures
from pages.words import plain, say, term

_PARTS = 4
"""Of where a difference comes from, so many parts are named."""


def show() -> None:
    """The section, for the page of savings."""
    st.header(say("promises.header"), anchor=False)
    with frame.refusals():
        found = opportunities_data.promises()
        if not found:
            st.info(say("promises.none"), icon=":material/handshake:")
            return
        rows = opportunities_data.promise_rows(found)
        st.caption(say("promises.how"))
        pictures.draw("promises", frame=rows, key="promises-picture")
        frame.table(
            rows,
            {
                "taken_at": frame.instant("promises.columns.taken_at"),
                "name": frame.text("promises.columns.name", width="large"),
                "state": frame.text("promises.columns.state"),
                "promised_usd": frame.dollars("promises.columns.promised", digits=2),
                "realised_usd": frame.dollars("promises.columns.realised", digits=2),
                "low_usd": frame.dollars("promises.columns.low", digits=2),
                "high_usd": frame.dollars("promises.columns.high", digits=2),
                "usd_month": frame.dollars("promises.columns.month", digits=2),
                "taken_by": frame.text("promises.columns.by"),
            },
            alt=plain("promises.alt"),
            key="promises-table",
        )
        downloads.of_table("promises", rows, key="promises-rows")
        for each in found:
            if each.parts:
                parts = ", ".join(
                    say("promises.part", name=term("saved_by", name), dollars=formats.money(usd))
                    for name, usd in sorted(each.parts.items(), key=lambda part: -abs(part[1]))[:_PARTS]
                    if abs(usd) >= CENT
                )
                st.caption(say("promises.parts", name=each.promise.class_name) + " " + parts)
