"""The page What if: figures on a demo, scenarios that answer, and words where there is nothing."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.ui.conftest import Open


def sound(app: AppTest) -> None:
    """No traceback and no refusal is on the page."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []
    assert len(app.title) == 1


def figures(app: AppTest) -> dict[str, str]:
    """What the cards say."""
    return {metric.label: metric.value for metric in app.metric}


def test_a_scenario_answers_beside_what_happened(open_app: Open, demo_workspace: Path) -> None:
    """Four figures and a table on the demo; another model is another cost, and the table names all three."""
    app = open_app(demo_workspace, "what_if.py")
    sound(app)
    before = figures(app)

    assert list(before) == ["Cost in all", "On time", "Reruns", "Hours to a result"]
    assert "–" not in before.values()
    table = app.dataframe[0].value
    assert set(table["what"]) == {"This scenario", "As it is, simulated", "What happened"}
    app.selectbox(key="on-model").select("claude-haiku-5-5").run()
    sound(app)
    assert figures(app)["Cost in all"] != before["Cost in all"]
    app.number_input(key="what_if-size").set_value(10).run()
    sound(app)
    assert figures(app)["Cost in all"] != before["Cost in all"]


def test_an_empty_workspace_says_what_to_do_next(open_app: Open, workspace_dir: Path) -> None:
    """Nothing was sent and nothing waits: no figure, a heading that says why, and a way on."""
    app = open_app(workspace_dir, "what_if.py")

    sound(app)
    assert [header.value for header in app.header] == ["Nothing to replay yet"]
    assert not app.metric
