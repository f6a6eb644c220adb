"""What the command line prints for people: the same documents as `--json`, as a few plain lines and a table."""

import logging
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

Document = dict[str, Any]
_ROWS = 40
_CENT = Decimal("0.01")
_WHOLE_FROM = 10_000
_COLUMNS = {
    "classes": ("items", "class_name", "model", "prefix_tokens", "cacheable"),
    "groups": ("items", "name", "model", "prefix_tokens", "cacheable", "id"),
    "imports": ("source", "lines", "added", "known", "replaced", "rejected", "rejects_file"),
    "jobs": (
        "job_id",
        "role",
        "state",
        "class_name",
        "item_count",
        "usable_items",
        "open_failures",
        "cost_usd",
    ),
    "plan": ("role", "class", "model", "items", "bytes", "send_at", "ready_by", "predicted_cost", "uncached_cost"),
    "reasons": ("line", "custom_id", "reason"),
    "repairs": ("job_id", "items", "repairable", "causes", "predicted_usd", "repair_job_id"),
    "rewritten": ("target", "lines", "changed"),
    "caching": (
        "items",
        "class_name",
        "model",
        "prefix_tokens",
        "lifetime",
        "plain_usd",
        "planned_usd",
        "split_usd",
        "reasons",
    ),
    "history": ("class_name", "model", "jobs", "actual", "predicted", "basis", "strayed"),
    "findings": ("saving_month_usd", "items", "automatic", "model", "path", "character", "title"),
    "sinks": ("kind", "delivered", "waiting", "target", "trouble"),
    "causes": ("cause", "action", "items", "says"),
    "left_out": ("cause", "items", "why"),
    "found": ("standing", "batches", "items", "cost_usd", "unpriced"),
    "rules": ("number", "items", "classes", "examples", "pattern"),
    "on_trial": ("model", "verdict", "labels", "estimate", "lower", "upper", "more_labels", "more_usd", "changes"),
    "would_try": ("model", "items", "usd", "labels_needed", "total_usd", "why_not", "changes"),
    "trials": ("trial_id", "class_name", "models", "verdicts", "state", "rounds", "spent_usd", "budget_usd", "reason"),
    "routes": (
        "class_name",
        "model",
        "state",
        "items_month",
        "usd_month",
        "best_model",
        "saving_month_usd",
        "class_id",
    ),
    "alarms": ("kind", "class_name", "model", "usd_month", "said"),
    "schedules": ("name", "state", "next_due", "rhythm", "need", "confirm", "waits_for"),
    "alternatives": ("week_usd", "mean_wait_hours", "sends_a_week", "items_a_send", "rhythm"),
    "chain": ("number", "job_id", "outcome", "cause", "cost_usd", "submitted_at", "source", "line", "message"),
    "prices": ("model", "first_day", "last_day", "above_tokens", "input", "output", "cache_read", "terms", "source"),
    "contract": ("number", "model", "discount", "prices", "first_day", "last_day", "source", "note"),
    "unpriced": ("why", "model", "attempts", "first_day", "last_day", "said"),
    "bad_counts": ("job_id", "item_id", "model", "said"),
    "entries": ("acted_at", "actor", "role", "how", "action", "outcome", "subject", "sentence"),
    "units": ("class_name", "unit", "kind", "place", "usable_items", "uncounted", "recounting"),
    "levers": ("name", "amount"),
    "next_savings": ("usd_month", "confidence", "effort", "class_name", "said", "key"),
    "promises": (
        *("taken_at", "how", "class_name", "kind", "state", "promised_usd_month", "promised_usd", "realised_usd"),
        *("low_usd", "high_usd"),
    ),
    "moved_classes": ("class_name", "before_usd", "after_usd", "before_units", "after_units"),
    "movements": ("usd_month", "state", "class_name", "kind", "since", "until", "key"),
    "events": ("day", "kind", "class_name", "said"),
    "by_class": ("class_name", "list_cost", "paid", "saved"),
    "explained": ("amount", "tokens", "said"),
    "unexplained": ("amount", "tokens", "said"),
    "flagged": ("usd", "day", "said"),
    "discount": ("model", "kind", "share", "agreed", "agrees", "list_usd", "days"),
    "commitments": ("name", "commit", "expected", "p10", "p90", "saving", "shortfall_chance", "regret"),
    "daily": ("date", "p10", "p50", "p90"),
    "not_taken": ("amount", "known", "name", "class_name", "said"),
}

