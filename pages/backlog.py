"""Backlog and groups: bring in requests, see the classes of similar work they form, submit the plan."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from core import actions
from core.errors import LotwiseError
from core.intake.inbox import inbox_folder
from pages import frame, imports, proposal
from pages.session import workspace
from pages.words import literal, say


def hand_over(form: str, tasks: Sequence[Callable[[], None]]) -> int:
    """Hand files to the worker, each on its own; return how many it took."""
    said: list[str] = []
    for task in tasks:
        try:
            task()
        except LotwiseError as error:
            said.append(str(error))
    st.session_state[f"{form}-refused"] = said
    taken = len(tasks) - len(said)
    if taken:
        imports.expect()
    return taken


def refused(form: str) -> None:
    """What the core refused stays until the form is used again: the page reruns by itself as imports end."""
    for sentence in st.session_state.get(f"{form}-refused", ()):
        st.error(literal(sentence), icon=":material/error:")


frame.title("backlog")
left, right = st.columns(2, gap="medium")
with left, st.form("upload", clear_on_submit=True):
    files = st.file_uploader(
        say("backlog.upload"),
        type=["jsonl", "gz", "zst"],
        accept_multiple_files=True,
        help=say("backlog.upload_help"),
        key="upload-files",
        disabled=not frame.may_change(),
    )
    if frame.action_submit(say("backlog.upload_button"), icon=":material/upload_file:"):
        taken = hand_over("upload", [partial(actions.accept_upload, workspace(), file.name, file) for file in files])
        if taken:
            st.success(say("backlog.uploaded", files=taken))
        elif not files:
            st.warning(say("backlog.upload_none"))
    refused("upload")
with right, st.form("path"):
    path = st.text_input(say("backlog.path"), placeholder=say("backlog.path_placeholder"), key="import-path")
    if frame.action_submit(say("backlog.path_button"), icon=":material/folder_open:"):
        wanted = [Path(path.strip()).expanduser()] if path.strip() else []
        if hand_over("path", [partial(actions.request_import, workspace(), [file]) for file in wanted]):
            st.success(say("backlog.path_taken", path=path.strip()))
        elif not wanted:
            st.warning(say("backlog.path_none"))
    refused("path")
    st.caption(say("backlog.inbox", folder=inbox_folder(workspace().folder)))

imports.show()
proposal.show()
