"""Savings at the cache: which classes pay for writes that nothing reads, or for input that could be read, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from core.opportunities.monthly import monthly
from core.opportunities.opportunity import Kind, Opportunity, opportunity
from core.opportunities.resending import WARM, WAYS, resent
from core.opportunities.runs import Run, latest_run
from core.opportunities.workload import Pace, Workload

# Grouping takes two people, and a prompt its owner: only where they save clearly more than priming by itself.
_CLEARLY_MORE = Decimal("1.1")
_MOSTLY = 0.5


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A class that meets the cache badly, or did: what helps, since when, and the sends of that time.

    `sends`: one row a send and job day: send, day, attempts, cost_usd, saving_usd, and the tokens; `all_sends`: those
    of the whole time looked at. A single day of several is no rate: there they are the same, and nothing was saved on
    the others (`once`).
    """

    kind: Kind
    class_id: str
    run: Run
    sends: pl.DataFrame
    all_sends: pl.DataFrame
    once: bool


def leaks(work: Workload, cells: pl.DataFrame) -> tuple[Leak, ...]:
    """What each class of these cells loses at the cache now, or lost until it was mended."""
    if cells.is_empty():
        return ()
    sends = _sends(resent(work, cells))
    return tuple(
        found for (class_id,), rows in sends.group_by("class_id") if (found := _leak(str(class_id), rows)) is not None
    )


def cache_savings(work: Workload) -> Iterator[Opportunity]:
    """What would be saved at the cache from now on, class by class."""
    for leak in leaks(work, work.recent):
        pace = work.pace(leak.class_id, leak.all_sends)
        if pace is not None and leak.run.ended is None:
            yield _opportunity(work, leak, pace)


def _sends(cells: pl.DataFrame) -> pl.DataFrame:
    """One row a send and its day, with what it would have cost in each other way."""
    return (
        cells.group_by("class_id", "send", pl.col("send_day").alias("day"))
        .agg(
            pl.first("prefix_tokens", "floor", "pipeline"),
            pl.sum("attempts", "cost_usd", "cached", "written", "cache_read_tokens", *WAYS),
            pl.max("cold_seconds", "life_seconds"),
            jobs=pl.col("job_id").n_unique(),
        )
        .sort("day", "send")
    )


def _leak(class_id: str, sends: pl.DataFrame) -> Leak | None:
    """What helps this class most, by what its latest run of leaking days would have cost otherwise."""
    best: tuple[bool, Decimal] = (False, Decimal(0))
    found: Leak | None = None
    for way, clearly in zip(WAYS, (Decimal(1), _CLEARLY_MORE, _CLEARLY_MORE, Decimal(1)), strict=True):
        rows = sends.with_columns(saving_usd=pl.col("cost_usd") - pl.col(way))
        days = rows.group_by("day", maintain_order=True).agg(pl.sum("cost_usd", "saving_usd"))
        run = latest_run(days.iter_rows())
        if run is None:
            continue
        during = pl.col("day").is_between(run.first, run.last)
        within = rows.filter(during)
        once = run.first == run.last and days.height > 1
        counted = rows.with_columns(pl.when(during).then("saving_usd").otherwise(0)) if once else within
        worth = run.ended is None, Decimal(within["saving_usd"].sum())
        # What is still to be had comes before what was mended.
        if worth > (best[0], clearly * best[1]):
            best = worth
            found = Leak(kind=_kind(way, within), class_id=class_id, run=run, sends=counted, all_sends=sends, once=once)
    return found


def _kind(way: str, sends: pl.DataFrame) -> Kind:
    """What is to be done, from how the needless tokens came about."""
    if way != "primed_usd":
        return {"grouped_usd": Kind.GROUP, "plain_usd": Kind.MARKS, "topped_usd": Kind.TOP_UP}[way]
    primed = sends.filter(pl.col("cold_seconds").is_not_null(), pl.col("saving_usd") > 0)
    if _share(primed, sends) < _MOSTLY:
        return Kind.PRIME
    late = primed.filter(pl.col("cold_seconds") > pl.col("life_seconds"))
    return Kind.SEND_TIME if _share(late, primed) >= _MOSTLY else Kind.PREFIX


