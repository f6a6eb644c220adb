"""Units that stand in the answers, counted in bulk from a raw results file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from core.store import Store, Transaction
from core.store.statements import statements
from core.unit_costs.unit import Kind, Unit

# Answers held at a time while a pattern is looked for.
_PIECE = 10_000
_EVERY = 10_000_000
_ANSWERS: dict[str, Any] = {"custom_id": pl.String, "answer": pl.String}
_COUNTS: dict[str, Any] = {"custom_id": pl.String, "counted_units": pl.Int64}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was counted in the results of a job: `counted` holds custom_id and counted_units (null: not known)."""

    job_id: str
    asked: tuple[dict[str, Any], ...]
    counted: pl.DataFrame

    def put(self, tx: Transaction) -> None:
        """Store the counts of attempts that are stored; where a class was given another unit since, count again."""
        if tuple(tx.run("job_units", job_id=self.job_id)) != self.asked:
            tx.run("recount_job", job_id=self.job_id)
        elif self.counted.height:
            tx.merge("put_counts", self.counted, job_id=self.job_id)


def count_results(store: Store, path: Path, job_id: str, usable: pl.DataFrame) -> Counts:
    """Count the units in the results of a job, where its classes have any that are counted.

    Columns read of `usable`, the attempts that gave something: custom_id, class_id. The results are a file that can be
    read (see `core/jobs/results.py`); an answer without such a count has none, which is not the same as zero.
    """
    asked = tuple(store.query("job_units", job_id=job_id).to_dicts())
    return Counts(job_id=job_id, asked=asked, counted=_count(path, asked, usable))


def read_counts(path: Path, unit: Unit, *, most: int = _EVERY) -> pl.DataFrame:
    """What the first answers of a raw results file count: custom_id and counted_units, null where that is not known."""
    asked = {"path": str(path), "place": unit.pointer, "limit": most}
    with duckdb.connect() as scratch:
        if unit.kind == "json":
            frame: pl.DataFrame = scratch.sql(statements()["read_counts"], params=asked).pl()
            return frame.select(list(_COUNTS))
        found = scratch.execute(statements()["read_counts"], asked)
        pieces = [pl.DataFrame(schema=_COUNTS)]
        while rows := found.fetchmany(_PIECE):
            answers = pl.DataFrame(
                [(custom_id, answer) for custom_id, _, answer in rows], schema=_ANSWERS, orient="row"
            )
            matches = pl.col("answer").str.count_matches(unit.place or "").cast(pl.Int64)
            pieces.append(answers.select("custom_id", counted_units=matches))
    return pl.concat(pieces)


def _count(path: Path, asked: Sequence[dict[str, Any]], usable: pl.DataFrame) -> pl.DataFrame:
    """One pass over the file for each way to count; hardly any job has more than one."""
    pieces = [pl.DataFrame(schema=_COUNTS)]
    for one in asked:
        kind: Kind = one["kind"]
        of_classes = usable.filter(pl.col("class_id").is_in(one["class_ids"]))
        pieces.append(read_counts(path, Unit.of(kind, one["place"])).join(of_classes, on="custom_id", how="semi"))
    return pl.concat(pieces)
