"""Budgets: what is sent without a word, what needs the amount to be typed, and what counts against a budget."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import actions
from core.intake.backlog import waiting_items
from core.jobs.journal import PlanOutdated, record_plan
from core.jobs.spending import Allowance, Check, OverBudget, check_prices, fits
from core.planning.plan import NothingToPlan, draft_plan
from core.sandbox import CreateFault
from core.settings import Settings
from tests.jobs.driving import Bench, MakeBench, lone, shared

GENEROUS = {"job_budget_usd": Decimal(50), "day_budget_usd": Decimal(100), "month_budget_usd": Decimal(1000)}


def budgets(**given: str) -> dict[str, Any]:
    """Settings with these budgets, the others generous."""
    return GENEROUS | {f"{period}_budget_usd": Decimal(usd) for period, usd in given.items()}


def price(bench: Bench) -> Decimal:
    """What the backlog is predicted to cost."""
    usd = actions.preview_plan(bench.workspace, now=bench.clock.now).predicted_usd
    assert usd is not None
    return usd


def check(bench: Bench) -> Check:
    """How the backlog would meet the budgets now."""
    plan = actions.preview_plan(bench.workspace, now=bench.clock.now)
    return actions.check_plan(bench.workspace, plan, now=bench.clock.now)


def standing(bench: Bench, period: str) -> tuple[Decimal, Decimal]:
    """Spent and committed of a period."""
    found = actions.check_plan(bench.workspace, None, now=bench.clock.now)
    return next((one.spent_usd, one.committed_usd) for one in found.budgets if one.period == period)


@pytest.mark.parametrize("period", ["job", "day", "month"])
def test_above_any_budget_nothing_is_sent_until_the_amount_is_typed(make_bench: MakeBench, period: str) -> None:
    """The refusal names the budget, what is spent and added, and what to type; typed, the plan goes."""
    bench = make_bench(settings=budgets(**{period: "0.001"}))
    bench.load(*lone(40, max_tokens=4000))
    words = str(check(bench).confirm)
    assert Decimal(words) - Decimal("0.01") < price(bench) <= Decimal(words)

    with pytest.raises(OverBudget) as refused:
        bench.submit()

    assert [budget.period for budget in refused.value.check.over] == [period]
    assert f"--confirm {words}" in refused.value.message
    assert "$0.01" in refused.value.message
    assert bench.jobs().is_empty()
    bench.submit(confirmed=words)
    assert bench.run().statuses() == {"complete": 40}


def test_within_the_budgets_nobody_is_asked(bench: Bench) -> None:
    """The defaults let small work pass without a word."""
    bench.load(*lone(5))
    assert check(bench).confirm is None
    assert not any(budget.over for budget in check(bench).budgets)
    assert bench.submit()


@pytest.mark.parametrize("typed", ["abc", "0.50"])
def test_who_types_an_amount_means_that_amount(bench: Bench, typed: str) -> None:
    """No budget asks for one, and a wrong one was typed: the person expected another plan, so nothing goes."""
    bench.load(*lone(4))

    for dry_run in (True, False):
        with pytest.raises(OverBudget) as refused:
            actions.submit(bench.workspace, now=bench.clock.now, confirmed=typed, dry_run=dry_run)
        assert typed in str(refused.value)
    right = check(bench).amount
    assert actions.submit(bench.workspace, now=bench.clock.now, confirmed=right).items == 4


def test_a_released_job_is_guarded_at_the_price_without_its_marks(make_bench: MakeBench) -> None:
    """A body held by its canary was planned cached; released it costs more, which a person has to say yes to."""
    bench = make_bench(width=2)
    bench.faults.creates.append(CreateFault.TOO_LARGE_HTML)
    _, body = bench.submit(*shared("alpha", 40))
    bench.run()
    assert bench.state(body)[0] == "held"
    plain = bench.job(body)["predicted_plain_usd"]
    bench.settings = replace(bench.settings, **budgets(day=str(plain - Decimal("0.001"))))
    bench.reopen()

    with pytest.raises(OverBudget) as refused:
        actions.release(bench.workspace, body, now=bench.clock.now)
    assert bench.state(body)[0] == "held"
    actions.release(bench.workspace, body, now=bench.clock.now, confirmed=refused.value.check.confirm)
    bench.run()
    assert bench.state(body)[0] == "done"


def test_any_other_amount_is_no_confirmation(make_bench: MakeBench) -> None:
    """A confirmation is for one amount, not a blank cheque."""
    bench = make_bench(settings=budgets(day="0"))
    bench.load(*lone(3))

    for typed in ("0", "1.00", "yes", "", "-1", "unpriced", "0.0"):
        with pytest.raises(OverBudget, match=f"confirmation {typed} is not" if typed else "Nothing was sent"):
            bench.submit(confirmed=typed)
    assert bench.jobs().is_empty()


def test_the_amount_may_be_typed_as_people_do(make_bench: MakeBench) -> None:
    """With a dollar sign, commas or spaces around it."""
    bench = make_bench(settings=budgets(day="0"))
    bench.load(*lone(3))
    words = check(bench).confirm

    assert words is not None
    assert fits(check(bench), f" $ {words} ")
    assert not fits(check(bench), f"1{words}")
    assert not fits(check(bench), None)


def test_a_plan_that_changed_since_it_was_shown_is_asked_for_anew(make_bench: MakeBench) -> None:
    """What came in meanwhile costs, too: the amount that was typed is not that of the new plan."""
    bench = make_bench(settings=budgets(day="0"))
    bench.load(*lone(20, max_tokens=4000))
    before = check(bench).confirm
    bench.load(*(line | {"custom_id": f"more-{line['custom_id']}"} for line in lone(20, max_tokens=4000)))

    with pytest.raises(OverBudget):
        bench.submit(confirmed=before)

    assert bench.jobs().is_empty()


def test_a_model_without_a_price_needs_a_word(bench: Bench) -> None:
    """What may cost anything fits no budget, and nobody types a zero for it."""
    bench.load(*lone(3, model="claude-nothing-1"))
    assert check(bench).confirm == "unpriced"
    with pytest.raises(OverBudget, match="without a known price, which may cost anything: 3"):
        bench.submit()
    bench.load(*shared("alpha", 3))
    mixed = check(bench).confirm
    assert mixed is not None and mixed.endswith("+unpriced") and Decimal(mixed.split("+")[0]) > 0
    with pytest.raises(OverBudget):
        bench.submit(confirmed="unpriced")
    assert bench.submit(confirmed=mixed)


def test_two_submissions_at_once_do_not_both_slip_under_a_budget(make_bench: MakeBench) -> None:
    """The same money is free only once: the check is in the transaction that records the jobs."""
    bench = make_bench()
    bench.load(*lone(20, max_tokens=4000))
    now, store = bench.clock.now, bench.workspace.store
    backlog = waiting_items(store, bench.folder, bench.workspace.book, simulated=True)
    halves = [
        draft_plan(part, book=bench.workspace.book, settings=bench.settings, now=now)
        for part in (backlog.head(10), backlog.tail(10))
    ]
    one = halves[0].predicted_usd
    assert one is not None
    limit = Settings(**budgets(day=str(one * Decimal("1.5"))))
    together = Barrier(2)

    def send(number: int) -> str:
        together.wait()
        allowance = Allowance(settings=limit, now=now, by=f"person {number}")
        try:
            record_plan(store, halves[number], now=now, simulated=True, allowance=allowance)
        except OverBudget as refused:
            return f"{refused.check.over[0].period}, {refused.check.over[0].committed_usd == one}"
        return "sent"

    with ThreadPoolExecutor(2) as people:
        assert sorted(people.map(send, (0, 1))) == ["day, True", "sent"]
    assert bench.jobs()["item_count"].sum() == 10


def test_a_submission_that_came_second_is_told_that_the_plan_is_outdated(make_bench: MakeBench) -> None:
    """Not that the budget is used up by the very jobs that it wanted to send."""
    bench = make_bench(settings=budgets(day="0.0105"))
    bench.load(*lone(3))
    plan = actions.preview_plan(bench.workspace, now=bench.clock.now)
    bench.submit()

    with pytest.raises(PlanOutdated):
        allowance = Allowance(settings=bench.settings, now=bench.clock.now, by="second")
        record_plan(bench.workspace.store, plan, now=bench.clock.now, simulated=True, allowance=allowance)


def test_what_is_claimed_counts_until_it_is_measured(bench: Bench) -> None:
    """Predicted while a job is planned, in doubt or running; measured, to the last digit, from then on."""
    bench.load(*lone(10))
    predicted = price(bench)
    bench.faults.creates.append(CreateFault.DROP_AFTER_COMMIT)
    (job,) = bench.submit()
    seen = {"planned": standing(bench, "day")}
    while bench.state(job)[0] != "done":
        bench.tick(minutes=3)
        seen[bench.state(job)[0]] = standing(bench, "day")

    done = seen.pop("done")
    assert {"planned", "unknown", "running"} <= set(seen)
    assert set(seen.values()) == {(Decimal(0), predicted)}
    assert done == standing(bench, "month") == (bench.job(job)["cost_usd"], Decimal(0))
    assert done[0] > 0


def test_what_was_called_off_before_it_was_sent_is_free_again(bench: Bench) -> None:
    """Its money can be spent on something else."""
    (job,) = bench.submit(*lone(10))
    assert standing(bench, "day")[1] > 0
    actions.cancel(bench.workspace, job, now=bench.clock.now)

    assert standing(bench, "day") == (Decimal(0), Decimal(0))


def test_day_and_month_begin_anew_in_utc(make_bench: MakeBench) -> None:
    """What was spent yesterday is not today's; on the first, the month begins at nothing."""
    bench = make_bench()
    bench.clock.now = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)
    (job,) = bench.submit(*lone(10))
    bench.tick()
    bench.clock.now = datetime(2026, 11, 29, 23, 59, 59, 999999, tzinfo=UTC)
    bench.run_until(job, "done")
    spent = bench.job(job)["cost_usd"]
    spans = {}
    for at in ("2026-11-29T23:59:59+00:00", "2026-11-30T00:00:00+00:00", "2026-12-01T00:00:00+00:00"):
        bench.clock.now = datetime.fromisoformat(at)
        spans[at[:10]] = (standing(bench, "day")[0], standing(bench, "month")[0])

    assert spans == {"2026-11-29": (spent, spent), "2026-11-30": (0, spent), "2026-12-01": (0, 0)}


