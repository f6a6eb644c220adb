"""Field order: the one fixed order of a table's fields that lets its rows share the longest prefixes.

Rows that are sorted by their fields share the fields that they have in common at the front, and of the first field in
which they differ what all of its values begin with: its label. Let groups be rows with equal values in a set S of
fields, and `spare(S)` the rows that are not the first of their group. Field j after S saves its label `spare(S)`
times, and its value once for every spare row of S and j, whatever the order inside S. So the best order is a dynamic
programme over sets (Held and Karp 1962), each set visited once as a refinement of a smaller one; a row that has left
every group behind is not looked at again. A field that another one determines never gains by standing after it,
unless its label is the shorter one: only sets that keep to that are visited, which is how functional dependencies
fall together. With many fields a beam keeps the best few sets of each size.

The problem, and a greedy answer that gives every group of rows its own order: Liu et al., Optimizing LLM Queries in
Relational Data Analytics Workloads, MLSys 2025 (arXiv 2403.05821). One fixed order keeps one template.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Up to here every set of fields is looked at: 4,096 of them at most.
_EXACT_FIELDS = 12
# Sets of each size that the beam keeps, times fields: the more fields, the fewer.
_BEAM = 512
# Rows on which most pairs of fields show that neither determines the other.
_GLANCE = 256
# Bytes compared at first where two rows are expected to differ soon.
_STRIDE = 64


@dataclass(frozen=True, kw_only=True)
class FieldOrder:
    """An order of fields, first to last, and what an endless prefix cache saves with it.

    `saved_bytes` of `total_bytes` are shared with an earlier row, counted in labels and whole fields; `exact`: no
    other fixed order saves more.
    """

    fields: tuple[int, ...]
    saved_bytes: int
    total_bytes: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Groups:
    """Rows that agree with another one in every field so far: group after group, and the size of each."""

    rows: Ints
    sizes: Ints

    def split(self, codes: Ints, values: int) -> "_Groups":
        """The same rows by one more field; who is left alone drops out."""
        keys = np.repeat(np.arange(len(self.sizes)) * values, self.sizes) + codes[self.rows]
        order = np.argsort(keys)
        starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
        sizes = np.diff(starts, append=len(keys))
        shared = sizes > 1
        return _Groups(self.rows[order[np.repeat(shared, sizes)]], sizes[shared])

    @property
    def spare(self) -> int:
        """Rows that are not the first of their group."""
        return len(self.rows) - len(self.sizes)

    def saved(self, values: Ints) -> Ints:
        """What spare rows save by values of the given lengths (one a row, last axis), if equal within each group."""
        first = self.rows[np.cumsum(self.sizes) - self.sizes]
        saved: Ints = values[..., first] @ (self.sizes - 1)
        return saved


@dataclass(frozen=True, slots=True)
class _Table:
    """Fields by rising number of values: labels (bytes), values (bytes, per row), codes, and how many codes.

    `needs`: per field, as bits, the fields that must not stand after it.
    """

    labels: Ints
    values: Ints
    codes: Ints
    counts: list[int]
    needs: list[int]

    def everything(self) -> _Groups:
        rows = self.codes.shape[1]
        return _Groups(np.arange(rows), np.full(1, rows)).split(np.zeros(rows, dtype=np.int64), 1)

    def split(self, groups: _Groups, field: int) -> _Groups:
        return groups.split(self.codes[field], self.counts[field])

    def add(self, groups: _Groups, field: int) -> tuple[_Groups, int]:
        """The groups by one more field, and the bytes it saves there."""
        inner = self.split(groups, field)
        return inner, int(self.labels[field]) * groups.spare + int(inner.saved(self.values[field]))

    def next_fields(self, done: int, start: int = 0) -> Iterator[int]:
        """Fields not in the set `done` that may stand right after it."""
        for field in range(start, len(self.counts)):
            if not done >> field & 1 and not self.needs[field] & ~done:
                yield field


def order_fields(lengths: Ints, codes: Ints, labels: Ints) -> FieldOrder:
    """The order of fields that saves most; the given one where none saves more.

    `lengths`: bytes of each field in each row with label and separator, shape (fields, rows); `codes`: its value as
    a number from 0 without gaps, same shape; `labels`: bytes that all values of a field begin with, shape (fields,).
    A field's length is a function of its value. Exact on up to 12 fields, near it on more.
    """
    rank = sorted(range(len(codes)), key=lambda field: int(codes[field].max(initial=-1)))
    table = _table(lengths[rank], codes[rank], labels[rank])
    exact = len(rank) <= _EXACT_FIELDS
    saved, chosen = _search(table) if exact else _beam(table)
    given = _saved_in_order(table, [rank.index(field) for field in range(len(rank))])
    fields = [rank[field] for field in chosen]
    # What comes after the last shared field saves nothing: there it stays as it was.
    fields += [field for field in range(len(rank)) if field not in fields]
    return FieldOrder(
        fields=tuple(range(len(rank)) if given >= saved else fields),
        saved_bytes=max(given, saved),
        total_bytes=int(lengths.sum()),
        exact=exact,
    )


def sort_rows(codes: Ints, fields: Sequence[int]) -> Ints:
    """Positions of the rows sorted by the codes of the fields, the first one leading; equal rows keep their order."""
    rows: Ints = np.lexsort(codes[list(reversed(fields))]) if len(fields) else np.arange(codes.shape[1])
    return rows


def shared_bytes(rows: Sequence[bytes]) -> int:
    """Bytes that each row shares with the one before it: over sorted rows, all that an endless cache would serve."""
    return sum(map(_shared, rows, rows[1:]))


def best_saving(depths: Floats, codes: Ints, *, write: float, read: float, floor: float) -> float:
    """Most tokens of plain input that caching saves when every row may carry one mark, after a whole field.

    `codes`: of the sorted rows, in the order of the fields; `depths`: tokens up to the end of each field, shape
    (1 + fields, rows), the first being what stands before all fields. n rows with one head of d tokens, no fewer
    than `floor`, save `d (n - write - read (n - 1))`: one writes it first, at `write` times the price of input, and
    the others read it at `read` times. A head is marked where that beats marking longer heads of the same rows.
    """
    rows = codes.shape[1]
    differs = np.vstack([np.zeros(rows, dtype=np.bool_), np.diff(codes, axis=1, prepend=codes[:, :1]) != 0])
    differs[0, :1] = True
    begins = np.logical_or.accumulate(differs, axis=0)
    below, inner = np.zeros(0), np.zeros(0, dtype=np.int64)
    for depth, border in zip(depths[::-1], begins[::-1], strict=True):
        starts = np.flatnonzero(border)
        items = np.diff(starts, append=rows)
        gain = depth[starts] * (items - write - read * (items - 1))
        gain[(depth[starts] < floor) | (items < 2)] = 0
        if len(inner):
            gain = np.maximum(gain, np.add.reduceat(below, np.searchsorted(inner, starts)))
        below, inner = np.maximum(gain, 0), starts
    return float(below.sum())


def _table(lengths: Ints, codes: Ints, labels: Ints) -> _Table:
    counts = [int(field.max(initial=-1)) + 1 for field in codes]
    needs = [_needs(codes, labels, field, counts[field]) for field in range(len(codes))]
    return _Table(labels, lengths - labels[:, None], codes, counts, needs)


def _needs(codes: Ints, labels: Ints, field: int, values: int) -> int:
    """The fields before this one that its value determines and whose label is no shorter, as bits."""
    example = np.empty(values, dtype=np.int64)
    example[codes[field]] = np.arange(codes.shape[1])
    alike = example[codes[field]]
    hopeful = (codes[:field, alike[:_GLANCE]] == codes[:field, :_GLANCE]).all(axis=1) & (
        labels[:field] >= labels[field]
    )
    return sum(
        1 << int(other) for other in np.flatnonzero(hopeful) if np.array_equal(codes[other, alike], codes[other])
    )


def _search(table: _Table) -> tuple[int, tuple[int, ...]]:
    """The best order of the fields that matter, over all sets, and what it saves."""
    spare, values = {0: table.everything().spare}, dict[int, list[int]]()
    # A set is reached once: through the set without its last field.
    open_sets = [(0, 0, table.everything())]
    while open_sets:
        done, start, groups = open_sets.pop()
        for field in table.next_fields(done, start):
            inner = table.split(groups, field)
            if inner.spare:
                larger = done | 1 << field
                spare[larger], values[larger] = inner.spare, inner.saved(table.values).tolist()
                open_sets.append((larger, field + 1, inner))
    labels = table.labels.tolist()
    best: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    answer = best[0]
    for done in sorted(spare):
        saved, order = best[done]
        for field in table.next_fields(done):
            larger = done | 1 << field
            more = labels[field] * spare[done] + (values[larger][field] if larger in values else 0)
            path = saved + more, (*order, field)
            if larger in spare:
                best[larger] = max(best.get(larger, path), path, key=lambda found: found[0])
            answer = max(answer, path, key=lambda found: found[0])
    return answer


@dataclass(frozen=True, slots=True)
class _Path:
    """A set of fields with the best order found for it; `most`: what each field can save at most after it."""

    saved: int
    order: tuple[int, ...]
    done: int
    groups: _Groups
    most: Ints


def _beam(table: _Table) -> tuple[int, tuple[int, ...]]:
    """A good order of the fields that matter: the best few sets of each size, grown by one field at a time."""
    best = _Path(0, (), 0, table.everything(), table.labels * table.codes.shape[1] + table.values.sum(axis=1))
    paths = [best]
    while paths:
        grown = _grow(table, paths)
        best = max([best, *grown], key=lambda path: path.saved)
        paths = [path for path in grown if path.groups.spare]
    return best.saved, best.order


def _grow(table: _Table, paths: list[_Path]) -> list[_Path]:
    """The best sets with one field more, and any set met on the way after which nothing is shared.

    Groups only get smaller: what a field saved after a smaller set bounds what it saves after a larger one. So most
    are never split anew (lazy evaluation, Minoux 1978).
    """
    queue: list[tuple[int, int, int, _Groups | None]] = [
        (-path.saved - int(path.most[field]), number, field, None)
        for number, path in enumerate(paths)
        for field in table.next_fields(path.done)
    ]
    heapq.heapify(queue)
    grown: dict[int, _Path] = {}
    shared = 0
    while queue and shared < max(1, _BEAM // len(table.counts)):
        promised, number, field, groups = heapq.heappop(queue)
        path = paths[number]
        done = path.done | 1 << field
        if done in grown:
            continue
        if groups is None:
            groups, saved = table.add(path.groups, field)
            path.most[field] = saved
            heapq.heappush(queue, (-path.saved - saved, number, field, groups))
        else:
            grown[done] = _Path(-promised, (*path.order, field), done, groups, path.most.copy())
            shared += groups.spare > 0
    return list(grown.values())


def _saved_in_order(table: _Table, fields: Sequence[int]) -> int:
    groups, total = table.everything(), 0
    for field in fields:
        groups, saved = table.add(groups, field)
        total += saved
    return total


def _shared(one: bytes, other: bytes) -> int:
    """Length of the longest common prefix: strides that grow until they differ, then halved."""
    low, stride = 0, _STRIDE
    end = min(len(one), len(other))
    while one[low : low + stride] == other[low : low + stride]:
        low += stride
        if low >= end:
            return end
        stride *= 4
    high = min(low + stride, end)
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
