"""Who says that an answer is right: the model in use, people who do not know whose it is, and a judge."""

from decimal import Decimal

import polars as pl
import pytest

from core.actions import trials
from core.routing.verdict import Bar, Ruling
from core.trials.labelling import GRADER, LABEL_SCHEMA
from core.trials.people import Choice, NoSuchPair, NotForPeople
from core.trials.trial import TrialOver
from tests.jobs.driving import Bench, MakeBench
from tests.jobs.trying import CANDIDATE, REFERENCE, acting, follow, gold_of, requests, standing, start, trying

AGREEMENT = {"kind": "agreement", "by": "json"}
PEOPLE = {"kind": "people"}
RUBRIC = {"kind": "rubric", "rubric": "The right label is better.", "model": "claude-opus-5-5"}
LOW = Bar(rate=0.6)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """First rounds of twenty items."""
    monkeypatch.setattr("core.trials.asking.FIRST_ROUND", (20, 20))


def asked(bench: Bench, trial_id: str) -> dict[str, int]:
    """How many requests each entrant got, by its number."""
    rows = bench.query("trial_attempts", trial_id=trial_id)
    return dict(rows.select(pl.col("item_id").str.split("-").list.get(1)).group_by("item_id").len().iter_rows())


def label_all(bench: Bench, trial_id: str, gold: dict[str, str], *, by: str, wrong: int = 0) -> int:
    """Somebody labels every pair by what is right, and the first `wrong` of them the other way round."""
    hands = acting(bench, by)
    pairs = trials.pairs_to_label(hands, trial_id, limit=100)
    items = bench.query("trial_items", trial_id=trial_id)["item_id"]
    for number, pair in enumerate(pairs):
        left, right = (f'"{gold[items[pair.position]]}"' in answer for answer in (pair.left, pair.right))
        said = {(True, True): "both", (True, False): "left", (False, True): "right"}.get((left, right), "neither")
        if number < wrong:
            said = {"both": "neither", "neither": "both", "left": "right", "right": "left"}[said]
        trials.put_label(hands, trial_id, pair.position, candidate=pair.candidate, choice=said, now=bench.clock.now)
    return len(pairs)


@pytest.mark.usefixtures("few")
def test_agreement_takes_answers_that_are_paid_for_and_measures_its_noise(make_bench: MakeBench) -> None:
    """What the model in use answered to the work counts; it is asked again only to see how often it agrees itself."""
    bench = trying(make_bench, items=60)
    bench.submit()
    bench.run()
    complete = bench.statuses()
    trial_id = start(bench, grader=AGREEMENT, gold=None, bar=Bar(rate=0.7))
    found = follow(bench, trial_id)

    assert (found.state, found.candidates[0].verdict.ruling) == ("decided", Ruling.CLEARS)
    assert "0" not in asked(bench, trial_id)
    assert found.noise is not None
    assert found.noise.labels == asked(bench, trial_id)["2"] == found.candidates[0].tally.labels
    assert found.noise.correct / found.noise.labels > 0.8
    assert bench.statuses() == complete
    assert bench.workspace.handover.standing().complete == 60


@pytest.mark.usefixtures("few")
def test_a_margin_asks_the_model_in_use_about_the_same_items(make_bench: MakeBench) -> None:
    """Each label is of an item that both answered, and says who was right."""
    bench = trying(make_bench, items=60, haiku_right=0.4)
    trial_id = start(bench, bar=Bar(margin=0.1), sample=60)
    found = follow(bench, trial_id)
    (one,) = found.candidates
    counts = asked(bench, trial_id)

    assert (found.state, one.verdict.ruling) == ("decided", Ruling.FAILS)
    assert one.verdict.estimate == pytest.approx(-0.5, abs=0.4)
    assert counts["0"] == counts["1"] == one.tally.labels
    assert one.tally.worse > one.tally.better
    assert {row["model"] for row in bench.jobs().iter_rows(named=True)} <= {CANDIDATE, REFERENCE, "several"}


