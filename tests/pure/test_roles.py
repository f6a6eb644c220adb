"""Roles: who may do what, read from a table that a typing error must not open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.roles import Actor, Role, Roles, RolesInvalid, Way, local_user

TABLE = {"operators": ["Ann@Example.com", "@ops.example.com"], "viewers": ["@example.com", "bob@example.org"]}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("ann@example.com", Role.OPERATOR),
        ("ANN@EXAMPLE.COM", Role.OPERATOR),
        ("eve@ops.example.com", Role.OPERATOR),
        ("carl@example.com", Role.VIEWER),
        ("bob@example.org", Role.VIEWER),
        ("carl@example.org", None),
        ("carl@notexample.com", None),
        ("carl@example.com.evil.net", None),
        ("example.com", None),
        ("", None),
        (None, None),
    ],
)
def test_a_role_is_the_one_of_the_first_list_that_names_somebody(name: str | None, role: Role | None) -> None:
    """Operators come first; an address, or a whole domain; whom no line names has no role at all."""
    assert Roles.read(TABLE).of(name) == role


def test_a_star_means_everybody_even_without_a_name() -> None:
    """Only the owner can say that nobody need sign in, and says it in so many words."""
    assert Roles.read({"viewers": ["*"]}).of(None) is Role.VIEWER
    assert Roles.read({"operators": ["*"]}).of("who@ever.net") is Role.OPERATOR
    assert Roles.read({}).of("who@ever.net") is None


@given(st.text(max_size=30).filter(lambda text: not text.isascii()))
def test_letters_of_other_alphabets_are_nobody_else(name: str) -> None:
    """The Kelvin sign has k for its lower case: an address with it is another one."""
    assert Roles.read({"operators": ["kim@example.com"]}).of(name) is None
    assert Roles.read({"operators": ["kim@example.com"]}).of("\u212aim@example.com") is None


@pytest.mark.parametrize(
    "table",
    [
        {"operator": ["a@b.c"]},
        {"operators": "a@b.c"},
        {"viewers": [1]},
        {"viewers": [" "]},
        {"viewers": {"a@b.c": True}},
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(table: dict[str, object]) -> None:
    """A slip in the table shuts everybody out with a sentence, instead of letting somebody in."""
    with pytest.raises(RolesInvalid):
        Roles.read(table)


def test_an_operator_may_all_that_a_viewer_may() -> None:
    """Two steps, one above the other."""
    operator, viewer = (Actor(name="a", role=role, how=Way.BROWSER) for role in (Role.OPERATOR, Role.VIEWER))

    assert operator.may(Role.OPERATOR) and operator.may(Role.VIEWER) and viewer.may(Role.VIEWER)
    assert not viewer.may(Role.OPERATOR)


def test_the_user_of_the_machine_has_a_name_even_in_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number without a name in the passwd file is still somebody."""
    assert local_user().name and local_user().role is Role.OPERATOR
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)

    assert local_user().name == "uid 4000000"
