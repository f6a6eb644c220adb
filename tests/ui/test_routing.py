"""The Routing page: what is proven stands there, one click moves a class, and people label without knowing whose."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.actions import routes, trials
from core.audit import entries
from core.routing.verdict import Bar
from core.trials.starting import TrialAsk
from core.workspace import Workspace
from pages import formats, session
from tests.jobs.driving import Bench
from tests.jobs.trying import CANDIDATE, REFERENCE, follow, requests, start, trying
from tests.ui.conftest import Open

NAMES = (CANDIDATE, REFERENCE, "Haiku", "Sonnet")


class Desk(NamedTuple):
    """A workspace with two trials of one class: one is decided, and of the other five pairs wait for a person."""

    folder: Path
    class_id: str
    decided: str
    labelling: str
    now: datetime


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Make it by the real actions against the local server."""
    folder = tmp_path_factory.mktemp("routing") / "bench" / "workspace"
    folder.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        bench = trying(lambda settings=None, **options: Bench(folder, patch, settings or {}, options), items=100)
        try:
            bench.submit()
            bench.run()
            bench.load(*requests(130))
            labelling = start(bench, grader={"kind": "people"}, bar=Bar(margin=0.05), gold=None, sample=5)
            assert follow(bench, labelling).state == "labelling"
            decided = start(bench)
            assert follow(bench, decided).state == "decided"
            (standing,) = routes.class_routes(bench.workspace, now=bench.clock.now)
            now = bench.clock.now + timedelta(minutes=5)
        finally:
            bench.close()
    return Desk(folder=folder, class_id=standing.class_id, decided=decided, labelling=labelling, now=now)


