"""The one workspace of this process, shared by every visitor."""

from pathlib import Path

import streamlit as st

from core.commands.local_api import serve
from core.workspace import Workspace, default_folder


def workspace() -> Workspace:
    """The open workspace, opened and started at the first use.

    Raises `StoreBusy` while another process owns it.
    """
    return _open(default_folder())


def close() -> None:
    """Close the workspace, if one is open, and forget what was read from it."""
    st.cache_resource.clear()


def _release(opened: Workspace) -> None:
    opened.close()


@st.cache_resource(show_spinner=False, on_release=_release)
def _open(folder: Path) -> Workspace:
    opened = Workspace.open(folder)
    try:
        opened.start(serve=serve)
    except BaseException:
        opened.close()
        raise
    return opened
