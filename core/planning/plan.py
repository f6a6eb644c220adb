"""The plan of a backlog: which items go into which jobs, primed or plain, at what predicted price. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from core.errors import LotwiseError
from core.planning.envelope import BODY_FRAME_BYTES, request_bytes
from core.planning.identity import custom_id_bytes
from core.planning.sizing import job_size, split_evenly
from core.planning.tokens import prefix_tokens
from core.prices import PriceBook, UnknownModel, UnpricedModel
from core.prices.costs import class_cost
from core.settings import Settings

# Writing an entry for an hour pays from the third reader on: n > (w - r) / (1 - r) with w = 2, r <= 0.1.
LEAST_PRIMED = 3
SEVERAL = "several"


class NothingToPlan(LotwiseError):
    """Every item is already in a job. Import a request file, or put one into the inbox folder."""


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """One proposed job. `class_id` is None where it carries several classes; prices are None where unknown."""

    number: int
    role: str
    class_id: str | None
    class_name: str
    model: str
    items: int
    body_bytes: int
    marked: bool
    decided_by: str
    predicted_usd: Decimal | None
    predicted_plain_usd: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Proposed jobs in sending order, what each item goes into, and what the prediction rests on.

    `assignments`: columns item_id, class_id, model, job (number), marked.
    """

    jobs: tuple[PlannedJob, ...]
    assignments: pl.DataFrame
    classes: pl.DataFrame
    inputs: dict[str, Any]

    @property
    def items(self) -> int:
        """Items in all jobs together."""
        return self.assignments.height

    @property
    def predicted_usd(self) -> Decimal | None:
        """Price as planned, of all that has one (see `unpriced`); None where nothing has."""
        return _known([job.predicted_usd for job in self.jobs])

    @property
    def predicted_plain_usd(self) -> Decimal | None:
        """Price of the same requests in batches without caching."""
        return _known([job.predicted_plain_usd for job in self.jobs])

    @property
    def unpriced(self) -> dict[str, int]:
        """Items that no figure counts, because the price book has no price for their model, by model."""
        found: dict[str, int] = {}
        for job in self.jobs:
            if job.predicted_usd is None:
                found[job.model] = found.get(job.model, 0) + job.items
        return found


@dataclass(frozen=True, kw_only=True)
class ItemPrice:
    """Predicted dollars of one item of a class: without caching, as the one that writes the entry, as a reader."""

    plain: Decimal
    write: Decimal
    read: Decimal


