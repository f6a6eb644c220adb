"""Routes: the work of a class goes to another model, what waits and what comes, and back to the byte."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core import actions
from core.actions import routes
from core.actions.trials import TrialAsk, start_trial
from core.intake.payloads import PayloadReader
from core.intake.routing import CannotRoute
from core.jobs.journal import PlanOutdated, record_plan
from core.jobs.spending import Allowance
from core.prices import UnknownModel
from core.routing.verdict import Bar
from core.schedule.rhythm import Way, parse_need
from core.trials.homes import NoSuchClass, NoSuchRoute
from tests.jobs.driving import MODEL, Bench, MakeBench, lone, shared

HAIKU = "claude-haiku-5-5"
CONTRACT = [*shared("contract", 12, temperature=0.2), *shared("other", 4)]


def waiting(bench: Bench) -> dict[str, dict[str, Any]]:
    """What would be sent of each item that waits: its parameters as they are kept."""
    rows = bench.query("waiting_payloads")
    with PayloadReader(bench.folder) as reader:
        return {item: reader.params(import_id, offset, size) for item, import_id, offset, size in rows.iter_rows()}


def home(bench: Bench, item: str = "contract-000") -> str:
    """The class of an item."""
    return str(bench.query("classes_of_items", item_ids=[item])["class_id"][0])


def apply(bench: Bench, class_id: str, model: str = HAIKU, **more: Any) -> routes.RouteDone:
    """Click the button without any proof."""
    return routes.apply_route(bench.workspace, class_id, model, now=bench.clock.now, uncertified=True, **more)


def test_what_waits_is_sent_to_the_new_model_primed_and_priced_for_it(bench: Bench) -> None:
    """The next plan sizes, primes and prices the routed class for its new model by itself; other classes stay."""
    bench.load(*CONTRACT)
    before = actions.preview_plan(bench.workspace, now=bench.clock.now).predicted_usd
    class_id = home(bench)

    done = apply(bench, class_id)

    assert (done.items, done.from_model, done.to_model, done.certified) == (12, MODEL, HAIKU, False)
    assert done.usd_before and done.usd_after and done.usd_after < done.usd_before
    kept = waiting(bench)
    assert {params["model"] for item, params in kept.items() if item.startswith("contract")} == {HAIKU}
    assert {params["model"] for item, params in kept.items() if item.startswith("other")} == {MODEL}
    plan = actions.preview_plan(bench.workspace, now=bench.clock.now)
    assert plan.predicted_usd is not None and before is not None and plan.predicted_usd < before
    bench.submit()
    bench.run()
    sent = {each["custom_id"][9:]: each["params"]["model"] for body in bench.server.requests for each in body}
    assert sent == {item: params["model"] for item, params in kept.items()}
    assert sorted(bench.server.items) == sorted(kept)
    assert bench.statuses() == {"complete": 16}


def test_withdrawing_restores_every_request_to_the_byte(bench: Bench) -> None:
    """A route is reversible: whatever its model made of the requests, their owner's come back as they were."""
    bench.load(*CONTRACT)
    before, plan = waiting(bench), actions.preview_plan(bench.workspace, now=bench.clock.now)
    class_id = home(bench)
    apply(bench, class_id)
    assert waiting(bench) != before

    back = routes.withdraw_route(bench.workspace, class_id, now=bench.clock.now)

    assert (back.items, back.to_model) == (12, MODEL)
    assert waiting(bench) == before
    assert home(bench) == class_id
    assert actions.preview_plan(bench.workspace, now=bench.clock.now).predicted_usd == plan.predicted_usd
    with pytest.raises(NoSuchRoute):
        routes.withdraw_route(bench.workspace, class_id, now=bench.clock.now)


def test_a_routed_file_is_known_when_it_comes_again_and_new_lines_follow_the_route(bench: Bench) -> None:
    """Twice changes nothing; what comes into a routed class goes to its model, even one request alone."""
    bench.load(*CONTRACT)
    apply(bench, home(bench))

    bench.clock.move(minutes=1)
    bench.load(*CONTRACT)
    imports = bench.query("imports")
    assert (imports["known"][0], imports["added"][0], imports["rejected"][0]) == (16, 0, 0)
    bench.load(*shared("contract", 13, temperature=0.2))

    kept = waiting(bench)
    assert kept["contract-012"]["model"] == HAIKU
    assert home(bench, "contract-012") == home(bench, "contract-000")
    assert bench.query("schedules").is_empty()


