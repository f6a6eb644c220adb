"""Deadlines: one moment, every day, some days, in any zone, through both changes of the clocks."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LotwiseError
from core.schedule.deadlines import DAYS, DeadlinePassed, Moment, Recurring, UnclearDeadline, parse

WINTER = datetime(2026, 1, 14, 12, tzinfo=UTC)  # a Wednesday


def utc(text: str) -> datetime:
    """A moment as the tests write it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-15T07:00+01:00", "2026-01-15 06:00"),
        ("2026-01-15T07:00Z", "2026-01-15 07:00"),
        ("2026-01-15T07:00 Europe/Berlin", "2026-01-15 06:00"),
        ("2026-01-15 07:00 America/New_York", "2026-01-15 12:00"),
        ("2026-01-15 UTC", "2026-01-15 00:00"),
        ("07:00 Europe/Berlin", "2026-01-15 06:00"),
        ("14:00 Europe/Berlin", "2026-01-14 13:00"),
        ("13:00 Europe/Berlin", "2026-01-15 12:00"),
        ("Mon 09:00 America/New_York", "2026-01-19 14:00"),
        ("Wed 09:00 America/New_York", "2026-01-14 14:00"),
        ("tuesday, Fri 9:00 UTC", "2026-01-16 09:00"),
        ("Sat-Tue 09:00 Z", "2026-01-17 09:00"),
        ("Mon - Fri 00:00 Asia/Kathmandu", "2026-01-14 18:15"),
    ],
)
def test_a_deadline_is_read_as_people_write_it(text: str, expected: str) -> None:
    """One moment, a time of every day, or of some days, with an offset or a zone; the next one is strictly later."""
    assert parse(text).next(WINTER) == utc(expected)


def test_the_zone_may_be_known_from_elsewhere() -> None:
    """A page knows where its reader is; a zone in the text comes first."""
    assert parse("07:00", zone="Europe/Berlin") == parse("07:00 Europe/Berlin")
    assert parse("2026-01-15T07:00", zone="Europe/Berlin") == parse("2026-01-15T06:00Z")
    assert parse("07:00 UTC", zone="Europe/Berlin") == parse("07:00 UTC")


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "25:00 UTC", "07:60 UTC", "07:00", "2026-01-15T07:00", "2026-13-01 UTC", "07:00 Europe"),
        *("07:00 ../x", "07:00 Mars/Olympus", "Mxn 07:00 UTC", "Mon 07:00", "Mon- 07:00 UTC", "07:00 UTC or so"),
    ],
)
def test_what_cannot_be_understood_says_what_would_be(text: str) -> None:
    """No deadline is guessed at: neither its zone, nor its day, nor its time."""
    with pytest.raises(UnclearDeadline) as caught:
        parse(text)

    assert isinstance(caught.value, LotwiseError)
    assert any(example in str(caught.value) for example in ("Europe/Berlin", "Mon, Tue"))


def test_a_moment_that_is_over_is_refused() -> None:
    """Nothing can be ready in the past, nor right now."""
    deadline = parse("2026-01-14T12:00Z")

    assert deadline.next(WINTER - timedelta(microseconds=1)) == WINTER
    with pytest.raises(DeadlinePassed, match="deadline"):
        deadline.next(WINTER)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        # Berlin jumps from 02:00 to 03:00 on 29 March at 01:00 UTC, and back from 03:00 on 25 October at 01:00 UTC.
        ("02:30 Europe/Berlin", "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:30"]),
        ("01:59 Europe/Berlin", "2026-03-28 12:00", ["2026-03-29 00:59", "2026-03-29 23:59"]),
        ("03:00 Europe/Berlin", "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 01:00"]),
        ("02:30 Europe/Berlin", "2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("07:00 Europe/Berlin", "2026-10-24 12:00", ["2026-10-25 06:00", "2026-10-26 06:00"]),
        # New York jumps at 02:00 on 8 March at 07:00 UTC, and back at 02:00 on 1 November at 06:00 UTC.
        ("Sun 02:30 America/New_York", "2026-03-07 12:00", ["2026-03-08 07:00", "2026-03-15 06:30"]),
        ("Sun 01:30 America/New_York", "2026-10-31 12:00", ["2026-11-01 05:30", "2026-11-08 06:30"]),
        # Lord Howe moves by half an hour: skips 02:00 to 02:30 on 4 October at 15:30 UTC of the day before.
        ("02:10 Australia/Lord_Howe", "2026-10-03 12:00", ["2026-10-03 15:30", "2026-10-04 15:10"]),
    ],
)
def test_clocks_that_change_are_read_early(text: str, after: str, expected: list[str]) -> None:
    """A skipped time is the moment of the jump, a doubled one the first of the two; every day still has its own."""
    rule = parse(text)
    first = rule.next(utc(after))

    assert [first, rule.next(first)] == [utc(one) for one in expected]


def test_a_moment_in_a_zone_knows_the_changes_too() -> None:
    """One moment in a gap is the jump."""
    assert parse("2026-03-29T02:30 Europe/Berlin") == Moment(utc("2026-03-29 01:00"))


rules = st.builds(
    Recurring,
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]),
    days=st.frozensets(st.integers(0, 6), min_size=1),
)
moments = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(rules, moments)
def test_the_next_deadline_is_later_on_a_right_day_and_none_is_left_out(rule: Recurring, after: datetime) -> None:
    """Deadlines come strictly after the moment asked about, on days that the rule names, each of them once."""
    found = rule.next(after)

    assert found > after
    assert found - after <= timedelta(days=7, hours=2)
    assert found.astimezone(ZoneInfo(rule.zone)).weekday() in rule.days
    assert list(islice((one for one in rule.from_day(after) if one > after), 1)) == [found]
    assert not any(after < one < found for one in islice(rule.from_day(after - timedelta(days=2)), 10))


@given(rules)
def test_what_is_written_reads_back_the_same(rule: Recurring) -> None:
    """A rule can be kept as text."""
    assert parse(str(rule)) == rule
    assert parse(str(Moment(WINTER))) == Moment(WINTER)


def test_days_have_three_letters() -> None:
    """As calendars write them."""
    assert DAYS == ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
