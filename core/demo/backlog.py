"""Request files that nobody has planned yet: what a queue collected, in the order in which it arrived."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from core.demo.scenario import ClassOfWork, classes
from core.demo.texts import body, params
from core.prices import PriceBook
from core.sandbox import truth_of

# Requests by class. Contracts are few and heavy, call notes have a prefix under every floor, and invoices
# still carry the time stamp that spoils their prefix.
COUNTS = {"triage": 380, "relevance": 260, "enrichment": 160, "calls": 160, "invoices": 60, "contracts": 50}
UNSHARED = 130
GOLD = "gold-answers.csv"
FILES = ("queue-1-overnight.jsonl", "queue-2-morning.jsonl", "queue-3-noon.jsonl")

_FIRST_SERIAL = 700_000
_TEAMS = (
    "logistics",
    "returns desk",
    "store 14",
    "store 22",
    "wholesale",
    "legal",
    "press office",
    "training",
)
_ASKS = (
    "Rewrite the note below as a polite answer to a customer.",
    "List the open questions in the text below, most urgent first.",
    "Translate the text below into plain English for a newsletter.",
    "Turn the text below into five questions and answers for the intranet.",
    "Check the text below for figures that contradict each other.",
)


def write_backlog(folder: Path, now: datetime, seed: int, book: PriceBook) -> tuple[Path, ...]:
    """Write the request files into `folder`, mixed as they arrived, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *b"backlog"])
    lines = [line for work in classes() for line in _requests(work, COUNTS[work.key], now, rng, book)]
    lines += [_unshared(number, rng) for number in range(UNSHARED)]
    order = rng.permutation(len(lines))
    paths = []
    for name, part in zip(FILES, np.array_split(order, len(FILES)), strict=True):
        path = folder / name
        path.write_bytes(b"".join(orjson.dumps(lines[position]) + b"\n" for position in part.tolist()))
        paths.append(path)
    _write_gold(folder / GOLD, lines, seed)
    return tuple(paths)


def _write_gold(path: Path, lines: list[dict[str, Any]], seed: int) -> None:
    """The right grades of the items that ask for one, as the local server with that seed holds them hidden."""
    truths = {line["custom_id"]: truth_of(line["params"], seed) for line in lines}
    gold = [(item, str(truth["grade"])) for item, truth in truths.items() if truth]
    pl.DataFrame(gold, schema=["item_id", "gold"], orient="row").write_csv(path)


def _requests(
    work: ClassOfWork, count: int, now: datetime, rng: np.random.Generator, book: PriceBook
) -> list[dict[str, Any]]:
    model = work.model_at(now, book)
    chars = np.maximum(rng.lognormal(np.log(work.suffix_chars), 0.3, count), 120).astype(int)
    requests = []
    for number, size in enumerate(chars.tolist()):
        item_id = f"{work.item}-{_FIRST_SERIAL + number}"
        made = now - timedelta(seconds=37 * (count - number))
        stamp = f"Generated {made:%Y-%m-%d %H:%M:%S} UTC\n" if work.broken else ""
        request = params(work, model, body(work, item_id, size, rng), stamp=stamp)
        requests.append({"custom_id": item_id, "params": request})
    return requests


def _unshared(number: int, rng: np.random.Generator) -> dict[str, Any]:
    """One of the long tail: another team, another task, nothing in common."""
    work = classes()[number % len(classes())]
    team = _TEAMS[int(rng.integers(len(_TEAMS)))]
    ask = _ASKS[int(rng.integers(len(_ASKS)))]
    item_id = f"ADHOC-{_FIRST_SERIAL + number}"
    text = body(work, item_id, int(rng.integers(400, 4000)), rng)
    request = {
        "model": ("claude-sonnet-5", "claude-haiku-4-5")[number % 2],
        "max_tokens": 800,
        "messages": [{"role": "user", "content": f"For the {team}. {ask}\n\n{text}"}],
    }
    return {"custom_id": item_id, "params": request}
