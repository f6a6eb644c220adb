"""The page Results: how far each sink is, one more sink, one less, and what keeps one from getting on."""

from pathlib import Path

from pages import session
from tests.ui.conftest import Open


def test_sinks_are_added_and_removed(open_app: Open, demo: Path) -> None:
    """A name and a kind make a sink in the folder `delivered`; it shows what waits, and goes when it is told to."""
    app = open_app(demo, "results.py")
    complete = {metric.label: metric.value for metric in app.metric}["Complete items"]
    assert not app.dataframe

    app.selectbox(key="sink-kind").select("duckdb")
    app.text_input(key="sink-name").input("answers")
    app.button(key="sink-add").click().run()

    target = f"{demo.resolve()}/delivered/answers.duckdb:results"
    assert [error.value for error in app.error] == []
    row = app.dataframe[0].value.iloc[0]
    assert (row["target"], f"{row['waiting']:,}", row["delivered"]) == (target, complete, 0)

    session.workspace().handover.feed(now=session.workspace().store.query("sinks")["created_at"][0])
    app.run()
    assert {metric.label: metric.value for metric in app.metric}["Handed over everywhere"] == complete

    app.selectbox(key="sink-remove").select(target).run()
    app.button(key="sink-remove-button").click().run()
    assert not app.dataframe


def test_the_page_writes_below_one_folder_only(open_app: Open, demo: Path, tmp_path: Path) -> None:
    """Who opens the dashboard may not choose where on the machine files appear."""
    app = open_app(demo, "results.py")
    for name in ("../results", "../../elsewhere", str(tmp_path / "elsewhere")):
        app.text_input(key="sink-name").input(name)
        app.button(key="sink-add").click().run()
        assert [error.value[:20] for error in app.error] == ["From the page, resul"], name

    app.text_input(key="sink-name").input("")
    app.button(key="sink-add").click().run()
    assert not app.error
    assert [warning.value for warning in app.warning] == ["Type a name for it first."]
    assert not app.dataframe
    assert not (tmp_path / "elsewhere").exists()


def test_trouble_is_a_sentence(open_app: Open, workspace_dir: Path) -> None:
    """What keeps a sink from getting on stands on the page, with the sink's name."""
    app = open_app(workspace_dir, "results.py")
    app.button(key="sink-add").click().run()
    target = session.workspace().store.query("sinks")["target"][0]
    session.workspace().store.write(
        lambda tx: tx.run("set_sink_trouble", target=target, trouble="Another process holds this sink.")
    )

    app.run()

    assert "Another process holds this sink." in [warning.value for warning in app.warning]
