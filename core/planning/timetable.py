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
    for job, times in zip(plan.jobs, plan.timing.jobs, strict=True):
        ends = times.ends_by or times.ready_by
        if ends is None:
            continue
        rows.append((job.class_name, job.role, times.send_at, ends, 1, job.items))
        if times.ready_by is not None and times.ready_by > ends:
            rows.append((job.class_name, ALLOWANCE, ends, times.ready_by, 1, job.items))
    return pl.DataFrame(rows, schema=TIMETABLE_SCHEMA, orient="row")
