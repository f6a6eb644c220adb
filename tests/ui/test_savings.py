"""The Savings page: from list price to paid, what was missed, filters in the address, a baseline declared."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from streamlit.testing.v1 import AppTest

from core.actions.savings import Decomposition, decomposition, savings_period
from core.audit import entries
from core.savings import LEVERS
from core.workspace import Workspace
from pages import formats, session, words
from tests.ui.conftest import Open

PAGE = "savings.py"
ALL = words.term("range", "all")


def reckoned(workspace: Workspace, class_named: str | None = None) -> Decomposition:
    """What the page should show of all days."""
    period = savings_period(workspace, now=formats.now(), class_named=class_named)
    return decomposition(workspace, period)


def dollars(app: AppTest, label: str) -> Decimal:
    """The amount on a card."""
    value = next(metric.value for metric in app.metric if metric.label == label)
    return Decimal(value.replace("\\", "").replace("$", "").replace(",", ""))


def test_the_page_shows_what_was_reckoned(open_app: Open, demo_workspace: Path) -> None:
    """List price, paid and each lever are those of the action, in cents that add up, and drawn again alike."""
    app = open_app(demo_workspace, PAGE, range=ALL)
    assert [error.value for error in app.exception] == []
    total = reckoned(session.workspace()).total.cents()
    assert (dollars(app, "List price"), dollars(app, "Paid")) == (total.list_cost, total.paid)
    said = [markdown.value for markdown in app.markdown]
    for name in LEVERS:
        amount = formats.money(total.of(name)).replace("$", "\\$").replace("-", "\\-")
        assert any(amount.lstrip("\\-") in line and name.capitalize() in line for line in said), name

    before = [metric.value for metric in app.metric]
    app.run()
    assert before == [metric.value for metric in app.metric]


def test_a_class_of_the_address_is_all_that_is_shown(open_app: Open, demo_workspace: Path) -> None:
    """The class and the days stand in the address: a link shows the same to whoever opens it."""
    app = open_app(demo_workspace, PAGE, range=ALL, **{"class": "Call note summary"})
    found = reckoned(session.workspace(), "Call note summary")
    assert dollars(app, "Paid") == found.total.cents().paid
    table = next(frame.value for frame in app.dataframe if "list_cost" in frame.value.columns)
    assert list(table["class_name"]) == ["Call note summary"]


def test_days_without_results_say_so(open_app: Open, demo_workspace: Path) -> None:
    """A period in which nothing of a class came back is no zero: the page says to choose other days."""
    app = open_app(demo_workspace, PAGE, range=ALL)
    period = savings_period(session.workspace(), now=formats.now(), class_named="Product description enrichment")
    ids = list(period.class_ids or ())
    cells = session.workspace().store.query("savings_cells", first=period.first, last=period.last, class_ids=ids)
    every = (period.first + timedelta(days=number) for number in range((period.last - period.first).days))
    idle = next(day for day in every if day not in set(cells["day"])).isoformat()
    app = open_app(demo_workspace, PAGE, days=[idle, idle], **{"class": "Product description enrichment"})
    assert [error.value for error in app.exception] == []
    assert not app.metric
    assert any("Choose other days" in info.value for info in app.info)


def test_an_empty_workspace_says_what_to_do(open_app: Open, workspace_dir: Path) -> None:
    """Nothing was paid yet: a heading, why, and where to go."""
    app = open_app(workspace_dir, PAGE)
    assert [header.value for header in app.header] == ["Nothing was paid yet"]
    assert not app.metric


def test_a_declared_baseline_changes_routing_and_is_on_record(open_app: Open, demo: Path) -> None:
    """Whoever says what a class would have run on sees routing reckoned against it; the log says who said so."""
    app = open_app(demo, PAGE, range=ALL, **{"class": "Call note summary"})
    assert any("Routing: \\$0.00" in markdown.value for markdown in app.markdown)
    app.selectbox(key="baseline-class").select("Call note summary")
    app.selectbox(key="baseline-model").select("claude-opus-5")
    app.button(key="declare").click().run()
    assert [error.value for error in app.error] == []
    routing = reckoned(session.workspace(), "Call note summary").total.cents().of("routing")
    assert routing > 0
    assert any(f"Routing: \\${routing:,}" in markdown.value for markdown in app.markdown)
    assert entries(session.workspace().store, limit=1)[0].action == "declare-baseline"
