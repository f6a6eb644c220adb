"""The core runs without the user interface, and starts without paying for the Anthropic SDK."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Streamlit belongs to pages; anthropic costs about a second, so the gateway imports it when it first calls.
UNWANTED = ("streamlit", "anthropic")
PROBE = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps(sorted(set(name.partition(".")[0] for name in sys.modules))))
"""
HELP = """
import json, runpy, sys
sys.argv = ["core", "--help"]
try:
    runpy.run_module("core", run_name="__main__", alter_sys=True)
except SystemExit as done:
    assert not done.code, done.code
print(json.dumps(sorted(set(name.partition(".")[0] for name in sys.modules))))
"""


def core_modules(checkout: Path) -> list[str]:
    """Name every module of core; `__main__` runs on import, so it has its own test."""
    modules = []
    for path in sorted((checkout / "core").rglob("*.py")):
        parts = path.relative_to(checkout).with_suffix("").parts
        if parts[-1] != "__main__":
            modules.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return modules


def loaded(checkout: Path, *command: str) -> set[str]:
    """Return the top-level packages that a fresh Python has loaded after running `command`."""
    done = subprocess.run(
        [sys.executable, "-c", *command],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_every_core_module_loads_without_streamlit_and_anthropic(checkout: Path) -> None:
    """Import contracts see statements; this sees what was really loaded, indirect imports included."""
    modules = core_modules(checkout)

    packages = loaded(checkout, PROBE, json.dumps(modules))

    assert "core" in packages
    assert packages.isdisjoint(UNWANTED)


def test_the_command_line_starts_without_streamlit_and_anthropic(checkout: Path) -> None:
    """A cron job calls the command line every minute: its start must stay light."""
    if not (checkout / "core" / "__main__.py").exists():
        pytest.skip("core has no command line yet")

    packages = loaded(checkout, HELP)

    assert packages.isdisjoint(UNWANTED)
