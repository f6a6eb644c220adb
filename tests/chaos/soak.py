"""`python -m tests.chaos.soak`: steady traffic for an hour in which days pass; memory must stay flat, nothing get lost.

One process is Lotwise, as the app runs it: a workspace with its worker thread. Another one is the local server, which
loses replies and fails items now and then. Exit code 1 where something was lost, paid twice, or memory kept growing.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

import httpx2

from core import actions
from core.gateway import ONE_HOUR, AnthropicGateway
from core.jobs.repair import NothingToRepair
from core.jobs.states import JobState
from core.planning.plan import NothingToPlan
from core.settings import Settings
from core.workspace import Workspace, utc_now
from tests.chaos.account import HEADERS, books
from tests.chaos.ground import ROOT, plain_environment
from tests.chaos.oracle import judge
from tests.jobs.driving import lone, shared

_MIB = 1 << 20
_DAY_SECONDS = 86_400
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FAULTS = ["--drop-rate=0.05", "--server-error-rate=0.05", "--early-404-rate=0.05", "--truncated-results-rate=0.05"]
_FAILURES = ["--error-rate=0.02", "--expiry-rate=0.01"]
# Resident memory may creep by so much an hour over the second half, read as the median of all slopes: allocators keep
# what they once had, and the store's own tables grow with the traffic.
_MOST_MIB_AN_HOUR = 48.0
_SAMPLES_A_RUN = 120
_LONGEST_ENDING_SECONDS = 180.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One look at the processes; memory and sizes in MiB."""

    seconds: float
    days: float
    items: int
    complete: int
    own_mib: float
    server_mib: float
    files: int
    threads: int
    store_mib: float


@dataclass(frozen=True, kw_only=True)
class _Pace:
    """How long traffic comes in, how fast the account's time runs, and how many seconds lie between two files."""

    seconds: float
    time_scale: float
    period: float


def main() -> int:
    """Run the soak and print its table; return the exit code."""
    logging.disable()  # injected faults are no news
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long traffic comes in (default: 60)")
    parser.add_argument("--time-scale", type=float, default=72.0, help="simulated seconds in a real one (default: 72)")
    parser.add_argument("--period", type=float, default=5.0, help="seconds between two request files (default: 5)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lotwise-soak-") as folder:
        return _soak(
            Path(folder),
            _Pace(seconds=arguments.minutes * 60, time_scale=arguments.time_scale, period=arguments.period),
        )


def _soak(folder: Path, pace: _Pace) -> int:
    command = [sys.executable, "-m", "core", "sandbox", "--json", "--port=0", f"--time-scale={pace.time_scale}"]
    command += ["--folder", str(folder / "server"), *_FAULTS, *_FAILURES]
    with subprocess.Popen(command, cwd=ROOT, env=plain_environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            url = json.loads(_document(server))["url"]
            return _traffic(folder, url, server.pid, pace)
        finally:
            server.terminate()


def _document(server: "subprocess.Popen[str]") -> str:
    """The JSON document that the server prints when it listens."""
    assert server.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1].rstrip() != "}":
        lines.append(server.stdout.readline())
        if not lines[-1]:
            raise RuntimeError("the local server did not start")
    return "".join(lines)


