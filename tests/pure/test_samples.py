"""The sample of a trial has its share of every kind of item, in an order that nobody could have chosen."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from core.routing.samples import draw_sample


def items(*sources: int) -> pl.DataFrame:
    """So many items of each source, half of them waiting, each longer than the one before."""
    rows = [
        (f"item-{source}-{number}", f"file-{source}") for source, count in enumerate(sources) for number in range(count)
    ]
    frame = pl.DataFrame(rows, schema=["item_id", "import_id"], orient="row")
    return frame.with_columns(chars=pl.int_range(pl.len()), waits=pl.int_range(pl.len()) % 2 == 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=4), st.integers(1, 80), st.integers(0, 5))
def test_every_item_at_most_once_and_as_many_as_asked(sources: list[int], most: int, seed: int) -> None:
    """Positions count from 0 without a gap, whatever there is."""
    population = items(*sources)
    drawn = draw_sample(population, most=most, seed=seed)
    assert drawn.height == min(most, population.height)
    assert drawn["position"].to_list() == list(range(drawn.height))
    assert drawn["item_id"].n_unique() == drawn.height
    assert set(drawn["item_id"]) <= set(population["item_id"])


def test_strata_have_their_share() -> None:
    """A tenth of the items is a tenth of the sample, up to one item a stratum."""
    drawn = draw_sample(items(900, 100), most=200, seed=1)
    small = drawn.filter(pl.col("stratum").str.starts_with("file-1")).height
    assert abs(small - 20) <= 2
    waiting = drawn.filter(pl.col("stratum").str.contains("waiting")).height
    assert abs(waiting - 100) <= 8


def test_the_seed_decides_and_the_order_of_the_rows_does_not() -> None:
    """The same seed draws the same sample of the same items; another seed another one."""
    population = items(50, 50)
    first = draw_sample(population, most=20, seed=4)
    assert first.equals(draw_sample(population.reverse().with_columns(pl.col("chars")), most=20, seed=4))
    assert not first.equals(draw_sample(population, most=20, seed=5))


def test_every_beginning_of_a_sample_is_a_random_part_of_it() -> None:
    """Over many seeds the first item is of a source as often as the source is large: no stratum goes first."""
    population = items(80, 20)
    firsts = [draw_sample(population, most=30, seed=seed)["item_id"][0] for seed in range(400)]
    assert 0.12 < sum(item.startswith("item-1") for item in firsts) / len(firsts) < 0.28
