"""One job in full, and its repair: one press or many, one tab or two, one repair job."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.causes import explain
from core.errors import LotwiseError
from pages import session
from tests.ui.conftest import Open

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


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
    assert any("Nothing that is ticked can go." in words.value for words in app.markdown)
    assert all(box.disabled for box in app.checkbox)
    assert sum("import them with --replace" in caption.value for caption in app.caption) == len(app.checkbox)


@pytest.fixture
def many(open_app: Open, demo: Path) -> str:
    """Give the id of a job with failures of every kind of action."""
    open_app(demo)
    store = session.workspace().store
    job = str(jobs(open_only=True).filter(pl.col("repairable_items") > 0)["job_id"][0])
    failed = store.query("job_items", job_id=job, slice=None, limit=5, offset=0)
    names = ["expired", "account_limit", "ramp_limit", "refusal", "brand_new"]
    attempts = store.query("export_attempts").join(failed.select("item_id"), on="item_id").filter(job_id=job)
    frame = attempts.with_columns(
        pl.Series("cause", names),
        pl.Series("action", [explain(name).action for name in names]),
        outcome=pl.lit("errored"),
        refusal_category=pl.lit(None, pl.String),
    )
    store.write(lambda tx: tx.merge("put_results", frame, job_id=job))
    return job


def sentence(app: AppTest) -> str:
    """What the repair says that it would do."""
    (found,) = [words.value for words in app.markdown if words.value.startswith(("Sends", "Nothing"))]
    return str(found)


def test_every_cause_is_a_choice_with_its_consequence(open_app: Open, demo: Path, many: str) -> None:
    """What passes by itself is ticked; ticking more changes sentence and button; the click sends just that."""
    app = open_app(demo, "jobs.py", job=many)
    ticked = {box.label: box.value for box in app.checkbox}
    before = sentence(app)
    assert {label.split(" × ")[1]: value for label, value in ticked.items()}["Account limit"] is False

    app.checkbox(key=f"cause-{many}-account_limit").check().run()
    after = sentence(app)
    app.button(key="repair").click().run()

    assert not app.exception
    assert int(after.split()[1]) == int(before.split()[1]) + 1
    made = jobs().filter(pl.col("parent_job_id") == many, pl.col("role") == "repair").row(0, named=True)
    assert made["item_count"] == int(after.split()[1])
    left = session.workspace().store.query("slice_causes", job_id=many)["cause"].to_list()
    assert {"account_limit", "expired"}.isdisjoint(left)
    assert {"refusal", "brand_new"} <= set(left)


def test_unticking_everything_leaves_a_dead_button(open_app: Open, demo: Path, many: str) -> None:
    """No choice is no repair, and not the usual one."""
    app = open_app(demo, "jobs.py", job=many)
    for box in app.checkbox:
        if box.value:
            app = box.uncheck().run()

    assert app.button(key="repair").disabled
    assert sentence(app).startswith("Nothing that is ticked can go.")


def test_failures_are_set_aside_and_taken_back(open_app: Open, demo: Path, many: str) -> None:
    """They leave the open failures under the visitor's name, and come back on a click."""
    app = open_app(demo, "jobs.py", job=many)
    before = int(detail(app, "Open failures"))

    app.multiselect(key="set-aside-causes").select("refusal").run()
    app.button(key="set-aside").click().run()

    assert not app.exception
    assert int(detail(app, "Open failures")) == before - 1
    assert any("1 × Refused, by " in words.value for words in app.markdown)

    app.button(key="take-back-refusal").click().run()

    assert int(detail(app, "Open failures")) == before
    assert not any("1 × Refused, by " in words.value for words in app.markdown)


def test_a_fault_of_nearly_all_items_is_said_to_be_nobodys(open_app: Open, demo: Path, many: str) -> None:
    """Who sees the same message on every item looks at the account first."""
    store = session.workspace().store
    attempts = store.query("export_attempts").filter(job_id=many)
    frame = attempts.with_columns(
        cause=pl.lit("invalid_request_error"),
        action=pl.lit("edit"),
        outcome=pl.lit("errored"),
        usable=pl.lit(value=False),
        message=pl.lit("tools.0: *bad*"),
        refusal_category=pl.lit(None, pl.String),
    )
    store.write(lambda tx: tx.merge("put_results", frame, job_id=many))

    app = open_app(demo, "jobs.py", job=many)

    assert any("one and the same message" in warning.value for warning in app.warning)


def test_the_attempts_of_an_item(open_app: Open, demo: Path, many: str) -> None:
    """Each with its job, its outcome and its cost, first to last."""
    open_app(demo)
    item = session.workspace().store.query("job_items", job_id=many, slice="expired", limit=1, offset=0)["item_id"][0]
    repair = actions.repair(session.workspace(), many, now=NOW).job_id

    def page(item: str) -> None:
        from pages import attempts

        attempts.show(item)

    app = AppTest.from_function(page, kwargs={"item": item}, default_timeout=30).run()

    assert not app.exception
    shown = app.dataframe[0].value
    assert shown["job_id"].to_list() == [many, repair]
    assert shown["cause"].to_list() == ["Expired before it ran", "–"]
    assert shown["outcome"].to_list() == ["Errored", "No result yet"]


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
