"""A store as a busy team leaves it after two years: jobs of a thousand items, day after day, in sixty classes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from core.prices import PriceBook
from core.prices.costs import price_attempts
from core.store import Store
from core.store.statements import statements

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
DAYS = 730
CLASSES = 60
JOB_ITEMS = 1000
WAITING = 20_000
"""Items of the backlog."""
_MODELS = ("claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-8", "claude-sonnet-5")
_INSTANT = pl.Datetime("us", "UTC")
_JOBS_AT_ONCE = 200
_TROUBLED = 0.15
"""Share of the jobs in which some items fail."""
_FAILING = 0.1
"""Share of such a job's items that fail."""
_CAUSES = (
    ("errored", "overloaded_error", "resubmit", "Overloaded"),
    ("errored", "invalid_request_error", "edit", "max_tokens: 128000 > 64000, which is the maximum allowed"),
    ("succeeded", "max_tokens", "decide", None),
    ("expired", "expired", "resubmit", None),
)
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Some days of work: rows by the statement that takes them in, in that order."""

    demo_add_imports: pl.DataFrame
    demo_add_plans: pl.DataFrame
    demo_add_jobs: pl.DataFrame
    demo_add_items: pl.DataFrame
    demo_add_attempts: pl.DataFrame
    add_predictions: pl.DataFrame


def fill(path: Path, attempts: int, *, seed: int = 7) -> None:
    """Make the store at `path` and fill it with about so many attempts."""
    rng = np.random.default_rng(seed)
    book = PriceBook.load()
    Store.open(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        _put(connection, {"demo_add_classes": _classes()})
        for chunk in _chunks(attempts // JOB_ITEMS, book, rng):
            _put(connection, vars(chunk))
        names = _names(np.arange(WAITING) % 3, 10**8)
        _put(
            connection,
            {
                "demo_add_imports": _imports(["waiting"], [NOW], [WAITING]),
                "demo_add_items": _items(names, NOW, "waiting", rng),
            },
        )
        _keep(connection)
    Store.open(path).close()  # makes the cost cells


def _put(connection: duckdb.DuckDBPyConnection, frames: Mapping[str, pl.DataFrame]) -> None:
    """Run named statements, each with a frame as `incoming`."""
    for name, frame in frames.items():
        connection.register("incoming", frame)
        connection.execute(statements()[name]).fetchall()
        connection.unregister("incoming")


def _keep(connection: duckdb.DuckDBPyConnection) -> None:
    """What every write keeps up to date, made once for all jobs."""
    everything = {"job_ids": [job_id for (job_id,) in connection.execute("SELECT job_id FROM job").fetchall()]}
    for name in ("add_unsettled", "learn_past_prompts", "mark_attempted"):
        connection.execute(statements()[name], everything).fetchall()
    for name in ("demo_add_completions", "drop_cell_basis"):
        connection.execute(statements()[name]).fetchall()


def _classes() -> pl.DataFrame:
    number = pl.int_range(CLASSES, eager=True)
    return pl.DataFrame({"number": number}).select(
        pl.format("{}", pl.col("number").hash(1)).str.pad_start(32, "0").str.slice(-32).alias("class_id"),
        pl.format("pipeline {}", pl.col("number")).alias("name"),
        pl.Series("model", [_MODELS[index % len(_MODELS)] for index in range(CLASSES)]),
        pl.lit(1).alias("prefix_blocks"),
        (14_000 + pl.col("number") * 400).alias("prefix_chars"),
        (4_000 + pl.col("number") * 100).alias("prefix_tokens"),
        pl.lit(True).alias("cacheable"),
        pl.lit("Judge the record by every one of these rules.").alias("preview"),
        pl.lit(NOW - timedelta(days=DAYS), _INSTANT).alias("created_at"),
    )


_CLASS_IDS = _classes()["class_id"]
_PREFIX_TOKENS = _classes()["prefix_tokens"].to_numpy()


def _chunks(jobs: int, book: PriceBook, rng: np.random.Generator) -> Iterator[_Chunk]:
    step = timedelta(days=DAYS) / max(jobs, 1)
    for first in range(0, jobs, _JOBS_AT_ONCE):
        count = min(_JOBS_AT_ONCE, jobs - first)
        times = [NOW - timedelta(days=DAYS) + step * (first + place) for place in range(count)]
        times = [at.replace(microsecond=0) for at in times]
        yield _chunk(first, times, book, rng)


def _chunk(first: int, times: list[datetime], book: PriceBook, rng: np.random.Generator) -> _Chunk:
    count = len(times)
    classes = rng.integers(0, CLASSES, count)
    sent = pl.DataFrame(
        {
            "job_id": _job_ids(count, rng),
            "plan_id": _job_ids(count, rng),
            "import_id": _job_ids(count, rng),
            "class": classes,
            "at": pl.Series(times, dtype=_INSTANT),
        }
    )
    each = np.repeat(np.arange(count), JOB_ITEMS)
    items = pl.concat(
        [
            _items(
                _names(np.full(JOB_ITEMS, number), (first + place) * JOB_ITEMS),
                at - timedelta(minutes=50),
                import_id,
                rng,
            )
            for place, (number, at, import_id) in enumerate(zip(classes, times, sent["import_id"], strict=True))
        ]
    )
    attempts = _attempts(sent, each, items["item_id"], rng)
    repairs, again = _repairs(sent, attempts, rng)
    attempts = price_attempts(pl.concat([attempts, again]), book).rename({"at": "submitted_at"})
    bodies = sent.with_columns(
        role=pl.lit("body"), parent_job_id=pl.lit(None, pl.String), item_count=pl.lit(JOB_ITEMS, pl.Int64)
    )
    jobs = _jobs(pl.concat([bodies, repairs], how="diagonal"), attempts)
    return _Chunk(
        demo_add_imports=_imports(sent["import_id"].to_list(), times, [JOB_ITEMS] * count),
        demo_add_plans=sent.select(
            "plan_id", created_at="at", items=pl.lit(JOB_ITEMS), jobs=pl.lit(1), inputs=pl.lit("{}")
        ),
        demo_add_jobs=jobs,
        demo_add_items=items,
        demo_add_attempts=attempts,
        add_predictions=_predictions(jobs.filter(pl.col("role") == "body")),
    )


def _job_ids(count: int, rng: np.random.Generator) -> list[str]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz234567"))
    return ["".join(row) for row in letters[rng.integers(0, 32, (count, 8))]]


def _names(classes: np.ndarray, first: int) -> pl.DataFrame:
    """Ids as owners choose them: what it is, and a serial number."""
    frame = pl.DataFrame({"class": classes, "serial": np.arange(first, first + len(classes))})
    return frame.with_columns(
        item_id=pl.format(
            "record-{}-{}",
            pl.col("class").cast(pl.String).str.pad_start(2, "0"),
            pl.col("serial").cast(pl.String).str.pad_start(9, "0"),
        )
    )


def _items(names: pl.DataFrame, at: datetime, import_id: str, rng: np.random.Generator) -> pl.DataFrame:
    count = names.height
    suffix = np.maximum(rng.lognormal(7, 0.4, count), 120).astype(np.int64)
    prefix = 14_000 + names["class"].to_numpy() * 400
    payload = prefix + suffix + 150
    return names.select(
        "item_id",
        content_hash=pl.Series(rng.integers(0, 2**64, count, dtype=np.uint64)),
        import_id=pl.lit(import_id),
        line=pl.int_range(1, count + 1),
        model=pl.Series(list(_MODELS)).gather(names["class"] % len(_MODELS)),
        class_id=_CLASS_IDS.gather(names["class"]),
        payload_offset=pl.Series(np.cumsum(payload) - payload),
        payload_bytes=pl.Series(payload),
        chain=pl.concat_list(names["class"].hash(2), pl.Series(rng.integers(0, 2**64, count, dtype=np.uint64))),
        depths=pl.concat_list(pl.Series(prefix), pl.Series(prefix + suffix)),
        overheads=pl.lit([66, 87], pl.List(pl.Int16)),
        heads=pl.concat_list(names["class"].hash(3), pl.Series(np.zeros(count, np.uint64))),
        max_tokens=pl.lit(1024, pl.Int64),
        created_at=pl.lit(at, _INSTANT),
    )


def _attempts(sent: pl.DataFrame, each: np.ndarray, item_ids: pl.Series, rng: np.random.Generator) -> pl.DataFrame:
    """The first attempt at every item, some of which fail."""
    count = len(each)
    classes = sent["class"].to_numpy()[each]
    hit = rng.random(count) < 0.93
    fails = (rng.random(sent.height) < _TROUBLED)[each] & (rng.random(count) < _FAILING)
    cause = np.where(fails, rng.integers(0, len(_CAUSES), sent.height)[each], -1)
    frame = pl.DataFrame(
        {
            "job_id": sent["job_id"].gather(each),
            "item_id": item_ids,
            "class": classes,
            "at": sent["at"].gather(each),
            "cause_number": cause,
            "input_tokens": rng.lognormal(5.8, 0.4, count).astype(np.int64),
            "cache_read_tokens": np.where(hit, _PREFIX_TOKENS[classes], 0),
            "cache_write_1h_tokens": np.where(hit, 0, _PREFIX_TOKENS[classes]),
            "output_tokens": rng.lognormal(5.4, 0.5, count).astype(np.int64),
        }
    )
    return _attempt_rows(frame, 1)


def _attempt_rows(frame: pl.DataFrame, number: int) -> pl.DataFrame:
    causes = pl.DataFrame(
        [
            {"cause_number": place, "bad": bad, "cause": cause, "action": action, "message": message}
            for place, (bad, cause, action, message) in enumerate(_CAUSES)
        ],
        schema={
            "cause_number": pl.Int64,
            "bad": pl.String,
            "cause": pl.String,
            "action": pl.String,
            "message": pl.String,
        },
    )
    ran = pl.col("outcome") == "succeeded"
    return (
        frame.join(causes, on="cause_number", how="left", maintain_order="left")
        .with_columns(outcome=pl.col("bad").fill_null("succeeded"))
        .select(
            "job_id",
            "item_id",
            pl.concat_str("job_id", "item_id", separator="-").alias("custom_id"),
            class_id=_CLASS_IDS.gather(frame["class"]),
            model=pl.Series(list(_MODELS)).gather(frame["class"] % len(_MODELS)),
            number=pl.lit(number),
            marks=pl.lit([1], pl.List(pl.Int16)),
            entry_id=_CLASS_IDS.gather(frame["class"]),
            outcome="outcome",
            usable=pl.col("cause").is_null(),
            cause="cause",
            action="action",
            message="message",
            stop_reason=pl.when(ran).then(
                pl.when(pl.col("cause").is_null()).then(pl.lit("end_turn")).otherwise(pl.lit("max_tokens"))
            ),
            refusal_category=pl.lit(None, pl.String),
            input_tokens=pl.when(ran).then("input_tokens"),
            cache_write_5m_tokens=pl.when(ran).then(pl.lit(0, pl.Int64)),
            cache_write_1h_tokens=pl.when(ran).then("cache_write_1h_tokens"),
            cache_read_tokens=pl.when(ran).then("cache_read_tokens"),
            output_tokens=pl.when(ran).then("output_tokens"),
            web_searches=pl.when(ran).then(pl.lit(0, pl.Int64)),
            service_tier=pl.when(ran).then(pl.lit("batch")),
            inference_geo=pl.when(ran).then(pl.lit("global")),
            at="at",
        )
    )


def _repairs(sent: pl.DataFrame, attempts: pl.DataFrame, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One repair of most of the jobs with failures that may pass: all of it works."""
    failed = attempts.filter(~pl.col("usable") & (pl.col("action") == "resubmit"))
    parents = failed["job_id"].unique(maintain_order=True)
    parents = parents.filter(pl.Series(rng.random(len(parents)) < 0.95, dtype=pl.Boolean))
    links = pl.DataFrame(
        {"parent_job_id": parents, "new_id": _job_ids(len(parents), rng)},
        schema={"parent_job_id": pl.String, "new_id": pl.String},
    )
    repairs = links.join(sent.rename({"job_id": "parent_job_id"}), on="parent_job_id").select(
        pl.col("new_id").alias("job_id"),
        "parent_job_id",
        "import_id",
        "class",
        (pl.col("at") + timedelta(hours=4)).alias("at"),
        role=pl.lit("repair"),
    )
    rows = failed.join(repairs.rename({"job_id": "new_id", "parent_job_id": "job_id", "at": "later"}), on="job_id")
    count = rows.height
    again = rows.select(
        pl.col("new_id").alias("job_id"),
        "item_id",
        "class",
        pl.col("later").alias("at"),
        cause_number=pl.lit(-1, pl.Int64),
        input_tokens=pl.Series(rng.lognormal(5.8, 0.4, count).astype(np.int64)),
        cache_read_tokens=pl.lit(0, pl.Int64),
        cache_write_1h_tokens=pl.lit(0, pl.Int64),
        output_tokens=pl.Series(rng.lognormal(5.4, 0.5, count).astype(np.int64)),
    )
    sizes = again.group_by("job_id").len("item_count").with_columns(pl.col("item_count").cast(pl.Int64))
    return repairs.join(sizes, on="job_id"), _attempt_rows(again, 2)