def _traffic(folder: Path, url: str, server: int, pace: _Pace) -> int:
    lifetime = ONE_HOUR / pace.time_scale
    gateway = AnthropicGateway(api_key="any", base_url=url, simulated=True, cache_lifetime=lifetime)
    much = Decimal(10**9)
    settings = Settings(settle_seconds=10.0, job_budget_usd=much, day_budget_usd=much, month_budget_usd=much)
    samples: list[Sample] = []
    sink = folder / "out.jsonl"
    items = 0
    with Workspace.open(folder / "workspace", gateway=gateway, settings=settings) as workspace:
        workspace.start()
        actions.add_sink(workspace, str(sink), now=utc_now())
        began = time.monotonic()
        _say(_HEAD)
        while (passed := time.monotonic() - began) < pace.seconds:
            items += _one_file(workspace, folder, items)
            _mend(workspace)
            if passed >= len(samples) * pace.seconds / _SAMPLES_A_RUN:
                samples.append(_sample(workspace, server, passed, passed * pace.time_scale / _DAY_SECONDS, items))
                _say(_row(samples[-1]))
            time.sleep(max(0.0, pace.period - (time.monotonic() - began - passed)))
        unfinished = _finish(workspace, items, sink)
        jobs = workspace.store.query("jobs_in", states=list(JobState)).to_dicts()
        statuses = dict(workspace.store.query("status_items").iter_rows())
    with httpx2.Client(base_url=url, headers=HEADERS, timeout=60.0) as client:
        verdict = judge(
            books(client),
            jobs=jobs,
            items=statuses,
            sent=_names(items),
            delivered={"jsonl": [json.loads(line)["item_id"] for line in sink.read_text().splitlines()]},
            violations=[unfinished] if unfinished else [],
        )
    slope = slope_an_hour([(sample.seconds, sample.own_mib) for sample in samples[len(samples) // 2 :]])
    flat = slope <= _MOST_MIB_AN_HOUR
    _say(
        f"{items} items in {len(jobs)} jobs: {verdict.duplicates} duplicates, {verdict.orphans} orphans, "
        f"all complete and handed over once: {verdict.recovered and not verdict.broken}"
    )
    for words in verdict.broken:
        _say(f"  {words[:500]}")
    bound = f"at most {_MOST_MIB_AN_HOUR:g}"
    _say(f"memory in the second half: {slope:+.1f} MiB an hour ({bound}): {'flat' if flat else 'GROWING'}")
    _say("PASSED" if flat and verdict.good else "FAILED")
    return 0 if flat and verdict.good else 1


def _one_file(workspace: Workspace, folder: Path, number: int) -> int:
    """Import ten requests that nobody sent before, and submit what waits; return how many."""
    path = folder / "requests.jsonl"
    requests = [*shared("class", 7), *lone(3)]
    lines = [request | {"custom_id": name} for request, name in zip(requests, _names(10, number), strict=True)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    actions.import_files(workspace, [path])
    try:
        actions.submit(workspace, now=utc_now())
    except NothingToPlan:
        return 0
    return len(lines)


def _names(count: int, first: int = 0) -> list[str]:
    return [f"item-{number:08d}" for number in range(first, first + count)]


def _mend(workspace: Workspace) -> None:
    """Repair what failed, and release what is held."""
    for job in workspace.store.query("jobs_in", states=[JobState.HELD])["job_id"]:
        actions.release(workspace, job, now=utc_now())
    failed = workspace.store.query("status_jobs")
    for job in failed.filter(failed["open_failures"] > 0)["job_id"]:
        try:
            actions.repair(workspace, job, now=utc_now())
        except NothingToRepair:
            continue


def _finish(workspace: Workspace, items: int, sink: Path) -> str | None:
    """Wait until all is complete and handed over; return what is not, in the end."""
    give_up = time.monotonic() + _LONGEST_ENDING_SECONDS
    statuses: dict[str, int] = {}
    while time.monotonic() < give_up:
        _mend(workspace)
        statuses = dict(workspace.store.query("status_items").iter_rows())
        handed = len(sink.read_text().splitlines()) if sink.exists() else 0
        if statuses == {"complete": items} and handed == items:
            return None
        time.sleep(1.0)
    return f"not complete in time: {statuses}; {workspace.worker.trouble}"


def _sample(workspace: Workspace, server: int, seconds: float, days: float, items: int) -> Sample:
    store = sum(path.stat().st_size for path in workspace.folder.glob("lotwise.duckdb*"))
    statuses: dict[str, Any] = dict(workspace.store.query("status_items").iter_rows())
    return Sample(
        seconds=seconds,
        days=days,
        items=items,
        complete=statuses.get("complete", 0),
        own_mib=_resident(os.getpid()),
        server_mib=_resident(server),
        files=len(list(Path("/proc/self/fd").iterdir())),
        threads=len(list(Path("/proc/self/task").iterdir())),
        store_mib=store / _MIB,
    )


def _resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / _MIB


def slope_an_hour(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs (Theil, 1950), for seconds against MiB; one outlier moves nothing."""
    slopes = [(later[1] - one[1]) / (later[0] - one[0]) for one, later in combinations(points, 2)]
    return 3600 * median(slopes) if slopes else 0.0


_HEAD = "  seconds    days   items  complete  own MiB  server MiB  files  threads  store MiB"


def _row(sample: Sample) -> str:
    return (
        f"{sample.seconds:9.0f} {sample.days:7.2f} {sample.items:7d} {sample.complete:9d} {sample.own_mib:8.1f} "
        f"{sample.server_mib:11.1f} {sample.files:6d} {sample.threads:8d} {sample.store_mib:10.1f}"
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
