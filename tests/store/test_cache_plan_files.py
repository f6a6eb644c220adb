"""The cache plan of files without a workspace: the same rules, on whatever model one asks for."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from core.intake.cache_plan_files import FilesCachePlan, plan_files
from core.prices import PriceBook, UnknownModel
from core.settings import Settings
from tests.strategies import MODELS, Json, line, request

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEAVY = "Extract every field of the invoice. " * 300


def write(folder: Path, *requests: Json) -> Path:
    """A request file."""
    path = folder / "requests.jsonl"
    path.write_bytes(b"\n".join(line(f"i{number}", of) for number, of in enumerate(requests)))
    return path


def plan(*paths: Path, model: str | None = None, executor: str = "inline") -> FilesCachePlan:
    """The cache plan of these files today."""
    return plan_files(paths, model=model, book=BOOK, settings=Settings(), now=NOW, executor=executor)


def test_what_shares_a_prefix_is_primed_and_the_rest_explained(tmp_path: Path) -> None:
    """One class worth caching, one whose prefix ends inside a text, and requests that share nothing."""
    inside = [request(f"{'Grade it by these rules. ' * 400}\nNumber {number} of them.") for number in range(9)]
    lone = [request(f"{number} is alone", model=MODELS[1]) for number in range(3)]
    of = plan(write(tmp_path, *(request(f"q{number}", system=HEAVY) for number in range(20)), *inside, *lone))
    found = {one.reasons: one for one in of.classes}

    assert set(found) == {("primed_1h",), ("needs_split", "ends_inside_text"), ("shares_nothing",)}
    primed = found[("primed_1h",)]
    assert (primed.items, primed.marks, primed.lifetime, primed.primers) == (20, (1,), "1h", 1)
    assert primed.class_name.startswith("Extract every field of the invoice.")
    assert (found["needs_split", "ends_inside_text"].split_usd or 0) > 0
    assert of.requests == 32
    assert of.planned_usd is not None
    assert of.plain_usd is not None
    assert of.planned_usd < of.plain_usd
    saved = (primed.plain_usd or Decimal(0)) - (primed.planned_usd or Decimal(0))
    assert of.plain_usd - of.planned_usd == pytest.approx(saved)


def test_another_model_takes_all_requests(tmp_path: Path) -> None:
    """Asked for one model, requests of two share what they could not share before, at its prices and floor."""
    both = [request(f"q{number}", system=HEAVY, model=MODELS[number % 2]) for number in range(20)]
    path = write(tmp_path, *both)

    assert {(one.model, one.items) for one in plan(path).classes} == {(MODELS[0], 10), (MODELS[1], 10)}
    (one,) = plan(path, model="claude-opus-5-5").classes
    assert (one.model, one.items, one.primers) == ("claude-opus-5-5", 20, 1)
    (small,) = plan(path, model="claude-haiku-4-5").classes
    assert (small.lifetime, small.reasons) == (None, ("under_floor",))
    with pytest.raises(UnknownModel):
        plan(path, model="claude-unheard-of")


def test_lines_that_are_no_requests_are_told_and_left_out(tmp_path: Path) -> None:
    """A broken line, a blank one and one that came before: none moves the facts of another line to a wrong item."""
    lines = [line(f"i{number}", request(f"q{number}", system=HEAVY)) for number in range(6)]
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"\n".join([lines[0], b"{nothing", b"", lines[1], lines[1], *lines[2:]]))
    of = plan(path)

    assert (of.requests, of.rejected) == (6, 1)
    assert of.rejects[0][:2] == ("requests.jsonl", 2)
    assert [(one.items, one.marks) for one in of.classes] == [(6, (1,))]


def test_nothing_to_plan_is_no_fault(tmp_path: Path) -> None:
    """An empty file has no classes and costs nothing that is known."""
    of = plan(write(tmp_path))

    assert (of.requests, len(of.classes), of.plain_usd) == (0, 0, None)
    assert of.second_round_usd == 0


def test_a_plan_is_the_same_whatever_runs_the_scan(tmp_path: Path) -> None:
    """One process or several: the same classes, marks and dollars."""
    path = write(tmp_path, *(request(f"q{number}", system=f"{number % 3} {HEAVY}") for number in range(30)))

    assert plan(path) == plan(path, executor="processes")


def test_real_traffic_is_never_planned_dearer_than_plain(shared_data: Path) -> None:
    """Thousands of prompts of a hundred tasks: on every model the plan saves, and what saves is what is marked."""
    paths = sorted((shared_data / "workloads").glob("requests-*.jsonl.zst"))
    for model in (None, "claude-sonnet-5-5"):
        of = plan(*paths, model=model)

        assert of.requests == 11_647
        assert of.planned_usd is not None
        assert of.plain_usd is not None
        assert of.planned_usd < of.plain_usd * Decimal("0.75")
        for one in of.classes:
            assert (one.planned_usd or 0) <= (one.plain_usd or 0)
            assert bool(one.marks) == (one.lifetime is not None) == one.reasons[0].startswith("primed")
            assert one.prefix_tokens >= BOOK.model(one.model).cache_floor_tokens or one.lifetime is None
