"""Trials go on by themselves, in priced rounds, until their verdict is certain; the work never notices."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core import actions
from core.actions import trials
from core.grading import BadGrader, GoldUnusable
from core.jobs.halt import SendingStopped
from core.jobs.spending import OverBudget
from core.prices import UnknownModel
from core.routing.verdict import Bar, Ruling, rule
from core.trials.starting import TrialRefused
from core.trials.trial import TrialOver
from tests.jobs.driving import MakeBench, marks, request, shared
from tests.jobs.trying import CANDIDATE, REFERENCE, ask, follow, requests, standing, start, state, trying, work


@pytest.fixture
def small_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of a dozen items, so that a verdict takes several."""
    monkeypatch.setattr("core.trials.asking.FIRST_ROUND", (12, 12))
    monkeypatch.setattr("core.trials.asking._LATER_ROUND", (12, 24))


@pytest.mark.usefixtures("small_rounds")
def test_a_trial_goes_on_in_rounds_until_it_is_certain(make_bench: MakeBench) -> None:
    """Its verdict is that of its labels, it is primed, costs what its jobs cost, and leaves the work untouched."""
    bench = trying(make_bench)
    before = work(bench)
    preview = trials.preview_trial(bench.workspace, ask(bench), now=bench.clock.now)
    made = trials.start_trial(bench.workspace, ask(bench), now=bench.clock.now)
    found = follow(bench, made.trial_id)
    (one,) = found.candidates

    assert (found.state, one.model, one.verdict.ruling) == ("decided", CANDIDATE, Ruling.CLEARS)
    assert found.rounds > 2
    assert one.tally.labels >= one.verdict.labels > 12
    assert rule(one.tally, Bar(rate=0.85)).ruling is Ruling.CLEARS

    jobs = bench.jobs()
    assert set(jobs["role"]) == {"primer", "trial"}
    assert set(jobs["model"]) == {CANDIDATE}
    assert found.spent_usd == jobs["cost_usd"].sum() <= found.budget_usd
    assert jobs.filter(role="trial")["hit_rate"].min() == 1
    assert preview.usd == made.predicted_usd
    assert sum(marks(body) for body in bench.server.requests) == len(bench.server.items)
    assert len(set(bench.server.items)) == len(bench.server.items)
    assert work(bench) == before
    day = actions.check_plan(bench.workspace, None, now=bench.clock.now).budgets[1]
    assert day.spent_usd == found.spent_usd


@pytest.mark.usefixtures("small_rounds")
def test_a_trial_that_is_killed_anywhere_loses_nothing_and_pays_nothing_twice(make_bench: MakeBench) -> None:
    """Another process goes on after every single step, with the same items, labels and verdict."""
    calm = trying(make_bench, items=80)
    expected = follow(calm, start(calm, bar=Bar(rate=0.75)))
    killed = trying(make_bench, items=80)  # draws the same ids
    killed_id = start(killed, bar=Bar(rate=0.75))
    for _ in range(40):
        killed.tick(minutes=5)
        killed.reopen()
        if state(killed, killed_id) != "running":
            break
    found = standing(killed, killed_id)

    assert expected.rounds > 1
    assert (found.trial_id, found.state, found.rounds) == (expected.trial_id, "decided", expected.rounds)
    assert sorted(killed.server.items) == sorted(set(calm.server.items))
    assert (found.candidates, found.spent_usd) == (expected.candidates, expected.spent_usd)


