"""Where the items of a store must stand: told from all attempts, without the SQL that keeps it."""

from collections import Counter, defaultdict
from typing import Any

from core.store import Store
from tests.cells import rows

ALIKE = ("job_id", "item_id", "number", "outcome", "usable", "cause", "action", "cost_usd")


def assert_standing_kept(store: Store) -> None:
    """What waits, what is not settled and what was repaired follow from the attempts of now."""
    attempts = rows(store, "SELECT * FROM attempt")
    usable = {row["item_id"] for row in attempts if row["usable"]}
    unsettled = [row for row in attempts if not row["usable"]]
    kept = rows(store, "SELECT * FROM unsettled")
    waiting = {row["item_id"] for row in rows(store, "SELECT item_id FROM item WHERE waits")}
    items = {row["item_id"] for row in rows(store, "SELECT item_id FROM item")}

    assert Counter(map(_text, kept)) == Counter(
        _text(row | {"repaired": row["item_id"] in usable}) for row in unsettled
    )
    assert waiting == items - {row["item_id"] for row in attempts}
    assert _statuses(store) == _told(store, attempts)


def _statuses(store: Store) -> dict[str, str]:
    return {row["item_id"]: row["status"] for row in rows(store, "SELECT item_id, status FROM item_status")}


def _told(store: Store, attempts: list[dict[str, Any]]) -> dict[str, str]:
    """Item by item, as people would say it."""
    chains = defaultdict[str, list[dict[str, Any]]](list)
    for row in attempts:
        chains[row["item_id"]].append(row)
    given_up = {(row["item_id"], row["number"]) for row in rows(store, "SELECT item_id, number FROM set_aside")}
    told = {}
    for row in rows(store, "SELECT item_id FROM item WHERE trial_id IS NULL"):
        item, chain = row["item_id"], chains[row["item_id"]]
        if not chain:
            told[item] = "backlog"
        elif any(one["usable"] for one in chain):
            told[item] = "complete"
        elif any(one["outcome"] is None for one in chain):
            told[item] = "in flight"
        else:
            last = max(one["number"] for one in chain)
            told[item] = "set aside" if (item, last) in given_up else "failed"
    return told


def _text(row: dict[str, Any]) -> str:
    return repr([str(row[name]) for name in (*ALIKE, "repaired")])
