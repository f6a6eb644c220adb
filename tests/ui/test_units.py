"""Cost per unit on the Trends, and the unit of a class chosen on its page."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core.actions import costs as of_costs
from core.actions import units as of_units
from core.unit_costs.unit import ITEM, Unit
from pages import formats, session
from pages.words import plain, term
from tests.jobs.driving import Bench, prefix, request
from tests.ui.conftest import Open

FORM = {
    "format": {
        "type": "json_schema",
        "schema": {"type": "object", "required": ["lines"], "properties": {"lines": {"const": ["a", "b"]}}},
    }
}


class Desk(NamedTuple):
    """A workspace with one class, each of whose eight answers has two lines, and the clock of its server."""

    folder: Path
    class_id: str
    class_name: str


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Make it by the real actions against the local server."""
    folder = tmp_path_factory.mktemp("units") / "bench" / "workspace"
    folder.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        bench = Bench(folder, patch, {}, {})
        try:
            asked = [request(f"alpha-{number}", system=prefix("alpha"), output_config=FORM) for number in range(8)]
            bench.submit(*(one | {"tags": {"team": "search"}} for one in asked))
            bench.run()
            class_id = str(bench.attempts()["class_id"][0])
            name = of_units.class_unit(bench.workspace, class_id).class_name
        finally:
            bench.close()
    return Desk(folder=folder, class_id=class_id, class_name=name)


@pytest.fixture
def enter(desk: Desk, open_app: Open, tmp_path: Path) -> Callable[..., AppTest]:
    """Return a function that opens a page on a copy of that workspace."""

    def entered(page: str, **query: str) -> AppTest:
        folder = tmp_path / "copy"
        shutil.copytree(desk.folder, folder)
        return open_app(folder, page, **query)

    return entered


def said(app: AppTest) -> str:
    """Every sentence of the page."""
    return "\n".join(each.value for each in (*app.markdown, *app.caption, *app.info, *app.warning))


def test_a_unit_is_tried_on_the_latest_results_then_taken(enter: Callable[..., AppTest], desk: Desk) -> None:
    """One sees in how many answers the count is before anything is changed; the worker counts, and the page says it."""
    app = enter("classes.py", id=desk.class_id)
    assert f"divided by: **{ITEM}**" in said(app)
    assert app.button(key="unit-save").disabled

    app.radio(key="unit-kind").set_value("json").run()
    app.text_input(key="unit-json").set_value("$.pages").run()
    assert "Found in none of" in said(app)
    app.text_input(key="unit-json").set_value("$.lines").run()
    app.text_input(key="unit-noun").set_value("line").run()
    assert "2 to 2 an answer" in said(app)
    assert of_units.class_units(session.workspace()) == ()

    app.button(key="unit-save").click().run()

    assert "still to be counted" in said(app)
    session.workspace().worker.recount()
    app.run()
    assert "divided by: **line**" in said(app)
    assert "still to be counted" not in said(app)
    (row,) = of_costs.costs(session.workspace()).rows.iter_rows(named=True)
    assert (row["units"], row["unit"], row["uncounted"]) == (16, "line", 0)
    assert app.exception == []


def test_what_cannot_be_counted_is_a_sentence(enter: Callable[..., AppTest], desk: Desk) -> None:
    """A pattern with a mistake changes nothing and breaks nothing."""
    app = enter("classes.py", id=desk.class_id)
    app.radio(key="unit-kind").set_value("matches").run()
    app.text_input(key="unit-matches").set_value("(").run()

    assert any("cannot be counted" in error.value for error in app.error)
    assert app.exception == []
    assert not [button for button in app.button if button.key == "unit-save"]


def test_costs_per_unit_are_seen_by_class_and_tag(enter: Callable[..., AppTest], desk: Desk) -> None:
    """The cards and the table are those of the action, in the unit of the class, by class and by a tag."""
    app = enter("trends.py", view=term("view", "unit_costs"), range=term("range", "all"))
    of_units.set_unit(session.workspace(), desk.class_name, Unit.of("json", "$.lines", "line"))
    app.run()

    overall = of_costs.costs(session.workspace()).overall
    assert overall is not None
    cards = {metric.label: metric.value for metric in app.metric}
    per_thousand = formats.money(formats.per_thousand(overall["unit_cost_usd"]))
    assert cards[plain("unit_costs.cost")] == per_thousand.replace("$", "\\$")
    assert cards[plain("unit_costs.stability")] == term("stability", "too little data")
    assert cards[plain("unit_costs.now")] == cards[plain("unit_costs.cost")], "one week is its own level"
    (shown,) = table(app).iter_rows(named=True)
    assert (shown["name"], shown["unit"], shown["units"]) == (desk.class_name, "line", 16)

    app.segmented_control(key="unit-costs-by").set_value("tag:team").run()
    assert table(app)["name"].to_list() == ["search"]
    assert app.exception == []


def table(app: AppTest) -> pl.DataFrame:
    """The table of costs per unit."""
    return next(pl.from_pandas(each.value) for each in app.dataframe if "scatter" in each.value.columns)