def _share(part: pl.DataFrame, whole: pl.DataFrame) -> float:
    return float(part["saving_usd"].sum()) / (float(whole["saving_usd"].sum()) or 1.0)


def _opportunity(work: Workload, leak: Leak, pace: Pace) -> Opportunity:
    month = monthly(leak.sends, pace)
    name, model = work.names[leak.class_id]
    figures = _figures(leak, model, pace)
    return opportunity(
        leak.kind,
        class_id=leak.class_id,
        class_name=name,
        usd_month=month.usd,
        interval=month.interval,
        confidence="assumed" if leak.once or leak.sends["prefix_tokens"].null_count() else "estimated",
        said=_said(leak, figures),
        evidence=figures,
    )


def _figures(leak: Leak, model: str, pace: Pace) -> dict[str, Any]:
    """The figures behind it."""
    sends, read = leak.sends, int(leak.sends["cache_read_tokens"].sum())
    cached = int(sends["cached"].sum())
    figures: dict[str, Any] = {
        "model": model,
        "since": leak.run.first,
        "days": leak.sends["day"].n_unique(),
        "sends": sends["send"].n_unique(),
        "requests": int(sends["attempts"].sum()),
        "prefix_tokens": _int(sends["prefix_tokens"]),
        "floor_tokens": _int(sends["floor"]),
        "read_tokens": read,
        "written_tokens": int(sends["written"].sum()),
        "hit_rate": round(read / cached, 4) if cached else None,
        "paid_usd": sends["cost_usd"].sum(),
        "would_have_cost_usd": (sends["cost_usd"] - sends["saving_usd"]).sum(),
        "pace_days": pace.days,
        "requests_month": round(pace.attempts_month),
    }
    if leak.kind is Kind.GROUP:
        figures["pipelines"] = sorted(sends["pipeline"].drop_nulls().unique())
        figures["sends_a_day"] = round(figures["sends"] / figures["days"], 1)
    if leak.kind is Kind.SEND_TIME:
        figures["minutes_after_primer"] = round(sends["cold_seconds"].drop_nulls().to_numpy().mean() / 60)
    return figures


def _said(leak: Leak, figures: dict[str, Any]) -> str:
    """What to do and why."""
    rate, prefix = figures["hit_rate"], figures["prefix_tokens"]
    reads = f"{rate:.0%}" if rate else "none"
    said = {
        Kind.PREFIX: f"Find what changes in its prompt: since {leak.run.first:%-d %b} {reads} of its cached tokens are "
        "read although it is primed.",
        Kind.SEND_TIME: f"Send its body sooner: it starts {figures.get('minutes_after_primer')} minutes after its "
        "primer, when nothing is left to read.",
        Kind.GROUP: f"Send {_both(figures.get('pipelines', []))} together: {figures.get('sends_a_day')} sends a day "
        f"share a prefix of {prefix:,} tokens, and each pays for it.",
        Kind.TOP_UP: f"Add about {(figures['floor_tokens'] or 0) - prefix:,} tokens of examples to its prefix: then it "
        "is cached, and costs less.",
        Kind.MARKS: f"Leave its cache marks away: {reads} of what it caches is read, and nothing would read it.",
        Kind.PRIME: f"Prime it: {reads} of its cached tokens are read, of a primed class {WARM:.0%}."
        if rate is not None
        else f"Prime it: its prefix of {prefix:,} tokens is paid for in full every time.",
    }
    return said[leak.kind]


def _both(pipelines: list[str]) -> str:
    return " and ".join(pipelines) if len(pipelines) > 1 else "its jobs of a day"


def _int(values: pl.Series) -> int:
    """The one value of a class, 0 where it is not known."""
    return int(values.drop_nulls().to_list()[0]) if values.drop_nulls().len() else 0