@pytest.mark.usefixtures("few")
def test_people_label_without_knowing_whose_answer_it_is(make_bench: MakeBench) -> None:
    """The trial waits for them, counts what they agree on, and goes on by itself once it is certain."""
    bench = trying(make_bench, items=60)
    gold = gold_of(requests(60))
    trial_id = start(bench, grader=PEOPLE, gold=None, bar=LOW)
    waiting = follow(bench, trial_id)
    assert (waiting.state, waiting.to_label, waiting.labelled) == ("labelling", 20, 0)
    first, *_ = trials.pairs_to_label(bench.workspace, trial_id, limit=3)
    assert CANDIDATE not in repr(first)
    assert REFERENCE not in repr(first)
    assert "Record" in first.prompt

    # One label decides nothing, and can be taken back.
    number, now = first.candidate, bench.clock.now
    trials.put_label(bench.workspace, trial_id, first.position, candidate=number, choice="both", now=now)
    assert standing(bench, trial_id).candidates[0].verdict.ruling is Ruling.NOT_YET
    assert standing(bench, trial_id).labelled == 1
    trials.take_back_label(bench.workspace, trial_id, first.position, candidate=number, now=now)
    assert standing(bench, trial_id).labelled == 0
    for position, nobody in ((10_000, 1), (0, 7)):
        with pytest.raises(NoSuchPair):
            trials.put_label(bench.workspace, trial_id, position, candidate=nobody, choice="both", now=now)

    # Two people who contradict each other: what they disagree on is no label.
    assert label_all(bench, trial_id, gold, by="ann") == 20
    alone = standing(bench, trial_id).candidates[0]
    assert alone.tally.labels == 20
    label_all(bench, trial_id, gold, by="bob", wrong=15)
    disputed = standing(bench, trial_id).candidates[0]
    assert (disputed.disputed, disputed.tally.labels, disputed.verdict.ruling) == (15, 5, Ruling.NOT_YET)

    # Who says it anew replaces what was said.
    for number, pair in enumerate(trials.pairs_to_label(acting(bench, "carl"), trial_id, limit=100)):
        choices = bench.query("trial_labels", trial_id=trial_id).filter(labeller="ann", position=pair.position)
        if number < 15:
            row = {"item": requests_of(bench, trial_id)[pair.position], "model": CANDIDATE}
            said = choices.select("correct", "reference").to_dicts()[0]
            trials.label_items(acting(bench, "bob"), trial_id, pl.DataFrame([row | said]), now=bench.clock.now)
    agreed = standing(bench, trial_id).candidates[0]
    assert (agreed.disputed, agreed.tally.labels) == (0, 20)
    found = follow(bench, trial_id)
    assert (found.state, found.candidates[0].verdict.ruling) == ("decided", Ruling.CLEARS)
    with pytest.raises(TrialOver):
        trials.put_label(bench.workspace, trial_id, 0, candidate=1, choice=Choice.BOTH, now=bench.clock.now)


@pytest.mark.usefixtures("few")
def test_a_judge_who_contradicts_itself_gives_no_verdict(make_bench: MakeBench) -> None:
    """The local judge chooses without looking at the answers: where they change places it says something else."""
    bench = trying(make_bench, items=60)
    trial_id = start(bench, grader=RUBRIC, gold=None, bar=LOW)
    found = follow(bench, trial_id)
    judged = [item for item in bench.query("trial_attempts", trial_id=trial_id)["item_id"] if item.count("-") == 4]

    assert len(judged) == 40
    assert {item.rpartition("-")[2] for item in judged} == {"straight", "swapped"}
    assert (found.state, found.candidates[0].verdict.ruling) == ("stopped", Ruling.NOT_YET)
    assert "changed places" in (found.reason or "")
    assert found.spent_usd <= Decimal(5)
    with pytest.raises(TrialOver):
        trials.put_label(bench.workspace, trial_id, 0, candidate=1, choice="both", now=bench.clock.now)


def test_labels_of_people_are_refused_where_nobody_asks_for_them(make_bench: MakeBench) -> None:
    """A trial by gold labels is not changed by what somebody thinks."""
    bench = trying(make_bench, items=60)
    trial_id = start(bench)
    assert trials.pairs_to_label(bench.workspace, trial_id, limit=5) == ()
    with pytest.raises(NotForPeople):
        trials.put_label(bench.workspace, trial_id, 0, candidate=1, choice="both", now=bench.clock.now)


