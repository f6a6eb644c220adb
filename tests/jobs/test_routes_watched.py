"""After a verdict: where classes stand, the watch over a routed one, what it raises, and the certificate."""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.actions import audits, certificates, routes
from core.actions.trials import TrialAsk, start_trial
from core.routing.verdict import Bar, Ruling, Tally, rule
from core.trials.class_routes import ClassRoute, RouteState
from core.trials.recheck import NothingToCompare
from core.trials.watch import NotDrawn
from tests.jobs.driving import MODEL, Bench, MakeBench, shared

HAIKU = "claude-haiku-5-5"
WORDS = ["fine", "broken", "odd", "late"]
SCHEMA = {
    "type": "object",
    "properties": {"state": {"type": "string", "enum": WORDS}},
    "required": ["state"],
    "additionalProperties": False,
}
FORM = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
# The local server answers with the first word until its models are told to differ: then each word is as likely.
FINE = {"kind": "regex", "pattern": "fine"}
RIGHT = Bar(rate=0.8)
ITEMS = 20


def lines(first: int, end: int) -> list[dict[str, Any]]:
    """Requests of one class, each of which asks for one of four words."""
    return shared("state", end, **FORM)[first:]


@pytest.fixture
def tried(make_bench: MakeBench) -> tuple[Bench, str, str]:
    """Return a bench with a class that ran on Sonnet and a trial that Haiku has cleared; the class and the trial."""
    return try_by(make_bench({"audit_share": 1.0}), FINE)


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, str, str]]:
    """Give a bench on which what was tried is used and has answered as many items again; tests that look share it."""
    folder = tmp_path_factory.mktemp("applied") / "workspace"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        bench, class_id, trial_id = try_by(Bench(folder, patch, {"audit_share": 1.0}, {}), FINE)
        route_it(bench, class_id)
        bench.submit(*lines(ITEMS, 2 * ITEMS))
        bench.run()
        yield bench, class_id, trial_id
        bench.close()


def try_by(bench: Bench, grader: dict[str, Any], bar: Bar = RIGHT) -> tuple[Bench, str, str]:
    """Send a class, and try Haiku on it by a grader until that is decided."""
    bench.submit(*lines(0, ITEMS))
    bench.run()
    class_id = str(bench.query("classes_of_items", item_ids=["state-000"])["class_id"][0])
    ask = TrialAsk(class_id=class_id, models=(HAIKU,), grader=grader, bar=bar, gold=None, budget_usd=Decimal(5), seed=3)
    trial = start_trial(bench.workspace, ask, now=bench.clock.now)
    bench.run()
    return bench, class_id, trial.trial_id


def route_it(bench: Bench, class_id: str) -> None:
    """Apply what the trial proved."""
    routes.apply_route(bench.workspace, class_id, HAIKU, now=bench.clock.now)


def line_of(bench: Bench) -> ClassRoute:
    """Where the only class stands."""
    (line,) = routes.class_routes(bench.workspace, now=bench.clock.now)
    return line


def test_a_class_is_one_line_from_its_trial_to_its_route(tried: tuple[Bench, str, str]) -> None:
    """Certified, applied, withdrawn: the line keeps the class, its trial and the money, whatever models it went to."""
    bench, class_id, trial_id = tried
    found = line_of(bench)
    assert (found.state, found.model, found.best_model) == (RouteState.CERTIFIED, MODEL, HAIKU)
    assert (found.trial_id, found.proven, found.items_month) == (trial_id, True, ITEMS)
    assert found.saving_month_usd and found.usd_month and 0 < found.saving_month_usd < found.usd_month
    (alarm,) = routes.route_alarms(bench.workspace, now=bench.clock.now)
    assert (alarm.kind, alarm.usd_month) == ("not_applied", found.saving_month_usd)

    done = routes.apply_route(bench.workspace, class_id, HAIKU, now=bench.clock.now)
    assert (done.trial_id, done.items) == (trial_id, 0)
    bench.submit(*lines(ITEMS, ITEMS + 4))
    bench.run()

    found = line_of(bench)
    assert (found.state, found.class_id, found.model, found.routed_from) == (RouteState.APPLIED, class_id, HAIKU, MODEL)
    assert (found.items_month, found.trial_id) == (ITEMS + 4, trial_id)
    assert routes.route_alarms(bench.workspace, now=bench.clock.now) == ()
    routes.withdraw_route(bench.workspace, class_id, now=bench.clock.now)
    assert line_of(bench).state is RouteState.CERTIFIED
    assert line_of(bench).model == MODEL


