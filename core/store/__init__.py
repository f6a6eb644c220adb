"""The one DuckDB file: owned by one process, written by one thread, read on a cursor per query."""

from core.store.database import Store, Transaction
from core.store.lock import Owner, StoreBusy

__all__ = ["Owner", "Store", "StoreBusy", "Transaction"]
