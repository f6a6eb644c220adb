"""What worlds are made on, one after the other: an account, and a nursery of processes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Self

import core
from tests.chaos.account import Account
from tests.chaos.life import Birth, Report
from tests.chaos.nursery import PATIENCE_SECONDS

ROOT = Path(core.__file__).resolve().parents[1]


class Ground:
    """An account, and a process that lives are forked from; what is made here lies in `folder`."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._begin()

    def _begin(self) -> None:
        self.account = Account()
        self.folder = Path(tempfile.mkdtemp(dir=self._parent))
        self._listener = Listener(str(self.folder / "driver.sock"), "AF_UNIX", backlog=8)
        command = [sys.executable, "-m", "tests.chaos.nursery", self._listener.address, self.account.url]
        self._nursery = subprocess.Popen(command, cwd=ROOT, env=plain_environment(), start_new_session=True)
        self._orders = self._listener.accept()

    def birth(self, birth: Birth, *, patience: float) -> tuple[int, Connection]:
        """Fork a life; return its process id and the line to it."""
        self._orders.send((birth, patience))
        pid = int(self._orders.recv())
        return pid, self._listener.accept()

    def wait(self, pid: int) -> bool:
        """Wait until a life is over and has let go of everything; return False where an error ended it."""
        self._orders.send(pid)
        return os.waitstatus_to_exitcode(int(self._orders.recv())) <= 0

    def look(self, folder: Path) -> Report:
        """How a workspace stands that no process owns."""
        birth = Birth(folder=folder, now=self.account.now, seed="look")
        pid, line = self.birth(birth, patience=PATIENCE_SECONDS)
        refusal = line.recv()
        if refusal is not None:
            raise RuntimeError(refusal)
        line.send(("look", self.account.now, 0.0, {}))
        report: Report = line.recv()
        line.close()
        self.wait(pid)
        return report

    def renew(self) -> None:
        """Begin again from nothing, whatever state a run left this in."""
        self.close()
        self._begin()

    def close(self) -> None:
        """End everything, lives that hang too."""
        with suppress(ProcessLookupError):
            os.killpg(self._nursery.pid, signal.SIGKILL)
        self._nursery.wait()
        self._orders.close()
        self._listener.close()
        self.account.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def plain_environment() -> dict[str, str]:
    """Without the measuring of coverage: it would slow every life, and its tracing is what kills are counted by."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
