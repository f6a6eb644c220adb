"""What a look at the account came to, by standing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.history.account_history import Look, standing_of
from core.history.standing import Standing
from core.store import Store

KNOWN = "known"
NEW = "new"


@dataclass(frozen=True, kw_only=True)
class Found:
    """Batches of one standing; `cost_usd` None where it is not known, `unpriced` attempts left out of it."""

    standing: str
    batches: int
    items: int
    cost_usd: Decimal | None
    unpriced: int


@dataclass(frozen=True, kw_only=True)
class HistoryReport:
    """Everything that the account lists since a moment: known before, new, running, gone, ours, broken or waiting.

    `new` came in with this run, or would in a dry run. `problems`: one sentence for each batch that is broken.
    """

    since: datetime
    dry_run: bool
    batches: int
    items: int
    found: tuple[Found, ...]
    problems: tuple[str, ...]


def report(store: Store, look: Look, since: datetime, *, dry_run: bool) -> HistoryReport:
    """What became of the batches of a look; in a dry run, what would."""
    seen = {row["batch_id"]: row for row in store.query("history_seen").iter_rows(named=True)}
    owned = set(store.query("accounted_batches").filter("ours")["batch_id"])
    costs = {row["batch_id"]: row for row in store.query("batch_costs").iter_rows(named=True)}
    groups: dict[str, list[tuple[str, int]]] = {}
    problems = []
    for batch in look.listed:
        stored = seen.get(batch.batch_id)
        if batch.batch_id in look.known:
            standing = KNOWN
        elif dry_run or stored is None:
            # Without a row it went to a job of this workspace while this run was under way.
            standing = KNOWN if batch.batch_id in owned else standing_of(batch).value
        else:
            standing = stored["standing"]
        if standing == Standing.BROKEN and stored is not None:
            problems.append(f"{batch.batch_id}: {stored['reason']}")
        if standing == (Standing.WAITING if dry_run else Standing.IMPORTED):
            standing = NEW
        groups.setdefault(str(standing), []).append((batch.batch_id, batch.total))
    order = [NEW, KNOWN, *Standing]
    return HistoryReport(
        since=since,
        dry_run=dry_run,
        batches=len(look.listed),
        items=sum(batch.total for batch in look.listed),
        found=tuple(_found(name, groups[name], costs) for name in order if name in groups),
        problems=tuple(problems),
    )


def _found(standing: str, batches: list[tuple[str, int]], costs: Mapping[str, dict[str, object]]) -> Found:
    rows = [costs[batch_id] for batch_id, _ in batches if batch_id in costs]
    known = [row["cost_usd"] for row in rows if isinstance(row["cost_usd"], Decimal)]
    return Found(
        standing=standing,
        batches=len(batches),
        items=sum(items for _, items in batches),
        cost_usd=sum(known, Decimal(0)) if known else None,
        unpriced=sum(int(str(row["unpriced"])) for row in rows),
    )
