"""Failures by cause: what is sent, what is left out and why, what is corrected and what is given up."""

import re

import polars as pl
import pytest

from core import actions
from core.causes import explain
from core.jobs.item_chain import NoSuchItem
from core.jobs.repair import NothingToRepair, Repair
from core.jobs.set_aside import NothingSetAside, NothingToSetAside
from tests.jobs.driving import Bench, MakeBench, lone, marks, request, shared
from tests.jobs.test_repair import broken


def failing(bench: Bench, job: str, *causes: str) -> None:
    """Make the first items of a finished job failures of these causes, as its results might have said."""
    attempts = bench.attempts(job).sort("item_id").head(len(causes))
    actions_of = {name: explain(name).action for name in causes}
    frame = attempts.with_columns(
        pl.Series("cause", causes),
        pl.Series("action", [actions_of[name] for name in causes]),
        outcome=pl.lit("errored"),
        usable=pl.lit(value=False),
        refusal_category=pl.lit(None, pl.String),
    )
    bench.workspace.store.write(lambda tx: tx.merge("put_results", frame, job_id=job))


@pytest.fixture
def mixed(bench: Bench) -> str:
    """A job of ten items that failed of one cause each for every action, and one more that needs an edit."""
    (job,) = bench.submit(*lone(10))
    bench.run()
    failing(bench, job, "expired", "expired", "account_limit", "ramp_limit", "refusal", "max_tokens")
    return job


def test_what_passes_by_itself_goes_unless_causes_are_chosen(bench: Bench, mixed: str) -> None:
    """By default only what passes; the rest is named with its reason, and counted in the sentence."""
    shown = bench.slice(mixed)

    assert shown.repairable == 2
    assert {(left.cause, left.items) for left in shown.left_out} == {
        ("account_limit", 1),
        ("ramp_limit", 1),
        ("refusal", 1),
        ("max_tokens", 1),
    }
    assert shown.says.startswith("Sends 2 items again as one new job, for about $")
    assert shown.says.endswith("4 items stay behind.")


@pytest.mark.parametrize(
    ("causes", "sent"),
    [
        (["account_limit"], 1),  # the account is fixed
        (["refusal"], 1),  # a person decided
        (["ramp_limit"], 1),  # sooner than advised
        (["account_limit", "refusal", "expired"], 4),
    ],
)
def test_chosen_causes_go_and_no_others(bench: Bench, mixed: str, causes: list[str], sent: int) -> None:
    """The preview of a choice is what its repair does; another choice later makes another job."""
    shown = bench.slice(mixed, *causes)
    made = bench.repair(mixed, *causes)

    assert (shown.repairable, made.items, made.created) == (sent, sent, True)
    assert bench.job(made.job_id)["predicted_usd"] == round(shown.predicted_usd, 9)
    assert bench.repair(mixed, *causes) == Repair(job_id=made.job_id, items=sent, created=False)
    if "expired" not in causes:
        assert bench.repair(mixed).job_id != made.job_id


@pytest.mark.parametrize("causes", [["max_tokens"], ["api_error"], ["nonsense"]])
def test_a_choice_that_cannot_be_sent_is_refused_with_its_reason(bench: Bench, mixed: str, causes: list[str]) -> None:
    """What needs an edit is never sent as it is, and a mistyped cause does not send something else."""
    shown = bench.slice(mixed, *causes)

    assert shown.repairable == 0
    assert shown.says == shown.blocked_reason
    with pytest.raises(NothingToRepair) as refused:
        bench.repair(mixed, *causes)
    assert refused.value.message == shown.says
    expected = "correct the lines" if causes == ["max_tokens"] else "No open failure of this job has such a cause."
    assert expected in shown.says


def test_waiting_makes_a_cause_pass(bench: Bench, mixed: str) -> None:
    """What must wait says how long, then goes along by itself."""
    (left,) = [left for left in bench.slice(mixed).left_out if left.cause == "ramp_limit"]
    assert re.fullmatch(r"worth a try in \d+ minutes", left.why)

    bench.clock.move(minutes=61)

    assert bench.slice(mixed).repairable == 3


def test_corrected_lines_are_repaired_as_corrected(make_bench: MakeBench) -> None:
    """A failed item takes other content under its id: that is sent, and what was sent before stays on record."""
    bench = make_bench()
    (job,) = bench.submit(*lone(3), request("too-long", max_tokens=200_000))
    bench.run()
    assert bench.slice(job).repairable == 0
    actions.set_aside(bench.workspace, job, ["invalid_request_error"], now=bench.clock.now)

    bench.load(request("too-long", max_tokens=100), request("lone-000", max_tokens=100), replace=True)
    shown = bench.slice(job)
    made = bench.repair(job)
    bench.run()

    assert (shown.repairable, shown.causes[0].cause, shown.causes[0].action) == (1, "corrected", "resubmit")
    sent = bench.server.requests[-1]
    assert [(one["custom_id"], one["params"]["max_tokens"]) for one in sent] == [(f"{made.job_id}-too-long", 100)]
    assert bench.statuses() == {"complete": 4}
    chain = actions.item_chain(bench.workspace, "too-long").attempts
    assert [(one["number"], one["job_id"], one["corrected_since"], one["line"]) for one in chain] == [
        (1, job, True, 4),
        (2, made.job_id, False, 1),
    ]
    (rejected,) = bench.query("rejected_lines", import_id=None, limit=10)["reason"]
    assert "is under way or complete" in rejected


