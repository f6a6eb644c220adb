"""A new trial: which models, graded how, against which bar, for how much; its price stands before its button."""

from decimal import Decimal

import polars as pl
import streamlit as st

from core.actions import trials
from core.actions.trials import TrialPreview
from core.grading import make_grader
from core.jobs.spending import Check
from core.routing.candidates import Candidate
from core.routing.verdict import Bar
from core.trials.class_routes import ClassRoute
from core.trials.starting import MOST_SAMPLE, TrialAsk
from pages import confirm, formats, frame, grader_form, routes_data
from pages.session import workspace
from pages.words import literal, plain, say, term

_ASKED, _STARTED = "trial-asked", "trial-started"
_BARS = ("rate", "margin")
_RATES = (0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.95, 0.97, 0.98, 0.99)
_MARGINS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1)
_SEED = 0
"""Of every sample drawn from here: trying again draws the same items. The command line can name another one (--seed),
which the certificate tells."""


def show(line: ClassRoute) -> None:
    """The form, closed until it is wanted; what was just started."""
    if started := st.session_state.pop(_STARTED, None):
        st.success(say("trial_form.started", jobs=started), icon=":material/check_circle:")
    form = st.expander(say("trial_form.title"), icon=":material/science:", key="trial-form", on_change="rerun")
    if not form.open:
        return
    with form, frame.refusals():
        asked = _asked(line)
        if asked is None:
            st.caption(say("trial_form.incomplete"))
            return
        ask, gold_file = asked
        found = routes_data.preview(ask, gold_file)
        _preview(found)
        _offer(ask, found, routes_data.preview_check(found))


def _asked(line: ClassRoute) -> tuple[TrialAsk, str | None] | None:
    """What the visitor wants to know, and the file of its gold answers; None while something is missing."""
    models = _models(line)
    left, right = st.columns(2, gap="medium")
    with left:
        bar = _bar()
        budget = st.number_input(
            say("trial_form.budget"),
            min_value=0.01,
            value=5.0,
            step=1.0,
            key="trial-budget",
            help=say("trial_form.budget_help"),
        )
        sample = st.number_input(
            say("trial_form.sample"),
            min_value=1,
            value=None,
            step=50,
            placeholder=plain("trial_form.sample_all", most=formats.count(MOST_SAMPLE)),
            key="trial-sample",
            help=say("trial_form.sample_help"),
        )
        cascade = st.toggle(say("trial_form.cascade"), key="trial-cascade", help=say("trial_form.cascade_help"))
    with right:
        spec = grader_form.ask()
        needs = make_grader(spec, workspace().folder).needs if spec else frozenset[str]()
        given = grader_form.gold() if "gold" in needs else None
    if not models or spec is None or ("gold" in needs and given is None):
        return None
    gold_file, gold = given or (None, None)
    ask = TrialAsk(
        class_id=line.class_id,
        models=tuple(models),
        grader=spec,
        bar=bar,
        gold=gold,
        budget_usd=Decimal(str(budget)),
        sample=sample,
        seed=_SEED,
        cascade=cascade,
    )
    return ask, gold_file


def _models(line: ClassRoute) -> list[str]:
    """The candidates, those that can be tried; why the others cannot stands behind."""
    found = routes_data.candidates(line.class_id)
    can = {one.model: one for one in found if one.why_not is None}
    chosen = st.multiselect(
        say("trial_form.models"),
        list(can),
        default=[line.best_model] if line.best_model in can and not line.proven else None,
        format_func=lambda model: _priced(can[model]),
        placeholder=say("trial_form.choose"),
        key=f"trial-models-{line.class_id}",
        help=say("trial_form.models_help"),
    )
    for model in chosen:
        if can[model].warning:
            st.caption(f"{literal(can[model].display_name)}: {literal(can[model].warning or '')}")
    cannot = [one for one in found if one.why_not is not None]
    if cannot:
        with st.popover(say("trial_form.others", models=formats.count(len(cannot))), type="tertiary"):
            for one in cannot:
                st.markdown(f"**{literal(one.display_name)}** {literal(one.why_not or '')}")
    return chosen


def _priced(one: Candidate) -> str:
    return plain(
        "trial_form.model",
        name=one.display_name,
        input=formats.money(one.input_usd),
        output=formats.money(one.output_usd),
    )


def _bar() -> Bar:
    kind = st.radio(
        say("trial_form.bar"),
        _BARS,
        horizontal=True,
        format_func=lambda kind: term("bar_kind", kind),
        key="trial-bar",
        help=say("trial_form.bar_help"),
    )
    if kind == "rate":
        rate = st.select_slider(
            say("trial_form.rate"), _RATES, value=0.9, format_func=lambda one: f"{one:.0%}", key="trial-rate"
        )
        return Bar(rate=rate)
    margin = st.select_slider(
        say("trial_form.margin"), _MARGINS, value=0.05, format_func=lambda one: f"{one * 100:g}", key="trial-margin"
    )
    return Bar(margin=margin)


def _preview(found: TrialPreview) -> None:
    """What would be sent first, what that costs, and about how much it takes until it is decided."""
    st.markdown(f"**{say('trial_form.preview')}**")
    frame.table(
        pl.DataFrame(
            [
                {
                    "model": one.model,
                    "items": one.items,
                    "usd": one.usd,
                    "labels": one.labels_needed,
                    "total": one.total_usd,
                    "changes": " ".join(change.said for change in one.changes) or one.why_not,
                }
                for one in found.candidates
            ],
            schema_overrides={"usd": pl.Float64, "total": pl.Float64, "labels": pl.Int64, "changes": pl.String},
            infer_schema_length=None,
        ),
        {
            "model": frame.text("trial_form.columns.model"),
            "items": frame.number("trial_form.columns.items"),
            "usd": frame.dollars("trial_form.columns.first"),
            "labels": frame.number("trial_form.columns.labels"),
            "total": frame.dollars("trial_form.columns.total"),
            "changes": frame.text("trial_form.columns.changes", width="large"),
        },
        alt=plain("trial_form.preview_alt"),
        key="trial-preview",
    )
    st.caption(say("trial_form.preview_how"))


def _offer(ask: TrialAsk, found: TrialPreview, check: Check) -> None:
    if found.refused:
        st.warning(literal(found.refused), icon=":material/block:")
        return
    confirm.verdict(check)
    frame.action_button(
        say("trial_form.start", items=formats.count(found.items), dollars=formats.money(found.usd)),
        type="primary",
        icon=":material/science:",
        key="trial-start",
        on_click=_ask,
    )
    if st.session_state.get(_ASKED):
        _confirm(ask, found, check)


def _ask() -> None:
    st.session_state[_ASKED] = True


def _forget() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog(say("trial_form.confirm_title"), on_dismiss=_forget)
def _confirm(ask: TrialAsk, found: TrialPreview, check: Check) -> None:
    st.markdown(
        say(
            "trial_form.confirm_body",
            items=formats.count(found.items),
            dollars=formats.money(found.usd),
            budget=formats.money(ask.budget_usd),
        )
    )
    words = confirm.typed(check, key="trial-amount")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(say("trial_form.not_now"), key="trial-not-now"):
            _forget()
            st.rerun()
        if frame.action_button(say("trial_form.confirm"), type="primary", key="trial-confirm", disabled=words is None):
            with frame.refusals():
                made = trials.start_trial(workspace(), ask, now=formats.now(), confirmed=words or None)
                st.session_state[_STARTED] = formats.count(len(made.jobs))
                _forget()
                st.rerun()
