"""Bringing requests in: files, uploads and rewritten prompts."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from core.audit import recorded
from core.checkup import rewritten
from core.confinement import OutsideWorkspace, within
from core.doctor.finding import Finding
from core.errors import LotwiseError
from core.intake.imports import ImportReport, rejects_path
from core.intake.inbox import accept
from core.intake.tags import parse_tags
from core.requests.files import request_files
from core.workspace import Workspace


class NoRejects(LotwiseError):
    """No line of this import was set aside, so there is no reject file."""


class NothingToHeal(LotwiseError):
    """This finding changes no waiting request: they were sent or corrected meanwhile. Examine what waits again."""


@recorded("import", "paths", "replace", "tags", "import_id", "added", "replaced", "rejected")
def import_files(
    workspace: Workspace, paths: Iterable[Path], *, replace: bool = False, tags: Sequence[str] = ()
) -> list[ImportReport]:
    """Import files and folders on the calling thread, and find the classes of what came in.

    With `replace` their lines take the place of waiting items of the same id. `tags`: `name=text` each, for all of
    their items. Raises `TagInvalid`.
    """
    given = parse_tags(tags)
    return [workspace.worker.import_now(path, replace=replace, tags=given) for path in request_files(paths)]


@recorded("heal", "import_id", "replaced")
def heal(workspace: Workspace, finding: Finding) -> ImportReport:
    """Put the rewritten requests of a finding in the place of those that wait; what was sent stays what it was.

    Raises `NothingToHeal` where no waiting request is changed by it.
    """
    lines = rewritten(workspace.store, workspace.folder, finding)
    if (first := next(lines, None)) is None:
        raise NothingToHeal(finding=finding.title)
    with NamedTemporaryFile(prefix=f"{finding.kind}-", suffix=".rewritten.jsonl") as file:
        file.write(first)
        file.writelines(lines)
        file.flush()
        return workspace.worker.import_now(Path(file.name), replace=True)


@recorded("import", "paths")
def request_import(workspace: Workspace, paths: Sequence[Path]) -> None:
    """Have the worker import files and folders; how far it is stands in the table of imports.

    Pages ask for it, so it reads nothing outside the workspace and the folder of the setting `import_from`. Raises
    `OutsideWorkspace`.
    """
    for path in request_files([_open_to_pages(workspace, path) for path in paths]):
        workspace.worker.request_import(path)


@recorded("upload", "name")
def accept_upload(workspace: Workspace, name: str, file: IO[bytes]) -> None:
    """Take an uploaded file into the inbox: it is safe from here on, and the worker imports it next."""
    workspace.worker.request_import(accept(workspace.folder, name, file))


def rejects_file(workspace: Workspace, import_id: str) -> Path:
    """The lines of an import that were set aside, byte for byte. Raises `NoRejects`."""
    path = rejects_path(workspace.folder, import_id)
    if not path.exists():
        raise NoRejects(import_id=import_id)
    return path


def _open_to_pages(workspace: Workspace, path: Path) -> Path:
    """The path, where pages may read there. Raises `OutsideWorkspace`."""
    if allowed := workspace.settings.import_from:
        with suppress(OutsideWorkspace):
            return within(Path(allowed), path)
    return within(workspace.folder, path)
