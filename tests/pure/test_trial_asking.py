"""Whom a trial asks next: what was lost first, and nothing that is known."""

from decimal import Decimal

import polars as pl

from core.routing.verdict import Bar
from core.trials.asking import Sheet
from core.trials.labelling import LABEL_SCHEMA, new_labels
from core.trials.replies import Fate, Reply
from core.trials.trial import copy_id
from tests.pure.test_trial_verdicts import NOW, trial


def reply(item: str, fate: Fate, tries: int = 1) -> Reply:
    """What came of one request."""
    return Reply(item_id=item, job_id="j", custom_id=item, tries=tries, fate=fate, why="expired", cost_usd=Decimal(0))


def sheet(*fates: tuple[Fate, Fate], tries: int = 1) -> Sheet:
    """A trial with a margin after these answers of the reference and the candidate, by position; two more items."""
    asked = {
        copy_id("t", number, at): reply(copy_id("t", number, at), fate, tries)
        for at, pair in enumerate(fates)
        for number, fate in enumerate(pair)
    }
    items = tuple(f"i{at}" for at in range(len(fates) + 2))
    return Sheet(trial=trial("gold", bar=Bar(margin=0.1)), items=items, replies=asked, former={})


def test_an_answer_that_was_lost_is_asked_for_once_more_whosever_it_was() -> None:
    """Without the reference's there is no label, and nothing behind it would count."""
    known = sheet((Fate.UNUSABLE, Fate.UNUSABLE), (Fate.LOST, Fate.UNUSABLE), (Fate.UNUSABLE, Fate.LOST))
    assert known.lost(1) == 2
    assert [(one.number, at) for one, at in known.next_answers({1: 3})] == [(1, 2), (1, 3), (0, 1), (0, 3)]


def test_what_is_lost_for_good_is_said_not_to_be_graded() -> None:
    """It is no label, and it is not passed over in silence."""
    known = sheet((Fate.LOST, Fate.UNUSABLE), (Fate.UNUSABLE, Fate.LOST), tries=2)
    found = new_labels(known, pl.DataFrame(schema=LABEL_SCHEMA), {}, now=NOW)
    assert known.lost(1) == 0
    assert found["correct"].to_list() == [None, None]
    assert found["note"].to_list() == ["The model in use gave no answer to it.", "It gave no answer: expired."]
    assert new_labels(sheet((Fate.LOST, Fate.UNUSABLE)), found.clear(), {}, now=NOW).is_empty()
