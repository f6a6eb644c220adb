"""Charts as pure functions: a frame in, a `Figure` out (the chart and the same in words, or what to do next).

No colour is set here: the theme gives them. A chart holds about 2,000 marks at most, whatever the frame.
"""

from core.charts.backlog import backlog_classes
from core.charts.class_hits import class_hits
from core.charts.failures import failures
from core.charts.figure import Figure
from core.charts.hits import hit_rate
from core.charts.icicle import PICKED, prefix_icicle
from core.charts.plan import plan_cost
from core.charts.predictions import predicted_actual
from core.charts.spend import spend
from core.charts.steps import Step, largest_step
from core.charts.turnaround import turnaround
from core.charts.unit_cost import unit_cost

__all__ = [
    "PICKED",
    "Figure",
    "Step",
    "backlog_classes",
    "class_hits",
    "failures",
    "hit_rate",
    "largest_step",
    "plan_cost",
    "predicted_actual",
    "prefix_icicle",
    "spend",
    "turnaround",
    "unit_cost",
]
