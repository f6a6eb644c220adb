"""SQL in `.sql` files: named statements, each with a line that says what it is for."""

import re
from functools import cache
from importlib.resources import files

_HEADER = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def split(text: str) -> dict[str, str]:
    """Split the text of a `.sql` file into its statements by name.

    A statement starts at a line `-- name: NAME` and ends at the next one. Raises `ValueError` where a name is
    used twice or the line under it is not a comment of purpose.
    """
    parts = _HEADER.split(text)[1:]
    statements: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in statements:
            raise ValueError(f"statement {name} is defined twice")
        if not body.lstrip("\n").startswith("-- "):
            raise ValueError(f"statement {name} does not say what it is for")
        statements[name] = body.strip()
    return statements


@cache
def statements() -> dict[str, str]:
    """Every named statement of `core/store/sql/`, by name."""
    found: dict[str, str] = {}
    for file in sorted(files("core.store").joinpath("sql").iterdir(), key=lambda entry: entry.name):
        for name, body in split(file.read_text()).items():
            if name in found:
                raise ValueError(f"statement {name} is defined twice ({file.name})")
            found[name] = body
    return found


@cache
def views() -> dict[str, str]:
    """The shared definitions of `core/store/views.sql`, in the order in which they build on each other."""
    return split(files("core.store").joinpath("views.sql").read_text())


@cache
def migrations() -> tuple[tuple[int, str, str], ...]:
    """The numbered migrations as (number, name, SQL), in order."""
    found = []
    for file in files("core.store").joinpath("migrations").iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        found.append((int(number), name, file.read_text()))
    return tuple(sorted(found))
