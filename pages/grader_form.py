"""How answers are graded: the kind of grader and its own options, as a specification."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import streamlit as st

from core.actions import trials
from core.grading import read_gold
from pages import data, formats
from pages.session import workspace
from pages.words import plain, say, term

Spec = dict[str, Any]
_BY = ("normalised", "exact", "json", "numeric")
_ENDINGS = ("csv", "jsonl", "parquet")


def ask() -> Spec | None:
    """Draw the kind and its options, and return the specification; None while something is missing."""
    kind = st.selectbox(
        say("grader.kind"),
        list(_FORMS),
        format_func=lambda kind: term("grader_kind", kind),
        key="grader-kind",
        help=say("grader.kind_help"),
    )
    options = _FORMS[kind]()
    return None if options is None else {"kind": kind, **options}


def gold() -> tuple[str, dict[str, str]] | None:
    """Ask for the file of right answers; what tells it from any other, and the answers by item. None without one.

    Raises `GoldUnusable`.
    """
    given = st.file_uploader(say("grader.gold"), type=list(_ENDINGS), key="grader-gold", help=say("grader.gold_help"))
    if given is None:
        st.caption(say("grader.gold_how"))
        return None
    answers = _gold(given.file_id, given.name, given.getvalue())
    st.caption(say("grader.gold_items", items=formats.count(len(answers))))
    return given.file_id, answers


# A file is read once, however often the form is drawn.
@st.cache_resource(show_spinner=False, max_entries=8)
def _gold(file_id: str, name: str, _content: bytes) -> dict[str, str]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"gold{Path(name).suffix.lower()}"
        path.write_bytes(_content)
        return read_gold(path)


def _field() -> Spec:
    field = st.text_input(
        say("grader.field"),
        key="grader-field",
        placeholder=plain("grader.field_placeholder"),
        help=say("grader.field_help"),
    ).strip()
    return {"field": field} if field else {}


def _numeric() -> Spec:
    within = st.number_input(
        say("grader.absolute"), min_value=0.0, value=0.0, key="grader-absolute", help=say("grader.absolute_help")
    )
    share = st.number_input(
        say("grader.relative"), min_value=0.0, value=0.0, key="grader-relative", help=say("grader.relative_help")
    )
    return {"absolute": within, "relative": share / 100, **_field()}


def _regex() -> Spec | None:
    pattern = st.text_input(say("grader.pattern"), key="grader-pattern", help=say("grader.pattern_help"))
    whole = st.toggle(say("grader.whole"), key="grader-whole")
    return {"pattern": pattern, "whole": whole, **_field()} if pattern else None


def _schema() -> Spec | None:
    typed = st.text_area(say("grader.schema"), key="grader-schema", height=160, help=say("grader.schema_help")).strip()
    if not typed:
        return None
    try:
        schema = orjson.loads(typed)
    except orjson.JSONDecodeError as error:
        st.warning(say("grader.schema_bad", why=error), icon=":material/edit:")
        return None
    return {"schema": schema}


def _agreement() -> Spec:
    by = st.selectbox(say("grader.by"), _BY, format_func=lambda kind: term("compared_by", kind), key="grader-by")
    st.caption(say("grader.agreement_how"))
    return {"by": {"kind": by, **_field()}}


def _python() -> Spec | None:
    functions = trials.list_graders(workspace())
    if not functions:
        st.info(say("grader.no_function", folder=workspace().folder / "graders"), icon=":material/info:")
        return None
    return {"function": st.selectbox(say("grader.function"), functions, key="grader-function")}


def _rubric() -> Spec | None:
    rubric = st.text_area(
        say("grader.rubric"),
        key="grader-rubric",
        height=160,
        placeholder=plain("grader.rubric_placeholder"),
        help=say("grader.rubric_help"),
    ).strip()
    judge = st.selectbox(say("grader.judge"), data.priced_models(), index=None, key="grader-judge")
    return {"rubric": rubric, "model": judge} if rubric and judge else None


def _people() -> Spec:
    st.caption(say("grader.people_how"))
    return {}


_FORMS: dict[str, Callable[[], Spec | None]] = {
    "normalised": _field,
    "exact": _field,
    "json": _field,
    "numeric": _numeric,
    "regex": _regex,
    "schema": _schema,
    "agreement": _agreement,
    "people": _people,
    "rubric": _rubric,
    "python": _python,
}
