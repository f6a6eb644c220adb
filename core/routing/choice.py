"""Which model, or which cascade, a class should run on: the cheapest that is proven to clear its bar, and why. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.routing.cascade import Cascade
from core.routing.verdict import Ruling, Verdict
from core.routing.whole_cost import TierCost
from core.wording import count, percent
from core.wording import usd as dollars


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """What would tell whether a cheaper model clears: about so many more labels of it, and what those cost."""

    model: str
    labels: int | None
    usd: Decimal | None
    saving_usd: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a class should run on.

    `model`: the one to ask, first where `cascade` is given; `why`: one plain sentence, and one more on the next step.
    `saving_usd`: dollars a usable item costs less than on the reference, and `saving_month_usd` those of a month; None
    where either has no price. `unproven`: cheaper models about which nothing is certain yet, the cheapest first.
    """

    model: str
    cascade: Cascade | None
    why: str
    saving_usd: float | None
    saving_month_usd: Decimal | None
    unproven: tuple[str, ...]
    next_step: NextStep | None


def choose(
    costs: Sequence[TierCost],
    verdicts: Mapping[str, Verdict],
    cascade: Cascade | None,
    *,
    reference: str,
    items_a_month: float | None = None,
    more_usd: Mapping[str, Decimal] | None = None,
) -> Choice:
    """The cheapest per usable item of what clears; the reference always does, and is kept unless another is cheaper.

    `costs`: of every candidate and of `reference`, the model that the class runs on today; `verdicts`: by candidate;
    `cascade`: counts only if its blend clears; `items_a_month`: usable items; `more_usd`: by candidate, the price of
    its `more_labels`, where more than the answers has to be paid for (else that of the answers).
    """
    tiers = {cost.model: cost for cost in costs}
    today = tiers.get(reference)
    cleared = [cost for cost in costs if cost.model == reference or _ruling(verdicts, cost.model) is Ruling.CLEARS]
    known = [cost for cost in cleared if cost.usable_usd is not None]
    best = min(known, key=lambda cost: (cost.usable_usd or 0.0, cost.model != reference), default=None)
    today_usd = today.usable_usd if today else None
    if today_usd is None:
        # What is not known to be cheaper is no reason to change.
        best = today
    best_usd = best.usable_usd if best else None
    taken = cascade if best_usd is not None and _beats(cascade, best_usd) else None
    usd = taken.usable_usd if taken else best_usd
    saving = None if usd is None or today_usd is None else max(today_usd - usd, 0.0)
    cheaper = _cheaper(costs, verdicts, usd, reference)
    step = _next_step(cheaper, verdicts, usd, more_usd or {})
    model = taken.first if taken else best.model if best else reference
    return Choice(
        model=model,
        cascade=taken,
        why=" ".join([_what(tiers, model, taken, reference, saving), *([_what_next(tiers, step)] if step else [])]),
        saving_usd=saving,
        saving_month_usd=_money(saving * items_a_month) if saving is not None and items_a_month is not None else None,
        unproven=tuple(cost.model for cost in cheaper),
        next_step=step,
    )


def _ruling(verdicts: Mapping[str, Verdict], model: str) -> Ruling:
    return verdicts[model].ruling if model in verdicts else Ruling.NOT_YET


def _beats(cascade: Cascade | None, usd: float) -> bool:
    """Whether a cascade of two models clears and costs less than this."""
    if cascade is None or cascade.second is None or cascade.usable_usd is None or cascade.verdict is None:
        return False
    return cascade.verdict.ruling is Ruling.CLEARS and cascade.usable_usd < usd


def _cheaper(
    costs: Sequence[TierCost], verdicts: Mapping[str, Verdict], usd: float | None, reference: str
) -> list[TierCost]:
    """Models that would cost less than `usd` per usable item and are neither proven nor refuted."""
    open_ones = [
        cost
        for cost in costs
        if cost.model != reference
        and _ruling(verdicts, cost.model) is Ruling.NOT_YET
        and usd is not None
        and cost.usable_usd is not None
        and cost.usable_usd < usd
    ]
    return sorted(open_ones, key=lambda cost: cost.usable_usd or 0.0)


def _next_step(
    cheaper: Iterable[TierCost], verdicts: Mapping[str, Verdict], usd: float | None, more_usd: Mapping[str, Decimal]
) -> NextStep | None:
    """More labels for the cheapest model that is not certain yet, unless it is too near its bar for any number."""
    for cost in cheaper:
        verdict = verdicts.get(cost.model)
        labels = verdict.more_labels if verdict else None
        if verdict and verdict.labels and labels is None:
            continue
        answers = None if labels is None or cost.item_usd is None else _money(labels * cost.item_usd)
        return NextStep(
            model=cost.model,
            labels=labels,
            usd=more_usd.get(cost.model, answers),
            saving_usd=(usd or 0.0) - (cost.usable_usd or 0.0),
        )
    return None


def _what(
    tiers: Mapping[str, TierCost], model: str, cascade: Cascade | None, reference: str, saving: float | None
) -> str:
    """What to run on, in a sentence."""
    chosen, today = _name(tiers, model), _name(tiers, reference)
    usd = tiers[reference].usable_usd if reference in tiers else None
    less = f", and a usable item costs {percent(saving / usd)} less than on {today} today" if saving and usd else ""
    if cascade is not None:
        rest = f"{_name(tiers, cascade.second or '')} for the {percent(1 - cascade.accepted)} it does not settle"
        return f"Ask {chosen} first and {rest}: together they clear the bar{less}."
    if model != reference:
        return f"Move to {chosen}: it clears the bar{less}."
    if usd is None:
        return f"Stay on {today}: what its usable items cost is not known, so nothing is known to be cheaper."
    return f"Stay on {today}: nothing cheaper is proven to clear the bar."


def _name(tiers: Mapping[str, TierCost], model: str) -> str:
    return tiers[model].name if model in tiers else model


def _what_next(tiers: Mapping[str, TierCost], step: NextStep) -> str:
    name = _name(tiers, step.model)
    if step.labels is None:
        return f"{name} would cost less still: try it."
    price = "" if step.usd is None else f" for about {dollars(float(step.usd))}"
    needed = count(step.labels, "more label")
    return f"About {needed}{price} would show whether {name}, which costs less still, clears it too."


def _money(usd: float) -> Decimal:
    return Decimal(f"{usd:.6f}")