def test_a_certificate_says_how_often_a_model_was_tried_and_what_a_judge_leaves_out(
    tried: tuple[Bench, str, str],
) -> None:
    """Each trial has an error of its own, so earlier ones are counted; a judge's verdict is of what it is sure of."""
    bench, class_id, _ = tried
    rubric = {"kind": "rubric", "rubric": "The fine one is better.", "model": MODEL}
    bench.clock.move(minutes=1)
    ask = TrialAsk(class_id=class_id, models=(HAIKU,), grader=rubric, bar=RIGHT, seed=4)
    again = start_trial(bench.workspace, ask, now=bench.clock.now).trial_id

    proof = certificates.certificate(bench.workspace, again, now=bench.clock.now)

    assert proof.body["candidates"][0]["earlier_trials"] == 1
    page = " ".join(proof.text().split())
    assert "Earlier trials of this class and model: 1." in page and "Holds for: answers on which the judge" in page


def test_the_watch_rings_where_answers_since_the_switch_surely_fail(tried: tuple[Bench, str, str]) -> None:
    """What was certified is watched: answers drawn after the switch are graded, and a bad model is named with money."""
    bench, class_id, trial_id = tried
    routes.apply_route(bench.workspace, class_id, HAIKU, now=bench.clock.now)
    bench.submit(*lines(ITEMS, ITEMS + 4))
    bench.run()
    bench.tick()
    (good,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert (good.answers, good.drawn, good.to_label, good.tally.correct, good.alarm) == (4, 4, 0, 4, None)

    bench.server_changes(haiku_right=0.9)
    bench.submit(*lines(ITEMS + 4, ITEMS + 20))
    bench.run()
    bench.tick()

    (bad,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert bad.tally.labels == 20 and bad.verdict == rule(bad.tally, Bar(rate=0.8))
    assert bad.verdict and bad.verdict.ruling is Ruling.FAILS and bad.kind == "failing"
    line = line_of(bench)
    (alarm,) = routes.route_alarms(bench.workspace, now=bench.clock.now)
    assert (line.state, line.why) == (RouteState.ALARM, bad.alarm)
    assert (alarm.kind, alarm.usd_month, alarm.class_id) == ("failing", line.usd_month, class_id)

    routes.withdraw_route(bench.workspace, class_id, now=bench.clock.now)
    line = line_of(bench)
    assert (line.state, line.best_model, line.proven) == (RouteState.NOTHING_LIGHTER, None, False)
    assert routes.route_alarms(bench.workspace, now=bench.clock.now) == ()
    assert not routes.preview_route(bench.workspace, class_id, HAIKU, now=bench.clock.now).certified
    with pytest.raises(routes.NotCertified):
        routes.apply_route(bench.workspace, class_id, HAIKU, trial_id=trial_id, now=bench.clock.now)


def test_the_sample_is_drawn_by_ids_alone_and_never_sleeps(applied: tuple[Bench, str, str]) -> None:
    """The same items are drawn whatever they answered and whoever looks; a small share still has some each week."""
    bench, _, _ = applied
    route = routes.watches(bench.workspace, now=bench.clock.now)[0].route
    about = {"route_id": route.route_id, "trial_id": route.trial_id, "model": HAIKU, "since": route.applied_at}
    about |= {"now": bench.clock.now}

    half = bench.query("audit_sample", share=0.5, least=5, **about)["item_id"].to_list()
    assert 3 <= len(half) <= 17
    assert set(bench.query("audit_sample", share=0.2, least=5, **about)["item_id"]) <= set(half)
    assert bench.query("audit_sample", share=0.0, least=5, **about).is_empty()
    later = about | {"now": bench.clock.now + timedelta(days=7)}
    assert bench.query("audit_sample", share=0.0, least=5, **later).height == 5


def test_people_label_what_was_drawn_and_nothing_else(applied: tuple[Bench, str, str]) -> None:
    """A label of a person takes the place of the grader's; an item that was not drawn has none."""
    bench, class_id, _ = applied
    assert audits.audit_items(bench.workspace, class_id, now=bench.clock.now) == ()

    assert audits.label_audit(bench.workspace, class_id, {"state-020": False}, now=bench.clock.now) == 1
    (watch,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert (watch.tally.labels, watch.tally.correct) == (ITEMS, ITEMS - 1)
    with pytest.raises(NotDrawn):
        audits.label_audit(bench.workspace, class_id, {"state-000": False}, now=bench.clock.now)


def test_a_certificate_can_be_checked_from_what_is_in_it(applied: tuple[Bench, str, str], tmp_path: Path) -> None:
    """Bounds come from the counts beside them, ids and body from their digests; the same state gives the same bytes."""
    bench, _, trial_id = applied
    proof = certificates.write_certificate(bench.workspace, trial_id, tmp_path / "proof.json", now=bench.clock.now)
    read = json.loads((tmp_path / "proof.json").read_text())
    body = read["certificate"]

    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert read["sha256"] == hashlib.sha256(canonical.encode()).hexdigest() == proof.digest
    (one,) = body["candidates"]
    bar = Bar(rate=body["bar"]["rate"], error=body["bar"]["error"])
    again = rule(Tally(**one["counts"]), bar)
    assert (again.ruling.value, again.lower, again.upper) == (one["verdict"], one["lower"], one["upper"])
    ids = "\n".join(sorted(f"state-{number:03d}" for number in range(ITEMS)))
    assert body["data"]["item_ids_sha256"] == hashlib.sha256(ids.encode()).hexdigest()
    assert sum(body["data"]["strata"].values()) == body["data"]["sample_items"] == ITEMS
    assert sum(each["labels"] for each in body["labels"]) == one["all_counts"]["labels"]
    assert (one["earlier_trials"], body["grader"]["holds_for"]) == (0, None)
    assert Decimal(body["trial"]["spent_usd"]) > 0 and body["watch"][0]["model"] == HAIKU

    bench.clock.move(hours=3)
    assert certificates.certificate(bench.workspace, trial_id, now=bench.clock.now).json() == proof.json()
    page = proof.text()
    assert f"{HAIKU} clears the bar" in page and proof.digest in page
    assert max(len(line) for line in page.splitlines()) <= 110
    with pytest.raises(certificates.WrongEnding):
        certificates.write_certificate(bench.workspace, trial_id, tmp_path / "proof.pdf", now=bench.clock.now)


def test_where_agreement_is_the_measure_the_former_model_is_asked_again(
    make_bench: MakeBench, applied: tuple[Bench, str, str]
) -> None:
    """A recheck is priced like every trial, uses the answers that are there, and rings where the two part."""
    with pytest.raises(NothingToCompare):
        audits.recheck_route(applied[0].workspace, applied[1], budget_usd=Decimal(1), now=applied[0].clock.now)

    bench, class_id, _ = try_by(make_bench(), {"kind": "agreement"})
    route_it(bench, class_id)
    bench.submit(*lines(ITEMS, 2 * ITEMS))
    bench.run()
    (before,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert (before.recheck, before.tally.labels, before.to_label, before.verdict) == (True, 0, 0, None)

    bench.server_changes(sonnet_right=0.9)
    made = audits.recheck_route(bench.workspace, class_id, budget_usd=Decimal(1), now=bench.clock.now)
    assert made.predicted_usd and made.predicted_usd <= 1
    sent = len(bench.server.items)
    bench.run()

    asked = {request["params"]["model"] for body in bench.server.requests[-2:] for request in body}
    assert MODEL in asked and len(bench.server.items) - sent <= 2 * ITEMS
    (watch,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert watch.kind == "failing" and watch.tally.correct < watch.tally.labels <= ITEMS
    assert watch.alarm and f"agree with {MODEL}" in watch.alarm
    assert line_of(bench).state is RouteState.ALARM


def test_a_proof_by_a_margin_is_watched_at_the_share_that_it_found(make_bench: MakeBench) -> None:
    """The former model answers no more, so there are no pairs: the share of right answers must not surely fall."""
    bench, class_id, trial_id = try_by(make_bench({"audit_share": 1.0}), FINE, bar=Bar(margin=0.4))
    route_it(bench, class_id)
    bench.submit(*lines(ITEMS, ITEMS + 3))
    bench.run()

    (watch,) = routes.watches(bench.workspace, now=bench.clock.now)
    (one,) = certificates.certificate(bench.workspace, trial_id, now=bench.clock.now).body["candidates"]
    counts = one["all_counts"]
    least = rule(Tally(labels=counts["labels"], correct=counts["correct"]), Bar(rate=0.5, error=0.025)).lower
    assert watch.bar == Bar(rate=least, error=0.025) and 0.5 < least < 1
    assert (watch.tally, watch.alarm) == (Tally(labels=3, correct=3), None)


@pytest.fixture
def golden(make_bench: MakeBench) -> tuple[Bench, str]:
    """Return a bench with a class that goes to Haiku, proven on 20 items; gold is given of 15 and of 10 to come."""
    bench = make_bench({"audit_share": 1.0})
    bench.submit(*lines(0, ITEMS))
    bench.run()
    class_id = str(bench.query("classes_of_items", item_ids=["state-000"])["class_id"][0])
    gold = {f"state-{number:03d}": "fine" for number in range(5, ITEMS + 10)}
    exact = {"kind": "exact", "field": "state"}
    ask = TrialAsk(class_id=class_id, models=(HAIKU,), grader=exact, bar=Bar(rate=0.7), gold=gold, seed=3)
    trial_id = start_trial(bench.workspace, ask, now=bench.clock.now).trial_id
    bench.run()
    route_it(bench, class_id)
    return bench, trial_id


def test_gold_given_early_grades_new_work(golden: tuple[Bench, str]) -> None:
    """Right answers count whenever their items come; where none was given a person is asked."""
    bench, _ = golden
    bench.submit(*lines(ITEMS, ITEMS + 12))
    bench.run()

    (watch,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert (watch.answers, watch.drawn, watch.to_label, watch.trouble) == (12, 12, 2, None)
    assert watch.tally == Tally(labels=10, correct=10)


def test_a_watch_that_cannot_grade_is_said_and_stops_nothing_else(golden: tuple[Bench, str]) -> None:
    """Gold that cannot be read keeps no job from moving on; gold that is gone is said where the watch is shown."""
    bench, trial_id = golden
    (kept,) = bench.folder.rglob(f"{trial_id}.gold.json")
    kept.write_text("{torn")
    bench.submit(*lines(ITEMS, ITEMS + 3))
    bench.run()
    assert bench.statuses() == {"complete": ITEMS + 3}
    assert "cannot grade" in (bench.trouble() or "")

    kept.unlink()
    (watch,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert watch.to_label == 3 and watch.trouble and "no longer kept" in watch.trouble


def test_what_proved_a_model_is_not_drawn_to_watch_it(make_bench: MakeBench) -> None:
    """The trial chose the model by those very items; only others tell anything new."""
    bench = make_bench({"audit_share": 1.0})
    bench.submit(*lines(0, 5))
    bench.run()
    bench.load(*lines(5, ITEMS))
    class_id = str(bench.query("classes_of_items", item_ids=["state-000"])["class_id"][0])
    ask = TrialAsk(class_id=class_id, models=(HAIKU,), grader=FINE, bar=RIGHT, seed=3)
    start_trial(bench.workspace, ask, now=bench.clock.now)
    bench.run()
    route_it(bench, class_id)
    bench.submit(*lines(ITEMS, ITEMS + 2))
    bench.run()

    (watch,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert (watch.answers, watch.drawn) == (ITEMS - 5 + 2, 2)


def test_a_watch_whose_grader_was_changed_says_so(make_bench: MakeBench) -> None:
    """Another function is another measure: nothing is graded by it, and the worker goes on."""
    bench = make_bench({"audit_share": 1.0})
    graders = bench.folder / "graders"
    graders.mkdir()
    (graders / "mine.py").write_text("def grade(answer, gold=None, reference=None):\n    return 'fine' in answer\n")
    bench, class_id, _ = try_by(bench, {"kind": "python", "function": "mine.py:grade"})
    route_it(bench, class_id)
    (graders / "mine.py").write_text("def grade(answer, gold=None, reference=None):\n    return False\n")
    bench.submit(*lines(ITEMS, ITEMS + 3))
    bench.run()

    (watch,) = routes.watches(bench.workspace, now=bench.clock.now)
    assert (watch.tally.labels, watch.to_label, watch.alarm) == (0, 3, None)
    assert watch.trouble and "mine.py" in watch.trouble and bench.trouble() is None
