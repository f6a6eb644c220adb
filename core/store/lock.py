"""The outer file lock: DuckDB 2.0 loses commits when processes take turns on a file, so one process owns it."""

import fcntl
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from core.errors import LotwiseError

_NOTE_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who holds a workspace: process id, command and since when; `url` and `token` reach its local API."""

    pid: int
    command: str
    since: str
    url: str | None = None
    token: str | None = field(default=None, repr=False)  # whoever has it can spend: no log may show it


class StoreBusy(LotwiseError):
    """Another process owns this workspace. Use the running app, or stop that process first."""

    def __init__(self, path: Path, owner: Owner | None) -> None:
        self.owner = owner
        context = {"pid": owner.pid, "command": owner.command, "since": owner.since} if owner else {}
        super().__init__(None, workspace=path.parent, **context)


class FileLock:
    """An exclusive lock on `path` for the life of this process; the file names its owner.

    The kernel drops the lock when the process dies, however it dies, so a stale file never blocks anybody.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle

    @classmethod
    def take(cls, path: Path) -> Self:
        """Take the lock or raise `StoreBusy` naming the process that holds it."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise StoreBusy(path, read_owner(path)) from None
        lock = cls(path, handle)
        lock.announce()
        return lock

    def announce(self, *, url: str | None = None, token: str | None = None) -> None:
        """Write who owns the lock, and where its local API answers."""
        owner = Owner(
            pid=os.getpid(),
            command=" ".join(Path(word).name for word in sys.argv[:3]),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            url=url,
            token=token,
        )
        # Always of one length, in one write: whoever reads meanwhile finds the old note or the new one, never a mix.
        note = json.dumps(asdict(owner)).encode().ljust(_NOTE_BYTES)
        os.pwrite(self._handle, note, 0)
        os.ftruncate(self._handle, len(note))

    def release(self) -> None:
        """Give the lock back; the file stays, empty."""
        os.ftruncate(self._handle, 0)
        os.close(self._handle)


def read_owner(path: Path) -> Owner | None:
    """Who last took the lock at `path`; None where nobody did or the note is unreadable."""
    try:
        return Owner(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
