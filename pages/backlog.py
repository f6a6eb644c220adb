"""Backlog and groups: bring in requests, see the classes of similar work they form, submit the plan."""

from pathlib import Path

import streamlit as st

from core import actions
from core.intake.inbox import inbox_folder
from pages import frame, imports, proposal
from pages.session import workspace
from pages.words import say

frame.title("backlog")
left, right = st.columns(2, gap="medium")
with left, st.form("upload", clear_on_submit=True), frame.refusals():
    files = st.file_uploader(
        say("backlog.upload"),
        type=["jsonl", "gz", "zst"],
        accept_multiple_files=True,
        help=say("backlog.upload_help"),
        key="upload-files",
    )
    if st.form_submit_button(say("backlog.upload_button"), icon=":material/upload_file:"):
        for file in files:
            actions.accept_upload(workspace(), file.name, file)
        if files:
            imports.expect()
            st.success(say("backlog.uploaded", files=len(files)))
        else:
            st.warning(say("backlog.upload_none"))
with right, st.form("path"), frame.refusals():
    path = st.text_input(say("backlog.path"), placeholder=say("backlog.path_placeholder"), key="import-path")
    if st.form_submit_button(say("backlog.path_button"), icon=":material/folder_open:"):
        if path.strip():
            actions.request_import(workspace(), [Path(path.strip()).expanduser()])
            imports.expect()
            st.success(say("backlog.path_taken", path=path.strip()))
        else:
            st.warning(say("backlog.path_none"))
    st.caption(say("backlog.inbox", folder=inbox_folder(workspace().folder)))

imports.show()
proposal.show()
