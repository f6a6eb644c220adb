"""Keeping trials: what came back is graded, and what is still uncertain is asked in the next round."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Lock
from typing import Any

import polars as pl

from core.errors import LotwiseError
from core.jobs.journal import PlanOutdated, Recorded
from core.jobs.priming import send_held
from core.jobs.spending import Allowance
from core.planning.plan import NothingToPlan
from core.store import Transaction
from core.trials.asking import Requests, Sheet, next_count, shared_out
from core.trials.gold import forget_gold, gold_of
from core.trials.labelling import GRADER, new_labels
from core.trials.people import places_to_label
from core.trials.replies import Fate
from core.trials.rounds import OVER, Rounds, RoundTaken, Spending, end_trial
from core.trials.standing import TrialStanding, standing_of
from core.trials.starting import Prepared, start
from core.trials.trial import Trial, TrialState, trial_of
from core.trials.verdicts import decided, judge_tally, labels_of, outlook, verdict_of, why_ungraded

_log = logging.getLogger(__name__)
# A round that may not be sent is tried again after this, or with the next write to the store.
_REST = timedelta(minutes=10)
_NOBODY = ""
_SPENT = "What is left of its budget does not pay for another round."
_GONE = "The requests or answers that it needs next are no longer kept."
_CHECKS = "Only more labels by people can decide."
_HELD = "A job of it is held: release that job, or stop the trial."


class _NoRoom(Exception):
    """What was to be sent does not fit into the budget of the trial."""


class Trials:
    """The worker's part in trials; all that it knows is in the store, so any process may go on with it.

    A label is there once whoever gives it how often; a round and its plan are committed together, and whoever saw an
    older number of rounds sends nothing.
    """

    def __init__(self, rounds: Rounds, turn: Lock) -> None:
        self.rounds = rounds
        self._turn = turn
        self._requests = Requests(rounds.store, rounds.folder, rounds.book)
        self._looked: tuple[int, datetime] | None = None
        self._over: dict[tuple[str, str], TrialStanding] = {}

    def start(self, prepared: Prepared, allowance: Allowance) -> Recorded:
        """Store a trial with its first round. Raises what `record_plan` raises; then there is no trial."""
        with self._turn:  # what is written to the disk just now must not be taken for something forgotten
            return start(self.rounds, prepared, allowance)

    def standing(self, trial: Trial, *, by: str) -> TrialStanding:
        """How a trial stands, for the person who looks; of one that is over, and costs nothing more, as it was."""
        known = self._over.get((trial.trial_id, by))
        if known is None:
            known = standing_of(self.rounds, trial, by=by)
            if not trial.open and not self.rounds.spending(trial.trial_id).under_way:
                self._over[trial.trial_id, by] = known
        return known

    def look_anew(self, trial_id: str) -> None:
        """Forget how a trial stood: somebody labelled more of it."""
        for key in [key for key in self._over if key[0] == trial_id]:
            del self._over[key]

    def keep(self, *, now: datetime) -> None:
        """Take every open trial one step on, in the worker's turn; costs nothing while nothing was written."""
        store = self.rounds.store
        version = store.version
        if self._looked is not None and self._looked[0] == version and now - self._looked[1] < _REST:
            return
        for trial_id in store.query("open_trials")["trial_id"]:
            trial = trial_of(store, self.rounds.folder, trial_id)
            try:
                self._step(trial, now)
            except (RoundTaken, PlanOutdated):
                _log.info("trial %s moved on meanwhile", trial.trial_id)
            except LotwiseError as error:
                self._say(trial, trial.state, str(error))
            except Exception as error:  # one broken trial must not keep the others, or any job, from moving on
                _log.exception("trial %s met something unexpected", trial.trial_id)
                self._say(trial, trial.state, f"Lotwise met something unexpected: {type(error).__name__}")
        # What was written by now, this look's own labels included, is seen by the next look.
        self._looked = (version, now)

    def _step(self, trial: Trial, now: datetime) -> None:
        sheet = Sheet.read(self.rounds.store, trial)
        labels = self._grade(sheet, now)
        if labels is None:
            return
        spending = self.rounds.spending(trial.trial_id)
        if spending.under_way:
            self._keep_waiting(trial, spending, now)
            return
        self._go_on(sheet, labels, trial.budget_usd - spending.spent_usd, now)

    def _grade(self, sheet: Sheet, now: datetime) -> pl.DataFrame | None:
        """Store labels of what came back; all labels then, or None where more is left to grade at the next look."""
        store, trial = self.rounds.store, sheet.trial
        new = new_labels(sheet, labels_of(store, trial.trial_id), gold_of(trial.folder, trial.trial_id), now=now)
        if new.is_empty():
            return labels_of(store, trial.trial_id)
        store.write(lambda tx: tx.merge("put_labels", new))
        return None

    def _go_on(self, sheet: Sheet, labels: pl.DataFrame, room: Decimal, now: datetime) -> None:
        """Ask the judge, or wait for people, or ask the candidates that are not decided; close what is over."""
        trial = sheet.trial
        undecided = [one.number for one in trial.candidates if not decided(verdict_of(trial, labels, one.number))]
        ungraded = {number: why for number in undecided if (why := why_ungraded(trial, labels, number))}
        to_check = self._for_people_only(sheet, labels, set(undecided) - set(ungraded))
        counts = {
            number: _next_count(sheet, labels, number)
            for number in undecided
            if number not in ungraded and number not in to_check
        }
        if not undecided:
            self._close(trial, TrialState.DECIDED, None, now)
        elif len(ungraded) == len(undecided):
            self._close(trial, TrialState.STOPPED, next(iter(ungraded.values())), now)
        elif pairs := [pair for pair in sheet.next_judgements() if pair[0] in counts]:
            write = partial(_judgements, self._requests, sheet, pairs)
            self._send(sheet, write, room, now)
        elif trial.by_people and (waiting := self._unlabelled(sheet, labels, set(counts))):
            self._say(trial, TrialState.LABELLING, f"Pairs of answers that wait for people's labels: {waiting:,}.")
        elif self._requests.copies(sheet, sheet.next_answers(dict.fromkeys(counts, 1))):
            write = partial(_answers, self._requests, sheet, counts)
            self._send(sheet, write, room, now)
        elif to_check:
            self._say(trial, TrialState.LABELLING, _CHECKS)
        else:
            self._close(trial, TrialState.EXHAUSTED, _why_exhausted(sheet, counts), now)

    def _for_people_only(self, sheet: Sheet, labels: pl.DataFrame, undecided: set[int]) -> set[int]:
        """Candidates whose judge people bear out too little: more of its labels would decide nothing."""
        trial = sheet.trial
        return {
            number
            for number in undecided
            if judge_tally(trial, labels, number).checked
            and verdict_of(trial, labels, number).more_labels is None
            and self._unlabelled(sheet, labels, {number})
        }

    def _keep_waiting(self, trial: Trial, spending: Spending, now: datetime) -> None:
        """Say what it waits for; where its held jobs do not fit into its budget and there are no others, end it."""
        held = bool(spending.held)
        try:
            held = held and not self._release(trial, trial.budget_usd - spending.spent_usd, now)
        except _NoRoom:
            if spending.held == spending.under_way:
                end = partial(end_trial, trial_id=trial.trial_id, state=TrialState.SPENT, reason=_SPENT, now=now)
                self.rounds.store.write(end)
                self._forget_gold(trial)
                return
        self._say(trial, trial.state, _HELD if held else None)

    def _release(self, trial: Trial, room: Decimal, now: datetime) -> bool:
        """Let bodies go whose canary failed: to a trial that is an answer, and what errs is not billed.

        They go without marks. False where a job is held by the account. Raises `_NoRoom`.
        """
        allowance = Allowance(settings=self.rounds.settings, now=now, by=trial.created_by)

        def let_go(tx: Transaction) -> bool:
            jobs = tx.run("trial_canaries", trial_id=trial.trial_id)
            for job in jobs:
                send_held(tx, job["job_id"])
                allowance.check(tx, tx.run("expected_job", job_id=job["job_id"]))
            (spending,) = tx.run("trial_spending", trial_id=trial.trial_id, over=list(OVER))
            if spending["committed_usd"] > room:
                raise _NoRoom
            return bool(jobs)

        return self.rounds.store.write(let_go)

    def _unlabelled(self, sheet: Sheet, labels: pl.DataFrame, undecided: set[int]) -> int:
        """Pairs that nobody labelled yet."""
        anybody = labels.filter(pl.col("labeller") != GRADER).with_columns(labeller=pl.lit(_NOBODY))
        return sum(number in undecided for _, number in places_to_label(sheet, anybody, _NOBODY))

    def _send(self, sheet: Sheet, write: Callable[[float], list[bytes]], room: Decimal, now: datetime) -> None:
        """Send as much of a round as the trial's budget allows; nothing at all closes it."""
        trial, rounds = sheet.trial, self.rounds
        try:
            draft = rounds.fitted(write, room, now=now)
        except NothingToPlan:
            self._close(trial, TrialState.EXHAUSTED, _GONE, now)
            return
        if draft is None:
            self._close(trial, TrialState.SPENT, _SPENT, now)
            return
        again = frozenset(item for item, reply in sheet.replies.items() if reply.fate is Fate.LOST)
        rounds.send(trial, draft, Allowance(settings=rounds.settings, now=now, by=trial.created_by), again=again)
        self._say(trial, TrialState.RUNNING, None)

    def _say(self, trial: Trial, state: TrialState, reason: str | None) -> None:
        """Write down how a trial stands, where that is new."""
        if (state, reason) != (trial.state, trial.reason):
            values: dict[str, Any] = {"state": state, "reason": reason, "closed_at": None}
            self.rounds.store.write(lambda tx: tx.run("set_trial_state", trial_id=trial.trial_id, **values))

    def _close(self, trial: Trial, state: TrialState, reason: str | None, now: datetime) -> None:
        values: dict[str, Any] = {"state": state, "reason": reason, "closed_at": now}
        self.rounds.store.write(lambda tx: tx.run("set_trial_state", trial_id=trial.trial_id, **values))
        self._forget_gold(trial)

    def _forget_gold(self, trial: Trial) -> None:
        if self.rounds.store.metadata_only:
            forget_gold(trial.folder, trial.trial_id)


