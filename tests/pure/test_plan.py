"""Plans: every item in one job, limits never exceeded, primed exactly where it pays."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.planning.envelope import BODY_FRAME_BYTES
from core.planning.plan import NothingToPlan, Plan, draft_plan
from core.planning.planned_job import PlannedJob
from core.prices import PriceBook
from core.requests.blocks import BLOCK_MARK_BYTES, STRING_MARK_BYTES
from core.settings import Settings
from core.tokens.counting import prefix_tokens
from tests.strategies import MODELS

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDINARY = Settings()
SCHEMA: dict[str, Any] = {
    "item_id": pl.String,
    "class_id": pl.String,
    "class_name": pl.String,
    "model": pl.String,
    "prefix_blocks": pl.Int32,
    "cut_chars": pl.Int64,
    "prefix_chars": pl.Int64,
    "prefix_tokens": pl.Int64,
    "prefix_key": pl.String,
    "cacheable": pl.Boolean,
    "split_agreed": pl.Boolean,
    "preview": pl.String,
    "payload_bytes": pl.Int64,
    "max_tokens": pl.Int64,
    "chars": pl.Int64,
    "chain": pl.List(pl.UInt64),
    "depths": pl.List(pl.Int64),
    "overheads": pl.List(pl.Int16),
    "output_tokens": pl.Float64,
}
PREFIX_CHARS = 20_000


def backlog(*classes: dict[str, Any]) -> pl.DataFrame:
    """Items as the store's `backlog` gives them: of each class `items`, with a heavy prefix unless it says other."""
    rows = []
    for number, wanted in enumerate(classes):
        of: dict[str, Any] = {
            "items": 10,
            "model": MODELS[0],
            "prefix_blocks": 1,
            "prefix_chars": PREFIX_CHARS,
            "max_tokens": 400,
        }
        of |= {"suffix_chars": 500, "mark_bytes": STRING_MARK_BYTES, "output_tokens": None} | wanted
        if not of["prefix_blocks"]:
            of |= {"prefix_chars": 0, "mark_bytes": 0}
        tokens, cacheable = prefix_tokens(BOOK, of["model"], of["prefix_chars"])
        key, shared = 1_000 + number, [0] * of["prefix_blocks"]
        hashes = [sum(of["model"].encode()), *(2_000 + number + block for block, _ in enumerate(shared[1:])), key]
        hashes = hashes if shared else hashes[:1]
        depths = [0, *(100 for _ in shared[1:]), of["prefix_chars"]] if shared else [0]
        rows += [
            {name: of.get(name) for name in SCHEMA}
            | {
                "item_id": f"c{number}-{item}",
                "class_id": f"{number:016x}",
                "class_name": f"Class {number}",
                "prefix_tokens": tokens,
                "prefix_key": f"{key:016x}",
                "cut_chars": 0,
                "split_agreed": False,
                "chain": [*hashes, 1_000_000 + 1_000 * number + item],
                "depths": [*depths, of["prefix_chars"] + of["suffix_chars"]],
                "overheads": [0, *(of["mark_bytes"] for _ in shared), STRING_MARK_BYTES],
                "cacheable": cacheable,
                "preview": "",
                "chars": of["prefix_chars"] + of["suffix_chars"],
                "payload_bytes": 150 + of["prefix_chars"] + of["suffix_chars"] + item,
            }
            for item in range(of["items"])
        ]
    return pl.DataFrame(rows, schema=SCHEMA)


def plan(items: pl.DataFrame, settings: Settings = ORDINARY) -> Plan:
    """Plan these items today."""
    return draft_plan(items, book=BOOK, settings=settings, now=NOW)


def role(of: Plan, name: str) -> list[PlannedJob]:
    """The jobs of one role."""
    return [job for job in of.jobs if job.role == name]


some_classes = st.lists(
    st.fixed_dictionaries(
        {
            "items": st.integers(1, 12),
            "model": st.sampled_from([*MODELS, "claude-unheard-of"]),
            "prefix_blocks": st.integers(0, 2),
            "prefix_chars": st.sampled_from([0, 100, 1_500, PREFIX_CHARS]),
            "suffix_chars": st.integers(1, 3_000),
            "max_tokens": st.integers(1, 64_000),
            "mark_bytes": st.sampled_from([0, BLOCK_MARK_BYTES, STRING_MARK_BYTES]),
            "output_tokens": st.none() | st.floats(0, 5_000),
        }
    ),
    min_size=1,
    max_size=6,
)
some_settings = st.builds(
    Settings,
    max_job_requests=st.integers(1, 20),
    max_job_bytes=st.integers(30_000, 200_000),
    blast_radius_usd=st.sampled_from([Decimal("0.01"), Decimal(1), Decimal(25)]),
    job_fault_rate=st.sampled_from([0.0, 1e-5, 0.5]),
)


