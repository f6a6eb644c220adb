"""The verbs that read files and need no workspace: arguments in, one JSON document out."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from core.commands.plain_text import visible
from core.commands.plan_document import plan_document
from core.commands.stated_needs import stated
from core.doctor.files import doctor_files, rewrite_files, write_proposals
from core.intake.cache_plan_files import plan_files
from core.intake.draft_files import draft_files
from core.intake.group_files import group_files
from core.intake.tables import field_order as order_table
from core.intake.tables import read_text, write_table
from core.planning.needs import Needs
from core.prices import PriceBook
from core.requests.files import request_files
from core.settings import Settings
from core.workspace import utc_now

Document = dict[str, Any]
_SHOWN_REJECTS = 20


def group(arguments: argparse.Namespace) -> Document:
    """What request files share, and who shares it."""
    grouping = group_files(
        request_files(arguments.files),
        PriceBook.load(),
        executor=Settings.load().executor,
        assignments=arguments.assignments is not None,
    )
    if arguments.assignments:
        grouping.assignments.write_parquet(arguments.assignments)
    _say_rejects(grouping.reasons)
    return _problems(grouping.requests, grouping.rejected) | {
        "requests": grouping.requests,
        "rejected": grouping.rejected,
        "bytes": grouping.bytes,
        "seconds": grouping.seconds,
        "shareable": grouping.shareable,
        "groups": [asdict(group) for group in grouping.groups],
    }


def cache_plan(arguments: argparse.Namespace) -> Document:
    """How request files would be cached, and why."""
    settings = Settings.load()
    plan = plan_files(
        request_files(arguments.files),
        model=arguments.model,
        book=PriceBook.load(),
        settings=settings,
        now=utc_now(),
        executor=settings.executor,
    )
    _say_rejects(plan.rejects)
    document = asdict(plan)
    del document["rejects"]
    return document | _problems(plan.requests, plan.rejected)


def plan(arguments: argparse.Namespace) -> Document:
    """The jobs that request files would go out as: how large, when, at what price, and why."""
    settings, now = Settings.load(), utc_now()
    drafted = draft_files(
        request_files(arguments.files),
        book=PriceBook.load(),
        settings=settings,
        now=now,
        needs=Needs.stated(now=now, **stated(arguments)),
        executor=settings.executor,
    )
    if arguments.assignments:
        drafted.plan.assignments.select(custom_id="item_id", job="job").write_parquet(arguments.assignments)
    _say_rejects(drafted.rejects)
    return plan_document(drafted.plan) | {"rejected": len(drafted.rejects)}


def _problems(requests: int, rejected: int) -> Document:
    """What makes the command fail: files in which not one line is a request."""
    return {} if requests or not rejected else {"problems": [f"not one of {rejected:,} lines is a request"]}


def _say_rejects(rejects: Sequence[tuple[str, int, str]]) -> None:
    """Name lines that are no requests on standard error: the first ones, and how many more there are."""
    for file, line, reason in rejects[:_SHOWN_REJECTS]:
        sys.stderr.write(visible(f"{file}:{line}: {reason}") + "\n")
    if (more := len(rejects) - _SHOWN_REJECTS) > 0:
        sys.stderr.write(f"and {more:,} more; `import` keeps every one with its reason\n")


def field_order(arguments: argparse.Namespace) -> Document:
    """The order of a table's rows and fields that shares most."""
    report = order_table(
        arguments.table,
        read_text(arguments.template) if arguments.template else None,
        instructions=read_text(arguments.instructions) if arguments.instructions else "",
        book=PriceBook.load(),
        model=arguments.model,
        now=utc_now(),
    )
    if arguments.to:
        write_table(report.ordered, arguments.to)
    return report.document()


def doctor(arguments: argparse.Namespace) -> Document:
    """What keeps requests from sharing, what it costs, and on request the files rewritten."""
    files = request_files(arguments.files)
    report = doctor_files(files, PriceBook.load(), now=utc_now(), runs_a_month=arguments.runs_a_month)
    _say_rejects(report.reasons)
    document = report.document() | _problems(report.examination.requests, len(report.reasons))
    if arguments.rewrite:
        findings = report.examination.findings
        document["rewritten"] = [asdict(written) for written in rewrite_files(files, arguments.rewrite, findings)]
        proposals = write_proposals(arguments.rewrite, findings)
        document["proposals"] = None if proposals is None else str(proposals)
    return document
