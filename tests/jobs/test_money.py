"""Money: exact for each attempt, and the same to the last digit wherever it is added up."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core.prices.costs import Usage, attempt_cost
from tests.jobs.driving import Bench, MakeBench, lone, shared

COUNTS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Three days of work on three models, with failures and their repairs; only read from here on."""
    folder = tmp_path_factory.mktemp("money") / "workspace"
    rates = {"error_rate": 0.15, "refusal_rate": 0.1, "truncation_rate": 0.1}
    with pytest.MonkeyPatch.context() as patch:
        bench = Bench(folder, patch, {}, rates)
        work(bench)
        yield bench
        bench.close()


def work(bench: Bench) -> None:
    """Submit and repair for three days."""
    for day, model in enumerate(("claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5")):
        bench.submit(
            *shared(f"day{day}", 25, model=model),
            *(line | {"custom_id": f"d{day}-{line['custom_id']}"} for line in lone(10, inference_geo="us")),
        )
        bench.run()
        for job in bench.jobs().filter(pl.col("repairable_items") > 0)["job_id"]:
            bench.repair(job)
        bench.run()
        bench.clock.move(days=1)


def test_every_sum_is_the_sum_of_its_attempts(days: Bench) -> None:
    """Attempts, jobs, items and days tell one figure; each attempt costs what the price table says, exactly."""
    bench = days
    attempts = bench.attempts()
    book = bench.workspace.book
    categories = bench.workspace.store.query("export_attempts")

    for row in categories.filter(~(pl.col("stop_reason") == "refusal").fill_null(False)).iter_rows(named=True):
        usage = Usage(
            **{name: row[name] or 0 for name in COUNTS},
            service_tier=row["service_tier"],
            inference_geo=row["inference_geo"],
        )
        cost = attempt_cost(
            book,
            usage,
            model=row["model"],
            at=row["submitted_at"],
            outcome=row["outcome"],
            stop_reason=row["stop_reason"],
        )
        assert row["cost_usd"] == cost, row

    total = attempts["cost_usd"].sum()
    assert total > Decimal("0.01")
    jobs = bench.jobs()
    assert jobs["cost_usd"].sum() == total
    daily = bench.query("export_costs")
    assert daily["cost_usd"].sum() == total
    assert daily["day"].n_unique() == 3
    assert bench.query("export_items")["cost_usd"].sum() == total
    by_job = attempts.group_by("job_id").agg(pl.col("cost_usd").sum())
    assert dict(by_job.iter_rows()) == dict(jobs.select("job_id", "cost_usd").iter_rows())
    by_model = attempts.group_by("model").agg(pl.col("cost_usd").sum())
    assert dict(by_model.iter_rows()) == dict(daily.group_by("model").agg(pl.col("cost_usd").sum()).iter_rows())


def test_cost_per_unit_divides_by_what_is_usable(days: Bench) -> None:
    """Truncated and refused answers are paid for and give no unit, by job as by day."""
    bench = days
    usable = bench.attempts().filter("usable").height
    daily = bench.query("export_costs")

    assert usable == daily["units"].sum() == bench.jobs()["usable_items"].sum() < bench.attempts().height
    for row in daily.filter(pl.col("units") > 0).iter_rows(named=True):
        assert abs(float(row["unit_cost_usd"]) - float(row["cost_usd"]) / row["units"]) < 1e-9
    wasted = bench.attempts().filter(~pl.col("usable"))["cost_usd"].sum()
    assert daily["wasted_usd"].sum() == wasted > 0
    assert daily["reruns"].sum() == bench.attempts().filter(pl.col("number") > 1).height
    for row in bench.jobs().filter(pl.col("usable_items") > 0).iter_rows(named=True):
        assert abs(float(row["unit_cost_usd"]) - float(row["cost_usd"]) / row["usable_items"]) < 1e-9


def test_a_model_without_a_price_costs_unknown_not_nothing(bench: Bench) -> None:
    """A model that the price table does not list is refused here and free; its prediction stays unknown."""
    (job,) = bench.submit(*lone(3, model="claude-nothing-1"), confirmed="unpriced")
    assert bench.job(job)["predicted_usd"] is None
    bench.run()

    assert bench.attempts(job)["cause"].unique().to_list() == ["not_found_error"]
    assert bench.job(job)["cost_usd"] == 0
    assert bench.job(job)["unit_cost_usd"] is None


def test_the_day_of_submission_prices_an_attempt(make_bench: MakeBench) -> None:
    """A job sent on the day before a price change keeps the old price, whenever its results come in."""
    bench = make_bench()
    bench.clock.jump(days=-50)
    primer, body = bench.submit(*shared("alpha", 6))
    bench.run()

    row = bench.attempts(body).row(0, named=True)
    at = row["submitted_at"]
    counts: dict[str, Any] = {name: row[name] or 0 for name in COUNTS}
    usage = Usage(**counts, service_tier="batch")
    book = bench.workspace.book
    assert at.isoformat().startswith("2026-10-01")
    assert row["cost_usd"] == attempt_cost(book, usage, model=row["model"], at=at)
    assert row["cost_usd"] > attempt_cost(book, usage, model=row["model"], at=bench.clock.now.replace(month=11))
    assert bench.job(primer)["cost_usd"] > 0
