"""The five figures that head the Overview: the last 30 days beside the 30 before, each with its line."""

from datetime import date
from typing import Any

import streamlit as st

from pages import data, formats, frame
from pages.words import say


def show(today: date) -> None:
    """Draw them."""
    head = data.row("headline", today=today) or {}
    line = data.read("rolling_month", today=today)
    versus = say("overview.versus")
    with st.grid(5, min_column_width=180, gap="small"):
        frame.metric(
            "overview.spend",
            formats.money(head["cost_usd"]),
            delta=formats.moved(head["cost_usd"], head["cost_before_usd"]),
            note=versus,
            line=line["cost_usd"],
        )
        frame.metric(
            "overview.unit_cost",
            formats.money(formats.per_thousand(head["unit_cost_usd"])),
            delta=formats.moved(head["unit_cost_usd"], head["unit_cost_before_usd"]),
            note=versus,
            good="down",
            line=line["unit_cost_usd"],
        )
        for key, name in (("overview.hit_rate", "hit_rate"), ("overview.batch_share", "batch_share")):
            frame.metric(
                key,
                formats.percent(head[name]),
                delta=formats.points(head[name], head[f"{name}_before"]),
                note=versus,
                good="up",
                line=line[name],
            )
        _on_time(data.row("punctual", **_asked(today)) or {}, today, versus)


def _on_time(found: dict[str, Any], today: date, versus: str) -> None:
    """Jobs in time; without a change to show, how many of them had a deadline that somebody stated."""
    delta = formats.points(found["share"], found["share_before"])
    frame.metric(
        "overview.on_time",
        formats.percent(found["share"]),
        delta=delta,
        note=say("overview.stated", stated=formats.count(found["stated"]), jobs=formats.count(found["jobs"]))
        if delta is None
        else versus,
        good="up",
        line=data.read("punctual_month", **_asked(today))["share"],
    )


def _asked(today: date) -> dict[str, Any]:
    # By the hour: what has run over its time since the last look is late, and a read by the second is never kept.
    return {"today": today, "now": formats.now().replace(minute=0, second=0, microsecond=0)}
