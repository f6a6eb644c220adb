"""Who is signed in and the way out; for whoever may not come in, the page that says why, and how."""

import streamlit as st
from streamlit.errors import StreamlitAuthError

from core.errors import LotwiseError
from core.roles import Role
from pages import session
from pages.words import literal, say


def refusal() -> LotwiseError | None:
    """Why this visitor is not let in; None for whoever is."""
    try:
        session.visitor()
    except LotwiseError as error:
        return error
    return None


def show(refused: LotwiseError) -> None:
    """All that somebody who is not let in gets to see."""
    st.title(say("app.title"), anchor=False)
    match refused:
        case session.NotSignedIn():
            st.markdown(say("sign_in.body"))
            for provider in session.providers():
                _way_in(provider)
        case session.NoRole():
            st.error(literal(str(refused)), title=say("sign_in.no_role"), icon=":material/no_accounts:")
            st.button(say("sign_in.out"), icon=":material/logout:", key="sign-out", on_click=st.logout)
        case _:
            st.error(literal(str(refused)), title=say("sign_in.unsafe"), icon=":material/lock:")


def account() -> None:
    """Who this is, what they may do, and the way out; nothing where nobody needs to sign in."""
    visitor = session.visitor()
    if visitor.role is Role.VIEWER:
        st.badge(say("sign_in.viewer"), icon=":material/visibility:", color="gray", help=say("sign_in.viewer_help"))
    if session.signs_in():
        with st.popover(literal(visitor.name), icon=":material/account_circle:", key="account"):
            st.markdown(say("sign_in.may_look" if visitor.role is Role.VIEWER else "sign_in.may_all"))
            st.button(say("sign_in.out"), icon=":material/logout:", key="sign-out", on_click=st.logout)


def _way_in(provider: str | None) -> None:
    """One button for each provider of the secrets."""
    label = say("sign_in.with", provider=provider.capitalize()) if provider else say("sign_in.button")
    if st.button(label, type="primary", icon=":material/login:", key=f"sign-in-{provider}"):
        try:
            st.login(provider)
        except StreamlitAuthError as error:
            st.error(literal(str(error)), title=say("sign_in.unsafe"), icon=":material/lock:")
