"""The judge: what was billed, by the account's own books, against what was asked for and what Lotwise says of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.chaos.account import Truth

_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a run came to. `broken` says in words what else did not hold."""

    duplicates: int
    """How often an item was billed beyond its first time."""
    orphans: int
    """Batches of ours that were left to run and that no job of the store owns."""
    recovered: bool
    """Every item is complete, every job is over."""
    broken: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether the promise was kept."""
        return self.recovered and not (self.duplicates or self.orphans or self.broken)


def judge(
    truths: list[Truth],
    *,
    jobs: list[dict[str, Any]],
    items: dict[str, int],
    sent: Iterable[str],
    delivered: dict[str, list[str]],
    violations: Iterable[str],
) -> Verdict:
    """Compare the account's books with the store's.

    `sent`: the items of the backlog. `jobs`, `items`: what the store says. `delivered`: by sink, what was handed over.
    """
    sent = set(sent)
    billed = Counter(item for truth in truths if not truth.stranger for item in truth.billed)
    owned = {job["batch_id"] for job in jobs}
    ours = [truth for truth in truths if not truth.stranger]
    broken = list(violations)
    broken += [f"{truth.batch_id} is a stranger's, and was canceled" for truth in truths if _harmed(truth)]
    broken += [
        f"{job['job_id']} ({job['state']}): its counts do not add up to {job['item_count']}"
        for job in jobs
        if sum(job[count] for count in _COUNTS) != job["item_count"]
    ]
    strangers = {truth.batch_id for truth in truths if truth.stranger}
    broken += [f"{job['job_id']} holds a stranger's batch" for job in jobs if job["batch_id"] in strangers]
    broken += [f"billed, but never asked for: {item}" for item in billed.keys() - sent]
    for sink, handed in delivered.items():
        if Counter(handed) != Counter(sent):
            broken.append(f"{sink}: {_difference(Counter(handed), Counter(sent))}")
    return Verdict(
        duplicates=sum(times - 1 for times in billed.values()),
        orphans=sum(truth.batch_id not in owned and bool(truth.billed) for truth in ours),
        recovered=items == {"complete": len(sent)} and sent <= billed.keys(),
        broken=tuple(broken),
    )


def _harmed(truth: Truth) -> bool:
    return truth.stranger and truth.cancel_asked


def _difference(handed: Counter[str], sent: Counter[str]) -> str:
    return f"missing {sorted(sent - handed)}, too many {sorted(handed - sent)}"
