"""The Trends: filters, ranges, ways down and the comparison, all of them in the address."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core.trends.date_range import DateRange
from pages import data, formats, session
from tests.ui.conftest import Open
from tests.ui.test_pages import sound

VIEWS = ("Over time", "Why it moved", "Compare", "Cost per unit", "Predicted and learned")


def frame_with(app: AppTest, column: str) -> pl.DataFrame:
    """The table that has this column."""
    return next(pl.from_pandas(table.value) for table in app.dataframe if column in table.value.columns)


def spans(period: DateRange) -> dict[str, object]:
    """What a named read of the trends takes for these days, without filters."""
    everything: dict[str, object] = {
        "class_name": None,
        "models": [],
        "tag_name": None,
        "tag_value": None,
        "by_tag": None,
    }
    return {"first": period.first, "last": period.last, **everything}


def known_days(period: DateRange) -> pl.DataFrame:
    """The days of the open workspace, straight from its store."""
    return session.workspace().store.query("trend_days", **spans(period))


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_its_address(open_app: Open, demo_workspace: Path, view: str) -> None:
    """A link opens the tab that it names, and only that one is worked out."""
    app = open_app(demo_workspace, "trends.py", view=view, range="30 days")

    sound(app)
    drawn = [tab.label for tab in app.tabs if tab.children]
    assert drawn == [view]
    assert app.get("vega_lite_chart") or app.dataframe


def test_filters_narrow_and_clear(open_app: Open, demo_workspace: Path) -> None:
    """Class, tier, model and tag each leave only their rows; what nothing matches says so and is cleared by a click."""
    app = open_app(demo_workspace, "trends.py")
    rows = frame_with(app, "day")
    name = rows["class_name"][0]

    app.selectbox(key="class").select(name).run()
    assert set(frame_with(app, "day")["class_name"]) == {name}
    app.selectbox(key="class").set_value(None)
    app.selectbox(key="tier").select("Haiku").run()
    assert {model.split("-")[1] for model in frame_with(app, "day")["model"]} == {"haiku"}
    assert all("haiku" in model for model in app.selectbox(key="model").options)
    app.selectbox(key="tier").set_value(None)
    tag = app.selectbox(key="tag").options[0]
    app.selectbox(key="tag").select(tag).run()
    tagged = frame_with(app, "day")
    assert 0 < tagged.height < rows.height

    other = next(one for one in rows["class_name"].unique().sort() if one not in set(tagged["class_name"]))
    app.selectbox(key="class").select(other).run()
    assert [info.value for info in app.info] == [
        "No finished attempt on these days with these filters. Widen the days or clear the filters."
    ]
    app.button(key="clear-filters").click().run()
    sound(app)
    assert frame_with(app, "day").height == rows.height


def test_a_link_carries_its_filters(open_app: Open, demo_workspace: Path) -> None:
    """A shared link opens with the class that it names; one that names nonsense opens with all."""
    name = frame_with(open_app(demo_workspace, "trends.py"), "day")["class_name"][0]

    linked = open_app(demo_workspace, "trends.py", **{"class": name})
    assert set(frame_with(linked, "day")["class_name"]) == {name}

    nonsense = {"class": "no such class", "by": "moon", "days": "soon", "range": "Some", "day": "today", "view": "x"}
    sound(app := open_app(demo_workspace, "trends.py", **nonsense))
    assert frame_with(app, "day")["class_name"].n_unique() > 1


def test_ranges_end_today(open_app: Open, demo_workspace: Path) -> None:
    """Seven days are fewer than thirty; days of one's own are exactly those, and so are days that a link names."""
    app = open_app(demo_workspace, "trends.py", range="7 days")
    today = formats.now().date()
    week = frame_with(app, "day")["day"].cast(pl.Date)
    assert min(week) >= today - timedelta(days=6)

    app.segmented_control(key="range").set_value("all").run()
    known = data.row("trend_span")
    assert known is not None
    assert frame_with(app, "day")["day"].cast(pl.Date).min() == known["first"]

    day = known["first"] + timedelta(days=10)
    app.segmented_control(key="range").set_value("own").run()
    app.date_input(key="days").set_value((day, day + timedelta(days=1))).run()
    assert set(frame_with(app, "day")["day"].cast(pl.Date)) <= {day, day + timedelta(days=1)}

    linked = open_app(demo_workspace, "trends.py", days=[day.isoformat(), day.isoformat()])
    assert set(frame_with(linked, "day")["day"].cast(pl.Date)) == {day}


