"""A class of labelling requests whose right answers are known, and trials of other models on it."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core import actions
from core.actions import trials
from core.roles import Actor, Role, Way
from core.routing.verdict import Bar
from core.sandbox import truth_of
from core.workspace import Workspace
from tests.jobs.driving import Bench, MakeBench, prefix, request

CANDIDATE = "claude-haiku-5-5"
REFERENCE = "claude-sonnet-5-5"
SCHEMA = {
    "type": "object",
    "properties": {"label": {"type": "string", "enum": ["bug", "praise", "question", "spam"]}},
    "required": ["label"],
    "additionalProperties": False,
}
EXACT = {"kind": "exact", "field": "label"}
TIERS = {"haiku_right": 0.97, "sonnet_right": 0.97, "opus_right": 0.98, "fable_right": 0.98, "answer_noise": 0.02}


def requests(count: int) -> list[dict[str, Any]]:
    """Requests that ask for one of four labels, with a prefix worth caching."""
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    return [request(f"note-{number:03d}", system=prefix("Label", 260), output_config=form) for number in range(count)]


def gold_of(asked: list[dict[str, Any]]) -> dict[str, str]:
    """What is right, by item."""
    return {one["custom_id"]: str(truth["label"]) for one in asked if (truth := truth_of(one["params"], 0))}


def trying(make_bench: MakeBench, *, items: int = 150, settings: dict[str, Any] | None = None, **options: Any) -> Bench:
    """Return a bench with a class of that many requests waiting, and models that differ."""
    bench = make_bench(settings, **{**TIERS, **options})
    bench.load(*requests(items))
    return bench


def ask(bench: Bench, **changed: Any) -> trials.TrialAsk:
    """A trial of Haiku on the bench's one class, by gold labels, at a bar of 85 %."""
    asked = trials.TrialAsk(
        class_id=bench.query("class_names")["name"][0],
        models=(CANDIDATE,),
        grader=EXACT,
        bar=Bar(rate=0.85),
        gold=gold_of(requests(150)),
        budget_usd=Decimal(5),
    )
    return replace(asked, **changed)


def start(bench: Bench, **changed: Any) -> str:
    """Start it; return its id."""
    return trials.start_trial(bench.workspace, ask(bench, **changed), now=bench.clock.now).trial_id


def standing(bench: Bench, trial_id: str) -> trials.TrialStanding:
    """How it stands."""
    return trials.trial_standing(bench.workspace, trial_id, now=bench.clock.now)


def state(bench: Bench, trial_id: str) -> str:
    """Whether it runs, waits or is over."""
    return str(bench.query("trials", trial_id=trial_id)["state"][0])


def follow(bench: Bench, trial_id: str, most: int = 80) -> trials.TrialStanding:
    """Go on until it no longer runs by itself; return how it stands."""
    for _ in range(most):
        bench.tick(minutes=5)
        if state(bench, trial_id) != "running":
            return standing(bench, trial_id)
    raise AssertionError(f"still running: {standing(bench, trial_id)}")


def acting(bench: Bench, name: str) -> Workspace:
    """The workspace in the hands of somebody else."""
    return bench.workspace.acting(Actor(name=name, role=Role.OPERATOR, how=Way.BROWSER))


def work(bench: Bench) -> Mapping[str, Any]:
    """Everything that tells of the work, and must not know of trials."""
    plan = actions.preview_plan(bench.workspace, now=bench.clock.now)
    return {
        "statuses": bench.statuses(),
        "jobs": [(job.class_id, job.items, job.body_bytes) for job in plan.jobs],
        "waiting": bench.query("waiting_fingerprint")["fingerprint"][0],
        "arrived": bench.query("waiting_by_class", class_ids=None).to_dicts(),
        "costs": bench.query("export_costs").to_dicts(),
        "complete": bench.workspace.handover.standing().complete,
        "failures": bench.query("failed_jobs").to_dicts(),
        "faults": bench.query("fault_history").to_dicts(),
        "imports": bench.query("imports").to_dicts(),
    }
