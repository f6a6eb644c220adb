"""Sizes and order of lots as a program in time slots, solved by HiGHS. Pure.

The discrete-time form of Pritsker, Watters and Wolfe (1969), solved as in Huangfu and Hall (2018). Slots that round
holds down let in every real schedule, slots that round them up only real ones. Either is read as sizes and an order,
which is then packed exactly.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.schedule.packing import Choice
from core.sizing.normal import Floats

if TYPE_CHECKING:
    import highspy

# A large program is cut into fewer slots, and beyond so many variables shares of jobs are allowed in it.
_MOST_VARIABLES, _MOST_WHOLE = 12_000, 4_000
# Few slots are solved at once, more are closer to what can be.
_SLOTS = (24, 48)
# Nodes, so that the answer is the same on any machine; seconds only in case that even they take too long.
_MOST_NODES, _MOST_SECONDS = 500, 5.0
_SMALLEST_SHARE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Slotted:
    """What the program proposes: the way of each lot that is in time, and their jobs in order as (lot, jobs)."""

    ways: Mapping[int, Choice]
    order: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class _Column:
    """One variable: jobs of a way of a lot that start in a slot, whether the way is taken (`slot` -1), or the lot late
    (`way` None)."""

    lot: int
    way: int | None
    slot: int


def slot_counts(ways: Mapping[int, Sequence[Choice]]) -> list[int]:
    """Into how many slots the time may be cut; into fewer, where there are many ways."""
    most = max(_MOST_VARIABLES // sum(len(found) for found in ways.values()), 8)
    return sorted({min(slots, most) for slots in _SLOTS})


def propose(ways: Mapping[int, Sequence[Choice]], queue_limit: int, *, slots: int, cautious: bool) -> Slotted | None:
    """Solve the program; `ways`: of each lot, all with a latest moment. None where the solver finds nothing in time.

    `slots`: see `slot_counts`; `cautious`: holds rounded up.
    """
    program = _Program(ways, queue_limit, slots, cautious)
    values = program.solve()
    return None if values is None else program.read(values)


class _Program:
    """The program as the sparse columns that HiGHS takes."""

    def __init__(self, ways: Mapping[int, Sequence[Choice]], queue_limit: int, slots: int, cautious: bool) -> None:
        self.ways, self.limit = ways, queue_limit
        self.usd = sum(max(way.usd for way in found) for found in ways.values()) or 1.0
        self.slots = slots
        end = max(way.latest for found in ways.values() for way in found)
        self.width = max(end, 1.0) / self.slots
        self.round = math.ceil if cautious else math.floor
        self.columns: list[_Column] = []
        self.costs: list[float] = []
        self.most: list[float] = []
        self.starts, self.rows, self.values = [0], list[int](), list[float]()
        # Rows: one way a lot (the first ones), the jobs of each way, and the room of each slot (the last ones).
        self.link = len(ways)
        self.room = self.link + sum(len(found) for found in ways.values())
        self._fill()

    @property
    def whole(self) -> bool:
        """Whether jobs cannot be shared between slots."""
        return len(self.columns) <= _MOST_WHOLE

    def _fill(self) -> None:
        link = self.link
        # A late lot outweighs whatever being in time may cost.
        late_usd = 2.0
        for row, (lot, found) in enumerate(self.ways.items()):
            self._add(_Column(lot, None, -1), late_usd, 1, {row: 1.0})
            for way, choice in enumerate(found):
                self._add(_Column(lot, way, -1), choice.usd / self.usd, 1, {row: 1.0, link: -float(choice.jobs)})
                hold = self.round(choice.hold / self.width)
                first, last = self.round(choice.earliest / self.width), math.floor(choice.latest / self.width)
                for slot in range(first, last + 1):
                    taken = range(slot, min(slot + hold, self.slots + 1))
                    room = {self.room + other: choice.items / self.limit for other in taken}
                    self._add(_Column(lot, way, slot), 0.0, choice.jobs, {link: 1.0} | room)
                link += 1

    def _add(self, column: _Column, cost: float, most: float, entries: Mapping[int, float]) -> None:
        self.columns.append(column)
        self.costs.append(cost)
        self.most.append(most)
        self.rows += entries.keys()
        self.values += entries.values()
        self.starts.append(len(self.rows))

    def solve(self) -> Floats | None:
        """Values of the columns."""
        import highspy  # noqa: PLC0415 - slow to import, and seldom needed

        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, value in {
            "output_flag": False,
            "threads": 1,
            "random_seed": 0,
            "mip_rel_gap": 1e-4,
            "mip_max_nodes": _MOST_NODES,
            "time_limit": _MOST_SECONDS,
        }.items():
            solver.setOptionValue(name, value)
        solver.passModel(self._model())
        solver.run()
        info = solver.getInfo()
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return None
        return np.array(solver.getSolution().col_value)

    def _model(self) -> "highspy.HighsLp":
        import highspy  # noqa: PLC0415

        model, rows = highspy.HighsLp(), self.room + self.slots + 1
        model.num_col_, model.num_row_ = len(self.columns), rows
        model.col_cost_ = np.array(self.costs)
        model.col_lower_, model.col_upper_ = np.zeros(len(self.columns)), np.array(self.most, dtype=np.float64)
        below = np.full(rows, -highspy.kHighsInf)
        below[: self.link], below[self.link : self.room] = 1.0, 0.0
        above = np.ones(rows)
        above[self.link : self.room] = 0.0
        model.row_lower_, model.row_upper_ = below, above
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_, model.a_matrix_.index_ = np.array(self.starts), np.array(self.rows)
        model.a_matrix_.value_ = np.array(self.values)
        if self.whole:
            model.integrality_ = [highspy.HighsVarType.kInteger] * len(self.columns)
        return model

    def read(self, values: Floats) -> Slotted:
        """The way most taken of each lot that is rather in time than late, and its jobs by slot."""
        taken: dict[int, tuple[float, int | None]] = {}
        for column, value in zip(self.columns, values.tolist(), strict=True):
            if column.slot < 0 and value > taken.get(column.lot, (_SMALLEST_SHARE, None))[0]:
                taken[column.lot] = (value, column.way)
        ways = {lot: self.ways[lot][way] for lot, (_, way) in taken.items() if way is not None}
        begun: list[tuple[int, int, float]] = []
        for column, value in zip(self.columns, values.tolist(), strict=True):
            if column.slot >= 0 and value > _SMALLEST_SHARE and taken.get(column.lot, (0, None))[1] == column.way:
                begun.append((column.slot, column.lot, value))
        return Slotted(ways=ways, order=list(_whole_jobs(sorted(begun), ways)))


def _whole_jobs(begun: Sequence[tuple[int, int, float]], ways: Mapping[int, Choice]) -> list[tuple[int, int]]:
    """Shares of jobs in the order of their slots as whole jobs, none lost."""
    left = {lot: choice.jobs for lot, choice in ways.items()}
    order = []
    for _, lot, share in begun:
        jobs = min(left.get(lot, 0), max(round(share), 1))
        if jobs:
            order.append((lot, jobs))
            left[lot] -= jobs
    return order + [(lot, jobs) for lot, jobs in left.items() if jobs]
