"""The command line: one verb a call, `--json` for programs, exit 0 done, 1 refused or failed, 2 wrong usage."""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from core.commands import file_verbs
from core.commands.local_api import ask_owner, to_json
from core.commands.plain_text import plain
from core.commands.verbs import ALL, Document, run_verb
from core.demo import build_demo
from core.errors import LotwiseError
from core.export import EXPORTS
from core.loopback import LoopbackServer
from core.sandbox import SandboxOptions, create_app
from core.store import StoreBusy
from core.workspace import Workspace, default_folder

_STEP_SECONDS = 0.5
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

    _add_file_verbs(verb)

    imports = verb(
        "import",
        "import request files or folders into the workspace",
        lambda a: _on_workspace(
            a, "import", {"files": [str(file.resolve()) for file in a.files], "replace": a.replace}
        ),
    )
    imports.add_argument("files", nargs="+", type=Path, metavar="FILE")
    imports.add_argument(
        "--replace", action="store_true", help="put corrected lines in the place of waiting items of the same custom_id"
    )

    verb("plan", "propose jobs for everything not yet sent", lambda a: _on_workspace(a, "plan", {}))

    verb(
        "caching",
        "show how the backlog would be cached, and how it went so far",
        lambda a: _on_workspace(a, "caching", {}),
    )
    split = verb(
        "agree-split",
        "let the text in which a class's prefix ends be sent as two blocks, so that it can be cached",
        lambda a: _on_workspace(a, "agree-split", {"class_id": a.class_id, "agreed": not a.no}),
    )
    split.add_argument("class_id", metavar="CLASS")
    split.add_argument("--no", action="store_true", help="take the consent back")

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


def _add_file_verbs(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """The verbs that read files as they are and need no workspace."""
    group = verb("group", "show what request files share, without importing them", file_verbs.group)
    group.add_argument("files", nargs="+", type=Path, metavar="FILE")
    group.add_argument("--assignments", type=Path, metavar="FILE.parquet", help="write custom_id and group_id")

    files = verb("cache-plan", "show how request files would be cached, without importing them", file_verbs.cache_plan)
    files.add_argument("files", nargs="+", type=Path, metavar="FILE")
    files.add_argument("--model", metavar="MODEL", help="plan as if all requests were for this model")

    order = verb("field-order", "find the order of a table's rows and fields that shares most", file_verbs.field_order)
    order.add_argument("table", type=Path, metavar="TABLE.csv|.parquet")
    order.add_argument("--template", type=Path, metavar="FILE", help="text with {field} placeholders, one line a field")
    order.add_argument("--instructions", type=Path, metavar="FILE", help="text that stands before every row")
    order.add_argument("--model", metavar="MODEL", help="price the orders for this model")
    order.add_argument("--to", type=Path, metavar="FILE.csv|.parquet|.jsonl", help="write the rows in their new order")

    doctor = verb("doctor", "find what breaks or wastes prefix sharing, and price it", file_verbs.doctor)
    doctor.add_argument("files", nargs="+", type=Path, metavar="FILE")
    doctor.add_argument(
        "--runs-a-month", type=_runs, default=1.0, metavar="N", help="how often such files are sent (default: once)"
    )
    doctor.add_argument(
        "--rewrite", type=Path, metavar="DIR", help="write rewritten copies, and proposals for owners, there"
    )
