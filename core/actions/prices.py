"""What a user can do about prices: look at the book, add what was agreed, end it, bring a book in or take it away."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import polars as pl

from core.actions.writing import perform
from core.audit import recorded
from core.billing.ledger import Repriced, reprice_ledger
from core.billing.terms import KeptPrice, add_prices, effective_book, end_price, kept_prices
from core.billing.unpriced import BadCount, Unpriced, bad_counts, unpriced
from core.errors import LotwiseError
from core.prices import ContractPrice, PriceBook
from core.prices.acceptance import PriceRefused, accepted
from core.prices.price_file import (
    PACKAGED,
    FileRow,
    PriceFileRefused,
    as_csv,
    as_toml,
    kept_row,
    packaged_row,
    read_price_file,
)
from core.prices.price_table import price_table
from core.roles import Role
from core.store import Transaction
from core.workspace import Workspace

_SHOWN = 20
"""Attempts with counts that cannot be: so many are named."""


class NotAPriceFile(LotwiseError):
    """A price book is read from, and written to, a file whose name ends in .toml or .csv. Nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class PriceList:
    """The price book of a workspace, and what it does not price."""

    prices: pl.DataFrame
    """Every dated row as in `core.prices.price_table`."""
    kept: tuple[KeptPrice, ...]
    unpriced: tuple[Unpriced, ...]
    bad_counts: tuple[BadCount, ...]
    """The newest attempts whose counts cannot be."""
    unsplit: dict[str, int]
    """Results that did not split their cache writes, priced as five-minute ones: jobs, attempts, tokens."""


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """What adding or ending prices did, or would do: the rows, and the attempts of their days at the new prices."""

    numbers: tuple[int, ...] = ()
    known: int = 0
    """Rows of a file that were there already."""
    ended: tuple[int, ...] = ()
    """Of these, those that were ended or taken back since the file was written, by number: they stay so."""
    attempts: int
    """Attempts whose cost is another one now."""
    found: int
    """Of these, those that had no known cost before."""
    lost: int
    """Of these, those that have none any more."""
    before_usd: Decimal
    after_usd: Decimal
    change_usd: Decimal
    """By how much the sum of all known costs changed."""


def price_list(workspace: Workspace) -> PriceList:
    """The price book with its history, the rows that were added, and what could not be priced and why."""
    book, store = workspace.book, workspace.store
    missing = unpriced(store, book)
    of = tuple(job for group in missing if group.why == "bad_counts" for job in group.jobs)
    return PriceList(
        prices=price_table(book),
        kept=kept_prices(store),
        unpriced=missing,
        bad_counts=bad_counts(store, of, limit=_SHOWN),
        unsplit=store.query("unsplit_writes").row(0, named=True),
    )


@recorded("add-prices", "numbers", "attempts", "change_usd")
def add_price(workspace: Workspace, terms: Iterable[ContractPrice], *, now: datetime, dry_run: bool = False) -> Agreed:
    """Add contract prices, or list prices that the book lacks, and price the attempts of their days anew.

    Raises `PriceRefused`; then nothing is added.
    """
    terms = tuple(terms)

    def add(tx: Transaction) -> _Change:
        acceptance = _Acceptance(tx)
        return _Change(add_prices(tx, [acceptance.of(one) for one in terms], by=workspace.actor.name, now=now))

    return _agree(workspace, add, dry_run=dry_run)


@recorded("end-price", "number", "last_day", "attempts", "change_usd")
def end_contract_price(
    workspace: Workspace, number: int, *, last_day: date, now: datetime, dry_run: bool = False
) -> Agreed:
    """Let a price end on a day (UTC, included); one before its first day takes it back: then it never held.

    Raises `NoSuchPrice` or `OnlyEarlier`.
    """

    def end(tx: Transaction) -> _Change:
        end_price(tx, number, last_day=last_day, by=workspace.actor.name, now=now)
        return _Change((number,))

    return _agree(workspace, end, dry_run=dry_run)


@recorded("import-prices", "name", "numbers", "known", "ended", "attempts", "change_usd")
def import_prices(workspace: Workspace, name: str, content: bytes, *, now: datetime, dry_run: bool = False) -> Agreed:
    """Add every row of a price file that is not there yet; `name` tells TOML from CSV by its ending.

    Raises `NotAPriceFile`, `PriceFileRefused` or `NotUsd`, with the line; then nothing of the file is added.
    """
    toml = _is_toml(name)
    try:
        rows = read_price_file(content.decode("utf-8-sig"), toml=toml)
    except UnicodeDecodeError as error:
        raise PriceFileRefused(line=content.count(b"\n", 0, error.start) + 1, why="it is not UTF-8") from error

    def add(tx: Transaction) -> _Change:
        new, ended = _new_rows(rows, tx)
        return _Change(add_prices(tx, new, by=workspace.actor.name, now=now), len(rows) - len(new), ended)

    return _agree(workspace, add, dry_run=dry_run)


