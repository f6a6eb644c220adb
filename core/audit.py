"""The audit log: who did what, and how it went; and the gate that keeps viewers from changing anything."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import orjson

from core.errors import LotwiseError
from core.roles import WORKER, Actor, Role
from core.store import Store, Transaction

P = ParamSpec("P")
T = TypeVar("T")
_FIRST = 20
"""Of a long list of ids or files: an entry names these, and how many more there were."""


class NotAllowed(LotwiseError):
    """You may look at everything here and export it, not change or send anything. Ask an operator to do it."""


class Outcome(StrEnum):
    """How an action went; one that is still only begun met the end of its process."""

    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class InHands(Protocol):
    """What actions are done on: a store, in somebody's hands."""

    @property
    def store(self) -> Store:
        """Where the log is."""

    @property
    def actor(self) -> Actor:
        """Whose hands they are."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the log."""

    number: int
    acted_at: datetime
    actor: str
    role: str
    how: str
    action: str
    subject: dict[str, Any]
    outcome: str
    sentence: str | None


W = TypeVar("W", bound=InHands)
Act = Callable[Concatenate[W, P], T]


def recorded(action: str, *about: str, needs: Role = Role.OPERATOR) -> Callable[[Act[W, P, T]], Act[W, P, T]]:
    """Let a function on a workspace be called by those who may, and write down each call and how it went.

    `about` names what the log keeps: arguments, and attributes of the result (ids and figures, never texts of prompts
    or outputs); an attribute called like an argument is kept as `new_…`. The entry is committed before the function
    runs, so that nothing is done without one. A call with `dry_run=True` changes nothing: anybody may make it, and
    nothing is written. The call raises `NotAllowed`.
    """

    def decorate(act: Act[W, P, T]) -> Act[W, P, T]:
        signature = inspect.signature(act)

        @functools.wraps(act)
        def done(workspace: W, /, *args: P.args, **kwargs: P.kwargs) -> T:
            given = signature.bind(workspace, *args, **kwargs).arguments
            if given.get("dry_run"):
                return act(workspace, *args, **kwargs)
            subject = {name: given[name] for name in about if name in given}
            with_role = workspace.actor.may(needs)
            number = _begin(workspace, action, subject, Outcome.BEGUN if with_role else Outcome.REFUSED)
            if not with_role:
                raise NotAllowed(who=workspace.actor.name, role=workspace.actor.role)
            try:
                result = act(workspace, *args, **kwargs)
            except Exception as error:
                _end(workspace, number, subject, *_failure(error))
                raise
            for name, value in _of_result(result, about).items():
                subject[f"new_{name}" if name in subject else name] = value
            _end(workspace, number, subject, Outcome.DONE, None)
            return result

        return done

    return decorate


def note(tx: Transaction, action: str, *, by: Actor = WORKER, **subject: Any) -> None:
    """Write down, within the transaction that does it, what the worker did by itself or for a schedule."""
    tx.run("audit_begin", action=action, subject=_json(subject), outcome=Outcome.DONE, sentence=None, **_who(by))


def entries(store: Store, *, limit: int, actor: str | None = None) -> tuple[Entry, ...]:
    """The newest `limit` entries, newest first: of everybody, or of one."""
    rows = store.query("audit_listed", actor=actor, actions=[], outcomes=[], since=None, limit=limit)
    found = rows.drop("entries").iter_rows(named=True)
    return tuple(Entry(**row | {"subject": orjson.loads(row["subject"])}) for row in found)


def _begin(workspace: InHands, action: str, subject: Mapping[str, Any], outcome: Outcome) -> int:
    sentence = " ".join((NotAllowed.__doc__ or "").split()) if outcome is Outcome.REFUSED else None
    values = {"action": action, "subject": _json(subject), "outcome": outcome, "sentence": sentence}
    rows = workspace.store.write(lambda tx: tx.run("audit_begin", **values, **_who(workspace.actor)))
    return int(rows[0]["number"])


def _end(workspace: InHands, number: int, subject: Mapping[str, Any], outcome: Outcome, sentence: str | None) -> None:
    values = {"number": number, "subject": _json(subject), "outcome": outcome, "sentence": sentence}
    workspace.store.write(lambda tx: tx.run("audit_end", **values))


def _failure(error: Exception) -> tuple[Outcome, str]:
    """What the log says of an error: the words of a refusal; the kind of a fault, whose text may hold anything."""
    if isinstance(error, LotwiseError):
        return Outcome.REFUSED, error.message
    return Outcome.FAILED, type(error).__name__


def _who(actor: Actor) -> dict[str, str]:
    return {"actor": actor.name, "role": actor.role, "how": actor.how}


def _of_result(result: object, about: tuple[str, ...]) -> dict[str, Any]:
    """The attributes of the result that the log keeps; of a list of results each one's."""
    if isinstance(result, (list, tuple)):
        each = [_of_result(one, about) for one in result]
        return {name: [one[name] for one in each] for name in about if each and name in each[0]}
    return {name: getattr(result, name) for name in about if is_dataclass(result) and hasattr(result, name)}


def _json(subject: Mapping[str, Any]) -> str:
    return orjson.dumps({name: _short(value) for name, value in subject.items()}, default=str).decode()


def _short(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and len(value) > _FIRST:
        return [*value[:_FIRST], f"and {len(value) - _FIRST:,} more"]
    return value
