"""The worst that request files can hold: grouped exactly, in bounded memory, the same however they are read."""

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.intake import group_files as files
from core.intake.group_files import Grouping, group_files
from core.prices import PriceBook
from core.requests.blocks import HEAD_BYTES
from tests.strategies import Json, line, request

BOOK = PriceBook.load()
HEAD = "Read the letter below and say in one word what its writer wants from us, whatever it is about. " * 4
REQUESTS, FEW = 40_000, 2_000
PEAK = """
import sys
from pathlib import Path
from core.intake.group_files import group_files
from core.prices import PriceBook
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
book = PriceBook.load()
group_files([Path(sys.argv[1])], book, executor="inline")
before = peak()
found = group_files([Path(sys.argv[2])], book, executor="inline")
print(found.requests, (peak() - before) * 1024)
"""


def write(path: Path, requests: list[Json]) -> Path:
    """A file of these requests."""
    path.write_bytes(b"\n".join(line(f"r{number}", params) for number, params in enumerate(requests)))
    return path


def group(*paths: Path, executor: str = "inline") -> Grouping:
    """What the files hold; how long it took is not compared."""
    return replace(group_files(paths, BOOK, executor=executor, assignments=True), seconds=0)


def groups_of(found: Grouping) -> dict[str, str]:
    """The group of every request."""
    return dict(found.assignments.iter_rows())


def sizes(found: Grouping) -> Counter[int]:
    """How many groups have how many items."""
    return Counter(group.items for group in found.groups)


