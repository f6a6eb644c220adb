"""The backlog as it is planned: every item never attempted, its class, and the best that is known of its tokens."""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from core.intake.class_tokens import class_tokens
from core.prices import PriceBook
from core.store import Store


def waiting_items(
    store: Store, folder: Path, book: PriceBook, *, simulated: bool, class_ids: Collection[str] | None = None
) -> pl.DataFrame:
    """The items that wait (all, or those of some classes), as `plan_caching` takes them.

    Reads payloads only of classes whose texts were never counted.

    A prefix about which it is unsure whether it reaches the model's floor is planned as if it did not.
    """
    backlog = store.query("backlog", class_ids=None if class_ids is None else sorted(class_ids))
    if backlog.is_empty():
        return backlog
    known = class_tokens(store, folder, book, simulated=simulated)
    better = pl.DataFrame(
        [(class_id, one.prefix.tokens, one.reaches == "yes", one.whole.tokens) for class_id, one in known.items()],
        schema={"class_id": pl.String, "tokens": pl.Float64, "reaches": pl.Boolean, "whole": pl.Float64},
        orient="row",
    )
    behind = pl.col("chars").mean().over("class_id") - pl.col("prefix_chars")
    return (
        backlog.join(better, on="class_id", how="left", maintain_order="left")
        .with_columns(
            prefix_tokens=pl.col("tokens"),
            cacheable=pl.col("reaches") & (pl.col("prefix_chars") > 0),
            suffix_ratio=pl.when(behind > 0).then((pl.col("whole") - pl.col("tokens")) / behind).otherwise(0.0),
        )
        .drop("tokens", "reaches", "whole")
    )
