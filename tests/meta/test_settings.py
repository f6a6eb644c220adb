"""Every setting is documented as it is."""

from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: str(setting.name))
def test_the_readme_lists_every_setting_with_its_default_and_help(setting: Field[Any], checkout: Path) -> None:
    """A setting that the README does not name cannot be found; one that it gets wrong misleads."""
    row = f"| `LOTWISE_{setting.name.upper()}` | {setting.default} | {setting.metadata['help']} |"

    assert row in (checkout / "README.md").read_text()
