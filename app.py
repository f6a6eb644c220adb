"""Start Lotwise: `python app.py`, or `streamlit run app.py`."""

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st

LOG = logging.getLogger("lotwise")


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, Any]]:
    """Open the workspace and start its worker before the first visitor; close it after the last."""
    from core.errors import LotwiseError  # noqa: PLC0415  # the runtime must stand before cached functions load
    from pages import imports, job, next_steps, pictures, proposal, session  # noqa: F401, PLC0415

    try:
        session.shared_workspace()
    except LotwiseError as error:
        LOG.error("%s", error)  # every page says it too, and tries again
    gc.collect()
    gc.freeze()  # Streamlit collects garbage after every rerun: what lives for ever need not be looked at
    try:
        yield {}
    finally:
        session.close()


def on_script_error(_: Exception) -> bool:
    """Show a sentence in place of the traceback, which Streamlit has logged by now."""
    from pages.words import say  # noqa: PLC0415

    st.error(say("app.broken"), icon=":material/error:")
    return True


app = st.App(Path(__file__).resolve().parent / "pages" / "main.py", lifespan=lifespan, on_script_error=on_script_error)

if __name__ == "__main__":
    app.run()
