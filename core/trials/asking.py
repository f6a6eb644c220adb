"""Whom a trial asks what next, and the requests that this takes: copies of real items, each fit for its model."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from core.grading import prompt_of
from core.grading.rubric import Rubric, judge_params
from core.intake.payloads import PayloadReader
from core.prices import PriceBook
from core.requests.adapting import adapted
from core.routing.verdict import Bar, Verdict, labels_needed
from core.store import Store
from core.trials.replies import Fate, Reply, answer_texts, former_replies, replies
from core.trials.trial import Entrant, Part, Trial, copy_id

FIRST_ROUND = (40, 200)
"""The fewest and the most items of a first round."""
_LATER_ROUND = (20, 400)
_RERUNS = 40
"""Items at which the reference is asked twice, to tell how often it agrees with itself."""
_TRIES = 2
"""A request that was lost goes once more, with the next round."""
JUDGED = ("straight", "swapped")
"""The orders in which a judge sees two answers; with the candidate's first, and second."""

Asked = tuple[Entrant, int]
"""An entrant, and the position of the item that it is asked about."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """All that is known of a trial at one look.

    `items`: its sample, by position; `replies`: of its own requests, by their ids; `former`: answers that the model in
    use gave to items of the sample anyway, by item: they are paid for.
    """

    trial: Trial
    items: tuple[str, ...]
    replies: Mapping[str, Reply]
    former: Mapping[str, Reply]

    @classmethod
    def read(cls, store: Store, trial: Trial) -> "Sheet":
        """As the store has it now."""
        items = tuple(store.query("trial_items", trial_id=trial.trial_id)["item_id"])
        return cls.of(store, trial, items, replies(store, trial.trial_id))

    @classmethod
    def of(cls, store: Store, trial: Trial, items: tuple[str, ...], asked: Mapping[str, Reply]) -> "Sheet":
        """Of a trial that need not be stored yet."""
        former = former_replies(store, trial.folder, items, trial.reference_model) if trial.asks_reference else {}
        return cls(trial=trial, items=items, replies=asked, former=former)

    def reply(self, number: int, position: int) -> Reply | None:
        """What came of asking an entrant about an item; of the reference the trial's own request before any other."""
        own = self.replies.get(copy_id(self.trial.trial_id, number, position))
        return own if own or number else self.former.get(self.items[position])

    def judgement(self, number: int, position: int, order: str) -> Reply | None:
        """What came of asking the judge about a candidate's answer."""
        return self.replies.get(self.judged_id(number, position, order))

    def judged_id(self, number: int, position: int, order: str) -> str:
        """The id of a request to the judge."""
        judge = self.trial.judge
        return f"{copy_id(self.trial.trial_id, judge.number if judge else 0, position)}-{number}-{order}"

    def answered(self, number: int) -> list[int]:
        """The positions at which an entrant gave an answer, usable or not."""
        done = (Fate.ANSWERED, Fate.UNUSABLE)
        return [position for position, one in self._of(number) if one.fate in done]

    @cached_property
    def texts(self) -> dict[str, str]:
        """The texts of all answers, by the id of what was asked."""
        return answer_texts(self.trial.folder, (*self.replies.values(), *self.former.values()))

    def text(self, number: int, position: int) -> str | None:
        """What an entrant answered; None where it gave nothing usable."""
        reply = self.reply(number, position)
        return None if reply is None else self.texts.get(reply.item_id)

    def next_answers(self, counts: Mapping[int, int]) -> list[Asked]:
        """So many items more for each of these candidates, those that were lost first, and what goes with them."""
        trial, wanted = self.trial, list[Asked]()
        for one in trial.candidates:
            open_for = [at for at in range(len(self.items)) if self._lacks(one.number, at)]
            wanted += [(one, at) for at in open_for[: counts.get(one.number, 0)]]
        positions = sorted({at for _, at in wanted})
        wanted = [(one, at) for one, at in wanted if self._open_for(one.number, at)]
        if trial.asks_reference:
            reference = trial.entrants[0]
            wanted += [(reference, at) for at in positions if self._open_for(reference.number, at)]
        if (rerun := trial.rerun) is not None:
            wanted += [(rerun, at) for at in positions if at < _RERUNS and self._open_for(rerun.number, at)]
        return wanted

    def lost(self, number: int) -> int:
        """Items at which a candidate's answer, or the one to compare it with, was lost and is asked for once more."""
        return sum(self._lacks(number, at) for at, _ in self._of(number))

    def next_judgements(self) -> list[tuple[int, int]]:
        """Candidates (by number) and positions about which the judge has to be asked, in the order of positions."""
        if self.trial.judge is None:
            return []
        pairs = [(one.number, at) for one in self.trial.candidates for at in self.answered(one.number)]
        return sorted((pair for pair in pairs if self._to_judge(*pair)), key=lambda pair: (pair[1], pair[0]))

    def _to_judge(self, number: int, position: int) -> bool:
        both = (self.reply(number, position), self.reply(0, position))
        if any(one is None or one.fate is not Fate.ANSWERED for one in both):
            return False
        return any(_may_ask(self.judgement(number, position, order)) for order in JUDGED)

    def _lacks(self, number: int, position: int) -> bool:
        """Whether there is something to ask before a candidate's answer can be graded."""
        if self._open_for(number, position):
            return True
        return self.trial.asks_reference and self._open_for(0, position)

    def _open_for(self, number: int, position: int) -> bool:
        return _may_ask(self.reply(number, position))

    def _of(self, number: int) -> Iterator[tuple[int, Reply]]:
        for position in range(len(self.items)):
            if (reply := self.reply(number, position)) is not None:
                yield position, reply