def numbers(rng: random.Random, length: int) -> str:
    """Text without a border that anybody else has."""
    return " ".join(str(rng.randrange(10**6)) for _ in range(length // 7 + 1))


def one_giant_class(rng: random.Random) -> Iterator[Json]:
    """Every text begins alike."""
    for _ in range(REQUESTS):
        yield request(HEAD + numbers(rng, 100))


def all_distinct(rng: random.Random) -> Iterator[Json]:
    """Nobody shares anything, though every prompt is long."""
    for _ in range(REQUESTS):
        yield request(numbers(rng, 500))


def small_classes_under_one_head(rng: random.Random) -> Iterator[Json]:
    """Ten items a class, all behind one head inside one string."""
    pages = [numbers(rng, 700) for _ in range(REQUESTS // 10)]
    for number in range(REQUESTS):
        yield request(f"{HEAD}{pages[number * 7919 % len(pages)]}\n{numbers(rng, 20)}")


def deep_trees(rng: random.Random) -> Iterator[Json]:
    """Ten levels of borders inside one string."""
    branches = [numbers(rng, 90) for _ in range(1 << 11)]
    for _ in range(REQUESTS):
        path, text = 1, HEAD
        for _ in range(10):
            path = 2 * path + rng.randrange(2)
            text += branches[path]
        yield request(text + numbers(rng, 20))


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(
    ("family", "most_bytes"),
    [(all_distinct, 320), (one_giant_class, 340), (small_classes_under_one_head, 500), (deep_trees, 370)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_memory_is_bounded_by_the_number_of_requests(
    family: Callable[[random.Random], Iterator[Json]], most_bytes: int, tmp_path: Path, checkout: Path
) -> None:
    """Not by their texts, and hardly by how many borders these have; what a few of them take is not counted."""
    requests = list(family(random.Random(1)))
    few, all_of_them = write(tmp_path / "few.jsonl", requests[:FEW]), write(tmp_path / "all.jsonl", requests)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(few), str(all_of_them)],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    grouped, taken = (int(figure) for figure in done.stdout.split())
    assert grouped == REQUESTS
    assert taken / (REQUESTS - FEW) < most_bytes


@pytest.mark.parametrize("shared", [HEAD_BYTES, HEAD_BYTES + 1, 4_096, 65_535, 65_536, 65_537, 1_000_000])
@pytest.mark.parametrize("unit", ["a", "ö", "🙂"], ids=["1 byte", "2 bytes", "4 bytes"])
def test_texts_that_differ_in_one_character_deep_inside_are_told_apart(shared: int, unit: str, tmp_path: Path) -> None:
    """The border is where they part, to some bytes, and never inside a character."""
    width = len(unit.encode())
    head = unit * -(-shared // width)
    tails = [f"{letter}{number}" + "y" * 400 for number in range(2) for letter in ("b", "c")]
    found = group(write(tmp_path / "near.jsonl", [request(head + tail) for tail in tails]))

    (only,) = found.groups
    assert (only.items, only.inside_text) == (4, True)
    assert len(head) - 16 <= only.prefix_chars <= len(head) + 2


def test_texts_that_differ_in_the_last_byte_share_all_the_others(tmp_path: Path) -> None:
    """Equal but for one character at the end."""
    text = (HEAD * 300)[:100_000]
    found = group(write(tmp_path / "last.jsonl", [request(text + end) for end in "abcdefgh"]))

    assert sizes(found) == {8: 1}
    assert 100_000 - 16 <= found.groups[0].prefix_chars <= 100_000


def test_a_caterpillar_is_followed_to_its_end(tmp_path: Path) -> None:
    """Every text shares a little more with the next one: many borders on one path, found in few looks."""
    rng = random.Random(2)
    spine = numbers(rng, 120_000)
    texts = [spine[: 100 * end] + numbers(rng, 30) for end in range(4, 600)]
    found = group(write(tmp_path / "caterpillar.jsonl", [request(text) for text in texts]))

    shared = sum(len(text) - 35 for text in texts[:-1]) / sum(map(len, texts))
    assert found.shareable == pytest.approx(shared, abs=0.01)


def test_prefixes_of_a_megabyte_are_classes(tmp_path: Path) -> None:
    """Five of them behind one head, in one string, four items each."""
    rng = random.Random(3)
    pages = [numbers(rng, 1_000_000) for _ in range(5)]
    found = group(
        write(tmp_path / "large.jsonl", [request(f"{HEAD}{page}\n{number}?") for number in range(4) for page in pages])
    )

    assert sizes(found) == {4: 5}
    assert all(group.prefix_chars > 900_000 for group in found.groups)


def test_what_is_nested_too_deeply_is_told_and_the_rest_is_grouped(tmp_path: Path) -> None:
    """Between requests that share inside their texts stand lines that no library reads."""
    good = [line(f"r{number}", request(f"{HEAD}{number}")) for number in range(6)]
    deep = line("deep", request(tools=[{"name": "t", "x": 0}])).replace(b":0", b":" + b"[" * 400 + b"]" * 400)
    path = tmp_path / "nested.jsonl"
    path.write_bytes(b"\n".join([deep, *good[:3], b'{"a":' * 100_000, *good[3:]]))
    found = group(path)

    assert (found.requests, found.rejected) == (6, 2)
    assert [number for _, number, _ in found.reasons] == [1, 5]
    assert sizes(found) == {6: 1}


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_the_groups_of_the_worst_are_the_same_in_any_order_and_parts(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nested borders, small classes and equal texts, shuffled and cut anew."""
    rng = random.Random(4)
    pages = [numbers(rng, 600) for _ in range(40)]
    texts = [f"{HEAD}{rng.choice(pages)}{rng.choice(pages[:3])}{rng.randrange(50)}" for _ in range(800)]
    lines = [line(f"r{number}", request(text)) for number, text in enumerate(texts)]
    whole, first, second = (tmp_path / f"{name}.jsonl" for name in ("whole", "first", "second"))
    whole.write_bytes(b"\n".join(lines))
    rng.shuffle(lines)
    first.write_bytes(b"\n".join(lines[:300]))
    second.write_bytes(b"\n".join(lines[300:]))
    at_once = group(whole)
    monkeypatch.setattr(files, "_SHARD_BYTES", 90_000)
    in_parts = group(second, first, executor=executor)

    assert at_once.groups == in_parts.groups
    assert at_once.shareable == in_parts.shareable
    assert groups_of(at_once) == groups_of(in_parts)
