"""What the plan has to meet and what a visitor knows better: sliders that answer at once and stay in the link."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import streamlit as st

from core.errors import LotwiseError
from core.planning.needs import Needs
from core.schedule.deadlines import parse
from pages import formats
from pages.session import workspace
from pages.words import literal, plain, say, term

DUE = ("never", "hours", "time")
CONFIDENCES = (0.8, 0.9, 0.95, 0.98)
LOSSES_USD = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000)
LOSSES_HOURS = (1, 2, 4, 8, 12, 24, 48)
JOB_USD = (0, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 25)
VOIDED = (0, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
FAILED = (0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2)
_MOST_HOURS = 72
_MILLION = 1_000_000
# A deadline so many hours from now moves on in such steps: a plan is not worked out anew at every look.
_STEP = timedelta(minutes=5)


def ask() -> Needs:
    """Draw the inputs and return what they say; without a deadline where what was typed is none."""
    with st.container(border=True, key="needs"):
        with st.grid(3, min_column_width=240, gap="medium"):
            due = st.radio(
                say("needs.due"),
                DUE,
                horizontal=True,
                format_func=lambda way: term("due", way),
                key="due",
                bind="query-params",
                help=say("needs.due_help"),
            )
            deadline = _deadline(due)
            confidence = st.select_slider(
                say("needs.confidence"),
                CONFIDENCES,
                value=CONFIDENCES[2],
                format_func=lambda share: f"{share * 100:.0f}%",
                key="confidence",
                bind="query-params",
                help=say("needs.confidence_help"),
            )
        st.caption(say("needs.what_if"))
        with st.grid(5, min_column_width=180, gap="medium"):
            settings = workspace().settings
            blast = _knob("blast_usd", LOSSES_USD, formats.money, usual=_set(formats.money(settings.blast_radius_usd)))
            hours = _knob("blast_hours", LOSSES_HOURS, _hours, usual=_set(_hours(settings.blast_radius_hours)))
            job = _knob("job_usd", JOB_USD, formats.money, usual=_set(formats.money(settings.job_cost_usd)))
            voided = _knob("void_rate", VOIDED, _per_million, usual=plain("needs.learned"))
            failed = _knob("fault_rate", FAILED, formats.percent, usual=plain("needs.learned"))
    return Needs(
        deadline=deadline,
        confidence=confidence,
        blast_usd=None if blast is None else Decimal(str(blast)),
        blast_hours=hours,
        job_usd=None if job is None else Decimal(str(job)),
        void_rate=voided,
        fault_rate=failed,
    )


def _deadline(due: str) -> datetime | None:
    if due == "hours":
        hours = st.slider(say("needs.hours"), 1, _MOST_HOURS, 12, key="hours", bind="query-params")
        return _stepped(formats.now()) + timedelta(hours=hours)
    if due == "time":
        typed = st.text_input(
            say("needs.time", zone=formats.zone().key),
            key="due-at",
            bind="query-params",
            placeholder=plain("needs.time_placeholder"),
            help=say("needs.time_help"),
        )
        return _parsed(typed.strip()) if typed.strip() else None
    return None


def _parsed(text: str) -> datetime | None:
    """The next moment that is meant; none, and a sentence, where it cannot be told."""
    try:
        return parse(text, zone=formats.zone().key).next(formats.now())
    except LotwiseError as error:
        st.error(literal(str(error)), icon=":material/error:")
        return None


def _stepped(at: datetime) -> datetime:
    return at - timedelta(seconds=at.timestamp() % _STEP.total_seconds())


def _knob(name: str, choices: Sequence[float], show: Callable[[float], str], *, usual: str) -> float | None:
    """A slider over these values; leftmost stands what the settings say or the jobs so far taught, None here."""
    options: tuple[float | None, ...] = (None, *choices)
    return st.select_slider(
        say(f"knob.{name}"),
        options,
        format_func=lambda value: usual if value is None else show(value),
        key=name,
        bind="query-params",
        help=say(f"knob.{name}_help"),
    )


def _set(value: str) -> str:
    return plain("needs.usual", value=value)


def _hours(hours: float) -> str:
    return plain("needs.in_hours", hours=f"{hours:g}")


def _per_million(rate: float) -> str:
    return plain("needs.per_million", items=f"{rate * _MILLION:,.0f}")
