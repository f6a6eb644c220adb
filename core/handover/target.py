"""What every kind of target has in common: how far it is, and how it takes the next part."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.errors import LotwiseError


class SinkBusy(LotwiseError):
    """Another process holds this sink. Nothing is lost: it is tried again, and gets everything once it is free."""


class SinkGone(LotwiseError):
    """This sink has results, and is no longer there. Bring it back; or remove it, and add it again to get all anew."""


class SinkChanged(LotwiseError):
    """What lies here is not what was handed over. Bring that back, or hand over to another path from the start."""


class SinkFailed(LotwiseError):
    """Nothing could be handed over here. It is tried again, and gets everything once the cause is gone."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The last result that lies in a target: its number and its item."""

    seq: int
    item_id: str


class Target(Protocol):
    """A sink opened for writing by this process alone.

    The target itself says how far it is, because only it knows after a crash: a part shows there as a whole or not
    at all (a line at a time, for JSON Lines), and writing goes on behind `mark`.
    """

    consumable: bool
    """Whether a consumer may take away what it has read."""

    def mark(self) -> Mark | None:
        """The last whole result in it; None while there is none."""
        ...

    def write(self, first: int, last: int) -> None:
        """Add the part that lies in the scratch connection's `incoming`; it is on disk when this returns."""
        ...


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock(handle: int, path: Path) -> None:
    """Hold an open file or folder alone until it is closed. Raises `SinkBusy`."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SinkBusy(sink=path) from None