def test_its_budget_is_never_passed_and_ends_it(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is spent stays within it, however long the answers get; what it does not pay for is not sent."""
    monkeypatch.setattr("core.trials.asking._LATER_ROUND", (40, 60))
    bench = trying(make_bench)
    wish = ask(bench, bar=Bar(rate=0.95))
    whole = trials.preview_trial(bench.workspace, wish, now=bench.clock.now)
    assert whole.usd is not None
    budget = (whole.usd * Decimal("0.25")).quantize(Decimal("0.0001"))
    less = trials.preview_trial(bench.workspace, ask(bench, bar=wish.bar, budget_usd=budget), now=bench.clock.now)
    assert less.usd is not None
    assert 0 < less.items < whole.items
    assert less.usd <= budget
    trial_id = start(bench, bar=wish.bar, budget_usd=budget)
    found = follow(bench, trial_id)

    assert found.state == "spent"
    assert found.candidates[0].verdict.ruling is Ruling.NOT_YET
    assert budget / 2 < found.spent_usd <= budget

    nothing = trials.preview_trial(bench.workspace, ask(bench, budget_usd=Decimal("0.000001")), now=bench.clock.now)
    assert (nothing.items, nothing.usd) == (0, None)
    assert nothing.refused
    with pytest.raises(TrialRefused, match="does not pay for one item"):
        start(bench, budget_usd=Decimal("0.000001"))


def test_answers_longer_than_predicted_do_not_pass_its_budget(make_bench: MakeBench) -> None:
    """A round has to fit even if every answer is as long as it may be, since nothing is known of them at first."""
    bench = trying(make_bench, items=60, settings={"output_share": 0.05}, output_share=1.0)
    predicted = trials.preview_trial(bench.workspace, ask(bench), now=bench.clock.now).usd
    assert predicted is not None
    budget = (predicted / 2).quantize(Decimal("0.000001"))
    found = follow(bench, start(bench, bar=Bar(rate=0.95), budget_usd=budget))
    assert found.state == "spent"
    assert budget / 3 < found.spent_usd <= budget


@pytest.mark.usefixtures("small_rounds")
def test_a_halt_and_the_budgets_of_the_workspace_hold_for_every_round(make_bench: MakeBench) -> None:
    """While nothing may be sent a trial says why it waits, and goes on once it may."""
    bench = trying(make_bench)
    trial_id = start(bench)
    while bench.workspace.worker.active():
        bench.tick(minutes=5)
    actions.stop(bench.workspace, now=bench.clock.now)
    sent = len(bench.server.items)
    for _ in range(4):
        bench.tick(minutes=15)
    assert "Sending is stopped" in (standing(bench, trial_id).reason or "")
    assert len(bench.server.items) == sent
    with pytest.raises(SendingStopped):
        start(bench)
    actions.resume(bench.workspace, now=bench.clock.now)
    assert follow(bench, trial_id).state == "decided"


def test_what_goes_over_a_budget_has_to_be_confirmed_and_a_dry_run_keeps_nothing(make_bench: MakeBench) -> None:
    """The first round is held to the budgets of the workspace as every plan is."""
    bench = trying(make_bench, items=60, settings={"day_budget_usd": Decimal("0.001")})
    dry = trials.start_trial(bench.workspace, ask(bench), now=bench.clock.now, dry_run=True)
    with pytest.raises(OverBudget):
        start(bench)
    assert trials.list_trials(bench.workspace, now=bench.clock.now) == ()
    assert bench.jobs().is_empty()
    assert [path.name for path in (bench.folder / "requests").iterdir()] == [
        f"{bench.query('imports')['import_id'][0]}.jsonl"
    ]
    assert not list((bench.folder / "trials").glob("*"))
    confirmed = dry.check.confirm
    made = trials.start_trial(bench.workspace, ask(bench), now=bench.clock.now, confirmed=confirmed)
    assert len(made.jobs) == len(dry.jobs)


WRONG: tuple[tuple[dict[str, Any], type[Exception], str], ...] = (
    ({"gold": None}, TrialRefused, "none are given"),
    ({"gold": {}}, TrialRefused, "none are given"),
    ({"gold": {"nobody": "bug"}}, GoldUnusable, "not one of its items"),
    ({"models": ()}, TrialRefused, "No model"),
    ({"models": (REFERENCE,)}, TrialRefused, "runs on this model today"),
    ({"models": ("claude-unheard-of",)}, UnknownModel, "unheard"),
    ({"grader": {"kind": "guess"}}, BadGrader, "the kinds are"),
    ({"class_id": "nowhere"}, TrialRefused, "no such class"),
    ({"budget_usd": Decimal(0)}, TrialRefused, "more than nothing"),
    ({"sample": 0}, TrialRefused, "at least one item"),
)


def test_what_makes_no_sense_is_refused(make_bench: MakeBench) -> None:
    """Every wrong wish gets its own sentence, and nothing is stored or sent."""
    bench = trying(make_bench, items=20)
    for changed, error, said in WRONG:
        with pytest.raises(error, match=said):
            start(bench, **changed)
    assert trials.list_trials(bench.workspace, now=bench.clock.now) == ()
    assert bench.jobs().is_empty()


def test_lost_answers_are_asked_once_more_and_cut_off_ones_are_wrong(make_bench: MakeBench) -> None:
    """An error of the server tells nothing of a model; an answer that nobody can use does."""
    bench = trying(make_bench, items=60, error_rate=0.2, truncation_rate=0.03)
    trial_id = start(bench)
    found = follow(bench, trial_id)
    (one,) = found.candidates
    rows = bench.query("trial_attempts", trial_id=trial_id)
    outcomes = dict(rows.group_by("outcome").len().iter_rows())

    assert rows["number"].max() == 2
    assert outcomes["errored"] < 10
    assert one.tally.labels == outcomes["succeeded"]
    cut = rows.filter(outcome="succeeded", usable=False).height
    assert cut > 0
    assert one.tally.labels - one.tally.correct >= cut
    assert (found.state, one.verdict.ruling) == ("exhausted", Ruling.NOT_YET)
    assert bench.query("failed_jobs").is_empty()


def test_answers_that_are_lost_for_good_give_no_verdict_by_the_others(make_bench: MakeBench) -> None:
    """Who fails at the long ones would pass by the short ones alone: lost answers count among those not graded."""
    bench = trying(make_bench, items=60, error_rate=0.6)
    found = follow(bench, start(bench))
    (one,) = found.candidates
    assert (found.state, one.verdict.ruling) == ("stopped", Ruling.NOT_YET)
    assert one.ungraded > 5
    assert "It gave no answer" in (found.reason or "")


def test_bodies_that_cost_too_much_without_their_cache_end_a_trial(make_bench: MakeBench) -> None:
    """Their canaries failed, and without marks they do not fit its budget: they are called off, and it is spent."""
    bench = trying(make_bench, items=60, settings={"output_share": 1.0}, error_rate=1.0)
    predicted = trials.preview_trial(bench.workspace, ask(bench), now=bench.clock.now).usd
    assert predicted is not None
    found = follow(bench, start(bench, budget_usd=predicted))
    assert found.state == "spent"
    assert found.closed_at is not None
    assert found.spent_usd == 0
    assert "canceled" in set(bench.jobs()["state"])
    assert not bench.workspace.worker.active()


def test_a_trial_knows_how_often_its_model_was_tried_before(make_bench: MakeBench) -> None:
    """Who tries often enough is lucky once, so it has to be said."""
    bench = trying(make_bench, items=40)
    first = start(bench, sample=1, models=(CANDIDATE, "claude-opus-5-5"))
    bench.clock.move(minutes=1)
    second = start(bench, sample=1)
    assert [one.earlier_trials for one in standing(bench, first).candidates] == [0, 0]
    assert [one.earlier_trials for one in standing(bench, second).candidates] == [1]


def test_a_model_is_not_tried_against_itself_under_another_name(make_bench: MakeBench) -> None:
    """A dated name and its alias are one model."""
    bench = make_bench()
    bench.load(*[one | {"params": one["params"] | {"model": "claude-haiku-4-5-20251001"}} for one in requests(4)])
    with pytest.raises(TrialRefused, match="runs on this model today"):
        start(bench, models=("claude-haiku-4-5",))


def test_a_model_whose_window_is_too_small_cannot_be_tried(make_bench: MakeBench) -> None:
    """The largest request of the class decides."""
    bench = make_bench()
    long = [{"role": "user", "content": "word " * 250_000}]
    bench.load(*shared("label", 3), request("long", system=shared("label", 1)[0]["params"]["system"], messages=long))
    (class_id,) = bench.query("classes_of_items", item_ids=["long"])["class_id"]
    tiers = trials.candidate_tiers(bench.workspace, class_id, now=bench.clock.now)
    why = {one.model: one.why_not for one in tiers}
    assert "over its context window" in (why["claude-haiku-4-5"] or "")


def test_one_label_decides_nothing(make_bench: MakeBench) -> None:
    """A sample of one item is used up at once, and its verdict is not yet."""
    bench = trying(make_bench, items=40)
    found = follow(bench, start(bench, sample=1))
    (one,) = found.candidates
    assert (found.state, one.verdict.ruling, one.tally.labels) == ("exhausted", Ruling.NOT_YET, 1)
    assert one.verdict.upper - one.verdict.lower > 0.5
    assert "used up" in (found.reason or "")


def test_a_stopped_trial_asks_nothing_more(make_bench: MakeBench) -> None:
    """Its jobs are called off, and whoever goes on with it is told that it is over."""
    bench = trying(make_bench, items=60)
    trial_id = start(bench)
    trials.stop_trial(bench.workspace, trial_id, now=bench.clock.now)
    bench.run()
    found = standing(bench, trial_id)
    assert found.state == "stopped"
    assert found.reason
    assert bench.server.items == []
    assert found.closed_at is not None
    with pytest.raises(TrialOver):
        trials.stop_trial(bench.workspace, trial_id, now=bench.clock.now)


def test_answers_that_cannot_be_graded_give_no_verdict(make_bench: MakeBench) -> None:
    """A user's function that fails at everything stops the trial, with its reason."""
    bench = trying(make_bench, items=60)
    graders = Path(bench.folder / "graders")
    graders.mkdir()
    (graders / "broken.py").write_text("def grade(answer, gold=None, reference=None):\n    raise ValueError('no')\n")
    assert trials.list_graders(bench.workspace) == ("broken.py:grade",)
    found = follow(bench, start(bench, sample=8, grader={"kind": "python", "function": "broken.py:grade"}))
    assert (found.state, found.candidates[0].verdict.ruling) == ("stopped", Ruling.NOT_YET)
    assert "could not be graded" in (found.reason or "")


def test_several_candidates_share_items_and_the_decided_one_is_asked_no_more(make_bench: MakeBench) -> None:
    """Each is asked about the same sample in the same order, until it is decided itself."""
    bench = trying(make_bench, haiku_right=0.5)
    trial_id = start(bench, models=(CANDIDATE, "claude-opus-5-5"), bar=Bar(rate=0.9))
    found = follow(bench, trial_id)
    rulings = {one.model: one.verdict.ruling for one in found.candidates}
    assert rulings == {CANDIDATE: Ruling.FAILS, "claude-opus-5-5": Ruling.CLEARS}
    asked = bench.query("trial_attempts", trial_id=trial_id)["item_id"].str.split("-")
    positions = {number: {int(one[2]) for one in asked if one[1] == number} for number in ("1", "2")}
    assert positions["1"] <= positions["2"]
    assert all(one == set(range(len(one))) for one in positions.values())
