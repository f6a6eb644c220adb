"""Where a class stands, reckoned from its month: money at stake, what is lighter, what retires, what drifts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.actions import routes
from core.intake.routing import Route
from core.prices import PriceBook
from core.routing.judging import JudgeTally
from core.routing.verdict import Bar, Tally, rule
from core.trials.class_routes import ClassRoute, RouteState, stand
from core.trials.standing import CandidateStanding, TrialStanding
from core.trials.trial import TrialState
from tests.jobs.driving import Bench, MakeBench, lone, shared

NOW = datetime(2026, 11, 20, tzinfo=UTC)
BOOK = PriceBook.load()
SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"


def work(class_id: str = "a", model: str = SONNET, **more: Any) -> dict[str, Any]:
    """A month of a class: a million tokens of plain input, a hundred thousand of output, billed on its model."""
    rates = BOOK.rates(model, at=NOW)
    row = {
        "home_id": class_id,
        "home_name": class_id,
        "class_id": class_id,
        "model": model,
        "prefix_tokens": 0,
        "waiting_items": 0,
        "attempts": 1000,
        "units": 1000,
        "input_tokens": 1_000_000,
        "write_tokens": 0,
        "read_tokens": 0,
        "output_tokens": 100_000,
    }
    return row | {"cost_usd": 1_000_000 * rates.input + 100_000 * rates.output} | more


def one(*rows: dict[str, Any], route: Route | None = None, **more: Any) -> ClassRoute:
    """The only line of these rows."""
    routed = (route,) if route else ()
    (line,) = stand(rows, {}, routed, (), more.pop("alarms", {}), refuted={}, book=BOOK, now=NOW)
    return line


def test_the_money_at_stake_is_the_months_tokens_at_the_other_models_rates() -> None:
    """Same tokenizer, no cache: exactly the difference of the bills; not proven, and said so."""
    line = one(work())
    mine, other = (BOOK.rates(model, at=NOW) for model in (SONNET, HAIKU))
    saving = 1_000_000 * (mine.input - other.input) + 100_000 * (mine.output - other.output)
    assert (line.state, line.best_model, line.proven) == (RouteState.NEVER, HAIKU, False)
    assert line.saving_month_usd == saving
    assert line.usd_month == work()["cost_usd"] and line.items_month == 1000


def test_a_cache_counts_where_the_other_models_floor_lets_it() -> None:
    """A prefix that reaches the floor is read at its price there too; one under it is paid in full."""
    tokens: dict[str, Any] = {"input_tokens": 100_000, "read_tokens": 900_000}
    kept, shut = (one(work(prefix_tokens=prefix, **tokens)).saving_month_usd for prefix in (5_000, 100))
    other = BOOK.rates(HAIKU, at=NOW)
    assert kept is not None and shut is not None
    assert kept - shut == 900_000 * (other.input - other.cache_read)


def test_nothing_is_lighter_than_the_lightest_and_an_unpriced_month_is_not_zero() -> None:
    """No model is named for a saving that is not there; unknown money stays unknown."""
    light = one(work(model=HAIKU))
    assert (light.state, light.best_model, light.saving_month_usd) == (RouteState.NOTHING_LIGHTER, None, None)
    unknown = one(work(cost_usd=None))
    assert (unknown.usd_month, unknown.saving_month_usd) == (None, None)
    waiting = one(work(attempts=0, units=0, cost_usd=None, waiting_items=7))
    assert (waiting.state, waiting.best_model, waiting.usd_month) == (RouteState.NEVER, HAIKU, None)


def test_a_routed_class_counts_what_it_saved_on_all_its_work_of_the_month() -> None:
    """Work before and after the switch is one line: what all of it would have cost on its owner's model, or on both."""
    route = Route(
        route_id="r",
        class_id="a",
        from_model=SONNET,
        model=HAIKU,
        trial_id=None,
        applied_at=NOW,
        applied_by="tester",
        withdrawn_at=None,
        withdrawn_by=None,
    )
    rows = (work(), work("b", HAIKU, waiting_items=3, home_id="a"))
    line = one(*rows, route=route)
    assert (line.class_id, line.model, line.routed_from, line.waiting) == ("a", HAIKU, SONNET, 3)
    assert (line.items_month, line.usd_month) == (2000, rows[0]["cost_usd"] + rows[1]["cost_usd"])
    assert line.saving_month_usd == 2 * (rows[0]["cost_usd"] - rows[1]["cost_usd"])
    assert (line.state, line.proven) == (RouteState.APPLIED, False)
    rung = one(*rows, route=route, alarms={"r": "It rings."})
    assert (rung.state, rung.why) == (RouteState.ALARM, "It rings.")


