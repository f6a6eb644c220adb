"""What the tests of the project itself read: the files that belong to it."""

import subprocess
from pathlib import Path

import pytest

# Only for a copy without git: what .gitignore would leave out.
FOREIGN = {".git", ".venv", ".lotwise", "__pycache__", "test-results", "htmlcov"}


@pytest.fixture(scope="session")
def project_files(checkout: Path) -> list[Path]:
    """List the project's files relative to its top: tracked ones, and new ones that git would not ignore."""
    if (checkout / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=checkout,
            capture_output=True,
            check=True,
        )
        names = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    else:
        found = (path.relative_to(checkout) for path in checkout.rglob("*"))
        names = [path for path in found if FOREIGN.isdisjoint(path.parts) and not path.parts[0].endswith("_cache")]
    return sorted(path for path in set(names) if (checkout / path).is_file())
