"""Recurring schedules kept by the worker: each run once, whatever becomes of the process, the clock or the budget."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import actions
from core.jobs.halt import SendingStopped
from core.jobs.spending import Allowance, OverBudget
from core.planning.plan import NothingToPlan
from core.recurring.runs import Due, Runs, RunTaken
from core.recurring.schedules import NameInvalid, NameTaken, Run, Schedule, UnknownSchedule
from core.schedule.cadence import NothingRecurs
from core.schedule.rhythm import Rhythm, Way, Within, parse_need, parse_recurring
from tests.jobs.driving import START, Bench, MakeBench, lone, shared

TIMES = tuple(parse_recurring(f"{hour}:00 UTC") for hour in (11, 13, 15))
POOR = {"day_budget_usd": Decimal(0)}


def o_clock(hour: int, minute: int = 0) -> datetime:
    """A time of the first day."""
    return START.replace(hour=hour, minute=minute)


def add(bench: Bench, name: str = "nightly", *, classes: list[str] | None = None, **options: Any) -> None:
    """Add a schedule: at 11, 13 and 15 o'clock, unless something else is asked for."""
    given: dict[str, Any] = {"way": Way.AT, "need": Within(24), "lead": 3600.0, "times": TIMES}
    actions.add_recurring(bench.workspace, name, Rhythm(**given | options), now=bench.clock.now, classes=classes)


def the(bench: Bench, name: str = "nightly") -> Schedule:
    """A schedule as it stands."""
    return next(one for one in actions.list_schedules(bench.workspace) if one.name == name)


def runs(bench: Bench, name: str = "nightly") -> list[Run]:
    """Its runs, oldest first."""
    return sorted((run for _, run in actions.schedule_runs(bench.workspace, name)), key=lambda run: run.number)


def tick_at(bench: Bench, hour: int, minute: int = 0) -> None:
    """Let time pass until then, and have the worker take one step."""
    bench.tick(seconds=(o_clock(hour, minute) - bench.clock.now).total_seconds())


def test_a_due_run_sends_what_waits_once(bench: Bench) -> None:
    """Nothing before its time, everything at it, nothing again afterwards; the run says what came of it."""
    bench.load(*lone(5))
    add(bench)
    assert the(bench).next_due == o_clock(11)
    tick_at(bench, 10, 59)
    assert runs(bench) == [] and bench.server.items == []

    tick_at(bench, 11)
    bench.run()
    (run,) = runs(bench)
    assert (run.state, run.items, run.due_at, run.missed_from) == ("sent", 5, o_clock(11), None)
    assert sorted(bench.server.items) == [f"lone-{number:03d}" for number in range(5)]
    assert run.under_way == 0 and run.succeeded == 5
    assert run.ready_at is not None and run.ready_at < run.needed_by
    entry = actions.audit_log(bench.workspace, limit=1, actor="schedule nightly")[0]
    assert (entry.action, entry.how, entry.subject["plan_id"]) == ("run-schedule", "worker", run.plan_id)

    tick_at(bench, 13)
    assert [run.state for run in runs(bench)] == ["sent", "empty"]
    assert len(bench.server.items) == 5


