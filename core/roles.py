"""Who acts, and what they may do: viewers look and export, operators change and spend too."""

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from core.errors import LotwiseError


class RolesInvalid(LotwiseError):
    """The table of roles cannot be read. It has two lists of texts: operators and viewers."""


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"


class Way(StrEnum):
    """How somebody reached the workspace."""

    BROWSER = "browser"
    COMMAND_LINE = "command line"
    WORKER = "worker"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Somebody, or the worker, at work on a workspace."""

    name: str
    role: Role
    how: Way

    def may(self, needed: Role) -> bool:
        """Whether this role is enough: an operator may do all that a viewer may."""
        return self.role is Role.OPERATOR or needed is Role.VIEWER


WORKER = Actor(name="worker", role=Role.OPERATOR, how=Way.WORKER)


def local_user(how: Way = Way.COMMAND_LINE) -> Actor:
    """The user of this machine in whose name the process runs: an operator, since the files are theirs anyway."""
    return Actor(name=user_name(), role=Role.OPERATOR, how=how)


def user_name() -> str:
    """The name of that user; its number where a container has no name for it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


@dataclass(frozen=True)
class Roles:
    """Who may do what: e-mail addresses, whole domains as `@example.com`, or `*` for everybody."""

    operators: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Self:
        """The table as it stands in the secrets. A typing error in it must not open anything: raises `RolesInvalid`."""
        unknown = sorted(set(table) - {"operators", "viewers"})
        if unknown:
            raise RolesInvalid(unknown=", ".join(unknown))
        for name, listed in table.items():
            if not isinstance(listed, list) or not all(isinstance(one, str) and one.strip() for one in listed):
                raise RolesInvalid(list=name)
        return cls(**{name: tuple(_folded(one.strip()) for one in listed) for name, listed in table.items()})

    def of(self, name: str | None) -> Role | None:
        """The role of who has this e-mail address (None: nobody said who it is); None for whom no line names."""
        for role, listed in ((Role.OPERATOR, self.operators), (Role.VIEWER, self.viewers)):
            if any(_names(entry, name) for entry in listed):
                return role
        return None


def _names(entry: str, name: str | None) -> bool:
    if entry == "*" or name is None:
        return entry == "*"
    folded = _folded(name)
    return folded.endswith(entry) if entry.startswith("@") else folded == entry


def _folded(name: str) -> str:
    """Upper and lower case are one, in ASCII only: elsewhere two different letters may have one lower case."""
    return name.lower() if name.isascii() else name
