"""When the jobs of a plan run, as far as it can be told: bars for a chart, one a job and part. Pure."""

from datetime import timedelta

import polars as pl

from core.planning.plan import Plan

TIMETABLE_SCHEMA = {
    "lane": pl.String,
    "part": pl.String,
    "begins": pl.Datetime("us", "UTC"),
    "ends": pl.Datetime("us", "UTC"),
    "jobs": pl.Int64,
    "items": pl.Int64,
}
MARGIN = "margin, one repair included"
_LIKELY = 0.5


def timetable(plan: Plan) -> pl.DataFrame:
    """Columns of `TIMETABLE_SCHEMA`: each job from its sending to its likely end, and the margin until `ready_by`.

    `lane`: the class, or what the job is called where it carries several; the likely end is the median turnaround.
    """
    rows: list[tuple[object, ...]] = []
    for job in plan.jobs:
        turnaround = plan.evidence.turnaround(job.model, job.items, job.send_at, job.class_id)
        ends = job.send_at + timedelta(seconds=float(turnaround.quantile(_LIKELY)))
        rows.append((job.class_name, job.role, job.send_at, ends, 1, job.items))
        if job.ready_by is not None and job.ready_by > ends:
            rows.append((job.class_name, MARGIN, ends, job.ready_by, 1, job.items))
    return pl.DataFrame(rows, schema=TIMETABLE_SCHEMA, orient="row")
