"""What came of the requests of a trial: answered, nothing usable, lost, or still open; and the texts of the answers."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from pathlib import Path
from typing import Any

import duckdb
import orjson
import polars as pl

from core.grading import answer_of
from core.jobs.results import results_path
from core.store import Store
from core.store.statements import statements


class Fate(Enum):
    """What came of one request."""

    OPEN = auto()
    ANSWERED = auto()
    UNUSABLE = auto()
    """Answered, but cut off or refused: a wrong answer."""
    LOST = auto()
    """Errored, expired or canceled: no evidence for or against the model."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came of the last of `tries` at one item; `cost_usd`: of all of them, None where it is not known."""

    item_id: str
    job_id: str
    custom_id: str
    tries: int
    fate: Fate
    why: str | None
    cost_usd: Decimal | None


def replies(store: Store, trial_id: str) -> dict[str, Reply]:
    """Everything that a trial asked, by the id of the copy."""
    return _by_item(store.query("trial_attempts", trial_id=trial_id))


def former_replies(store: Store, folder: Path, items: Collection[str], model: str) -> dict[str, Reply]:
    """What a model answered to items before or beside any trial, by item, as far as the raw answers are kept."""
    found = _by_item(store.query("model_answers", item_ids=list(items), model=model))
    kept = {job: results_path(folder, job).exists() for job in {reply.job_id for reply in found.values()}}
    return {item: reply for item, reply in found.items() if kept[reply.job_id]}


def answer_texts(folder: Path, asked: Iterable[Reply]) -> dict[str, str]:
    """The texts of answered requests, by item; without those whose raw results are no longer kept."""
    return {item: answer_of(message) for item, message in _messages(folder, asked).items()}


def _by_item(rows: pl.DataFrame) -> dict[str, Reply]:
    return {row["item_id"]: _reply(row) for row in rows.iter_rows(named=True)}


def _reply(row: dict[str, Any]) -> Reply:
    match row["outcome"]:
        case None:
            fate = Fate.OPEN
        case "succeeded":
            fate = Fate.ANSWERED if row["usable"] else Fate.UNUSABLE
        case _:
            fate = Fate.LOST
    why = row["cause"] if fate in (Fate.UNUSABLE, Fate.LOST) else None
    if why and row["message"]:
        why = f"{why}: {row['message']}"
    names = ("item_id", "job_id", "custom_id", "cost_usd")
    return Reply(**{name: row[name] for name in names}, tries=row["number"], fate=fate, why=why)


def _messages(folder: Path, asked: Iterable[Reply]) -> Mapping[str, Mapping[str, Any]]:
    answered = [reply for reply in asked if reply.fate is Fate.ANSWERED]
    paths = {results_path(folder, reply.job_id) for reply in answered}
    files = [str(path) for path in sorted(paths) if path.exists()]
    if not files:
        return {}
    rows = [(reply.item_id, reply.job_id, reply.custom_id) for reply in answered]
    with duckdb.connect() as scratch:
        scratch.register("complete", pl.DataFrame(rows, schema=["item_id", "job_id", "custom_id"], orient="row"))
        found = scratch.sql(statements()["read_messages"], params={"files": files}).fetchall()
    return {item_id: orjson.loads(message) for item_id, _, message in found}
