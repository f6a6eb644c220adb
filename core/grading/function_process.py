"""The process of a user's function, from the side of the one who asks."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

_CHILD = Path(__file__).with_name("function_child.py")
# Loading a file may take as long as its slowest import; ending takes a moment.
_LOADING_SECONDS, _ENDING_SECONDS = 30, 1
# A grader that spent money would do so past every budget.
_WITHHELD = ("ANTHROPIC_API_KEY", "ANTHROPIC_ADMIN_KEY", "ANTHROPIC_AUTH_TOKEN")


class ProcessEnded(Exception):
    """The process ended before it replied; `loading`: before the function was there."""

    def __init__(self, message: str, *, loading: bool) -> None:
        super().__init__(message)
        self.loading = loading


class FunctionProcess:
    """One process with the function loaded, asked one answer at a time; whoever starts it must `end` it."""

    def __init__(self, path: Path, name: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own script; the file lies in the workspace
            [sys.executable, "-P", str(_CHILD), str(path), name, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=path.parent,
            env={key: value for key, value in os.environ.items() if key not in _WITHHELD},
            # Its own group: what the function starts dies with it, and Ctrl-C is for the parent.
            start_new_session=True,
        )
        self._killed = False
        self._loaded = self._reply(_LOADING_SECONDS, b"", loading=True)

    def ask(self, known: Mapping[str, str | None], seconds: float) -> dict[str, Any]:
        """The reply to one answer: `value`, or `error` and `line`, and whether that was in `loading`.

        Raises `ProcessEnded`; then the process is gone.
        """
        if "error" in self._loaded:
            return {**self._loaded, "loading": True}
        return {**self._reply(seconds, json.dumps(known).encode() + b"\n"), "loading": False}

    def end(self) -> None:
        """End the process, in whatever state it is; safe to repeat."""
        requests, replies = self._pipes()
        with suppress(OSError):  # what was not read can no longer be written
            requests.close()
        try:
            self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        replies.close()

    def _reply(self, seconds: float, request: bytes, *, loading: bool = False) -> dict[str, Any]:
        requests, replies = self._pipes()
        # Kills rather than waits with a limit, so that a process that does not even read its input is met too.
        limit = threading.Timer(seconds, self._kill)
        limit.start()
        try:
            requests.write(request)
            requests.flush()
            reply = replies.readline()
        except BrokenPipeError:
            reply = b""
        finally:
            limit.cancel()
            limit.join()
        if reply.endswith(b"\n"):  # else the process was killed in the middle of it
            found: dict[str, Any] = json.loads(reply)
            return found
        self.end()
        late = f"took longer than {seconds:g} s{' to load' if loading else ''}"
        raise ProcessEnded(f"The function {late if self._killed else 'ended its process'}.", loading=loading)

    def _kill(self) -> None:
        self._killed = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        requests, replies = self._process.stdin, self._process.stdout
        assert requests and replies  # noqa: S101 - both were asked for
        return requests, replies
