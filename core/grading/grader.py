"""Graders made of plain data: from the command line, a form or the store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from core.grading.comparing import Agreement, Exact, Json, Normalised, Numeric
from core.grading.function import FunctionGrader, PythonFunction
from core.grading.grade import BadGrader, Grader
from core.grading.pattern import Regex
from core.grading.people import People
from core.grading.rubric import Rubric
from core.grading.schema import Schema

_Specified = Exact | Normalised | Json | Numeric | Regex | Schema | Agreement | PythonFunction | Rubric | People
_KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(_Specified))


def make_grader(spec: Mapping[str, Any], folder: Path | None = None) -> Grader:
    """The grader that a specification describes: its `kind`, and the options of that kind.

    Values may be texts, as the command line has them: `"0.5"` is a number where one belongs, `"true"` a switch.
    `folder` is that of the workspace, which a user's function must lie in. Raises `BadGrader`.
    """
    asked = _specified(spec)
    if not isinstance(asked, PythonFunction):
        return asked
    if folder is None:
        raise BadGrader(function=asked.function, why="a function is only run from the folder of a workspace")
    return FunctionGrader(asked, folder)


def described(spec: Mapping[str, Any]) -> str:
    """When an answer is right by this specification, in one plain sentence. Raises `BadGrader`."""
    return _specified(spec).sentence


def _specified(spec: Mapping[str, Any]) -> _Specified:
    kind = spec.get("kind")
    if kind not in _KINDS:
        raise BadGrader(kind=kind, why=f"the kinds are {', '.join(_KINDS)}")
    by = spec.get("by")
    plain = {**spec, "by": {"kind": by}} if isinstance(by, str) else dict(spec)
    try:
        asked: _Specified = msgspec.convert(plain, _Specified, strict=False)
    except msgspec.ValidationError as error:
        raise BadGrader(kind=kind, why=str(error)) from error
    return asked
