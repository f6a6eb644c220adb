"""SQL files: each statement named once, explained, valid on the real schema, and used."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from core.store.statements import migrations, split, statements, views

TWO = """
Words before the first name are nobody's.
-- name: one
-- The first.
SELECT 1

-- name: two
-- The second,
-- at length.
SELECT 2 -- name: not at the start of a line
"""


@pytest.fixture(scope="module")
def schema() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database with all migrations and views, and one that results are handed over to."""
    with duckdb.connect() as connection:
        for _, _, sql in migrations():
            connection.execute(sql).fetchall()
        for view in views().values():
            connection.execute(view).fetchall()
        connection.execute("ATTACH ':memory:' AS target").fetchall()
        for name in ("make_target_table", "make_target_mark"):
            connection.execute(statements()[name]).fetchall()
        yield connection


def named_in_code(checkout: Path) -> dict[str, set[str]]:
    """Names given to `query`, `run` and `merge` as they stand in the code, and all other strings."""
    called, strings = set(), set()
    for path in sorted([*(checkout / "core").rglob("*.py"), *(checkout / "pages").rglob("*.py"), checkout / "app.py"]):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("query", "run", "merge")
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
            ):
                called.add(node.args[0].value)
    return {"called": called, "strings": strings}


def test_a_file_is_split_at_its_names() -> None:
    """A statement goes from its name to the next one, comment of purpose included."""
    assert split(TWO) == {
        "one": "-- The first.\nSELECT 1",
        "two": "-- The second,\n-- at length.\nSELECT 2 -- name: not at the start of a line",
    }
    assert split("SELECT 1") == {}


def test_a_name_is_given_once_and_explained() -> None:
    """Two statements of one name, or one without a word of purpose, are faults of the file."""
    with pytest.raises(ValueError, match="one is defined twice"):
        split("-- name: one\n-- Why.\nSELECT 1\n-- name: one\n-- Why.\nSELECT 2")
    with pytest.raises(ValueError, match="one does not say"):
        split("-- name: one\nSELECT 1")


def test_a_name_is_given_once_over_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name alone finds the statement, so files may not share one."""
    (tmp_path / "sql").mkdir()
    for name in ("a.sql", "b.sql"):
        (tmp_path / "sql" / name).write_text("-- name: one\n-- Why.\nSELECT 1")
    monkeypatch.setattr("core.store.statements.files", lambda package: tmp_path)
    statements.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"one is defined twice \(b.sql\)"):
            statements()
    finally:
        statements.cache_clear()


@pytest.mark.parametrize("name", sorted(statements()))
def test_every_statement_is_one_statement(name: str) -> None:
    """It parses, and it is alone: a second one would be run unseen."""
    with duckdb.connect() as connection:
        assert len(connection.extract_statements(statements()[name])) == 1


@pytest.mark.parametrize("name", sorted(name for name, sql in statements().items() if "incoming" not in sql))
def test_every_statement_binds_on_the_schema(schema: duckdb.DuckDBPyConnection, name: str) -> None:
    """Tables, columns and types are there as the statement has them."""
    sql = statements()[name]
    if "read_json" in sql or re.search("^(ATTACH|CREATE|MERGE) ", sql, re.MULTILINE):
        pytest.skip("binding this one reads its file, or it cannot be prepared")
    schema.execute(f"PREPARE tried AS {sql}").fetchall()
    schema.execute("DEALLOCATE tried").fetchall()


def test_code_names_only_statements_that_exist(checkout: Path) -> None:
    """A typing error in a name would be found by the user."""
    # `run` is also what asyncio, subprocess and servers are told to do.
    unknown = {name for name in named_in_code(checkout)["called"] if re.fullmatch(r"[a-z_]+", name)} - set(statements())

    assert set() == unknown


def test_every_statement_is_used(checkout: Path) -> None:
    """What nobody runs is not kept."""
    assert set() == set(statements()) - named_in_code(checkout)["strings"]


def test_migrations_are_numbered_without_a_gap() -> None:
    """Their order is their number; the name says what they are for."""
    assert list(range(1, len(migrations()) + 1)) == [number for number, _, _ in migrations()]
    assert all(re.fullmatch("[a-z_]+", name) and sql.strip() for _, name, sql in migrations())
