"""Grouping request files against merely parsing them with orjson, and against grouping with the standard library."""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson

from benchmarks.corpus import write_requests
from benchmarks.timing import Ratio, compare, seconds
from core.intake.group_files import group_files
from core.prices import PriceBook

_BOOK = PriceBook.load()
_SIZE = 256_000_000
_GROWTH = (10_000, 100_000, 1_000_000)
_BYTES_A_REQUEST = 2_540
_MOST_MB = 200
_PEAK = """
import resource, sys
from pathlib import Path
from core.intake.group_files import group_files
from core.prices import PriceBook
group_files([Path(sys.argv[1])], PriceBook.load())
own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(max(own, children) / 1024)
"""


def measure() -> Iterator[Ratio]:
    """Many short requests, few long ones, prefixes inside texts, and growth from 25 MB to 2.5 GB."""
    with tempfile.TemporaryDirectory() as folder:
        light, heavy, inside = (Path(folder) / f"{name}.jsonl" for name in ("light", "heavy", "inside"))
        write_requests(light, requests=100_000, size=_SIZE)
        write_requests(heavy, requests=18_000, size=_SIZE, seed=2)
        write_requests(inside, requests=18_000, size=_SIZE, seed=2, one_string=True)
        for name, path in (("100,000 requests", light), ("18,000 requests", heavy)):
            yield _against_parsing(f"group 256 MB, {name}", path, "auto", goal="<= 1.3")
            yield _against_parsing(f"group 256 MB, {name}, one process", path, "inline", goal="<= 2")
        yield compare(
            "group 256 MB, 100,000 requests",
            lambda: group_files([light], _BOOK),
            "json and a hash a block",
            lambda: _plainly(light),
            goal="<= 0.25",
            rounds=3,
        )
        yield compare(
            "borders inside texts, 18,000 requests",
            lambda: group_files([inside], _BOOK, executor="inline"),
            "the same at block borders",
            lambda: group_files([heavy], _BOOK, executor="inline"),
            goal="<= 2.5",
            rounds=3,
        )
    yield from _growth()


def _against_parsing(name: str, path: Path, executor: str, *, goal: str) -> Ratio:
    return compare(
        name,
        lambda: group_files([path], _BOOK, executor=executor),
        "orjson.loads of every line",
        lambda: _parse(path),
        goal=goal,
    )


def _parse(path: Path) -> None:
    with path.open("rb") as file:
        for line in file:
            orjson.loads(line)


def _plainly(path: Path) -> Counter[bytes]:
    """What one would write first: parse, hash the system prompt and every block of text, count the prefixes."""
    counts: Counter[bytes] = Counter()
    with path.open("rb") as file:
        for line in file:
            params = json.loads(line)["params"]
            running = hashlib.sha256(params["model"].encode())
            texts = [params.get("system") or "", *(message["content"] for message in params["messages"])]
            for text in texts:
                running.update(text.encode())
                counts[running.digest()] += 1
    return counts


def _growth() -> Iterator[Ratio]:
    """Seconds a byte, and memory, from ten thousand to a million requests."""
    first = 0.0
    for requests in _GROWTH:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "growing.jsonl"
            write_requests(path, requests=requests, size=requests * _BYTES_A_REQUEST, seed=3)
            _parse(path)
            size = path.stat().st_size
            floor = seconds(lambda path=path: _parse(path)) / size * 1e9  # type: ignore[misc]
            ours = seconds(lambda path=path: group_files([path], _BOOK)) / size * 1e9  # type: ignore[misc]
            first = first or ours / floor
            yield Ratio(
                name=f"group {size / 1e6:,.0f} MB",
                seconds=ours,
                against="orjson.loads of every line",
                against_seconds=floor,
                ratio=ours / floor,
                goal=f"<= {first * 1.15:.2f}: linear",
                unit="s a GB",
            )
            if requests == _GROWTH[-1]:
                yield _memory(path)


def _memory(path: Path) -> Ratio:
    said = subprocess.run([sys.executable, "-c", _PEAK, str(path)], check=True, capture_output=True, text=True)
    peak = float(said.stdout)
    return Ratio(
        name="resident, a million requests",
        seconds=peak,
        against="goal",
        against_seconds=_MOST_MB,
        ratio=peak / _MOST_MB,
        goal="<= 1",
        unit="MB",
    )
