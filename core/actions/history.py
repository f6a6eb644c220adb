"""What a user can do about the account's history: the pages and the command line call the same functions."""

from datetime import datetime

from core.audit import recorded
from core.history.naming import NamingRules
from core.history.naming_anew import Naming
from core.history.naming_anew import preview as preview_names
from core.history.report import HistoryReport
from core.history.rules_file import load_rules, rules_text, save_rules
from core.workspace import Workspace


@recorded("import-history", "since", "batches", "items")
def import_history(workspace: Workspace, *, since: datetime, dry_run: bool = False) -> HistoryReport:
    """Bring in the account's batches since then that no job of this workspace sent, on the calling thread.

    What is in already is left alone; a dry run only says what the account lists. Raises `GatewayDown`, or
    `RulesInvalid` where the naming rules cannot be used.
    """
    return workspace.worker.history.import_now(since, dry_run=dry_run)


@recorded("import-history", "since")
def request_history(workspace: Workspace, *, since: datetime) -> None:
    """Have the worker do the same between its other work; how far it is stands in the table of batches."""
    workspace.worker.history.ask_look(since)
    workspace.worker.wake()


@recorded("name-history", "items", "changed")
def name_history(workspace: Workspace, *, dry_run: bool = False) -> Naming:
    """Name the imported history by the rules in force; a dry run only says what would change. Raises `RulesInvalid`."""
    if dry_run:
        return preview_names(workspace.store, load_rules(workspace.folder))
    return workspace.worker.history.name_now()


@recorded("name-history")
def request_naming(workspace: Workspace) -> None:
    """Have the worker do the same between its other work."""
    workspace.worker.history.ask_naming()
    workspace.worker.wake()


def naming_rules(workspace: Workspace) -> str:
    """The rules in force, as the text of their file. Raises `RulesInvalid` where it is no text."""
    return rules_text(workspace.folder)


def preview_naming(workspace: Workspace, text: str) -> Naming:
    """What rules would make of the imported history; nothing is stored. Raises `RulesInvalid`."""
    return preview_names(workspace.store, NamingRules.parse(text))


@recorded("naming-rules")
def save_naming(workspace: Workspace, text: str, *, instead_of: str) -> None:
    """Put naming rules into force, in the place of those that were read, for what comes in from here on.

    Raises `RulesInvalid`, or `RulesChanged` where somebody else was faster; then nothing is changed.
    """
    save_rules(workspace.folder, text, instead_of=instead_of)
