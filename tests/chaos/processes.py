"""Runs with real processes of the command line: started as users and cron start them, killed after random delays."""

import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import orjson

from core.sandbox import CreateFault, SandboxOptions
from tests.chaos.cargo import CARGOES
from tests.chaos.ground import ROOT, Ground, plain_environment
from tests.chaos.oracle import judge
from tests.chaos.runs import Run
from tests.chaos.world import prepared

PROCESSES = "real-processes-killed"
_SECONDS_AN_ITEM = 0.2
_SETTINGS = {"settle_seconds": 0.5, "poll_seconds": 0.05, "shared_account": "true"}
_LONGEST_SECONDS = 60.0
_MOST_CALLS = 15
_MOST_KILLS = 3
_AMBIGUOUS = (CreateFault.DROP_AFTER_COMMIT, CreateFault.DROP_BEFORE_COMMIT)
# From before its imports are done to well after its last step.
_KILL_SECONDS = (0.5, 6.0)
_SECONDS_BETWEEN_CALLS = 0.3
_CHANCE_OF_A_SECOND = 0.4


def run_processes(ground: Ground, seed: int) -> Run:
    """Submit and be killed, once or more, then ask for the status until all is done; a second may submit too."""
    rng = random.Random(f"{PROCESSES}/{seed}")
    cargo = rng.choice(CARGOES)
    account = ground.account
    stock = prepared(ground, cargo, submitted=False)
    account.begin(SandboxOptions(seed=seed, width=10_000, seconds_per_item=_SECONDS_AN_ITEM), pace=1.0)
    account.faults.coming.extend(rng.choice([None, *_AMBIGUOUS]) for _ in range(2))
    folder = ground.folder / "run"
    shutil.copytree(stock, folder)
    settings = {f"LOTWISE_{name.upper()}": str(value) for name, value in (_SETTINGS | cargo.settings).items()}
    environment = plain_environment() | settings
    environment |= {"ANTHROPIC_API_KEY": "any", "ANTHROPIC_BASE_URL": account.url, "LOTWISE_WORKSPACE": str(folder)}
    violations: list[str] = []
    try:
        began = account.now
        deaths = sum(_killed(rng, environment, violations) for _ in range(rng.randint(1, _MOST_KILLS)))
        killed_at = account.now
        _finish(environment, violations)
        calm_at = account.now
        report = ground.look(folder)
        verdict = judge(
            account.truth(),
            jobs=report.jobs,
            items=report.items,
            sent=[request["custom_id"] for request in cargo.requests],
            delivered={},
            violations=violations,
        )
    finally:
        shutil.rmtree(folder)
    return Run(
        seed=seed,
        trouble=PROCESSES,
        cargo=cargo.name,
        verdict=verdict,
        recovery=calm_at - killed_at if deaths else None,
        deaths=deaths,
        story=(f"killed {deaths} times within {killed_at - began} of the account's time", f"stood at {report}"),
    )


def _killed(rng: random.Random, environment: dict[str, str], violations: list[str]) -> bool:
    """Submit, and kill that process after a while; return whether it was still there to be killed."""
    process = _start(environment, "submit", "--wait")
    meanwhile = _start(environment, "submit") if rng.random() < _CHANCE_OF_A_SECOND else None
    with suppress(subprocess.TimeoutExpired):
        process.wait(rng.uniform(*_KILL_SECONDS))
    process.send_signal(signal.SIGKILL)
    for each in (process, meanwhile):
        if each is not None:
            _ended(each, violations)
    return process.returncode == -signal.SIGKILL


def _finish(environment: dict[str, str], violations: list[str]) -> None:
    """What cron does: submit, then ask for the status again and again, which moves the jobs on."""
    _ended(_start(environment, "submit"), violations)  # whatever was not submitted before a kill
    for _ in range(_MOST_CALLS):
        said = _ended(_start(environment, "status", "--json"), violations)
        if set(orjson.loads(said)["items"]) == {"complete"}:
            return
        time.sleep(_SECONDS_BETWEEN_CALLS)


def _start(environment: dict[str, str], *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "core", *words]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _ended(process: "subprocess.Popen[bytes]", violations: list[str]) -> bytes:
    """Wait for a process; whatever happens to it, a user never sees a traceback."""
    said, complaint = process.communicate(timeout=_LONGEST_SECONDS)
    if b"Traceback" in complaint:
        violations.append(f"a user saw a traceback: {complaint.decode(errors='replace')[-500:]}")
    return said