@pytest.fixture
def enter(desk: Desk, open_app: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Return a function that opens the page on a copy of that workspace, five minutes later."""
    monkeypatch.setattr(formats, "now", lambda: desk.now)

    def entered(page: str = "routing.py", **query: str) -> AppTest:
        folder = tmp_path / "copy"
        shutil.copytree(desk.folder, folder)
        return sound(open_app(folder, page, **query))

    return entered


def sound(app: AppTest) -> AppTest:
    """No traceback and no refusal is on the page."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []
    return app


def said(app: AppTest) -> str:
    """Every text of the page, foreign ones too."""
    kinds = (app.markdown, app.caption, app.info, app.warning, app.success, app.subheader, app.get("html"))
    texts = [getattr(one, "value", None) or getattr(one.proto, "body", "") for kind in kinds for one in kind]
    return " ".join(map(str, texts)).replace("\\", "")


def opened() -> Workspace:
    """The workspace behind the page."""
    return session.shared_workspace()


def line(desk: Desk) -> Any:
    """Where the class stands."""
    (found,) = routes.class_routes(opened(), now=desk.now)
    return found


def press(app: AppTest, choice: str) -> AppTest:
    """Judge the pair on the desk."""
    (button,) = [one for one in app.button if str(one.key).startswith(f"label-{choice}-")]
    return sound(button.click().run())


def test_the_largest_proven_saving_is_said_first(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """A manager reads what is proven and not used, with its dollars, before any table."""
    app = enter()
    standing = line(desk)

    assert standing.proven and standing.saving_month_usd > 0
    first = next(one.value for one in app.markdown if "Label" in one.value).replace("\\", "")
    assert CANDIDATE in first and formats.money(standing.saving_month_usd) in first
    (table,) = app.dataframe
    assert table.value["model"].to_list() == [REFERENCE]
    assert table.value["best"].to_list() == [CANDIDATE]
    assert [list(word) for word in table.value["state"]] == [["Proven, not used"]]
    (many,) = [one.value for one in app.caption if "hold" in one.value]
    assert many.startswith("Of 2 trials of a model, 1 clears its bar")


def test_a_class_has_a_recommendation_and_every_model_its_verdict(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """One sentence says what to do; the table says of each model what is certain, with the interval of its trial."""
    app = enter(**{"class": desk.class_id})

    assert app.info[0].value.startswith("Move to Claude Haiku 5.5")
    rows = {row["name"]: row for row in app.dataframe[0].value.to_dict("records")}
    assert rows["Claude Haiku 5.5"]["verdict"] == "Clears the bar"
    assert rows["Claude Sonnet 5.5"]["verdict"] == "In use today"
    assert rows["Claude Opus 5.5"]["verdict"] == "Not tried"
    standing = trials.trial_standing(opened(), desk.decided, now=desk.now)
    tally = standing.candidates[0].tally
    assert formats.percent(tally.correct / tally.labels) in rows["Claude Haiku 5.5"]["quality"]
    assert rows["Claude Haiku 5.5"]["usable"] * tally.correct / tally.labels == pytest.approx(
        rows["Claude Haiku 5.5"]["item"]
    )
    assert len(app.get("vega_lite_chart")) == 2, "the frontier, and how certain the trial became"
    assert f"after {standing.candidates[0].verdict.labels} labels" in said(app)
    assert app.dataframe[-1].value["trial_id"].to_list() == [desk.labelling], "earlier trials stay in sight"


def test_one_click_moves_a_class_and_another_takes_it_back(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """The dialog says how many items move and what they then cost; the plan follows; nothing is left after Withdraw."""
    app = enter(**{"class": desk.class_id})
    app.session_state["route-apply"] = (desk.class_id, CANDIDATE)
    app.run()
    assert "30 waiting items" in said(app)
    assert not app.warning, "a proven model needs no second thought"
    sound(app.button(key="route-confirm").click().run())

    moved = line(desk)
    assert (moved.model, moved.routed_from, moved.state) == (CANDIDATE, REFERENCE, "applied")
    plan = actions.preview_plan(opened(), now=desk.now)
    assert {size.group.model for size in (*plan.sizes, *plan.alone)} == {CANDIDATE}
    assert "drawn so far" in said(app), "what is watched since the switch"

    app.session_state["route-withdraw"] = desk.class_id
    app.run()
    assert "30 items of" in said(app).replace("*", "") and "wait or failed" in said(app)
    sound(app.button(key="route-withdraw-confirm").click().run())
    assert (line(desk).model, line(desk).routed_from) == (REFERENCE, None)
    assert [entry.action for entry in entries(opened().store, limit=9)][:2] == ["withdraw-route", "apply-route"]


def test_what_is_not_proven_is_moved_only_on_a_persons_word(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """Without a certificate the button is dead until the box is ticked, and the log keeps who ticked it."""
    app = enter(**{"class": desk.class_id})
    app.session_state["route-apply"] = (desk.class_id, "claude-opus-5-5")
    app.run()
    assert any("No trial proves" in one.value for one in app.warning)
    assert any("it costs more, not less" in one.value for one in app.warning)
    assert app.button(key="route-confirm").disabled
    app.checkbox(key="route-anyway").check().run()
    sound(app.button(key="route-confirm").click().run())

    assert line(desk).model == "claude-opus-5-5"
    assert entries(opened().store, limit=1)[0].subject["uncertified"] is True


def test_a_routed_class_is_in_use_on_its_new_model_and_says_what_is_watched(
    desk: Desk, enter: Callable[..., AppTest]
) -> None:
    """Also when nothing waits and its former model answered most; without a label nothing is said to go well."""
    app = enter(**{"class": desk.class_id})
    routes.apply_route(opened(), desk.class_id, CANDIDATE, now=desk.now)
    actions.submit(opened(), now=desk.now)
    sound(app.run())

    rows = {row["name"]: row["verdict"] for row in app.dataframe[0].value.to_dict("records")}
    assert rows["Claude Haiku 5.5"] == "In use today"
    assert rows["Claude Sonnet 5.5"] == "In use before"
    assert "No answer was looked at" in said(app)
    assert "not surely worse" not in said(app)


def test_labelling_is_blind_and_every_key_counts_once(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """No word on the page tells whose an answer is; a judgement brings the next pair; a late second press does none."""
    app = enter(label=desk.labelling)
    assert not any(name in said(app).replace(f"Back to {desk.class_id}", "") for name in NAMES)
    late = next(one for one in app.button if str(one.key).startswith("label-both-"))

    press(app, "left")
    late.click().run()
    sound(app)
    assert trials.trial_standing(opened(), desk.labelling, now=desk.now).labelled == 1

    for choice in ("right", "both", "neither"):
        press(app, choice)
    standing = trials.trial_standing(opened(), desk.labelling, now=desk.now)
    assert (standing.labelled, standing.to_label) == (4, 1)


def test_undo_brings_the_pair_back(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """A slip of the finger is taken back from the store, and the same pair stands there again."""
    app = enter(label=desk.labelling)
    before = said(app)
    press(app, "both")
    assert said(app) != before
    (undo,) = [one for one in app.button if str(one.key).startswith("label-undo-")]
    sound(undo.click().run())

    assert said(app) == before
    assert trials.trial_standing(opened(), desk.labelling, now=desk.now).labelled == 0


def test_after_the_last_pair_there_is_nothing_to_press(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """The page says that nothing waits, and its way back leads to the class."""
    app = enter(label=desk.labelling)
    for _ in range(5):
        press(app, "both")

    assert app.success[0].value.startswith("Nothing waits for a label")
    assert [str(one.key) for one in app.button] == ["label-undo-5"]


def test_a_trial_has_its_price_before_its_button(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """The price on the button is that of the plan that is sent, and what is asked for is what is tried."""
    app = filled(enter(**{"class": desk.class_id}), desk)
    button = app.button(key="trial-start")
    first = app.dataframe[-1].value.to_dict("records")[0]
    assert first["model"] == "claude-opus-4-5"
    assert button.label.startswith("Start: ")
    sound(button.click().run())

    newest = trials.list_trials(opened(), now=desk.now)
    assert len(newest) == 2, "nothing is sent before the dialog is answered"
    sound(app.button(key="trial-confirm").click().run())
    newest = trials.list_trials(opened(), now=desk.now)
    assert (newest[0].state, newest[0].grader["kind"], newest[0].bar.rate) == ("running", "regex", 0.9)
    assert [one.model for one in newest[0].candidates] == ["claude-opus-4-5"]

    app.session_state["trial-stop"] = True
    app.run()
    sound(app.button(key="trial-stop-confirm").click().run())
    assert trials.list_trials(opened(), now=desk.now)[0].state == "stopped"


def test_a_trial_over_the_budget_asks_for_the_amount(
    desk: Desk, enter: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with any other job that goes over: the button is dead until the amount is typed."""
    monkeypatch.setenv("LOTWISE_DAY_BUDGET_USD", "0.0001")
    app = filled(enter(**{"class": desk.class_id}), desk)
    app.button(key="trial-start").click().run()

    assert app.button(key="trial-confirm").disabled
    assert app.text_input(key="trial-amount").label


def test_a_trial_is_drafted_once_and_its_budget_is_looked_at_anew(
    desk: Desk, enter: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While jobs write, the draft stays as long as the same waits; what they spend meanwhile counts at once."""
    drafts = counted(monkeypatch, trials, "preview_trial")
    app = filled(enter(**{"class": desk.class_id}), desk)
    assert not app.warning and len(drafts) == 1
    room = trials.check_trial(opened(), drafts[0], now=desk.now).budgets[1]
    opened().settings = replace(opened().settings, day_budget_usd=room.total_usd)

    wish = TrialAsk(
        class_id=desk.class_id,
        models=("claude-opus-4-5",),
        grader={"kind": "regex", "pattern": "label"},
        bar=Bar(rate=0.9),
        gold=None,
        budget_usd=Decimal(5),
    )
    trials.start_trial(opened(), wish, now=desk.now)
    sound(app.run())
    assert len(drafts) == 1
    assert "budget" in app.warning[0].value


def test_a_move_is_worked_out_once_while_jobs_write(
    desk: Desk, enter: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every waiting request is adapted for it, so it is done again only when something else waits or is proven."""
    moves = counted(monkeypatch, routes, "preview_route")
    app = enter(**{"class": desk.class_id})
    app.session_state["route-apply"] = (desk.class_id, CANDIDATE)
    app.run()
    before = opened().store.version
    opened().store.write(lambda tx: None)
    sound(app.run())

    assert opened().store.version > before
    assert "30 waiting items" in said(app)
    assert len(moves) == 1
    actions.submit(opened(), now=desk.now)
    sound(app.run())
    assert "0 waiting items" in said(app).replace("30 waiting items", "")
    assert len(moves) == 2


def test_bad_input_is_answered_and_never_priced(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """A pattern that is none is said to be none; without models or gold answers there is no button at all."""
    app = filled(enter(**{"class": desk.class_id}), desk, pattern="(")
    assert app.error and not any(one.key == "trial-start" for one in app.button)

    app.selectbox(key="grader-kind").set_value("exact").run()
    sound(app)
    assert "complete the grader" in said(app)
    app.file_uploader(key="grader-gold").upload("gold.csv", b"item_id,gold\n", "text/csv").run()
    assert app.error and not any(one.key == "trial-start" for one in app.button)


def test_the_overview_says_what_is_proven_and_not_used(desk: Desk, enter: Callable[..., AppTest]) -> None:
    """Money that waits for a click is among the next steps."""
    app = enter("overview.py")
    money = formats.money(line(desk).saving_month_usd)

    assert "a lighter model is proven, and not used" in said(app)
    assert f"saves about {money} a month" in said(app)


def test_an_empty_workspace_says_what_to_do(open_app: Open, workspace_dir: Path) -> None:
    """Nothing to route is no blank page."""
    app = sound(open_app(workspace_dir, "routing.py"))
    assert [header.value for header in app.header] == ["No class yet"]


def filled(app: AppTest, desk: Desk, pattern: str = "label") -> AppTest:
    """The form for a trial of another model, graded by a pattern."""
    app.session_state["trial-form"] = True
    app.run()
    app.multiselect(key=f"trial-models-{desk.class_id}").set_value(["claude-opus-4-5"]).run()
    app.selectbox(key="grader-kind").set_value("regex").run()
    return app.text_input(key="grader-pattern").set_value(pattern).run()


def counted(monkeypatch: pytest.MonkeyPatch, room: ModuleType, name: str) -> list[Any]:
    """What a function returned, call by call, from here on."""
    returned: list[Any] = []
    real = getattr(room, name)

    def calling(*given: Any, **named: Any) -> Any:
        returned.append(real(*given, **named))
        return returned[-1]

    monkeypatch.setattr(room, name, calling)
    return returned
