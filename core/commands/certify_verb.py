"""The verb `certify`: whether recorded outcomes prove that a model clears its bar; it needs no workspace."""

import argparse
from pathlib import Path
from typing import Any

import polars as pl

from core.intake.tables import NoRows, read_table
from core.requests.files import NoSuchFile
from core.routing.outcomes import NoOutcomes, outcomes_of
from core.routing.verdict import Bar, Ruling, Verdict, first_ruling

Document = dict[str, Any]
_DIGITS = 6


def certify(arguments: argparse.Namespace) -> Document:
    """The first ruling on a file of outcomes, looked at label by label in their order."""
    bar = Bar(rate=arguments.bar, margin=arguments.margin, error=arguments.error)
    outcomes = outcomes_of(_read(arguments.outcomes), bar)
    verdict = first_ruling(outcomes, bar)
    looked_at = outcomes.head(verdict.labels)
    later = outcomes.slice(verdict.labels)
    rates = {f"{name}_rate": round(looked_at[name].sum() / verdict.labels, _DIGITS) for name in outcomes.columns[1:]}
    return {
        "verdict": verdict.ruling,
        "labels": verdict.labels,
        "lower": round(verdict.lower, _DIGITS),
        "upper": round(verdict.upper, _DIGITS),
        "more_labels": verdict.more_labels,
        "estimate": None if verdict.estimate is None else round(verdict.estimate, _DIGITS),
        **rates,
        "outcomes": outcomes.height,
        "bar": bar.rate,
        "margin": bar.margin,
        "error": bar.error,
        "sentence": f"{_sentence(verdict, bar)} Each bound is {1 - bar.error:.0%} sure.{_of_later(later)}",
    }


def add_certify_options(certify: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    certify.add_argument(
        "outcomes",
        type=Path,
        metavar="OUTCOMES.csv|.parquet",
        help="a random sample with columns order, correct (0 or 1), and for a margin also reference (0 or 1)",
    )
    bar = certify.add_mutually_exclusive_group(required=True)
    bar.add_argument("--bar", type=float, metavar="SHARE", help="the share of right answers to exceed, as 0.9")
    bar.add_argument(
        "--margin", type=float, metavar="SHARE", help="not worse than the reference by more than this, as 0.05"
    )
    certify.add_argument(
        "--error", type=float, default=0.05, metavar="SHARE", help="the accepted chance of a wrong verdict (0.05)"
    )


def _read(path: Path) -> pl.DataFrame:
    """Raises `NoSuchFile`, `NoOutcomes` or `NotATable`."""
    if not path.is_file():
        raise NoSuchFile(path=path)
    if not path.stat().st_size:
        raise NoOutcomes(file=path)
    try:
        return read_table(path)
    except NoRows as error:
        raise NoOutcomes(file=path) from error


def _sentence(verdict: Verdict, bar: Bar) -> str:
    after = "after 1 label" if verdict.labels == 1 else f"after {verdict.labels:,} labels"
    if bar.rate is not None:
        bounds = f"its share of right answers lies between {verdict.lower:.1%} and {verdict.upper:.1%}"
        asked = f"the bar is {bar.rate:.1%}"
    else:
        points = f"{100 * verdict.lower:+.1f} and {100 * verdict.upper:+.1f} points"
        bounds, asked = (
            f"its difference to the reference lies between {points}",
            f"the bar is {-100 * (bar.margin or 0):+.1f}",
        )
    match verdict.ruling:
        case Ruling.CLEARS:
            return f"Clears {after}: {bounds}, and {asked}."
        case Ruling.FAILS:
            return f"Fails {after}: {bounds}, and {asked}."
        case Ruling.NOT_YET:
            more = " So near the bar, more labels may never tell."
            if verdict.more_labels is not None:
                more = f" About {verdict.more_labels:,} more may tell."
            return f"Not yet decided {after}: {bounds}, and {asked}.{more}"


def _of_later(later: pl.DataFrame) -> str:
    """What came after the verdict: it does not change it, and whoever reads it should know."""
    if later.is_empty():
        return ""
    right = ", ".join(f"{later[name].sum() / later.height:.1%} {name}" for name in later.columns[1:])
    return f" The verdict needed no more; of {later.height:,} later labels {right}."
