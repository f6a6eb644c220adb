"""The token gaps of one model, tier and kind, day by day, given their causes. All in whole tokens, so they add up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

_DAY = timedelta(days=1)


@dataclass(kw_only=True)
class Pool:
    """Work of a model that may be in the report and is not in the ledger: `usd` of it at most, sent on a day."""

    day: date
    why: str
    usd: Decimal


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One day of a line: tokens in the report and in the ledger, and USD a token as the report shows it."""

    day: date
    reported: int
    ours: int
    usd_per_token: Decimal
    complete: bool


@dataclass
class Causes:
    """Tokens of a day's gap by cause."""

    tokens: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, tokens: int) -> None:
        """So many more, or fewer, for this cause."""
        if tokens:
            self.tokens[name] = self.tokens.get(name, 0) + tokens


def causes(line: Sequence[Gap], pools: Sequence[Pool]) -> list[Causes]:
    """What the gap of each day comes from, in the order of the days; `pools` are used up on the way."""
    late = _late(line)
    found = []
    for index, gap in enumerate(line):
        before = late[index - 1] if index and line[index - 1].day + _DAY == gap.day else 0
        made = Causes()
        made.add("dating", before - late[index])
        rest = gap.reported - gap.ours - before + late[index]
        if rest < 0 and not gap.complete:
            made.add("incomplete", rest)
            rest = 0
        if rest > 0:
            for why, tokens in _drawn(gap, rest, pools).items():
                made.add(why, tokens)
                rest -= tokens
        made.add("unexplained_use", rest)
        found.append(made)
    return found


def _late(line: Sequence[Gap]) -> list[int]:
    """How many tokens of each day the account dates by the day after: which day it takes is not documented.

    At most the ledger's own tokens of the day, since a batch is over within 24 hours; and what never turns up on a
    later day stays missing on the day from which it is missing.
    """
    late: list[int] = []
    for index, gap in enumerate(line):
        follows = index > 0 and line[index - 1].day + _DAY == gap.day
        owed = (late[-1] if follows else 0) - (gap.reported - gap.ours)
        late.append(min(max(owed, 0), gap.ours) if gap.complete else 0)
    never = 0
    for index in reversed(range(len(line))):
        last = index + 1 == len(line) or line[index + 1].day != line[index].day + _DAY
        never = min(late[index] if last else never, late[index])
        late[index] -= never
    return late


def _drawn(gap: Gap, rest: int, pools: Sequence[Pool]) -> Mapping[str, int]:
    """Tokens that work not in the ledger accounts for, oldest work first."""
    drawn: dict[str, int] = {}
    for pool in pools:
        # A batch is over within 24 hours, so it is dated by its day or by the next.
        if not timedelta(0) <= gap.day - pool.day <= _DAY or not rest or gap.usd_per_token <= 0:
            continue
        tokens = min(rest, int(pool.usd / gap.usd_per_token))
        pool.usd -= tokens * gap.usd_per_token
        drawn[pool.why] = drawn.get(pool.why, 0) + tokens
        rest -= tokens
    return drawn
