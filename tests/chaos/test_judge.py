"""The judge of the fault suite: a suite that cannot fail proves nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.chaos.account import Truth
from tests.chaos.oracle import Verdict, judge

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OURS = Truth(
    batch_id="one",
    created_at=NOW,
    stranger=False,
    cancel_asked=False,
    tags=frozenset({"jobjobjo"}),
    billed=("a", "b"),
)
JOB: dict[str, Any] = {
    "job_id": "jobjobjo",
    "state": "done",
    "batch_id": "one",
    "item_count": 2,
    "processing": 0,
    "succeeded": 2,
    "errored": 0,
    "canceled": 0,
    "expired": 0,
}


def judged(truths: list[Truth], **said: Any) -> Verdict:
    """The verdict on a world that is well but for what is given."""
    well = {"jobs": [JOB], "items": {"complete": 2}, "delivered": {"jsonl": ["a", "b"]}, "violations": []}
    return judge(truths, sent=["a", "b"], **(well | said))


def test_a_kept_promise_is_good() -> None:
    """Each item billed once, complete, handed over once."""
    assert judged([OURS]).good


def test_an_item_billed_twice_is_a_duplicate() -> None:
    """Even if the store knows both batches: the money is gone."""
    twin = replace(OURS, batch_id="two", billed=("b",))
    verdict = judged([OURS, twin], jobs=[JOB, JOB | {"batch_id": "two"}])
    assert (verdict.duplicates, verdict.orphans, verdict.good) == (1, 0, False)


def test_a_batch_that_ran_and_that_nobody_owns_is_an_orphan() -> None:
    """One that was canceled before anything ran costs nothing, and is none."""
    assert judged([OURS, replace(OURS, batch_id="two")]).orphans == 1
    assert judged([OURS, replace(OURS, batch_id="two", billed=(), cancel_asked=True)]).good


@pytest.mark.parametrize(
    "said",
    [
        {"items": {"complete": 1, "failed": 1}},
        {"jobs": [JOB | {"succeeded": 1}]},
        {"delivered": {"jsonl": ["a"]}},
        {"delivered": {"jsonl": ["a", "b", "b"]}},
        {"violations": ["a second process was let in"]},
    ],
)
def test_what_the_store_or_a_sink_gets_wrong_counts(said: dict[str, Any]) -> None:
    """An open item, counts that do not add up, a gap or a double in a sink, a broken rule."""
    assert not judged([OURS], **said).good


def test_a_strangers_batch_is_left_alone() -> None:
    """Neither canceled nor kept for ours."""
    theirs = replace(OURS, batch_id="two", stranger=True, billed=("0",))
    assert judged([OURS, theirs]).good
    assert not judged([OURS, replace(theirs, cancel_asked=True)]).good
    assert not judged([OURS, theirs], jobs=[JOB, JOB | {"batch_id": "two"}]).good
