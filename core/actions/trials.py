"""Trials of other models: what a user can do with them; pages and the command line call the same functions."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import polars as pl

from core.actions.trial_cascade import cascade_of
from core.actions.writing import allowance_of, perform
from core.audit import recorded
from core.errors import LotwiseError
from core.grading.function import python_graders
from core.jobs.spending import Check, check_prices
from core.planning.plan import Plan
from core.requests.adapting import CannotAdapt, Change, adapted
from core.routing.candidates import Candidate, Needs, candidates
from core.routing.verdict import labels_needed
from core.store import Transaction
from core.tokens.counting import prefix_tokens
from core.trials.asking import Requests, Sheet, presumed
from core.trials.people import Choice, NoSuchPair, Pair, label_row, pairs, places_to_label, put_rows, said_of
from core.trials.rounds import Rounds, end_trial
from core.trials.standing import CandidateStanding, TrialStanding
from core.trials.starting import Prepared, TrialAsk, class_on_trial, first_round, prepare
from core.trials.trial import Entrant, Trial, TrialOver, TrialState, trial_of, trials
from core.trials.verdicts import labels_of, path_of
from core.workspace import Workspace

__all__ = [
    "CandidatePreview",
    "CandidateStanding",
    "Pair",
    "TrialAsk",
    "TrialPreview",
    "TrialStanding",
    "TrialStarted",
    "candidate_tiers",
    "certainty_path",
    "check_trial",
    "items_to_label",
    "label_items",
    "list_graders",
    "list_trials",
    "pairs_to_label",
    "preview_trial",
    "put_label",
    "start_trial",
    "stop_trial",
    "take_back_label",
    "trial_standing",
]

_LOOKED_AT = 50
"""Requests of a class, its largest, that are looked at to say which models could be tried."""


class UnknownItem(LotwiseError):
    """This trial has no such item or model, so no label was kept. Correct the file and give it again."""


@dataclass(frozen=True, kw_only=True)
class CandidatePreview:
    """A candidate before the trial: its first round, and about what it takes until it is decided.

    `usd`: of its first round, what it alone would cost; `labels_needed`: the median, if it is right in half of what the
    bar allows it to be wrong; `why_not`: why it cannot be tried.
    """

    model: str
    items: int
    usd: Decimal | None
    labels_needed: int | None
    total_usd: Decimal | None
    changes: tuple[Change, ...]
    why_not: str | None


@dataclass(frozen=True, kw_only=True)
class TrialPreview:
    """A trial before it is started: its first round, priced as every plan is.

    `items`: requests of the first round; `prices`: what each of its jobs is expected to cost (None = unpriced), with
    its items; `refused`: why it cannot be started as it is asked for.
    """

    reference_model: str
    sample: int
    candidates: tuple[CandidatePreview, ...]
    items: int
    usd: Decimal | None
    prices: tuple[tuple[Decimal | None, int], ...]
    refused: str | None


@dataclass(frozen=True, kw_only=True)
class TrialStarted:
    """A trial on its way: its id, the ids of the jobs of its first round, and how they met the budgets."""

    trial_id: str
    jobs: tuple[str, ...]
    items: int
    predicted_usd: Decimal | None
    check: Check


def candidate_tiers(workspace: Workspace, class_id: str, *, now: datetime) -> tuple[Candidate, ...]:
    """The models on offer that a class could be tried on, cheapest first, each with what speaks against it.

    Raises `TrialRefused` where there is no such class, and what asking the API raises.
    """
    of = class_on_trial(workspace.store, class_id)
    items = workspace.store.query("class_population", class_id=of["class_id"]).sort("chars", descending=True)
    some = Requests(workspace.store, workspace.folder, workspace.book).params(items["item_id"].head(_LOOKED_AT))
    offered = workspace.gateway.models()
    needs = Needs(
        model=of["model"],
        largest_prompt_tokens=prefix_tokens(workspace.book, of["model"], max(items["chars"].to_list(), default=0))[0],
        max_tokens=max((params.get("max_tokens", 0) for params in some.values()), default=0),
    )
    unfit = dict[str, str]()
    for model in workspace.book.models():
        for params in some.values():
            try:
                adapted(params, model)
            except CannotAdapt as error:
                unfit.setdefault(model.id, error.message)
    return candidates(offered, workspace.book, now=now, like=needs, unadaptable=unfit)


def preview_trial(workspace: Workspace, ask: TrialAsk, *, now: datetime) -> TrialPreview:
    """What a trial would ask first, what that costs, and about how much it takes until it is decided.

    Nothing is stored. Raises `TrialRefused`, `BadGrader`, `GoldUnusable` and `UnknownModel`.
    """
    rounds = workspace.worker.trials.rounds
    prepared = prepare(rounds, ask, now=now, by=workspace.actor.name)
    draft = prepared.draft
    return TrialPreview(
        reference_model=prepared.trial.reference_model,
        sample=prepared.trial.sample,
        candidates=tuple(_preview(rounds, prepared, one, now) for one in prepared.trial.candidates),
        items=draft.plan.items if draft else 0,
        usd=draft.usd if draft else None,
        prices=tuple((job.predicted_usd, job.items) for job in draft.plan.jobs) if draft else (),
        refused=None if draft else "Its budget does not pay for one item, or a model has no price.",
    )


def check_trial(workspace: Workspace, preview: TrialPreview, *, now: datetime) -> Check:
    """How the first round of a trial would meet the budgets right now: cheap, and to be asked for at every look."""
    return check_prices(workspace.store, workspace.settings, preview.prices, now=now)


@recorded("start-trial", "trial_id", "jobs", "items", "predicted_usd", "confirmed")
def start_trial(
    workspace: Workspace, ask: TrialAsk, *, now: datetime, confirmed: str | None = None, dry_run: bool = False
) -> TrialStarted:
    """Draw the sample, store the trial and have the worker send its first round; the rounds after it go by themselves.

    `confirmed` as in `submit`, of the first round; later rounds wait where they go over a budget of the workspace, and
    all rounds together stay within the trial's own. Raises what `preview_trial` raises, `OverBudget`, `SendingStopped`.
    """
    rounds = workspace.worker.trials.rounds
    prepared = prepare(rounds, ask, now=now, by=workspace.actor.name)
    allowance = allowance_of(workspace, now=now, confirmed=confirmed, dry_run=dry_run)
    made = workspace.worker.trials.start(prepared, allowance)
    workspace.worker.wake()
    plan: Plan | None = prepared.draft.plan if prepared.draft else None
    return TrialStarted(
        trial_id=prepared.trial.trial_id,
        jobs=made.jobs,
        items=plan.items if plan else 0,
        predicted_usd=plan.predicted_usd if plan else None,
        check=made.check,
    )


@recorded("stop-trial", "trial_id")
def stop_trial(workspace: Workspace, trial_id: str, *, now: datetime) -> None:
    """Ask nothing more: its jobs are called off, its labels and what they prove stay. Raises `TrialOver`."""
    _open(workspace, trial_id)

    def stop(tx: Transaction) -> None:
        if not end_trial(tx, trial_id, TrialState.STOPPED, f"Stopped by {workspace.actor.name}.", now=now):
            raise TrialOver(trial=trial_id)

    perform(workspace, stop)


def list_trials(workspace: Workspace, *, now: datetime) -> tuple[TrialStanding, ...]:
    """Every trial as it stands, newest first; without the cascades, which take a while to price."""
    every, by = trials(workspace.store, workspace.folder), workspace.actor.name
    return tuple(workspace.worker.trials.standing(trial, by=by) for trial in every)


def trial_standing(workspace: Workspace, trial_id: str, *, now: datetime) -> TrialStanding:
    """How one trial stands. Raises `NoSuchTrial`."""
    trial = trial_of(workspace.store, workspace.folder, trial_id)
    standing = workspace.worker.trials.standing(trial, by=workspace.actor.name)
    return replace(standing, cascade=cascade_of(workspace, trial, standing, now=now)) if trial.cascade else standing


def certainty_path(workspace: Workspace, trial_id: str, model: str) -> pl.DataFrame:
    """How the interval of a candidate narrowed: labels, lower, upper. Raises `NoSuchTrial`."""
    trial = trial_of(workspace.store, workspace.folder, trial_id)
    return path_of(trial, labels_of(workspace.store, trial_id), trial.candidate(model).number)


def list_graders(workspace: Workspace) -> tuple[str, ...]:
    """The functions in the folder `graders` of the workspace that can grade, as `file.py:function`."""
    return python_graders(workspace.folder)


def pairs_to_label(workspace: Workspace, trial_id: str, *, limit: int) -> tuple[Pair, ...]:
    """The next pairs of answers for whoever asks, without a word of which model gave which. Raises `NoSuchTrial`."""
    trial = trial_of(workspace.store, workspace.folder, trial_id)
    return pairs(workspace.store, workspace.folder, workspace.book, trial, by=workspace.actor.name, limit=limit)


def items_to_label(workspace: Workspace, trial_id: str) -> tuple[str, ...]:
    """The items that whoever asks has yet to label, in the order in which they count. Raises `NoSuchTrial`."""
    sheet = Sheet.read(workspace.store, trial_of(workspace.store, workspace.folder, trial_id))
    places = places_to_label(sheet, labels_of(workspace.store, trial_id), workspace.actor.name)
    return tuple(dict.fromkeys(sheet.items[position] for position, _ in places))


@recorded("label", "trial_id", "position", "candidate")
def put_label(
    workspace: Workspace, trial_id: str, position: int, *, candidate: int, choice: str, now: datetime
) -> None:
    """Keep which of two answers is right (left, right, both or neither); saying it anew replaces what was said.

    Raises `TrialOver`, `NoSuchPair` and `NotForPeople`.
    """
    sheet = Sheet.read(workspace.store, _to_label(workspace, trial_id))
    if not 0 <= position < len(sheet.items):
        raise NoSuchPair(trial=trial_id, position=position)
    said = said_of(sheet.trial, candidate, position, Choice(choice))
    row = label_row(sheet, candidate, position, said, by=workspace.actor.name, now=now)
    perform(workspace, lambda tx: put_rows(tx, [row]))
    workspace.worker.trials.look_anew(trial_id)


@recorded("take-back-label", "trial_id", "position", "candidate")
def take_back_label(workspace: Workspace, trial_id: str, position: int, *, candidate: int, now: datetime) -> None:
    """Forget what whoever asks said of a pair: it comes again. Raises `TrialOver` and `NoSuchPair`."""
    _to_label(workspace, trial_id)
    which = {"trial_id": trial_id, "candidate": candidate, "position": position, "by": workspace.actor.name}
    if not perform(workspace, lambda tx: tx.run("drop_label", **which)):
        raise NoSuchPair(trial=trial_id, position=position)
    workspace.worker.trials.look_anew(trial_id)


@recorded("label", "trial_id")
def label_items(workspace: Workspace, trial_id: str, rows: pl.DataFrame, *, now: datetime) -> int:
    """Keep labels that a person gave elsewhere, and return how many.

    Columns: item (the owner's id), model, correct (0/1), and for the model in use on the same item reference (0/1);
    without that it is taken as right, which favours no candidate. Labels behind a pair that nobody labelled count
    once that is labelled too. Raises `TrialOver`, `UnknownItem`, `NotForPeople`.
    """
    sheet = Sheet.read(workspace.store, _to_label(workspace, trial_id))
    place = {item: position for position, item in enumerate(sheet.items)}
    numbers = {one.model: one.number for one in sheet.trial.candidates}
    found = []
    for row in rows.iter_rows(named=True):
        if row["item"] not in place or row["model"] not in numbers:
            raise UnknownItem(item=row["item"], model=row["model"])
        said = (bool(row["correct"]), bool(row.get("reference", True)))
        number, position = numbers[row["model"]], place[row["item"]]
        found.append(label_row(sheet, number, position, said, by=workspace.actor.name, now=now))
    perform(workspace, lambda tx: put_rows(tx, found))
    workspace.worker.trials.look_anew(trial_id)
    return len(found)


def _preview(rounds: Rounds, prepared: Prepared, one: Entrant, now: datetime) -> CandidatePreview:
    trial = prepared.trial
    items, usd = prepared.counts.get(one.number, 0), None
    if items:
        alone = {one.number: items}
        draft = first_round(rounds, Requests(rounds.store, rounds.folder, rounds.book), prepared.sheet, alone, now=now)
        usd = draft.usd if draft else None
    needed = labels_needed(presumed(trial.bar), trial.bar)
    return CandidatePreview(
        model=one.model,
        items=items,
        usd=usd,
        labels_needed=needed,
        total_usd=None if usd is None or needed is None else usd * needed / items,
        changes=one.changes,
        why_not=prepared.unfit.get(one.model),
    )


def _open(workspace: Workspace, trial_id: str) -> Trial:
    """A trial that goes on. Raises `NoSuchTrial` and `TrialOver`."""
    trial = trial_of(workspace.store, workspace.folder, trial_id)
    if not trial.open:
        raise TrialOver(trial=trial_id, state=trial.state)
    return trial


def _to_label(workspace: Workspace, trial_id: str) -> Trial:
    """A trial that takes people's labels: one that goes on, or whose judge they check after its end.

    Raises `NoSuchTrial` and `TrialOver`.
    """
    trial = trial_of(workspace.store, workspace.folder, trial_id)
    return trial if trial.checkable else _open(workspace, trial_id)
