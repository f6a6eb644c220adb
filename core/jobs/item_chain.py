"""The chain of an item: every attempt of it, first to last, with what was sent, what came of it and what it cost."""

from dataclasses import dataclass
from typing import Any

from core.errors import LotwiseError
from core.store import Store

_PLACE = ("import_id", "payload_offset", "payload_bytes")


class NoSuchItem(LotwiseError):
    """There is no item of this id in the workspace. `python -m core export items --to items.csv` lists them."""


@dataclass(frozen=True, kw_only=True)
class ItemChain:
    """Where an item stands, as columns of `item_standing`, and its attempts, as rows of `item_chain`."""

    standing: dict[str, Any]
    attempts: tuple[dict[str, Any], ...]


def item_chain(store: Store, item_id: str) -> ItemChain:
    """Every attempt of an item. Raises `NoSuchItem`."""
    standing = store.query("item_standing", item_id=item_id)
    if standing.is_empty():
        raise NoSuchItem(item=item_id)
    attempts = store.query("item_chain", item_id=item_id).drop(_PLACE)
    return ItemChain(standing=standing.row(0, named=True), attempts=tuple(attempts.iter_rows(named=True)))
