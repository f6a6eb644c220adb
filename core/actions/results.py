"""Where results go, and the log of who did what."""

from datetime import datetime
from pathlib import Path

from core.audit import Entry, entries, recorded
from core.export import export as export_rows
from core.handover.handover import NoSinks, Standing
from core.handover.sink import Sink, delivered_folder
from core.roles import Role
from core.workspace import Workspace


@recorded("export", "what", "to", needs=Role.VIEWER)
def export(workspace: Workspace, what: str, to: Path) -> int:
    """Write items, attempts, costs, audit or results to a .csv, .parquet or .jsonl file; return the number of rows."""
    return export_rows(workspace.store, workspace.folder, what, to)


@recorded("add-sink", "target")
def add_sink(workspace: Workspace, target: str, *, now: datetime) -> None:
    """Hand results over to a folder, NAME.jsonl or NAME.duckdb[:TABLE] too, from the first one on.

    The worker feeds it from here on. Raises `UnknownSink`, `SinkInside`, or what keeps results from being written.
    """
    workspace.handover.add(Sink.named(target), now=now)
    workspace.worker.wake()


@recorded("add-sink", "name")
def add_delivered_sink(workspace: Workspace, name: str, *, now: datetime) -> None:
    """The same for a name in the workspace's `delivered` folder, and nowhere else. Raises `SinkOutside` as well."""
    sink = Sink.named(str(delivered_folder(workspace.folder) / name)).below(workspace.folder)
    workspace.handover.add(sink, now=now)
    workspace.worker.wake()


@recorded("remove-sink", "target")
def remove_sink(workspace: Workspace, target: str) -> None:
    """Hand nothing more over to a sink; what lies there stays. Raises `NoSuchSink`."""
    workspace.handover.remove(target)


@recorded("deliver")
def deliver(workspace: Workspace, *, now: datetime) -> Standing:
    """Bring every sink up to the last result, now; a sink's trouble is in what is returned. Raises `NoSinks`."""
    workspace.handover.feed(now=now)
    standing = workspace.handover.standing()
    if not standing.sinks:
        raise NoSinks
    return standing


def audit_log(workspace: Workspace, *, limit: int, actor: str | None = None) -> tuple[Entry, ...]:
    """Who did what, newest first: `limit` entries at most, of everybody or of one."""
    return entries(workspace.store, limit=limit, actor=actor)
