"""The process in which a user's function grades: a request in JSON a line on standard input, a reply a line.

Run as a script with the file, the function's name and the parent's process id; imports nothing of Lotwise.
"""

import importlib.util
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from numbers import Real
from typing import Any

# More memory than a grader needs, and less than takes the machine with it.
_DATA_BYTES = 4 << 30


def main(file: str, name: str, parent: int) -> None:
    """Load the function, then grade until the input ends."""
    _stay_small()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    # What the function prints must not stand between the replies.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - no path of a file
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    loaded = _attempt(lambda: _load(file, name), file)
    grade = loaded.pop("value", None)
    _reply(replies, loaded)
    for line in sys.stdin if grade else ():
        known = json.loads(line)
        _reply(replies, _attempt(partial(_graded, grade, known), file))


def _load(file: str, name: str) -> Callable[..., Any]:
    # Its neighbours may be imported, and nothing of the folder that this script lies in.
    sys.path.insert(0, os.path.dirname(file))  # noqa: PTH120
    spec = importlib.util.spec_from_file_location("grader", file)
    assert spec and spec.loader  # noqa: S101 - a .py file always has one
    module = importlib.util.module_from_spec(spec)
    sys.modules["grader"] = module
    spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, name)
    return function


def _graded(grade: Callable[..., Any], known: dict[str, Any]) -> Any:
    return _plain(grade(**known))


def _attempt(work: Callable[[], Any], file: str) -> dict[str, Any]:
    """The value that work gives, or why it gave none: the kind of error and the line of the user's file."""
    try:
        return {"value": work()}
    except Exception as error:
        # Not its message: that may quote the answer.
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        return {"error": type(error).__name__, "line": lines[-1] if lines else None}


def _plain(value: Any) -> Any:
    """Yes or no, a number or nothing, out of NumPy's scalars too; anything else as the name of its type."""
    value = getattr(value, "item", lambda: value)()
    if value is None or isinstance(value, bool):
        return value
    return float(value) if isinstance(value, Real) else type(value).__name__


def _reply(replies: Any, reply: dict[str, Any]) -> None:
    print(json.dumps(reply), file=replies, flush=True)


def _stay_small() -> None:
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on every system

        resource.setrlimit(resource.RLIMIT_DATA, (_DATA_BYTES, _DATA_BYTES))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
