"""The sample of a trial: spread over what items differ in, and looked at in random order. Pure."""

import numpy as np
import polars as pl

_QUARTERS = 4


def draw_sample(items: pl.DataFrame, *, most: int | None, seed: int) -> pl.DataFrame:
    """A stratified sample of items (columns item_id, import_id, chars, waits); the same for the same seed.

    Strata are source, whether an item waits, and the quarter of its prompt's length. Every stratum has its share (a
    systematic sample of the items in order of strata, random within each, from a random start), and the sample is
    ordered at random, so that every beginning of it is a simple random sample of it: only then is a test that looks at
    any time valid. Returns position (from 0), item_id, stratum.
    """
    rng = np.random.default_rng(seed)
    quarter = (pl.col("chars").rank("ordinal") - 1) * _QUARTERS // pl.len() + 1
    strata = (
        items.sort("item_id")
        .with_columns(quarter=quarter, luck=pl.Series(rng.random(items.height)))
        .with_columns(
            stratum=pl.format(
                "{}, {}, length quarter {}",
                "import_id",
                pl.when("waits").then(pl.lit("waiting")).otherwise(pl.lit("sent")),
                pl.col("quarter").cast(pl.Int64),
            )
        )
        .sort("stratum", "luck")
    )
    count = items.height if most is None else min(most, items.height)
    taken = np.floor((np.arange(count) + rng.random()) * items.height / max(count, 1)).astype(np.int64)
    chosen = strata.select("item_id", "stratum")[rng.permutation(taken)]
    return chosen.select(pl.int_range(pl.len()).alias("position"), "item_id", "stratum")
