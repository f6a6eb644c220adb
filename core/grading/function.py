"""A user's Python function as grader: a file in the workspace's folder `graders`, run in a process of its own.

The page and the command line name only what lies there, so that nobody who may open the dashboard can have another
file run. The process bounds what a function that is broken, endless or greedy can do; it is no sandbox against malice.
"""

import ast
import weakref
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from core.confinement import OutsideWorkspace, named, within
from core.grading.function_process import FunctionProcess, ProcessEnded
from core.grading.grade import BadGrader, Grade, Spec

FOLDER = "graders"
_PARAMETERS = frozenset(("answer", "gold", "reference"))
_NAMED = f"a function lies in a file of the workspace's folder {FOLDER} and is named like mine.py:grade"
# A function that ends its process so often in a row is not asked again, or a round would take as long as its limits.
_ENDS = 3


class PythonFunction(Spec, frozen=True, kw_only=True, tag="python"):
    """`function` is `file.py:name` in the workspace's folder graders, called as `name(answer, gold=…, reference=…)`.

    It returns whether the answer is right, or a number from 0 to 1 that must reach `least`, or None for no label.
    `seconds`: what one answer may take. `sha256`: of the file, so that a trial is graded by one and the same.
    """

    function: str
    seconds: float = 5.0
    least: float = 0.5
    sha256: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 600:
            raise BadGrader(option="seconds", value=self.seconds, why="it must be above 0 and at most 600")
        if not 0 <= self.least <= 1:
            raise BadGrader(option="least", value=self.least, why="it must be between 0 and 1")

    @property
    def sentence(self) -> str:
        """When an answer is right."""
        return f"An answer is right where the function {self.function} says so, by yes or by at least {self.least:g}."


class FunctionGrader:
    """The function at work: its process starts with the first answer, and ends with this object."""

    def __init__(self, asked: PythonFunction, folder: Path) -> None:
        self._path, self._name = _place(folder, asked.function)
        source = _source(self._path)
        digest = sha256(source).hexdigest()
        if asked.sha256 not in (None, digest):
            raise BadGrader(function=asked.function, why="its file is another than when the trial began")
        self._takes, self._requires = _signature(source, self._name, asked.function)
        self._asked = msgspec.structs.replace(asked, sha256=digest)
        self._process: FunctionProcess | None = None
        self._ends = 0

    @property
    def kind(self) -> str:
        """The name of the kind."""
        return self._asked.kind

    @property
    def needs(self) -> frozenset[str]:
        """What the function's parameters ask for without a default."""
        return self._requires

    @property
    def spec(self) -> dict[str, Any]:
        """Every option, and the digest of the file."""
        return self._asked.spec

    @property
    def sentence(self) -> str:
        """When an answer is right."""
        return self._asked.sentence

    def grade(self, answer: str, *, gold: str | None = None, reference: str | None = None) -> Grade:
        """What the function says; whatever befalls it is a note."""
        known = {"answer": answer, "gold": gold, "reference": reference}
        if missing := sorted(name for name in self._requires if known[name] is None):
            return Grade(correct=None, note=f"There is no {missing[0]} for this item.")
        if self._ends >= _ENDS:
            return _lost("The function was given up after it ended its process or took too long time and again.")
        try:
            reply = self._running().ask({name: known[name] for name in self._takes}, self._asked.seconds)
        except ProcessEnded as end:
            self._process = None
            self._ends = _ENDS if end.loading else self._ends + 1
            return _lost(str(end))
        self._ends = 0
        return _graded(reply, self._asked.least)

    def _running(self) -> FunctionProcess:
        if self._process is None:
            self._process = FunctionProcess(self._path, self._name)
            weakref.finalize(self, self._process.end)
        return self._process


def python_graders(folder: Path) -> tuple[str, ...]:
    """The functions in the workspace's folder graders that can grade, as `file.py:name`."""
    found = []
    for path in sorted((folder / FOLDER).glob("*.py")):
        with suppress(BadGrader):
            source = _source(_place(folder, f"{path.name}:grade")[0])
            for name in _functions(source, path.name):
                with suppress(BadGrader):
                    _signature(source, name, path.name)
                    found.append(f"{path.name}:{name}")
    return tuple(found)


def _graded(reply: Mapping[str, Any], least: float) -> Grade:
    if "error" in reply:
        line = f" in line {reply['line']}" if reply["line"] else ""
        return _lost(f"The function {'could not be loaded' if reply['loading'] else 'failed'}: {reply['error']}{line}.")
    value = reply["value"]
    if value is None:
        return Grade(correct=None, note="The function gave no label.")
    if isinstance(value, str):
        return _lost(f"The function gave a value of the type {value}, not yes or no, a number or None.")
    if not 0 <= value <= 1:
        return _lost("The function gave a number that is not between 0 and 1.")
    correct = value if isinstance(value, bool) else value >= least
    return Grade(correct=correct, note="" if correct else "The function says no.")


def _lost(note: str) -> Grade:
    return Grade(correct=None, note=note, lost=True)


def _place(folder: Path, function: str) -> tuple[Path, str]:
    """The file and the name of a function. Raises `BadGrader` for whatever does not lie in the folder."""
    file, _, name = function.partition(":")
    graders = folder / FOLDER
    try:
        path = within(graders, named(graders, file))
    except OutsideWorkspace as error:
        raise BadGrader(function=function, why=_NAMED) from error
    if not file.endswith(".py") or not name.isidentifier():
        raise BadGrader(function=function, why=_NAMED)
    return path.resolve(), name


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadGrader(file=path.name, why=f"it is not to be read in the folder {FOLDER}: {error.strerror}") from error


def _functions(source: bytes, file: str) -> dict[str, ast.arguments]:
    """The parameters of every function of a file, which is not run."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise BadGrader(file=file, line=getattr(error, "lineno", None), why="it is no Python") from error
    return {part.name: part.args for part in body if isinstance(part, ast.FunctionDef)}


def _signature(source: bytes, name: str, function: str) -> tuple[frozenset[str], frozenset[str]]:
    """Which of answer, gold and reference a function takes, and which of the last two it cannot do without."""
    parameters = _functions(source, function).get(name)
    if parameters is None:
        raise BadGrader(function=function, why=f"its file has no function {name}")
    positional = [parameter.arg for parameter in parameters.args]
    required = set(positional[: len(positional) - len(parameters.defaults)])
    required |= {
        one.arg for one, default in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True) if not default
    }
    takes = {*positional, *(one.arg for one in parameters.kwonlyargs)} & _PARAMETERS
    if parameters.posonlyargs or "answer" not in takes or not required <= _PARAMETERS:
        raise BadGrader(function=function, why="it must be called as grade(answer, gold=…, reference=…)")
    return frozenset(takes), frozenset(required - {"answer"})
