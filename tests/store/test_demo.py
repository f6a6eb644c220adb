"""The demo: believable, deterministic, priced exactly, and with something real left to repair."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import orjson
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from core.causes import explain
from core.demo import DemoSummary, build_demo
from core.demo.history import History, simulate
from core.grading import read_gold
from core.intake.payloads import PayloadReader
from core.jobs.hit_rates import hit_rates
from core.prices import PriceBook
from core.requests.blocks import chain_of
from core.requests.content import content_hash
from core.requests.request import parse_request
from core.store import Store

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SINCE = NOW - timedelta(days=90)
ALL_DAYS = {"first": SINCE.date(), "last": NOW.date(), "class_name": None, "models": []} | dict.fromkeys(
    ("tag_name", "tag_value")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the demo, shared by the tests that only read it."""
    path: Path = tmp_path_factory.mktemp("demo")
    build_demo(path, now=NOW)
    return path


@pytest.fixture(scope="module")
def history() -> History:
    """The same rows before they are stored."""
    return simulate(NOW, 7, PriceBook.load())


@pytest.fixture
def rows(folder: Path) -> "Rows":
    """Named reads of that workspace."""
    return Rows(folder)


class Rows:
    """Frames read from the demo, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, **params: Any) -> pl.DataFrame:
        store = Store.open(self.folder / "lotwise.duckdb")
        try:
            return store.query(name, **params)
        finally:
            store.close()


def test_same_moment_and_seed_give_the_same_rows(history: History) -> None:
    """Two people who load the demo within the same hour see the same figures."""
    again = simulate(NOW, 7, PriceBook.load())

    for table in ("imports", "classes", "plans", "jobs", "items", "attempts"):
        assert_frame_equal(getattr(again, table), getattr(history, table))


def test_another_seed_gives_other_rows(history: History) -> None:
    """The seed is really used."""
    other = simulate(NOW, 8, PriceBook.load())

    assert other.attempts["cost_usd"].sum() != history.attempts["cost_usd"].sum()


def test_second_call_changes_nothing(folder: Path) -> None:
    """Loading the demo twice must not double the history."""
    first = _summary(folder)
    again = build_demo(folder, now=NOW + timedelta(days=3), seed=9)

    assert not again.created
    assert again == replace(first, created=False)


def test_it_is_as_large_as_a_real_quarter(folder: Path) -> None:
    """Pages are judged on a history of real size: hundreds of jobs, tens of thousands of attempts."""
    summary = _summary(folder)

    assert 400 <= summary.jobs <= 700
    assert 40_000 <= summary.attempts <= 70_000
    assert SINCE <= summary.since <= SINCE + timedelta(days=2)
    assert len(summary.backlog) == 3


def test_everything_is_marked_as_simulated_and_in_the_past(rows: Rows) -> None:
    """Nobody may take the demo for their own spend, nor the worker for something to poll."""
    jobs = rows("jobs_ended", **ALL_DAYS)

    assert jobs["simulated"].all()
    assert jobs["state"].unique().to_list() == ["done"]
    assert (jobs["batch_id"].str.starts_with("msgbatch_demo")).all()
    order = ["created_at", "intent_at", "submitted_at", "ended_at", "ingested_at"]
    for earlier, later in pairwise(order):
        assert (jobs[earlier] < jobs[later]).all(), (earlier, later)
    assert jobs["ingested_at"].max() < NOW  # type: ignore[operator]
    outcomes = pl.sum_horizontal("succeeded", "errored", "canceled", "expired")
    assert jobs.select((outcomes == pl.col("item_count")).all()).item()


def test_ids_are_as_the_api_takes_them(history: History) -> None:
    """The job's tag and the item's id make the custom_id, 64 characters at most."""
    assert history.jobs["job_id"].str.contains(r"^[a-z2-7]{8}$").all()
    assert history.jobs["job_id"].n_unique() == history.jobs.height
    made = history.attempts.select(pl.format("{}-{}", "job_id", "item_id") == pl.col("custom_id"))
    assert made.to_series().all()
    assert history.attempts["custom_id"].str.contains(r"^[a-zA-Z0-9_-]{1,64}$").all()
    assert history.items["item_id"].n_unique() == history.items.height


def test_every_job_carries_exactly_its_attempts(history: History) -> None:
    """Items of a job, its counts and its attempts are one and the same number."""
    counted = history.attempts.group_by("job_id").agg(
        pl.len().alias("attempts"), (pl.col("outcome") == "succeeded").sum().alias("ran")
    )
    joined = history.jobs.join(counted, on="job_id", how="left")

    assert joined.select((pl.col("attempts") == pl.col("item_count")).all()).item()
    assert joined.select((pl.col("ran") == pl.col("succeeded")).all()).item()


def test_money_adds_up_between_views(rows: Rows, history: History) -> None:
    """Spend by day, by job and by attempt is the same to the last decimal."""
    days = rows("trend_days", **ALL_DAYS, by_tag=None)["cost_usd"].sum()
    jobs = rows("jobs_ended", **ALL_DAYS)["cost_usd"].sum()

    assert days == jobs == history.attempts["cost_usd"].sum()


def test_every_attempt_has_a_price_on_its_day(history: History) -> None:
    """No model is used before it was on sale; what never ran costs nothing."""
    assert history.attempts["cost_usd"].null_count() == 0
    ran = pl.col("outcome") == "succeeded"
    assert history.attempts.filter(ran)["cost_usd"].min() > 0  # type: ignore[operator]
    assert history.attempts.filter(~ran)["cost_usd"].max() == 0
    assert history.attempts.filter(~ran)["input_tokens"].null_count() == history.attempts.filter(~ran).height


def test_weekends_are_quiet_and_work_grows(rows: Rows) -> None:
    """A company works on weekdays, and more in the third month than in the first."""
    days = rows("trend_days", **ALL_DAYS, by_tag=None).group_by("day").agg(pl.col("attempts").sum()).sort("day")
    weekend = pl.col("day").dt.weekday() > 5

    assert _mean(days.filter(weekend)) < 0.3 * _mean(days.filter(~weekend))
    assert _mean(days.tail(30)) > 1.08 * _mean(days.head(30))


def test_a_time_stamp_broke_one_class_three_weeks_ago(rows: Rows) -> None:
    """The open regression: writes are paid, nothing is read, a unit costs several times as much."""
    days = _weeks(rows, "Invoice field extraction")
    before = days.filter(pl.col("day") < (NOW - timedelta(days=22)).date()).tail(10)
    after = days.filter(pl.col("day") > (NOW - timedelta(days=20)).date())

    assert _hit_rate(before) > 0.9
    assert _hit_rate(after) < 0.05
    assert _unit_cost(after) > 3 * _unit_cost(before)
    assert after["day"].max() >= (NOW - timedelta(days=3)).date()  # type: ignore[operator]


def test_priming_paid_off_eight_weeks_ago(rows: Rows) -> None:
    """The story to learn from: hits rose, cost per unit fell by more than half."""
    days = _weeks(rows, "Search relevance grading")
    before = days.filter(pl.col("day") < (NOW - timedelta(days=57)).date())
    after = days.filter(pl.col("day") > (NOW - timedelta(days=55)).date())

    assert _hit_rate(before) < 0.5
    assert _hit_rate(after) > 0.95
    assert _unit_cost(after) < 0.5 * _unit_cost(before)


def test_primers_end_before_their_bodies_start(history: History) -> None:
    """A body that starts before its primer has ended would read nothing."""
    primers = history.jobs.filter(pl.col("role") == "primer").select("job_id", "ended_at")
    pairs = history.jobs.join(primers, left_on="primer_job_id", right_on="job_id")

    assert pairs.height == primers.height > 100
    gap = pl.col("submitted_at") - pl.col("ended_at_right")
    assert pairs.select((gap > timedelta(0)).all()).item()
    assert pairs.select((gap < timedelta(minutes=30)).all()).item()


def test_past_failures_were_repaired_and_recent_ones_are_open(rows: Rows, history: History) -> None:
    """The repair button has something to do, and not the whole past."""
    jobs = rows("jobs_listed", states=[], roles=[], class_name=None, open_only=False, limit=1_000)
    repairs = jobs.filter(pl.col("role") == "repair")
    still_open = jobs.filter(pl.col("open_failures") > 0)
    left = _open(history)

    assert repairs.height > 10
    assert repairs["parent_job_id"].null_count() == 0
    assert repairs["open_failures"].sum() == 0
    assert still_open.height == 3
    assert still_open["submitted_at"].min() > NOW - timedelta(days=5)  # type: ignore[operator]
    assert still_open["open_failures"].sum() == left.height
    assert set(left["cause"]) == {"expired", "overloaded_error", "invalid_request_error", "max_tokens"}
    assert all(explain(row["cause"]).action == row["action"] for row in left.iter_rows(named=True))


def test_open_failures_have_their_real_payload(history: History, folder: Path) -> None:
    """What a repair sends is there byte for byte: hash, length, chain and model agree with the item."""
    with duckdb.connect(str(folder / "lotwise.duckdb"), read_only=True) as connection:
        items = connection.sql("SELECT * FROM item SEMI JOIN open_failure USING (item_id)").pl()
    left = _open(history)

    assert sorted(items["item_id"]) == sorted(left["item_id"])
    with PayloadReader(folder) as payloads:
        for item in items.iter_rows(named=True):
            data = payloads.read(item["import_id"], item["payload_offset"], item["payload_bytes"])
            params = orjson.loads(data)
            canonical = orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
            line = orjson.dumps({"custom_id": item["item_id"], "params": params})
            hashes, depths, overheads, heads = chain_of(parse_request(line).params)
            assert orjson.dumps(params) == data
            assert content_hash(canonical) == item["content_hash"]
            assert (params["model"], params["max_tokens"]) == (item["model"], item["max_tokens"])
            stored = (item["chain"], item["depths"], item["overheads"], item["heads"])
            assert (hashes, depths, overheads, heads) == stored
            assert item["class_id"] == f"{hashes[1]:016x}"


def test_invalid_requests_are_really_invalid(history: History) -> None:
    """They ask for more output than the model gives, as their message says: an edit mends them."""
    book = PriceBook.load()
    wrong = _open(history).filter(pl.col("cause") == "invalid_request_error")

    assert wrong.height >= 2
    for row in wrong.iter_rows(named=True):
        most = book.model(row["model"]).max_tokens
        assert row["message"].startswith(f"max_tokens: 200000 > {most}")


def test_backlog_joins_the_classes_of_the_history(rows: Rows) -> None:
    """What waits is known work: the same prefix has the same class, name and all."""
    backlog = rows("chart_backlog_classes")
    known = {
        "Support ticket triage": 380,
        "Search relevance grading": 260,
        "Product description enrichment": 160,
        "Call note summary": 160,
        "Contract clause review": 50,
    }

    assert dict(backlog.filter(pl.col("class_name").is_in(list(known))).select("class_name", "items").rows()) == known
    assert backlog["items"].sum() == 1_200
    short = backlog.filter(pl.col("class_name") == "Call note summary")
    assert short["cacheable_tokens"].item() == 0
    assert 0.5 < float(backlog["cacheable_tokens"].sum()) / float(backlog["prompt_tokens"].sum()) < 0.95


def test_graded_work_comes_with_its_gold_answers(folder: Path, rows: Rows) -> None:
    """Tiers can be tried on the demo: what is right is known of every item of one class, and is no constant."""
    gold = read_gold(_summary(folder).gold)

    waiting = rows("chart_backlog_classes").filter(pl.col("class_name") == "Search relevance grading")
    assert len(gold) == waiting["items"].item() == 260
    assert all(item.startswith("QRY-") for item in gold)
    assert set(gold.values()) == set("01234")


@pytest.mark.parametrize(
    "now",
    [datetime(2026, 6, 1, 3, tzinfo=UTC), datetime(2027, 2, 27, 23, tzinfo=UTC)],
    ids=["before the 5.5 models", "later, on a Saturday night"],
)
def test_any_moment_gives_a_whole_demo(now: datetime) -> None:
    """The demo is loaded on any day: every attempt is priced and all three slices are open."""
    history = simulate(now, 7, PriceBook.load())

    assert history.attempts["cost_usd"].null_count() == 0
    assert history.jobs["ended_at"].max() < now  # type: ignore[operator]
    assert _open(history)["job_id"].n_unique() == 3


def test_moment_is_taken_in_any_zone(tmp_path: Path) -> None:
    """The history ends at a moment, not at a wall clock; minutes are cut so that an hour gives one demo."""
    zone = datetime.fromisoformat("2026-11-22T11:37:00+01:00")
    summary = build_demo(tmp_path, now=zone)

    assert summary.created
    assert summary.spend_usd == simulate(NOW, 7, PriceBook.load()).attempts["cost_usd"].sum()


def _summary(folder: Path) -> DemoSummary:
    return build_demo(folder, now=NOW)


def _open(history: History) -> pl.DataFrame:
    done = history.attempts.filter("usable").select("item_id")
    return history.attempts.filter(~pl.col("usable")).join(done, on="item_id", how="anti")


def _weeks(rows: Rows, name: str) -> pl.DataFrame:
    return rows("trend_days", **ALL_DAYS, by_tag=None).filter(pl.col("class_name") == name).sort("day")


def _mean(days: pl.DataFrame) -> float:
    return float(days["attempts"].sum()) / days.height


def _hit_rate(days: pl.DataFrame) -> float:
    read, written = float(days["cache_read_tokens"].sum()), float(days["cache_write_tokens"].sum())
    return read / (read + written)


def _unit_cost(days: pl.DataFrame) -> float:
    return float(days["cost_usd"].sum()) / float(days["units"].sum())


def test_what_was_predicted_of_the_cache_is_near_what_was_read(folder: Path) -> None:
    """Classes in order read what was expected of them; the one that a time stamp broke is flagged, and it alone."""
    store = Store.open(folder / "lotwise.duckdb")
    try:
        found = hit_rates(store, now=NOW)
    finally:
        store.close()

    broken = {one.class_name for one in found if one.strayed}
    assert broken == {"Invoice field extraction"}
    fine = [one for one in found if one.class_name not in broken]
    assert len(fine) >= 5
    assert all(one.low <= one.actual <= one.high and one.basis == "measured" for one in fine)
    assert all(abs((one.predicted or 0) - one.actual) < 0.05 for one in fine)
    graded = next(one for one in found if one.class_name == "Search relevance grading")
    assert graded.width is not None
    assert 100 < graded.width < 400
    assert all(one.width is None for one in found if one is not graded)
