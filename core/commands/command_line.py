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
from core.commands.amounts import amount, whole
from core.commands.certify_verb import add_certify_options, certify
from core.commands.commit_verb import add_commit_verb
from core.commands.costs_verb import add_costs_verbs
from core.commands.explain_verb import add_explain_verb
from core.commands.forecast_verb import add_forecast_verb
from core.commands.local_api import ask_owner, to_json
from core.commands.next_verb import add_next_verb
from core.commands.plain_text import VisibleLog, plain, visible
from core.commands.planning_options import add_planning_verbs
from core.commands.prices_verb import add_prices_verb
from core.commands.reconcile_verb import add_reconcile_verb
from core.commands.route_verb import add_route_verbs
from core.commands.savings_verb import add_savings_verb
from core.commands.stated_needs import add_needs, stated
from core.commands.trial_verb import add_trial_verb
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
_MOST_DAYS = 3_650


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(VisibleLog("%(levelname)s %(message)s"))
    logging.basicConfig(handlers=[log], level=logging.WARNING)
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
    _say(f"lotwise: {visible(str(error))}".encode(), sys.stderr)
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
    app = create_app(options, folder=arguments.folder, api_key=arguments.api_key)
    with LoopbackServer(app, port=arguments.port) as server:
        _say(to_json({"url": server.url, "simulated": True}) if arguments.json else b"", sys.stdout)
        _say(f"Simulated Message Batches server on {server.url} (Ctrl-C stops it)".encode(), sys.stderr)
        server.wait()


def _demo(arguments: argparse.Namespace) -> Document:
    return asdict(build_demo(arguments.workspace))


def _key(text: str) -> str:
    """A key that a header can carry."""
    if not text.isascii() or not text.isprintable() or text != text.strip() or not text:
        raise argparse.ArgumentTypeError("a key is printable ASCII and begins and ends with none of its spaces")
    return text


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
            a, "import", {"files": [str(file.resolve()) for file in a.files], "replace": a.replace, "tags": a.tag}
        ),
    )
    imports.add_argument("files", nargs="+", type=Path, metavar="FILE")
    imports.add_argument(
        "--replace", action="store_true", help="put corrected lines in the place of waiting items of the same custom_id"
    )
    imports.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="tag all their items (team=search), to see cost by it; may be given several times",
    )

    add_planning_verbs(verb, _on_workspace)

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

    submit = verb(
        "submit",
        "send the proposed jobs",
        lambda a: _on_workspace(
            a, "submit", {"confirm": a.confirm, "dry_run": a.dry_run, **stated(a)}, advance=not a.dry_run
        ),
    )
    submit.add_argument("--wait", action="store_true", help="return when every job is over")
    add_needs(submit)
    _add_spending_options(submit)

    status = verb(
        "status",
        "show items and jobs; moves jobs on where no app runs",
        lambda a: _on_workspace(a, "status", {}),
    )
    status.set_defaults(wait=False)

    repair = verb(
        "repair",
        "send the failed slice of a job again",
        lambda a: _on_workspace(
            a,
            "repair",
            {"job": a.job, "dry_run": a.dry_run, "confirm": a.confirm, "causes": a.cause},
            advance=not a.dry_run,
        ),
    )
    repair.add_argument(
        "--cause",
        action="append",
        metavar="NAME",
        help="send the failures of this cause; may be given several times (default: those that pass by themselves)",
    )
    repair.add_argument("job", metavar="JOB", help=f"the job, or `{ALL}` for every failed slice")
    _add_spending_options(repair)
    repair.add_argument("--wait", action="store_true", help="return when every job is over")

    _add_failure_verbs(verb)

    _add_calling_verbs(verb)

    stop = verb(
        "stop",
        "call every job off, and send nothing more until `resume`",
        lambda a: _on_workspace(a, "stop", {"dry_run": a.dry_run}, advance=not a.dry_run),
    )
    stop.add_argument("--wait", action="store_true", help="return when every job is over")
    _add_dry_run(stop)
    verb("resume", "let sending go on after `stop`", lambda a: _on_workspace(a, "resume", {}))

    export = verb(
        "export",
        "write items, attempts, costs, the audit log or results to a file",
        lambda a: _on_workspace(a, "export", {"what": a.what, "to": str(a.to.resolve())}),
    )
    export.add_argument("what", choices=EXPORTS)
    export.add_argument("--to", type=Path, required=True, metavar="FILE.csv|.parquet|.jsonl")

    audit = verb(
        "audit",
        "show who did what, newest first",
        lambda a: _on_workspace(a, "audit", {"limit": a.limit, "actor": a.actor}),
    )
    audit.add_argument("--limit", type=whole(1), default=50, metavar="N", help="this many entries at most")
    audit.add_argument("--actor", metavar="NAME", help="only what this person did, or `worker`")

    _add_handover_verbs(verb)
    for add in (
        add_trial_verb,
        add_route_verbs,
        add_costs_verbs,
        add_explain_verb,
        add_savings_verb,
        add_prices_verb,
        add_next_verb,
        add_reconcile_verb,
        add_commit_verb,
    ):
        add(verb, _on_workspace)

    history = verb(
        "history",
        "bring in the account's batches that were not sent from here",
        lambda a: _on_workspace(a, "history", {"days": a.since, "dry_run": a.dry_run, "reclassify": a.reclassify}),
    )
    history.add_argument(
        "--since",
        type=whole(1, _MOST_DAYS),
        default=29,
        metavar="DAYS",
        help="how far to look back (default: 29 days, as long as the API keeps results)",
    )
    history.add_argument("--dry-run", action="store_true", help="only say what would come in, or be named otherwise")
    history.add_argument(
        "--reclassify", action="store_true", help="name what is in by the rules in naming.toml; look for nothing new"
    )

    _add_sandbox_verb(verb)
    verb("demo", "build the demo workspace", _demo)
    return parser