def price_file(workspace: Workspace, name: str) -> str:
    """The whole price book as the text of a file; `name` tells TOML from CSV by its ending. Raises `NotAPriceFile`."""
    rows = [packaged_row(row) for row in workspace.book.packaged_rows()]
    rows += [kept_row(one.terms) for one in kept_prices(workspace.store) if not one.never_held]
    return as_toml(rows) if _is_toml(name) else as_csv(rows)


@recorded("export-prices", "path", needs=Role.VIEWER)
def write_price_file(workspace: Workspace, path: Path) -> int:
    """Write the price book to a file and return how many rows it has. Raises `NotAPriceFile`."""
    text = price_file(workspace, path.name)
    path.write_text(text, "utf-8")
    return len(read_price_file(text, toml=_is_toml(path.name)))


class _Change(NamedTuple):
    numbers: tuple[int, ...]
    known: int = 0
    ended: tuple[int, ...] = ()


def _agree(workspace: Workspace, change: Callable[[Transaction], _Change], *, dry_run: bool) -> Agreed:
    """Change what was agreed and price the ledger anew, in one transaction; then everyone follows the new book."""

    def agree(tx: Transaction) -> Agreed:
        before = effective_book(tx)
        changed = change(tx)
        done = reprice_ledger(tx, before, effective_book(tx)) if changed.numbers else Repriced()
        return Agreed(
            **changed._asdict(),
            attempts=done.attempts,
            found=done.found,
            lost=done.lost,
            before_usd=done.before_usd,
            after_usd=done.after_usd,
            change_usd=done.change_usd,
        )

    if dry_run:
        return perform(workspace, agree, dry_run=True)

    def follow() -> Agreed:
        done = perform(workspace, agree)
        workspace.book.adopt(effective_book(workspace.store))
        return done

    # Results that the worker takes in must be priced by one book or the other, not by the old one after the change.
    return workspace.worker.between_steps(follow)


class _Acceptance:
    """Accepts terms one by one, each beside what is kept and what was accepted before it."""

    def __init__(self, tx: Transaction) -> None:
        self._terms = [one.terms for one in kept_prices(tx) if not one.never_held]
        self._book = PriceBook.load().with_contract(self._terms)

    def of(self, terms: ContractPrice) -> ContractPrice:
        """The terms as they are kept. Raises `PriceRefused`."""
        taken = accepted(terms, self._book)
        self._terms.append(taken)
        if taken.listed:  # what comes after it may be agreed for that model
            self._book = self._book.with_contract(self._terms)
        return taken


def _new_rows(rows: Sequence[FileRow], tx: Transaction) -> tuple[list[ContractPrice], tuple[int, ...]]:
    """The rows of a file that are to be added, and the numbers of those that were ended since it was written.

    Raises `PriceFileRefused`, also where an added row would count before one that comes after it in the file.
    """
    packaged = {(row.model, row.valid_from.date()): packaged_row(row) for row in PriceBook.load().packaged_rows()}
    kept = kept_prices(tx)
    there = {_same(one.agreed): one for one in kept} | {_same(one.terms): one for one in kept}
    acceptance, ended = _Acceptance(tx), dict[int, None]()
    new: dict[Hashable, FileRow] = {}
    for row in rows:
        if row.kind == PACKAGED:
            if not row.came(packaged.get((row.terms.model, row.terms.first_day))):
                why = "this is not what came with Lotwise; a list price that it lacks is of kind list"
                raise PriceFileRefused(line=row.line, model=row.terms.model, why=why)
            continue
        taken = row if _same(row.terms) in there else _accepted(row, acceptance)
        one = there.get(_same(taken.terms))
        if one is None:
            new.setdefault(_same(taken.terms), taken)
            continue
        if _same(one.terms) != _same(taken.terms):
            ended[one.terms.number] = None
        if late := next((each for each in new.values() if each.terms.competes(one.terms)), None):
            why = (
                f"in this file it counts less than number {one.terms.number}, which is there already; added now, it"
                " would count more. End that one, or leave this row out"
            )
            raise PriceFileRefused(line=late.line, why=why)
    return [row.terms for row in new.values()], tuple(ended)


def _accepted(row: FileRow, acceptance: _Acceptance) -> FileRow:
    try:
        return replace(row, terms=acceptance.of(row.terms))
    except PriceRefused as error:
        raise PriceFileRefused(line=row.line, **error.context) from error


def _same(terms: ContractPrice) -> Hashable:
    """What two rows have in common that say the same."""
    prices = tuple(sorted(terms.prices.items()))
    days = terms.first_day, terms.last_day
    return terms.listed, terms.model, *days, terms.discount, prices, terms.source, terms.note


def _is_toml(name: str) -> bool:
    ending = Path(name).suffix.lower()
    if ending not in (".toml", ".csv"):
        raise NotAPriceFile(file=name)
    return ending == ".toml"
