"""The wave model: against a literal simulation, real traffic, live batches, and what the marks promise."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.caching.lifetimes import LIFE_SECONDS, prefix_saving
from core.caching.marks import Floats, Ints, Marks, marks_on_path, one_round_marks, staged_marks
from core.caching.waves import PRIMER_SECONDS, WAVE_SECONDS, Served, first_of_prefix, serve, wave_times

CASES = Path(__file__).parent / "cases"
WAVES = json.loads((CASES / "waves.json").read_text("utf-8"))
PRIMING = json.loads((CASES / "priming.json").read_text("utf-8"))
WRITE = {"5m": 1.25, "1h": 2.0}
# Floor, read multiplier and input price of the models in the set.
MODELS = {
    "claude-sonnet-5-5": (512, 0.05, 2.0),
    "claude-haiku-5-5": (512, 0.1, 0.1),
    "claude-haiku-4-5": (4_096, 0.1, 1.0),
}

Mark = tuple[int, float]
"""An entry, and how deep in the prompt it ends."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Jobs as (first second, items), each item the marks on its path from the top."""

    starts: list[float]
    jobs: list[list[list[Mark]]]

    def served(self, width: float, life: float) -> Served:
        """By the product."""
        job = np.array([number for number, items in enumerate(self.jobs) for _ in items], dtype=np.int64)
        paths = [path for items in self.jobs for path in items]
        marks = [(item, entry, depth) for item, path in enumerate(paths) for entry, depth in path]
        return serve(
            wave_times(job, np.array(self.starts), width=width),
            np.array([10.0 + max((depth for _, depth in path), default=0) for path in paths]),
            item=np.array([item for item, _, _ in marks], dtype=np.int64),
            entry=np.array([entry for _, entry, _ in marks], dtype=np.int64),
            depth=np.array([depth for _, _, depth in marks]),
            life=life,
        )

    def walked(self, width: int, life: float) -> tuple[list[float], list[float]]:
        """Wave by wave and item by item: tokens read and written."""
        waves: list[tuple[float, list[int]]] = []
        paths: list[list[Mark]] = []
        for start, items in zip(self.starts, self.jobs, strict=True):
            numbers = list(range(len(paths), len(paths) + len(items)))
            paths += items
            waves += [
                (start + WAVE_SECONDS * (at // width), numbers[at : at + width]) for at in range(0, len(numbers), width)
            ]
        read, written = [0.0] * len(paths), [0.0] * len(paths)
        readable_from: dict[int, float] = {}
        last_used: dict[int, float] = {}
        for at, numbers in sorted(waves):
            alive = {entry for entry, used in last_used.items() if at - used <= life}
            for number in numbers:
                depths = [depth for entry, depth in paths[number] if entry in alive and readable_from[entry] <= at]
                read[number] = max(depths, default=0.0)
                written[number] = max((depth for _, depth in paths[number]), default=0.0) - read[number]
            begun = at + WAVE_SECONDS / 4
            for entry in {entry for number in numbers for entry, _ in paths[number]}:
                if entry not in alive:
                    readable_from[entry] = begun
                last_used[entry] = begun
        return read, written


@st.composite
def sent(draw: st.DrawFn) -> Sent:
    """Up to four jobs that may run at the same time, of items with up to three nested marks out of a small tree."""
    branches = st.lists(st.integers(0, 1), max_size=3)
    jobs = draw(st.lists(st.lists(branches, min_size=1, max_size=8), min_size=1, max_size=4))
    starts = draw(st.lists(st.integers(0, 60), min_size=len(jobs), max_size=len(jobs)))

    def path(turns: list[int]) -> list[Mark]:
        names = [sum((1 + turn) * 3**at for at, turn in enumerate(turns[: level + 1])) for level in range(len(turns))]
        return [(name, 100.0 * level) for level, name in enumerate(names, 1)]

    return Sent(starts=[7.0 * start for start in starts], jobs=[[path(turns) for turns in job] for job in jobs])


@settings(max_examples=300)
@given(sent(), st.integers(1, 5), st.sampled_from([20.0, 60.0, 300.0]))
def test_all_entries_at_once_are_what_wave_by_wave_finds(case: Sent, width: int, life: float) -> None:
    """Working out each entry's history on its own is no approximation."""
    served = case.served(width, life)
    read, written = case.walked(width, life)

    assert served.read.tolist() == read
    assert served.written.tolist() == written
    assert served.uncached.tolist() == [10.0] * len(read)


def test_waves_follow_each_other_and_primer_rounds_come_first() -> None:
    """Two jobs of width 2: the first has a primer round, its body starts when that is over; the second is as it was."""
    job, rounds = np.array([0, 0, 0, 0, 1, 1, 1]), np.array([0, 1, 0, 0, 0, 0, 0])
    at = wave_times(job, np.array([100.0, 7.0]), width=2, primer_round=rounds)

    body = 100.0 + PRIMER_SECONDS
    assert at.tolist() == [body, 100.0, body, body + WAVE_SECONDS, 7.0, 7.0, 7.0 + WAVE_SECONDS]
    assert wave_times(job, np.array([0.0, 0.0]), width=math.inf).tolist() == [0.0] * 7


def test_each_rounds_primers_wait_for_the_round_before() -> None:
    """Two rounds: the body starts after both."""
    at = wave_times(np.zeros(3, dtype=np.int64), np.zeros(1), width=9, primer_round=np.array([2, 0, 1]))

    assert at.tolist() == [PRIMER_SECONDS, 2 * PRIMER_SECONDS, 0.0]


def test_the_first_item_of_every_prefix_in_every_job_primes() -> None:
    """Items without a prefix that can be cached never do."""
    job, prefix = np.array([0, 0, 0, 1, 1, 1]), np.array([5, 5, -1, 7, 5, 7])

    assert first_of_prefix(job, prefix).tolist() == [1, 0, 0, 1, 1, 0]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 50))
