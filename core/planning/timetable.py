"""When the jobs of a plan run, as bars for a chart: one a job and part. Pure."""

from typing import Any

import polars as pl

from core.planning.plan import Plan

TIMETABLE_SCHEMA: dict[str, Any] = {
    "lane": pl.String,
    "part": pl.String,
    "begins": pl.Datetime("us", "UTC"),
    "ends": pl.Datetime("us", "UTC"),
    "jobs": pl.Int64,
    "items": pl.Int64,
}
ALLOWANCE = "allowance for one repair"


def timetable(plan: Plan) -> pl.DataFrame:
    """Columns of `TIMETABLE_SCHEMA`: each job until it has ended as surely as was asked for, and its repair's time.

    `lane`: the class, or what the job is called where it carries several; `part`: the job's role, or `ALLOWANCE`.
    """
    rows: list[tuple[object, ...]] = []
    for job in plan.jobs:
        lane = f"Primer: {job.class_name}" if job.role == "primer" else job.class_name
        rows.append((lane, job.role, job.send_at, job.ends_by, 1, job.items))
        if job.ready_by is not None and job.ready_by > job.ends_by:
            rows.append((lane, ALLOWANCE, job.ends_by, job.ready_by, 1, job.items))
    return pl.DataFrame(rows, schema=TIMETABLE_SCHEMA, orient="row")
