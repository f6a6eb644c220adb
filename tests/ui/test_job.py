"""One job in full, and its repair: one press or many, one tab or two, one repair job."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.errors import LotwiseError
from pages import session
from tests.ui.conftest import Open


def jobs(**filters: object) -> pl.DataFrame:
    """The jobs of the open workspace."""
    wanted = {"states": [], "roles": [], "class_name": None, "open_only": False, "limit": 10_000} | filters
    found: pl.DataFrame = session.workspace().store.query("jobs_listed", **wanted)
    return found


@pytest.fixture
def failed(open_app: Open, demo: Path) -> Iterator[str]:
    """Give the id of a job whose failures can be sent again."""
    open_app(demo)
    yield jobs(open_only=True).filter(pl.col("repairable_items") > 0)["job_id"][0]


@pytest.fixture
def hopeless(open_app: Open, demo: Path) -> Iterator[str]:
    """Give the id of a job whose failures would fail again."""
    open_app(demo)
    yield jobs(open_only=True).filter(pl.col("repairable_items") == 0)["job_id"][0]


def detail(app: AppTest, label: str) -> str:
    """The value of one figure of the job."""
    return next(metric.value for metric in app.metric if metric.label == label)


def test_a_deep_link_opens_the_job(open_app: Open, demo: Path, failed: str) -> None:
    """`/jobs?job=ID` shows that job and nothing else."""
    app = open_app(demo, "jobs.py", job=failed)

    assert not app.exception
    assert failed in app.header[0].value
    row = jobs().filter(pl.col("job_id") == failed).row(0, named=True)
    assert detail(app, "Open failures") == f"{row['open_failures']:,}"
    assert detail(app, "Usable items") == f"{row['usable_items']:,}"


def test_an_unknown_job_is_a_sentence(open_app: Open, demo: Path) -> None:
    """A link into another workspace explains itself."""
    app = open_app(demo, "jobs.py", job="nosuchjob")

    assert not app.exception
    assert "There is no job nosuchjob" in app.warning[0].value

    app.button(key="close-job").click().run()
    assert len(app.dataframe[0].value) > 1


def test_the_items_of_a_slice(open_app: Open, demo: Path, failed: str) -> None:
    """Choosing a cause shows the items that failed of it, a page at a time."""
    app = open_app(demo, "jobs.py", job=failed)
    slices, items = app.dataframe[0].value, app.dataframe[1].value
    assert len(items) <= 50
    cause = slices["cause"][0]
    stored = session.workspace().store.query("job_slices", job_id=failed)["cause"][0]

    app.selectbox(key="job-slice").select(stored).run()

    shown = app.dataframe[1].value
    assert set(shown["cause"]) == {cause}
    assert len(shown) == min(50, slices["items"][0])


def test_pressing_repair_twice_creates_one_job(open_app: Open, demo: Path, failed: str) -> None:
    """A second tab that still shows the button is told who repairs these items already."""
    first, second = open_app(demo, "jobs.py", job=failed), open_app(demo, "jobs.py", job=failed)
    before = jobs().height

    first.button(key="repair").click().run()
    second.button(key="repair").click().run()

    made = jobs().filter(pl.col("parent_job_id") == failed, pl.col("role") == "repair")
    assert jobs().height == before + 1
    repair = made["job_id"][0]
    for app in (first, second):
        assert not app.exception
        assert any(repair in success.value for success in app.success)
        assert any(repair in link.value for link in app.page_link)
    assert "already being repaired" in second.success[0].value
    assert detail(first, "Open failures") == "0"

    first.run()
    assert jobs().height == before + 1


def test_repair_that_cannot_help_is_disabled_with_its_reason(open_app: Open, demo: Path, hopeless: str) -> None:
    """Nobody pays for a failure twice."""
    app = open_app(demo, "jobs.py", job=hopeless)

    assert app.button(key="repair").disabled
    captions = [caption.value for caption in app.caption]
    assert captions.count("None of these can be sent again as it is.") == 1


def test_a_refused_repair_is_a_sentence(
    open_app: Open, demo: Path, failed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the core refuses is said on the page, and the page stays."""

    def refuse(*_: object, **__: object) -> None:
        raise LotwiseError("The account is on hold. Settle the bill first.")

    app = open_app(demo, "jobs.py", job=failed)
    monkeypatch.setattr(actions, "repair", refuse)

    app.button(key="repair").click().run()

    assert not app.exception
    assert [error.value for error in app.error] == ["The account is on hold. Settle the bill first."]
    assert not app.button(key="repair").disabled


def test_the_chain_links_a_repair_with_what_it_repairs(open_app: Open, demo: Path) -> None:
    """From a repair the way back to the job that failed is one link."""
    open_app(demo)
    repair = jobs(roles=["repair"]).row(0, named=True)

    app = open_app(demo, "jobs.py", job=repair["job_id"])

    assert any(repair["parent_job_id"] in link.value for link in app.page_link)