# Lists of whole sentences: each has a line of its own.
_SENTENCES = frozenset(("notes", "reasons", "changes", "approximations"))
# Money whose name does not end as money does.
_MONEY = frozenset(("amount", "paid", "saved", "list_cost_sent"))
# Moments of which nobody wants the seconds.
_MINUTES = frozenset(("send_at", "ready_by", "deadline", "latest_safe_send", "next_due", "taken_at"))

# Tables that are called alike and show something else.
_TABLES = {
    ("plan", "jobs"): "plan",
    ("cache-plan", "classes"): "caching",
    ("caching", "planned"): "caching",
    ("trial", "candidates"): "on_trial",
    ("explain", "classes"): "moved_classes",
}


# Control characters, which steer a terminal, and the ones that turn text round or hide it; not the end of a line.
_STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def visible(text: str) -> str:
    """Text of unknown origin as a terminal may print it: what would steer it is spelled out, as `\\x1b`."""
    return _STEERING.sub(lambda sign: sign[0].encode("unicode_escape").decode(), text)


class VisibleLog(logging.Formatter):
    """Names of files and words of the API come into the log: nothing in them steers a terminal.

    Here, because the log outlives the modules: what its formatter refers to is not freed at the end of the process.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return visible(super().format(record))


def plain(verb: str, document: Document) -> str:
    """The document as text: simple values as lines, lists of rows as tables; nothing in it steers a terminal."""
    return visible("\n".join(_lines(verb, document)))


def _lines(verb: str, document: Document) -> list[str]:
    lines: list[str] = []
    for name, value in document.items():
        if isinstance(value, dict) and value and all(isinstance(row, dict) for row in value.values()):
            rows = [{name: row.replace("_", " "), **figures} for row, figures in value.items()]
            lines += ["", *_table(rows, tuple(rows[0]))]
        elif isinstance(value, dict):
            lines += _lines(verb, value)
        elif _is_table(value):
            columns = _COLUMNS.get(_TABLES.get((verb, name), name))
            lines += ["", *_table(list(value), columns or tuple(value[0]))] if value else []
            for row in value:
                lines += _lines(verb, {"reasons": row["reasons"]}) if name == "imports" and row.get("reasons") else []
        elif name in _SENTENCES:
            lines += ["", *value]
        elif isinstance(value, str) and "\n" in value:
            lines += [f"{name.replace('_', ' ')}:", *(f"  {line}" for line in value.splitlines())]
        elif value is not None and not isinstance(value, (list, tuple)):
            lines.append(f"{name.replace('_', ' ')}: {_cell(name, value)}")
        elif value:
            lines.append(f"{name.replace('_', ' ')}: {', '.join(str(part) for part in value)}")
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(row, dict) for row in value)


def _table(rows: list[Document], columns: tuple[str, ...]) -> list[str]:
    cells = [tuple(_cell(column, row.get(column)).replace("\n", "\\n") for column in columns) for row in rows[:_ROWS]]
    shown = [columns, *(tuple(visible(cell) for cell in row) for row in cells)]
    widths = [max(len(row[index]) for row in shown) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    return lines if len(rows) <= _ROWS else [*lines, f"… and {len(rows) - _ROWS:,} more; --json shows all"]


def _exact(value: Any) -> str:
    """Ids and names of files, letter for letter."""
    return ", ".join(str(part) for part in value) if isinstance(value, (list, tuple)) else str(value)


def _cell(name: str, value: Any) -> str:
    """A value as its name and its type want it shown."""
    if value is None:
        return "-"
    if name.endswith(("_usd", "_cost")) or name.startswith("usd") or name in _MONEY:
        return _dollars(value)
    if name.endswith("_share"):
        return f"{value:.2%}"
    if name in _MINUTES:
        return f"{datetime.fromisoformat(str(value)):%Y-%m-%d %H:%M}Z"
    if name == "acted_at":
        return f"{datetime.fromisoformat(str(value)):%Y-%m-%d %H:%M:%S}Z"
    return _plainly(value)


def _dollars(value: Any) -> str:
    """Money comes as a number from here, and as text from the process that owns the workspace."""
    dollars = Decimal(value)
    if abs(dollars) >= _CENT or not dollars:
        return f"${dollars:,.4f}"
    # Three figures that count, however small: one token costs millionths.
    return f"${dollars:.{max(6, 2 - dollars.adjusted())}f}"


def _plainly(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(str(part).replace("_", " ") for part in value)
        case dict():
            return "; ".join(f"{key.replace('_', ' ')} {_exact(part)}" for key, part in value.items())
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:,.4g}"
    return str(value)
