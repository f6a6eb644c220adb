"""Savings of a life that was lived: jobs, caches, failures, repairs and a route, against item-by-item accounting."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.actions import routes
from core.actions.opportunities import work_between
from core.actions.savings import (
    Decomposition,
    PeriodReversed,
    class_baselines,
    declare_baseline,
    decomposition,
    missed,
    savings_period,
)
from core.prices import UnknownModel
from core.prices.costs import Usage, attempt_cost
from core.savings.not_taken import not_taken
from core.trials.homes import NoSuchClass
from tests.jobs.driving import MODEL, Bench, MakeBench, lone, shared
from tests.jobs.trying import follow, start, trying

HAIKU = "claude-haiku-5-5"
Row = dict[str, Any]


def reckoned(bench: Bench, class_named: str | None = None) -> Decomposition:
    """The savings of all days, or of one class."""
    period = savings_period(bench.workspace, now=bench.clock.now, class_named=class_named)
    return decomposition(bench.workspace, period)


def priced(bench: Bench, row: Row, **otherwise: Any) -> Decimal:
    """One attempt, priced alone as it was or otherwise."""
    asked = row | otherwise
    names = ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens")
    usage = Usage(
        **{name: asked[name] or 0 for name in (*names, "web_searches")},
        service_tier=asked["service_tier"],
        inference_geo=asked["inference_geo"],
    )
    facts = {name: asked[name] for name in ("model", "outcome", "stop_reason", "refusal_category")}
    return attempt_cost(bench.workspace.book, usage, at=asked["submitted_at"], **facts)


def at_list(bench: Bench, row: Row, model: str) -> Decimal:
    """One attempt at once, uncached, on its baseline model."""
    names = ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")
    plain = sum(row[name] or 0 for name in names)
    nothing = dict.fromkeys(names[1:], 0)
    return priced(bench, row, model=model, service_tier="standard", input_tokens=plain, **nothing)


def attempts(bench: Bench) -> list[Row]:
    """Every attempt as it stands in the ledger, with what its refusal was."""
    rows = bench.attempts().to_dicts()
    return [{"refusal_category": None, **row} for row in rows]


def test_repairs_caching_and_batches_add_up_item_by_item(make_bench: MakeBench) -> None:
    """A failed slice is repaired twice: list price has its job's answers two times more, those of the repair once."""
    bench = make_bench(error_rate=0.25)
    (job, *_) = bench.submit(*lone(40))
    bench.run()
    first = bench.repair(job).job_id
    bench.run()
    second = bench.repair(first).job_id
    bench.run()
    bench.server_changes()
    bench.submit(*shared("cached", 30))
    bench.run()

    found = reckoned(bench)

    again = {job: 2, first: 1}
    rows = attempts(bench)
    assert {job, first, second} < {row["job_id"] for row in rows}
    list_cost = sum(at_list(bench, row, row["model"]) * (1 + again.get(row["job_id"], 0)) for row in rows)
    assert found.total.list_cost == list_cost
    assert found.total.paid == sum(row["cost_usd"] for row in rows) == sum(priced(bench, row) for row in rows)
    assert sum(lever.amount for lever in found.total.levers) == list_cost - found.total.paid
    assert found.total.again == sum(again.get(row["job_id"], 0) for row in rows if row["usable"])
    assert found.total.of("routing") == found.total.of("contract") == 0
    assert min(found.total.of("batch"), found.total.of("caching"), found.total.of("sizing")) > 0
    assert found.total.attempts + found.total.unknown == len(rows)
    assert sum(part.savings.paid for part in found.classes) == found.total.paid


def test_a_job_without_repair_saved_nothing_by_its_size(make_bench: MakeBench) -> None:
    """As long as nobody sent a failed slice again, sending whole jobs again was not avoided."""
    bench = make_bench(error_rate=0.25)
    bench.submit(*lone(40))
    bench.run()
    assert reckoned(bench).total.of("sizing") == 0


