"""Charts as pure functions: a frame in, a `Figure` out (the chart and the same in words, or what to do next).

No colour is set here: the theme gives them. A chart holds about 2,000 marks at most, whatever the frame.
"""

from core.charts.attribution import attribution
from core.charts.backlog import backlog_classes
from core.charts.blast import blast
from core.charts.cadence import week_cadence
from core.charts.calibration import calibration
from core.charts.certainty import certainty
from core.charts.class_hits import class_hits
from core.charts.deadline import deadline
from core.charts.expected import expected
from core.charts.failures import failures
from core.charts.figure import MARK, Figure
from core.charts.frontier import frontier
from core.charts.gantt import SPANS, gantt
from core.charts.hits import hit_rate
from core.charts.icicle import PICKED, prefix_icicle
from core.charts.plan import plan_cost
from core.charts.predictions import predicted_actual
from core.charts.promises import promises
from core.charts.reconciliation import reconciliation
from core.charts.size_costs import SIZES, size_costs
from core.charts.spend import spend
from core.charts.steps import Step
from core.charts.turnaround import turnaround
from core.charts.unit_bands import unit_bands
from core.charts.unit_cost import unit_cost
from core.charts.waterfall import waterfall
from core.charts.what_if import what_if

__all__ = [
    "MARK",
    "PICKED",
    "SIZES",
    "SPANS",
    "Figure",
    "Step",
    "attribution",
    "backlog_classes",
    "blast",
    "calibration",
    "certainty",
    "class_hits",
    "deadline",
    "expected",
    "failures",
    "frontier",
    "gantt",
    "hit_rate",
    "plan_cost",
    "predicted_actual",
    "prefix_icicle",
    "promises",
    "reconciliation",
    "size_costs",
    "spend",
    "turnaround",
    "unit_bands",
    "unit_cost",
    "waterfall",
    "week_cadence",
    "what_if",
]
