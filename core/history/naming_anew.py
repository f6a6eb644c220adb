"""Naming anew: what the rules make of the imported history, first as a preview, then in the store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from core.history.naming import NamingRules
from core.history.results import name_attempts, number_items, put_classes
from core.history.rules_file import load_rules
from core.store import Store, Transaction

EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class RuleUse:
    """What one rule names: `number` counted from 1, None for the items that no rule fits.

    `examples`: an id and what it is named, for the first few of its classes.
    """

    number: int | None
    pattern: str | None
    items: int
    classes: int
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Naming:
    """What rules make of the imported history: rule by rule, and how many items would be named otherwise than now."""

    items: int
    unmatched_share: float
    changed: int
    rules: tuple[RuleUse, ...]


def preview(store: Store, rules: NamingRules) -> Naming:
    """What the rules would make of everything imported; nothing is stored."""
    named = _named(store, rules)
    uses = {
        row["rule"]: row
        for row in named.group_by("rule")
        .agg(
            items=pl.len(),
            classes=pl.col("class_name").n_unique(),
            examples=pl.format("{} → {}", "custom_id", "class_name")
            .filter(pl.col("class_name").is_first_distinct())
            .head(EXAMPLES),
        )
        .iter_rows(named=True)
    }
    unmatched = uses.get(None, {"items": 0})["items"]
    numbers: list[int | None] = [*range(1, len(rules.rules) + 1), *([None] if unmatched else [])]
    return Naming(
        items=named.height,
        unmatched_share=unmatched / named.height if named.height else 0.0,
        changed=_changed(named).height,
        rules=tuple(_use(number, rules, uses.get(number)) for number in numbers),
    )


def name_anew(store: Store, folder: Path) -> Naming:
    """Name the imported history by the rules in force, in one step; nothing else is touched. Raises `RulesInvalid`.

    Returns what was done, as the preview would have said it.
    """
    rules = load_rules(folder)
    done = preview(store, rules)

    def rename(tx: Transaction) -> None:
        changed = _changed(_named(store, rules))
        if changed.is_empty():
            return
        tx.merge("rename_history", changed.select("batch_id", "custom_id", "class_id", "item_id"))
        put_classes(tx, changed)
        # Whoever left an item, and whoever joined one, is counted again.
        left = changed.select(item_id="old_item_id", named=pl.lit(True))
        number_items(tx, pl.concat([left, changed.select("item_id", named=pl.lit(True))]))
        tx.run("class_history_jobs")
        tx.run("drop_unnamed_classes")

    store.write(rename)
    return done


def _named(store: Store, rules: NamingRules) -> pl.DataFrame:
    return name_attempts(store.query("history_attempts"), rules)


def _changed(named: pl.DataFrame) -> pl.DataFrame:
    return named.filter((pl.col("item_id") != pl.col("old_item_id")) | (pl.col("class_id") != pl.col("old_class_id")))


def _use(number: int | None, rules: NamingRules, row: dict[str, Any] | None) -> RuleUse:
    found = row or {"items": 0, "classes": 0, "examples": []}
    return RuleUse(
        number=number,
        pattern=None if number is None else rules.rules[number - 1].pattern,
        items=found["items"],
        classes=found["classes"],
        examples=tuple(found["examples"]),
    )