def _next_count(sheet: Sheet, labels: pl.DataFrame, number: int) -> int:
    """Items to ask a candidate about next: what was lost, and as many more as it then seems to take."""
    likely = outlook(sheet.trial, labels, number)
    return sheet.lost(number) + (0 if decided(likely) else next_count(likely)) or 1


def _judgements(requests: Requests, sheet: Sheet, pairs: Sequence[tuple[int, int]], share: float) -> list[bytes]:
    return requests.judgements(sheet, pairs[: math.floor(len(pairs) * share)])


def _answers(requests: Requests, sheet: Sheet, counts: Mapping[int, int], share: float) -> list[bytes]:
    return requests.copies(sheet, sheet.next_answers(shared_out(counts, share)))


def _why_exhausted(sheet: Sheet, numbers: Collection[int]) -> str:
    """That the sample is used up; and where answers were lost, what most of them were lost for."""
    if sheet.next_answers(dict.fromkeys(numbers, 1)):
        return _GONE
    lost = Counter(reply.why or "unknown" for reply in sheet.replies.values() if reply.fate is Fate.LOST)
    said = f"Its sample of {len(sheet.items):,} items is used up before it was certain."
    if not lost:
        return said
    [(why, _)] = lost.most_common(1)
    return f"{said} Requests without an answer: {lost.total():,} ({why})."
