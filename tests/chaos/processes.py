"""Runs with real processes of the command line: started as users and cron start them, killed after random delays."""

import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

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
# Others take seconds; a machine that does much else besides may need minutes.
_LONGEST_SECONDS = 600.0
_MOST_CALLS = 15
_MOST_KILLS = 3
_AMBIGUOUS = (CreateFault.DROP_AFTER_COMMIT, CreateFault.DROP_BEFORE_COMMIT)
# From before its imports are done to well after its last step.
_KILL_SECONDS = (0.5, 6.0)
_SECONDS_BETWEEN_CALLS = 0.3
_CHANCE_OF_A_SECOND = 0.4

_Process = subprocess.Popen[bytes]


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
    with _Shell(folder, account.url, _SETTINGS | cargo.settings) as shell:
        began = account.now
        deaths = sum(_killed(rng, shell) for _ in range(rng.randint(1, _MOST_KILLS)))
        killed_at = account.now
        _finish(shell)
        calm_at = account.now
    report = ground.look(folder)
    verdict = judge(
        account.truth(),
        jobs=report.jobs,
        items=report.items,
        sent=[request["custom_id"] for request in cargo.requests],
        delivered={},
        violations=shell.violations,
    )
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


class _Shell:
    """Starts commands on one workspace; when it is left, none of them runs any more."""

    def __init__(self, folder: Path, url: str, settings: dict[str, Any]) -> None:
        self.violations: list[str] = []
        self._environment = plain_environment()
        self._environment |= {f"LOTWISE_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment |= {"ANTHROPIC_API_KEY": "any", "ANTHROPIC_BASE_URL": url, "LOTWISE_WORKSPACE": str(folder)}
        self._environment |= {"PYTHONFAULTHANDLER": "1"}  # a process that hangs can be asked where
        self._started: list[_Process] = []

    def start(self, *words: str) -> _Process:
        """Start a command."""
        command = [sys.executable, "-m", "core", *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=pipe, stderr=pipe)
        self._started.append(process)
        return process

    def ended(self, process: _Process) -> bytes:
        """Wait for a process; whatever happens to it, a user never sees a traceback."""
        try:
            said, complaint = process.communicate(timeout=_LONGEST_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.send_signal(signal.SIGABRT)
            said, complaint = process.communicate()
            error.add_note(f"It said {said!r}, and stood at:\n{complaint.decode(errors='replace')}")
            raise
        if b"Traceback" in complaint:
            self.violations.append(f"a user saw a traceback: {complaint.decode(errors='replace')[-500:]}")
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


def _killed(rng: random.Random, shell: _Shell) -> bool:
    """Submit, and kill that process after a while; return whether it was still there to be killed."""
    process = shell.start("submit", "--wait")
    meanwhile = shell.start("submit") if rng.random() < _CHANCE_OF_A_SECOND else None
    with suppress(subprocess.TimeoutExpired):
        process.wait(rng.uniform(*_KILL_SECONDS))
    process.send_signal(signal.SIGKILL)
    for each in (process, meanwhile):
        if each is not None:
            shell.ended(each)
    return process.returncode == -signal.SIGKILL


def _finish(shell: _Shell) -> None:
    """What cron does: submit, then ask for the status again and again, which moves the jobs on."""
    shell.ended(shell.start("submit"))  # whatever was not submitted before a kill
    for _ in range(_MOST_CALLS):
        said = shell.ended(shell.start("status", "--json"))
        if set(orjson.loads(said)["items"]) == {"complete"}:
            return
        time.sleep(_SECONDS_BETWEEN_CALLS)
