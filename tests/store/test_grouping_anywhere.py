"""Groups are the same whatever the executor and however the files are cut, though a machine is lost on the way."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intake import group_files as files
from core.intake.group_files import Grouping, group_files
from core.prices import PriceBook
from tests.strategies import Json, line, request

BOOK = PriceBook.load()
GUIDE = "Read the letter and answer with the one word that says what its writer wants from us. " * 3
texts = st.lists(
    st.sampled_from(["dear sirs ", "hello\n", "x" * 80, "ö" * 50, "a page of some length " * 8]), max_size=6
).map("".join)


def same(one: Grouping, other: Grouping) -> bool:
    """Whether two groupings say the same, item by item."""
    said, other_said = ({**vars(grouping), "assignments": None} for grouping in (one, other))
    return said == other_said and one.assignments.equals(other.assignments)


def group(paths: list[Path], executor: str = "inline") -> Grouping:
    """What the files hold; how long it took is not compared."""
    return replace(group_files(paths, BOOK, executor=executor, assignments=True), seconds=0)


def prompts(count: int) -> Iterator[bytes]:
    """Requests of three kinds: a guide and a page in one string, a system prompt, and nothing in common."""
    for number in range(count):
        kind = number % 5
        params: Json = request(f"{number} stands alone")
        if kind < 3:
            params = request(f"{GUIDE * 9}page {kind}: {'all of it ' * 90}\nQuestion {number}?")
        elif kind == 3:
            params = request(f"{number}?", system=GUIDE * 20)
        yield line(f"r{number}", params)


@settings(max_examples=40)
@given(
    written=st.lists(texts.map(lambda text: GUIDE + text), min_size=1, max_size=24),
    shard_bytes=st.integers(60, 3_000),
    cut=st.integers(0, 24),
)
def test_groups_do_not_depend_on_how_files_are_cut(
    tmp_path_factory: pytest.TempPathFactory, written: list[str], shard_bytes: int, cut: int
) -> None:
    """One file read whole, and two files in many shards: the same groups, the same items in them."""
    folder = tmp_path_factory.getbasetemp()
    lines = [line(f"r{number}", request(text)) for number, text in enumerate(written)]
    whole, first, second = (folder / f"{name}.jsonl" for name in ("whole", "first", "second"))
    whole.write_bytes(b"\n".join(lines))
    first.write_bytes(b"\n".join(lines[:cut]))
    second.write_bytes(b"\n".join([*lines[cut:], *lines[:cut]]))
    at_once = group([whole])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_SHARD_BYTES", shard_bytes)
        in_parts = group([first, second])

    assert at_once.groups == in_parts.groups
    assert at_once.shareable == in_parts.shareable
    assert at_once.assignments.sort("custom_id").equals(in_parts.assignments.sort("custom_id"))


def test_rejects_are_named_by_file_and_line_in_whatever_shard_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line's number is counted from the beginning of its file; the same id with another prompt is told."""
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_bytes(b"\n".join([line("a", request("x")), b"", b"{", line("b", request("y")), b"[]"]))
    other.write_bytes(b"\n".join([b"nothing", line("a", request("x")), line("b", request("z"))]))
    whole = group([one, other])
    monkeypatch.setattr(files, "_SHARD_BYTES", 20)

    assert same(group([one, other]), whole)
    assert [reason[:2] for reason in whole.reasons] == [
        ("one.jsonl", 3),
        ("one.jsonl", 5),
        ("other.jsonl", 1),
        ("other.jsonl", 3),
    ]
    assert (whole.requests, whole.rejected) == (2, 4)


def test_processes_find_the_same_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scan, landmarks and comparison all run as maps over shards."""
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"\n".join(prompts(600)))
    monkeypatch.setattr(files, "_SHARD_BYTES", 100_000)
    here = group([path])

    assert sorted(found.items for found in here.groups) == [120] * 5
    assert same(here, group([path], "processes"))


def test_a_cluster_finds_the_same_groups_though_a_worker_is_killed(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its shards go to the other worker; no request is lost, and none is counted twice."""
    distributed = pytest.importorskip("distributed")
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"\n".join(prompts(4_000)))
    monkeypatch.setattr(files, "_SHARD_BYTES", 60_000)
    here = group([path])
    with distributed.Client(cluster, timeout=60, set_as_default=False) as client:
        victim, survivor = client.run(os.getpid).values()
    assert victim != survivor
    timer = threading.Timer(0.3, os.kill, (victim, signal.SIGKILL))
    timer.start()
    found = group([path], cluster)
    timer.join()

    assert here.requests == 4_000
    assert same(found, here)
    assert same(group([path], cluster), here)
