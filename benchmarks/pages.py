"""A rerun of every page on the demo workspace: server time, without a browser."""

import gc
import os
import statistics
import tempfile
from pathlib import Path

from streamlit.testing.v1 import AppTest

from benchmarks.timing import Ratio, seconds
from core.demo import build_demo
from pages import session

MAIN = Path(__file__).resolve().parent.parent / "pages" / "main.py"
_ROUNDS = 15
_GOAL_SECONDS = 0.1
PAGES = (
    "overview.py",
    "backlog.py",
    "sizing.py",
    "routing.py",
    "classes.py",
    "jobs.py",
    "schedule.py",
    "results.py",
    "trends.py",
    "savings.py",
    "what_if.py",
    "prices.py",
    "reconcile.py",
    "audit.py",
)


def measure() -> list[Ratio]:
    """Median of the reruns after the first, against the goal of 100 ms."""
    with tempfile.TemporaryDirectory() as name:
        build_demo(Path(name))
        os.environ["LOTWISE_WORKSPACE"] = name
        gc.freeze()  # as app.py does: Streamlit collects garbage after every rerun
        try:
            return [_page(page) for page in PAGES]
        finally:
            session.close()


def _page(page: str) -> Ratio:
    test = AppTest.from_file(str(MAIN), default_timeout=60)
    test.run()
    test.switch_page(page).run()
    median = statistics.median(seconds(test.run) for _ in range(_ROUNDS))
    return Ratio(
        name=f"rerun {page}",
        seconds=median,
        against="goal",
        against_seconds=_GOAL_SECONDS,
        ratio=median / _GOAL_SECONDS,
        goal="<= 1",
    )
