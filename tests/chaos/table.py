"""The one table of the suite: a row for each fault."""

from collections.abc import Sequence
from datetime import timedelta
from statistics import median

from tests.chaos.runs import Run

_HEAD = ("fault", "runs", "struck", "killed", "duplicates", "orphans", "recovered", "median time to recover")


def table(runs: Sequence[Run]) -> str:
    """Fault by fault: runs, in how many it struck, deaths, duplicates, orphans, recovered, time to recover."""
    names = list(dict.fromkeys(run.trouble for run in runs))
    rows = [_HEAD, *(_row(name, [run for run in runs if run.trouble == name]) for name in names), _row("all", runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [_line(row, widths) for row in rows]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _row(name: str, runs: Sequence[Run]) -> tuple[str, ...]:
    recoveries = [run.recovery.total_seconds() for run in runs if run.recovery is not None]
    return (
        name.replace("-", " "),
        f"{len(runs):,}",
        f"{len(recoveries):,}",
        f"{sum(run.deaths for run in runs):,}",
        f"{sum(run.verdict.duplicates for run in runs):,}",
        f"{sum(run.verdict.orphans for run in runs):,}",
        f"{sum(run.verdict.recovered and not run.verdict.broken for run in runs):,}",
        str(timedelta(seconds=round(median(recoveries)))) if recoveries else "-",
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if not column else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *others])
