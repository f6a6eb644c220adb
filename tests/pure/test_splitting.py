"""Cutting a group into jobs: even parts within both limits, as few as may be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.planning.splitting import RequestTooLarge, split_evenly


@given(st.lists(st.integers(1, 100), max_size=200), st.integers(1, 50), st.integers(100, 2_000))
def test_parts_are_even_ordered_and_within_both_limits(sizes: list[int], items: int, most: int) -> None:
    """Every request is in one part, parts follow the order and differ by one request at most."""
    part = split_evenly(np.array(sizes, dtype=np.int64), items=items, most_bytes=most)

    assert len(sizes) == len(part)
    assert sorted(part.tolist()) == part.tolist()
    if sizes:
        counts = np.bincount(part)
        assert counts.max() - counts.min() <= 1
        assert counts.min() >= 1
        assert counts.max() <= items
        assert np.bincount(part, weights=sizes).max() <= most


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60), st.integers(1, 50), st.integers(100, 2_000))
def test_parts_are_as_few_as_even_parts_can_be(sizes: list[int], items: int, most: int) -> None:
    """One part fewer would break a limit."""
    parts = int(split_evenly(np.array(sizes, dtype=np.int64), items=items, most_bytes=most).max()) + 1
    fewer = np.arange(len(sizes)) * (parts - 1) // len(sizes)

    assert (
        parts == 1
        or np.bincount(fewer).max() > items
        or np.bincount(fewer, weights=sizes).max() > most
        or parts == math.ceil(sum(sizes) / most)
    )


def test_a_request_over_the_limit_is_told_and_not_split() -> None:
    """It can go into no job at all."""
    with pytest.raises(RequestTooLarge, match="import --replace"):
        split_evenly(np.array([5, 101]), items=10, most_bytes=100)
