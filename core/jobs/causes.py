"""Why an attempt is not usable, and what can be done about it, for whole frames of results."""

import polars as pl

from core.causes import DECIDE, causes

USABLE_STOPS = ("end_turn", "stop_sequence", "tool_use")


def classify(results: pl.DataFrame) -> pl.DataFrame:
    """Add `usable`, `cause` and `action` to results.

    Columns read: outcome, stop_reason, error_type, error_code, message. Types are compared as strings: the SDK's
    classes take an unknown error for an invalid request.
    """
    table = causes()
    said = pl.coalesce(
        [
            pl.when(pl.col("message").str.to_lowercase().str.contains(words, literal=True)).then(pl.lit(cause))
            for words, cause in table.by_words.items()
        ]
    )
    coded = pl.coalesce([pl.when(_is_code(code)).then(pl.lit(cause)) for code, cause in table.by_code.items()])
    succeeded = pl.col("outcome") == "succeeded"
    usable = succeeded & pl.col("stop_reason").is_in(USABLE_STOPS).fill_null(False)
    errored = pl.coalesce(coded, said, pl.col("error_type"), pl.lit("unknown"))
    failed = (
        pl.when(succeeded)
        .then(pl.col("stop_reason").fill_null("unknown"))
        .when(pl.col("outcome") == "errored")
        .then(errored)
        .otherwise(pl.col("outcome"))
    )
    actions = {cause.type: cause.action for cause in table.by_type.values()}
    return results.with_columns(usable=usable, cause=pl.when(~usable).then(failed)).with_columns(
        action=pl.when(~usable).then(pl.col("cause").replace_strict(actions, default=DECIDE, return_dtype=pl.String))
    )


def _is_code(code: str) -> pl.Expr:
    """Whether an error has this code, or one of the family that a name with a star stands for."""
    family, star, _ = code.partition("*")
    return pl.col("error_code").str.starts_with(family) if star else pl.col("error_code") == code