def test_routed_work_is_held_against_the_model_before_its_route(bench: Bench) -> None:
    """After a route the same class runs on another model: list price is the model its owner names, day for day."""
    bench.submit(*shared("contract", 12))
    bench.run()
    before = reckoned(bench).total
    assert before.of("routing") == 0
    home = str(bench.query("classes_of_items", item_ids=["contract-000"])["class_id"][0])
    routes.apply_route(bench.workspace, home, HAIKU, now=bench.clock.now, uncertified=True)
    later = shared("contract", 40)[12:]
    bench.submit(*later)
    bench.run()

    found = reckoned(bench)

    routed = [row for row in attempts(bench) if row["model"] == HAIKU]
    assert len(routed) == len(later) == found.total.routed
    assert found.total.list_cost - before.list_cost == sum(at_list(bench, row, MODEL) for row in routed)
    assert found.total.of("routing") > 0
    assert "counted on the model used" in found.approximations[0]
    assert reckoned(bench, home).total == found.total


def test_a_declared_baseline_counts_before_any_route(bench: Bench) -> None:
    """What an owner declares is what the class is held against, until it is taken back."""
    bench.submit(*shared("contract", 12))
    bench.run()
    (name,) = bench.query("class_names")["name"]
    (class_id,) = declare_baseline(bench.workspace, name, "claude-opus-5-5", now=bench.clock.now)
    assert class_baselines(bench.workspace.store) == {class_id: "claude-opus-5-5"}
    assert reckoned(bench).total.of("routing") > 0

    declare_baseline(bench.workspace, name, None, now=bench.clock.now)
    assert class_baselines(bench.workspace.store) == {}
    assert reckoned(bench).total.of("routing") == 0


def test_wrong_names_models_and_days_are_refused(bench: Bench) -> None:
    """No such class, no such model, a period the wrong way round: each says so, and nothing is kept."""
    bench.submit(*lone(3))
    bench.run()
    now, workspace = bench.clock.now, bench.workspace
    with pytest.raises(NoSuchClass):
        declare_baseline(workspace, "nobody", MODEL, now=now)
    with pytest.raises(UnknownModel):
        declare_baseline(workspace, bench.query("class_names")["name"][0], "claude-unheard-of", now=now)
    with pytest.raises(NoSuchClass):
        savings_period(workspace, now=now, class_named="nobody")
    with pytest.raises(PeriodReversed):
        savings_period(workspace, now=now, first=now.date(), last=now.date() - timedelta(days=1))
    assert class_baselines(workspace.store) == {}


def test_trials_are_told_apart_from_work(make_bench: MakeBench) -> None:
    """What a trial costs is no part of the list price nor of what was paid: it stands beside them."""
    bench = trying(make_bench, items=60)
    bench.submit()
    bench.run()
    before = reckoned(bench)
    assert before.trials_usd == 0
    follow(bench, start(bench))

    found = reckoned(bench)

    assert found.total == before.total
    assert found.trials_usd > 0
    assert found.trials_usd + found.total.paid == sum(row["cost_usd"] for row in attempts(bench))


def test_what_was_missed_is_named_with_its_dollars(make_bench: MakeBench) -> None:
    """A life with unusable answers, the same content twice and a proven model: each is there, dearest first."""
    bench = make_bench(truncation_rate=0.3)
    asked = shared("contract", 30)
    twice = [{**one, "custom_id": f"again-{number}"} for number, one in enumerate(asked[:5])]
    bench.submit(*asked)
    bench.run()
    bench.server_changes()
    bench.submit(*twice)
    bench.run()
    now = bench.clock.now
    period = savings_period(bench.workspace, now=now)
    lines = routes.class_routes(bench.workspace, now=now)

    found = missed(bench.workspace, period, standing=lines, now=now)

    by_name = {each.name: each for each in found}
    rows = attempts(bench)
    failed = [row for row in rows if row["outcome"] == "succeeded" and not row["usable"]]
    assert by_name["failed"].amount == sum(row["cost_usd"] for row in failed)
    assert by_name["failed"].attempts == len(failed)
    usable = {row["item_id"] for row in rows if row["usable"]}
    copies = [row for row in rows if row["item_id"].startswith("again-")]
    paid_twice = [row for row in copies if row["item_id"].replace("again-", "contract-00") in usable]
    assert by_name["duplicates"].amount == sum(row["cost_usd"] for row in paid_twice)
    assert [each.amount for each in found] == sorted((each.amount for each in found), reverse=True)

    work = work_between(bench.workspace, first=period.first, last=period.last, now=now)
    (class_id,) = {row["class_id"] for row in rows}
    proven = [each for each in not_taken(work, {class_id: HAIKU}) if each.name == "dearer_model"]
    usd = sum(row["cost_usd"] - priced(bench, row, model=HAIKU) for row in rows)
    assert [each.amount for each in proven] == [usd]