def test_a_metadata_only_workspace_keeps_no_text_of_a_trial(make_bench: MakeBench) -> None:
    """Trials work there too: gold answers lie in a file that goes with the end, and the store holds none."""
    bench = trying(make_bench, items=60, settings={"metadata_only": True}, haiku_right=0.3)
    trial_id = start(bench)
    kept = bench.folder / "trials" / f"{trial_id}.gold.json"
    assert kept.exists()
    found = follow(bench, trial_id)
    assert (found.state, found.candidates[0].verdict.ruling) == ("decided", Ruling.FAILS)
    assert not kept.exists()
    assert bench.query("trial_labels", trial_id=trial_id)["note"].is_null().all()
    assert bench.statuses() == {"backlog": 60}


JUDGED = pl.DataFrame({"candidate": [1] * 20, "position": range(20), "correct": [True] * 20, "reference": [True] * 20})


def put(bench: Bench, trial_id: str, rows: pl.DataFrame, *, by: str) -> None:
    """Labels as the store has them."""
    given = {"trial_id": trial_id, "labeller": by, "note": None, "lost": False, "labelled_at": bench.clock.now}
    cast = rows.with_columns(**{name: pl.lit(value) for name, value in given.items()})
    cast = cast.select(pl.col(name).cast(kind) for name, kind in LABEL_SCHEMA.items())
    bench.workspace.store.write(lambda tx: tx.merge("put_labels", cast))


@pytest.mark.usefixtures("few")
def test_where_only_people_can_decide_a_judge_is_asked_no_more(make_bench: MakeBench) -> None:
    """People found the judge too kind: more of its labels would prove nothing, so nothing more is spent on them."""
    bench = trying(make_bench, items=60)
    trial_id = start(bench, grader=RUBRIC, gold=None, bar=LOW)
    put(bench, trial_id, JUDGED, by=GRADER)
    put(bench, trial_id, JUDGED.head(6).with_columns(correct=pl.Series([False, True] * 3)), by="ann")
    found = follow(bench, trial_id)
    assert (found.state, found.reason) == ("labelling", "Only more labels by people can decide.")
    assert not [item for item in bench.server.items if item.count("-") == 4]
    assert asked(bench, trial_id)["1"] == 20


@pytest.mark.usefixtures("few")
def test_people_check_a_judge_after_its_verdict_too(make_bench: MakeBench) -> None:
    """A verdict by a judge stands until people say how far it is to be believed."""
    bench = trying(make_bench, items=60)
    trial_id = start(bench, grader=RUBRIC, gold=None, bar=LOW)
    put(bench, trial_id, JUDGED, by=GRADER)
    found = follow(bench, trial_id)
    assert (found.state, found.candidates[0].verdict.ruling) == ("decided", Ruling.CLEARS)
    assert found.to_label == 20
    first, *_ = trials.pairs_to_label(bench.workspace, trial_id, limit=1)
    assert first.position == 0
    trials.put_label(bench.workspace, trial_id, 0, candidate=1, choice="both", now=bench.clock.now)
    checked = standing(bench, trial_id)
    assert (checked.to_label, checked.candidates[0].judge.checked) == (19, 1)
    assert checked.candidates[0].verdict.ruling is Ruling.NOT_YET
    trials.take_back_label(bench.workspace, trial_id, 0, candidate=1, now=bench.clock.now)
    assert standing(bench, trial_id) == found


def test_answers_cut_off_decide_nothing_before_people_have_looked(make_bench: MakeBench) -> None:
    """They are known at once and all of them wrong; a verdict by them alone would be one about no model."""
    bench = trying(make_bench, items=100, truncation_rate=0.1)
    trial_id = start(bench, grader=PEOPLE, gold=None, bar=Bar(rate=0.85))
    found = follow(bench, trial_id)
    cut = bench.query("trial_labels", trial_id=trial_id)
    assert cut.height > found.candidates[0].tally.labels
    assert (found.state, found.candidates[0].verdict.ruling) == ("labelling", Ruling.NOT_YET)


def requests_of(bench: Bench, trial_id: str) -> list[str]:
    """The items of the sample, by position."""
    return bench.query("trial_items", trial_id=trial_id)["item_id"].to_list()
