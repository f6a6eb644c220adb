"""What a chart function returns, and what its charts have in common."""

import math
from dataclasses import dataclass
from typing import Any

import altair as alt

AnyChart = alt.Chart | alt.LayerChart
DAY_AXIS = alt.Axis(title="day (UTC)", format="%-d %b", labelOverlap=True, grid=False)
HEIGHT = 400
"""Pixels with axes and legend: Streamlit fits the whole chart into it."""
MARKS = 2_000
MARK = "mark"
"""The name of the selection of a mark, for charts that lead somewhere."""
_NARROW = 1_000
# Legends and labels must fit a phone as well as a desk; `width` is the chart's own, in pixels.
_FITTING_COLUMNS = alt.ExprRef("width < 620 ? 2 : 3")
FITTING_LABEL = alt.ExprRef("width < 420 ? 110 : 220")
# Two columns of a phone, in the smallest type that is read: of a name of five words, most is seen.
_LEGEND_LABEL = alt.ExprRef("width < 420 ? 140 : 220")
_LEGEND_TYPE = alt.ExprRef("width < 420 ? 11 : 14")
DIGITS = 6
"""Significant digits drawn: what nobody can see need not travel to the browser."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart and the same in words, or a sentence that says how to get something to draw."""

    chart: AnyChart | None
    """None where there is nothing to draw."""
    alt: str
    """The alternative text, computed from the data; never empty."""
    empty: str | None = None
    """What to do next where there is nothing to draw."""


def nothing(sentence: str) -> Figure:
    """The figure of an empty frame."""
    return Figure(chart=None, alt=sentence, empty=sentence)


def figure(chart: AnyChart, text: str) -> Figure:
    """A drawn figure: full width, with its alternative text in the chart as well."""
    return Figure(chart=chart.properties(width="container", height=HEIGHT, description=text), alt=text)


def layers(*charts: alt.Chart) -> alt.LayerChart:
    """Charts on top of each other, the last one in front."""
    return alt.LayerChart(layer=charts)


def legend(title: str | None = None, *, only: list[str] | None = None) -> alt.Legend:
    """A legend that leaves the width to the chart; `only` names what it lists."""
    values = alt.Undefined if only is None else only
    return alt.Legend(
        title=title,
        orient="bottom",
        columns=_FITTING_COLUMNS,
        labelLimit=_LEGEND_LABEL,
        labelFontSize=_LEGEND_TYPE,
        symbolOpacity=1,
        values=values,
    )


def log_ticks(low: float, high: float) -> list[float]:
    """Few, round ticks of a logarithmic axis: powers of ten, with their threefold where there is room."""
    steps = (1, 3) if high < _NARROW * low else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10**power if power >= 0 else step / 10**-power for power in powers for step in steps]


def pick(name: str, field: str) -> alt.Parameter:
    """A click on the legend dims everything else; named, so that the same data gives the same chart."""
    return alt.selection_point(name=name, fields=[field], bind="legend")


def clicked(*fields: str) -> alt.Parameter:
    """A click on a mark gives these of its fields to the page; the drawing stays as it is."""
    return alt.selection_point(name=MARK, fields=list(fields), toggle=False)


def dimmed(selection: alt.Parameter, strength: Any = 1.0) -> Any:
    """Opacity under such a selection."""
    return alt.when(selection).then(alt.value(strength)).otherwise(alt.value(0.12))
