"""What can go wrong with an item or a job, and what can be done about it: the table in `causes.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

RESUBMIT, HOLD, WAIT, EDIT, DECIDE = "resubmit", "hold", "wait", "edit", "decide"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One reason, the action that helps, and a sentence for people; `wait_minutes`: where waiting helps, how long."""

    type: str
    action: str
    says: str
    wait_minutes: int = 0


@dataclass(frozen=True, kw_only=True)
class Causes:
    """All known causes by type; error codes and wordings that name one more exactly than the type does."""

    by_type: dict[str, Cause]
    by_code: dict[str, str]
    by_words: dict[str, str]

    def named(self, *, code: str, message: str) -> Cause | None:
        """The cause that an error's code, or else its wording, names; None where neither says anything."""
        coded = (cause for pattern, cause in self.by_code.items() if _matches(code, pattern))
        worded = (cause for words, cause in self.by_words.items() if words in message.lower())
        found = next(coded, None) or next(worded, None)
        return None if found is None else self.by_type[found]


@cache
def causes() -> Causes:
    """The table of causes."""
    table = tomllib.loads(files("core").joinpath("causes.toml").read_text())
    return Causes(
        by_type={row["type"]: Cause(**row) for row in table["cause"]},
        by_code=table["code"],
        by_words=table["words"],
    )


def explain(cause: str) -> Cause:
    """The cause of this name; an unknown one is for a person to decide."""
    unknown = Cause(type=cause, action=DECIDE, says="Lotwise does not know this error. Look at its message.")
    return causes().by_type.get(cause, unknown)


def _matches(code: str, pattern: str) -> bool:
    """Whether a code is this one, or one of the family that a name with a star stands for."""
    family, star, _ = pattern.partition("*")
    return code.startswith(family) if star else code == pattern
