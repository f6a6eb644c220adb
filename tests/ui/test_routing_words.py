"""What the Routing page says of verdicts and of the watch: no more than is known."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.intake.routing import Route
from core.routing.judging import JudgeTally
from core.routing.verdict import Bar, Tally, rule
from core.trials.standing import CandidateStanding, TrialStanding
from core.trials.trial import TrialState
from core.trials.watch import Watch
from pages import route, route_table

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BAR = Bar(rate=0.9)
WATCH = Watch(
    route=Route(
        route_id="route",
        class_id="c1a55",
        from_model="claude-opus-5-5",
        model="claude-haiku-5-5",
        trial_id="trial",
        applied_at=NOON,
        applied_by="ana",
        withdrawn_at=None,
        withdrawn_by=None,
    ),
    answers=700,
    usable=690,
    drawn=7,
    to_label=2,
    ungraded=0,
    tally=Tally(labels=5, correct=5),
    bar=BAR,
    verdict=None,
    validity=None,
    kind=None,
    alarm=None,
    recheck=False,
    trouble=None,
)


@pytest.mark.parametrize(
    ("changed", "words", "never"),
    [
        ({}, "5 of 5 answers that were looked at", "agrees"),
        ({}, "not surely worse", "Nothing was proven"),
        ({"tally": Tally()}, "No answer was looked at", "not surely worse"),
        ({"alarm": "It fails."}, "5 of 5 answers", "not surely worse"),
        ({"bar": None}, "Nothing was proven of it", "not surely worse"),
        ({"ungraded": 1}, "1 answer drawn could not be graded", "No answer"),
        ({"recheck": True, "to_label": 0}, "it agrees with 5 of 5 answers", "looked at"),
        ({"recheck": True, "to_label": 0, "tally": Tally()}, "`route recheck c1a55`", "not surely worse"),
        ({}, "`route audit c1a55`", "No answer"),
        ({"to_label": 0}, "5 of 5 answers", "route audit"),
    ],
)
def test_the_watch_says_what_was_looked_at_and_no_more(changed: dict[str, Any], words: str, never: str) -> None:
    """Without labels nothing is said to go well; where a former model is asked, or people are, that is said."""
    said = route.watch_said(replace(WATCH, **changed))

    assert words in said
    assert never not in said


def test_a_judges_word_is_no_evidence_by_itself() -> None:
    """How many verdicts hold together counts labels; those of a judge count only as far as people bear them out."""
    tally = Tally(labels=400, correct=400)
    candidate = CandidateStanding(
        model="claude-haiku-5-5",
        verdict=rule(tally, BAR),
        tally=tally,
        ungraded=0,
        disputed=0,
        usd_per_item=None,
        more_usd=None,
        changes=(),
        judge=JudgeTally(),
    )
    graded = TrialStanding(
        trial_id="graded",
        class_id="c1a55",
        class_name="Sorting",
        state=TrialState.DECIDED,
        reason=None,
        bar=BAR,
        grader={"kind": "exact"},
        reference_model="claude-opus-5-5",
        created_at=NOON,
        created_by="ana",
        closed_at=NOON,
        rounds=1,
        sample=400,
        spent_usd=Decimal(1),
        budget_usd=Decimal(5),
        candidates=(candidate, replace(candidate, model="claude-sonnet-5-5")),
        noise=None,
        to_label=0,
        labelled=0,
    )
    judged = replace(graded, trial_id="judged", grader={"kind": "rubric"})

    assert (route_table.together((graded, judged)) or "").startswith("Of 2 trials of a model, 2 clear")
    assert route_table.together((judged,)) is None
