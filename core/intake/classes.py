"""Classes of the stored backlog: grouped anew after every import, described by one of their items."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import polars as pl

from core.grouping.borders import find_borders, open_texts, with_borders
from core.grouping.classes import Classes, class_id, find_classes, floor_chars
from core.grouping.heads import shared_heads
from core.grouping.landmarks import Agreement, Landmarks, agreement
from core.grouping.prefix_tree import Chains, Ints, Ints32, PrefixTree, grow
from core.intake.class_tokens import count_texts, keep_counts
from core.intake.payloads import PayloadReader
from core.prices import PriceBook
from core.requests.blocks import text_at
from core.requests.passages import first_text, passages, shortened
from core.requests.request import Params, parse_params
from core.store import Store, Transaction
from core.tokens.counting import prefix_tokens

_PREVIEW_CHARS = 400
_NAME_CHARS = 60
_EXCERPT_CHARS = 120
# Nodes of the tree that are kept for its picture: the ones that most items share.
_KEPT_NODES = 2_000


def regroup(store: Store, folder: Path, book: PriceBook, *, now: datetime) -> None:
    """Find the classes of all items never attempted and store them; items already sent keep theirs.

    Some sent items of every class are looked at again, so that what comes in later joins the class that it
    belongs to, and a class keeps its name while its prefix is edited. The texts of classes with a new prefix or
    new items are counted last, so that no plan needs to read any.
    """
    items = store.query("backlog_chains")
    if not items["class_id"].has_nulls():
        return
    with PayloadReader(folder) as reader:
        kept = _Kept(items, reader)
        waiting = kept.waiting
        chains = chains_of(items)
        if (texts := open_texts(chains, items["heads"].explode().to_numpy())) is not None:
            chains = with_borders(chains, find_borders(texts, kept))
        floors = items["model"].replace_strict(
            {model: floor_chars(book, model) for model in items["model"].unique()}, return_dtype=pl.Int64
        )
        tree = grow(chains)
        found = find_classes(chains, tree, floors.to_numpy())
        names = _names(found, items["class_id"])
        classes = _told_apart(_class_rows(found, names, kept, book, now), found, names, tree, kept)
        nodes = _node_rows(grow(chains.of(waiting)), dict(zip(found.keys.tolist(), names, strict=True)), kept)
    assigned = pl.DataFrame(
        {
            "item_id": items["item_id"].gather(waiting),
            "class_id": pl.Series(names, dtype=pl.String).gather(found.class_of[waiting]),
        }
    )
    heads = _head_rows(found, names, tree, floors.to_numpy())
    store.write(partial(_keep, classes, assigned, nodes, heads))
    store.write(partial(keep_counts, count_texts(store, folder)))


def _keep(
    classes: pl.DataFrame, assigned: pl.DataFrame, nodes: pl.DataFrame, heads: pl.DataFrame, tx: Transaction
) -> None:
    tx.merge("put_classes", classes)
    tx.merge("set_classes", assigned)
    tx.run("forget_prefix_nodes")
    tx.merge("add_prefix_nodes", nodes)
    tx.merge("forget_heads", heads)
    tx.merge("add_heads", heads)


def chains_of(items: pl.DataFrame) -> Chains:
    """The chains of items given as a frame with the list columns `chain` and `depths`."""
    return Chains(
        hashes=items["chain"].explode().to_numpy(),
        depths=items["depths"].explode().to_numpy(),
        ends=items["chain"].list.len().cast(pl.Int64).cum_sum().to_numpy(),
    )


@dataclass(frozen=True)
class _Kept:
    """The kept parameters of items, by their position (a `TextSource`)."""

    items: pl.DataFrame
    reader: PayloadReader

    @cached_property
    def waiting(self) -> Ints:
        """The positions of items never attempted; the others only tell who belongs to their class."""
        return np.flatnonzero(self.items["class_id"].is_null().to_numpy())

    def params(self, item: int) -> Params:
        """The parameters of one item."""
        row = self.items.row(item, named=True)
        return parse_params(self.reader.read(row["import_id"], row["payload_offset"], row["payload_bytes"]))

    def read(self, items: Ints32, blocks: Ints32) -> Iterator[bytes]:
        """The texts of these blocks."""
        for item, block in zip(items.tolist(), blocks.tolist(), strict=True):
            yield text_at(self.params(item), block)

    def compare(self, items: Ints32, blocks: Ints32, groups: Ints32, landmarks: list[Landmarks]) -> Agreement:
        """Compare each text with the landmarks of its group."""
        return Agreement.of(
            agreement(text_at(self.params(item), block), landmarks[group])
            for item, block, group in zip(items.tolist(), blocks.tolist(), groups.tolist(), strict=True)
        )


def _names(found: Classes, known: pl.Series) -> list[str]:
    """The name of each class: its own, or that of the class that most of its sent items are in.

    A name is given once: where a class was split, the part with most of its sent items keeps it.
    """
    names = [class_id(int(key)) for key in found.keys]
    own = set(names)
    sent = np.flatnonzero(known.is_not_null().to_numpy())
    sent = sent[found.prefix_chars[found.class_of[sent]] > 0]
    votes = (
        pl.DataFrame({"position": found.class_of[sent], "name": known.gather(sent)})
        .group_by("position", "name")
        .agg(votes=pl.len())
        .sort("votes", "name", descending=[True, False])
        .unique("name", keep="first", maintain_order=True)
        .unique("position", keep="first", maintain_order=True)
    )
    for position, name in votes.select("position", "name").iter_rows():
        if name not in own:
            names[position] = name
    return names


def _class_rows(found: Classes, names: list[str], kept: _Kept, book: PriceBook, now: datetime) -> pl.DataFrame:
    """The classes that waiting items are in, each described by one of its items."""
    rows = []
    for position in np.unique(found.class_of[kept.waiting]).tolist():
        item, blocks = int(found.first[position]), int(found.prefix_blocks[position])
        model, chars = kept.items["model"][item], int(found.prefix_chars[position])
        tokens, cacheable = prefix_tokens(book, model, chars)
        text = first_text(kept.params(item)) if chars else ""
        rows.append(
            {
                "class_id": names[position],
                "name": shortened(text, _NAME_CHARS) if chars else f"Unshared requests, {model}",
                "model": model,
                "prefix_blocks": blocks,
                "cut_chars": int(found.cuts[position]),
                "prefix_chars": chars,
                "prefix_tokens": tokens,
                "cacheable": cacheable and chars > 0,
                "preview": text[:_PREVIEW_CHARS],
                "created_at": now,
            }
        )
    return pl.DataFrame(rows)


def _told_apart(classes: pl.DataFrame, found: Classes, names: list[str], tree: PrefixTree, kept: _Kept) -> pl.DataFrame:
    """Classes that begin alike, named by where they part: by how each goes on behind the prefix above its own."""
    alike = classes.filter(pl.col("prefix_chars") > 0, pl.col("name").is_duplicated())["class_id"].to_list()
    position = {name: at for at, name in enumerate(names)}
    node = {int(key): at for at, key in enumerate(tree.keys)} if alike else {}
    renamed = {}
    for name in alike:
        at = position[name]
        parent = int(tree.parent[node[int(found.keys[at])]])
        renamed[name] = shortened(_behind(kept.params(int(found.first[at])), tree, parent), _NAME_CHARS)
    return classes.with_columns(
        name=pl.col("class_id").replace_strict(renamed, default=pl.col("name"), return_dtype=pl.String)
    )


def _node_rows(tree: PrefixTree, names: dict[int, str], kept: _Kept) -> pl.DataFrame:
    """The nodes of the tree that most items share; with a node comes everything above it."""
    top = np.lexsort((tree.level, -tree.items))[:_KEPT_NODES]
    scope = tree.level == 0
    rows = []
    for node in np.union1d(top, np.flatnonzero(scope)).tolist():
        parent, item = int(tree.parent[node]), int(kept.waiting[tree.first[node]])
        key = int(tree.keys[node])
        rows.append(
            {
                "node_id": class_id(key),
                "parent_id": None if scope[node] else class_id(int(tree.keys[parent])),
                "model": kept.items["model"][item],
                "level": int(tree.level[node]),
                "blocks": int(tree.blocks[node]),
                "cut_chars": int(tree.cuts[node]),
                "chars": int(tree.depths[node]),
                "items": int(tree.items[node]),
                "excerpt": "" if scope[node] else _behind(kept.params(item), tree, parent),
                "class_id": names.get(key),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _head_rows(found: Classes, names: list[str], tree: PrefixTree, floors: Ints) -> pl.DataFrame:
    """The heads that classes share, those of sent items among them: two pipelines seldom wait at the same time."""
    rows = [
        {"class_id": names[position], "head_id": class_id(int(tree.keys[node])), "chars": int(tree.depths[node])}
        for position, node in shared_heads(found, tree, floors[found.first])
    ]
    return pl.DataFrame(rows, schema={"class_id": pl.String, "head_id": pl.String, "chars": pl.Int64})


def _behind(params: Params, tree: PrefixTree, parent: int) -> str:
    """How the prompt goes on behind a node."""
    passage = passages(params)[int(tree.blocks[parent])]
    return shortened(" ".join(passage.text[int(tree.cuts[parent]) :][: 4 * _EXCERPT_CHARS].split()), _EXCERPT_CHARS)
