"""Contract prices in the store: rows are added and ended, never edited; all of them make the book of a workspace."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from core.errors import LotwiseError
from core.prices import ContractPrice, PriceBook
from core.prices.contract import KINDS
from core.store import Store, Transaction


class NoSuchPrice(LotwiseError):
    """There is no contract price of this number. `prices` lists them with their numbers."""


class OnlyEarlier(LotwiseError):
    """A price can only end earlier than it does, never later. Add a row that holds from the next day on."""


@dataclass(frozen=True, kw_only=True)
class KeptPrice:
    """A row as it is kept: its terms as they hold now, and who added and ended it. Times are aware UTC."""

    terms: ContractPrice
    agreed_last_day: date | None
    """The last day as it was added; that of `terms` may be earlier."""
    added_at: datetime
    added_by: str
    ended_at: datetime | None
    ended_by: str | None

    @property
    def never_held(self) -> bool:
        """Whether it was ended before its first day: taken back."""
        return self.terms.never_held

    @property
    def agreed(self) -> ContractPrice:
        """The terms as they were added, whenever they ended since."""
        return replace(self.terms, last_day=self.agreed_last_day)


def kept_prices(source: Store | Transaction) -> tuple[KeptPrice, ...]:
    """Every row that was ever added, in that order."""
    rows = source.query("contract_prices") if isinstance(source, Store) else source.frame("contract_prices")
    return tuple(
        KeptPrice(
            terms=ContractPrice(
                number=row["number"],
                model=row["model"],
                listed=row["listed"],
                discount=None if row["discount"] is None else _short(row["discount"]),
                prices={kind: _short(row[kind]) for kind in KINDS if row[kind] is not None},
                first_day=row["first_day"],
                last_day=row["last_day"],
                source=row["source"],
                note=row["remark"],
                added_on=row["added_at"].date(),
            ),
            **{name: row[name] for name in ("agreed_last_day", "added_at", "added_by", "ended_at", "ended_by")},
        )
        for row in rows.iter_rows(named=True)
    )


def _short(number: Decimal) -> Decimal:
    """The number without the zeros that its column adds."""
    return Decimal(f"{number.normalize():f}")


def effective_book(source: Store | Transaction) -> PriceBook:
    """The packaged price book under all terms that are kept: a new book of its own."""
    return PriceBook.load().with_contract(one.terms for one in kept_prices(source) if not one.never_held)


def add_prices(tx: Transaction, terms: Iterable[ContractPrice], *, by: str, now: datetime) -> tuple[int, ...]:
    """Add rows and return their numbers."""
    return tuple(
        tx.run(
            "add_contract_price",
            model=one.model,
            listed=one.listed,
            discount=one.discount,
            first_day=one.first_day,
            last_day=one.last_day,
            source=one.source,
            remark=one.note,
            by=by,
            now=now,
            **{kind: one.prices.get(kind) for kind in KINDS},
        )[0]["number"]
        for one in terms
    )


def end_price(tx: Transaction, number: int, *, last_day: date, by: str, now: datetime) -> ContractPrice:
    """Let a row end earlier than it does, and return what it was. Raises `NoSuchPrice` or `OnlyEarlier`."""
    found = next((one.terms for one in kept_prices(tx) if one.terms.number == number), None)
    if found is None:
        raise NoSuchPrice(number=number)
    if found.last_day is not None and last_day >= found.last_day:
        raise OnlyEarlier(number=number, ends=found.last_day.isoformat(), asked=last_day.isoformat())
    tx.run("end_contract_price", number=number, last_day=last_day, by=by, now=now)
    return found
