"""The plan of request files as they are, without a workspace: which jobs, when, at what price. Nothing is kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.errors import LotwiseError
from core.intake.file_backlog import file_backlog
from core.intake.group_files import find_file_classes
from core.planning.needs import Needs
from core.planning.plan import Plan, draft_plan
from core.prices import PriceBook
from core.settings import Settings


class NoRequests(LotwiseError):
    """Not one line of these files is a request, so there is nothing to plan. A request is a JSON object with
    `custom_id` and `params`, one a line."""


@dataclass(frozen=True, kw_only=True)
class FilesPlan:
    """The plan of all requests of some files, and what could not be read: file, line and why."""

    plan: Plan
    rejects: tuple[tuple[str, int, str], ...]


def draft_files(
    paths: Iterable[Path],
    *,
    book: PriceBook,
    settings: Settings,
    now: datetime,
    needs: Needs | None = None,
    executor: str = "auto",
) -> FilesPlan:
    """Plan the jobs of all requests of the files, from the documented assumptions alone.

    `executor` as in `open_executor`. Raises `NoRequests`, what `group_files` raises, and what `draft_plan` raises.
    """
    read = find_file_classes(paths, book, executor=executor, details=True)
    backlog = file_backlog(read, book)
    if backlog is None:
        raise NoRequests(rejected=len(read.scan.rejects))
    plan = draft_plan(backlog, book=book, settings=settings, now=now, needs=needs)
    return FilesPlan(plan=plan, rejects=read.scan.rejects)
