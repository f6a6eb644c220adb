"""What an item costs as one of a job: its price, its share of what the job costs once, and what is sent again. Pure."""

from dataclasses import replace
from math import fsum

import polars as pl

from core.caching.lifetimes import Lifetime
from core.planning.class_size import Sizing
from core.planning.envelope import request_bytes
from core.planning.groups import Group, Kind
from core.planning.identity import custom_id_bytes


def in_jobs(items: pl.DataFrame, column: str, sizing: Sizing) -> tuple[float | None, float]:
    """Dollars of an item in jobs of the recommended size at these prices, and the median seconds until it is back.

    A class too small for jobs of its own shares them: then its items pay what they would in a job of the best size.
    """
    group = _group(items, column)
    size = sizing.size(group)
    median = float(sizing.turnaround(group, size.items).quantile(0.5))
    if group.kind == Kind.PRIMED:
        median += float(sizing.turnaround(group, 1).quantile(0.5))
    if size.costs is None:
        return None, median
    if not sizing.is_small(group):
        return size.costs.usd_at(size.items), median
    shared = replace(size.costs, once_usd=0.0)
    best = shared.best(sizing.settings.max_job_requests)
    return shared.usd_at(best) + size.costs.once_usd / group.items, median


def _group(items: pl.DataFrame, column: str) -> Group:
    """All items as one group of bodies; what those that write cost more is paid once."""
    planned = items[column].to_list()
    primed = column == "planned_usd" and bool(items["entry_id"].is_not_null().any())
    body = [usd for usd, primes in zip(planned, items["primes"], strict=True) if not (primed and primes)] or planned
    priced = None not in planned
    hot = fsum(body) / len(body) if priced else None
    lifetime: Lifetime | None = next(iter(items["lifetime"].drop_nulls()), None) if primed else None
    first = items.row(0, named=True)
    return Group(
        place=0,
        kind=Kind.PRIMED if primed else Kind.PLAIN,
        class_id=first["class_id"],
        class_name=first["class_name"],
        model=first["model"],
        lifetime=lifetime,
        components=(),
        items=items.height,
        bytes=int(items.select(request_bytes(custom_id_bytes()).sum()).item()),
        item_usd=hot,
        once_usd=max(fsum(planned) - hot * items.height, 0.0) if hot is not None else 0.0,
        deadline=None,
    )
