"""Field order: the best fixed order of fields, measured on the rendered rows themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise, permutations
from os import path
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.field_order import Table, contributions, greedy, movies, ours, reviews, served
from benchmarks.ggr import ggr_orders
from core.grouping.field_order import FieldOrder, Ints, best_saving, order_fields, shared_bytes, sort_rows

WRITE, READ = 2.0, 0.1


@dataclass(frozen=True)
class Rows:
    """A table and its cells; two values of a field differ in the first byte after its label."""

    codes: Ints
    lengths: Ints
    labels: Ints
    cells: list[list[bytes]]

    @classmethod
    def of(cls, values: Sequence[Sequence[int]], labels: Sequence[int], sizes: Sequence[Sequence[int]]) -> "Rows":
        """Cells from values 0 to 5, lengths of labels, and for each field the length of each value less one."""
        cells = [
            [b"-" * label + bytes([65 + value]) + b"." * size[value] for value in column]
            for column, label, size in zip(values, labels, sizes, strict=True)
        ]
        codes = [np.unique(column, return_inverse=True)[1] for column in values]
        return cls(
            np.array(codes, dtype=np.int64),
            np.array([[len(cell) for cell in column] for column in cells], dtype=np.int64),
            np.array(labels, dtype=np.int64),
            cells,
        )

    def found(self) -> FieldOrder:
        """The order that is found."""
        return order_fields(self.lengths, self.codes, self.labels)

    def saved(self, order: Sequence[int]) -> int:
        """Bytes that an endless prefix cache serves with the fields in this order."""
        return shared_bytes(sorted(b"".join(row) for row in zip(*(self.cells[field] for field in order), strict=True)))


@st.composite
def tables(draw: st.DrawFn, least: int = 1, most: int = 5) -> Rows:
    """Small tables, some of whose fields are determined by another one."""
    rows, fields = draw(st.integers(1, 12)), draw(st.integers(least, most))
    columns: list[list[int]] = []
    for _ in range(fields):
        determined: bool = draw(st.booleans())
        if columns and determined:
            meaning: list[int] = draw(st.lists(st.integers(0, 3), min_size=6, max_size=6))
            columns.append([meaning[value] for value in columns[draw(st.integers(0, len(columns) - 1))]])
        else:
            columns.append(draw(st.lists(st.integers(0, 5), min_size=rows, max_size=rows)))
    sizes = st.lists(st.integers(0, 9), min_size=6, max_size=6)
    labels = draw(st.lists(st.integers(0, 7), min_size=fields, max_size=fields))
    return Rows.of(columns, labels, draw(st.lists(sizes, min_size=fields, max_size=fields)))


@settings(max_examples=300)
@given(tables())
def test_no_other_order_of_the_fields_saves_more(table: Rows) -> None:
    """Exact means exact: against every permutation, counted on the rendered and sorted rows."""
    found = table.found()

    assert found.exact
    assert found.saved_bytes == table.saved(found.fields)
    assert found.saved_bytes == max(table.saved(order) for order in permutations(range(len(table.codes))))


@settings(max_examples=25)
@given(tables(least=13, most=14))
def test_what_many_fields_promise_is_what_they_save(table: Rows) -> None:
    """Beyond 12 fields the order is not claimed to be the best, but is counted exactly and never a step back."""
    found = table.found()

    assert not found.exact
    assert sorted(found.fields) == list(range(len(table.codes)))
    assert found.saved_bytes == table.saved(found.fields) >= table.saved(range(len(table.codes)))
    assert found.total_bytes == sum(len(cell) for column in table.cells for cell in column)


@settings(max_examples=25)
@given(tables(least=3, most=4), st.integers(13, 14))
def test_constant_fields_do_not_lead_the_search_of_many_fields_astray(table: Rows, fields: int) -> None:
    """Fields that all rows agree on go first and change nothing else: the rest is still the best there is."""
    constant = fields - len(table.codes)
    rows = table.codes.shape[1]
    padded = Rows(
        np.vstack([table.codes, np.zeros((constant, rows), dtype=np.int64)]),
        np.vstack([table.lengths, np.full((constant, rows), 9)]),
        np.concatenate([table.labels, np.full(constant, 9)]),
        [*table.cells, *[[b"all alike"] * rows] * constant],
    )

    assert padded.found().saved_bytes == table.found().saved_bytes + (rows - 1) * 9 * constant


@pytest.mark.parametrize("levels", [3, 14])
def test_fields_that_determine_each_other_fall_together(levels: int) -> None:
    """A country is known from its town: whatever the order given, the wider field comes first."""
    rows = 2 ** (levels - 1)
    shuffled = np.random.default_rng(5).permutation(levels)
    codes = np.array([np.arange(rows) >> (levels - 1 - level) for level in shuffled])

    found = order_fields(np.full_like(codes, 20), codes, np.zeros(levels, dtype=np.int64))

    assert [int(shuffled[field]) for field in found.fields] == list(range(levels))


def test_an_order_that_cannot_be_bettered_stays_as_it_is() -> None:
    """Nobody rewrites a template for nothing."""
    table = Rows.of([[0, 1, 1, 2], [0, 0, 1, 1]], [0, 0], [[1] * 6, [0] * 6])

    assert table.found().fields == (0, 1)
    assert table.saved([0, 1]) == table.saved([1, 0]) > 0


def test_a_dependency_that_one_row_breaks_is_none() -> None:
    """However many rows keep to it: a short field goes behind the long one that almost determines it."""
    codes = np.array([[0, 1] * 300, [0, 1] * 300])
    codes[0, 400] = 1
    lengths = np.array([[1] * 600, [50] * 600])

    found = order_fields(lengths, codes, np.zeros(2, dtype=np.int64))

    assert found.fields == (1, 0)
    assert found.saved_bytes == 598 * 50 + 597


def test_a_field_with_a_long_label_may_come_before_what_it_determines() -> None:
    """Where rows part at once, the label is all that they share."""
    table = Rows.of([[0, 0, 1, 1], [0, 1, 2, 3]], [0, 40], [[0] * 6] * 2)

    assert table.found().fields == (1, 0)
    assert table.found().saved_bytes == 3 * 40


def test_the_longest_label_comes_where_the_rows_part() -> None:
    """Of the first field in which rows differ they still share the label."""
    table = Rows.of([[0, 1, 2], [1, 2, 0], [0, 0, 0]], [1, 40, 0], [[3] * 6] * 3)

    assert table.found().fields[:2] == (2, 1)
    assert table.found().saved_bytes == 2 * (4 + 40)


@pytest.mark.parametrize(("rows", "fields"), [(0, 3), (1, 3), (4, 1), (0, 0)])
def test_nothing_to_order_is_no_error(rows: int, fields: int) -> None:
    """A single row, a single field, or none at all."""
    codes = np.tile(np.arange(rows), (fields, 1))

    found = order_fields(np.full_like(codes, 3), codes, np.zeros(fields, dtype=np.int64))

    assert found == FieldOrder(fields=tuple(range(fields)), saved_bytes=0, total_bytes=3 * rows * fields, exact=True)
    assert sort_rows(codes, found.fields).tolist() == list(range(rows))


@given(tables())
def test_rows_are_sorted_by_their_fields_and_equal_rows_keep_their_order(table: Rows) -> None:
    """The first field leads; every row is there once."""
    order = table.found().fields
    rows = sort_rows(table.codes, order)

    keys = [(*table.codes[list(order), row].tolist(), row) for row in rows.tolist()]
    assert keys == sorted(keys)
    assert len(set(rows.tolist())) == table.codes.shape[1]


@given(st.lists(st.binary(max_size=4) | st.builds(lambda at, end: b"ab" * at + end, st.integers(0, 300), st.binary())))
def test_shared_bytes_are_those_of_the_common_prefix(rows: list[bytes]) -> None:
    """Counted in strides, equal to counting byte by byte."""
    expected = sum(len(path.commonprefix(pair)) for pair in pairwise(rows))  # noqa: RUF071 - bytes, no paths

    assert shared_bytes(rows) == expected


@given(tables(most=3), st.integers(0, 30), st.integers(0, 60))
def test_the_heads_to_cache_are_the_best_that_do_not_hold_each_other(table: Rows, before: int, floor: int) -> None:
    """Against every choice of shared heads of which none begins another, by the gain that the API's prices give."""
    rows = sort_rows(table.codes, range(len(table.codes)))
    codes, lengths = table.codes[:, rows], table.lengths[:, rows]
    depths = np.cumsum(np.vstack([np.full((1, len(rows)), before), lengths]), axis=0).astype(np.float64)
    nodes = {
        tuple(codes[:level, row].tolist()): float(depths[level, row])
        for level in range(len(codes) + 1)
        for row in range(len(rows))
    }

    def gain(head: tuple[int, ...]) -> float:
        items = sum(tuple(row) == head for row in codes[: len(head)].T.tolist())
        return nodes[head] * (items - WRITE - READ * (items - 1)) if nodes[head] >= floor and items > 1 else 0

    worth = [head for head in nodes if gain(head) > 0]
    best = max(
        sum(map(gain, heads))
        for count in range(min(len(worth), 5) + 1)
        for heads in combinations(worth, count)
        if not any(one != other and other[: len(one)] == one for one in heads for other in heads)
    )

    assert best_saving(depths, codes, write=WRITE, read=READ, floor=floor) == pytest.approx(best)


