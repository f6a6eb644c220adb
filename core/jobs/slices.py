"""The failed slice of a job: what sending it again would do, for how much, and from which cache."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import polars as pl

from core.caching.item_costs import ClassRates, class_rates, dollars, tokens_at, with_costs, with_tokens
from core.gateway import ONE_HOUR
from core.jobs.failures import CauseCount, LeftOut, left_out, open_causes, suspicion
from core.jobs.priming import life_of, warm_since
from core.prices import PriceBook
from core.settings import Settings
from core.store import Store
from core.tokens.counting import error_band
from core.wording import count, listing

Cache = Literal["warm", "partly warm", "cold", "none"]
"""What the items of a repair meet: entries that surely live; some; none that still do; or they never had any."""

_TEN_CENTS = Decimal("0.1")
_PAST = (
    "This batch was not sent from here: its results are known, but not its requests, so nothing of it can be sent "
    "again. Import its request file to do its work anew."
)
_SLICE_SCHEMA: dict[str, Any] = {
    "output_tokens": pl.Float64,
    "low_tokens": pl.Float64,
    "high_tokens": pl.Float64,
    "marks": pl.List(pl.Int16),
    "split_chars": pl.Int64,
    "entry_id": pl.String,
    "warm": pl.String,
    "touched_us": pl.Int64,
}


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What is left to repair of a job, and what sending it again would do; `says` puts that into a sentence or two.

    `repairable`: items that go. Their price in USD: predicted; between `low_usd` and `high_usd` if all answers are as
    short or as long as the tenth of their class that is (up to max_tokens where there are none to learn from) and the
    prompts are as far off as estimates are; `cold_usd` without reading from the cache. None where not known.
    `repaired_by`: the repair job that has its items already, if any.
    """

    job_id: str
    items: int
    repairable: int
    predicted_usd: Decimal | None
    low_usd: Decimal | None
    high_usd: Decimal | None
    cold_usd: Decimal | None
    cache: Cache
    warm_items: int
    warm_until: datetime | None
    causes: tuple[CauseCount, ...]
    left_out: tuple[LeftOut, ...]
    suspicion: str | None
    blocked_reason: str | None
    repaired_by: str | None
    says: str


def failed_slice(
    store: Store,
    book: PriceBook,
    settings: Settings,
    job_id: str,
    *,
    now: datetime,
    causes: Sequence[str] | None = None,
    lifetime: timedelta = ONE_HOUR,
) -> Slice:
    """The open failures of a job by cause, and what repairing those of `causes` would do. Raises `NoSuchJob`.

    Without `causes`: those that pass by themselves, and those that have waited long enough. `lifetime`: of a cache
    entry written for an hour.
    """
    found = open_causes(store, job_id)
    rows = store.query("slice_items", job_id=job_id, **touched_since(now, lifetime)).to_dicts()
    items, rates = to_send(chosen_rows(rows, found, causes, now), book, settings, now)
    warm = items.filter(pl.col("lifetime").is_not_null())
    low, high = _bounds(items, rates)
    blocked = None if items.height else why_blocked(store, job_id, found, causes, now)
    repairs = store.query("repairs_of", job_id=job_id, causes=[])
    sending = Slice(
        job_id=job_id,
        items=sum(one.items for one in found),
        repairable=items.height,
        predicted_usd=dollars(items["planned_usd"]),
        low_usd=low,
        high_usd=high,
        cold_usd=dollars(items["plain_usd"]),
        cache=_cache(items, warm),
        warm_items=warm.height,
        warm_until=_warm_until(warm, lifetime),
        causes=found,
        left_out=left_out(found, causes, now),
        suspicion=suspicion(store, job_id) if found else None,
        blocked_reason=blocked,
        repaired_by=None if repairs.is_empty() else repairs["job_id"][0],
        says=blocked or "",
    )
    return sending if blocked else replace(sending, says=_says(sending, now))


def touched_since(now: datetime, hour: timedelta) -> dict[str, datetime]:
    """The moments after which an entry of each lifetime must have been touched to be surely warm."""
    return {f"since_{ttl}": warm_since(now, life_of(ttl, hour)) for ttl in ("5m", "1h")}


def chosen_rows(
    rows: list[dict[str, Any]], found: Sequence[CauseCount], causes: Sequence[str] | None, now: datetime
) -> list[dict[str, Any]]:
    """The rows of the slice that go."""
    going = {one.cause for one in found if one.goes(causes, now)}
    return [row for row in rows if row["cause"] in going]


def to_send(
    rows: list[dict[str, Any]], book: PriceBook, settings: Settings, now: datetime
) -> tuple[pl.DataFrame, dict[str, ClassRates]]:
    """The items as they would be sent and what they cost: with marks only where they are surely read.

    A job has marks of one lifetime: where a slice's entries have two, the longer one counts.
    """
    items = pl.DataFrame(rows, schema_overrides=_SLICE_SCHEMA, infer_schema_length=None)
    if items.is_empty():
        nothing = dict.fromkeys(("planned_usd", "plain_usd"), pl.lit(None, pl.Float64))
        return items.with_columns(lifetime=pl.lit(None, pl.String), entry_id=pl.lit(None, pl.String), **nothing), {}
    # "1h" sorts before "5m".
    warm = pl.col("warm").eq_missing(items["warm"].min()) & pl.col("warm").is_not_null()
    items = with_tokens(items, book=book, settings=settings).with_columns(
        pl.when(warm).then("marks").otherwise([]).alias("marks"),
        pl.when(warm).then("split_chars").alias("split_chars"),
        pl.when(warm).then("entry_id").alias("entry_id"),
        had_entry=pl.col("entry_id").is_not_null(),
        lifetime=pl.when(warm).then("warm"),
        cached_tokens=pl.when(warm).then(tokens_at(pl.col("cached_chars"))).otherwise(0.0),
        read_share=pl.lit(1.0),
        write_share=pl.lit(0.0),
    )
    rates = class_rates(items, book=book, now=now)
    return with_costs(items, rates), rates


