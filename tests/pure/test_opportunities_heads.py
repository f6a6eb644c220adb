"""Classes that share a heavy head and go apart: every second write is found, with its dollars."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.grouping.heads import shared_heads
from core.grouping.prefix_tree import grow
from core.opportunities.heads import head_savings
from core.opportunities.opportunity import Kind, Opportunity
from tests.grouping import chains_of_requests, classes
from tests.pure.workloads import PREFIX, Made, days, month, rate
from tests.strategies import request

HEAD = 3_000
OWN: dict[str, Any] = {"input_tokens": 200, "output_tokens": 100}
CHEAPER = HEAD * (rate("cache_write_1h") - rate("cache_read"))
"""What one write of the head costs more than a read."""


def primed(made: Made, name: str, day: Any, hour: int, *, requests: int = 50, write: str = "cache_write_1h") -> None:
    """A send in order: one request writes the prefix, all others read it."""
    primer = made.send(name, day, 1, role="primer", hour=hour, **({f"{write}_tokens": PREFIX} | OWN))
    made.send(name, day, requests - 1, hour=hour, primer=primer, cache_read_tokens=PREFIX, **OWN)


def sent(*hours: tuple[str, tuple[int, ...]], heads: bool = True, number: int = 28) -> Made:
    """Classes of one head, each sent at these hours of every day."""
    made = Made()
    for name, _ in hours:
        made.add_class(name)
    for day in days(number):
        for name, at in hours:
            for hour in at:
                primed(made, name, day, hour)
    if heads:
        made.share("head", HEAD, *(name for name, _ in hours))
    return made


def found(made: Made) -> list[Opportunity]:
    """What is found."""
    return list(head_savings(made.work()))


def test_two_classes_that_go_apart_write_their_head_twice() -> None:
    """The class that goes less often joins the other: one write of the head a day becomes a read."""
    (one,) = found(sent(("often", (6, 18)), ("once", (12,))))

    assert (one.kind, one.class_id, one.evidence["with"]) == (Kind.TOGETHER, "once", "often")
    assert one.usd_month == month(28 * CHEAPER)
    assert one.evidence["paid_usd"] - one.evidence["would_have_cost_usd"] == 28 * CHEAPER
    assert one.evidence["second_writes"] == 28
    assert "once" not in one.said
    assert "often" in one.said


def test_every_send_that_has_another_to_go_with_counts() -> None:
    """Three and two sends a day: two of them could have gone along, and no more."""
    (one,) = found(sent(("a", (1, 9, 17)), ("b", (5, 13))))
    assert one.usd_month == month(28 * 2 * CHEAPER)


def test_of_three_classes_two_join_the_third() -> None:
    """Each that joins saves its own write; nobody is told to wait for one that joins another."""
    joins = found(sent(("a", (2, 10)), ("b", (6,)), ("c", (14,))))

    assert {(each.class_id, each.evidence["with"]) for each in joins} == {("b", "a"), ("c", "a")}
    assert [each.usd_month for each in joins] == [month(28 * CHEAPER)] * 2


def test_an_entry_for_five_minutes_is_priced_as_one() -> None:
    """What is saved is what was paid: a write for five minutes costs less than one for an hour."""
    made = sent(("a", (6, 18)))
    made.add_class("b")
    made.share("head", HEAD, "b")
    for day in days():
        primed(made, "b", day, 12, write="cache_write_5m")

    (one,) = found(made)
    assert one.usd_month == month(28 * HEAD * (rate("cache_write_5m") - rate("cache_read")))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(sent(("a", (6,)), ("b", (6,))), id="sent at one time"),
        pytest.param(sent(("a", (6,)), ("b", (12,)), heads=False), id="no head in common"),
        pytest.param(sent(("a", (6,))), id="alone"),
    ],
)
def test_what_meets_already_or_never_could_is_no_saving(made: Made) -> None:
    """Sends of one hour meet in the cache; classes that share nothing, and one alone, have nobody to go with."""
    assert found(made) == []


def test_sends_on_different_days_are_left_apart() -> None:
    """No class is made to wait for another day."""
    made = sent(("a", ()), ("b", ()))
    for number, day in enumerate(days()):
        primed(made, "ab"[number % 2], day, 8)
    assert found(made) == []


@settings(max_examples=15, deadline=None)
@given(
    plan=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.sets(st.sampled_from([0, 4, 8, 12]), min_size=1), max_size=3),
        min_size=7,
        max_size=7,
    )
)
def test_no_more_is_saved_than_second_writes_cost(plan: list[dict[str, set[int]]]) -> None:
    """Whatever goes when: of each day's writes of the head, at least as many stay as its busiest class needs."""
    made = sent(("a", ()), ("b", ()), ("c", ()))
    most = Decimal(0)
    for day, hours in zip(days(7), plan, strict=True):
        for name, at in hours.items():
            for hour in at:
                primed(made, name, day, hour)
        times = set().union(*hours.values()) if hours else set()
        most += (len(times) - max((len(at) for at in hours.values()), default=0)) * CHEAPER
    saved = sum((each.evidence["paid_usd"] - each.evidence["would_have_cost_usd"] for each in found(made)), Decimal(0))
    assert 0 <= saved <= most


def test_heads_are_where_the_prefixes_of_classes_part() -> None:
    """Two jobs on one long contract are two classes under one head; a third prompt, and a light head, are none."""
    shared = {"type": "text", "text": "The contract says so. " * 400}
    jobs = {"find": "Find the dates. " * 400, "sum": "Sum it up. " * 400}
    requests = [
        request(f"Part {number}?", system=[shared, {"type": "text", "text": text}])
        for text in jobs.values()
        for number in range(5)
    ]
    requests += [request(f"Part {number}?", system="Something else altogether. " * 400) for number in range(5)]
    of, tree = classes(requests), grow(chains_of_requests(requests))
    floors = np.full(len(of.keys), 2_000, dtype=np.int64)

    heads = list(shared_heads(of, tree, floors))

    assert len(heads) == 2
    ((head,), sharing) = {node for _, node in heads}, {position for position, _ in heads}
    assert sharing == {int(of.class_of[0]), int(of.class_of[5])}
    assert int(tree.depths[head]) >= len(shared["text"])
    assert int(tree.items[head]) == 10
    assert not list(shared_heads(of, tree, np.full(len(of.keys), 10**6, dtype=np.int64)))