def test_a_job_that_began_last_month_does_not_burden_this_one(bench: Bench) -> None:
    """A running job is priced on the day of its submission; one that was not sent yet will be on a day to come."""
    bench.clock.now = datetime(2026, 11, 30, 23, 50, tzinfo=UTC)
    (job,) = bench.submit(*lone(10))
    bench.tick()
    assert bench.state(job)[0] == "running"
    bench.load(*(line | {"custom_id": f"late-{line['custom_id']}"} for line in lone(5)))
    late = price(bench)
    bench.submit()
    bench.clock.now += timedelta(minutes=20)

    assert standing(bench, "month") == (Decimal(0), late)


def test_a_repair_is_guarded_like_a_plan(make_bench: MakeBench) -> None:
    """Sending a failed slice again spends again."""
    bench = make_bench(error_rate=1.0, settings=budgets(day="0"))
    bench.load(*lone(5))
    (job,) = bench.submit(confirmed=check(bench).confirm)
    bench.run()
    preview = bench.slice(job)
    words = actions.check_repair(bench.workspace, [preview], now=bench.clock.now).confirm

    with pytest.raises(OverBudget):
        bench.repair(job)
    assert bench.jobs().height == 1
    assert bench.slice(job) == preview
    assert bench.repair(job, confirmed=words).created


