"""What the Routing page reads: kept until the store moves on, shared by every visitor, never changed."""

import orjson
import polars as pl
import streamlit as st

from core.actions import routes, trials
from core.actions.routes import Alarm, RouteDone
from core.actions.tiers import ClassTiers, class_tiers
from core.actions.trials import TrialPreview
from core.jobs.spending import Check
from core.routing.candidates import Candidate
from core.trials.class_routes import ClassRoute
from core.trials.homes import home_classes
from core.trials.standing import TrialStanding
from core.trials.starting import TrialAsk
from core.trials.watch import Watch
from core.workspace import Workspace
from pages import data, formats
from pages.session import workspace


def classes() -> tuple[ClassRoute, ...]:
    """Where each class stands; worked out again with what waits and what is known of it, and every hour."""
    opened = workspace()
    return _classes(opened, str(opened.folder), _known(), hour())


def alarms() -> tuple[Alarm, ...]:
    """What is to be looked at after a switch, or before a model retires."""
    opened = workspace()
    return _alarms(opened, str(opened.folder), _known(), hour())


def _known() -> str:
    """What waits and what is known of it, as one value: while jobs move on, only their results change it."""
    return f"{data.waiting()}/{data.read('routing_fingerprint')['fingerprint'][0]}"


def listed() -> tuple[TrialStanding, ...]:
    """Every trial, newest first."""
    opened = workspace()
    return _listed(opened, str(opened.folder), opened.store.version)


def trial(trial_id: str) -> TrialStanding:
    """One trial as it stands. Raises where there is none."""
    opened = workspace()
    return _trial(opened, str(opened.folder), opened.store.version, trial_id)


def candidates(class_id: str) -> tuple[Candidate, ...]:
    """The models that a class can be tried on, as the account offers them this hour."""
    opened = workspace()
    return _candidates(opened, str(opened.folder), class_id, hour())


def preview(ask: TrialAsk, gold_file: str | None) -> TrialPreview:
    """What a trial would send first and cost; worked out again when something else waits, and every hour.

    `gold_file`: what tells its gold answers from others, which are too many to be compared at every look.
    """
    opened = workspace()
    key = (ask.class_id, ask.models, orjson.dumps(ask.grader), str(ask.bar), str(ask.budget_usd))
    return _preview(
        opened, str(opened.folder), hour(), (*key, ask.sample, ask.seed, ask.cascade, gold_file, data.waiting()), ask
    )


def preview_check(found: TrialPreview) -> Check:
    """How that trial would meet the budgets right now."""
    return trials.check_trial(workspace(), found, now=formats.now())


def move(class_id: str, model: str) -> RouteDone:
    """What moving a class to a model would do: every request that waits is adapted for it, so it is done once."""
    opened = workspace()
    return _move(opened, str(opened.folder), hour(), (class_id, model, *_moves(class_id)))


def way_back(class_id: str) -> RouteDone:
    """What withdrawing the route of a class would do; with failures, which move back too, it is worked out again."""
    opened = workspace()
    return _way_back(opened, str(opened.folder), hour(), (class_id, *_moves(class_id), data.standing()["open_items"]))


def trials_of(line: ClassRoute) -> tuple[TrialStanding, ...]:
    """The trials of a class, wherever its work went at the time, newest first."""
    homes = home_classes(workspace().store)
    return tuple(one for one in listed() if homes.get(one.class_id, one.class_id) == line.class_id)


def tiers(line: ClassRoute) -> ClassTiers | None:
    """What the class costs on each model, and what to take; None where no request of it is kept."""
    opened = workspace()
    # A second's work, while a trial under way writes several times a second: only labels and what waits change it.
    proven = [(one.trial_id, one.state, [each.tally for each in one.candidates]) for one in trials_of(line)]
    key = (line.class_id, line.model, line.items_month, repr(proven), data.waiting())
    return _tiers(opened, str(opened.folder), hour(), key)


def path(trial_id: str, model: str) -> pl.DataFrame:
    """How sure a trial became of a model, label by label."""
    opened = workspace()
    return _path(opened, str(opened.folder), opened.store.version, trial_id, model)


def watch(class_id: str) -> Watch | None:
    """What the answers of a routed class say since its switch."""
    opened = workspace()
    found = _watches(opened, str(opened.folder), opened.store.version, hour())
    return next((each for each in found if each.route.class_id == class_id), None)


def _moves(class_id: str) -> tuple[str, ...]:
    """What changes what a change of route does, as texts: what waits, where the class stands, what its trials prove."""
    line = next((line for line in classes() if line.class_id == class_id), None)
    stands = (line.model, line.state, line.trial_id, line.applied_at) if line else ()
    proven = [
        (one.trial_id, each.model, each.verdict.ruling)
        for one in listed()
        for each in one.candidates
        if each.tally.labels
    ]
    return data.waiting(), repr(stands), repr(proven)


def hour() -> str:
    """This hour: prices and lists of models are not asked for more often."""
    return f"{formats.now():%Y-%m-%d %H}"


# The arguments after the first make the key: two workspaces, or two states of one, never share an answer.
@st.cache_resource(show_spinner=False, max_entries=8)
def _classes(_workspace: Workspace, folder: str, known: str, hour: str) -> tuple[ClassRoute, ...]:
    return routes.class_routes(_workspace, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=8)
def _alarms(_workspace: Workspace, folder: str, known: str, hour: str) -> tuple[Alarm, ...]:
    return routes.route_alarms(_workspace, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=8)
def _listed(_workspace: Workspace, folder: str, version: int) -> tuple[TrialStanding, ...]:
    return trials.list_trials(_workspace, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=16)
def _trial(_workspace: Workspace, folder: str, version: int, trial_id: str) -> TrialStanding:
    return trials.trial_standing(_workspace, trial_id, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=50)
def _candidates(_workspace: Workspace, folder: str, class_id: str, hour: str) -> tuple[Candidate, ...]:
    return trials.candidate_tiers(_workspace, class_id, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=16)
def _preview(_workspace: Workspace, folder: str, hour: str, asked: tuple[object, ...], _ask: TrialAsk) -> TrialPreview:
    return trials.preview_trial(_workspace, _ask, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=8)
def _move(_workspace: Workspace, folder: str, hour: str, key: tuple[str, ...]) -> RouteDone:
    class_id, model, *_ = key
    return routes.preview_route(_workspace, class_id, model, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=8)
def _way_back(_workspace: Workspace, folder: str, hour: str, key: tuple[str | int, ...]) -> RouteDone:
    return routes.withdraw_route(_workspace, str(key[0]), now=formats.now(), dry_run=True)


@st.cache_resource(show_spinner=False, max_entries=16)
def _tiers(_workspace: Workspace, folder: str, hour: str, key: tuple[str, str, int, str, str]) -> ClassTiers | None:
    class_id, _, items_month, *_ = key
    return class_tiers(_workspace, class_id, trials=listed(), items_month=items_month, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=32)
def _path(_workspace: Workspace, folder: str, version: int, trial_id: str, model: str) -> pl.DataFrame:
    return trials.certainty_path(_workspace, trial_id, model)


@st.cache_resource(show_spinner=False, max_entries=8)
def _watches(_workspace: Workspace, folder: str, version: int, hour: str) -> tuple[Watch, ...]:
    return routes.watches(_workspace, now=formats.now())
