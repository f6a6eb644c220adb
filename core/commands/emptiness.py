"""What a verb says where there is nothing to show: an empty table would leave people guessing."""

from core.workspace import Workspace

NOTHING_CAME_BACK = (
    "Nothing has come back in this workspace yet: import request files, submit them, and look again when they are done."
)


def or_nothing(workspace: Workspace, said: str) -> list[str]:
    """The sentence for an empty answer: that nothing came back at all, else `said`."""
    last = workspace.store.query("trend_span").row(0, named=True)["last"]
    return [NOTHING_CAME_BACK if last is None else said]
