"""The one table of the suite: a row for each fault; and its sum in a line."""

from collections.abc import Sequence
from datetime import timedelta
from statistics import median

from tests.chaos.suite import Outcome

_HEAD = (
    "fault",
    "runs",
    "struck",
    "killed",
    "duplicates",
    "orphans",
    "recovered",
    "median time to recover",
    "repeated",
    "harness errors",
)


def table(outcomes: Sequence[Outcome]) -> str:
    """Fault by fault: runs, in how many it struck, deaths, duplicates, orphans, recovered, time to recover.

    Runs that came to an end; beside them how many of those did so only when repeated, and how many never did.
    """
    names = list(dict.fromkeys(outcome.fault for outcome in outcomes))
    by_fault = [_row(name, [outcome for outcome in outcomes if outcome.fault == name]) for name in names]
    rows = [_HEAD, *by_fault, _row("all", outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [_line(row, widths) for row in rows]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], *_unended(outcomes)])


def tally(outcomes: Sequence[Outcome]) -> str:
    """How it stands, in a line."""
    counts = dict(zip(_HEAD, _row("all", outcomes), strict=True))
    return ", ".join(f"{counts[name]} {name}" for name in ("duplicates", "orphans", "recovered", "harness errors"))


def _row(name: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    runs = [outcome.run for outcome in outcomes if outcome.run is not None]
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
        f"{sum(outcome.run is not None and bool(outcome.errors) for outcome in outcomes):,}",
        f"{sum(outcome.run is None for outcome in outcomes):,}",
    )


def _unended(outcomes: Sequence[Outcome]) -> list[str]:
    lost = [outcome for outcome in outcomes if outcome.run is None]
    return [f"never ended: {each.fault}, seed {each.seed}: {each.errors[-1].splitlines()[0]}" for each in lost]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if not column else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *others])
