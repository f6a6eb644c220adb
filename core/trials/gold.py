"""Gold answers of a trial: in a file of the workspace, because the store of a metadata-only one holds no text."""

from collections.abc import Mapping
from pathlib import Path

import orjson

from core.confinement import named


def keep_gold(folder: Path, trial_id: str, gold: Mapping[str, str]) -> None:
    """Keep the gold answers of a trial, by item."""
    path = _path(folder, trial_id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(orjson.dumps(dict(gold)))


def gold_of(folder: Path, trial_id: str) -> dict[str, str]:
    """The gold answers of a trial, by item; none where it has none, or they are no longer kept."""
    try:
        gold: dict[str, str] = orjson.loads(_path(folder, trial_id).read_bytes())
    except FileNotFoundError:
        return {}
    return gold


def has_gold(folder: Path, trial_id: str) -> bool:
    """Whether any gold answers of a trial are kept."""
    return _path(folder, trial_id).exists()


def forget_gold(folder: Path, trial_id: str) -> None:
    """Nobody needs the gold answers of this trial any more."""
    _path(folder, trial_id).unlink(missing_ok=True)


def _path(folder: Path, trial_id: str) -> Path:
    return named(folder / "trials", f"{trial_id}.gold.json")
