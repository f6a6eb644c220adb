"""The cache plan of request files as they are, without a workspace: what caching them would cost and save, and how."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from core.caching.class_caching import ClassCaching
from core.caching.learned import Learned
from core.caching.plan import plan_caching
from core.intake.file_backlog import file_backlog
from core.intake.group_files import find_file_classes
from core.prices import PriceBook
from core.settings import Settings


@dataclass(frozen=True, kw_only=True)
class FilesCachePlan:
    """How the classes of some files would meet the cache, the dearest first.

    Every figure is an estimate: tokens from the text, output from max_tokens, reads as documented in `widths`.
    `plain_usd`, `planned_usd`: of all classes that have a price; `rejects`: file, line and why.
    """

    requests: int
    rejected: int
    plain_usd: Decimal | None
    planned_usd: Decimal | None
    second_round_usd: Decimal
    classes: tuple[ClassCaching, ...]
    rejects: tuple[tuple[str, int, str], ...]


def plan_files(
    paths: Iterable[Path],
    *,
    model: str | None,
    book: PriceBook,
    settings: Settings,
    now: datetime,
    executor: str = "auto",
) -> FilesCachePlan:
    """Plan the caching of all requests of the files, as if all were for `model` where one is given.

    `executor` as in `open_executor`. Raises what `group_files` raises, and `UnknownModel` for a `model` not listed.
    """
    if model is not None:
        book.model(model)
    read = find_file_classes(paths, book, executor=executor, details=True, model=model)
    classes: tuple[ClassCaching, ...] = ()
    second_round_usd = Decimal(0)
    backlog = file_backlog(read, book)
    if backlog is not None:
        plan = plan_caching(backlog, book=book, settings=settings, now=now, learned=Learned())
        classes, second_round_usd = plan.classes, plan.second_round_usd
    return FilesCachePlan(
        requests=len(read.found.class_of),
        rejected=len(read.scan.rejects),
        plain_usd=_sum([one.plain_usd for one in classes]),
        planned_usd=_sum([one.planned_usd for one in classes]),
        second_round_usd=second_round_usd,
        classes=classes,
        rejects=read.scan.rejects,
    )


def _sum(amounts: list[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
