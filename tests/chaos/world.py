"""A world: one workspace, one account, time for both, and somebody who starts Lotwise again when it died."""

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb

from core.jobs.states import JobState
from core.sandbox import SandboxOptions
from tests.chaos.account import START, KillAt
from tests.chaos.cargo import Cargo, write_requests
from tests.chaos.ground import Ground
from tests.chaos.life import Birth, Report
from tests.chaos.nursery import PATIENCE_SECONDS, SHORT_PATIENCE_SECONDS

_IN_DOUBT = (JobState.SENDING, JobState.UNKNOWN, JobState.HELD, JobState.ENDED)
_UNFINISHED = {"failed", "backlog"}
_UNSENT = (JobState.PLANNED, JobState.WAITING)
_HASTE = (5, 20, 60, 120, 300)
_LEISURE = (300, 900, 1800, 3600)
_MOST_STEPS = 80
_MOST_HELP = 8
# How often it looks every few minutes after a fault, before hours are let pass between two steps.
_STEPS_OF_HASTE = 6
# What comes late must find Lotwise still looking: it runs on for hours when all is done.
_STEPS_AFTERWARDS = 3


def prepared(ground: Ground, cargo: Cargo, *, submitted: bool) -> Path:
    """A workspace that holds this cargo, imported and perhaps submitted; made once, to be copied."""
    place = ground.folder / f"{cargo.name}-{submitted}"
    if not place.exists():
        making = ground.folder / "making"
        world = World(ground, making, cargo=cargo, seed="prepared", settings=cargo.settings)
        world.command("load", path=write_requests(ground.folder / "requests.jsonl", cargo))
        if submitted:
            world.command("submit")
        world.end()
        making.rename(place)
    return place