def _jobs(jobs: pl.DataFrame, attempts: pl.DataFrame) -> pl.DataFrame:
    sums = attempts.group_by("job_id").agg(
        predicted_usd=(pl.col("cost_usd").sum().cast(pl.Float64) * 1.04).cast(pl.Decimal(18, 9)),
        succeeded=(pl.col("outcome") == "succeeded").sum(),
        errored=(pl.col("outcome") == "errored").sum(),
        expired=(pl.col("outcome") == "expired").sum(),
        predicted_read_tokens=pl.col("cache_read_tokens").sum(),
        predicted_write_tokens=pl.col("cache_write_1h_tokens").sum(),
    )
    return jobs.join(sums, on="job_id", maintain_order="left").select(
        "job_id",
        "plan_id",
        "parent_job_id",
        "role",
        class_id=_CLASS_IDS.gather(jobs["class"]),
        model=pl.Series(list(_MODELS)).gather(jobs["class"] % len(_MODELS)),
        state=pl.lit("done"),
        item_count="item_count",
        body_bytes=pl.col("item_count") * 16_000,
        predicted_usd="predicted_usd",
        predicted_plain_usd="predicted_usd",
        cache_ttl=pl.lit("1h"),
        predicted_read_tokens="predicted_read_tokens",
        predicted_write_tokens="predicted_write_tokens",
        prediction_basis=pl.lit("measured"),
        created_at=pl.col("at") - timedelta(minutes=5),
        batch_id=pl.format("msgbatch_demo{}", "job_id"),
        submitted_at="at",
        expires_at=pl.col("at") + timedelta(days=1),
        ended_at=pl.col("at") + pl.duration(minutes=30) + pl.duration(seconds=pl.col("job_id").hash(4) % 3000),
        ingested_at=pl.col("at") + timedelta(minutes=90),
        succeeded="succeeded",
        errored="errored",
        expired="expired",
        simulated=pl.lit(True),
    )


def _imports(import_ids: list[str], times: list[datetime], lines: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"import_id": import_ids, "started_at": pl.Series(times, dtype=_INSTANT), "lines": lines}
    ).with_columns(
        source=pl.format("{}.jsonl", "import_id"),
        finished_at=pl.col("started_at"),
        bytes=pl.col("lines") * 16_000,
        added=pl.col("lines"),
    )


def _predictions(jobs: pl.DataFrame) -> pl.DataFrame:
    rows = [
        jobs.select(
            "job_id",
            measure=pl.lit(measure),
            made_at="created_at",
            items="item_count",
            point=point,
            spread=pl.lit(0.2),
            low=point * 0.8,
            high=point * 1.25,
            basis=pl.lit("measured"),
        )
        for measure, point in (
            ("cost", pl.col("predicted_usd").cast(pl.Float64)),
            ("seconds", pl.lit(3600.0)),
            ("hit_rate", pl.lit(0.93)),
        )
    ]
    return pl.concat(rows)
