"""The command line: one verb a call, `--json` for programs, exit 0 done, 1 refused or failed, 2 wrong usage."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.commands.local_api import ask_owner, to_json
from core.commands.plain_text import plain
from core.commands.verbs import ALL, Document, run_verb
from core.demo import build_demo
from core.doctor.files import doctor_files, rewrite_files, write_proposals
from core.errors import LotwiseError
from core.export import EXPORTS
from core.intake.group_files import Grouping, group_files
from core.intake.tables import field_order, read_text, write_table
from core.loopback import LoopbackServer
from core.prices import PriceBook
from core.requests.files import request_files
from core.sandbox import SandboxOptions, create_app
from core.settings import Settings
from core.store import StoreBusy
from core.workspace import Workspace, default_folder, utc_now

_STEP_SECONDS = 0.5
_SHOWN_REJECTS = 20
_LAST_PORT = 65_535


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        document = arguments.run(arguments)
    except LotwiseError as error:
        return _fail(error, error.message, error.context, as_json=arguments.json)
    except OSError as error:
        return _fail(error, str(error), {}, as_json=arguments.json)
    except KeyboardInterrupt:
        return 1
    if document is not None:
        _say(to_json(document) if arguments.json else plain(arguments.verb, document).encode(), sys.stdout)
    return 1 if document and document.get("problems") else 0


def _fail(error: Exception, message: str, context: Document, *, as_json: bool) -> int:
    _say(to_json({"error": message, "context": context}) if as_json else b"", sys.stdout)
    _say(f"lotwise: {error}".encode(), sys.stderr)
    return 1


def _say(text: bytes, stream: Any) -> None:
    if text:
        stream.write(text.decode() + "\n")
        stream.flush()


def _on_workspace(arguments: argparse.Namespace, verb: str, values: Document, *, advance: bool = False) -> Document:
    """Run a verb here, or in the process that owns the workspace; `advance` and `--wait` move the jobs on."""
    wait = getattr(arguments, "wait", False)
    try:
        workspace = Workspace.open(arguments.workspace)
    except StoreBusy as busy:
        if busy.owner is None:
            raise
        document = ask_owner(busy.owner, verb, values)
        while wait and ask_owner(busy.owner, "active", {})["active"]:
            time.sleep(_STEP_SECONDS)
        return document
    with workspace:
        if verb == "status":
            workspace.worker.tick()
        document = run_verb(workspace, verb, values)
        if advance:
            active = workspace.worker.tick()
            while wait and active:
                time.sleep(_STEP_SECONDS if workspace.gateway.simulated else workspace.settings.poll_seconds)
                active = workspace.worker.tick()
        return document


def _group(arguments: argparse.Namespace) -> Document:
    grouping: Grouping = group_files(
        request_files(arguments.files),
        PriceBook.load(),
        executor=Settings.load().executor,
        assignments=arguments.assignments is not None,
    )
    if arguments.assignments:
        grouping.assignments.write_parquet(arguments.assignments)
    _say_rejects(grouping.reasons)
    return {
        "requests": grouping.requests,
        "rejected": grouping.rejected,
        "bytes": grouping.bytes,
        "seconds": grouping.seconds,
        "shareable": grouping.shareable,
        "groups": [asdict(group) for group in grouping.groups],
    }


def _field_order(arguments: argparse.Namespace) -> Document:
    report = field_order(
        arguments.table,
        read_text(arguments.template) if arguments.template else None,
        instructions=read_text(arguments.instructions) if arguments.instructions else "",
        book=PriceBook.load(),
        model=arguments.model,
        now=datetime.now(UTC),
    )
    if arguments.to:
        write_table(report.ordered, arguments.to)
    return report.document()


def _doctor(arguments: argparse.Namespace) -> Document:
    files = request_files(arguments.files)
    report = doctor_files(files, PriceBook.load(), now=utc_now(), runs_a_month=arguments.runs_a_month)
    _say_rejects(report.reasons)
    document = report.document()
    if arguments.rewrite:
        findings = report.examination.findings
        document["rewritten"] = [asdict(written) for written in rewrite_files(files, arguments.rewrite, findings)]
        proposals = write_proposals(arguments.rewrite, findings)
        document["proposals"] = None if proposals is None else str(proposals)
    return document


def _say_rejects(reasons: Sequence[tuple[str, int, str]]) -> None:
    for file, line, reason in reasons[:_SHOWN_REJECTS]:
        _say(f"{file}:{line}: {reason}".encode(), sys.stderr)
    if (more := len(reasons) - _SHOWN_REJECTS) > 0:
        _say(f"and {more:,} more; `import` keeps every one with its reason".encode(), sys.stderr)


def _sandbox(arguments: argparse.Namespace) -> None:
    options = SandboxOptions(**{option.name: getattr(arguments, option.name) for option in fields(SandboxOptions)})
    with LoopbackServer(create_app(options, folder=arguments.folder), port=arguments.port) as server:
        _say(to_json({"url": server.url, "simulated": True}) if arguments.json else b"", sys.stdout)
        _say(f"Simulated Message Batches server on {server.url} (Ctrl-C stops it)".encode(), sys.stderr)
        server.wait()


def _demo(arguments: argparse.Namespace) -> Document:
    return asdict(build_demo(arguments.workspace))


def _port(text: str) -> int:
    """A port number; argparse makes wrong usage of the error."""
    port = int(text)
    if not 0 <= port <= _LAST_PORT:
        raise ValueError(text)
    return port


def _runs(text: str) -> float:
    """A number of runs; argparse makes wrong usage of the error."""
    runs = float(text)
    if not 0 < runs < float("inf"):
        raise ValueError(text)
    return runs


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    common.add_argument(
        "--workspace",
        type=Path,
        default=default_folder(),
        metavar="DIR",
        help="the workspace folder (default: LOTWISE_WORKSPACE, or .lotwise)",
    )
    parser = argparse.ArgumentParser(
        prog="python -m core", description="Size, send, repair and price Claude batch work."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help: str, run: Any) -> argparse.ArgumentParser:  # noqa: A002
        added = verbs.add_parser(name, help=help, description=help, parents=[common])
        added.set_defaults(run=run)
        return added

    group = verb("group", "show what request files share, without importing them", _group)
    group.add_argument("files", nargs="+", type=Path, metavar="FILE")
    group.add_argument("--assignments", type=Path, metavar="FILE.parquet", help="write custom_id and group_id")

    order = verb("field-order", "find the order of a table's rows and fields that shares most", _field_order)
    order.add_argument("table", type=Path, metavar="TABLE.csv|.parquet")
    order.add_argument("--template", type=Path, metavar="FILE", help="text with {field} placeholders, one line a field")
    order.add_argument("--instructions", type=Path, metavar="FILE", help="text that stands before every row")
    order.add_argument("--model", metavar="MODEL", help="price the orders for this model")
    order.add_argument("--to", type=Path, metavar="FILE.csv|.parquet|.jsonl", help="write the rows in their new order")

    doctor = verb("doctor", "find what breaks or wastes prefix sharing, and price it", _doctor)
    doctor.add_argument("files", nargs="+", type=Path, metavar="FILE")
    doctor.add_argument(
        "--runs-a-month", type=_runs, default=1.0, metavar="N", help="how often such files are sent (default: once)"
    )
    doctor.add_argument(
        "--rewrite", type=Path, metavar="DIR", help="write rewritten copies, and proposals for owners, there"
    )

    imports = verb(
        "import",
        "import request files or folders into the workspace",
        lambda a: _on_workspace(a, "import", {"files": [str(file.resolve()) for file in a.files]}),
    )
    imports.add_argument("files", nargs="+", type=Path, metavar="FILE")

    verb("plan", "propose jobs for everything not yet sent", lambda a: _on_workspace(a, "plan", {}))

    submit = verb("submit", "send the proposed jobs", lambda a: _on_workspace(a, "submit", {}, advance=True))
    submit.add_argument("--wait", action="store_true", help="return when every job is over")

    status = verb(
        "status",
        "show items and jobs; moves jobs on where no app runs",
        lambda a: _on_workspace(a, "status", {}),
    )
    status.set_defaults(wait=False)

    repair = verb(
        "repair",
        "send the failed slice of a job again",
        lambda a: _on_workspace(a, "repair", {"job": a.job, "dry_run": a.dry_run}, advance=not a.dry_run),
    )
    repair.add_argument("job", metavar="JOB", help=f"the job, or `{ALL}` for every failed slice")
    repair.add_argument("--dry-run", action="store_true", help="only say what would be sent, and its price")
    repair.add_argument("--wait", action="store_true", help="return when every job is over")

    for name, help in (("release", "send a held job after all"), ("cancel", "call a job off")):  # noqa: A001
        added = verb(name, help, lambda a: _on_workspace(a, a.verb, {"job": a.job}, advance=True))
        added.add_argument("job", metavar="JOB")

    export = verb(
        "export",
        "write items, attempts, costs or results to a file",
        lambda a: _on_workspace(a, "export", {"what": a.what, "to": str(a.to.resolve())}),
    )
    export.add_argument("what", choices=EXPORTS)
    export.add_argument("--to", type=Path, required=True, metavar="FILE.csv|.parquet|.jsonl")

    sandbox = verb("sandbox", "run the local Message Batches server", _sandbox)
    sandbox.add_argument("--port", type=_port, default=0, help="0 takes a free one")
    sandbox.add_argument("--folder", type=Path, default=None, help="keep its state here over restarts")
    for option in fields(SandboxOptions):
        flag = f"--{option.name.replace('_', '-')}"
        if isinstance(option.default, bool):
            sandbox.add_argument(flag, action="store_true", help=option.metadata["help"])
        else:
            sandbox.add_argument(flag, type=type(option.default), default=option.default, help=option.metadata["help"])

    verb("demo", "build the demo workspace", _demo)
    return parser