def test_what_is_under_way_or_complete_stays_and_routes_hold_after_a_restart(bench: Bench) -> None:
    """Nothing that was sent is touched; the route is in the store, not in the process."""
    bench.submit(*shared("contract", 6))
    class_id = home(bench)
    bench.load(*shared("contract", 9))

    assert apply(bench, class_id).items == 3
    bench.run()
    bench.reopen()
    bench.load(*shared("contract", 11))
    assert {params["model"] for params in waiting(bench).values()} == {HAIKU}
    bench.submit()
    bench.run()

    models = dict(bench.attempts().select("item_id", "model").iter_rows())
    assert {models[f"contract-{number:03d}"] for number in range(6)} == {MODEL}
    assert {models[f"contract-{number:03d}"] for number in range(6, 11)} == {HAIKU}
    assert bench.statuses() == {"complete": 11}


def test_a_request_that_cannot_be_asked_of_the_model_changes_nothing(bench: Bench) -> None:
    """All or nothing: one request that would not mean the same keeps the whole class where it is, and says why."""
    lines = shared("contract", 6)
    bound = shared("contract", 7, inference_geo="us")[6:]
    bench.load(*lines, *bound)
    kept = waiting(bench)
    class_id = home(bench, "contract-006")

    with pytest.raises(CannotRoute) as refused:
        apply(bench, class_id, "claude-haiku-4-5")

    assert refused.value.context["item"] == "contract-006" and "US only" in refused.value.context["why"]
    assert waiting(bench) == kept
    with pytest.raises(UnknownModel):
        apply(bench, class_id, "claude-none")
    with pytest.raises(routes.AlreadyThere):
        apply(bench, class_id, MODEL)
    with pytest.raises(NoSuchClass):
        apply(bench, "nowhere")
    with pytest.raises(routes.NotCertified):
        routes.apply_route(bench.workspace, class_id, HAIKU, now=bench.clock.now)
    assert waiting(bench) == kept


def test_another_route_starts_from_what_the_owner_sent(bench: Bench) -> None:
    """Requests are adapted once, from their owner's: what the first model refused is back for the second."""
    bench.load(*shared("contract", 5, model="claude-sonnet-4-6", temperature=0.2))
    class_id, kept = home(bench), waiting(bench)
    assert apply(bench, class_id, HAIKU).changes
    assert "temperature" not in waiting(bench)["contract-000"]

    second = apply(bench, home(bench), "claude-haiku-4-5")

    assert (second.from_model, second.items, second.class_id) == (HAIKU, 5, class_id)
    assert waiting(bench)["contract-000"] == kept["contract-000"] | {"model": "claude-haiku-4-5"}
    routes.withdraw_route(bench.workspace, class_id, now=bench.clock.now)
    assert waiting(bench) == kept


def test_what_a_trial_of_a_routed_class_asks_is_what_routes_send(bench: Bench) -> None:
    """Proven and applied are the same request: both are made of what the owner sent, not of what a route made of it."""
    bench.load(*shared("contract", 5, model="claude-sonnet-4-6", temperature=0.2))
    class_id = home(bench)
    apply(bench, class_id, HAIKU)
    today = waiting(bench)
    ask = TrialAsk(
        class_id=home(bench),
        models=("claude-haiku-4-5",),
        grader={"kind": "regex", "pattern": "."},
        bar=Bar(margin=0.4),
        budget_usd=Decimal(1),
    )
    start_trial(bench.workspace, ask, now=bench.clock.now)
    bench.run()
    asked = [each["params"] for body in bench.server.requests for each in body]

    apply(bench, class_id, "claude-haiku-4-5")

    for model, sent in ((HAIKU, today), ("claude-haiku-4-5", waiting(bench))):
        plain = [_unmarked(params) for params in asked if params["model"] == model]
        assert plain and all(each in plain for each in map(_unmarked, sent.values()))