def test_a_correction_may_be_corrected_and_may_change_the_model(make_bench: MakeBench) -> None:
    """Each attempt stays with the content that it was sent with; a content never sent leaves no trace in the chain."""
    bench = make_bench()
    (job,) = bench.submit(*shared("alpha", 4, max_tokens=200_000))[:1]
    bench.run()
    item = bench.attempts(job).filter(pl.col("action") == "edit")["item_id"][0]
    line = int(item.removeprefix("alpha-"))
    for model, tokens in (("claude-opus-5-5", 300_000), ("claude-haiku-4-5", 200_000)):
        bench.load(
            {**request(item, max_tokens=tokens), "params": request(item, max_tokens=tokens, model=model)["params"]},
            replace=True,
        )
    first = bench.repair(job)
    bench.run()
    bench.load(request(item, max_tokens=100), replace=True)
    second = bench.repair(first.job_id)
    bench.run()

    chain = actions.item_chain(bench.workspace, item).attempts
    assert [(one["number"], one["model"], one["usable"]) for one in chain] == [
        (1, "claude-sonnet-5-5", False),
        (2, "claude-haiku-4-5", False),
        (3, "claude-sonnet-5-5", True),
    ]
    assert [one["line"] for one in chain] == [line + 1, 1, 1]
    assert bench.job(second.job_id)["model"] == "claude-sonnet-5-5"
    assert marks(bench.server.requests[-1]) == 0


def test_importing_the_same_lines_again_brings_parameters_back(make_bench: MakeBench) -> None:
    """What the sentence about parameters that are no longer kept advises does help."""
    bench, job = broken(make_bench)
    bench.workspace.store.write(lambda tx: tx._connection.execute("UPDATE item SET payload_offset = NULL").fetchall())
    failed = bench.slice(job).items
    bench.load(*lone(40), replace=True)

    assert bench.slice(job).repairable == failed
    bench.repair(job)
    bench.server_changes()
    bench.run()
    assert bench.statuses() == {"complete": 40}


def test_what_is_set_aside_rests_and_can_be_taken_back(bench: Bench, mixed: str) -> None:
    """It is no open failure any more, under whose name and since when is on record, and nothing sends it."""
    count = actions.set_aside(bench.workspace, mixed, ["refusal", "expired"], now=bench.clock.now)

    assert count == 3
    assert bench.slice(mixed).items == 3
    assert bench.job(mixed)["set_aside_items"] == 3
    assert bench.statuses() == {"complete": 4, "failed": 3, "set aside": 3}
    rows = bench.query("set_aside_causes", job_id=mixed)
    assert dict(rows.select("cause", "items").iter_rows()) == {"expired": 2, "refusal": 1}
    assert rows["set_aside_by"].unique().to_list() == [bench.workspace.actor.name]
    assert rows["set_aside_at"].unique().to_list() == [bench.clock.now]
    with pytest.raises(NothingToRepair):
        bench.repair(mixed)
    with pytest.raises(NothingToSetAside):
        actions.set_aside(bench.workspace, mixed, ["refusal"], now=bench.clock.now)

    assert actions.take_back(bench.workspace, mixed, ["expired"]) == 2
    assert bench.repair(mixed).items == 2
    with pytest.raises(NothingSetAside):
        actions.take_back(bench.workspace, mixed, ["expired"])


@pytest.mark.parametrize(
    ("refused", "finished", "suspect"), [(9, 10, True), (8, 10, False), (2, 2, False), (3, 3, True)]
)
def test_one_message_on_nearly_every_item_is_said_to_be_nobodys_fault(
    bench: Bench, refused: int, finished: int, suspect: bool
) -> None:
    """From nine of ten on, and three at least: look at the account or the template before looking at items."""
    (job,) = bench.submit(*lone(finished))
    bench.run()
    failing(bench, job, *["invalid_request_error"] * refused)
    bench.workspace.store.write(
        lambda tx: tx._connection.execute("UPDATE attempt SET message = 'tools.0: bad' WHERE NOT usable").fetchall()
    )
    said = bench.slice(job).suspicion

    assert (said is not None) is suspect
    if suspect:
        assert said.startswith(f"{refused} of {finished} items were refused with one and the same message.")


def test_the_price_of_a_repair_is_a_band_around_what_is_predicted(make_bench: MakeBench) -> None:
    """Wide where no answer of the class is known, narrower once some are; never beside the prediction."""
    bench = make_bench(error_rate=1.0)
    (unknown,) = bench.submit(*lone(5))
    bench.run()
    wide = bench.slice(unknown)
    learned, job = broken(make_bench)
    narrow = learned.slice(job)

    for shown in (wide, narrow):
        assert shown.low_usd < shown.predicted_usd < shown.high_usd
    assert wide.high_usd / wide.low_usd > narrow.high_usd / narrow.low_usd


def test_an_item_that_does_not_exist_is_said_to(bench: Bench) -> None:
    """A mistyped id is a sentence."""
    with pytest.raises(NoSuchItem):
        actions.item_chain(bench.workspace, "nobody")
