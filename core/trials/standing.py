"""How a trial stands: what its labels prove of every candidate, what it cost, and what is left to do."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import orjson
import polars as pl

from core.requests.adapting import Change
from core.routing.cascade import Cascade
from core.routing.judging import JudgeTally
from core.routing.verdict import Bar, Tally, Verdict
from core.trials.asking import JUDGED, Sheet
from core.trials.homes import alike
from core.trials.labelling import GRADER
from core.trials.people import places_to_label
from core.trials.replies import Fate, Reply
from core.trials.rounds import Rounds
from core.trials.trial import Entrant, Trial, TrialState, copy_id
from core.trials.verdicts import disputed, judge_tally, labels_of, outcomes, tally_of, verdict_of


@dataclass(frozen=True, kw_only=True)
class CandidateStanding:
    """A model on trial: what its labels prove, and what they cost.

    `ungraded`: answers that could not be graded, `disputed`: on which people disagree, neither of them a label;
    `usd_per_item`: measured, of its answers; `more_usd`: of the labels that the verdict still needs; `earlier_trials`:
    of this model for this class, since who tries often enough is lucky once.
    """

    model: str
    verdict: Verdict
    tally: Tally
    ungraded: int
    disputed: int
    usd_per_item: Decimal | None
    more_usd: Decimal | None
    changes: tuple[Change, ...]
    judge: JudgeTally
    earlier_trials: int = 0


@dataclass(frozen=True, kw_only=True)
class TrialStanding:
    """A trial with all its candidates.

    `noise`: how often the model in use agrees with itself, where agreement with it is the measure; `to_label` and
    `labelled`: pairs of answers, by the person who looks; `cascade`: the best one that its labels tell of, where it
    was asked for.
    """

    trial_id: str
    class_id: str
    class_name: str
    state: TrialState
    reason: str | None
    bar: Bar
    grader: dict[str, object]
    reference_model: str
    created_at: datetime
    created_by: str
    closed_at: datetime | None
    rounds: int
    sample: int
    spent_usd: Decimal
    budget_usd: Decimal
    candidates: tuple[CandidateStanding, ...]
    noise: Tally | None
    to_label: int
    labelled: int
    cascade: Cascade | None = None


def standing_of(rounds: Rounds, trial: Trial, *, by: str) -> TrialStanding:
    """How a trial stands, for the person who looks."""
    sheet = Sheet.read(rounds.store, trial)
    labels = labels_of(rounds.store, trial.trial_id)
    of_class = alike(rounds.store, trial.class_id)
    earlier = dict(rounds.store.query("earlier_trials", trial_id=trial.trial_id, class_ids=of_class).iter_rows())
    return TrialStanding(
        trial_id=trial.trial_id,
        class_id=trial.class_id,
        class_name=trial.class_name,
        state=trial.state,
        reason=trial.reason,
        bar=trial.bar,
        grader=dict(trial.spec),
        reference_model=trial.reference_model,
        created_at=trial.created_at,
        created_by=trial.created_by,
        closed_at=trial.closed_at,
        rounds=trial.rounds,
        sample=trial.sample,
        spent_usd=rounds.spending(trial.trial_id).spent_usd,
        budget_usd=trial.budget_usd,
        candidates=tuple(_candidate(sheet, labels, one, earlier.get(one.model, 0)) for one in trial.candidates),
        noise=_noise(trial, labels),
        to_label=len(places_to_label(sheet, labels, by)) if trial.open or trial.checkable else 0,
        labelled=labels.filter(labeller=by).height,
    )


def both_outcomes(sheet: Sheet, labels: pl.DataFrame, small: int, large: int) -> pl.DataFrame:
    """Two entrants on the same items, in the order in which it became known, as `best_cascade` takes them.

    Columns: order, small_ok, large_ok, small_valid (usable at all), small_score (the number `confidence` in the answer,
    null where it has none). The reference (0) is right where the label of the other one says so.
    """
    trial = sheet.trial
    known = outcomes(trial, labels, small).rename({"correct": "small_ok", "reference": "large_ok"})
    if large:
        other = outcomes(trial, labels, large).select("position", pl.col("correct").alias("large_ok"))
        known = known.drop("large_ok").join(other, on="position", maintain_order="left")
    known = known.filter(pl.col("large_ok").is_not_null())
    texts = [sheet.text(small, position) for position in known["position"]]
    return known.select(
        pl.int_range(pl.len()).alias("order"),
        "small_ok",
        "large_ok",
        pl.Series("small_valid", [text is not None for text in texts], dtype=pl.Boolean),
        pl.Series("small_score", [_confidence(text) for text in texts], dtype=pl.Float64),
    )


def _confidence(text: str | None) -> float | None:
    """How sure an answer says it is: a number named so in its JSON; nothing usable is not sure at all."""
    if text is None:
        return 0.0
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    number = said.get("confidence") if isinstance(said, dict) else None
    return float(number) if isinstance(number, (int, float)) else None


def _candidate(sheet: Sheet, labels: pl.DataFrame, one: Entrant, earlier: int) -> CandidateStanding:
    trial = sheet.trial
    verdict = verdict_of(trial, labels, one.number)
    each = _usd_each(sheet, one.number)
    beside = _usd_each(sheet, 0) if trial.asks_reference else Decimal(0)
    judged = _usd_judged(sheet)
    graded = labels.filter(pl.col("candidate") == one.number, pl.col("labeller") == GRADER)
    more = None
    if verdict.more_labels is not None and each is not None:
        more = verdict.more_labels * (each + (beside or Decimal(0)) + judged)
    return CandidateStanding(
        model=one.model,
        verdict=verdict,
        tally=tally_of(outcomes(trial, labels, one.number), trial.bar),
        ungraded=graded["correct"].null_count(),
        disputed=disputed(trial, labels, one.number),
        usd_per_item=each,
        more_usd=more,
        changes=one.changes,
        judge=judge_tally(trial, labels, one.number),
        earlier_trials=earlier,
    )


def _noise(trial: Trial, labels: pl.DataFrame) -> Tally | None:
    if trial.rerun is None:
        return None
    own = labels.filter(pl.col("candidate") == trial.rerun.number, pl.col("correct").is_not_null())
    return Tally(labels=own.height, correct=int(own["correct"].sum()))


def _usd_each(sheet: Sheet, number: int) -> Decimal | None:
    """What an answer of an entrant cost in this trial, lost ones included; None where nothing is known of it."""
    asked = [at for at in range(len(sheet.items)) if copy_id(sheet.trial.trial_id, number, at) in sheet.replies]
    return _each([sheet.replies[copy_id(sheet.trial.trial_id, number, at)] for at in asked])


def _usd_judged(sheet: Sheet) -> Decimal:
    """What judging an answer in both orders costs."""
    if sheet.trial.judge is None:
        return Decimal(0)
    tag = copy_id(sheet.trial.trial_id, sheet.trial.judge.number, 0)[:-1]
    return len(JUDGED) * (_each([one for item, one in sheet.replies.items() if item.startswith(tag)]) or Decimal(0))


def _each(asked: list[Reply]) -> Decimal | None:
    costs = [one.cost_usd for one in asked if one.cost_usd is not None]
    answered = sum(one.fate in (Fate.ANSWERED, Fate.UNUSABLE) for one in asked)
    return sum(costs, Decimal(0)) / answered if answered else None