def _unmarked(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters without the text that marks are put into."""
    return {name: value for name, value in params.items() if name not in ("system", "messages")}


def test_classes_routed_to_one_model_stay_lines_of_their_own(bench: Bench) -> None:
    """Requests alike but for their models meet in one class when they are routed: each owner's keeps its line."""
    others = [one | {"custom_id": f"opus-{one['custom_id']}"} for one in shared("contract", 5, model="claude-opus-5-5")]
    native = [one | {"custom_id": f"own-{one['custom_id']}"} for one in shared("contract", 3, model=HAIKU)]
    bench.load(*shared("contract", 6), *others, *native)
    ours, theirs, own = home(bench), home(bench, "opus-contract-000"), home(bench, "own-contract-000")

    assert apply(bench, ours).items == 6
    assert apply(bench, theirs).items == 5

    assert len({home(bench), home(bench, "opus-contract-000"), home(bench, "own-contract-000")}) == 1
    lines = {line.class_id: line for line in routes.class_routes(bench.workspace, now=bench.clock.now)}
    assert {name: (line.routed_from, line.waiting) for name, line in lines.items()} == {
        ours: (MODEL, 6),
        theirs: ("claude-opus-5-5", 5),
        own: (None, 3),
    }
    bench.submit()
    bench.run()
    lines = {line.class_id: line for line in routes.class_routes(bench.workspace, now=bench.clock.now)}
    assert {name: line.items_month for name, line in lines.items()} == {ours: 6, theirs: 5, own: 3}
    bench.clock.move(days=40)
    lines = {line.class_id: line for line in routes.class_routes(bench.workspace, now=bench.clock.now)}
    assert set(lines) == {ours, theirs}
    assert routes.withdraw_route(bench.workspace, theirs, now=bench.clock.now).to_model == "claude-opus-5-5"
    with pytest.raises(routes.AlreadyThere):
        apply(bench, own)


def test_an_import_into_a_class_whose_model_has_no_price_any_more_is_an_import(bench: Bench) -> None:
    """A route that cannot be followed keeps nothing out: what came stays with its owner's model; the log says why."""
    bench.load(*shared("contract", 5))
    about = {"class_id": home(bench), "from_model": MODEL, "model": "claude-gone", "trial_id": None}
    bench.write("add_route", route_id="r", now=bench.clock.now, by="tester", **about)

    bench.load(*shared("contract", 7))

    assert {params["model"] for params in waiting(bench).values()} == {MODEL} and len(waiting(bench)) == 7
    entries = bench.query("export_audit").filter(action="readdress")
    assert entries.height == 1 and "claude-gone" in str(entries["subject"][0])
    (line,) = routes.class_routes(bench.workspace, now=bench.clock.now)
    assert (line.routed_from, line.saving_month_usd) == (MODEL, None)


def test_a_dry_run_says_what_would_change_and_changes_nothing(bench: Bench) -> None:
    """What the dialog shows is what the click does; looking at it is for everybody and leaves no trace."""
    bench.load(*CONTRACT)
    class_id, kept = home(bench), waiting(bench)
    shown = routes.preview_route(bench.workspace, class_id, HAIKU, now=bench.clock.now)
    assert (waiting(bench), bench.query("routes", applied=False).height) == (kept, 0)

    assert apply(bench, class_id) == shown
    routed = waiting(bench)
    back = routes.withdraw_route(bench.workspace, class_id, now=bench.clock.now, dry_run=True)
    assert (back.items, waiting(bench)) == (12, routed)


def test_failed_items_of_a_withdrawn_route_are_repaired_on_the_owners_model(make_bench: MakeBench) -> None:
    """A model that fails the requests is left, and the repair sends what their owner asked; records stay as sent."""
    bench = make_bench(error_rate=1.0)
    bench.load(*lone(4))
    apply(bench, home(bench, "lone-000"))
    jobs = bench.submit()
    bench.run()
    assert bench.statuses() == {"failed": 4}

    assert routes.withdraw_route(bench.workspace, home(bench, "lone-000"), now=bench.clock.now).items == 4
    bench.server_changes(error_rate=0)
    (job,) = jobs
    assert {one.cause for one in bench.slice(job).causes} == {"corrected"}
    bench.repair(job)
    bench.run()

    assert bench.statuses() == {"complete": 4}
    models = bench.attempts().sort("number").group_by("item_id", maintain_order=True).agg("model")["model"].to_list()
    assert models == [[HAIKU, MODEL]] * 4


def test_withdrawing_calls_off_what_was_planned_and_not_sent(bench: Bench) -> None:
    """Nothing more goes to a model that was left: jobs that wait to be sent are called off, and repaired as owned."""
    bench.load(*lone(4))
    apply(bench, home(bench, "lone-000"))
    jobs = bench.submit()
    shown = routes.withdraw_route(bench.workspace, home(bench, "lone-000"), now=bench.clock.now, dry_run=True)
    assert bench.state(jobs[0])[0] == "planned"

    done = routes.withdraw_route(bench.workspace, home(bench, "lone-000"), now=bench.clock.now)

    assert (done.items, done.called_off) == (shown.items, shown.called_off) == (4, 4)
    bench.run()
    assert bench.server.items == [] and bench.statuses() == {"failed": 4}
    for job in jobs:
        bench.repair(job)
    bench.run()
    assert {each["params"]["model"] for body in bench.server.requests for each in body} == {MODEL}
    assert bench.statuses() == {"complete": 4}


def test_what_was_under_way_at_a_withdrawal_and_failed_is_repaired_as_its_owner_sent_it(make_bench: MakeBench) -> None:
    """An item that becomes free after its route was withdrawn is its owner's again; complete ones stay on record."""
    bench = make_bench(error_rate=1.0)
    bench.load(*lone(4))
    apply(bench, home(bench, "lone-000"))
    jobs = bench.submit()
    bench.run_until(jobs[0], "running")
    done = routes.withdraw_route(bench.workspace, home(bench, "lone-000"), now=bench.clock.now)
    assert (done.items, done.called_off) == (0, 0)
    bench.run()
    assert bench.statuses() == {"failed": 4} and set(bench.attempts()["model"]) == {HAIKU}

    bench.server_changes(error_rate=0)
    for job in jobs:
        bench.repair(job)
    bench.run()

    assert bench.statuses() == {"complete": 4}
    assert set(bench.attempts().filter(pl.col("outcome") == "succeeded")["model"]) == {MODEL}


def test_a_plan_made_before_a_route_is_not_sent(bench: Bench) -> None:
    """Between looking and sending the requests became others: what was looked at is gone, nothing is sent."""
    bench.load(*CONTRACT)
    plan = actions.preview_plan(bench.workspace, now=bench.clock.now)
    apply(bench, home(bench))
    with pytest.raises(PlanOutdated):
        record_plan(
            bench.workspace.store,
            plan,
            now=bench.clock.now,
            simulated=True,
            allowance=Allowance(settings=bench.settings, now=bench.clock.now, by="tester"),
        )
    assert bench.jobs().is_empty()


def test_a_schedule_of_a_class_sends_it_wherever_it_goes(bench: Bench) -> None:
    """A schedule that names a class goes on sending its work after a route, and after it is withdrawn."""
    bench.load(*CONTRACT)
    class_id = home(bench)
    rhythm = actions.rhythm_for(
        bench.workspace,
        way=Way.EVERY,
        need=parse_need("within 24 h", zone="UTC"),
        lead=None,
        confidence=0.9,
        classes=[class_id],
        times=[],
        hours=1,
        items=None,
        now=bench.clock.now,
    )
    actions.add_recurring(bench.workspace, "hourly", rhythm, now=bench.clock.now, confidence=0.9, classes=[class_id])
    apply(bench, class_id)

    bench.tick(hours=1, minutes=1)
    bench.run()

    assert bench.statuses() == {"backlog": 4, "complete": 12}
    assert set(bench.attempts()["model"]) == {HAIKU}
    routes.withdraw_route(bench.workspace, class_id, now=bench.clock.now)
    bench.load(*shared("contract", 14, temperature=0.2))
    bench.tick(hours=1, minutes=1)
    assert bench.statuses()["backlog"] == 4


def test_a_replaced_request_follows_the_route_and_is_restored_as_replaced(bench: Bench) -> None:
    """What the owner sends anew takes the place of what was routed, and is itself routed."""
    bench.load(*shared("contract", 5))
    class_id = home(bench)
    apply(bench, class_id)
    bench.load(*shared("contract", 5, max_tokens=77), replace=True)
    assert {(one["model"], one["max_tokens"]) for one in waiting(bench).values()} == {(HAIKU, 77)}

    routes.withdraw_route(bench.workspace, class_id, now=bench.clock.now)
    assert {(one["model"], one["max_tokens"]) for one in waiting(bench).values()} == {(MODEL, 77)}


def test_a_process_that_dies_before_classes_are_found_anew_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was re-addressed is sent once, to its model, whether or not anybody came to group it."""
    bench.load(*CONTRACT)
    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr("core.worker.regroup", _die)
        apply(bench, home(bench))
    bench.reopen()

    bench.submit()
    bench.run()

    assert sorted(bench.server.items) == sorted(one["custom_id"] for one in CONTRACT)
    assert bench.statuses() == {"complete": 16}
    assert set(bench.attempts().filter(pl.col("item_id").str.starts_with("contract"))["model"]) == {HAIKU}


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
