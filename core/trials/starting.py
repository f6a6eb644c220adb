"""Starting a trial: what was asked for is checked, the sample is drawn, and the first round is planned and priced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
import polars as pl

from core.errors import LotwiseError
from core.grading import make_grader, matched_gold
from core.jobs.journal import Recorded
from core.jobs.spending import Allowance
from core.planning.identity import new_job_id
from core.planning.plan import NothingToPlan
from core.prices import PriceBook, UnknownModel
from core.requests.adapting import CannotAdapt, Change, adapted
from core.routing.samples import draw_sample
from core.routing.verdict import Bar
from core.store import Store, Transaction
from core.trials.asking import Requests, Sheet, first_count, parts_of, shared_out
from core.trials.gold import forget_gold, keep_gold
from core.trials.rounds import Draft, Rounds
from core.trials.trial import Entrant, Part, Trial

MOST_SAMPLE = 2_000
"""Unless asked otherwise: more labels decide next to nothing that these did not."""
_JUDGE_SHARE = Decimal("0.5")
"""Of the budget, what a first round may cost where its answers have to be judged afterwards."""


class TrialRefused(LotwiseError):
    """This trial cannot be started, so nothing was sent. Change what is said, then start it again."""


@dataclass(frozen=True, kw_only=True)
class TrialAsk:
    """What a trial is to find out: whether these models clear the bar of a class, by a grader, within a budget.

    `gold`: right answers by item, where the grader compares with them; `sample`: the most items (None: 2,000); `seed`:
    of the sample; `cascade`: a small model first and a larger one where it fails is a candidate too.
    """

    class_id: str
    models: tuple[str, ...]
    grader: Mapping[str, Any]
    bar: Bar
    gold: Mapping[str, str] | None = None
    budget_usd: Decimal = Decimal(5)
    sample: int | None = None
    seed: int = 0
    cascade: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A trial that could be started: its sample, its gold answers, and its first round.

    `counts`: items of the first round by candidate (number), as far as the budget allows; `unfit`: why a candidate (by
    model) cannot be asked at all; `draft`: None where nothing can be sent.
    """

    trial: Trial
    sample: pl.DataFrame
    gold: Mapping[str, str]
    sheet: Sheet
    counts: Mapping[int, int]
    unfit: Mapping[str, str] = field(default_factory=dict)
    draft: Draft | None


def prepare(rounds: Rounds, ask: TrialAsk, *, now: datetime, by: str) -> Prepared:
    """Draw the sample and plan the first round without storing anything.

    Raises `TrialRefused`, `BadGrader`, `GoldUnusable` and `UnknownModel`.
    """
    of = class_on_trial(rounds.store, ask.class_id)
    grader = make_grader(ask.grader, rounds.folder)
    entrants = _entrants(ask, of["model"], grader.needs, grader.spec.get("model"), rounds.book)
    population = rounds.store.query("class_population", class_id=of["class_id"])
    gold = _gold(ask, grader.needs, population)
    if "gold" in grader.needs:
        population = population.filter(pl.col("item_id").is_in(list(gold)))
    if population.is_empty():
        raise TrialRefused("No request of this class is kept, so none can be tried.", class_id=of["class_id"])
    sample = draw_sample(population, most=ask.sample or MOST_SAMPLE, seed=ask.seed)
    items = tuple(sample["item_id"])
    requests = Requests(rounds.store, rounds.folder, rounds.book)
    entrants, unfit = _with_changes(entrants, requests.params(items).values(), rounds.book)
    trial = Trial(
        folder=rounds.folder,
        trial_id=new_job_id(),
        class_id=of["class_id"],
        class_name=of["name"],
        reference_model=of["model"],
        spec=grader.spec,
        needs=grader.needs,
        bar=ask.bar,
        budget_usd=ask.budget_usd,
        seed=ask.seed,
        cascade=ask.cascade,
        created_at=now,
        created_by=by,
        entrants=tuple(entrants),
        sample=len(items),
    )
    sheet = Sheet.of(rounds.store, trial, items, {})
    first = min(first_count(ask.bar), len(items))
    counts = {one.number: first for one in trial.candidates if one.model not in unfit}
    draft = first_round(rounds, requests, sheet, counts, now=now)
    sent = draft.plan.assignments["item_id"].str.split("-").list.get(1) if draft else pl.Series([], dtype=pl.String)
    counts = {number: int((sent == str(number)).sum()) for number in counts}
    return Prepared(trial=trial, sample=sample, gold=gold, sheet=sheet, counts=counts, unfit=unfit, draft=draft)


def class_on_trial(store: Store, text: str) -> dict[str, str]:
    """The class of this id or name: class_id, name, model. Raises `TrialRefused` where there is not just one."""
    found = store.query("class_on_trial", text=text).to_dicts()
    if len(found) > 1 and found[0]["class_id"] != text:
        ids = ", ".join(one["class_id"] for one in found)
        raise TrialRefused("Several classes have this name. Name one by its id.", name=text, ids=ids)
    if not found:
        raise TrialRefused("There is no such class. The Classes page lists them all.", name=text)
    return found[0]


