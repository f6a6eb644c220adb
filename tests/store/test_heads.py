"""Heads that classes share are kept, also of classes that never wait at the same time."""

import json
from datetime import UTC, datetime
from pathlib import Path

from core.intake.classes import regroup
from core.intake.imports import import_file
from core.prices import PriceBook
from core.store import Store
from tests.cells import rows

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
CONTRACT = "The contract says so, and both sides have signed it. " * 300


def import_requests(store: Store, folder: Path, name: str, *texts: str) -> None:
    """Five requests whose system prompt is these texts come in, and are grouped."""
    system = [{"type": "text", "text": text} for text in texts]
    lines = [
        {
            "custom_id": f"{name}-{number}",
            "params": {
                "model": "claude-haiku-4-5",
                "max_tokens": 9,
                "system": system,
                "messages": [{"role": "user", "content": f"Part {number}?"}],
            },
        }
        for number in range(5)
    ]
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    import_file(store, folder, path, now=NOW)
    regroup(store, folder, PriceBook.load(), now=NOW)


def test_two_pipelines_on_one_text_share_its_tokens(tmp_path: Path) -> None:
    """What one sent before the other came in counts as well; a third prompt shares nothing with them."""
    store = Store.open(tmp_path / "lotwise.duckdb")
    import_requests(store, tmp_path, "dates", CONTRACT, "Find every date in it. " * 900)
    # Sent: nothing of it waits any more.
    store.write(lambda tx: tx._connection.execute("UPDATE item SET waits = false").fetchall())
    import_requests(store, tmp_path, "sums", CONTRACT, "Find every amount in it. " * 900)
    import_requests(store, tmp_path, "others", "Something else altogether. " * 900)

    heads = store.query("opportunity_heads").to_dicts()
    of = {row["item_id"].split("-")[0]: row["class_id"] for row in rows(store, "SELECT item_id, class_id FROM item")}
    store.close()

    assert len({head["head_id"] for head in heads}) == 1
    assert {head["class_id"] for head in heads} == {of["dates"], of["sums"]}
    tokens = PriceBook.load().model("claude-haiku-4-5").chars_per_token
    for head in heads:
        assert abs(head["tokens"] - len(CONTRACT) / tokens) < 0.05 * head["tokens"]
