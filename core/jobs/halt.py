"""The halt: while it lasts, nothing is sent, by nobody and nothing; it outlives every restart."""

from dataclasses import dataclass
from datetime import datetime

from core.errors import LotwiseError
from core.store import Store, Transaction


class SendingStopped(LotwiseError):
    """Sending is stopped, so nothing new goes out. `python -m core resume`, or the button on every page, lifts that."""


class NotStopped(LotwiseError):
    """Sending is not stopped, so there is nothing to resume."""


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Since when nothing is sent, and who wanted it."""

    since: datetime
    by: str


def halt_of(store: Store) -> Halt | None:
    """The halt that lasts; None while sending goes on."""
    rows = store.query("halt").to_dicts()
    return Halt(since=rows[0]["halted_at"], by=rows[0]["halted_by"]) if rows else None


def refuse_while_halted(tx: Transaction) -> None:
    """Raises `SendingStopped` while a halt lasts; run in the transaction that records what is to be sent."""
    if rows := tx.run("halted"):
        raise SendingStopped(**rows[0])


def lift(tx: Transaction, *, now: datetime, by: str) -> None:
    """Let sending go on. Raises `NotStopped`."""
    if not tx.run("lift_halt", now=now, by=by):
        raise NotStopped