def test_a_primed_job_writes_each_prefix_once_at_every_width(prefixes: list[int], width: int) -> None:
    """Primer and body is the ideal plan as long as the entries live."""
    prefix, job = np.array(prefixes), np.zeros(len(prefixes), dtype=np.int64)
    at = wave_times(job, np.zeros(1), width=width, primer_round=first_of_prefix(job, prefix))
    found = served(at, prefix, np.full(len(prefix), 50.0), np.full(len(prefix), 60.0), life=3_600.0)

    assert found.written.sum() == 50.0 * len(set(prefixes))
    assert found.read.sum() == 50.0 * (len(prefixes) - len(set(prefixes)))


def served(at: Floats, prefix: Ints, depth: Floats, tokens: Floats, *, life: float) -> Served:
    """One mark an item, at the end of its prefix; a negative prefix has none."""
    marked = np.flatnonzero(prefix >= 0)
    return serve(at, tokens, item=marked, entry=prefix[marked], depth=depth[marked], life=life)


@st.composite
def grown(draw: st.DrawFn) -> tuple[Ints, Floats, Ints]:
    """A small prefix tree (parents, depths) and the deepest node of each of its items."""
    size = draw(st.integers(1, 9))
    parent = np.array([draw(st.integers(max(0, node - 3), node)) for node in range(size)])
    depth = np.zeros(size)
    for node, up in enumerate(parent):
        depth[node] = draw(st.integers(1, 9)) + (depth[up] if up != node else 0)
    return parent, depth, np.array(draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=30)))


