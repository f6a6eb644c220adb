"""What a unit costs by a dimension of one's choice: ranges as a picture, and every figure in a table."""

from datetime import date

import polars as pl
import streamlit as st

from core.actions.costs import Costs
from core.unit_costs.dimension import TAG
from core.unit_costs.stability import ENOUGH_WEEKS, STEADY, Stability
from core.unit_costs.unit import ITEM
from pages import filters, formats, frame, pictures, units_data
from pages.words import plain, say, term

_DIMENSIONS = ("class", "tier", "model")


def show(
    *,
    first: date,
    last: date,
    class_name: str | None = None,
    models: tuple[str, ...] = (),
    tag: tuple[str, str] | None = None,
) -> None:
    """Draw the section for these days and filters."""
    tags = [f"{TAG}{name}" for name in filters.tag_names()]
    by = st.segmented_control(
        say("unit_costs.by"),
        [*_DIMENSIONS, *tags],
        default=_DIMENSIONS[0],
        format_func=_named,
        required=True,
        key="unit-costs-by",
        help=say("unit_costs.by_help"),
    )
    found = units_data.costs(first=first, last=last, by=str(by), class_name=class_name, models=models, tag=tag)
    if found.overall is None:
        st.info(say("unit_costs.none"), icon=":material/info:")
        return
    _figures(found)
    rows = _rows(found)
    st.caption(say("unit_costs.how"))
    pictures.draw("unit_bands", frame=rows, key="unit-bands")
    _table(rows, str(by))
    if not tags:
        st.caption(say("unit_costs.no_tags"))


def _named(dimension: str) -> str:
    return plain("unit_costs.by_tag", name=dimension.removeprefix(TAG)) if TAG in dimension else term("by", dimension)


def _figures(found: Costs) -> None:
    overall, steady = found.overall or {}, found.overall_steady
    low, high = (formats.money(formats.per_thousand(overall[name])) for name in ("low", "high"))
    between = say("unit_costs.between", low=low, high=high, unit=overall["unit"])
    with st.grid(4, min_column_width=180, gap="small"):
        frame.metric(
            "unit_costs.cost",
            formats.money(formats.per_thousand(overall["unit_cost_usd"])),
            note=between if overall["low"] is not None else say("unit_costs.per", unit=overall["unit"]),
        )
        frame.metric(
            "unit_costs.now",
            formats.money(formats.per_thousand(steady.level)),
            note=None if steady.since is None else say("unit_costs.since", day=f"{steady.since:%-d %b %Y}"),
        )
        frame.metric(
            "unit_costs.stability",
            term("stability", steady.word),
            note=_why(steady),
        )
        unknown = overall["unpriced"] + int(found.rows["uncounted"].sum())
        frame.metric(
            "unit_costs.unknown",
            formats.count(unknown),
            note=say("unit_costs.unknown_note", unpriced=formats.count(overall["unpriced"])),
        )
    if overall["mixes"]:
        st.caption(say("unit_costs.mixes", units=", ".join(overall["mixes"])))


def _why(steady: Stability) -> str:
    """What the word rests on: how far weeks scatter, or what keeps them from being steady."""
    weeks = formats.count(steady.weeks)
    if steady.coefficient is None:
        return say("unit_costs.few_weeks")
    if steady.word == "moving" and steady.weeks < ENOUGH_WEEKS:
        return say("unit_costs.new_level", weeks=weeks)
    if steady.word == "moving" and steady.coefficient <= STEADY:
        return say("unit_costs.drifts", weeks=weeks)
    return say("unit_costs.scatter", share=formats.percent(steady.coefficient), weeks=weeks)


def _rows(found: Costs) -> pl.DataFrame:
    """The rows as the chart takes them, and the level that each is on now."""
    by = found.by[0]
    words = [one.word if one else None for one in found.steady]
    scatter = [one.coefficient if one else None for one in found.steady]
    now = [one.level if one else None for one in found.steady]
    weeks = [one.weeks if one else None for one in found.steady]
    return found.rows.with_columns(
        pl.col(by).fill_null(plain("unit_costs.without")).alias("name"),
        pl.when(pl.col("unit") != ITEM).then("unit").alias("unit"),
        pl.Series("word", words, dtype=pl.String),
        pl.Series("scatter", scatter, dtype=pl.Float64),
        pl.Series("now", now, dtype=pl.Float64),
        pl.Series("weeks", weeks, dtype=pl.Int64),
    ).drop("mixes", *({by} - {"name"}))


def _table(rows: pl.DataFrame, by: str) -> None:
    frame.table(
        rows.sort("cost_usd", descending=True).with_columns(
            pl.col("unit").fill_null(ITEM),
            pl.Series(
                "stability", [term("stability", word) for word in rows.sort("cost_usd", descending=True)["word"]]
            ),
            pl.col("unit_cost_usd", "low", "high", "now").cast(pl.Float64) * 1000,
        ),
        {
            "name": st.column_config.TextColumn(_named(by)),
            "unit": frame.text("unit_costs.columns.unit"),
            "cost_usd": frame.dollars("unit_costs.columns.cost"),
            "units": frame.number("unit_costs.columns.units"),
            "unit_cost_usd": frame.dollars("unit_costs.columns.unit_cost"),
            "low": frame.dollars("unit_costs.columns.low"),
            "high": frame.dollars("unit_costs.columns.high"),
            "now": frame.dollars("unit_costs.columns.now"),
            "weeks": frame.number("unit_costs.columns.weeks"),
            "stability": frame.text("unit_costs.columns.stability"),
            "scatter": frame.share("unit_costs.columns.scatter"),
            "jobs": frame.number("unit_costs.columns.jobs"),
            "unpriced": frame.number("unit_costs.columns.unpriced"),
            "uncounted": frame.number("unit_costs.columns.uncounted"),
        },
        alt=plain("unit_costs.alt"),
        key="unit-costs-table",
    )
