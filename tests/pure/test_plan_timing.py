"""What a plan does with deadlines, the queue and a budget: in time where it can be, and plain words where not."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.planning.needs import BadNeeds, Needs
from core.planning.plan import Plan, UnknownClass, draft_plan
from core.planning.splitting import RequestTooLarge
from core.schedule.deadlines import DeadlinePassed, UnclearDeadline
from tests.pure.test_plan import BOOK, NOW, ORDINARY, backlog, role

HEAVY = {"items": 40, "prefix_chars": 20_000}


def plan(*classes: dict[str, Any], needs: Needs, **changed: Any) -> Plan:
    """Plan these classes today."""
    return draft_plan(backlog(*classes), book=BOOK, settings=replace(ORDINARY, **changed), now=NOW, needs=needs)


def test_without_a_deadline_everything_goes_now_and_nothing_is_promised() -> None:
    """The first job goes at once, bodies follow their primer, and all say when they are back."""
    made = plan(HEAVY, needs=Needs())
    primer, body = made.jobs

    assert made.timing.on_time_probability is None
    assert made.timing.latest_send_at is None
    assert NOW == primer.send_at < body.send_at < body.ends_by
    assert body.ready_by is not None
    assert body.ends_by < body.ready_by


def test_a_far_deadline_is_met_and_says_how_long_sending_can_wait() -> None:
    """By the assumptions a day is plenty: the latest safe moment lies between now and the deadline."""
    deadline = NOW + timedelta(hours=20)
    made = plan(HEAVY, needs=Needs(deadline=deadline, confidence=0.9))

    assert made.timing.missed == ()
    assert made.timing.gap == 0
    assert made.timing.on_time_probability is not None
    assert made.timing.on_time_probability >= 0.9
    assert made.timing.latest_send_at is not None
    assert NOW < made.timing.latest_send_at < deadline
    assert all(job.ready_by is None or job.ready_by <= deadline for job in made.jobs)


def test_a_deadline_that_cannot_be_met_is_named_with_what_would_help() -> None:
    """Ten minutes are not enough for a primer and a body: every item is planned all the same, and the plan says so."""
    made = plan(HEAVY, needs=Needs(deadline=NOW + timedelta(minutes=10)))

    assert made.items == 40
    (missed,) = made.timing.missed
    assert made.binding == missed.binding == "window"
    assert missed.probability < 0.95
    later = next(fix.by for fix in missed.fixes if fix.means == "later")
    assert later is not None
    assert "will not all be there by 2026-11-22 12:10Z" in made.reasons[0]
    assert f"{later:%Y-%m-%d %H:%M}Z" in made.reasons[0]
    again = plan(HEAVY, needs=Needs(deadline=later))
    assert again.timing.missed == ()


def test_each_class_keeps_its_own_deadline() -> None:
    """Two pipelines, two mornings: what is due apart does not share a body."""
    early, late = NOW + timedelta(hours=5), NOW + timedelta(hours=20)
    needs = Needs(deadline=late, deadlines={f"{0:016x}": early}, confidence=0.9)
    made = plan(HEAVY, HEAVY, needs=needs)

    assert [size.group.deadline for size in sorted(made.sizes, key=lambda size: size.group.class_name)] == [early, late]
    assert {job.class_id for job in role(made, "body")} == {f"{0:016x}", f"{1:016x}"}


def test_jobs_that_find_no_room_in_the_queue_go_later() -> None:
    """Sixty items through a queue of twenty: bodies of twenty at most, one after the other."""
    made = plan({"items": 60, "prefix_chars": 100}, needs=Needs(queue_room=20), queue_limit=20)
    sent = [job.send_at for job in made.jobs]

    assert [job.items for job in made.jobs] == [20, 20, 20]
    assert sent == sorted(sent)
    assert len(set(sent)) == 3


def test_a_budget_that_does_not_reach_says_what_would() -> None:
    """Nothing is left out in silence: the plan names the class, and the amount that pays for all."""
    made = plan(HEAVY, needs=Needs(budget_usd=Decimal("0.0001")))

    assert made.binding == "budget"
    assert "cannot be paid for" in made.reasons[0]
    assert "It would do to allow $" in made.reasons[0]


@pytest.mark.parametrize("needs", [{"queue_room": 20_000}, {}])
def test_a_window_that_no_size_clears_does_not_make_jobs_large_again(needs: dict[str, Any]) -> None:
    """Where nothing is sure enough the surest size goes, not the cheapest: less time, jobs as small or smaller."""
    largest = []
    for minutes in (240, 150, 120, 90):
        asked = Needs(deadline=NOW + timedelta(minutes=minutes), **needs)
        largest.append(max(job.items for job in plan({"items": 1_500, "prefix_chars": 100}, needs=asked).jobs))

    assert largest == sorted(largest, reverse=True)


def test_a_deadline_for_a_class_that_does_not_wait_is_refused() -> None:
    """A slip in an id must not leave a pipeline without its deadline."""
    with pytest.raises(UnknownClass, match="No class that waits"):
        plan(HEAVY, needs=Needs(deadlines={"nope": NOW + timedelta(hours=9)}))


def test_one_request_larger_than_a_job_is_told() -> None:
    """It blocks the plan with a sentence, not with a traceback."""
    with pytest.raises(RequestTooLarge, match="import --replace"):
        plan(HEAVY, needs=Needs(), max_job_bytes=10_000)


@given(hours=st.floats(1.5, 30), tighter=st.floats(0.3, 0.99))
@settings(max_examples=15)
def test_a_tighter_window_never_makes_larger_jobs(hours: float, tighter: float) -> None:
    """What has less time goes in pieces that are as small or smaller."""
    classes = [{"items": 300, "max_tokens": 2_000}]
    wide, narrow = (
        plan(*classes, needs=Needs(deadline=NOW + timedelta(hours=hours * share))).sizes[0].limits.window_items
        for share in (1.0, tighter)
    )

    assert wide is not None
    assert narrow is not None
    assert narrow <= wide


@pytest.mark.parametrize(
    ("stated", "error"),
    [
        ({"deadline": "2026-11-22T11:59Z"}, DeadlinePassed),
        ({"deadline": "soon"}, UnclearDeadline),
        ({"class_deadlines": {"c": "25:00 UTC"}}, UnclearDeadline),
        ({"deadline": "9999-12-31T23:59-12:00"}, UnclearDeadline),
        ({"deadline": "0001-01-01T00:00+12:00"}, UnclearDeadline),
        ({"deadline": "9999-12-31T23:59 America/Los_Angeles"}, UnclearDeadline),
        ({"budget": "0"}, BadNeeds),
        ({"budget": "-1"}, BadNeeds),
        ({"budget": "much"}, BadNeeds),
        ({"budget": "NaN"}, BadNeeds),
        ({"confidence": 1.0}, BadNeeds),
        ({"confidence": 0.0}, BadNeeds),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(stated: dict[str, Any], error: type[Exception]) -> None:
    """Bad input never becomes a plan."""
    with pytest.raises(error):
        Needs.stated(now=NOW, **stated)


def test_needs_are_read_as_they_are_written() -> None:
    """A time without a zone is UTC; a time of day is the next one."""
    needs = Needs.stated(now=NOW, deadline="2026-11-23 07:00", class_deadlines={"c": "06:30 Europe/Berlin"}, budget="9")

    assert needs.deadline == NOW.replace(day=23, hour=7)
    assert needs.deadline_of("c") == NOW.replace(day=23, hour=5, minute=30)
    assert needs.deadline_of("other") == needs.deadline_of(None) == needs.deadline
    assert needs.budget_usd == 9
