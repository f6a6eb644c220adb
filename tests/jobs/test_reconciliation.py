"""Reports of the account beside the ledger, on lives that were lived: the real SDK against the local server."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core import account, actions
from core.actions.reconciliation import (
    NoDiscountLearned,
    NothingReported,
    Reconciled,
    read_reports,
    reconcile,
    take_over_discount,
)
from core.errors import LotwiseError
from core.gateway import AnthropicGateway, ClosedGateway, GatewayDown, KeyMissing, ReportsRefused
from core.loopback import LoopbackServer
from core.roles import Role
from core.sandbox import create_app
from tests.jobs.driving import MODEL, START, Bench, MakeBench, lone, request, shared
from tests.jobs.trying import start, trying

TODAY = START.date()
CENT = Decimal("0.01")


def compared(bench: Bench, *, first: date = TODAY, last: date | None = None) -> Reconciled:
    """Read the reports of these days anew, and compare."""
    last = last or bench.clock.now.date()
    read_reports(bench.workspace, now=bench.clock.now, first=first, last=last)
    return reconcile(bench.workspace, first=first, last=last)


def parts(found: Reconciled) -> dict[str, Decimal]:
    """What the difference is made of; it adds up to it, in every row."""
    result = found.found
    split = result.parts.group_by("day", "model", "service_tier", "kind").agg(pl.col("tokens", "usd").sum())
    both = result.rows.join(
        split, on=["day", "model", "service_tier", "kind"], how="left", nulls_equal=True
    ).with_columns(pl.col("tokens").fill_null(0), pl.col("usd").fill_null(Decimal(0)))
    for row in both.iter_rows(named=True):
        assert row["reported_tokens"] == row["our_tokens"] + row["tokens"]
        assert row["reported_usd"] == row["our_usd"] + row["usd"]
    return {part.name: part.usd for part in (*result.explained, *result.unexplained)}


def spent(bench: Bench) -> Decimal:
    """The whole ledger, trials too."""
    return sum((cost for cost in bench.attempts()["cost_usd"] if cost), Decimal(0))


def test_a_life_agrees_to_the_last_digit(make_bench: MakeBench) -> None:
    """Primers, cache reads, failures, repairs, refusals and a trial: all of it was billed, and all of it is known."""
    bench = make_bench()
    bench.submit(*shared("cached", 30))
    bench.run()
    bench.server_changes(error_rate=0.2, refusal_rate=0.1, truncation_rate=0.1)
    (job,) = bench.submit(*lone(30))
    bench.run()
    bench.repair(job)
    bench.run()

    found = compared(bench)

    assert parts(found) == {}
    assert found.found.reported_usd == found.found.our_usd == spent(bench) > 0
    assert set(found.found.rows["kind"]) >= {"input", "output", "cache_write_1h", "cache_read"}
    assert (found.found.flags, found.unread, found.incomplete) == ((), (), (TODAY,))


def test_trials_were_billed_too(make_bench: MakeBench) -> None:
    """What a trial cost is in the report and in the ledger, though it is no work."""
    bench = trying(make_bench)
    start(bench)
    bench.run()

    found = compared(bench)

    assert parts(found) == {}
    assert found.found.reported_usd == spent(bench) > 0
    assert set(bench.jobs()["role"]) == {"primer", "trial"}


def test_a_discount_is_learned_and_taken_over(make_bench: MakeBench) -> None:
    """The whole difference is the discount; once taken over, report and ledger agree and nothing is left to take."""
    bench = make_bench(discount=0.18)
    bench.submit(*shared("cached", 20))
    bench.run()

    found = compared(bench)
    share = Decimal("0.18")
    before = spent(bench)
    assert parts(found) == {"discount": -before * share}
    assert found.found.flags == ()
    assert {(each.model, each.share, each.agreed, each.agrees) for each in found.discounts} == {
        (MODEL, share, Decimal(0), False)
    }
    assert sum(each.list_usd for each in found.discounts) == before

    days: Any = {"first": TODAY, "last": TODAY}
    rehearsed = take_over_discount(bench.workspace, now=bench.clock.now, dry_run=True, **days)
    assert (rehearsed.change_usd, spent(bench)) == (-before * share, before)
    take_over_discount(bench.workspace, now=bench.clock.now, **days)

    after = reconcile(bench.workspace, **days)
    assert parts(after) == {}
    assert after.found.our_usd == spent(bench) == before * (1 - share)
    assert all(each.agrees for each in after.discounts)
    with pytest.raises(NoDiscountLearned):
        take_over_discount(bench.workspace, now=bench.clock.now, **days)


def test_a_contract_price_that_the_account_does_not_give_is_named(bench: Bench) -> None:
    """The price book has a discount and the report none: the other way round, and the learned share says so."""
    from core.actions.prices import add_price
    from core.prices import ContractPrice

    bench.submit(*lone(10))
    bench.run()
    terms = [ContractPrice(discount=Decimal("0.25"), first_day=TODAY)]
    add_price(bench.workspace, terms, now=bench.clock.now)

    found = compared(bench)

    assert parts(found) == {"discount": found.found.reported_usd - spent(bench)}
    assert {(each.share, each.agreed) for each in found.discounts} == {(Decimal(0), Decimal("0.25"))}


def test_work_from_outside_is_told_apart_or_flagged(bench: Bench) -> None:
    """Direct messages and models never used here are named; batches on the same model are flagged, to the cent.

    Brought in as history they are known, and the flag is gone.
    """
    bench.submit(*lone(20, max_tokens=4000))
    bench.run()
    client = bench.gateway._sdk()
    told: Any = [{"role": "user", "content": "Hello " * 4000}]
    client.messages.create(model=MODEL, max_tokens=2000, messages=told)
    client.messages.batches.create(
        requests=[{"custom_id": "x", "params": {"model": "claude-haiku-4-5", "max_tokens": 4000, "messages": told}}]
    )
    client.messages.batches.create(
        requests=[
            {"custom_id": f"s{n}", "params": {"model": MODEL, "max_tokens": 4000, "messages": told}} for n in range(5)
        ]
    )
    bench.tick(hours=2)

    found = compared(bench)

    assert set(parts(found)) == {"other_tier", "other_model", "unexplained_use"}
    (flag,) = found.found.flags
    assert (flag.day, flag.model) == (TODAY, MODEL)
    assert flag.usd == parts(found)["unexplained_use"] > CENT
    assert "History" in flag.said

    actions.import_history(bench.workspace, since=START - timedelta(days=1))
    known = reconcile(bench.workspace, first=TODAY, last=TODAY)
    assert set(parts(known)) == {"other_tier"}
    assert known.found.flags == ()


def test_other_workspaces_of_the_account(bench: Bench) -> None:
    """Where Lotwise sends from one workspace, the others are none of its business, and what is missing is flagged."""
    bench.submit(*lone(20, max_tokens=8000))
    bench.run()
    compared(bench)

    (known,) = bench.query("reported_workspaces")["workspace_id"]
    days: Any = {"first": TODAY, "last": TODAY}
    mine = reconcile(bench.workspace, **days, workspaces=(known,))
    others = reconcile(bench.workspace, **days, workspaces=("wrkspc_other",))

    assert parts(mine) == {}
    assert set(parts(others)) == {"other_workspace", "incomplete"}


def test_running_jobs_explain_what_is_not_in_yet(bench: Bench) -> None:
    """The account has counted what the worker has not fetched: it is under way, up to what was predicted."""
    bench.submit(*lone(20))
    bench.tick()
    bench.clock.move(hours=1)

    found = compared(bench)

    assert found.found.our_usd == 0
    assert parts(found) == {"under_way": found.found.reported_usd}
    bench.run()
    assert parts(reconcile(bench.workspace, first=TODAY, last=TODAY)) == {}


def test_days_that_are_dated_by_processing_even_out(make_bench: MakeBench) -> None:
    """Sent before midnight, processed after: the report has it a day later, and the running total agrees."""
    bench = make_bench(usage_by_end=True, queue_seconds=1800.0)
    bench.clock.move(hours=13, minutes=50)
    bench.submit(*lone(10))
    bench.run()
    bench.clock.move(hours=30)

    found = compared(bench)

    assert found.found.reported_usd == found.found.our_usd == spent(bench) > 0
    assert found.found.rows.group_by("day").agg(pl.col("reported_usd").sum()).height == 2
    assert set(found.found.parts["name"]) == {"dating"}
    assert (parts(found), found.found.flags) == ({}, ())
    # One day alone is told by the day beside it, as long as that was read.
    alone = reconcile(bench.workspace, first=TODAY, last=TODAY)
    assert (parts(alone), alone.found.flags) == ({"dating": -spent(bench)}, ())


def test_a_day_that_is_not_over_may_have_less(bench: Bench) -> None:
    """Read at noon, compared in the evening: what came since is no difference to worry about; a new reading has it."""
    compared(bench)
    bench.submit(*lone(5))
    bench.run()

    found = reconcile(bench.workspace, first=TODAY, last=TODAY)

    assert parts(found) == {"incomplete": -spent(bench)}
    assert found.incomplete == (TODAY,)
    assert parts(compared(bench)) == {}


def test_what_the_account_lacks_is_flagged_once_the_day_is_over(make_bench: MakeBench, tmp_path: Path) -> None:
    """A key of another organization reads reports that know nothing of this ledger: that is said, not explained."""
    bench = make_bench()
    bench.submit(*lone(20, max_tokens=8000))
    bench.run()
    bench.clock.move(days=1)
    with LoopbackServer(create_app(clock=bench.clock)) as other:
        bench.workspace.gateway = AnthropicGateway(api_key="any", base_url=other.url)
        found = compared(bench, last=TODAY)
        bench.workspace.gateway.close()

    assert parts(found) == {"unexplained_use": -spent(bench)}
    assert "organization" in found.found.flags[0].said


def test_long_periods_are_read_in_calls_of_31_days(bench: Bench) -> None:
    """As far back as the account tells, day by day, and never further; a period before that is refused."""
    bench.submit(*lone(3))
    bench.run()
    now = bench.clock.now

    reading = read_reports(bench.workspace, now=now, first=date(2020, 1, 1))

    assert (reading.first, reading.last) == (date(2026, 1, 1), TODAY)
    assert reading.reported_usd == spent(bench)
    assert bench.query("report_days", first=reading.first, last=TODAY).height == (TODAY - reading.first).days + 1
    found = reconcile(bench.workspace, first=date(2025, 12, 30), last=TODAY)
    assert found.unread == (date(2025, 12, 30), date(2025, 12, 31))
    with pytest.raises(NothingReported):
        read_reports(bench.workspace, now=now, first=TODAY + timedelta(days=1))


def test_a_new_reading_replaces_the_old_one(bench: Bench) -> None:
    """Reading twice counts nothing twice, and other days keep what was read of them."""
    bench.submit(*lone(3))
    bench.run()
    read_reports(bench.workspace, now=bench.clock.now)
    bench.clock.move(days=1)
    bench.submit(*[request(f"next-{n}") for n in range(3)])
    bench.run()

    for _ in range(2):
        read_reports(bench.workspace, now=bench.clock.now, first=bench.clock.now.date())

    found = reconcile(bench.workspace, first=TODAY, last=bench.clock.now.date())
    assert parts(found) == {}
    assert found.found.reported_usd == spent(bench)


@pytest.fixture
def guarded(bench: Bench) -> Iterator[str]:
    """Return the address of a server with a usual key and an Admin key."""
    with LoopbackServer(create_app(clock=bench.clock, api_key="sk-usual", admin_key="sk-admin")) as server:
        yield server.url


def test_only_a_key_that_may_reads_reports(bench: Bench, guarded: str) -> None:
    """A wrong key and one without the right are refused with what to do, and neither is quoted; an Admin key reads."""
    for key in ("sk-wrong", "sk-usual"):
        bench.workspace.gateway = AnthropicGateway(api_key=key, base_url=guarded)
        with pytest.raises(ReportsRefused, match="ANTHROPIC_ADMIN_KEY") as refused:
            read_reports(bench.workspace, now=bench.clock.now)
        assert key not in str(refused.value)
        bench.workspace.gateway.close()
    assert bench.query("report_span")["read_at"][0] is None

    bench.workspace.gateway = AnthropicGateway(api_key="sk-usual", admin_key="sk-admin", base_url=guarded)
    assert read_reports(bench.workspace, now=bench.clock.now).usage_rows == 0
    bench.workspace.gateway.close()


def test_the_admin_key_comes_from_where_the_usual_one_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment first, then the secrets; never a default."""
    secrets = tmp_path / "secrets.toml"
    monkeypatch.delenv("ANTHROPIC_ADMIN_KEY", raising=False)
    assert account.admin_key(secrets) is None
    secrets.write_text('ANTHROPIC_ADMIN_KEY = "from-file"')
    assert account.admin_key(secrets) == "from-file"
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "from-shell")
    assert account.admin_key(secrets) == "from-shell"


def test_without_the_account_nothing_is_read_and_nothing_lost(bench: Bench) -> None:
    """No key, or no network: a sentence, and the reports read before are still there."""
    bench.submit(*lone(3))
    bench.run()
    before = compared(bench)
    bench.workspace.gateway = ClosedGateway()
    with pytest.raises(KeyMissing):
        read_reports(bench.workspace, now=bench.clock.now)
    bench.workspace.gateway = bench.gateway
    bench.server_down()
    with pytest.raises(GatewayDown):
        read_reports(bench.workspace, now=bench.clock.now)

    assert reconcile(bench.workspace, first=TODAY, last=TODAY).found.reported_usd == before.found.reported_usd


def test_viewers_compare_but_read_nothing(bench: Bench) -> None:
    """Asking the account and taking a discount over are for operators, and stand in the audit log."""
    compared(bench)
    viewer = bench.workspace.acting(replace(bench.workspace.actor, role=Role.VIEWER))

    with pytest.raises(LotwiseError, match="viewer"):
        read_reports(viewer, now=bench.clock.now)
    assert reconcile(viewer, first=TODAY, last=TODAY).found.rows.is_empty()
    assert {entry.action for entry in actions.audit_log(bench.workspace, limit=9)} == {"read-reports"}