class Requests:
    """Writes the requests of a round, as lines of a request file."""

    def __init__(self, store: Store, folder: Path, book: PriceBook) -> None:
        self._store, self._folder, self._book = store, folder, book

    def params(self, items: Collection[str]) -> dict[str, dict[str, Any]]:
        """The parameters of items as their owners sent them; without those that are no longer kept."""
        rows = self._store.query("item_payloads", item_ids=list(items))
        with PayloadReader(self._folder) as payloads:
            return {
                row["item_id"]: payloads.params(row["import_id"], row["payload_offset"], row["payload_bytes"])
                for row in rows.iter_rows(named=True)
            }

    def copies(self, sheet: Sheet, wanted: Sequence[Asked]) -> list[bytes]:
        """The items for those who are asked. Raises `CannotAdapt`."""
        params = self.params({sheet.items[at] for _, at in wanted})
        trial_id = sheet.trial.trial_id
        return [
            _line(copy_id(trial_id, one.number, at), adapted(params[sheet.items[at]], self._book.model(one.model))[0])
            for one, at in wanted
            if sheet.items[at] in params
        ]

    def judgements(self, sheet: Sheet, pairs: Sequence[tuple[int, int]]) -> list[bytes]:
        """What the judge is asked about these answers, each pair in both orders."""
        rubric = sheet.trial.grader
        if not isinstance(rubric, Rubric):
            raise TypeError(rubric.kind)
        params = self.params({sheet.items[at] for _, at in pairs})
        lines = []
        for number, at in pairs:
            candidate, reference = sheet.text(number, at), sheet.text(0, at)
            if candidate is None or reference is None or sheet.items[at] not in params:
                continue
            prompt = prompt_of(params[sheet.items[at]])
            for order in JUDGED:
                if _may_ask(sheet.judgement(number, at, order)):
                    first, second = (candidate, reference) if order == JUDGED[0] else (reference, candidate)
                    asked = judge_params(
                        rubric.rubric, prompt, first, second, model=rubric.model, max_tokens=rubric.max_tokens
                    )
                    lines.append(_line(sheet.judged_id(number, at, order), asked))
        return lines


def presumed(bar: Bar) -> float:
    """What is presumed of a candidate before there are labels: right in half of what the bar allows it to be wrong.

    Of one that may be worse by a margin: that it is no worse.
    """
    return 0.0 if bar.rate is None else (1 + bar.rate) / 2


def first_count(bar: Bar) -> int:
    """Items of a first round: what would decide a candidate that is as good as presumed."""
    fewest, most = FIRST_ROUND
    return min(max(labels_needed(presumed(bar), bar) or most, fewest), most)


def next_count(verdict: Verdict) -> int:
    """Items of the next round of a candidate that is not decided yet."""
    fewest, most = _LATER_ROUND
    return min(max(verdict.more_labels or most // 4, fewest), most)


def shared_out(counts: Mapping[int, int], share: float) -> dict[int, int]:
    """The same share of every count, rounded down."""
    return {number: math.floor(count * share) for number, count in counts.items()}


def parts_of(models: Sequence[str], *, reference: str, needs: Collection[str], judge: str | None) -> list[Entrant]:
    """Whom a trial asks: the reference, the candidates, the reference again where it is the measure, the judge."""
    entrants = [Entrant(number=0, part=Part.REFERENCE, model=reference)]
    entrants += [Entrant(number=at, part=Part.CANDIDATE, model=model) for at, model in enumerate(models, 1)]
    if "reference" in needs and judge is None:
        entrants.append(Entrant(number=len(entrants), part=Part.RERUN, model=reference))
    if judge is not None:
        entrants.append(Entrant(number=len(entrants), part=Part.JUDGE, model=judge))
    return entrants


def waits(reply: Reply) -> bool:
    """Whether an answer may still come, by itself or by asking once more."""
    return reply.fate is Fate.OPEN or (reply.fate is Fate.LOST and reply.tries < _TRIES)


def _may_ask(reply: Reply | None) -> bool:
    return reply is None or (reply.fate is Fate.LOST and waits(reply))


def _line(item_id: str, params: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"custom_id": item_id, "params": params}) + b"\n"
