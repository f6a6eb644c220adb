"""The unit of a class: choosing it, and what was counted by it; pages and the command line call the same functions."""

from dataclasses import dataclass

import polars as pl

from core.actions.recurring import UnknownClass
from core.audit import recorded
from core.jobs.counted_units import read_counts
from core.jobs.results import results_path
from core.store import Transaction
from core.unit_costs.unit import Unit
from core.workspace import Workspace

# Enough answers to see whether a count is found, and read in a moment.
_ENOUGH = 100
_PREVIEWED = 2_000
_LATEST_JOBS = 100


@dataclass(frozen=True, kw_only=True)
class ClassUnit:
    """What the classes of a name are measured by.

    `uncounted` of their `usable_items` have a count that is not known; the results of `recounting` jobs are still to
    be counted.
    """

    class_name: str
    unit: Unit
    usable_items: int = 0
    uncounted: int = 0
    recounting: int = 0


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a unit would count: found in so many of so many usable answers.

    What is read from answers is looked for in the newest results that are kept, those of `jobs` jobs; None are kept
    where that is 0. Everything else is in the ledger, for all work (`jobs` is None). `least` and `most` are of one
    answer where answers are read, `units` of all.
    """

    jobs: int | None = None
    answers: int = 0
    found: int = 0
    units: int = 0
    least: int | None = None
    most: int | None = None


def class_units(workspace: Workspace) -> tuple[ClassUnit, ...]:
    """The units that were chosen, by class name; any other class is measured by usable items."""
    rows = workspace.store.query("class_units").iter_rows(named=True)
    return tuple(
        ClassUnit(
            class_name=row["class_name"],
            unit=Unit(kind=row["kind"], place=row["place"], noun=row["noun"]),
            usable_items=row["usable_items"],
            uncounted=row["uncounted"],
            recounting=row["recounting"],
        )
        for row in rows
    )


def class_unit(workspace: Workspace, class_named: str) -> ClassUnit:
    """The unit of a class, given by its id or its name. Raises `UnknownClass`."""
    name = _name(workspace, class_named)
    chosen = {one.class_name: one for one in class_units(workspace)}
    if name in chosen:
        return chosen[name]
    return ClassUnit(class_name=name, unit=Unit(), usable_items=_work(workspace, name)["usable_items"])


def preview_unit(workspace: Workspace, class_named: str, unit: Unit) -> Preview:
    """What a unit would count in the work of a class, as far as that is known. Raises `UnknownClass`."""
    name = _name(workspace, class_named)
    if not unit.is_count:
        work = _work(workspace, name)
        items = work["usable_items"]
        return Preview(
            answers=items, found=items, units=work["output_tokens"] if unit.kind == "output_tokens" else items
        )
    ids = workspace.store.query("class_named", text=name)["class_id"]
    pieces: list[pl.Series] = []
    for job_id in workspace.store.query("newest_jobs_of_class_name", class_name=name, limit=_LATEST_JOBS)["job_id"]:
        path = results_path(workspace.folder, job_id)
        if path.exists():
            usable = workspace.store.query("usable_attempts", job_id=job_id)
            usable = usable.filter(pl.col("class_id").is_in(ids.implode()))
            counted = read_counts(path, unit, most=_PREVIEWED).join(usable, on="custom_id", how="semi")
            pieces.append(counted["counted_units"])
        if sum(map(len, pieces)) >= _ENOUGH:
            break
    answers = pl.concat([pl.Series(dtype=pl.Int64), *pieces])
    found = answers.drop_nulls()
    return Preview(
        jobs=len(pieces),
        answers=len(answers),
        found=len(found),
        units=int(found.sum()),
        least=None if found.is_empty() else int(found.min()),  # type: ignore[arg-type]
        most=None if found.is_empty() else int(found.max()),  # type: ignore[arg-type]
    )


@recorded("set-unit", "class_named", "unit")
def set_unit(workspace: Workspace, class_named: str, unit: Unit) -> ClassUnit:
    """Measure the classes of a name by this unit from here on, and count their kept results on the calling thread.

    It holds for every class of that name, whatever its model, and stays when its prompt changes. Where results are no
    longer kept their counts are unknown. Raises `UnknownClass`.
    """
    _choose(workspace, class_named, unit)
    workspace.worker.recount()
    return class_unit(workspace, class_named)


@recorded("set-unit", "class_named", "unit")
def request_unit(workspace: Workspace, class_named: str, unit: Unit) -> None:
    """Do the same, and have the worker count. Raises `UnknownClass`."""
    _choose(workspace, class_named, unit)
    workspace.worker.wake()


def _choose(workspace: Workspace, class_named: str, unit: Unit) -> None:
    name = _name(workspace, class_named)

    def choose(tx: Transaction) -> None:
        tx.run("forget_counts", class_name=name)
        if unit.kind == "items":
            tx.run("drop_class_unit", class_name=name)
        else:
            tx.run("put_class_unit", class_name=name, kind=unit.kind, place=unit.place, noun=unit.noun)
        if unit.is_count:
            tx.run("recount_class", class_name=name)

    workspace.store.write(choose)


def _name(workspace: Workspace, class_named: str) -> str:
    found = workspace.store.query("class_named", text=class_named)
    if found.is_empty():
        raise UnknownClass(named=class_named)
    return str(found["name"][0])


def _work(workspace: Workspace, class_name: str) -> dict[str, int]:
    return workspace.store.query("work_named", class_name=class_name).row(0, named=True)