def first_round(
    rounds: Rounds, requests: Requests, sheet: Sheet, counts: Mapping[int, int], *, now: datetime
) -> Draft | None:
    """So many items for each candidate, as far as the budget allows; None where it allows none."""
    trial = sheet.trial
    room = trial.budget_usd * (_JUDGE_SHARE if trial.judge else 1)
    try:
        return rounds.fitted(partial(_first_lines, requests, sheet, counts), room, now=now)
    except NothingToPlan:  # none of the candidates can be asked
        return None


def start(rounds: Rounds, prepared: Prepared, allowance: Allowance) -> Recorded:
    """Store a trial with its first round, or rehearse that. Raises `TrialRefused`, and what `record_plan` raises."""
    trial = prepared.trial
    for model, why in prepared.unfit.items():
        raise TrialRefused(why, model=model)
    if prepared.draft is None:
        raise TrialRefused("Its budget does not pay for one item, or a model has no price.", usd=trial.budget_usd)
    kept = bool(prepared.gold) and not allowance.rehearsal
    if kept:
        keep_gold(rounds.folder, trial.trial_id, prepared.gold)
    try:
        return rounds.send(trial, prepared.draft, allowance, begin=partial(_store, prepared, allowance))
    except BaseException:
        forget_gold(rounds.folder, trial.trial_id)
        raise


def _store(prepared: Prepared, allowance: Allowance, tx: Transaction) -> None:
    trial = prepared.trial
    tx.run(
        "add_trial",
        trial_id=trial.trial_id,
        class_id=trial.class_id,
        reference_model=trial.reference_model,
        grader=orjson.dumps(trial.spec).decode(),
        needs=sorted(trial.needs),
        rate=trial.bar.rate,
        margin=trial.bar.margin,
        error=trial.bar.error,
        budget_usd=trial.budget_usd,
        seed=trial.seed,
        cascade=trial.cascade,
        now=allowance.now,
        by=trial.created_by,
    )
    rows = [(trial.trial_id, one.number, one.part, one.model, _as_json(one.changes)) for one in trial.entrants]
    names = ["trial_id", "number", "part", "model", "changes"]
    tx.merge("add_trial_candidates", pl.DataFrame(rows, schema=names, orient="row"))
    tx.merge("add_trial_items", prepared.sample.with_columns(trial_id=pl.lit(trial.trial_id)))


def _first_lines(requests: Requests, sheet: Sheet, counts: Mapping[int, int], share: float) -> list[bytes]:
    return requests.copies(sheet, sheet.next_answers(shared_out(counts, share)))


def _entrants(
    ask: TrialAsk, reference: str, needs: frozenset[str], judge: str | None, book: PriceBook
) -> list[Entrant]:
    models = [book.model(model).id for model in dict.fromkeys(ask.models)]
    if not models:
        raise TrialRefused("No model is to be tried. Name at least one.")
    if _known_as(reference, book) in models:
        raise TrialRefused("The class runs on this model today, so there is nothing to find out.", model=reference)
    if ask.budget_usd <= 0:
        raise TrialRefused("A trial needs a budget of more than nothing.", usd=ask.budget_usd)
    if ask.sample is not None and ask.sample < 1:
        raise TrialRefused("A sample has at least one item.", sample=ask.sample)
    by = book.model(judge).id if judge and "judge" in needs else None
    return parts_of(models, reference=reference, needs=needs, judge=by)


def _known_as(model: str, book: PriceBook) -> str:
    """The book's name of a model that a class may call otherwise; its own where the book does not know it."""
    try:
        return book.model(model).id
    except UnknownModel:
        return model


def _gold(ask: TrialAsk, needs: frozenset[str], population: pl.DataFrame) -> dict[str, str]:
    """All gold answers that were given, where the grader compares with them: some may be of items yet to come."""
    if "gold" not in needs:
        return {}
    if not ask.gold:
        raise TrialRefused("This grader compares with right answers, and none are given.", grader=ask.grader["kind"])
    matched_gold(ask.gold, population["item_id"].to_list())
    return dict(ask.gold)


def _with_changes(entrants: Sequence[Entrant], params: Any, book: PriceBook) -> tuple[list[Entrant], dict[str, str]]:
    """The entrants with what each is sent otherwise, and why some cannot be asked."""
    asked, unfit = list(params), dict[str, str]()
    found = []
    for one in entrants:
        changes: dict[Change, None] = {}
        if one.part is Part.CANDIDATE:
            try:
                for of in asked:
                    changes |= dict.fromkeys(adapted(of, book.model(one.model))[1])
            except CannotAdapt as error:
                unfit[one.model] = error.message
        found.append(replace(one, changes=tuple(changes)))
    return found, unfit


def _as_json(changes: Sequence[Change]) -> str:
    return orjson.dumps([{"parameter": one.parameter, "said": one.said} for one in changes]).decode()
