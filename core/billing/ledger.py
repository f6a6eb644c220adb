"""Re-pricing of the ledger: finished attempts at other prices, in bulk, within one transaction."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from core.audit import note
from core.prices import PriceBook
from core.prices.book import MONEY
from core.prices.costs import price_attempts
from core.prices.repricing import reprice
from core.store import Store, Transaction

CHUNK = 500_000
"""Attempts priced at a time: a few hundred megabytes."""

Read = Callable[..., pl.DataFrame]
Price = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True, kw_only=True)
class Repriced:
    """What other prices changed. Amounts in USD are sums over those attempts that had, or have, a known cost."""

    attempts: int = 0
    """Attempts whose cost is another one now."""
    found: int = 0
    """Of these, those that had no known cost before."""
    lost: int = 0
    """Of these, those that have none any more."""
    before_usd: Decimal = Decimal(0)
    after_usd: Decimal = Decimal(0)

    @property
    def change_usd(self) -> Decimal:
        """By how much the sum of all costs changed."""
        return self.after_usd - self.before_usd

    def __add__(self, other: "Repriced") -> "Repriced":
        return Repriced(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


def reprice_ledger(tx: Transaction, before: PriceBook, after: PriceBook) -> Repriced:
    """Price attempts anew wherever the two books differ about them; what was predicted of their jobs follows.

    Whatever the two agree about keeps its cost, such as one that an older Lotwise knew and neither book does.
    """

    def price(attempts: pl.DataFrame) -> pl.DataFrame:
        then = price_attempts(attempts, before)["cost_usd"]
        return price_attempts(attempts, after).filter(pl.col("cost_usd").ne_missing(then))

    cells = _priced_by_both(tx.frame("cells_to_price", only_unpriced=False), before, after)
    open_jobs = _priced_by_both(tx.frame("open_jobs_to_price"), before, after)
    _scale_predictions(tx, pl.concat([cells, open_jobs]))
    return _put(tx, _changes(tx.frame, cells.filter(pl.col("then").ne_missing(pl.col("now"))), price))


def price_what_is_known(store: Store, book: PriceBook) -> Repriced:
    """Price what had no known cost, wherever the book knows it by now; writes nothing where there is no such thing."""
    cells = store.query("cells_to_price", only_unpriced=True)
    cells = cells.filter(reprice(_sound(cells), book).is_not_null())

    def changes(read: Read) -> Iterator[pl.DataFrame]:
        return _changes(read, cells, lambda attempts: price_attempts(attempts, book), only_unpriced=True)

    # A count that cannot be leaves an attempt unknown for good, beside prices that are known.
    if all(found.is_empty() for found in changes(store.query)):
        return Repriced()

    def price(tx: Transaction) -> Repriced:
        done = _put(tx, changes(tx.frame))
        note(tx, "reprice", attempts=done.attempts, change_usd=done.change_usd)
        return done

    return store.write(price)


def _sound(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells as if what they count could be: whether it can, is seen at each attempt."""
    return cells.with_columns(unpriced=pl.lit(0), billed=pl.lit(True))


def _priced_by_both(cells: pl.DataFrame, before: PriceBook, after: PriceBook) -> pl.DataFrame:
    """The jobs of cells, how many attempts each has, and what it costs by either book."""
    sound = _sound(cells)
    return cells.select("job_id", "attempts", then=reprice(sound, before), now=reprice(sound, after))


def _scale_predictions(tx: Transaction, cells: pl.DataFrame) -> None:
    """Keep predictions at the prices of what they are held against: no forecast is wrong by a price agreed later."""
    jobs = cells.drop_nulls().group_by("job_id").agg(pl.col("then", "now").sum().cast(pl.Float64))
    factors = jobs.filter(pl.col("then") > 0, pl.col("now") > 0, pl.col("then") != pl.col("now"))
    if factors.height:
        factors = factors.select("job_id", factor=pl.col("now") / pl.col("then"))
        tx.merge("scale_predictions", factors)
        tx.merge("scale_jobs", factors)


def _changes(read: Read, cells: pl.DataFrame, price: Price, *, only_unpriced: bool = False) -> Iterator[pl.DataFrame]:
    """Those attempts of the jobs of these cells whose cost is another one, a chunk of jobs at a time."""
    before = pl.col("cost_before").cast(MONEY)
    for jobs in _chunks(cells):
        attempts = read("attempts_to_price", job_ids=jobs, only_unpriced=only_unpriced)
        yield price(attempts).with_columns(before).filter(pl.col("cost_usd").ne_missing(before))


def _put(tx: Transaction, changes: Iterator[pl.DataFrame]) -> Repriced:
    done = Repriced()
    for changed in changes:
        if changed.height:
            tx.merge("put_costs", changed.select("place", "job_id", "cost_usd"))
            unsettled = changed.filter(pl.col("usable").not_().fill_null(True))
            tx.merge("put_unsettled_costs", unsettled.select("job_id", "item_id", "cost_usd"))
            done += _summary(changed)
    return done


def _summary(changed: pl.DataFrame) -> Repriced:
    return Repriced(
        attempts=changed.height,
        found=changed["cost_before"].null_count(),
        lost=changed["cost_usd"].null_count(),
        before_usd=_sum(changed["cost_before"]),
        after_usd=_sum(changed["cost_usd"]),
    )


def _sum(costs: pl.Series) -> Decimal:
    return Decimal(costs.sum())


def _chunks(cells: pl.DataFrame) -> Iterator[list[str]]:
    """The jobs of cells, as many at a time as have about a chunk of attempts in these cells."""
    jobs = cells.group_by("job_id", maintain_order=True).agg(pl.col("attempts").sum())
    number = (jobs["attempts"].cum_sum() - jobs["attempts"]) // CHUNK
    for _, part in jobs.with_columns(number.alias("chunk")).group_by("chunk", maintain_order=True):
        yield part["job_id"].to_list()