@pytest.mark.parametrize("choose", [staged_marks, one_round_marks])
@settings(max_examples=200)
@given(tree=grown(), width=st.integers(1, 30) | st.just(math.inf), write=st.sampled_from([1.25, 2.0]))
def test_marks_save_in_the_simulator_what_they_promise(
    choose: Any, tree: tuple[Ints, Floats, Ints], width: float, write: float
) -> None:
    """Sent with their primers, the marks of both programmes cost exactly what was computed, at every width."""
    parent, depth, node_of = tree
    through, at_node = marks_on_path(parent, np.ones(len(parent), dtype=np.bool_), node_of)
    items = np.bincount(at_node, minlength=len(parent))
    first = np.full(len(parent), len(node_of))
    np.minimum.at(first, at_node, through)
    marks: Marks = choose(
        parent, depth, items, floor=3, allowed=np.ones(len(parent), dtype=np.bool_), write=write, read=0.1
    )
    at = wave_times(
        np.zeros(len(node_of), dtype=np.int64),
        np.zeros(1),
        width=width,
        primer_round=marks.item_rounds(first, len(node_of)),
    )
    item, entry = marks_on_path(parent, marks.cached, node_of)
    tokens = depth[node_of] + 5
    found = serve(at, tokens, item=item, entry=entry, depth=depth[entry], life=3_600.0)

    assert found.cost_index(write=write, read=0.1) == pytest.approx(1 - marks.gain / tokens.sum())


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The real prompts in arrival order, per item."""

    seconds: Floats
    prefix: Ints
    depth: Floats
    tokens: Floats
    read: Floats
    price: Floats

    def cell(self, case: dict[str, Any], width: float) -> tuple[float, float]:
        """Hit share in percent and cost index of one plan."""
        order, job, starts = self.jobs(case["jobs"])
        prefix = self.prefix[order]
        rounds = first_of_prefix(job, prefix) if case["primed"] else None
        at = wave_times(job, starts, width=width, primer_round=rounds)
        life, write = LIFE_SECONDS[case["life"]], WRITE[case["life"]]
        found = served(at, prefix, self.depth[order], self.tokens[order], life=life)
        return 100 * found.hit_share, found.cost_index(write=write, read=self.read[order], price=self.price[order])

    def jobs(self, kind: str) -> tuple[Ints, Ints, Floats]:
        """Sending order, each item's job and the jobs' starts."""
        everything, day = np.arange(len(self.prefix)), 86_400.0
        if kind == "one job":
            return everything, np.zeros(len(everything), dtype=np.int64), np.array([day])
        if kind == "hourly":
            hour = (self.seconds // 3_600).astype(np.int64)
            return everything, hour, 3_600.0 * np.arange(1, hour.max() + 2)
        # Items too short to be cached stand in any job: they cost the same everywhere.
        group = self.prefix - self.prefix.min()
        order = np.argsort(group, kind="stable")
        return order, group[order], day + 60.0 * np.arange(group.max() + 1)


@pytest.fixture(scope="session")
def workload(shared_data: Path) -> Workload:
    """11,647 real prompts of one day, with the floor, read price and input price of the model each was meant for."""
    folder = shared_data / "workloads"
    arrivals = pl.read_parquet(folder / "arrivals.parquet")
    truth = pl.read_parquet(folder / "truth.parquet").join(arrivals, on="custom_id").sort("arrival_s")
    floor, read, price = np.array([MODELS[model] for model in truth["model"]]).T
    depth = truth["prefix_tok"].to_numpy().astype(float)
    _, group = np.unique(truth["group_id"].to_numpy(), return_inverse=True)
    return Workload(
        seconds=truth["arrival_s"].to_numpy(),
        prefix=np.where(depth >= floor, group, -1),
        depth=depth,
        tokens=depth + truth["suffix_tok"].to_numpy(),
        read=read,
        price=price,
    )


@pytest.mark.parametrize(
    "case", WAVES, ids=lambda case: f"{case['jobs']}, {'primed' if case['primed'] else 'cold'}, {case['life']}"
)
def test_plans_of_a_real_day_cost_what_the_reference_says(workload: Workload, case: dict[str, Any]) -> None:
    """Six plans, two lives, four widths: hit share and cost index to the last printed digit."""
    for width, expected in case["hit_percent"].items():
        hit, index = workload.cell(case, float(width))

        assert hit == pytest.approx(expected, abs=0.0501)
        assert index == pytest.approx(case["cost_index"][width], abs=0.000501)


def test_nested_chats_side_by_side_read_little(shared_data: Path) -> None:
    """12,031 chat requests, every shared block marked for 5 minutes, one job sorted by prefix.

    One after another they read all that can be read (37.4 %), fifty at a time 6.3 % at a cost index of 1.060, and all
    at once nothing (Mooncake conversation trace, an independent simulation).
    """
    trace = shared_data / "mooncake_conversation" / "conversation_trace.jsonl"
    requests = sorted((json.loads(line) for line in trace.read_bytes().splitlines()), key=lambda r: r["hash_ids"])
    tokens = np.array([float(request["input_length"]) for request in requests])
    blocks = [np.array(request["hash_ids"]) for request in requests]
    item, entry = np.repeat(np.arange(len(blocks)), [len(ids) for ids in blocks]), np.concatenate(blocks)
    level = np.concatenate([np.arange(1.0, len(ids) + 1) for ids in blocks])
    depth = np.minimum(512 * level, tokens[item])
    shared = (np.bincount(entry)[entry] >= 2) & (depth >= 512)
    job = np.zeros(len(tokens), dtype=np.int64)

    def sent_at_width(width: float) -> Served:
        at = wave_times(job, np.zeros(1), width=width)
        return serve(at, tokens, item=item[shared], entry=entry[shared], depth=depth[shared], life=300.0)

    hits = [round(100 * sent_at_width(width).hit_share, 1) for width in (1, 50, math.inf)]
    assert hits == [37.4, 6.3, 0.0]
    assert sent_at_width(50).cost_index(write=1.25, read=0.1) == pytest.approx(1.060, abs=0.0006)


def live_read_rate(plan: dict[str, Any]) -> float:
    """Share of prefix tokens read by the jobs that were counted, by the simulator or, where it has no say, as seen."""
    if "read_rate" in plan:
        return float(plan["read_rate"])
    jobs: Sequence[tuple[float, int]] = plan["jobs"]
    job = np.repeat(np.arange(len(jobs)), [items for _, items in jobs])
    at = wave_times(job, np.array([float(start) for start, _ in jobs]), width=math.inf)
    prefix = np.full(len(job), float(PRIMING["prefix_tokens"]))
    found = served(at, np.zeros(len(job), dtype=np.int64), prefix, prefix, life=LIFE_SECONDS["5m"])
    counted = job >= plan["counted_from"]
    return float(found.read[counted].sum() / prefix[counted].sum())


def test_live_batches_read_and_cost_what_the_model_says() -> None:
    """Cold batches read nothing, primed ones everything; dollars an item within 2 %, dearer plans predicted dearer."""
    predicted = []
    for plan in PRIMING["plans"]:
        saved = 0.0
        if plan["marked"]:
            rate = live_read_rate(plan)
            saved = prefix_saving(rate, write=PRIMING["write"], read=PRIMING["read"])
            assert rate == plan["live_read_rate"]
        predicted.append(PRIMING["plain_usd"] - PRIMING["prefix_tokens"] * PRIMING["usd_per_token"] * saved)

    live = [plan["live_usd"] for plan in PRIMING["plans"]]
    assert live == pytest.approx(predicted, rel=0.02)
    by_live = [usd for _, usd in sorted(zip(live, predicted, strict=True))]
    assert sorted(predicted) == by_live
    assert len(set(predicted)) == len(predicted) - 1, "only the two primed plans may be predicted alike"
