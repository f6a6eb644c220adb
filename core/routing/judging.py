"""A verdict on labels that a model gave, as far as people's labels on some of the same items bear it out.

With q the rate at which the judge approves, and f the rate at which it approves what people reject, the true rate is
at least q - f. So the judge's labels must clear a bar that is higher by what f is at most: f is bounded with half the
error, the raised bar is tested with the other half, and a false verdict has at most the whole (union bound). This
holds at all times, because evidence only falls as the bar rises. The mirror image holds for "fails".
"""

from dataclasses import dataclass

from core.routing.mixture import Counts, lower_bound, more_labels, upper_bound
from core.routing.verdict import BadTally, Bar, Ruling, Tally, Verdict


@dataclass(frozen=True, kw_only=True)
class JudgeTally:
    """The items on which both the judge and people gave a label: a random sample of those that the judge labelled.

    `approved_wrong`: approved by the judge, rejected by people; `rejected_right`: the other way round. Where a label
    compares two answers, these are the items on which the judge was kinder to the candidate than people, and harsher.
    Raises `BadTally`.
    """

    approved_both: int = 0
    approved_wrong: int = 0
    rejected_right: int = 0
    rejected_both: int = 0

    def __post_init__(self) -> None:
        if min(self.approved_both, self.approved_wrong, self.rejected_right, self.rejected_both) < 0:
            raise BadTally(**vars(self))

    @property
    def checked(self) -> int:
        """Items that people checked."""
        return self.approved_both + self.approved_wrong + self.rejected_right + self.rejected_both

    @property
    def agreement(self) -> float | None:
        """The share of checked items on which judge and people agree; None without any."""
        return (self.approved_both + self.rejected_both) / self.checked if self.checked else None

    def most_kind(self, error: float) -> float:
        """How often the judge is kinder than people at most, with probability 1 - error at all times."""
        return self._most(self.approved_wrong, error)

    def most_harsh(self, error: float) -> float:
        """How often the judge is harsher than people at most, with probability 1 - error at all times."""
        return self._most(self.rejected_right, error)

    def _most(self, found: int, error: float) -> float:
        return float(upper_bound(Counts(wins=found, losses=self.checked - found), error))


def rule_by_judge(tally: Tally, checked: JudgeTally, bar: Bar) -> Verdict:
    """One look at the judge's labels, corrected by what people say of some of them.

    The estimate is corrected too; without a checked item nothing is ever decided. `more_labels` are the judge's, and
    None where only more checks by people can decide.
    """
    half = bar.error / 2
    kind, harsh = checked.most_kind(half), checked.most_harsh(half)
    counts = tally.counts(bar)
    low = max(0.0, float(lower_bound(counts, half)) - kind)
    high = min(1.0, float(upper_bound(counts, half)) + harsh)
    ruling = Ruling.CLEARS if low >= bar.mean else Ruling.FAILS if high <= bar.mean else Ruling.NOT_YET
    more = more_labels(counts, above=bar.mean + kind, below=bar.mean - harsh, error=half)
    return Verdict(
        ruling=ruling,
        labels=tally.labels,
        estimate=_corrected(counts, checked, bar) if tally.labels else None,
        lower=bar.share(low),
        upper=bar.share(high),
        more_labels=more if ruling is Ruling.NOT_YET else None,
    )


def _corrected(counts: Counts, checked: JudgeTally, bar: Bar) -> float:
    """What the judge says, less what it said too much of where people looked.

    Where two answers are compared that is taken as one step of the scale, worse, alike and better: half of its length.
    """
    step = 0.5 if bar.rate is None else 1.0
    bias = step * (checked.approved_wrong - checked.rejected_right) / checked.checked if checked.checked else 0.0
    return bar.share(min(1.0, max(0.0, float(counts.mean) - bias)))
