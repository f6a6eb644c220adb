"""The twin against the real local server: replayed, jobs cost what they did cost, and hit the cache as they did."""

import json
from datetime import timedelta
from typing import Any

import pytest

from core import actions
from core.actions.simulation import Stage
from core.errors import LotwiseError
from core.simulation.scenario import Scenario
from tests.jobs.driving import Bench, MakeBench, lone, prefix, request, shared


def staged(bench: Bench) -> Stage:
    """What there is to be simulated, now."""
    return actions.stage_workspace(bench.workspace, now=bench.clock.now)


def cold(bench: Bench, items: int) -> None:
    """Somebody sends a job of one class, marked and unprimed; its results are brought in."""
    system: Any = [{"type": "text", "text": prefix("cold"), "cache_control": {"type": "ephemeral"}}]
    body = bench.folder.parent / "cold.json"
    requests = [request(f"cold-{number:03d}", system=system) for number in range(items)]
    body.write_text(json.dumps({"requests": requests}))
    bench.gateway.create(body)
    bench.clock.move(hours=3)
    actions.import_history(bench.workspace, since=bench.clock.now - timedelta(days=1))


def test_primed_jobs_cost_what_they_did_cost(bench: Bench) -> None:
    """Sent again in the twin, jobs read the prefix as on the server; dollars, jobs and times agree."""
    bench.submit(*shared("alpha", 20), *shared("beta", 20), *lone(5))
    bench.run()
    found = staged(bench)
    assert found.actual is not None
    again = actions.as_it_is(found, replicates=60)

    assert found.items == 45
    assert again["items_usd"].p50 == pytest.approx(found.actual["items_usd"], rel=0.01)
    assert again["jobs"].p50 == found.actual["jobs"] == bench.jobs().height
    assert again["fixed_usd"].p50 == pytest.approx(found.actual["fixed_usd"])
    assert again["read_share"].p50 == pytest.approx(38 / 40, abs=0.001)
    assert again["on_time"].mean == pytest.approx(found.actual["on_time"], abs=0.05)
    assert found.actual["rerun_usd"] == 0


@pytest.mark.parametrize("width", [1, 7, 60])
def test_an_unprimed_job_writes_as_many_prefixes_as_on_the_server(make_bench: MakeBench, width: int) -> None:
    """The first wave writes and the others read: whatever the width, the twin bills what the server did."""
    bench = make_bench(settings={"sandbox_width": width}, width=width, seconds_spread=0.0)
    cold(bench, 60)
    found = staged(bench)
    assert found.actual is not None
    again = actions.as_it_is(found, replicates=20)

    assert found.setting.world.width == width
    assert again["read_share"].p50 == pytest.approx(1 - width / 60)
    assert again["items_usd"].p50 == pytest.approx(found.actual["items_usd"], rel=1e-6)


def test_failures_are_repaired_in_the_twin_as_they_were(make_bench: MakeBench) -> None:
    """What fails unbilled is paid for once, whenever it comes through; every repair is a job with its fixed cost."""
    bench = make_bench(error_rate=0.2, seed=3)
    bench.submit(*shared("alpha", 40), *lone(10))
    bench.run()
    for job in bench.query("failed_jobs")["job_id"].to_list():
        bench.repair(job)
    bench.run()
    found = staged(bench)
    assert found.actual is not None
    again = actions.simulated(found, Scenario(fault_rate=0.2), replicates=100)

    assert again["items_usd"].mean == pytest.approx(found.actual["items_usd"], rel=0.15)
    sent, repaired = bench.jobs(), bench.jobs().filter(role="repair").height
    assert found.actual["jobs"] == sent.height
    assert found.actual["rerun_usd"] == pytest.approx(0.25 * repaired), "errored items are not billed"
    assert found.actual["rerun_usd"] > 0
    assert again["rerun_usd"].mean > 0


def test_what_waits_is_simulated_where_nothing_was_sent(bench: Bench) -> None:
    """Before the first job there is no truth, only what is advised and the scenario."""
    bench.load(*shared("alpha", 50))
    found = staged(bench)
    compared = actions.what_if(found, Scenario(size=10), replicates=5)

    assert (found.items, found.days, compared.actual) == (50, None, None)
    assert compared.scenario["jobs"].mean > compared.baseline["jobs"].mean
    assert bench.jobs().is_empty(), "nothing is sent"


def test_nothing_to_simulate_is_said(bench: Bench) -> None:
    """An empty workspace, and jobs of a model without a price, are sentences and no tracebacks."""
    with pytest.raises(LotwiseError, match="nothing to simulate"):
        staged(bench)

    unpriced: dict[str, Any] = request("odd") | {"custom_id": "odd"}
    unpriced["params"] = unpriced["params"] | {"model": "claude-unheard-of"}
    bench.load(unpriced)
    with pytest.raises(LotwiseError, match="nothing to simulate"):
        staged(bench)