def _bounds(items: pl.DataFrame, rates: Mapping[str, ClassRates]) -> tuple[Decimal | None, Decimal | None]:
    """The least and the most that the items are likely to cost (see `Slice`)."""
    if items.is_empty():
        return Decimal(0), Decimal(0)
    items = items.select(pl.exclude("plain_usd", "planned_usd", "read_tokens", "write_tokens"))
    band = pl.col("results").map_elements(error_band, return_dtype=pl.Float64)
    answer, most = pl.col("answer_tokens"), pl.col("max_tokens").cast(pl.Float64)
    low = items.with_columns(
        prompt_tokens=pl.col("prompt_tokens") * (1 - band),
        cached_tokens=pl.col("cached_tokens") * (1 - band),
        answer_tokens=pl.min_horizontal(answer, pl.col("low_tokens").fill_null(1.0)),
    )
    high = items.with_columns(
        prompt_tokens=pl.col("prompt_tokens") * (1 + band),
        cached_tokens=pl.col("cached_tokens") * (1 + band),
        answer_tokens=pl.max_horizontal(answer, pl.min_horizontal(pl.col("high_tokens").fill_null(most), most)),
    )
    return dollars(with_costs(low, rates)["planned_usd"]), dollars(with_costs(high, rates)["planned_usd"])


def _cache(items: pl.DataFrame, warm: pl.DataFrame) -> Cache:
    if warm.height:
        return "warm" if warm.height == items.height else "partly warm"
    return "cold" if items.height and items["had_entry"].any() else "none"


def _warm_until(warm: pl.DataFrame, lifetime: timedelta) -> datetime | None:
    """The earliest moment at which one of the entries that are read may be gone."""
    if warm.is_empty():
        return None
    touched = datetime.fromtimestamp(min(warm["touched_us"].to_list()) / 1e6, UTC)
    return touched + life_of(warm["lifetime"][0], lifetime)


def why_blocked(
    store: Store, job_id: str, found: Sequence[CauseCount], causes: Sequence[str] | None, now: datetime
) -> str:
    """Why nothing can be sent."""
    if not found:
        past = store.query("job", job_id=job_id)["role"][0] == "history"
        return _PAST if past else "Nothing is left to repair."
    if causes is not None and not causes:
        return "No cause is chosen."
    if causes is not None and not {one.cause for one in found} & set(causes):
        return f"No open failure of this job has such a cause. It has {listing([one.cause for one in found])}."
    asked = [one for one in left_out(found, causes, now) if causes is None or one.cause in causes]
    reasons = [f"{count(one.items, 'item')} ({one.cause}): {one.why}" for one in asked]
    return f"Nothing is sent: {'; '.join(reasons)}."


def _says(sending: Slice, now: datetime) -> str:
    """What the repair does, in a sentence: how many, for how much, from which cache, and what stays behind."""
    words = (
        f"Sends {count(sending.repairable, 'item')} again as one new job, {_price(sending)}, {_reading(sending, now)}."
    )
    if sending.left_out:
        rest = sum(one.items for one in sending.left_out)
        words += f" {count(rest, 'item')} {'stays' if rest == 1 else 'stay'} behind."
    return words


def _price(sending: Slice) -> str:
    if sending.predicted_usd is None or sending.low_usd is None or sending.high_usd is None:
        return "at a price that is not known"
    low, high = _dollars(sending.low_usd), _dollars(sending.high_usd)
    band = "" if low == high else f" ({low} to {high})"
    return f"for about {_dollars(sending.predicted_usd)}{band}"


def _reading(sending: Slice, now: datetime) -> str:
    """The cache state that the items are expected to meet."""
    if sending.warm_until is None:
        cold = "what they read has gone cold, and writing it anew would cost each of them more"
        return f"without cache marks: {cold if sending.cache == 'cold' else 'nothing of theirs was cached'}"
    minutes = max(1, (sending.warm_until - now) // timedelta(minutes=1))
    who = "reading" if sending.cache == "warm" else f"{sending.warm_items:,} of them reading"
    cold = "" if sending.cold_usd is None else f" (all cold: {_dollars(sending.cold_usd)})"
    return f"{who} cache entries that are surely warm for {count(minutes, 'more minute')}{cold}"


def _dollars(amount: Decimal) -> str:
    """Money to the cent, finer where a cent is too coarse: as the pages show it."""
    digits = 2 if not amount or amount >= _TEN_CENTS else max(2, 2 - amount.adjusted())
    return f"${amount:,.{digits}f}"
