"""Promises through a real life: work of others on the account, a saving taken up, what came of it, and what did not."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core.actions import opportunities
from core.actions.opportunities import NoSuchSaving, dismiss, next_savings, promises, take_up
from core.audit import NotAllowed, entries
from core.opportunities.opportunity import Kind, Opportunity
from core.opportunities.promises import Kept
from core.roles import Actor, Role, Way
from tests.jobs.driving import Bench, prefix, request
from tests.jobs.looking_back import look_back, send

ITEMS = 12
DAYS = 4
SENTENCES = 1_200


def requests(name: str, first: int, count: int) -> Iterator[dict[str, Any]]:
    """Requests whose owner marked a long shared prompt for an hour."""
    text = {"type": "text", "text": prefix(name, SENTENCES), "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    for number in range(first, first + count):
        made = request(f"{name}-{number:05d}")
        yield made | {"params": {**made["params"], "system": [text]}}


def day(bench: Bench, *names: str, number: int, primed: tuple[str, ...] = ()) -> None:
    """A day of work: everything of a class at once, or one request first and the others behind it."""
    for name in primed:
        send(bench, requests(name, number * 100, 1))
    bench.clock.move(minutes=30)
    for name in names:
        first = int(name in primed)
        send(bench, requests(name, number * 100 + first, ITEMS - first))
    bench.clock.move(hours=23, minutes=30)
    look_back(bench)


def listed(bench: Bench) -> dict[str, Opportunity]:
    """The next savings at the cache, by class."""
    found = next_savings(bench.workspace, now=bench.clock.now)
    return {each.class_name: each for each in found if each.cause == "cache"}


def attempts_of(bench: Bench, name: str) -> pl.DataFrame:
    """All attempts of a class."""
    return bench.attempts().filter(pl.col("item_id").str.contains(f"{name}-"))


def came(bench: Bench) -> dict[str, Kept]:
    """What came of the promises, by class."""
    return {each.promise.class_name: each for each in promises(bench.workspace, now=bench.clock.now)}


def test_a_promise_is_measured_by_what_came(bench: Bench) -> None:
    """Both classes are cold and taken up; one is primed from then on, and only that one is said to have saved."""
    for number in range(DAYS):
        day(bench, "alpha", "beta", number=number)
    found = listed(bench)

    assert {name: each.kind for name, each in found.items()} == {"alpha": Kind.PRIME, "beta": Kind.PRIME}
    for name, each in found.items():
        attempts = attempts_of(bench, name)
        assert each.evidence["paid_usd"] == attempts["cost_usd"].sum()
        assert each.evidence["written_tokens"] == attempts["cache_write_1h_tokens"].sum()
        take_up(bench.workspace, each.key, now=bench.clock.now)

    assert listed(bench) == {}
    assert {each.state for each in came(bench).values()} == {"early"}

    day(bench, "alpha", "beta", number=DAYS, primed=("alpha",))
    assert {each.state for each in came(bench).values()} == {"early"}
    for number in range(DAYS + 1, 2 * DAYS + 1):
        day(bench, "alpha", "beta", number=number, primed=("alpha",))

    kept = came(bench)
    assert {name: each.state for name, each in kept.items()} == {"alpha": "kept", "beta": "not kept"}
    spent = attempts_of(bench, "alpha").sort("submitted_at")
    before, since = spent.head(DAYS * ITEMS), spent.tail((DAYS + 1) * ITEMS)
    unit = Decimal(before["cost_usd"].sum()) / before.filter("usable").height
    saved = since.filter("usable").height * unit - Decimal(since["cost_usd"].sum())
    # Its answers got a little longer meanwhile, which is not what was promised.
    assert kept["alpha"].realised_usd == pytest.approx(saved, abs=Decimal("0.005"))
    assert kept["alpha"].units == since.filter("usable").height
    assert kept["alpha"].parts["hit_rate"] > Decimal(0)
    assert abs(kept["beta"].realised_usd or Decimal(0)) < kept["beta"].promised_usd / 20

    # Nothing came of it, so it is still there to be had; whoever takes it up again gets as long as at first.
    again = listed(bench)["beta"]
    assert {(each.kind, name) for name, each in listed(bench).items()} == {(Kind.PRIME, "beta")}
    take_up(bench.workspace, again.key, now=bench.clock.now)
    assert listed(bench) == {}


def test_what_is_dismissed_stays_away_until_it_grew(bench: Bench) -> None:
    """A note says why, on record; more of the same is no news, half as much again is."""
    day(bench, "alpha", number=0)
    one = listed(bench)["alpha"]
    dismiss(bench.workspace, one.key, note="the prompt goes next month", now=bench.clock.now)

    assert listed(bench) == {}
    with pytest.raises(NoSuchSaving):
        take_up(bench.workspace, one.key, now=bench.clock.now)
    log = entries(bench.workspace.store, limit=2)
    assert [(each.action, each.outcome) for each in log] == [("take-saving", "refused"), ("dismiss-saving", "done")]
    assert "next month" not in str(log)

    send(bench, requests("alpha", 500, 3 * ITEMS))
    bench.clock.move(hours=24)
    look_back(bench)
    (again,) = listed(bench).values()
    assert again.key == one.key
    assert again.usd_month is not None
    assert one.usd_month is not None
    assert again.usd_month > Decimal("1.5") * one.usd_month


def test_a_viewer_may_look_and_not_take(bench: Bench) -> None:
    """Taking up and dismissing are on record, and for operators."""
    day(bench, "alpha", number=0)
    viewer = bench.workspace.acting(Actor(name="vera", role=Role.VIEWER, how=Way.BROWSER))

    (one,) = next_savings(viewer, now=bench.clock.now)
    for refused in (
        lambda: take_up(viewer, one.key, now=bench.clock.now),
        lambda: dismiss(viewer, one.key, note="no", now=bench.clock.now),
    ):
        with pytest.raises(NotAllowed):
            refused()
    assert promises(viewer, now=bench.clock.now) == ()


def test_no_work_no_savings(bench: Bench) -> None:
    """A new workspace has nothing to save and nothing promised."""
    assert opportunities.next_savings(bench.workspace, now=bench.clock.now) == ()
    assert opportunities.promises(bench.workspace, now=bench.clock.now) == ()


def test_the_same_content_is_found_under_another_id(bench: Bench) -> None:
    """What was paid for content that had its answer, and nothing of content that was asked for once."""
    asked = request("one")["params"]
    bench.submit(*({"custom_id": f"same-{number}", "params": asked} for number in range(3)), request("other"))
    bench.run()

    today = bench.clock.now.date()
    paid = bench.query("duplicates_paid", first=today, last=today)

    attempts = bench.attempts().filter("usable")
    again = attempts.filter(attempts["item_id"].str.starts_with("same-")).sort("item_id")
    assert paid["attempts"].sum() == again.height - 1 == 2
    assert paid["cost_usd"].sum() == again["cost_usd"].tail(2).sum()
