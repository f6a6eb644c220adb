"""Grouping 100,000 requests in 256 MB against merely parsing them with orjson."""

import tempfile
from pathlib import Path

import orjson

from benchmarks.corpus import write_requests
from benchmarks.timing import Ratio, compare
from core.intake.group_files import group_files
from core.prices import PriceBook


def measure() -> list[Ratio]:
    """The ratio for a light file (a long tail of short prefixes) and for a heavy one."""
    with tempfile.TemporaryDirectory() as folder:
        light, heavy = Path(folder) / "light.jsonl", Path(folder) / "heavy.jsonl"
        write_requests(light, requests=100_000)
        write_requests(heavy, requests=18_000, seed=2)
        return [_ratio("group 256 MB, 100,000 requests", light), _ratio("group 256 MB, 18,000 requests", heavy)]


def _ratio(name: str, path: Path) -> Ratio:
    book = PriceBook.load()
    return compare(
        name, lambda: group_files([path], book), "orjson.loads of every line", lambda: _parse(path), goal="<= 2"
    )


def _parse(path: Path) -> None:
    with path.open("rb") as file:
        for line in file:
            orjson.loads(line)