def test_who_confirmed_what_is_kept(make_bench: MakeBench) -> None:
    """For every job of a plan, and for a repair: the person, the amount and the budgets that it went over."""
    bench = make_bench(error_rate=1.0, settings=budgets(day="0", job="0"))
    bench.load(*shared("alpha", 8))
    words = check(bench).confirm
    jobs = bench.submit(confirmed=words)
    bench.run_until(jobs[0], "done")
    (again,) = {actions.check_repair(bench.workspace, [bench.slice(jobs[0])], now=bench.clock.now).confirm}
    repair = bench.repair(jobs[0], confirmed=again).job_id

    kept = [bench.query("confirmation_of", job_id=job).to_dicts() for job in (*jobs, repair)]
    assert [len(rows) for rows in kept] == [1, 1, 1]
    assert [rows[0]["amount"] for rows in kept] == [words, words, again]
    assert {tuple(rows[0]["budgets"]) for rows in kept} == {("job", "day")}
    assert kept[0][0]["confirmed_by"] == bench.workspace.actor.name


def test_a_dry_run_says_what_it_would_take_and_keeps_nothing(make_bench: MakeBench) -> None:
    """The same code up to the commit: claims, budgets and refusals, and then nothing of it is there."""
    bench = make_bench(settings=budgets(day="0"))
    bench.load(*shared("alpha", 8))
    before = bench.workspace.store.version

    tried = actions.submit(bench.workspace, now=bench.clock.now, dry_run=True)

    assert (len(tried.jobs), tried.items) == (2, 8)
    assert tried.check.confirm == check(bench).confirm is not None
    assert bench.workspace.store.version == before
    assert bench.jobs().is_empty() and bench.statuses() == {"backlog": 8}
    bench.submit(confirmed=tried.check.confirm)
    with pytest.raises(NothingToPlan):
        actions.submit(bench.workspace, now=bench.clock.now, dry_run=True)


