"""`python -m tests.chaos`: the long fault suite; one table at the end, exit code 1 where the promise was not kept.

A run that the harness itself could not bring to an end is repeated once; where that fails too, it counts as not kept.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TextIO

from tests.chaos.suite import EVERY_FAULT, Outcome, run_all, tasks
from tests.chaos.table import table, tally

_RUNS_BETWEEN_NEWS = 20


def main() -> int:
    """Run the suite that the arguments name; return the exit code."""
    arguments = _arguments()
    # Whoever ends the suite early still gets its table.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    asked = tasks(arguments.fault or EVERY_FAULT, arguments.runs, arguments.seed)
    done: list[Outcome] = []
    try:
        for outcome in _told(run_all(asked, workers=arguments.workers), len(asked)):
            done.append(outcome)
            _say(_failures(outcome))
            if arguments.story:
                _say(_story(outcome))
    except KeyboardInterrupt:
        _say(f"Interrupted after {len(done):,} of {len(asked):,} runs.\n")
    _say(table(done) + "\n")
    return 0 if len(done) == len(asked) and all(each.good for each in done) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="how many runs, over all faults (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (default: 2)")
    parser.add_argument("--fault", action="append", choices=EVERY_FAULT, help="only this fault; may come several times")
    parser.add_argument("--story", action="store_true", help="tell what happened in every run")
    return parser.parse_args()


def _told(outcomes: Iterable[Outcome], asked: int) -> Iterator[Outcome]:
    """Pass them on, saying now and then how it stands."""
    began, so_far = time.monotonic(), []
    for outcome in outcomes:
        so_far.append(outcome)
        yield outcome
        if len(so_far) % _RUNS_BETWEEN_NEWS == 0:
            took = timedelta(seconds=round(time.monotonic() - began))
            _say(f"{len(so_far):,} of {asked:,} runs in {took}: {tally(so_far)}\n", sys.stderr)


def _failures(outcome: Outcome) -> str:
    """What is wrong with a run, and how to see it again; nothing where all is well."""
    told: list[str] = []
    again = f"python -m tests.chaos --fault {outcome.fault} --seed {outcome.seed} --runs 1 --story"
    for number, error in enumerate(outcome.errors, 1):
        told += [
            f"HARNESS ERROR, attempt {number}: {outcome.fault}, seed {outcome.seed}. Again: {again}",
            _inset(error),
        ]
    if outcome.run is not None and not outcome.good:
        verdict = outcome.run.verdict
        what = f"{verdict.duplicates} duplicates, {verdict.orphans} orphans, recovered: {verdict.recovered}"
        told.append(f"FAILED {outcome.fault}, seed {outcome.seed} ({outcome.run.cargo}). Again: {again}")
        told.append(_inset("\n".join([what, *verdict.broken, *outcome.run.story])))
    return "".join(f"{each}\n" for each in told)


def _story(outcome: Outcome) -> str:
    if outcome.run is None:
        return ""  # told with its errors
    head = f"{outcome.fault}, seed {outcome.seed} ({outcome.run.cargo}):"
    return "\n  ".join([head, *outcome.run.story]) + "\n"


def _inset(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())


def _say(text: str, stream: TextIO = sys.stdout) -> None:
    stream.write(text)
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
