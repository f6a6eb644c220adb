"""Why an attempt is not usable and what can be done about it, from the table in `causes.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import polars as pl

USABLE_STOPS = ("end_turn", "stop_sequence", "tool_use")
RESUBMIT, HOLD, WAIT, EDIT, DECIDE = "resubmit", "hold", "wait", "edit", "decide"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One reason, the action that helps, and a sentence for people; `wait_minutes`: where waiting helps, how long."""

    type: str
    action: str
    says: str
    wait_minutes: int = 0


@dataclass(frozen=True, kw_only=True)
class Causes:
    """All known causes by type; error codes and wordings that name one more exactly than the type does."""

    by_type: dict[str, Cause]
    by_code: dict[str, str]
    by_words: dict[str, str]


@cache
def causes() -> Causes:
    """The table of causes."""
    table = tomllib.loads(files("core.jobs").joinpath("causes.toml").read_text())
    return Causes(
        by_type={row["type"]: Cause(**row) for row in table["cause"]},
        by_code=table["code"],
        by_words=table["words"],
    )


def explain(cause: str) -> Cause:
    """The cause of this name; an unknown one is for a person to decide."""
    unknown = Cause(type=cause, action=DECIDE, says="Lotwise does not know this error. Look at its message.")
    return causes().by_type.get(cause, unknown)


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
