"""What a trial proved, to hand to somebody."""

from datetime import datetime
from pathlib import Path

from core.actions.trials import trial_standing
from core.audit import recorded
from core.errors import LotwiseError
from core.intake.routing import all_routes
from core.roles import Role
from core.trials.certificate import Certificate, issue
from core.trials.trial import trial_of
from core.trials.watch import watch_of
from core.workspace import Workspace


class WrongEnding(LotwiseError):
    """The file's ending says how to write a certificate. Use .json, or .txt for one page of plain text."""


def certificate(workspace: Workspace, trial_id: str, *, now: datetime) -> Certificate:
    """What a trial proved, to hand to somebody. Raises `NoSuchTrial`."""
    standing = trial_standing(workspace, trial_id, now=now)
    routes = [route for route in all_routes(workspace.store) if route.trial_id == trial_id]
    watched = [watch_of(workspace.store, workspace.folder, workspace.settings, route, now=now) for route in routes]
    trial = trial_of(workspace.store, workspace.folder, trial_id)
    return issue(workspace.store, workspace.book, trial, standing, watched)


@recorded("export-certificate", "trial_id", "to", needs=Role.VIEWER)
def write_certificate(workspace: Workspace, trial_id: str, to: Path, *, now: datetime) -> Certificate:
    """Write a certificate to a .json file, or to a .txt file as one page. Raises `NoSuchTrial` and `WrongEnding`."""
    found = certificate(workspace, trial_id, now=now)
    match to.suffix.lower():
        case ".json":
            to.write_bytes(found.json())
        case ".txt":
            to.write_text(found.text())
        case _:
            raise WrongEnding(file=to.name)
    return found
