"""Planning a stored backlog against reading it from the store; many classes, many items, and growth in classes."""

import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson

from benchmarks.corpus import text
from benchmarks.timing import Ratio, compare
from core import actions
from core.planning.plan import Plan
from core.workspace import Workspace

_NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
# Classes and items; of the first two, the second has twice the classes of the first.
_SIZES = ((5_000, 15_000), (10_000, 30_000), (500, 100_000))
_MOST_SECONDS = 1.5
_PREFIX_CHARS = 6_000


def measure() -> Iterator[Ratio]:
    """Seconds against the goal and against reading, and what twice the classes take."""
    seconds = []
    for classes, items in _SIZES:
        with tempfile.TemporaryDirectory() as name, Workspace.open(Path(name) / "workspace") as workspace:
            path = Path(name) / "requests.jsonl"
            _write_requests(path, classes=classes, items=items)
            actions.import_files(workspace, [path])
            against_reading = _against_reading(workspace, classes, items)
        yield against_reading
        seconds.append(against_reading.seconds)
        yield Ratio(
            name=against_reading.name,
            seconds=against_reading.seconds,
            against="goal",
            against_seconds=_MOST_SECONDS,
            ratio=against_reading.seconds / _MOST_SECONDS,
            goal="<= 1",
        )
    half, whole, _ = seconds
    yield Ratio(
        name="plan 10,000 classes",
        seconds=whole,
        against="plan 5,000 classes",
        against_seconds=half,
        ratio=whole / half,
        goal="<= 2.3: linear",
    )


def _against_reading(workspace: Workspace, classes: int, items: int) -> Ratio:
    def plan() -> Plan:
        return actions.preview_plan(workspace, now=_NOW)

    return compare(
        f"plan {items:,} items in {classes:,} classes",
        plan,
        "read them from the store",
        lambda: workspace.store.query("backlog", class_ids=None),
        goal="<= 20",
    )


def _write_requests(path: Path, *, classes: int, items: int) -> None:
    """Items in turn of every class, each class with a heavy system prompt of its own."""
    rng = random.Random(classes)
    pool = text(rng, 2_000_000)

    def piece(length: int) -> str:
        start = rng.randrange(len(pool) - length)
        return pool[start : start + length]

    prefixes = [f"Rules of {number}: {piece(_PREFIX_CHARS)}" for number in range(classes)]
    with path.open("wb") as file:
        for number in range(items):
            params = {
                "model": "claude-haiku-5-5",
                "max_tokens": 256,
                "system": prefixes[number % classes],
                "messages": [{"role": "user", "content": f"{number} {piece(rng.randrange(150, 600))}"}],
            }
            file.write(orjson.dumps({"custom_id": f"bench-{number:07d}", "params": params}) + b"\n")