def check(made: Plan, items: pl.DataFrame, settings: Settings) -> None:
    """What holds of every plan."""
    assigned = made.assignments
    assert items.height == made.items == sum(job.items for job in made.jobs)
    assert sorted(items["item_id"]) == sorted(assigned["item_id"])
    assert list(range(len(made.jobs))) == [job.number for job in made.jobs]
    sizes = items.select("item_id", "payload_bytes", "overheads", bytes=pl.col("item_id").str.len_bytes())
    for job in made.jobs:
        inside = assigned.filter(job=job.number)
        assert 1 <= job.items == inside.height <= settings.max_job_requests
        sent = inside.join(sizes, on="item_id")
        # `{"custom_id":"<job>-<item>","params":…},` around each, `{"requests":[` and `]}` around all.
        each = (pl.lit(len('{"custom_id":"12345678-","params":},')) + pl.col("bytes") + pl.col("payload_bytes")).cast(
            pl.Int64
        )
        marks = sum(row["overheads"][block] for row in sent.iter_rows(named=True) for block in row["marks"])
        exact = len('{"requests":[]}') - 1 + sent.select(each.sum()).item() + marks
        assert exact == job.body_bytes <= settings.max_job_bytes
        assert (job.lifetime is not None) == (inside["marks"].list.len() > 0).any()
        assert (job.primer is not None) == (job.role == "body" and job.lifetime is not None)
        assert (job.class_id is None) == (inside["class_id"].n_unique() > 1)
    order = [job.role for job in made.jobs]
    assert sorted(order, reverse=True) == order


@given(some_classes, some_settings)
def test_every_item_is_in_one_job_and_no_limit_is_exceeded(classes: list[dict[str, Any]], settings: Settings) -> None:
    """The one promise of a plan, primers included; sizes are counted to the byte."""
    items = backlog(*classes)
    check(plan(items, settings), items, settings)


@given(some_classes)
def test_a_plan_never_costs_more_than_the_same_items_without_caching(classes: list[dict[str, Any]]) -> None:
    """Caching is planned only where it pays; what has no price is named beside the total, not guessed."""
    made = plan(backlog(*classes))
    unheard_of = made.assignments.filter(model="claude-unheard-of").height

    assert made.unpriced == ({"claude-unheard-of": unheard_of} if unheard_of else {})
    if unheard_of == made.items:
        assert (made.predicted_usd, made.predicted_plain_usd) == (None, None)
        return
    assert made.predicted_usd is not None
    assert made.predicted_plain_usd is not None
    assert 0 < made.predicted_usd <= made.predicted_plain_usd
    primed = bool(role(made, "primer"))
    assert primed == (made.predicted_usd < made.predicted_plain_usd)


@given(some_classes)
def test_a_primer_has_one_item_of_every_marked_class_and_nothing_else_is_marked(classes: list[dict[str, Any]]) -> None:
    """Each prefix is written once, by a real item, before the bodies that read it."""
    made = plan(backlog(*classes))
    primed = [job.number for job in role(made, "primer")]
    marked = made.assignments.filter(pl.col("entry_id").is_not_null())
    writers = marked.filter(pl.col("job").is_in(primed))

    assert writers["class_id"].n_unique() == writers.height
    readers = marked.filter(~pl.col("job").is_in(primed))
    assert set(readers["class_id"]) == set(writers["class_id"])
    assert all(job.lifetime for job in role(made, "primer"))
    assert {made.jobs[job.primer].role for job in made.jobs if job.primer is not None} <= {"primer"}


def test_a_class_with_a_heavy_prefix_is_primed() -> None:
    """One real item of middling size goes first and alone; the rest follows, marked."""
    made = plan(backlog({"items": 9}))

    primer, body = made.jobs
    assert ("primer", 1, "1h", "one_each", f"{0:016x}") == (
        primer.role,
        primer.items,
        primer.lifetime,
        primer.decided_by,
        primer.class_id,
    )
    assert (
        body.role,
        body.items,
        body.lifetime,
        body.decided_by,
        body.class_name,
    ) == ("body", 8, "1h", "backlog", "Class 0")
    assert made.assignments.filter(job=0)["item_id"].to_list() == ["c0-4"]
    assert made.classes["items"].item() == 9


