"""The naming rules of a workspace: `naming.toml` in its folder, edited there or in the browser."""

from pathlib import Path

from core.errors import LotwiseError
from core.history.naming import NamingRules, RulesInvalid, default_text


class RulesChanged(LotwiseError):
    """Somebody else changed these rules meanwhile, so nothing was saved. Copy yours, take theirs, and change those."""


def rules_path(folder: Path) -> Path:
    """Where the rules of a workspace lie."""
    return folder / "naming.toml"


def rules_text(folder: Path) -> str:
    """The rules as text; the documented defaults are put there at the first look. Raises `RulesInvalid`."""
    path = rules_path(folder)
    if not path.exists():
        _write(path, default_text())
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RulesInvalid(file=path.name, why=f"it is no UTF-8 text: {error.reason}") from error


def load_rules(folder: Path) -> NamingRules:
    """The rules in force. Raises `RulesInvalid`."""
    return NamingRules.parse(rules_text(folder))


def save_rules(folder: Path, text: str, *, instead_of: str) -> None:
    """Put rules into force in the place of those that were read before.

    Raises `RulesInvalid`, or `RulesChanged` where others are there by now; then what is there stays.
    """
    NamingRules.parse(text)
    if rules_text(folder) != instead_of:
        raise RulesChanged
    _write(rules_path(folder), text)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, "utf-8")
    part.replace(path)