def test_missed_runs_are_made_up_for_once(bench: Bench) -> None:
    """The machine was off at 11, 13 and 15 o'clock: one run, and the next one at its time."""
    bench.load(*lone(3))
    add(bench)
    bench.workspace.close()
    bench.clock.move(hours=6)
    bench.reopen()
    bench.tick()

    (run,) = runs(bench)
    assert (run.state, run.due_at, run.missed_from) == ("sent", o_clock(15), o_clock(11))
    assert the(bench).next_due == o_clock(11) + timedelta(days=1)
    bench.run()
    assert len(runs(bench)) == 1 and len(bench.server.items) == 3


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("where", ["core.recurring.runs.note", "core.jobs.steps.send"])
def test_a_kill_at_any_moment_neither_loses_a_run_nor_sends_one_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Killed in the last statement of the transaction, nothing of the run is there; after it, all of it is."""
    bench.load(*lone(4))
    add(bench)

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(where, dies)
        with pytest.raises(Killed):
            tick_at(bench, 11)
    committed = where.endswith("send")
    bench.reopen()
    assert (len(runs(bench)), bench.jobs().height) == ((1, 1) if committed else (0, 0))

    bench.tick()
    bench.run()
    assert [run.state for run in runs(bench)] == ["sent"]
    assert len(bench.server.items) == len(set(bench.server.items)) == 4


def test_a_run_waits_for_the_one_before_it(bench: Bench) -> None:
    """What is due while an earlier run is under way waits, says so, and goes once when that has ended."""
    add(bench)
    bench.load(*lone(2))
    tick_at(bench, 11)
    bench.load(*shared("late", 4))
    bench.clock.move(hours=5)
    bench.workspace.worker.tick()
    assert len(runs(bench)) == 1
    assert the(bench).waits_for == "An earlier run is still under way"

    bench.run()
    first, second = runs(bench)
    assert first.ready_at is not None and first.ready_at <= second.started_at
    assert (second.state, second.items, second.due_at, second.missed_from) == ("sent", 4, o_clock(15), o_clock(13))
    assert the(bench).waits_for is None


def test_setting_the_clock_sends_nothing_twice_and_skips_nothing(bench: Bench) -> None:
    """An hour back after a run: its moment had its run. A year ahead and back: the schedule goes on as it was."""
    add(bench)
    bench.load(*lone(2))
    tick_at(bench, 11, 5)
    bench.run()
    bench.load(*shared("more", 3))
    bench.set_own_clock(hours=-1)
    tick_at(bench, 12, 10)
    assert len(runs(bench)) == 1
    assert the(bench).next_due == o_clock(13)

    bench.set_own_clock(days=365)
    bench.tick()
    assert [run.items for run in runs(bench)] == [2, 3]
    bench.set_own_clock()
    bench.run()
    assert the(bench).next_due == o_clock(13)
    bench.load(*shared("last", 3))
    tick_at(bench, 13)
    assert [(run.items, run.due_at) for run in runs(bench)][-1] == (3, o_clock(13))


def test_over_budget_nothing_is_sent_until_a_person_confirms(make_bench: MakeBench) -> None:
    """The refusal names the amount, is not repeated before the next time, and is lifted by that amount alone."""
    bench = make_bench(POOR)
    bench.load(*lone(5))
    add(bench)
    tick_at(bench, 11)
    bench.tick(minutes=5)
    (run,) = runs(bench)
    assert (run.state, run.items) == ("refused", 0) and run.needs_person and run.amount
    assert "The budget of the day is $0.00" in (run.reason or "")
    assert bench.query("schedules_refused").row(0, named=True)["schedules"] == 1
    assert bench.jobs().is_empty()

    now = bench.clock.now
    assert actions.run_recurring(bench.workspace, "nightly", now=now, dry_run=True).check.confirm == run.amount
    with pytest.raises(OverBudget):
        actions.run_recurring(bench.workspace, "nightly", now=now)
    actions.run_recurring(bench.workspace, "nightly", now=now, confirmed=run.amount)
    sent = runs(bench)[-1]
    assert (sent.state, sent.items, sent.started_by) == ("sent", 5, bench.workspace.actor.name)
    assert bench.query("schedules_refused").row(0, named=True)["schedules"] == 0
    assert the(bench).next_due == o_clock(13)


def test_while_sending_is_stopped_schedules_send_nothing(bench: Bench) -> None:
    """Not even after it is resumed: the next time is the next time."""
    bench.load(*lone(5))
    add(bench)
    actions.stop(bench.workspace, now=bench.clock.now)
    tick_at(bench, 11)
    (run,) = runs(bench)
    assert run.state == "refused" and (run.reason or "").startswith("Sending is stopped") and run.amount is None
    with pytest.raises(SendingStopped):
        actions.run_recurring(bench.workspace, "nightly", now=bench.clock.now)
    actions.resume(bench.workspace, now=bench.clock.now)
    bench.tick(minutes=5)
    assert bench.jobs().is_empty()
    tick_at(bench, 13)
    assert runs(bench)[-1].state == "sent"


def test_a_paused_schedule_sends_nothing_and_makes_up_for_nothing(bench: Bench) -> None:
    """A person may still send what waits for it; removed, it is gone and its name is free."""
    bench.load(*lone(5))
    add(bench)
    actions.pause_recurring(bench.workspace, "nightly", paused=True, now=bench.clock.now)
    tick_at(bench, 14)
    assert runs(bench) == []
    actions.pause_recurring(bench.workspace, "nightly", paused=False, now=bench.clock.now)
    bench.tick()
    assert runs(bench) == [] and the(bench).next_due == o_clock(15)
    actions.pause_recurring(bench.workspace, "nightly", paused=True, now=bench.clock.now)
    actions.run_recurring(bench.workspace, "nightly", now=bench.clock.now)
    assert [run.items for run in runs(bench)] == [5]

    with pytest.raises(NameTaken):
        add(bench)
    actions.remove_recurring(bench.workspace, "nightly", now=bench.clock.now)
    assert actions.list_schedules(bench.workspace) == ()
    with pytest.raises(UnknownSchedule):
        actions.remove_recurring(bench.workspace, "nightly", now=bench.clock.now)
    add(bench)
    with pytest.raises(NameInvalid):
        add(bench, "two\nlines")


def test_a_schedule_of_some_classes_leaves_the_others(bench: Bench) -> None:
    """Classes may be named or given by id; one that is not there is refused."""
    bench.load(*shared("alpha", 4), *shared("beta", 6))
    waiting = bench.query("waiting_by_class", class_ids=None)
    names = {row["items"]: row["class_id"] for row in waiting.iter_rows(named=True)}
    add(bench, classes=[names[4]])
    with pytest.raises(actions.UnknownClass):
        add(bench, "other", classes=["none such"])
    tick_at(bench, 11)
    bench.run()
    assert {item[:5] for item in bench.server.items} == {"alpha"}
    assert runs(bench)[0].items == 4


def test_a_queue_sends_the_classes_of_which_enough_waits(bench: Bench) -> None:
    """Five of one class go at once, four of another when its oldest has to; no class overlaps its own earlier run."""
    add(bench, way=Way.QUEUE, times=(), items=5, need=Within(8), lead=7200.0)
    bench.load(*shared("alpha", 5), *shared("beta", 4))
    bench.tick()
    assert {item[:5] for item in bench.server.items} <= {"alpha"}
    assert [run.items for run in runs(bench)] == [5]
    bench.load(*shared("alpha", 11)[5:])
    bench.workspace.worker.tick()
    assert len(runs(bench)) == 1 and the(bench).waits_for == "An earlier run is still under way"
    bench.run().tick()
    assert [run.items for run in runs(bench)] == [5, 6]
    bench.run()

    tick_at(bench, 15, 59)
    assert len(runs(bench)) == 2
    tick_at(bench, 16)
    assert [run.items for run in runs(bench)] == [5, 6, 4]
    assert runs(bench)[-1].needed_by == o_clock(18)


def test_a_queue_that_may_not_be_sent_is_not_tried_at_every_look(make_bench: MakeBench) -> None:
    """It stays long enough: one refusal an hour, until it fits."""
    bench = make_bench(POOR)
    add(bench, way=Way.QUEUE, times=(), items=2, need=Within(8))
    bench.load(*lone(5))
    for _ in range(3):
        bench.tick(minutes=5)
    assert [run.state for run in runs(bench)] == ["refused"]
    bench.tick(hours=1)
    assert [run.state for run in runs(bench)] == ["refused", "refused"]


def test_a_run_before_each_need_goes_by_its_lead(bench: Bench) -> None:
    """100 minutes before 13:00: what came by 11:20 is meant for 13:00, what comes later for the next day."""
    add(bench, way=Way.BEFORE, times=(), need=parse_need("13:00 UTC"), lead=6000.0)
    bench.load(*lone(2))
    assert the(bench).next_due == o_clock(11, 20)
    tick_at(bench, 11, 20)
    (run,) = runs(bench)
    assert (run.state, run.needed_by) == ("sent", o_clock(13))
    assert the(bench).next_due == o_clock(11, 20) + timedelta(days=1)


def test_who_acts_on_an_old_view_of_a_schedule_sends_nothing(bench: Bench) -> None:
    """A run claims the schedule as it was read: paused or run meanwhile, the plan goes back with the claim."""
    bench.load(*lone(3))
    add(bench)
    seen, work = the(bench), bench.workspace
    made = Runs(store=work.store, folder=work.folder, gateway=work.gateway, book=work.book, settings=work.settings)
    due = Due(at=o_clock(11), missed_from=None, class_ids=None, needed_by=o_clock(20))
    allowance = Allowance(settings=work.settings, now=o_clock(11), by="schedule nightly")
    actions.pause_recurring(work, "nightly", paused=True, now=bench.clock.now)
    with pytest.raises(RunTaken):
        made.send(seen, due, allowance)
    assert bench.jobs().is_empty() and runs(bench) == []
    actions.run_recurring(work, "nightly", now=bench.clock.now)
    with pytest.raises((RunTaken, NothingToPlan)):
        made.send(seen, due, allowance)
    assert len(runs(bench)) == 1


def test_a_cadence_is_learned_from_what_came_in(bench: Bench) -> None:
    """Nothing came in: refused with what to do. Then priced by class, or at a stated rate; one click keeps it."""
    need = parse_need("13:00 UTC")
    with pytest.raises(NothingRecurs):
        actions.recommend_cadence(bench.workspace, need=need, now=bench.clock.now)
    for day in range(3):
        bench.load(*shared(f"day{day}", 30))
        bench.clock.move(hours=24)
    found = actions.recommend_cadence(bench.workspace, need=need, now=bench.clock.now)
    best = found.advice.best
    assert found.days == pytest.approx(3.0)
    assert best.rhythm.way is Way.BEFORE and best.week_usd > 0 and best.on_time >= 0.95
    assert found.advice.came.sum() == pytest.approx(210.0, rel=0.2)
    assert all(other.week_usd >= best.week_usd * 0.98 for other in found.advice.others)

    stated = actions.recommend_cadence(bench.workspace, need=need, now=bench.clock.now, items_a_day=3000.0)
    assert stated.advice.came.sum() == pytest.approx(21_000, rel=0.01)
    assert stated.advice.best.week_usd > best.week_usd

    rhythm = actions.rhythm_for(bench.workspace, way=Way.BEFORE, need=need, now=bench.clock.now)
    assert rhythm == best.rhythm
    assert actions.add_recurring(bench.workspace, "best", rhythm, now=bench.clock.now).next_due == rhythm.next(
        bench.clock.now
    )


def test_a_schedule_that_cannot_be_planned_says_so_and_lets_the_others_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is recorded by its kind, whose text may hold anything; it is not tried at every look."""
    bench.load(*lone(3))
    add(bench, "a")
    planned = Runs.send

    def fails(self: Runs, schedule: Schedule, *args: Any, **kwargs: Any) -> Any:
        if schedule.name == "a":
            raise ValueError("odd")
        return planned(self, schedule, *args, **kwargs)

    monkeypatch.setattr(Runs, "send", fails)
    add(bench, "b")
    tick_at(bench, 11)
    bench.tick(minutes=1)
    assert [(run.state, run.reason) for run in runs(bench, "a")] == [
        ("failed", "Lotwise met something unexpected: ValueError")
    ]
    assert [run.state for run in runs(bench, "b")] == ["sent"]
