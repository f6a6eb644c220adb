"""Texts that are more than text wherever somebody forgets to treat them as such."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from core import actions
from core.settings import Settings
from core.store import Transaction
from core.workspace import Workspace, utc_now

HOST = "evil.example"

NASTY = {
    "script": "<script>document.title='owned'</script>",
    "handler": "<img src=x onerror=\"document.title='owned'\">",
    "image": f"![pixel](https://{HOST}/pixel.png)",
    "html image": f'<img src="https://{HOST}/pixel.png">',
    "link": f"[click me](https://{HOST}/login)",
    "javascript": "[click me](javascript:document.title='owned')",
    "bare address": f"see https://{HOST}/a and www.{HOST} or mail root@{HOST} now",
    "icon": ":material/delete: and :streamlit: and :bomb:",
    "colour": ":red[alarm] :blue-background[calm] :small[print] :rainbow[all]",
    "badge": ":red-badge[PAID]",
    "formula": r"$\href{https://evil.example}{x}$ and $$\frac{1}{0}$$",
    "emphasis": "**bold** _thin_ ~~gone~~ `code` ***all***",
    "heading": "# Heading",
    "list": "- a list",
    "number": "1. a number",
    "quote": "> a quote",
    "rule": "--- \n===",
    "fence": "```\ncode\n```",
    "table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "entity": "&lt;b&gt; &amp; &#x202e;",
    "braces": "{items} {0} {} %s %(x)s",
    "expression": "datum.x + (1+1) && alert('owned')",
    "spreadsheet": '=HYPERLINK("https://evil.example","click")',
    "full-width": "\uff1d1+1",
    "terminal": "\x1b[31mred\x1b[0m \x1b]0;owned\x07 \x9b31m",
    "return": "one\rtwo\ttabbed",
    "override": "abc\u202edcba\u2066x\u2069",
    "nul": "before\x00after",
    "zero width": "a\u200bb\u200dc\ufeffd",
    "long word": "w" * 5_000,
    "combining": "Z\u0351\u0300\u0301" * 60,
}
"""By what they attack; prompts, names and messages may hold any of them."""
MODEL = "claude-haiku-4-5"
FILE = "<b>n:red[x]$a$`b`=1+1.jsonl"


def nasty_requests() -> Iterator[dict[str, Any]]:
    """Classes whose names, prompts and ids are hostile; then lines whose reasons for being rejected quote them."""
    for number, (name, text) in enumerate(NASTY.items()):
        for item in range(2):
            yield {
                "custom_id": f"-{number}__{item}__",
                "params": {
                    "model": MODEL,
                    "max_tokens": 32,
                    "system": f"{text} {name} " + "Read this rule twice, then answer. " * 700,
                    "messages": [{"role": "user", "content": f"{text} {item}"}],
                },
            }
    for text in NASTY.values():
        yield {
            "custom_id": "x",
            "params": {"model": MODEL, "max_tokens": 1, "messages": [{"role": text, "content": "x"}]},
        }


def nasty_workspace(folder: Path) -> list[str]:
    """Fill a workspace: half of the classes sent, with hostile words in every column that others write.

    Returns the addresses of a job with failures and of some classes.
    """
    texts = list(NASTY.values())
    settings = Settings(
        sandbox_time_scale=1e6, sandbox_error_rate=0.5, sandbox_expiry_rate=0.0, day_budget_usd=Decimal(10**6)
    )
    source = folder.parent / FILE
    requests = list(nasty_requests())
    source.write_text("".join(json.dumps(request) + "\n" for request in requests[: len(texts)]))
    with Workspace.open(folder, settings=settings) as workspace:
        actions.import_files(workspace, [source])
        actions.submit(workspace, now=utc_now())
        for _ in range(200):
            if not workspace.worker.tick():
                break
        source.write_text("".join(json.dumps(request) + "\n" for request in requests[len(texts) :]))
        actions.import_files(workspace, [source])
        workspace.store.write(lambda tx: _hurt(tx, texts))
        jobs = workspace.store.query("status_jobs").sort("open_failures", descending=True)["job_id"].head(1)
        ids = workspace.store.query("prefix_nodes")["class_id"].drop_nulls().head(3)
    return [*(f"jobs?job={job}" for job in jobs), *(f"classes?id={class_id}" for class_id in ids)]


def _hurt(tx: Transaction, texts: list[str]) -> None:
    connection: Any = tx._connection
    whole = "\n".join(texts[:-2])
    connection.execute("UPDATE job SET reason = $1, request_id = $1", [whole]).fetchall()
    connection.execute(
        "UPDATE attempt SET message = $1[1 + (hash(item_id) % len($1))::BIGINT],"
        " cause = 'new_' || $1[1 + (hash(item_id) % 20)::BIGINT]"
        " WHERE NOT usable",
        [texts],
    ).fetchall()
    connection.execute("UPDATE import_file SET note = $1", [whole]).fetchall()
