"""The demo's history holds known changes: each is found, dated, put down to what it was, and nothing else is."""

import shutil
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.actions import explain as explaining
from core.demo import build_demo
from core.demo.history import simulate
from core.errors import LotwiseError
from core.prices import PriceBook
from core.roles import Actor, Role
from core.trends.date_range import DateRange
from core.trends.movement import Movement
from core.trends.movements import movements
from core.trials.homes import NoSuchClass
from core.workspace import Workspace

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
TRUTH: dict[str, Any] = tomllib.loads((files("core.demo") / "truth.toml").read_text("utf-8"))
CHANGES: list[dict[str, Any]] = TRUTH["change"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the demo, for the tests that only read it."""
    path: Path = tmp_path_factory.mktemp("movements")
    build_demo(path, now=NOW)
    return path


@pytest.fixture(scope="module")
def workspace(folder: Path) -> Iterator[Workspace]:
    """The demo, opened."""
    with Workspace.open(folder) as opened:
        yield opened


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of it that a test may change."""
    shutil.copy(folder / "lotwise.duckdb", tmp_path / "lotwise.duckdb")
    with Workspace.open(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def found(workspace: Workspace) -> list[Movement]:
    """What is found in the demo."""
    return [one.movement for one in explaining.movements(workspace, now=NOW)]


def day_of(change: dict[str, Any]) -> date:
    """The day on which a change began."""
    on: date | None = change.get("on")
    return on or (NOW - timedelta(days=change["age"])).date()


def match(change: dict[str, Any], found: list[Movement]) -> Movement | None:
    """The movement of that class and kind within four days of the change."""
    near = [
        one
        for one in found
        if (one.class_name, one.kind) == (change["class_name"], change["kind"])
        and abs((one.since - day_of(change)).days) <= 4
    ]
    return near[0] if near else None


def moved_most(movement: Movement) -> str:
    """The part with the most dollars."""
    return max(movement.parts, key=lambda part: abs(part.amount)).name


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change['class_name']}, {change['part']}")
def test_every_seeded_change_is_found_and_put_down_to_what_it_was(
    change: dict[str, Any], found: list[Movement]
) -> None:
    """Its day, its direction, the part that moved most, and the event beside it that explains that part."""
    movement = match(change, found)

    assert movement is not None
    assert moved_most(movement) == change["part"]
    amount = next(part.amount for part in movement.parts if part.name == change["part"])
    assert amount * change["sign"] > 0
    kinds = {link.event.kind for link in movement.events if change["part"] in link.parts}
    assert change.get("event") in {None, *kinds}


def test_they_are_ranked_by_dollars_and_the_broken_prefix_comes_first(found: list[Movement]) -> None:
    """What costs the most a month is what is read first."""
    assert [abs(one.usd_month) for one in found] == sorted((abs(one.usd_month) for one in found), reverse=True)
    assert (found[0].class_name, moved_most(found[0])) == ("Invoice field extraction", "hit_rate")
    assert 90 < found[0].usd_month < 140
    for one in found:
        assert one.usd_month == sum((part.amount for part in one.parts), Decimal(0))


def test_more_work_is_no_change_of_what_a_unit_costs(found: list[Movement]) -> None:
    """A peak of volume, a quiet weekend: told as spend that more items explain, or not at all."""
    for quiet in TRUTH["quiet"]:
        first, last = ((NOW - timedelta(days=quiet[name])).date() for name in ("since", "until"))
        told = [one for one in found if one.kind == "days" and first <= one.since <= last]
        assert not [one for one in told if one.class_name == quiet["class_name"]]
    peaks = [one for one in found if one.measure == "spend"]
    assert all(moved_most(one) == "volume" for one in peaks)


@pytest.mark.parametrize("seed", [11, 12])
def test_a_quarter_has_one_false_alarm_at_most(seed: int) -> None:
    """Whatever the noise: what is worth most is found, and at most one thing is told that was not seeded."""
    book = PriceBook.load()
    history = simulate(NOW, seed, book)
    made = movements(cells_of(history.attempts, history.classes), book=book, today=NOW.date())

    seeded = [match(change, list(made)) for change in CHANGES]
    missed = [change for change, one in zip(CHANGES, seeded, strict=True) if one is None and not change.get("small")]
    peak = [(NOW - timedelta(days=TRUTH["quiet"][0][name])).date() for name in ("since", "until")]
    alarms = [
        one for one in made if one not in seeded and not (one.measure == "spend" and peak[0] <= one.since <= peak[1])
    ]
    assert missed == []
    assert len(alarms) <= 1


def cells_of(attempts: pl.DataFrame, classes: pl.DataFrame) -> pl.DataFrame:
    """Attempts summed as the store sums them."""
    kinds = ("job_id", "class_id", "model", "cause", "usable", "outcome", "service_tier", "inference_geo")
    tokens = [name for name in attempts.columns if name.endswith("_tokens")]
    return (
        attempts.with_columns(day=pl.col("submitted_at").dt.date())
        .group_by("day", *kinds)
        .agg(pl.len().alias("attempts"), pl.col(*tokens, "web_searches", "cost_usd").sum())
        .join(classes.select("class_id", pl.col("name").alias("class_name")), on="class_id")
        .with_columns(
            billed=pl.col("outcome") == "succeeded",
            units=pl.when("usable").then("attempts").otherwise(0),
            unit=pl.lit("usable item"),
            above_tokens=pl.lit(0),
            uncounted=pl.lit(0),
            unpriced=pl.lit(0),
        )
    )


def test_two_weeks_are_explained_to_the_cent(workspace: Workspace) -> None:
    """The parts of the spend, of every class, and of the cost of an item add up; the same weekdays are compared."""
    first, last = date(2026, 11, 2), date(2026, 11, 15)
    explained = explaining.explain(workspace, now=NOW, first=first, last=last)

    assert explained.against == DateRange(first=date(2026, 10, 19), last=date(2026, 11, 1))
    spend, unit = explained.spend, explained.unit_cost
    spent = workspace.store.query("movement_cells", **whole(first, last))["cost_usd"].sum()
    assert (spend.after_usd, spend.unknown) == (spent, 0)
    assert sum(part.amount for part in spend.parts) == spend.after_usd - spend.before_usd
    assert sum((line.after_usd - line.before_usd for line in spend.lines), Decimal(0)) == sum(
        part.amount for part in spend.parts
    )
    assert unit is not None
    assert {part.name for part in unit.parts} & {"hit_rate", "output"}
    assert spend.parts[0].name == "hit_rate"
    assert {one.movement.class_name for one in explained.movements} >= {"Invoice field extraction"}
    assert {event.kind for event in explained.events} >= {"unshared"}


def whole(first: date, last: date) -> dict[str, Any]:
    """The parameters of a read of all cells of these days."""
    nothing: dict[str, Any] = {"class_name": None, "models": [], "tag_name": None, "tag_value": None}
    return {"first": first, "last": last, **nothing}


def test_one_class_is_explained_by_its_name_or_id(workspace: Workspace) -> None:
    """Days of another length are compared by day; a class that is not there, and days in reverse, are refused."""
    days: dict[str, Any] = {"first": date(2026, 11, 2), "last": date(2026, 11, 15), "now": NOW}
    named = explaining.explain(workspace, class_named="Contract clause review", **days)
    cells = workspace.store.query("movement_cells", **whole(date(2026, 11, 2), date(2026, 11, 15)))
    an_id = cells.filter(pl.col("class_name") == "Contract clause review")["class_id"][0]

    assert {line.class_name for line in named.spend.lines} == {"Contract clause review"}
    assert explaining.explain(workspace, class_named=an_id, **days).spend == named.spend
    month = explaining.explain(workspace, against_first=date(2026, 10, 1), against_last=date(2026, 10, 31), **days)
    assert month.by_day
    assert month.spend.after_usd == (Decimal(cells["cost_usd"].sum()) / 14).quantize(Decimal("1e-12"))
    with pytest.raises(NoSuchClass):
        explaining.explain(workspace, class_named="Nobody's class", **days)
    with pytest.raises(explaining.DaysReversed):
        explaining.explain(workspace, first=date(2026, 11, 2), last=date(2026, 11, 1), now=NOW)


def test_spend_of_one_team_or_model_is_attributed_alone(workspace: Workspace) -> None:
    """Items of the demo carry the team whose work they are."""
    before = DateRange(first=date(2026, 10, 19), last=date(2026, 11, 1))
    after = DateRange(first=date(2026, 11, 2), last=date(2026, 11, 15))

    legal = explaining.attributed(workspace, before, after, tag=("team", "legal"))
    haiku = explaining.attributed(workspace, before, after, models=("claude-haiku-5-5",))

    assert {line.class_name for line in legal.lines} == {"Contract clause review"}
    assert {line.class_name for line in haiku.lines} == {"Support ticket triage"}
    assert explaining.attributed(workspace, before, after, tag=("team", "nobody")).parts == ()


def test_a_movement_is_dealt_with_on_record_and_opened_again(own: Workspace) -> None:
    """A note is needed, the movement stays visible, the log has both words, and a viewer may say neither."""
    first = explaining.movements(own, now=NOW)[0].movement
    with pytest.raises(explaining.NoteMissing):
        explaining.resolve_movement(own, first.key, note=" ", now=NOW)
    with pytest.raises(explaining.NoSuchMovement):
        explaining.resolve_movement(own, "nothing", note="?", now=NOW)

    explaining.resolve_movement(own, first.key, note="Fixed in the form of today.", now=NOW)
    standing = explaining.movements(own, now=NOW)[0]
    assert (standing.movement.key, standing.state) == (first.key, "resolved")
    assert (standing.said, standing.by) == ("Fixed in the form of today.", own.actor.name)

    explaining.reopen_movement(own, first.key, now=NOW)
    assert explaining.movements(own, now=NOW)[0].state == "open"
    log = own.store.query("audit_listed", actor=None, actions=[], outcomes=["done"], since=None, limit=9)
    assert log["action"].to_list() == ["reopen-movement", "resolve-movement"]
    viewer = own.acting(Actor(name="zoe", role=Role.VIEWER, how=own.actor.how))
    with pytest.raises(LotwiseError, match="look at everything"):
        explaining.resolve_movement(viewer, first.key, note="Mine.", now=NOW)


def test_days_with_a_known_event_raise_no_alarm(own: Workspace) -> None:
    """The burst of refusals was known: it is listed as known, until the event is removed."""
    days: dict[str, Any] = {"first": date(2026, 10, 12), "last": date(2026, 10, 17)}
    with pytest.raises(explaining.DaysReversed):
        explaining.add_known_event(own, first=days["last"], last=days["first"], said="x", now=NOW)
    with pytest.raises(explaining.NoteMissing):
        explaining.add_known_event(own, said="", now=NOW, **days)

    event = explaining.add_known_event(
        own, said="Trial of the new filter.", class_name="Contract clause review", now=NOW, **days
    )
    known = [one for one in explaining.movements(own, now=NOW) if one.state == "known"]
    assert [(one.movement.kind, one.said) for one in known] == [("days", "Trial of the new filter.")]
    assert explaining.known_events(own) == (event,)

    explaining.remove_known_event(own, event.event_id, now=NOW)
    assert explaining.known_events(own) == ()
    assert {one.state for one in explaining.movements(own, now=NOW)} == {"open"}
    with pytest.raises(explaining.NoSuchKnownEvent):
        explaining.remove_known_event(own, event.event_id, now=NOW)


def test_expected_spend_stands_beside_what_was_spent(workspace: Workspace) -> None:
    """Every day up to the last whole one; what is usual is known from the fifth week on; the refusals stand out."""
    days = explaining.expected_spend(workspace, told=explaining.movements(workspace, now=NOW), now=NOW)

    assert days["day"].to_list() == pl.date_range(days["day"][0], NOW.date() - timedelta(days=1), eager=True).to_list()
    assert days["expected_usd"][:28].null_count() == 28
    assert days["flagged"].sum() >= 1


def test_one_stuck_job_does_not_end_all_judging(own: Workspace) -> None:
    """A batch ends within a day: a job that nobody heard of for weeks keeps no other from being judged."""
    before = {one.movement.key for one in explaining.movements(own, now=NOW)}
    job = own.store.query("movement_cells", **whole(date(2026, 10, 5), date(2026, 10, 5)))["job_id"][0]
    own.store.write(lambda tx: tx.run("set_state", job_id=job, state="unknown", reason="Nobody heard of it."))

    assert explaining.judged_to(own, now=NOW) == NOW.date() - timedelta(days=3)
    assert {one.movement.key for one in explaining.movements(own, now=NOW)} & before
    assert explaining.movements(own, now=NOW)[0].movement.since > date(2026, 10, 5)


def test_a_workspace_without_results_has_nothing_to_explain(tmp_path: Path) -> None:
    """No movement, no expectation, no error: nothing was spent."""
    with Workspace.open(tmp_path) as empty:
        assert explaining.movements(empty, now=NOW) == ()
        assert explaining.expected_spend(empty, now=NOW).is_empty()
        explained = explaining.explain(empty, first=date(2026, 11, 2), last=date(2026, 11, 8), now=NOW)
        assert (explained.spend.parts, explained.unit_cost, explained.events) == ((), None, ())
