"""Examining requests: every check on every scope, each finding priced by measuring the prompts with its change made."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.doctor.finding import Finding, dollars, finding_of
from core.doctor.floor import find_below_floor
from core.doctor.invalidation import find_images, find_switches
from core.doctor.mixing import find_mixed_models
from core.doctor.near_duplicates import find_near_duplicates
from core.doctor.order import find_block_order, find_text_order
from core.doctor.rewrite import rewrite_params
from core.doctor.sample import Sample
from core.doctor.scope import Scope
from core.doctor.suspicion import Suspicion
from core.doctor.texts import Params
from core.doctor.tools import find_key_order, find_tool_order
from core.doctor.variants import find_variants
from core.doctor.volatile import find_volatile
from core.prices import PriceBook
from core.requests.rendering import render

# The order decides between two explanations of equal worth: the more exact one comes first.
_CHECKS: tuple[Callable[[Scope], Iterator[Suspicion]], ...] = (
    find_tool_order,
    find_key_order,
    find_variants,
    find_volatile,
    find_block_order,
    find_text_order,
    find_near_duplicates,
    find_switches,
    find_images,
    find_below_floor,
)
# An explanation must be worth clearly more than an earlier one of the same place.
_CLEARLY_MORE = 1.1


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What was found, dearest first. Dollars are those of input in one run, cached as well as the prompts allow."""

    findings: tuple[Finding, ...]
    requests: int
    examined: int
    """Requests looked at; fewer than all where `sampled`."""
    sampled: bool
    unpriced: dict[str, int]
    """Requests not examined because the price book has no price for their model, by model."""
    runs_a_month: float
    before_usd: Decimal
    after_usd: Decimal
    """With every automatic rewrite made together, measured, not added up."""

    def document(self) -> dict[str, Any]:
        """The examination as plain values."""
        own = {name: value for name, value in vars(self).items() if name != "findings"}
        return own | {"findings": [finding.document() for finding in self.findings]}


def examine(
    requests: Iterable[tuple[str, Params]], *, book: PriceBook, now: datetime, runs_a_month: float = 1.0
) -> Examination:
    """Examine checked requests, given as custom_id and parameters; large inputs on a repeatable sample.

    Raises `NotARequest` for parameters that are nested too deeply to send.
    """
    sample = Sample()
    for custom_id, params in requests:
        sample.add(custom_id, params)
    return examine_sample(sample, book=book, now=now, runs_a_month=runs_a_month)


def examine_sample(sample: Sample, *, book: PriceBook, now: datetime, runs_a_month: float) -> Examination:
    """Examine what a sample holds, for all that it stands for."""
    scopes, unpriced = sample.scopes(book, now=now)
    suspicions = [suspicion for scope in scopes for suspicion in _distinct(scope)]
    suspicions += find_mixed_models(scopes)
    suspicions.sort(key=lambda suspicion: -suspicion.gain * suspicion.scope.tariff.usd_per_byte)
    before, after = 0.0, 0.0
    for scope in scopes:
        mine = [suspicion for suspicion in suspicions if suspicion.scope is scope and suspicion.rewrites]
        now_usd, then_usd = _input_usd(scope, mine)
        before, after = before + now_usd, after + then_usd
    return Examination(
        findings=tuple(finding_of(suspicion, runs_a_month=runs_a_month) for suspicion in suspicions),
        requests=sample.population,
        examined=sum(len(scope.items) for scope in scopes),
        sampled=sample.size < sample.population,
        unpriced=unpriced,
        runs_a_month=runs_a_month,
        before_usd=dollars(before),
        after_usd=dollars(after),
    )


def _distinct(scope: Scope) -> list[Suspicion]:
    """The suspicions of a scope without second explanations of what another one explains better."""
    kept: list[Suspicion] = []
    for check in _CHECKS:
        for suspicion in check(scope):
            rivals = [other for other in kept if _same_defect(other, suspicion)]
            if all(suspicion.gain > _CLEARLY_MORE * rival.gain for rival in rivals):
                kept = [*(other for other in kept if other not in rivals), suspicion]
    return kept


def _same_defect(one: Suspicion, other: Suspicion) -> bool:
    """Whether two suspicions are about the same block of largely the same requests."""
    both = set(one.affected) & set(other.affected)
    return one.place.path == other.place.path and 2 * len(both) >= min(len(one.affected), len(other.affected))


def _input_usd(scope: Scope, suspicions: Sequence[Suspicion]) -> tuple[float, float]:
    rewrites = [rewrite for suspicion in suspicions for rewrite in suspicion.rewrites]
    before = scope.saved([item.prompt.data for item in scope.items]).cost
    after = before
    if rewrites:
        after = scope.saved([render(rewrite_params(item.params, rewrites)).data for item in scope.items]).cost
    return before * scope.tariff.usd_per_byte, after * scope.tariff.usd_per_byte