@pytest.mark.parametrize("by", ["Class", "Tier", "Model", "tag team"])
def test_lines_are_told_apart_by_what_is_asked(open_app: Open, demo_workspace: Path, by: str) -> None:
    """Whatever lines stand for, they sum to the same spend."""
    app = open_app(demo_workspace, "trends.py", by=by, range="30 days")

    sound(app)
    lines = frame_with(app, "line")
    today = formats.now().date()
    spend = known_days(DateRange(first=today - timedelta(days=29), last=today))["cost_usd"].sum()
    assert lines.height > 1
    assert lines["cost_usd"].sum() == pytest.approx(float(spend))
    if by == "tag team":
        assert {"finance", "support"} <= set(lines["line"])


def test_a_day_lists_its_jobs(open_app: Open, demo_workspace: Path) -> None:
    """The day is in the address; its jobs cost what the day cost, and closing it takes it away."""
    day = frame_with(open_app(demo_workspace, "trends.py"), "day")["day"][0].date()

    app = open_app(demo_workspace, "trends.py", day=day.isoformat())
    sound(app)
    jobs = frame_with(app, "job_id")
    spend = known_days(DateRange(first=day, last=day))["cost_usd"].sum()
    assert any(header.value.startswith("Jobs of") for header in app.header)
    assert jobs["cost_usd"].sum() == pytest.approx(float(spend))

    app.button(key="close-day").click().run()
    assert "day" not in app.query_params
    assert not any("job_id" in table.value.columns for table in app.dataframe)


def test_a_day_without_jobs_says_so(open_app: Open, demo_workspace: Path) -> None:
    """A day of long ago is no error."""
    app = open_app(demo_workspace, "trends.py", day="2020-01-01")

    sound(app)
    assert "No job of this day within these filters." in [info.value for info in app.info]


def test_two_periods_side_by_side(open_app: Open, demo_workspace: Path) -> None:
    """The figures are those of the days, and the change is between them; weekdays can be held against weekdays."""
    app = open_app(demo_workspace, "trends.py", view="Compare", range="30 days")
    sound(app)
    today = formats.now().date()
    now = DateRange(first=today - timedelta(days=29), last=today)

    for against, before in (("previous", now.previous()), ("weeks_earlier", now.weeks_earlier())):
        app.segmented_control(key="against").set_value(against).run()
        spend = frame_with(app, "figure").row(0, named=True)
        after, earlier = (known_days(days)["cost_usd"].sum() for days in (now, before))
        assert (spend["now"], spend["before"]) == (formats.money(after), formats.money(earlier))
        change = formats.percent(abs(float(after) / float(earlier) - 1))
        assert spend["change"] == f"{change} {'more' if after > earlier else 'less'}"
        assert any(text.value.startswith("Spend") for text in app.markdown), "the split says what moved"


def test_an_earlier_period_of_which_nothing_is_known(open_app: Open, demo_workspace: Path) -> None:
    """Nothing is compared with days before the first attempt: both sides are cut to what is known, and it is said."""
    app = open_app(demo_workspace, "trends.py", view="Compare", range="All")
    sound(app)
    span = data.row("trend_span")
    assert span is not None
    today = formats.now().date()
    half = ((today - span["first"]).days + 1) // 2
    now = DateRange(first=today - timedelta(days=half - 1), last=today)
    spend = frame_with(app, "figure").row(0, named=True)
    after, earlier = (known_days(days)["cost_usd"].sum() for days in (now, now.previous()))
    assert (spend["now"], spend["before"]) == (formats.money(after), formats.money(earlier))
    assert any(f"only the last {half} days" in caption.value for caption in app.caption)

    first = f"{span['first']}"
    alone = open_app(demo_workspace, "trends.py", view="Compare", range="Own", days=[first, first])
    sound(alone)
    assert not alone.dataframe
    assert any("Nothing is known of earlier days" in info.value for info in alone.info)


def test_own_days_to_compare_with(open_app: Open, demo_workspace: Path) -> None:
    """Both periods can be anything, and both stand in the link."""
    open_app(demo_workspace, "trends.py")
    span = data.row("trend_span")
    assert span is not None
    first = span["first"]
    days = {
        "view": "Compare",
        "range": "Own",
        "days": [f"{first + timedelta(days=14)}", f"{first + timedelta(days=20)}"],
        "against": "Own days",
        "before": [f"{first}", f"{first + timedelta(days=13)}"],
    }
    app = open_app(demo_workspace, "trends.py", **days)

    sound(app)
    spend = known_days(DateRange(first=first, last=first + timedelta(days=13)))["cost_usd"].sum()
    assert frame_with(app, "figure")["before"][0] == formats.money(spend)
    assert any("a day" in text.value for text in app.markdown), "periods of other lengths are compared by day"


def test_dates_are_dates(open_app: Open, demo_workspace: Path) -> None:
    """A table of days holds days, which sort as days."""
    rows = frame_with(open_app(demo_workspace, "trends.py"), "day")["day"].cast(pl.Date)

    assert rows.to_list() == sorted(rows, reverse=True)
    assert isinstance(rows[0], date)
