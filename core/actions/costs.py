"""What a unit costs, by whatever the ledger can be seen by: pages and the command line call the same function."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from core.actions.explain import DaysReversed
from core.prices import PriceBook, UnknownModel
from core.unit_costs.dimension import check_dimension, tag_of
from core.unit_costs.stability import Stability, stability
from core.unit_costs.statistics import unit_cost, weekly_cost
from core.workspace import Workspace

_COLUMNS = {"class": "class_name", "model": "model", "job": "job_id", "day": "day", "week": "week"}
# One week, day or job is no series of weeks.
_MOMENTS = {"day", "week", "job"}


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs per unit: `rows` by `by`, and `overall` for all of them together.

    `rows` and `overall` hold what `unit_cost` gives. `steady`: how steady each row's weekly cost per unit was, in
    their order, None where a row is a moment itself; `overall_steady`: that of all. `first` and `last` are the days
    that were asked for, or those that the ledger has.
    """

    first: date | None
    last: date | None
    by: tuple[str, ...]
    rows: pl.DataFrame
    steady: tuple[Stability | None, ...]
    overall: dict[str, Any] | None
    overall_steady: Stability


def costs(
    workspace: Workspace,
    *,
    first: date | None = None,
    last: date | None = None,
    by: Sequence[str] = ("class",),
    class_name: str | None = None,
    models: Sequence[str] = (),
    tag: tuple[str, str] | None = None,
) -> Costs:
    """The cost per unit of work from `first` to `last` (UTC, both included; None: all), by these dimensions.

    With `class_name`, `models` or a `tag` (name and text) only of theirs. Costs of trials are none of work. Raises
    `UnknownDimension` and `DaysReversed`.
    """
    if first is not None and last is not None and first > last:
        raise DaysReversed(days=f"{first}/{last}")
    by = tuple(dict.fromkeys(check_dimension(dimension) for dimension in by))
    tags = {dimension: name for dimension in by if (name := tag_of(dimension)) is not None}
    cells = workspace.store.query(
        "unit_cells",
        first=first,
        last=last,
        class_name=class_name,
        models=list(models),
        tag_name=tag and tag[0],
        tag_text=tag and tag[1],
        tagged=bool(tags),
    )
    cells = _with_dimensions(workspace, cells, by, tags)
    rows = unit_cost(cells, by)
    overall = unit_cost(cells, ()).to_dicts()
    return Costs(
        first=first or cells["day"].min(),  # type: ignore[arg-type]
        last=last or cells["day"].max(),  # type: ignore[arg-type]
        by=by,
        rows=rows,
        steady=_steady(cells, rows, by),
        overall=overall[0] if overall else None,
        overall_steady=stability(weekly_cost(cells, ())),
    )


def _with_dimensions(
    workspace: Workspace, cells: pl.DataFrame, by: Sequence[str], tags: dict[str, str]
) -> pl.DataFrame:
    """The cells with a column for each dimension; without such a tag, or such a model in the price book, it is null."""
    added = [pl.col(_COLUMNS[dimension]).alias(dimension) for dimension in by if dimension in _COLUMNS]
    if "tier" in by:
        lines = {model: _line(workspace.book, model) for model in cells["model"].unique()}
        added.append(pl.col("model").replace_strict(lines, return_dtype=pl.String).alias("tier"))
    if tags:
        sets = dict(workspace.store.query("tag_sets").select("tag_set", "tags").iter_rows())
        for dimension, name in tags.items():
            texts = {number: dict(held).get(name) for number, held in sets.items()}
            found = pl.col("tag_set").replace_strict(texts, default=None, return_dtype=pl.String)
            added.append(found.alias(dimension))
    return cells.with_columns(added)


def _line(book: PriceBook, model: str) -> str | None:
    try:
        return book.model(model).line
    except UnknownModel:
        return None


def _steady(cells: pl.DataFrame, rows: pl.DataFrame, by: Sequence[str]) -> tuple[Stability | None, ...]:
    """How steady each row is."""
    if _MOMENTS & set(by):
        return (None,) * rows.height
    weeks = weekly_cost(cells, by)
    if not by:
        return (stability(weeks),)
    parts = weeks.partition_by(by, as_dict=True)
    return tuple(stability(parts[key]) for key in rows.select(by).iter_rows())