@pytest.mark.parametrize(
    "change",
    [
        {"prefix_blocks": 0},
        {"prefix_chars": 1_000},
        {"items": 2},
        {"mark_bytes": 0},
        {"model": "claude-haiku-4-5", "prefix_chars": 15_000},
        {"model": "claude-unheard-of"},
    ],
    ids=["shares nothing", "under the floor", "too few", "cannot be marked", "higher floor", "unknown model"],
)
def test_where_caching_cannot_pay_nothing_is_marked(change: dict[str, Any]) -> None:
    """No mark, no primer, and the price is the plain one."""
    made = plan(backlog(change))

    assert [job.role for job in made.jobs] == ["body"]
    assert made.assignments["marks"].list.len().max() == 0
    assert made.predicted_usd == made.predicted_plain_usd


def test_small_groups_share_a_job_whatever_their_model_and_marks() -> None:
    """Every job costs a look: what is small goes together, behind one primer where there is one."""
    small = {"items": 2, "prefix_chars": 100}
    (lone,) = plan(backlog(small, small, small | {"model": MODELS[1]})).jobs
    primer, body = plan(backlog({}, {"model": MODELS[1]}, small)).jobs

    assert (lone.items, lone.class_id, lone.class_name, lone.model) == (6, None, "3 classes, unprimed", "several")
    assert (body.items, body.class_name, body.model, body.primer) == (20, "3 classes", "several", primer.number)


def test_classes_that_fill_good_jobs_keep_jobs_of_their_own() -> None:
    """Where faults are frequent small jobs are right, and a class that fills one is easier to follow by itself."""
    made = plan(backlog({"items": 400}, {"items": 400}), replace(ORDINARY, job_fault_rate=0.01))

    assert {job.class_id for job in role(made, "body")} == {f"{number:016x}" for number in range(2)}
    assert made.alone == ()


def test_even_where_a_job_costs_nothing_items_do_not_go_one_by_one() -> None:
    """By the letter of the model the smallest job would then be the best one."""
    (job,) = plan(backlog({"items": 50, "prefix_chars": 100}), replace(ORDINARY, job_cost_usd=Decimal(0))).jobs

    assert job.items == 50


def test_one_primer_carries_the_prefixes_of_all_models() -> None:
    """One look at one small job shows whether all bodies may go."""
    made = plan(backlog({}, {"model": MODELS[1]}))

    (primer,) = role(made, "primer")
    assert (primer.items, primer.class_id, primer.class_name, primer.model) == (2, None, "2 prefixes", "several")


@pytest.mark.parametrize("limit", [{"max_job_requests": 2}, {"max_job_bytes": 45_000}])
def test_primers_are_split_by_the_limits_like_any_job(limit: dict[str, Any]) -> None:
    """A thousand heavy prefixes may be more than one batch takes."""
    items, settings = backlog(*[{}] * 5), replace(ORDINARY, **limit)
    made = plan(items, settings)

    check(made, items, settings)
    assert sorted((job.items for job in role(made, "primer")), reverse=True) == [2, 2, 1]
    assert made.predicted_usd is not None
    assert made.predicted_usd < (made.predicted_plain_usd or 0)


def test_bodies_are_split_by_the_size_rule_and_say_what_decided() -> None:
    """No job may put more dollars at risk than is affordable."""
    items, settings = backlog({"items": 400}), replace(ORDINARY, blast_radius_usd=Decimal("0.01"))
    made = plan(items, settings)
    bodies = role(made, "body")

    check(made, items, settings)
    assert len(bodies) > 2
    assert {"blast_usd"} == {job.decided_by for job in bodies}
    assert all((job.predicted_usd or 1) <= settings.blast_radius_usd for job in bodies)
    assert max(job.items for job in bodies) - min(job.items for job in bodies) <= 1


def test_measured_output_beats_the_assumed_share() -> None:
    """Once a class has results, its own mean counts; the plan says what it assumed."""
    assumed, measured = plan(backlog({})), plan(backlog({"output_tokens": 5.0}))

    assert (measured.predicted_usd or 0) < (assumed.predicted_usd or 0)
    assert assumed.inputs["assumed_output_share"] == 0.4
    assert NOW.isoformat() == assumed.inputs["prices_at"]


def test_an_empty_backlog_is_told() -> None:
    """There is nothing to plan, and the message says what to do."""
    with pytest.raises(NothingToPlan, match="inbox"):
        plan(pl.DataFrame(schema=SCHEMA))


def test_body_frame_is_the_envelope_without_items() -> None:
    """The last request has no comma after it."""
    assert len('{"requests":[]}') - 1 == BODY_FRAME_BYTES
