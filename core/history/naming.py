"""Naming rules: which class an item of a past batch belongs to, told from its custom_id, its model and its batch."""

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl

from core.errors import LotwiseError

MAX_RULES = 100
MAX_TEXT = 100_000
_MAX_PATTERN = 500
_MAX_CLASS = 200
_GIVEN = ("model", "batch")
_ITEM = "item"
_KEYS = {"pattern", "class", *_GIVEN}


class RulesInvalid(LotwiseError):
    """These naming rules cannot be used, so nothing was named by them. Correct what is said and try again."""


@dataclass(frozen=True, kw_only=True)
class NamingRule:
    """One rule: patterns to be found in custom_id, model and batch (None = any), and the template of the name."""

    pattern: str
    class_name: str
    model: str | None
    batch: str | None

    @classmethod
    def parse(cls, number: int, table: Mapping[str, Any]) -> "NamingRule":
        """The rule in one table of the file. Raises `RulesInvalid` with its number and what is wrong."""
        for key, value in table.items():
            if key not in _KEYS:
                raise _wrong(number, f"there is no {key!r}; a rule has pattern, class, model and batch")
            if not isinstance(value, str):
                raise _wrong(number, f"{key} is not a text")
        for key in ("pattern", "class"):
            if not table.get(key):
                raise _wrong(number, f"it has no {key}")
        for key in ("pattern", *_GIVEN):
            _check_pattern(number, key, table.get(key))
        rule = cls(
            pattern=table["pattern"], class_name=table["class"], model=table.get("model"), batch=table.get("batch")
        )
        _check_template(number, rule)
        return rule

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of the pattern that bear a name."""
        kind = pl.Series([""], dtype=pl.String).str.extract_groups(self.pattern).dtype
        names = [field.name for field in kind.fields] if isinstance(kind, pl.Struct) else []
        return tuple(name for name in names if not name.isdecimal())

    def named(self, number: int) -> pl.Expr:
        """A struct of rule, class_name and named_item; null where the rule does not fit.

        Columns read: custom_id, model, batch_id.
        """
        groups = pl.col("custom_id").str.extract_groups(self.pattern).struct
        values = {name: groups.field(name).fill_null("") for name in self.groups}
        values |= {"model": pl.col("model"), "batch": pl.col("batch_id")}
        name = _filled(self.class_name, values)
        fits = pl.col("custom_id").str.contains(self.pattern) & (name != "")
        for column, pattern in (("model", self.model), ("batch_id", self.batch)):
            if pattern is not None:
                fits &= pl.col(column).str.contains(pattern)
        item = values.get(_ITEM, pl.lit(""))
        return pl.when(fits).then(
            pl.struct(
                rule=pl.lit(number, pl.Int64),
                class_name=name,
                named_item=pl.when(item != "").then(item),
            )
        )


@dataclass(frozen=True, kw_only=True)
class NamingRules:
    """Rules in their order; the first that fits names an item."""

    rules: tuple[NamingRule, ...]

    @classmethod
    def parse(cls, text: str) -> "NamingRules":
        """The rules of a TOML text. Raises `RulesInvalid`."""
        if len(text) > MAX_TEXT:
            raise RulesInvalid(characters=len(text), most=MAX_TEXT)
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RulesInvalid(why=f"this is no TOML: {error}") from error
        rows = table.pop("rule", [])
        if table or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RulesInvalid(why="only [[rule]] tables belong into this file")
        if len(rows) > MAX_RULES:
            raise RulesInvalid(rules=len(rows), most=MAX_RULES)
        return cls(rules=tuple(NamingRule.parse(number, row) for number, row in enumerate(rows, 1)))

    def name(self, items: pl.DataFrame) -> pl.DataFrame:
        """Add `rule` (counted from 1, null where none fits), `class_name`, `item_id`, and `named`: by a group `item`.

        Columns read: custom_id, model, batch_id. An id made here holds a slash, which no custom_id can ("Batch
        processing": letters, digits, - and _), so that it never meets the id of an imported item.
        """
        nothing = pl.lit(None, pl.Struct({"rule": pl.Int64, "class_name": pl.String, "named_item": pl.String}))
        found = pl.coalesce([rule.named(number) for number, rule in enumerate(self.rules, 1)] + [nothing])
        return (
            items.with_columns(found.alias("found"))
            .unnest("found")
            .with_columns(pl.col("class_name").fill_null(pl.col("model")))
            .with_columns(named=pl.col("named_item").is_not_null())
            .with_columns(
                item_id=pl.when("named")
                .then(pl.concat_str("class_name", pl.lit("/"), "named_item"))
                .otherwise(pl.concat_str("batch_id", pl.lit("/"), "custom_id"))
            )
            .drop("named_item")
        )


@cache
def default_text() -> str:
    """The rules that every workspace begins with, as the text of their file."""
    return files("core.history").joinpath("naming.toml").read_text("utf-8")


def _wrong(number: int, why: str) -> RulesInvalid:
    return RulesInvalid(rule=number, why=why)


def _check_pattern(number: int, key: str, pattern: str | None) -> None:
    """Polars' engine is linear in time and refuses what would compile to more than 10 MB, so no pattern can hang it."""
    if pattern is None:
        return
    if len(pattern) > _MAX_PATTERN:
        raise _wrong(number, f"its {key} is longer than {_MAX_PATTERN} characters")
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.ComputeError as error:
        said = str(error).split("This error occurred")[0].removeprefix("regex error: ")
        raise _wrong(number, f"its {key} is no regular expression: {' '.join(said.split())}") from error


def _check_template(number: int, rule: NamingRule) -> None:
    if len(rule.class_name) > _MAX_CLASS or not rule.class_name.isprintable():
        raise _wrong(number, f"its class is not a line of at most {_MAX_CLASS} characters")
    groups = rule.groups
    if taken := [name for name in groups if name in _GIVEN]:
        raise _wrong(number, f"its pattern has a group {taken[0]!r}, which always means the {taken[0]}")
    known = (*groups, *_GIVEN)
    try:
        parts = list(string.Formatter().parse(rule.class_name))
    except ValueError as error:
        raise _wrong(number, f"its class has a brace too many or too few: {error}") from error
    for _, name, form, conversion in parts:
        if name is not None and (name not in known or form or conversion):
            there = ", ".join(f"{{{each}}}" for each in known)
            raise _wrong(number, f"its class names {{{name}}}, but there is only {there}")


def _filled(template: str, values: Mapping[str, pl.Expr]) -> pl.Expr:
    """The template as an expression."""
    parts: list[pl.Expr] = []
    for text, name, _, _ in string.Formatter().parse(template):
        parts += [pl.lit(text)] if text else []
        parts += [values[name]] if name is not None else []
    return pl.concat_str(parts).str.strip_chars()
