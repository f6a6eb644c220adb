"""The one workspace of this process, shared by every visitor, and who the visitor is."""

from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from core.commands.local_api import serve
from core.errors import LotwiseError
from core.roles import Actor, Role, Roles, Way, local_user
from core.workspace import Workspace, default_folder

_HERE = {"127.0.0.1", "localhost", "::1"}
COOKIE_SECRET_CHARS = 32
"""Who can guess the secret can sign in as anybody: as many characters as `secrets.token_hex(16)` gives."""
ANYBODY = "anybody"
"""The name in the log of a visitor to a dashboard that is open to others without sign-in."""


class NotSignedIn(LotwiseError):
    """Nobody is signed in here. Reload the page and sign in."""


class NoRole(LotwiseError):
    """This account may not see this workspace. Ask its owner to put your address on the list of roles."""


class SignInUnsafe(LotwiseError):
    """The sign-in is not set up safely, so nobody is let in. Correct the secrets file (docs/sharing.md)."""


def workspace() -> Workspace:
    """The open workspace in the hands of this visitor, opened and started at the first use.

    Raises `StoreBusy` while another process owns it, and what `visitor` raises.
    """
    return shared_workspace().acting(visitor())


def shared_workspace() -> Workspace:
    """The same in the hands of the process itself: for its start, never for a page."""
    return _open(default_folder())


def close() -> None:
    """Close the workspace, if one is open, and forget what was read from it."""
    st.cache_resource.clear()


def visitor() -> Actor:
    """Who is in front of this page, and what they may do.

    With `[auth]` in the secrets, whoever is signed in and has a role there. Without it, the user of this machine as
    long as only this machine is let in; else anybody, who may look and no more unless the owner gives `*` a role.
    Raises `NotSignedIn`, `NoRole`, `SignInUnsafe` or `RolesInvalid`.
    """
    secrets = _secrets()
    roles = Roles.read(_table(secrets, "roles"))
    if signs_in():
        if len(str(_table(secrets, "auth").get("cookie_secret", ""))) < COOKIE_SECRET_CHARS:
            raise SignInUnsafe(cookie_secret=f"fewer than {COOKIE_SECRET_CHARS} characters")
        name = account()
        role = roles.of(name)
        if role is None:
            raise NoRole(account=name)
        return Actor(name=name, role=role, how=Way.BROWSER)
    if only_here():
        return local_user(Way.BROWSER)
    return Actor(name=ANYBODY, role=roles.of(None) or Role.VIEWER, how=Way.BROWSER)


def signs_in() -> bool:
    """Whether visitors must sign in."""
    return "auth" in _secrets()


def providers() -> list[str | None]:
    """Who can be asked to say who somebody is: the unnamed provider of `[auth]`, and each `[auth.NAME]`."""
    auth = _table(_secrets(), "auth")
    unnamed: list[str | None] = [None] if "client_id" in auth else []
    return unnamed + [name for name, value in auth.items() if isinstance(value, dict) and "client_id" in value]


def open_to_others() -> bool:
    """Whether others reach the dashboard, need not sign in, and were given no role as anybody."""
    return not (signs_in() or only_here() or Roles.read(_table(_secrets(), "roles")).of(None))


def account() -> str:
    """The e-mail address of whoever is signed in; one that its provider has not verified is nobody's.

    Raises `NotSignedIn`.
    """
    claims = st.user.to_dict()
    name = claims.get("email")
    if claims.get("is_logged_in") is not True:
        raise NotSignedIn
    if not isinstance(name, str) or not name or claims.get("email_verified", True) is not True:
        raise NoRole(account="one without a verified e-mail address")
    return name


def only_here() -> bool:
    """Whether only this machine can reach the dashboard: its address and every name it answers to are loopback."""
    names: list[str] = st.get_option("server.allowedHosts") or ["*"]
    return st.get_option("server.address") in _HERE and all(name in _HERE for name in names)


# Pages ask dozens of times a run, and looking for a file that is not there takes Streamlit half a millisecond.
@st.cache_resource(show_spinner=False, ttl=1)
def _secrets() -> dict[str, Any]:
    """Streamlit's secrets; empty where there is no file of them. One that cannot be read lets nobody in."""
    try:
        secrets: dict[str, Any] = st.secrets.to_dict()
    except StreamlitSecretNotFoundError as error:
        if any(Path(file).exists() for file in st.get_option("secrets.files")):
            raise SignInUnsafe(secrets="the file cannot be read") from error
        return {}
    return secrets


def _table(secrets: dict[str, Any], name: str) -> dict[str, Any]:
    table = secrets.get(name, {})
    if not isinstance(table, dict):
        raise SignInUnsafe(**{name: "is no table"})
    return table


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