def draft_plan(backlog: pl.DataFrame, *, book: PriceBook, settings: Settings, now: datetime) -> Plan:
    """Plan all items of `backlog`.

    Columns: item_id, class_id, class_name, model, prefix_chars, cacheable, payload_bytes, mark_bytes,
    chars (of the whole prompt), max_tokens, output_tokens (mean of the class so far, or null). Raises
    `NothingToPlan` for an empty backlog.
    """
    if backlog.is_empty():
        raise NothingToPlan
    drafts: list[tuple[PlannedJob, pl.DataFrame]] = []
    primers: list[tuple[pl.DataFrame, ItemPrice]] = []
    plain: dict[str, list[pl.DataFrame]] = {}
    for _, items in backlog.group_by("class_id", maintain_order=True):
        price = item_price(items, book=book, settings=settings, now=now)
        if price is None or not _worth_priming(items, price):
            plain.setdefault(items["model"][0], []).append(items)
            continue
        primer = items["payload_bytes"].arg_sort()[items.height // 2]
        chosen = pl.int_range(items.height, eager=True) == primer
        primers.append((items.filter(chosen), price))
        drafts += _bodies(items.filter(~chosen), price, settings, marked=True)
    for groups in plain.values():
        together = pl.concat(groups)
        price = item_price(together, book=book, settings=settings, now=now)
        unprimed = None if price is None else replace(price, read=price.plain, write=price.plain)
        drafts += _bodies(together, unprimed, settings, marked=False)
    if primers:
        drafts = [*_primers(primers, settings), *drafts]
    return _numbered(drafts, backlog, book, settings, now)


def item_price(items: pl.DataFrame, *, book: PriceBook, settings: Settings, now: datetime) -> ItemPrice | None:
    """Predicted dollars of the mean item of one class (or of several uncached ones); None where unpriced."""
    model = items["model"][0]
    prefix, _ = prefix_tokens(book, model, int(items["prefix_chars"].min()))  # type: ignore[arg-type]
    whole, _ = prefix_tokens(book, model, round(float(items["chars"].mean())))  # type: ignore[arg-type]
    assumed = float((items["max_tokens"] * settings.output_share).mean())  # type: ignore[arg-type]
    learned = items["output_tokens"].mean()
    price = partial(
        class_cost,
        book,
        model=model,
        at=now,
        prefix_tokens=prefix,
        suffix_tokens=max(whole - prefix, 1),
        output_tokens=round(assumed if learned is None else float(learned)),  # type: ignore[arg-type]
    )
    try:
        one, two = price(items=1), price(items=2)
    except (UnknownModel, UnpricedModel):
        return None
    return ItemPrice(plain=one.plain_usd, write=one.primed_usd, read=two.primed_usd - one.primed_usd)


def _worth_priming(items: pl.DataFrame, price: ItemPrice) -> bool:
    """Whether one writer and the rest reading is cheaper, and possible: floor reached, block can carry a mark."""
    possible = items["cacheable"][0] and items["mark_bytes"].min() and items.height >= LEAST_PRIMED
    return bool(possible) and price.write + (items.height - 1) * price.read < items.height * price.plain


def _bodies(
    items: pl.DataFrame, price: ItemPrice | None, settings: Settings, *, marked: bool
) -> Iterator[tuple[PlannedJob, pl.DataFrame]]:
    size = job_size(
        item_usd=float(price.read) if price else 0.0,
        once_usd=float(price.write - price.read) if price else 0.0,
        job_usd=float(settings.job_cost_usd),
        fault_rate=settings.job_fault_rate,
        blast_usd=float(settings.blast_radius_usd),
        most=settings.max_job_requests,
    )
    sizes = _sent_bytes(items, marked=marked)
    part = split_evenly(sizes, items=size.items, most_bytes=settings.max_job_bytes - BODY_FRAME_BYTES)
    for number in range(int(part.max()) + 1):
        inside = items.filter(pl.Series(part == number))
        count, classes = inside.height, inside["class_id"].n_unique()
        yield (
            PlannedJob(
                number=0,
                role="body",
                class_id=inside["class_id"][0] if classes == 1 else None,
                class_name=inside["class_name"][0] if classes == 1 else f"{classes} classes, unprimed",
                model=items["model"][0],
                items=count,
                body_bytes=BODY_FRAME_BYTES + int(sizes[part == number].sum()),
                marked=marked,
                decided_by=size.decided_by if part.max() else "all there is",
                predicted_usd=price.read * count if price else None,
                predicted_plain_usd=price.plain * count if price else None,
            ),
            inside,
        )


def _primers(
    primers: list[tuple[pl.DataFrame, ItemPrice]], settings: Settings
) -> Iterator[tuple[PlannedJob, pl.DataFrame]]:
    """One job with one real item of every prefix: it writes the entries, and shows early what would fail.

    Several such jobs where that many prefixes are over the limits of one.
    """
    items = pl.concat([frame for frame, _ in primers])
    sizes = _sent_bytes(items, marked=True)
    part = split_evenly(sizes, items=settings.max_job_requests, most_bytes=settings.max_job_bytes - BODY_FRAME_BYTES)
    for number in range(int(part.max()) + 1):
        inside = items.filter(pl.Series(part == number))
        prices = [price for (_, price), at in zip(primers, part, strict=True) if at == number]
        models = inside["model"].unique()
        single = inside.height == 1
        yield (
            PlannedJob(
                number=0,
                role="primer",
                class_id=inside["class_id"][0] if single else None,
                class_name=inside["class_name"][0] if single else f"{inside.height} prefixes",
                model=models[0] if len(models) == 1 else SEVERAL,
                items=inside.height,
                body_bytes=BODY_FRAME_BYTES + int(sizes[part == number].sum()),
                marked=True,
                decided_by="one item a prefix",
                predicted_usd=sum((price.write for price in prices), Decimal(0)),
                predicted_plain_usd=sum((price.plain for price in prices), Decimal(0)),
            ),
            inside,
        )


def _sent_bytes(items: pl.DataFrame, *, marked: bool) -> npt.NDArray[np.int64]:
    return items.select(sent=request_bytes(custom_id_bytes(), marked=pl.lit(marked)))["sent"].to_numpy()


def _numbered(
    drafts: list[tuple[PlannedJob, pl.DataFrame]],
    backlog: pl.DataFrame,
    book: PriceBook,
    settings: Settings,
    now: datetime,
) -> Plan:
    jobs = tuple(replace(job, number=number) for number, (job, _) in enumerate(drafts))
    assignments = pl.concat(
        items.select("item_id", "class_id", "model", pl.lit(number).alias("job"), pl.lit(job.marked).alias("marked"))
        for number, (job, items) in enumerate(drafts)
    )
    classes = backlog.group_by("class_id", maintain_order=True).agg(
        pl.first("class_name", "model", "prefix_chars", "prefix_tokens", "cacheable", "preview"),
        pl.len().alias("items"),
        pl.sum("payload_bytes"),
    )
    inputs = {
        "prices_at": now.isoformat(),
        "output_tokens": "measured for classes with results, else assumed",
        "assumed_output_share": settings.output_share,
        "tokens": "estimated from characters",
        "blast_radius_usd": str(settings.blast_radius_usd),
        "job_cost_usd": str(settings.job_cost_usd),
        "job_fault_rate": settings.job_fault_rate,
    }
    return Plan(jobs=jobs, assignments=assignments, classes=classes.sort("items", descending=True), inputs=inputs)


def _known(prices: list[Decimal | None]) -> Decimal | None:
    known = [price for price in prices if price is not None]
    return sum(known, Decimal(0)) if known else None