def test_a_second_round_of_priming_happens_once_and_stays_within_the_plan(make_bench: MakeBench) -> None:
    """What the worker adds by itself moves items within the plan, and never again: it cannot run away."""
    bench = make_bench(error_rate=1.0)
    jobs = bench.submit(*shared("alpha", 30))
    committed = standing(bench, "day")[1]
    bench.run(60)

    assert bench.jobs().filter(role="primer").height == 2
    assert bench.jobs().height == len(jobs) + 1
    assert sum(standing(bench, "day")) <= committed
    assert bench.attempts()["item_id"].n_unique() == bench.attempts().height == 30


def test_a_body_that_lost_its_marks_counts_at_its_price_without_them(bench: Bench) -> None:
    """A cold body costs what was predicted without caching, and the budgets know it before it is measured."""
    primer, body = bench.submit(*shared("alpha", 40))
    row = bench.job(body)
    bench.run_until(primer, "done")
    spent = standing(bench, "day")[0]
    bench.write("unmark_job", job_id=body)
    bench.write("set_unmarked", job_id=body)

    assert row["predicted_usd"] < row["predicted_plain_usd"]
    assert standing(bench, "day") == (spent, row["predicted_plain_usd"])


MONEY = st.decimals(0, 1000, places=6)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store in which nothing was ever spent."""
    from core.store import Store

    store = Store.open(tmp_path_factory.mktemp("empty") / "lotwise.duckdb")
    yield store
    store.close()


@given(
    prices=st.lists(st.tuples(st.none() | MONEY, st.integers(1, 9)), max_size=5), limits=st.tuples(MONEY, MONEY, MONEY)
)
def test_it_asks_exactly_where_something_does_not_fit(empty: Any, prices: Any, limits: Any) -> None:
    """Over a budget or without a price: the amount is asked for; else never. What is asked for always fits."""
    job, day, month = limits
    settings = Settings(job_budget_usd=job, day_budget_usd=day, month_budget_usd=month)

    found = check_prices(empty, settings, prices, now=datetime(2026, 11, 22, tzinfo=UTC))

    known = [usd for usd, _ in prices if usd is not None]
    total = sum(known, Decimal(0))
    over = total > 0 and (max(known, default=0) > job or total > day or total > month)
    assert (found.confirm is not None) is (over or len(known) < len(prices))
    assert fits(found, found.confirm or "")
    if found.confirm and known:
        shown = Decimal(found.confirm.split("+")[0])
        assert total <= shown < total + Decimal("0.01")
