"""The prefix doctor: the exact tree against merely sorting the prompts, an examination against merely reading."""

import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import orjson

from benchmarks.corpus import text
from benchmarks.timing import Ratio, compare
from core.doctor.files import doctor_files
from core.grouping.exact_tree import exact_tree
from core.prices import PriceBook
from core.requests.lines import read_lines
from core.requests.rendering import render

_NOW = datetime(2026, 11, 22, tzinfo=UTC)
_REQUESTS = 20_000


def measure() -> list[Ratio]:
    """The ratios on 20,000 requests of about 90 MB: 40 tasks, every system prompt behind a time of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests.jsonl"
        _write(path)
        prompts = [render(orjson.loads(line)["params"]).data for line in path.open("rb")]
        book = PriceBook.load()
        return [
            compare(
                "exact prefix tree of 20,000 prompts",
                lambda: exact_tree(prompts),
                "sorting them",
                lambda: sorted(prompts),
                goal="<= 10",
                rounds=3,
            ),
            compare(
                "examine 20,000 requests",
                lambda: doctor_files([path], book, now=_NOW),
                "read and render them",
                lambda: [render(orjson.loads(line)["params"]) for line in read_lines(path) if isinstance(line, bytes)],
                goal="<= 25",
                rounds=1,
            ),
        ]


def _write(path: Path) -> None:
    rng = random.Random(3)
    tasks = [text(rng, 4_200) for _ in range(40)]
    with path.open("wb") as file:
        for number in range(_REQUESTS):
            at = f"2026-11-{number % 28 + 1:02d} {number % 24:02d}:{number % 60:02d}"
            params = {
                "model": "claude-haiku-5-5",
                "max_tokens": 256,
                "system": f"Time: {at}\n{tasks[number % 40]}",
                "messages": [{"role": "user", "content": f"{number} {text(rng, 200)}"}],
            }
            file.write(orjson.dumps({"custom_id": f"bench-{number:07d}", "params": params}) + b"\n")
