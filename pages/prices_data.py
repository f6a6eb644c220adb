"""The cached read of the Prices page."""

import streamlit as st

from core.actions.prices import Agreed, PriceList, import_prices, price_list
from core.workspace import Workspace
from pages import formats
from pages.session import workspace


def listed() -> PriceList:
    """The price book and what it does not price; read again when the store moves on."""
    opened = workspace()
    return _listed(opened, str(opened.folder), opened.store.version)


def would_import(name: str, content: bytes) -> Agreed:
    """What bringing in a file would do; tried again when the store moves on. Raises as `import_prices`."""
    opened = workspace()
    return _would_import(opened, str(opened.folder), opened.store.version, name, content)


# The arguments after the first make the key: two workspaces, or two states of one, never share an answer.
@st.cache_resource(show_spinner=False, max_entries=4)
def _listed(_workspace: Workspace, folder: str, version: int) -> PriceList:
    return price_list(_workspace)


@st.cache_resource(show_spinner=False, max_entries=4)
def _would_import(_workspace: Workspace, folder: str, version: int, name: str, content: bytes) -> Agreed:
    return import_prices(_workspace, name, content, now=formats.now(), dry_run=True)
