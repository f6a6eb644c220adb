"""`python -m tests.chaos`: the long fault suite; one table at the end, exit code 1 where the promise was not kept."""

import argparse
import sys
from typing import TextIO

from tests.chaos.runs import Run
from tests.chaos.suite import EVERY_FAULT, run_all, tasks
from tests.chaos.table import table


def main() -> int:
    """Run the suite that the arguments name; return the exit code."""
    arguments = _arguments()
    asked = tasks(arguments.fault or EVERY_FAULT, arguments.runs, arguments.seed)
    runs: list[Run] = []
    for done in run_all(asked, workers=arguments.workers):
        runs.append(done)
        if not done.verdict.good:
            _say(_failure(done))
        if arguments.story:
            _say("\n  ".join([f"{done.trouble}, seed {done.seed} ({done.cargo}):", *done.story]))
        if len(runs) % 50 == 0:
            _say(f"{len(runs)} of {len(asked)} runs", sys.stderr)
    _say(table(runs))
    return 0 if all(each.verdict.good for each in runs) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="how many runs, over all faults (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (default: 2)")
    parser.add_argument("--fault", action="append", choices=EVERY_FAULT, help="only this fault; may come several times")
    parser.add_argument("--story", action="store_true", help="tell what happened in every run")
    return parser.parse_args()


def _failure(done: Run) -> str:
    verdict = done.verdict
    again = f"python -m tests.chaos --fault {done.trouble} --seed {done.seed} --runs 1 --story"
    what = f"{verdict.duplicates} duplicates, {verdict.orphans} orphans, recovered: {verdict.recovered}"
    head = f"FAILED {done.trouble}, seed {done.seed} ({done.cargo}). Again: {again}"
    return "\n  ".join([head, what, *verdict.broken])


def _say(text: str, stream: TextIO = sys.stdout) -> None:
    stream.write(f"{text}\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
