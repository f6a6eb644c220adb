"""What a usable item of a class costs on each model, all told. Pure.

The class's items are addressed to the model anew: its tokenizer, its floor (which may open or shut the cache), its
prices with their cliff, and the cheapest cache plan on it. On top come the class's share of what jobs cost besides, and
what faults have repeated; the sum is divided by the share of answers that are usable.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from core.caching.class_caching import ClassCaching
from core.caching.item_costs import class_rates, with_tokens
from core.caching.lifetimes import Lifetime, top_up_threshold
from core.caching.plan import plan_caching
from core.planning.class_size import Sizing
from core.planning.needs import Needs
from core.prices import Model, PriceBook, UnknownModel
from core.prices.book import utc
from core.routing.job_share import in_jobs
from core.routing.quality import Quality, usable_usd
from core.routing.stage import Stage
from core.settings import Settings
from core.sizing.evidence import Evidence
from core.tokens.counting import TokenEstimate, learned_ratio, reaches_floor, token_factor

SEEN_SCHEMA: dict[str, Any] = {
    "item_id": pl.String,
    "model": pl.String,
    "prompt_tokens": pl.Float64,
    "output_tokens": pl.Float64,
}
"""What an item had on a model: a row an item and model."""

# Numbers of items at which a stage of a cascade is priced, besides one and all.
_SIZES = 12


@dataclass(frozen=True, kw_only=True)
class TierCost:
    """What an item of a class costs on one model; dollars are None where the model has no price.

    `item_usd`: with the cheapest cache plan, its share of what jobs cost besides, and what faults have repeated;
    `plain_usd`: the same without caching. `usable_usd`: per usable item, from `usable_low` to `usable_high`; None where
    the quality is not known, the bounds also where no or every number is possible. `cached`, `lifetime`: whether and
    for how long a prefix is kept; `prefix_tokens`: of the shared prefix on this model; `floor`: what it must reach.
    `seconds`: median time from the first create call to the results, the primer's included. `why`: how it meets the
    cache, in a plain sentence.
    """

    model: str
    name: str
    item_usd: float | None
    plain_usd: float | None
    usable: Quality | None
    usable_usd: float | None
    usable_low: float | None
    usable_high: float | None
    cached: bool
    lifetime: Lifetime | None
    prefix_tokens: float
    floor: int
    seconds: float
    why: str


def tier_costs(
    backlog: pl.DataFrame,
    models: Iterable[str],
    *,
    qualities: Mapping[str, Quality],
    book: PriceBook,
    settings: Settings,
    now: datetime,
    evidence: Evidence,
    seen: pl.DataFrame | None = None,
) -> tuple[TierCost, ...]:
    """What the class costs on each of `models`, in their order.

    `backlog`: the items of one class, at least one (columns as in `plan_caching`), addressed to the model that they go
    to today. `seen`: tokens that such items had on other models (columns of `SEEN_SCHEMA`), which correct the factor
    between tokenizers.
    """
    pricing = _Pricing(book=book, settings=settings, now=utc(now), evidence=evidence, seen=_known(seen))
    return tuple(pricing.tier(pricing.addressed(backlog, model), qualities.get(model)) for model in models)


def stage_of(
    backlog: pl.DataFrame,
    model: str,
    *,
    book: PriceBook,
    settings: Settings,
    now: datetime,
    evidence: Evidence,
    seen: pl.DataFrame | None = None,
) -> Stage | None:
    """The class on this model as a stage of a cascade: what any number of its items costs; None where unpriced.

    With fewer items a prefix is written for fewer, and may not be worth it: each of a dozen sizes has its own plan.
    """
    pricing = _Pricing(book=book, settings=settings, now=utc(now), evidence=evidence, seen=_known(seen))
    items = pricing.addressed(backlog, model)
    sizes = np.unique(np.geomspace(1, backlog.height, _SIZES + 2).round().astype(np.int64))
    found = [pricing.tier(items.filter(_spread(size)), None) for size in sizes.tolist()]
    usd = [np.nan if one.item_usd is None else one.item_usd for one in found]
    if np.isnan(usd).any():
        return None
    return Stage(model=model, sizes=sizes.astype(np.float64), usd=sizes * np.array(usd), seconds=found[-1].seconds)


def _known(seen: pl.DataFrame | None) -> pl.DataFrame:
    return pl.DataFrame(schema=SEEN_SCHEMA) if seen is None else seen


def _spread(items: int) -> pl.Expr:
    """So many of the rows, evenly over all."""
    place = pl.int_range(pl.len())
    return (place + 1) * items // pl.len() > place * items // pl.len()


@dataclass(frozen=True, kw_only=True)
class _Pricing:
    """What does not depend on the model."""

    book: PriceBook
    settings: Settings
    now: datetime
    evidence: Evidence
    seen: pl.DataFrame

    def tier(self, addressed: pl.DataFrame, usable: Quality | None) -> TierCost:
        """The cost of the items on the model that they are addressed to."""
        model = str(addressed["model"][0])
        plan = plan_caching(
            addressed, book=self.book, settings=self.settings, now=self.now, learned=self.evidence.learned
        )
        (caching,) = plan.classes
        items, beyond = self._at_own_rates(plan.items, model)
        sizing = Sizing(settings=self.settings, evidence=self.evidence, needs=Needs(), now=self.now)
        item_usd, seconds = in_jobs(items, "planned_usd", sizing)
        wrong_usd, listed = float(self.settings.wrong_answer_usd), self._listed(model)

        def per_usable(share: float) -> float | None:
            return None if item_usd is None or not share else float(usable_usd(item_usd, share, wrong_usd))

        return TierCost(
            model=model,
            name=listed.display_name if listed else model,
            item_usd=item_usd,
            plain_usd=in_jobs(items, "plain_usd", sizing)[0],
            usable=usable,
            usable_usd=per_usable(usable.share) if usable else None,
            usable_low=per_usable(usable.upper) if usable else None,
            usable_high=per_usable(usable.lower) if usable else None,
            cached=caching.lifetime is not None,
            lifetime=caching.lifetime,
            prefix_tokens=float(addressed["prefix_tokens"][0]),
            floor=self._floor(model),
            seconds=seconds,
            why=self._why(caching, items, beyond),
        )

    def addressed(self, backlog: pl.DataFrame, model: str) -> pl.DataFrame:
        """The items as they would be on another model: its tokens, and whether the prefix surely reaches its floor."""
        own = str(backlog["model"][0])
        if model == own:
            return backlog
        seen = with_tokens(backlog, book=self.book, settings=self.settings).join(
            self.seen.filter(model=model), on="item_id", suffix="_seen"
        )
        factor = token_factor(self.book, model) / token_factor(self.book, own)
        counted, measured = (float(seen[name].sum()) for name in ("prompt_tokens", "prompt_tokens_seen"))
        ratio = learned_ratio(counted, measured, seen.height, factor)
        prefix = TokenEstimate.learned(float(backlog["prefix_tokens"][0]) * ratio, seen.height)
        surely = reaches_floor(prefix, self._floor(model)) == "yes"
        if factor == 1:
            # What is known of the prefix holds on a model that counts alike.
            surely |= bool(backlog["cacheable"][0]) and self._floor(model) <= self._floor(own)
        changed = backlog.with_columns(
            model=pl.lit(model),
            prefix_tokens=pl.lit(prefix.tokens),
            cacheable=pl.lit(surely) & (pl.col("prefix_chars") > 0),
            output_tokens=self._answers(backlog, model, seen["output_tokens_seen"], ratio),
        )
        if "suffix_ratio" in backlog.columns:
            changed = changed.with_columns(pl.col("suffix_ratio") * ratio)
        return changed

    def _answers(self, backlog: pl.DataFrame, model: str, seen: pl.Series, ratio: float) -> pl.Expr:
        """Tokens of an answer on another model: as they were there, else as many words as today."""
        known = self.evidence.output(str(backlog["class_id"][0]), model)
        if known is not None:
            return pl.lit(known.mean)
        if seen.len():
            return pl.lit(float(seen.sum()) / seen.len())
        share = pl.col("max_tokens").cast(pl.Float64) * self.settings.output_share
        return pl.coalesce(pl.col("output_tokens").cast(pl.Float64), share) * ratio

    def _at_own_rates(self, items: pl.DataFrame, model: str) -> tuple[pl.DataFrame, int]:
        """The planned items at the prices of their own length, and how many are beyond a cliff.

        A plan prices a class by its mean prompt; here a single long item counts as what it costs.
        """
        rates = class_rates(items, book=self.book, now=self.now).get(items["class_id"][0])
        if rates is None:
            return items, 0
        steps = (
            self.book.rate_frame()
            .filter(pl.col("model") == self.book.model(model).id, "batch", ~pl.col("geo_us"))
            .filter(pl.col("valid_from") <= self.now, pl.col("valid_to").is_null() | (pl.col("valid_to") > self.now))
            .sort("min_input_tokens")
        )
        starts = steps["min_input_tokens"].to_numpy()
        step = np.searchsorted(starts, np.ceil(items["prompt_tokens"].to_numpy()), side="right") - 1
        input_usd, output_usd = (steps[name].cast(pl.Float64).to_numpy()[step] for name in ("input", "output"))
        answers = items["answer_tokens"].to_numpy()

        def at_own(name: str) -> pl.Series:
            prompts = items[name].to_numpy() - answers * rates.output
            return pl.Series(name, prompts * input_usd / rates.input + answers * output_usd)

        return items.with_columns(at_own("planned_usd"), at_own("plain_usd")), int((step > 0).sum())

    def _listed(self, model: str) -> Model | None:
        try:
            return self.book.model(model)
        except UnknownModel:
            return None

    def _floor(self, model: str) -> int:
        listed = self._listed(model)
        return listed.cache_floor_tokens if listed else 0

    def _why(self, caching: ClassCaching, items: pl.DataFrame, beyond: int) -> str:
        floor, prefix_tokens = self._floor(caching.model), float(items["prefix_tokens"][0])
        figures: dict[str, Any] = {"prefix": f"{prefix_tokens:,.0f}", "floor": f"{floor:,}"}
        said = [_WHY[caching.reasons[0]].format(**figures)]
        if caching.reasons[0].startswith("under_floor"):
            rates = self.book.rates(caching.model, at=self.now)
            write, read = (float(each / rates.input) for each in (rates.cache_write_1h, rates.cache_read))
            if prefix_tokens > top_up_threshold(floor, caching.items, write=write, read=read):
                said.append("Filled up to that with useful examples it would cost less.")
        if beyond:
            said.append(f"{beyond:,} of {caching.items:,} items are so long that all of their tokens cost more.")
        listed = self._listed(caching.model)
        if listed and (too_long := int((items["prompt_tokens"] > listed.max_input_tokens).sum())):
            said.append(f"{too_long:,} of {caching.items:,} items are longer than it takes.")
        return " ".join(said)


_NOT = "Not cached: "
_WHY = {
    "primed_5m": "Cached: the {prefix} tokens that all share are written once for five minutes, and then read.",
    "primed_1h": "Cached: the {prefix} tokens that all share are written once for an hour, and then read.",
    "unpriced": "The price book has no price for this model.",
    "shares_nothing": _NOT + "its prompts begin differently.",
    "under_floor": _NOT
    + "the {prefix} tokens that all share do not surely reach the {floor} that this model asks for.",
    "under_floor_measured": _NOT + "the tokens that all share turned out to be fewer than the {floor} asked for.",
    "not_markable": _NOT + "no mark can stand where the prompts begin to differ.",
    "needs_split": _NOT + "what all share ends inside a text that may not be sent as two.",
    "too_few": _NOT + "too few items share what would have to be written.",
    "reads_too_rare": _NOT + "too few items would find what was written.",
    "dearer": _NOT + "writing would cost more than reading saves.",
}
