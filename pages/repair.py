"""What a person can do about failures: send them again, cause by cause, or set them aside; and release a held job."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core import actions
from core.causes import EDIT
from core.errors import LotwiseError
from core.jobs.failures import CauseCount
from core.jobs.repair import Repair
from core.jobs.slices import Slice
from core.jobs.states import JobState
from pages import confirm, data, formats, frame
from pages.session import workspace
from pages.words import literal, plain, say, term

_DONE = "repair-done"
_REFUSED = "repair-refused"
_ASIDE = "set-aside-causes"


def show(job: dict[str, Any]) -> None:
    """Say of every cause what helps, and what sending the chosen ones would do; do it on the button."""
    job_id = job["job_id"]
    _news(job_id)
    if job["open_failures"]:
        with st.container(border=True, key="repair-box"), frame.refusals():
            st.markdown(f"**{say('job.repair')}**")
            preview = data.failed_slice(job_id)
            if preview.suspicion:
                st.warning(literal(preview.suspicion), icon=":material/domain_disabled:")
            chosen = _choose(preview)
            if preview.repaired_by:
                link(preview.repaired_by, say("job.repaired_by", job=preview.repaired_by))
            _send(data.failed_slice(job_id, chosen), chosen)
    if job["set_aside_items"]:
        _resting(job_id)


def _news(job_id: str) -> None:
    """What came of the last click."""
    done: tuple[str, Repair] | None = st.session_state.get(_DONE)
    refused: tuple[str, str] | None = st.session_state.pop(_REFUSED, None)
    if refused and refused[0] == job_id:
        st.error(literal(refused[1]), icon=":material/error:")
    if done and done[0] == job_id:
        made = done[1]
        said = "job.repaired" if made.created else "job.already"
        st.success(say(said, items=formats.count(made.items), job=made.job_id), icon=":material/healing:")
        link(made.job_id, say("job.repair_link", job=made.job_id))


def _choose(preview: Slice) -> tuple[str, ...]:
    """A box for every cause, ticked where it passes by itself; the causes that are ticked then."""
    ticked = []
    for cause in preview.causes:
        with st.container(gap="xxsmall"):
            if st.checkbox(
                say("job.repair_cause", items=formats.count(cause.items), cause=term("cause", cause.cause)),
                value=cause.goes(None, formats.now()),
                disabled=cause.action == EDIT or not cause.kept,
                key=f"cause-{preview.job_id}-{cause.cause}",
            ):
                ticked.append(cause.cause)
            st.caption(_helps(cause))
    return tuple(ticked)


def _helps(cause: CauseCount) -> str:
    """What happened, and what can be done about it."""
    words = [literal(cause.says)]
    if cause.action != EDIT and cause.kept < cause.items:
        words.append(say("job.repair_gone", items=formats.count(cause.items - cause.kept)))
    if cause.waits_until and cause.waits_until > formats.now():
        words.append(say("job.repair_wait", until=formats.moment(cause.waits_until)))
    elif cause.kept or cause.action == EDIT:
        words.append(term("helps", cause.action))
    return " ".join(words)


def _send(preview: Slice, chosen: tuple[str, ...]) -> None:
    """The sentence that says it all, and the button that does it."""
    job_id = preview.job_id
    st.markdown(literal(preview.says) if chosen else say("job.repair_none"))
    typed: str | None = None
    label = say("job.repair_button_off")
    if preview.repairable:
        price, items = formats.money(preview.predicted_usd), formats.count(preview.repairable)
        label = say("job.repair_button", items=items, dollars=price)
        typed = confirm.typed(data.repair_check(preview), key=f"repair-amount-{job_id}")
    with st.container(horizontal=True):
        frame.action_button(
            label,
            type="primary",
            icon=":material/healing:",
            key="repair",
            disabled=typed is None,
            on_click=_try,
            args=(job_id, _repair, job_id, chosen, typed),
        )
        with st.popover(say("job.set_aside"), icon=":material/inventory_2:"):
            _set_aside_box(preview)


def _set_aside_box(preview: Slice) -> None:
    st.markdown(say("job.set_aside_body"))
    items = {cause.cause: cause.items for cause in preview.causes}
    causes = st.multiselect(
        say("job.set_aside_which"),
        list(items),
        format_func=lambda name: plain("job.repair_cause", items=formats.count(items[name]), cause=term("cause", name)),
        placeholder=say("job.set_aside_choose"),
        key=_ASIDE,
    )
    frame.action_button(
        say("job.set_aside_button", items=formats.count(sum(items[name] for name in causes))),
        key="set-aside",
        disabled=not causes,
        on_click=_try,
        args=(preview.job_id, _set_aside, preview.job_id, causes),
    )


def _resting(job_id: str) -> None:
    """What was given up, by whom and when, and the way back."""
    with st.container(border=True, key="aside-box"):
        st.markdown(f"**{say('job.aside')}**")
        for row in data.read("set_aside_causes", job_id=job_id).iter_rows(named=True):
            words = say(
                "job.aside_line",
                items=formats.count(row["items"]),
                cause=term("cause", row["cause"]),
                by=row["set_aside_by"],
                at=formats.moment(row["set_aside_at"]),
            )
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(words)
                frame.action_button(
                    say("job.aside_undo"),
                    icon=":material/undo:",
                    key=f"take-back-{row['cause']}",
                    on_click=_try,
                    args=(job_id, _take_back, job_id, row["cause"]),
                )


def _try(job_id: str, act: Callable[..., None], *args: Any) -> None:
    """Do what was clicked; what the core refuses is said when the page is drawn again."""
    st.session_state.pop(_DONE, None)
    try:
        act(*args)
    except LotwiseError as error:
        st.session_state[_REFUSED] = (job_id, str(error))


def _repair(job_id: str, causes: tuple[str, ...], typed: str | None) -> None:
    made = actions.repair(workspace(), job_id, now=formats.now(), causes=causes, confirmed=typed)
    st.session_state[_DONE] = (job_id, made)


def _set_aside(job_id: str, causes: list[str]) -> None:
    actions.set_aside(workspace(), job_id, causes, now=formats.now())


def _take_back(job_id: str, cause: str) -> None:
    actions.take_back(workspace(), job_id, [cause])


def _release(job_id: str) -> None:
    actions.release(workspace(), job_id, now=formats.now())


def release_button(job: dict[str, Any]) -> None:
    """Offer to send a held job after all."""
    if job["state"] == JobState.HELD:
        frame.action_button(
            say("job.release"),
            icon=":material/play_arrow:",
            key="release",
            on_click=_try,
            args=(job["job_id"], _release, job["job_id"]),
        )


def link(job_id: str, label: str) -> None:
    """A link to another job."""
    st.page_link("jobs.py", label=label, icon=":material/arrow_forward:", query_params={"job": job_id})