def test_the_greedy_peer_takes_the_value_with_the_largest_hit_count_first() -> None:
    """It is as greedy as published: one value in four rows goes before two together in three rows, which save more."""
    codes = np.array([[0, 0, 0, 0, 1], [1, 2, 0, 0, 0], [1, 2, 0, 0, 0]])

    orders = ggr_orders(np.ones_like(codes), codes)

    assert [row[0] for row in orders.tolist()] == [0] * 5
    assert all(sorted(row) == [0, 1, 2] for row in orders.tolist())


def test_the_greedy_peer_counts_what_a_value_determines() -> None:
    """Declared to go together, the two count together and win."""
    codes = np.array([[0, 0, 0, 0, 1], [1, 2, 0, 0, 0], [1, 2, 0, 0, 0]])

    orders = ggr_orders(np.ones_like(codes), codes, [(1, 2), (2, 1)])

    assert [row[:2] for row in orders.tolist()][2:] == [[1, 2]] * 3


@pytest.mark.parametrize(
    "made",
    [partial(reviews, rows=1500), partial(movies, rows=600), partial(contributions, rows=6000)],
    ids=["reviews", "movies", "contributions"],
)
def test_one_order_serves_no_less_than_the_published_greedy(made: partial[Table]) -> None:
    """Tables of the shape of its evaluation, lines with labels; the greedy is told the dependencies."""
    table = made()

    assert served(ours(table)) >= served(greedy(table))


def test_real_token_statistics_are_served_no_less_than_by_the_greedy(shared_data: Path) -> None:
    """A table that nobody made for this: clients, models, times and quantiles."""
    frame = pl.read_parquet(shared_data / "servegen" / "client_tokens.parquet").cast(pl.String).fill_null("")
    cells = [[f"{name}: {value}\n".encode() for value in frame[name]] for name in frame.columns]
    table = Table(
        name="client tokens",
        cells=cells,
        lengths=np.array([[len(cell) for cell in column] for column in cells]),
        codes=np.array([np.unique(column, return_inverse=True)[1] for column in map(np.array, cells)]),
        labels=np.array([shared_bytes([min(column), max(column)]) for column in cells]),
        dependencies=(),
    )

    assert served(ours(table)) >= served(greedy(table))
