"""Moving a class to another model: the button, the dialog that says what it does, and the way back."""

import streamlit as st

from core.actions import routes
from core.actions.routes import RouteDone
from core.actions.tiers import ClassTiers
from core.trials.class_routes import ClassRoute
from core.trials.watch import Watch
from pages import formats, frame, routes_data
from pages.session import workspace
from pages.words import literal, say

_APPLY, _WITHDRAW, _DONE = "route-apply", "route-withdraw", "route-done"


def done() -> None:
    """What was just moved."""
    if moved := st.session_state.pop(_DONE, None):
        st.success(moved, icon=":material/check_circle:")


def offer(line: ClassRoute, found: ClassTiers) -> None:
    """The model to move to, the recommended one first, and its button; for a routed class the way back."""
    names = {one.model: one.name for one in found.costs if one.model not in (line.model, line.routed_from)}
    choice = found.choice
    best = choice.model if choice and choice.cascade is None and choice.model in names else line.best_model
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = st.selectbox(
            say("route.model"),
            list(names),
            index=list(names).index(best) if best in names else None,
            format_func=lambda model: names[model],
            placeholder=say("route.choose"),
            key=f"route-model-{line.class_id}",
            width=280,
        )
        certified = model is not None and found.standing(model) == "clears"
        frame.action_button(
            say("route.apply"),
            type="primary" if certified else "secondary",
            icon=":material/alt_route:",
            key="route-apply-button",
            disabled=model is None,
            on_click=_ask,
            args=(_APPLY, (line.class_id, model)),
        )
        if line.routed_from:
            frame.action_button(
                say("route.withdraw", model=line.routed_from),
                icon=":material/undo:",
                key="route-withdraw-button",
                on_click=_ask,
                args=(_WITHDRAW, line.class_id),
            )
    if asked := st.session_state.get(_APPLY):
        _confirm_apply(*asked)
    elif away := st.session_state.get(_WITHDRAW):
        _confirm_withdraw(away)


def watched(line: ClassRoute) -> None:
    """What the answers say since the switch."""
    found = routes_data.watch(line.class_id)
    if found is None:
        return
    if found.alarm:
        st.error(f"{literal(found.alarm)} {watch_said(found)}", icon=":material/notification_important:")
    else:
        st.caption(watch_said(found))
    if found.trouble:
        st.warning(say("watch.trouble", why=found.trouble), icon=":material/warning:")


def watch_said(found: Watch) -> str:
    """What was looked at, what that says, and what is left to be told by people; as Markdown."""
    said = [_labels_said(found)]
    if not found.bar:
        said.append(say("watch.uncertified"))
    elif found.tally.labels and not found.alarm:
        said.append(say("watch.well"))
    if found.ungraded:
        said.append(say("watch.ungraded", answers=formats.count(found.ungraded)))
    if found.to_label and found.bar:
        said.append(say("watch.by_people", id=found.route.class_id))
    return " ".join(said)


def _labels_said(found: Watch) -> str:
    """What was told right from wrong since the switch, or by a former model that was asked again."""
    tally = {"correct": formats.count(found.tally.correct), "labels": formats.count(found.tally.labels)}
    if found.recheck:
        former = found.route.from_model
        if not found.tally.labels:
            return say("watch.not_asked", model=former, id=found.route.class_id)
        return say("watch.agree", model=former, **tally)
    if not found.tally.labels:
        return say("watch.none", drawn=formats.count(found.drawn))
    return say("watch.share", waits=formats.count(found.to_label), **tally)


def _ask(what: str, value: object) -> None:
    st.session_state[what] = value


def _keep() -> None:
    for what in (_APPLY, _WITHDRAW):
        st.session_state.pop(what, None)


@st.dialog(say("route.apply_title"), on_dismiss=_keep)
def _confirm_apply(class_id: str, model: str) -> None:
    with frame.refusals():
        made = routes_data.move(class_id, model)
        st.markdown(say("route.moves", **_named(made)))
        _price(made)
        for change in made.changes:
            st.markdown(say("routing.change", parameter=change.parameter, said=change.said))
        st.caption(say("route.reversible"))
        sure = made.certified
        if not sure:
            st.warning(say("route.uncertified"), icon=":material/warning:")
            sure = st.checkbox(say("route.anyway"), key="route-anyway")
        with st.container(horizontal=True, horizontal_alignment="right"):
            if st.button(say("route.not_now"), key="route-keep"):
                _keep()
                st.rerun()
            if frame.action_button(say("route.apply"), type="primary", disabled=not sure, key="route-confirm"):
                routes.apply_route(workspace(), class_id, model, now=formats.now(), uncertified=not made.certified)
                _moved(made)


@st.dialog(say("route.withdraw_title"), on_dismiss=_keep)
def _confirm_withdraw(class_id: str) -> None:
    with frame.refusals():
        made = routes_data.way_back(class_id)
        st.markdown(say("route.moves_back", **_named(made)))
        _price(made)
        if made.called_off:
            st.markdown(say("route.called_off", items=formats.count(made.called_off)))
        st.caption(say("route.stays"))
        with st.container(horizontal=True, horizontal_alignment="right"):
            if st.button(say("route.not_now"), key="route-keep"):
                _keep()
                st.rerun()
            if frame.action_button(say("route.withdraw_confirm"), type="primary", key="route-withdraw-confirm"):
                routes.withdraw_route(workspace(), class_id, now=formats.now())
                _moved(made)


def _named(made: RouteDone) -> dict[str, str]:
    return {
        "items": formats.count(made.items),
        "name": made.class_name,
        "to": made.to_model,
        "before": made.from_model,
    }


def _price(made: RouteDone) -> None:
    """What moves is expected to cost before and after."""
    if made.usd_before is not None and made.usd_after is not None:
        before, after = formats.money(made.usd_before), formats.money(made.usd_after)
        st.markdown(say("route.price", before=before, after=after))
    if made.dearer:
        st.warning(say("route.dearer", to=made.to_model), icon=":material/trending_up:")


def _moved(made: RouteDone) -> None:
    st.session_state[_DONE] = say("route.done", name=made.class_name, to=made.to_model)
    _keep()
    st.rerun()
