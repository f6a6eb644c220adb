"""What a plan costs with caching and what the same jobs would cost without."""

from decimal import Decimal

import altair as alt
import polars as pl

from core.charts.figure import Figure, layers, nothing
from core.wording import percent, usd

_HEIGHT = 170


def plan_cost(*, planned_usd: Decimal | None, plain_usd: Decimal | None) -> Figure:
    """Two bars, both predicted: as planned (primed and marked) and without caching."""
    if planned_usd is None or plain_usd is None:
        return nothing("This plan has no price: a model in it is not in the price book. Check its id on the plan.")
    planned, plain = float(planned_usd), float(plain_usd)
    rows = pl.DataFrame({"plan": ["as planned", "without caching"], "usd": [planned, plain]}).with_columns(
        pl.col("usd").map_elements(usd, return_dtype=pl.String).alias("label")
    )
    base = alt.Chart(rows).encode(
        x=alt.X(
            "usd:Q",
            axis=alt.Axis(title="predicted cost, USD", format="$,~r", tickCount=6),
            scale=alt.Scale(zero=True),
        ),
        y=alt.Y("plan:N", sort=None, axis=alt.Axis(title=None)),
        color=alt.Color("plan:N", sort=None, legend=None),
        tooltip=[
            alt.Tooltip("plan:N", title="plan"),
            alt.Tooltip("usd:Q", title="predicted, USD", format="$,.4~f"),
        ],
    )
    text = _words(planned, plain)
    labels = base.mark_text(align="left", dx=5, fontWeight="bold").encode(text="label:N")
    chart = layers(base.mark_bar(), labels)
    return Figure(chart=chart.properties(width="container", height=_HEIGHT, description=text), alt=text)


def _words(planned: float, plain: float) -> str:
    costs = f"Predicted cost: {usd(planned)} as planned, {usd(plain)} without caching"
    if plain <= 0 or planned == plain:
        return f"{costs}: caching changes nothing here."
    share = percent(abs(plain - planned) / plain)
    verb = "saves" if planned < plain else "adds"
    return f"{costs}: caching {verb} {usd(abs(plain - planned))} ({share})."