def tried(trial_id: str, at: datetime, *, labels: int, correct: int) -> TrialStanding:
    """A decided trial of Haiku on the class `a`."""
    bar, tally = Bar(rate=0.8), Tally(labels=labels, correct=correct)
    found = CandidateStanding(
        model=HAIKU,
        verdict=rule(tally, bar),
        tally=tally,
        ungraded=0,
        disputed=0,
        usd_per_item=None,
        more_usd=None,
        changes=(),
        judge=JudgeTally(),
    )
    return TrialStanding(
        trial_id=trial_id,
        class_id="a",
        class_name="a",
        state=TrialState.DECIDED,
        reason=None,
        bar=bar,
        grader={},
        reference_model=SONNET,
        created_at=at,
        created_by="tester",
        closed_at=at,
        rounds=1,
        sample=labels,
        spent_usd=Decimal(0),
        budget_usd=Decimal(1),
        candidates=(found,),
        noise=None,
        to_label=0,
        labelled=0,
    )


def test_the_newest_trial_that_decided_on_a_model_counts_and_what_its_use_refuted_does_not() -> None:
    """An older proof never beats a newer failure; after a withdrawal for an alarm only a trial begun since proves."""
    day = timedelta(days=1)
    good, bad = {"labels": 100, "correct": 97}, {"labels": 200, "correct": 120}
    unsure = tried("later", NOW - day, labels=3, correct=2)

    def proof(*trials: TrialStanding, refuted: datetime | None = None) -> str | None:
        known = {("a", HAIKU): refuted} if refuted else {}
        (line,) = stand([work()], {}, (), trials, {}, refuted=known, book=BOOK, now=NOW)
        assert (line.state is RouteState.CERTIFIED) == (line.best_model == HAIKU) == line.proven
        return line.trial_id

    old, new = NOW - 5 * day, NOW - 2 * day
    assert proof(tried("new", new, **bad), tried("old", old, **good)) is None
    assert proof(tried("new", new, **good), tried("old", old, **bad)) == "new"
    assert proof(unsure, tried("old", old, **good)) == "old"
    assert proof(tried("old", old, **good), refuted=new) is None
    assert proof(tried("new", new, **good), refuted=old) == "new"


def test_a_model_that_is_to_retire_is_raised_with_all_that_runs_on_it(bench: Bench) -> None:
    """Sixty days ahead, routed or not: from that day on the requests fail."""
    leaving = BOOK.model("claude-sonnet-4-5")
    bench.load(*shared("old", 3, model=leaving.id), *shared("new", 3))
    (alarm,) = routes.route_alarms(bench.workspace, now=bench.clock.now)
    assert (alarm.kind, alarm.model, alarm.at) == ("retires", leaving.id, leaving.retires_at)
    assert f"{leaving.retires_at:%Y-%m-%d}" in alarm.said
    assert routes.route_alarms(bench.workspace, now=bench.clock.now - timedelta(days=60)) == ()


def test_fewer_usable_answers_than_before_the_switch_are_raised(make_bench: MakeBench) -> None:
    """Validity is watched on all answers, without a trial or a label: the share that is usable must not surely fall."""
    bench = make_bench()
    bench.submit(*lone(40))
    bench.run()
    class_id = str(bench.query("classes_of_items", item_ids=["lone-000"])["class_id"][0])
    routes.apply_route(bench.workspace, class_id, HAIKU, now=bench.clock.now, uncertified=True)
    bench.server_changes(truncation_rate=1.0)
    bench.submit(*lone(60))
    bench.run()
    (watch,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert (watch.kind, watch.answers, watch.usable, watch.bar) == ("drift", 20, 0, None)
    (alarm,) = routes.route_alarms(bench.workspace, now=bench.clock.now)
    assert alarm.kind == "drift" and "usable" in alarm.said
    (line,) = routes.class_routes(bench.workspace, now=bench.clock.now)
    assert line.state is RouteState.APPLIED


@pytest.mark.parametrize("items", [1, 5])
def test_few_answers_ring_no_bell(make_bench: MakeBench, items: int) -> None:
    """One bad answer, or a handful against a handful, proves nothing."""
    bench = make_bench()
    bench.submit(*lone(3))
    bench.run()
    class_id = str(bench.query("classes_of_items", item_ids=["lone-000"])["class_id"][0])
    routes.apply_route(bench.workspace, class_id, HAIKU, now=bench.clock.now, uncertified=True)
    bench.server_changes(truncation_rate=1.0)
    bench.submit(*lone(3 + items))
    bench.run()
    assert routes.route_alarms(bench.workspace, now=bench.clock.now) == ()
