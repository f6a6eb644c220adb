"""Where each class stands: the model its work goes to, what it costs a month, and what a lighter one would save."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from core.intake.routing import Route
from core.prices import PriceBook, Rates, UnknownModel, UnpricedModel
from core.routing.verdict import Ruling
from core.tokens.counting import token_factor
from core.trials.standing import TrialStanding

NOTICE = timedelta(days=60)
"""A model that retires sooner than that is no model to move work to, and one to move work from."""
Row = dict[str, Any]


class RouteState(StrEnum):
    """How far the routing of a class is."""

    NEVER = "never"
    """No lighter model was tried on it."""
    TRIAL = "trial"
    """A trial is under way, or waits for labels."""
    CERTIFIED = "certified"
    """A lighter model clears its bar, and is not used."""
    APPLIED = "applied"
    """Its work goes to another model than its owner names, and is watched."""
    ALARM = "alarm"
    """The same, and its answers are surely not what was certified."""
    NOTHING_LIGHTER = "nothing_lighter"
    """No model would cost less, or those that would have failed."""


@dataclass(frozen=True, kw_only=True)
class ClassRoute:
    """One class, whatever models its work went to.

    `model`: where its work goes today; `items_month`, `usd_month`: usable items of the last 30 days and what all
    attempts at them cost (None = not all priced); `waiting`: items never attempted. `best_model`: the model to move to,
    or the one moved to; `saving_month_usd`: what it saves, or would save, on as many items in 30 days, or on those that
    wait where none were sent (None = not reckoned). `proven`: whether that model has cleared a bar for this class, its
    cost measured there; else the saving is reckoned from the tokens of the month.
    `routed_from`: the model that the owner names, where the work goes elsewhere. `why`: in one plain sentence.
    """

    class_id: str
    class_name: str
    model: str
    items_month: int
    usd_month: Decimal | None
    waiting: int
    state: RouteState
    best_model: str | None
    saving_month_usd: Decimal | None
    proven: bool
    trial_id: str | None
    routed_from: str | None
    applied_at: datetime | None
    why: str


def stand(
    work: Iterable[Row],
    homes: Mapping[str, str],
    routes: Iterable[Route],
    trials: Iterable[TrialStanding],
    alarms: Mapping[str, str],
    *,
    refuted: Mapping[tuple[str, str], datetime],
    book: PriceBook,
    now: datetime,
) -> tuple[ClassRoute, ...]:
    """One line for each class with work lately or waiting, or with a route, dearest first.

    `work`: rows of `class_work`; `homes`: as `home_classes` has them; `routes`: those in force; `trials`: all, newest
    first; `alarms`: why the watch of a route rang, by its id; `refuted`: as `watch.refuted` has them.
    """
    parts: dict[str, list[Row]] = {}
    for row in work:
        parts.setdefault(row["home_id"], []).append(row)
    by_class = {route.class_id: route for route in routes}
    tried: dict[str, list[TrialStanding]] = {}
    for trial in trials:
        tried.setdefault(homes.get(trial.class_id, trial.class_id), []).append(trial)
    lines = [
        _Line(home, rows, by_class.get(home), tuple(tried.get(home, ())), refuted, book, now).standing(alarms)
        for home, rows in parts.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-(line.usd_month or 0), -line.waiting, line.class_id)))


@dataclass(frozen=True)
class _Line:
    """The work of one class, whatever models it went to."""

    class_id: str
    rows: list[Row]
    route: Route | None
    trials: tuple[TrialStanding, ...]
    refuted: Mapping[tuple[str, str], datetime]
    book: PriceBook
    now: datetime

    @property
    def model(self) -> str:
        """Where its work goes."""
        if self.route:
            return self.route.model
        own = [row for row in self.rows if row["class_id"] == self.class_id]
        return str((own or self.rows)[0]["model"])

    def standing(self, alarms: Mapping[str, str]) -> ClassRoute:
        """The line as it is shown."""
        state, best, trial_id, why = self._found(alarms)
        saving = self._saving(best)
        return ClassRoute(
            class_id=self.class_id,
            class_name=str(self.rows[0]["home_name"]),
            model=self.model,
            items_month=sum(row["units"] for row in self.rows),
            usd_month=self._usd(self.model, actual=True),
            waiting=sum(row["waiting_items"] for row in self.rows),
            state=state,
            best_model=best,
            saving_month_usd=saving,
            proven=trial_id is not None and state != RouteState.TRIAL,
            trial_id=trial_id,
            routed_from=self.route.from_model if self.route else None,
            applied_at=self.route.applied_at if self.route else None,
            why=why,
        )

    def _found(self, alarms: Mapping[str, str]) -> tuple[RouteState, str | None, str | None, str]:
        """The state, the model to move to or moved to, the trial behind it, and why."""
        if route := self.route:
            if said := alarms.get(route.route_id):
                return RouteState.ALARM, route.model, route.trial_id, said
            proof = "proven by a trial" if route.trial_id else "not proven by any trial"
            why = f"Its work goes to {self._name(route.model)} instead of {self._name(route.from_model)}, {proof}."
            return RouteState.APPLIED, route.model, route.trial_id, why
        ruled = self._ruled()
        cleared = {model: of for model, (ruling, of) in ruled.items() if ruling is Ruling.CLEARS}
        if proven := [model for model in self._cheaper(cleared) if (self._saving(model) or 1) > 0]:
            why = f"{self._name(proven[0])} clears its bar and is not used yet."
            return RouteState.CERTIFIED, proven[0], cleared[proven[0]], why
        failed = {model for model, (ruling, _) in ruled.items() if ruling is Ruling.FAILS}
        lighter = [model for model in self._lighter() if model not in failed]
        best = lighter[0] if lighter else None
        for trial in self.trials:
            if trial.state in ("running", "labelling"):
                return RouteState.TRIAL, best, trial.trial_id, _under_way(trial)
        if best is None:
            why = "The lighter models that were tried fail its bar." if failed else "No model would cost less."
            return RouteState.NOTHING_LIGHTER, None, None, why
        return RouteState.NEVER, best, None, f"{self._name(best)} would cost less and was not proven on it."

    def _ruled(self) -> dict[str, tuple[Ruling, str]]:
        """What the newest trial that decided on each model found, and its id; failed where its use refuted that."""
        found: dict[str, tuple[Ruling, str]] = {}
        for trial in reversed(self.trials):
            for one in trial.candidates:
                at = self.refuted.get((self.class_id, one.model))
                ruling = Ruling.FAILS if at is not None and trial.created_at <= at else one.verdict.ruling
                if one.verdict.ruling is not Ruling.NOT_YET:
                    found[one.model] = ruling, trial.trial_id
        return found

    def _lighter(self) -> list[str]:
        """Models that stay, and for which the month's tokens would have cost less; cheapest first."""
        staying = [
            model.id
            for model in self.book.models()
            if model.lifecycle == "active" and (model.retires_at is None or model.retires_at > self.now + NOTICE)
        ]
        return [model for model in self._cheaper(staying) if self._is_lighter(model)]

    def _is_lighter(self, model: str) -> bool:
        if sum(row["attempts"] for row in self.rows):
            return (self._saving(model) or 0) > 0
        mine, other = self._rates(self.model), self._rates(model)
        if mine is None or other is None:
            return False
        more = token_factor(self.book, model) / token_factor(self.book, self.model)
        return other.input * Decimal(more) < mine.input and other.output * Decimal(more) < mine.output

    def _cheaper(self, models: Iterable[str]) -> list[str]:
        """The models other than today's that have a price, cheapest first."""
        priced = [(rates.input + rates.output, model) for model in models if (rates := self._rates(model))]
        key = {model: self._usd(model) for _, model in priced}
        return [
            model for price, model in sorted(priced, key=lambda each: (key[each[1]] or 0, each)) if model != self.model
        ]

    def _saving(self, model: str | None) -> Decimal | None:
        """What the month costs on today's model beyond what it would cost, or costs, on this one.

        For work that is routed: what it would cost on its owner's model beyond what it costs.
        """
        if model is None:
            return None
        before, after = (self.route.from_model, self.route.model) if self.route else (self.model, model)
        then, now = self._usd(before), self._usd(after)
        return None if then is None or now is None else then - now

    def _usd(self, model: str, *, actual: bool = False) -> Decimal | None:
        """What the attempts of the month cost on a model: as billed where they ran on it, else reckoned.

        As a trial measured an item on it, or from the tokens at its rates. None without attempts or prices.
        """
        dollars = [
            row["cost_usd"] if actual or row["model"] == model else self._elsewhere(row, model)
            for row in self.rows
            if row["attempts"]
        ]
        known = [usd for usd in dollars if usd is not None]
        return sum(known, Decimal(0)) if known and len(known) == len(dollars) else None

    def _elsewhere(self, row: Row, model: str) -> Decimal | None:
        for trial in self.trials:
            for one in trial.candidates:
                if one.model == model and one.usd_per_item is not None:
                    return one.usd_per_item * int(row["attempts"])
        more = token_factor(self.book, model) / token_factor(self.book, row["model"])
        cached = row["write_tokens"] + row["read_tokens"]
        rates = self._rates(model, round(more * (row["input_tokens"] + cached) / row["attempts"]))
        if rates is None:
            return None
        kept = row["prefix_tokens"] * more >= self.book.model(model).cache_floor_tokens
        prefix = (
            row["write_tokens"] * rates.cache_write_1h + row["read_tokens"] * rates.cache_read
            if kept
            else cached * rates.input
        )
        plain = row["input_tokens"] * rates.input + row["output_tokens"] * rates.output
        return Decimal(Decimal(more) * (plain + prefix))

    def _rates(self, model: str, tokens: int = 0) -> Rates | None:
        try:
            return self.book.rates(model, at=self.now, total_input_tokens=tokens)
        except (UnknownModel, UnpricedModel):
            return None

    def _name(self, model: str) -> str:
        try:
            return self.book.model(model).display_name
        except UnknownModel:
            return model


def _under_way(trial: TrialStanding) -> str:
    return "A trial waits for labels." if trial.state == "labelling" else "A trial is under way."
