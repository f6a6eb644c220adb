"""Savings: what work cost beside its list price, what saved it, what was missed; and the baselines behind that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

import polars as pl

from core.actions.opportunities import work_between
from core.audit import recorded
from core.errors import LotwiseError
from core.intake.routing import all_routes
from core.savings.approximations import approximations
from core.savings.decomposition import Savings, decompose, decompose_by
from core.savings.not_taken import NotTaken, not_taken
from core.store import Store, Transaction
from core.trials.class_routes import ClassRoute, RouteState
from core.trials.homes import NoSuchClass, alike, home_classes
from core.workspace import Workspace


class PeriodReversed(LotwiseError):
    """The first day of this period lies after its last day. Give them the other way round."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """Days in UTC, both included, and of which classes, by their ids; None = all."""

    first: date
    last: date
    class_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ClassSavings:
    """What was saved on the classes of one name."""

    class_name: str
    savings: Savings


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """A period's work from list price to paid, altogether and by class, the most saved first.

    `trials_usd`: what trials cost meanwhile, which is no part of it; `trials_unknown`: their attempts without a price.
    `approximations`: what it takes for granted, in sentences.
    """

    period: Period
    total: Savings
    classes: tuple[ClassSavings, ...]
    trials_usd: Decimal
    trials_unknown: int
    approximations: tuple[str, ...]


def savings_period(
    workspace: Workspace,
    *,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    class_named: str | None = None,
) -> Period:
    """The period that is meant: open ends are the first and the last day with a result, today where there is none.

    `class_named`: an id or a name; where its work was routed to is meant too. Raises `PeriodReversed`, `NoSuchClass`.
    """
    span = workspace.store.query("trend_span").row(0, named=True)
    today = now.date()
    # An open end lies where results end, or where the other end does, if that is beyond.
    first, last = (
        first or min(filter(None, (span["first"], last)), default=today),
        last or max(filter(None, (span["last"], first)), default=today),
    )
    if first > last:
        raise PeriodReversed(first=first, last=last)
    class_ids = None if class_named is None else _classes(workspace.store, class_named)
    return Period(first=first, last=last, class_ids=class_ids)


def decomposition(workspace: Workspace, period: Period) -> Decomposition:
    """What saved how much of the list price of a period's work."""
    cells = workspace.store.query("savings_cells", **_filters(period))
    baselines = class_baselines(workspace.store)
    total = decompose(cells, book=workspace.book, baselines=baselines)
    classes = decompose_by(cells, "class_name", book=workspace.book, baselines=baselines)
    trials = workspace.store.query("savings_trials", **_filters(period)).row(0, named=True)
    return Decomposition(
        period=period,
        total=total,
        classes=tuple(
            ClassSavings(class_name=name, savings=savings)
            for name, savings in sorted(classes.items(), key=lambda pair: (-pair[1].saved, pair[0]))
        ),
        trials_usd=trials["cost_usd"],
        trials_unknown=trials["unknown"],
        approximations=approximations(total, moved=_moved(cells, baselines)),
    )


def missed(
    workspace: Workspace, period: Period, *, standing: Iterable[ClassRoute], now: datetime
) -> tuple[NotTaken, ...]:
    """What a period's work could have cost less, most money first. `standing`: as `class_routes` has it."""
    work = work_between(workspace, first=period.first, last=period.last, now=now)
    if period.class_ids is not None:
        of = pl.col("class_id").is_in(period.class_ids)
        work = replace(work, cells=work.cells.filter(of), duplicates=work.duplicates.filter(of))
    proven = {
        line.class_id: line.best_model
        for line in standing
        if line.state is RouteState.CERTIFIED and line.best_model is not None
    }
    return not_taken(work, proven)


def class_baselines(store: Store) -> dict[str, str]:
    """By class id, the model that work would have run on: as its owner declares, else what it ran on before its route.

    A class that only routed work is in has the baseline of the class its owner sends. Classes of neither kind have
    none. Work that was routed into a class that owners send too is not told apart from theirs, and has none either.
    """
    declared: dict[str, str] = dict(store.query("baselines").select("class_id", "model").iter_rows())
    owned = {route.class_id: route.from_model for route in all_routes(store)}  # the oldest route comes last, and stays
    of_home = owned | declared
    if not of_home:
        return {}
    routed = {place: of_home[home] for place, home in home_classes(store).items() if home in of_home}
    return routed | declared


@recorded("declare-baseline", "class_id", "model")
def declare_baseline(workspace: Workspace, class_id: str, model: str | None, *, now: datetime) -> tuple[str, ...]:
    """Declare the model that a class's work would run on if nobody had moved it; None takes that back.

    `class_id`: an id, or a name: then of every class that has it. Returns their ids. Raises `NoSuchClass` and
    `UnknownModel`.
    """
    listed = None if model is None else workspace.book.model(model).id
    class_ids = tuple(_named(workspace.store, class_id))
    by = workspace.actor.name

    def declare(tx: Transaction) -> None:
        for named in class_ids:
            if listed is None:
                tx.run("drop_baseline", class_id=named)
            else:
                tx.run("put_baseline", class_id=named, model=listed, now=now, by=by)

    workspace.store.write(declare)
    return class_ids


def _moved(cells: pl.DataFrame, baselines: Mapping[str, str]) -> int:
    """How many classes (by name) ran on several models, and have no baseline."""
    named = cells.group_by("class_name").agg(
        pl.col("model").n_unique().alias("models"), pl.col("class_id").is_in(list(baselines)).any().alias("declared")
    )
    return named.filter((pl.col("models") > 1) & ~pl.col("declared")).height


def _filters(period: Period) -> dict[str, date | list[str] | None]:
    ids = None if period.class_ids is None else list(period.class_ids)
    return {"first": period.first, "last": period.last, "class_ids": ids}


def _classes(store: Store, text: str) -> tuple[str, ...]:
    """Every class that is meant, and those that its work was routed into."""
    return tuple(sorted({place for class_id in _named(store, text) for place in alike(store, class_id)}))


def _named(store: Store, text: str) -> list[str]:
    """The classes of an id or a name. Raises `NoSuchClass`."""
    named: list[str] = store.query("class_named", text=text)["class_id"].to_list()
    if not named:
        raise NoSuchClass(name=text)
    return named
