"""Savings in the prompts themselves: what the doctor finds in requests that wait, beside what the ledger shows."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from core.opportunities.opportunity import Kind, Opportunity, opportunity

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True)
class PromptFault:
    """A defect in requests that wait: `usd_month` if as many come in as lately; `ids`: of a few of them."""

    title: str
    path: str
    below_floor: bool
    class_id: str
    class_name: str
    model: str
    requests: int
    ids: tuple[str, ...]
    usd_month: Decimal


def with_faults(
    found: Iterable[Opportunity], faults: Iterable[PromptFault], ids: Mapping[str, Iterable[str]]
) -> Iterator[Opportunity]:
    """The opportunities, those of a changing prompt with what it is; and faults of which the ledger shows nothing.

    `ids`: of a few requests of each class, to tell whose prompt it is: one that changes makes another class of what
    waits, but ids of one pipeline differ in their numbers only.
    """
    left = list(faults)
    for each in found:
        if each.kind is not Kind.PREFIX:
            yield each
            continue
        shapes = _shapes(ids.get(each.class_id or "", ()))
        same = next((fault for fault in left if not fault.below_floor and shapes & _shapes(fault.ids)), None)
        if same is None:
            yield each
        else:
            left.remove(same)
            said = f"{each.said} It is this: {_lower(same.title)}, at {same.path}."
            yield replace(each, said=said, evidence=dict(each.evidence) | {"fault": same.title, "place": same.path})
    yield from map(_opportunity, left)


def _opportunity(fault: PromptFault) -> Opportunity:
    return opportunity(
        Kind.TOP_UP if fault.below_floor else Kind.PREFIX,
        class_id=fault.class_id,
        class_name=fault.class_name,
        usd_month=fault.usd_month,
        interval=None,
        confidence="assumed",
        said=f"Change its prompt before it goes: {_lower(fault.title)}, at {fault.path}.",
        evidence={"model": fault.model, "requests": fault.requests, "fault": fault.title, "place": fault.path},
    )


def _shapes(ids: Iterable[str]) -> set[str]:
    """The ids without their numbers; those that are nothing but a number tell nothing."""
    return {shape for each in ids if (shape := _DIGITS.sub("#", each)) != "#"}


def _lower(title: str) -> str:
    return title[0].lower() + title[1:]