class World:
    """One workspace and one account; all that happens is drawn from `rng`.

    Two clocks: the account's (`account.now`) only goes forward; this machine's differs from it by `skew`.
    """

    def __init__(
        self,
        ground: Ground,
        folder: Path,
        *,
        cargo: Cargo,
        seed: str,
        settings: dict[str, Any],
        options: SandboxOptions | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.account = ground.account
        self.account.begin(options or SandboxOptions(width=10_000))
        self.folder = folder
        self.cargo = cargo
        self.settings = dict(settings)
        self.skew = timedelta()
        self.sink: Path | None = None
        self.only_cron = False
        """Whether no app runs: every step is a process of its own."""
        self.haste = timedelta()
        """How long Lotwise looks every few minutes at most, from the beginning."""
        self.kills: list[dict[str, Any]] = []
        """How the next lives end; one is used up by each birth."""
        self.impatient = False
        self.account_fixed = True
        self.violations: list[str] = []
        self.report: Report | None = None
        self.story: list[str] = []
        """What happened, a line each time that something changed."""
        self.deaths = 0
        self._ground = ground
        self._seed = seed
        self._births = 0
        self._life: tuple[int, Connection] | None = None
        self._due: dict[int, list[Callable[[], object]]] = {}
        self._struck_at: datetime | None = None
        self._calm_at: datetime | None = None
        self._last_due = 0
        self._hasty_steps = _STEPS_OF_HASTE

    @property
    def now(self) -> datetime:
        """What this machine's clock says."""
        return self.account.now + self.skew

    @property
    def age(self) -> timedelta:
        """How much time has passed."""
        return self.account.now - START

    @property
    def pid(self) -> int:
        """The process that owns the workspace, started where none runs."""
        while self._life is None:
            self._start()
        return self._life[0]

    @property
    def recovery(self) -> timedelta | None:
        """From the last fault until nothing was in doubt any more, on the account's clock; None where none struck."""
        if self._struck_at is None:
            return None
        return max((self._calm_at or self.account.now) - self._struck_at, timedelta())

    def at(self, step: int, action: Callable[[], object]) -> None:
        """Have something happen before a step."""
        self._due.setdefault(step, []).append(action)
        self._last_due = max(self._last_due, step)

    def struck(self) -> None:
        """A fault strikes now."""
        self._struck_at, self._calm_at = self.account.now, None
        self._hasty_steps = _STEPS_OF_HASTE

    def command(self, name: str, **arguments: Any) -> Report | None:
        """Have the living process do something; None where it died of it, or at its start."""
        if self._life is None and not self._start():
            return None
        assert self._life is not None
        seen = self.account.faults.struck
        try:
            self._life[1].send((name, self.now, self.age.total_seconds(), arguments))
            report: Report = self._life[1].recv()
        except (EOFError, ConnectionError):
            self._bury()
            return None
        finally:
            if self.account.faults.struck > seen:
                self.struck()
        self._heed(report)
        self._tell(name, report.said or report.trouble)
        return report

    def switch_off(self) -> None:
        """The API is away: connections are refused."""
        self.struck()
        self.account.down()

    def fill_disk(self, limit_bytes: int) -> None:
        """Lotwise takes a step while no file can grow beyond a size."""
        self.struck()
        self.command("tick_on_full_disk", limit_bytes=limit_bytes)

    def set_clock(self, jump: timedelta) -> None:
        """Somebody sets this machine's clock."""
        self.struck()
        self.skew += jump

    def restart(self) -> None:
        """The process is asked to end; the next command starts another one."""
        if self._life is None:
            return
        pid, line = self._life
        try:
            line.send(("close", self.now, 0.0, {}))
            line.recv()
        except (EOFError, ConnectionError):
            self._bury()
            return
        line.close()
        self._ground.wait(pid)
        self._life = None

    def second_process(self) -> None:
        """Somebody starts Lotwise on the same folder by mistake; it must be turned away."""
        self.struck()
        assert self.pid
        birth = Birth(folder=self.folder, now=self.now, seed="second", settings=self.settings)
        pid, line = self._ground.birth(birth, patience=PATIENCE_SECONDS)
        refusal = line.recv()
        line.close()
        self._ground.wait(pid)
        if not str(refusal).startswith("StoreBusy"):
            self.violations.append(f"a second process was let in: {refusal}")

    def pass_time(self, seconds: float) -> None:
        """Time passes for everybody."""
        self.account.move(timedelta(seconds=seconds))

    def begin(self, *, sink: str | None, submitted: bool) -> None:
        """The user names a sink and submits; when a command dies of something, they run it again."""
        if sink is not None:
            self.sink = self._ground.folder / "sinks" / sink
            while self.command("deliver", target=self.sink) is None:
                pass
        if not submitted:
            while self.command("submit") is None:
                pass

    def delivered(self) -> dict[str, list[str]]:
        """By sink, the items that were handed over."""
        if self.sink is None:
            return {}
        if self.sink.suffix == ".jsonl":
            return {"jsonl": [json.loads(line)["item_id"] for line in self.sink.read_text().splitlines()]}
        with duckdb.connect(str(self.sink), read_only=True) as connection:
            return {"duckdb": [item for (item,) in connection.sql("SELECT item_id FROM results").fetchall()]}

    def run(self) -> None:
        """Go on until every item is complete, then for some hours more; or until it is clear that this never ends."""
        afterwards = helped = 0
        for step in range(_MOST_STEPS):
            for action in self._due.pop(step, ()):
                action()
            hasty = self._hasty_steps > 0 or step <= self._last_due or self.age < self.haste
            self._hasty_steps -= 1
            self.pass_time(self.rng.choice(_HASTE if hasty else _LEISURE))
            report = self.command("tick")
            if self.only_cron:
                self.restart()
            if report is None or step <= self._last_due or not (report.items or _held(report)):
                continue
            if set(report.items) == {"complete"}:
                afterwards += 1
                if afterwards == _STEPS_AFTERWARDS:
                    return
            elif helped == _MOST_HELP:
                return
            elif self.account_fixed:
                helped += 1
                self._help(report)

    def _help(self, report: Report) -> None:
        """What a person does: release what is held, submit what waits, repair what failed, edit what never works."""
        if _held(report):
            self.command("release")
        if "backlog" in report.items:
            self.command("submit")
        if "failed" in report.items:
            repaired = self.command("repair")
            if repaired and repaired.items == report.items:
                edited = write_requests(self.folder / "edited.jsonl", self.cargo, max_tokens=self.rng.randint(201, 999))
                self.command("correct", path=edited)

    def _start(self) -> bool:
        kill = self.kills.pop(0) if self.kills else {}
        self._births += 1
        birth = Birth(
            folder=self.folder, now=self.now, seed=f"{self._seed}/{self._births}", settings=self.settings, **kill
        )
        patience = SHORT_PATIENCE_SECONDS if self.impatient else PATIENCE_SECONDS
        self._life = self._ground.birth(birth, patience=patience)
        try:
            refusal = self._life[1].recv()
        except (EOFError, ConnectionError):
            self._bury()
            return False
        if refusal is not None:
            self.violations.append(f"the workspace did not open: {refusal}")
            self._bury()
            return False
        return True

    def _bury(self) -> None:
        assert self._life is not None
        pid, line = self._life
        self.deaths += 1
        self._tell("died")
        self.struck()
        line.close()
        if not self._ground.wait(pid):
            self.violations.append("an error that is none of Lotwise's own ended the process")
        self._life = None
        self.account.kill(None, KillAt.ARRIVAL)

    def _tell(self, name: str, said: str | None = None) -> None:
        jobs = self.report.jobs if self.report else []
        states = " ".join(f"{job['job_id'][:4]}={job['state']}({job['item_count']})" for job in jobs)
        line = f"{name}: {states}" + (f" · {said}" if said else "")
        if not self.story or self.story[-1].partition(" ")[2] != line:
            self.story.append(f"{self.age} {line}")

    def _heed(self, report: Report) -> None:
        self.report = report
        doubt = (
            report.trouble
            or report.items.keys() & _UNFINISHED
            or any(
                job["state"] in _IN_DOUBT or (job["state"] in _UNSENT and job["intent_at"] is not None)
                for job in report.jobs
            )
        )
        if doubt:
            self._calm_at = None
        elif self._calm_at is None:
            self._calm_at = self.account.now

    def end(self) -> None:
        """Nobody starts Lotwise again."""
        self.kills.clear()
        self.restart()


def _held(report: Report) -> bool:
    """Whether a job is held, for which others may wait."""
    return any(job["state"] == JobState.HELD for job in report.jobs)