def _add_failure_verbs(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """The verbs for failures beside `repair`: giving them up, and looking at one item."""
    set_aside = verb(
        "set-aside",
        "give up failures that nobody will repair",
        lambda a: _on_workspace(a, "set-aside", {"job": a.job, "causes": a.cause, "undo": a.undo}),
    )
    set_aside.add_argument("job", metavar="JOB")
    set_aside.add_argument(
        "--cause", action="append", metavar="NAME", required=True, help="the failures of this cause; may be repeated"
    )
    set_aside.add_argument("--undo", action="store_true", help="take them back: they are open failures again")

    item = verb("item", "show every attempt of an item", lambda a: _on_workspace(a, "item", {"item": a.item}))
    item.add_argument("item", metavar="ITEM")


def _add_calling_verbs(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Letting one job go, and calling one off."""
    release = verb(
        "release",
        "send a held job after all",
        lambda a: _on_workspace(
            a, "release", {"job": a.job, "confirm": a.confirm, "dry_run": a.dry_run}, advance=not a.dry_run
        ),
    )
    release.add_argument("job", metavar="JOB")
    _add_spending_options(release)

    cancel = verb(
        "cancel",
        "call a job off, or a suspected second batch of one",
        lambda a: _on_workspace(a, "cancel", {"job": a.job, "dry_run": a.dry_run}, advance=not a.dry_run),
    )
    cancel.add_argument("job", metavar="JOB")
    _add_dry_run(cancel)


def _add_spending_options(verb: argparse.ArgumentParser) -> None:
    """What every verb has that spends."""
    verb.add_argument(
        "--confirm", metavar="AMOUNT", help="the predicted dollars as shown, where they go over a budget: 12.34"
    )
    _add_dry_run(verb)


def _add_dry_run(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dry-run", action="store_true", help="do everything but keep, send or cancel nothing: say it")


def _add_handover_verbs(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """The verbs that hand results over."""
    deliver = verb(
        "deliver",
        "hand every result that is complete over to the sinks, each exactly once",
        lambda a: _on_workspace(a, "deliver", {"to": str(a.to.resolve()) if a.to else None}),
    )
    where = "DIR|FILE.jsonl|FILE.duckdb[:TABLE]"
    deliver.add_argument("--to", type=Path, metavar=where, help="from now on there too, from the first one on")

    sinks = verb(
        "sinks",
        "show where results are handed over to, and how far each sink is",
        lambda a: _on_workspace(a, "sinks", {"remove": str(a.remove.resolve()) if a.remove else None}),
    )
    sinks.add_argument("--remove", type=Path, metavar="SINK", help="hand nothing more over there; what is there stays")


def _add_sandbox_verb(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """The verb whose options are those of the local server."""
    sandbox = verb("sandbox", "run the local Message Batches server", _sandbox)
    sandbox.add_argument("--port", type=whole(0, _LAST_PORT), default=0, help="0 takes a free one")
    sandbox.add_argument("--folder", type=Path, default=None, help="keep its state here over restarts")
    sandbox.add_argument("--api-key", type=_key, metavar="KEY", help="accept this key only (default: any)")
    for option in fields(SandboxOptions):
        flag = f"--{option.name.replace('_', '-')}"
        if isinstance(option.default, bool):
            sandbox.add_argument(flag, action="store_true", help=option.metadata["help"])
        else:
            sandbox.add_argument(flag, type=type(option.default), default=option.default, help=option.metadata["help"])


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
        "--runs-a-month", type=amount, default=1.0, metavar="N", help="how often such files are sent (default: once)"
    )
    doctor.add_argument(
        "--rewrite", type=Path, metavar="DIR", help="write rewritten copies, and proposals for owners, there"
    )

    add_forecast_verb(verb)
    add_certify_options(verb("certify", "say whether recorded outcomes prove that a model clears its bar", certify))
