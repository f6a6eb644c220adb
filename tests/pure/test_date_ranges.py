"""Stretches of days and what they are compared with: nothing overlaps, weekdays meet weekdays."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from core.trends.date_range import DateRange, last_days, quarter_to_date

RANGES = st.builds(
    lambda first, days: DateRange(first=first, last=first + timedelta(days=days)),
    st.dates(date(2025, 1, 1), date(2027, 1, 1)),
    st.integers(0, 400),
)


@settings(max_examples=40)
@given(RANGES)
def test_the_previous_period_ends_where_this_one_begins(period: DateRange) -> None:
    """As many days, right before: no day is counted twice, none is left out."""
    before = period.previous()

    assert before.days == period.days
    assert before.last + timedelta(days=1) == period.first


@settings(max_examples=40)
@given(RANGES)
def test_weeks_earlier_keep_their_weekdays(period: DateRange) -> None:
    """A Monday is held against a Monday, and no day against itself; it is never a week earlier than it has to be."""
    before = period.weeks_earlier()

    assert before.days == period.days
    assert before.first.weekday() == period.first.weekday()
    assert before.last < period.first
    assert before.last + timedelta(days=7) >= period.first


@settings(max_examples=80)
@given(RANGES, st.integers(-100, 500), st.booleans())
def test_nothing_is_compared_with_days_of_which_nothing_is_known(period: DateRange, after: int, by_week: bool) -> None:
    """What is compared ends with the range and is as long as it can be; its counterpart begins where days are known."""
    known = period.last - timedelta(days=after)
    now = period.comparable(known, by_week=by_week)

    def before(days: DateRange) -> DateRange:
        return days.weeks_earlier() if by_week else days.previous()

    if now is None:
        assert after + 1 < (14 if by_week else 2)
        return
    assert now.last == period.last
    assert before(now).first >= known
    longer = DateRange(first=now.first - timedelta(days=7 if by_week else 1), last=now.last)
    assert now == period or longer.days > period.days or before(longer).first < known


def test_ranges_up_to_today() -> None:
    """Seven days are today and the six before it; a quarter begins with its first month."""
    today = date(2026, 11, 22)

    assert DateRange(first=date(2026, 11, 16), last=today) == last_days(7, today)
    assert DateRange(first=date(2026, 10, 1), last=today) == quarter_to_date(today)
    assert quarter_to_date(date(2026, 3, 31)).first == date(2026, 1, 1)
    assert quarter_to_date(date(2026, 7, 1)).days == 1
