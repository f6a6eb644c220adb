"""Classes of the stored backlog: found after every import, joined by what comes later, drawn as a tree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.intake.classes import regroup
from core.intake.imports import import_file
from core.prices import PriceBook
from core.store import Store
from tests.strategies import MODELS, Json, line, request

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
GUIDE = "Answer with the number of the paragraph that settles the question, and nothing else. " * 60


@dataclass(frozen=True)
class Shelf:
    """A store with request files imported into it."""

    store: Store
    folder: Path

    def take_in(self, **requests: Json) -> dict[str, str]:
        """Import requests and return the class of every item that waits."""
        path = self.folder / f"{len(self.store.query('imports'))}.jsonl"
        path.write_bytes(b"\n".join(line(name, params) for name, params in requests.items()))
        import_file(self.store, self.folder, path, now=NOW)
        regroup(self.store, self.folder, BOOK, now=NOW)
        return dict(self.store.query("backlog", class_ids=None).select("item_id", "class_id").iter_rows())

    def send(self, items: dict[str, str]) -> None:
        """Let attempts at the items begin."""
        frame = pl.DataFrame({"item_id": items.keys(), "class_id": items.values()}).with_columns(
            pl.lit("job").alias("job_id"),
            ("job-" + pl.col("item_id")).alias("custom_id"),
            pl.lit(MODELS[0]).alias("model"),
            pl.lit([], dtype=pl.List(pl.Int16)).alias("marks"),
            pl.lit(None, dtype=pl.Int64).alias("split_chars"),
            pl.lit(None, dtype=pl.String).alias("entry_id"),
        )
        self.store.write(lambda tx: tx.merge("claim_items", frame))

    def classes(self) -> dict[str, dict[str, Any]]:
        """The classes of what waits, by id."""
        return {row["class_id"]: row for row in self.store.query("backlog", class_ids=None).iter_rows(named=True)}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """An empty one."""
    store = Store.open(tmp_path / "lotwise.duckdb")
    yield Shelf(store, tmp_path)
    store.close()


def asked(question: str, guide: str = GUIDE) -> Json:
    """A guide and a question in one string."""
    return request(f"{guide}\n\nQuestion: {question}")


def test_a_class_may_end_inside_a_text(shelf: Shelf) -> None:
    """Its prefix is known to the character, and described."""
    found = shelf.take_in(**{f"a{n}": asked(f"{n * 7}?") for n in range(5)})

    (stored,) = shelf.classes().values()
    assert set(found.values()) == {stored["class_id"]}
    assert stored["prefix_blocks"] == 0
    # Cut back from the question to the end of the line before it.
    assert stored["cut_chars"] == len(GUIDE) + 2
    assert stored["cut_chars"] == stored["prefix_chars"]
    assert stored["cacheable"]
    assert GUIDE.startswith(stored["preview"][:300])


def test_what_comes_later_joins_the_class_of_what_was_sent(shelf: Shelf) -> None:
    """One new request shares nothing with the others that wait, but belongs to a class all the same."""
    before = shelf.take_in(**{f"a{n}": asked(f"{n * 7}?") for n in range(5)})
    shelf.send(before)
    after = shelf.take_in(late=asked("late?"), other=request("something else"))

    assert after["late"] == before["a0"]
    assert after["other"] != before["a0"]
    assert set(after) == {"late", "other"}


def test_a_class_keeps_its_name_while_its_prefix_is_edited(shelf: Shelf) -> None:
    """Trends go on over prompt versions: most of the text is the same, so it is the same work."""
    before = shelf.take_in(**{f"a{n}": asked(f"{n * 7}?") for n in range(5)})
    shelf.send(before)
    edited = GUIDE[:-200] + "Say 0 where there is none. " * 5
    after = shelf.take_in(**{f"b{n}": asked(f"{n * 9}?", edited) for n in range(5)})

    assert {after[f"b{n}"] for n in range(5)} == {before["a0"]}
    assert shelf.classes()[before["a0"]]["cut_chars"] < len(GUIDE)


def test_the_tree_of_what_waits_is_kept_for_its_picture(shelf: Shelf) -> None:
    """Scopes, what everybody shares, and what each part shares beyond that; sent items are no part of it."""
    pages = {name: f"{GUIDE}\n\nPage {name}: {name * 3_000}\n\nQuestion: " for name in "xy"}
    found = shelf.take_in(**{f"{name}{n}": request(f"{page}{n}?") for name, page in pages.items() for n in range(4)})
    nodes = {row["node_id"]: row for row in shelf.store.query("prefix_nodes").iter_rows(named=True)}

    (scope,) = [node for node in nodes.values() if node["parent_id"] is None]
    shared = [node for node in nodes.values() if node["items"] == 8 and node["level"] == 1]
    leaves = [node for node in nodes.values() if node["class_id"]]
    assert (scope["items"], scope["tokens"], len(shared)) == (8, 0, 1)
    assert {node["class_id"] for node in leaves} == set(found.values())
    assert all(nodes[node["parent_id"]]["tokens"] < node["tokens"] for node in nodes.values() if node["parent_id"])
    assert shared[0]["excerpt"].startswith("Answer with the number")

    shelf.send(found)
    shelf.take_in(**{f"z{n}": request(f"{n}") for n in range(3)})
    assert shelf.store.query("prefix_nodes")["items"].to_list() == [3]


def test_classes_that_begin_alike_are_named_by_where_they_part(shelf: Shelf) -> None:
    """One instruction, many documents: nobody knows twelve classes of one name apart."""
    documents = {name: f"{title} " * 900 for name, title in (("p", "Of prices"), ("q", "Of quality"))}
    shelf.take_in(
        **{
            f"{name}{n}": request(
                [{"type": "text", "text": document}, {"type": "text", "text": f"{n}?"}], system=GUIDE[:400]
            )
            for name, document in documents.items()
            for n in range(5)
        }
    )

    names = {row["class_name"][:9] for row in shelf.classes().values()}
    assert names == {"Of prices", "Of qualit"}
