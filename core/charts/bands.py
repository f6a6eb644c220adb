"""Where the bars of the prefix icicle stand: dollars from top to bottom, tokens of prompt from left to right."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

_LEAST_SHARE = 0.01
"""A bar thinner than this share of the whole cannot be told from its neighbours: such siblings share bars."""

_SLICE = 2
"""Such a bar is as many times as high as the thinnest of one class."""

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Band:
    """One bar: `top` to `bottom` in USD, `start` to `end` in tokens of prompt."""

    top: float
    bottom: float
    start: float
    end: float
    part: Literal["shared", "differs"]
    state: str
    """That of its class; of its dearest one where it has several."""
    class_id: str | None
    """None where it stands for several classes."""
    name: str
    begins: str
    model: str
    items: int


@dataclass(frozen=True, kw_only=True)
class Bands:
    """All bars, outer ones before what they hold, and the stretch of each model."""

    bands: list[Band]
    models: dict[str, tuple[float, float]]
    usd: float


@dataclass(kw_only=True)
class _Node:
    """A node of the tree with what stands on it."""

    model: str
    tokens: float
    items: int
    begins: str
    own: list[Row] = field(default_factory=list)
    children: list["_Node"] = field(default_factory=list)
    classes: list[Row] = field(default_factory=list)
    """Its own and all below, in no order."""
    usd: float = 0.0

    @property
    def dearest(self) -> Row:
        """The class that most is paid for."""
        return max(self.classes, key=lambda row: (row["usd"], row["class_id"]))


def stack(nodes: pl.DataFrame, classes: pl.DataFrame) -> Bands:
    """Lay out the tree: models, and siblings in each, from the dearest down; small siblings share bars.

    `nodes` as `prefix_nodes` gives them, parents first; `classes`: those that wait, with `usd`. A class without a
    node (the tree is kept up to a size) stands among the small ones of its model.
    """
    roots = _roots(nodes, classes)
    total = sum(root.usd for root in roots)
    bands: list[Band] = []
    models, top = {}, 0.0
    for root in roots:
        bands += _place(root, top, least=total * _LEAST_SHARE)
        models[root.model] = (top, top + root.usd)
        top += root.usd
    return Bands(bands=bands, models=models, usd=total)


def _roots(nodes: pl.DataFrame, classes: pl.DataFrame) -> list[_Node]:
    """One tree a model, with its classes on their nodes; dearest first."""
    waiting = {row["class_id"]: row for row in classes.iter_rows(named=True)}
    roots = {model: _Node(model=model, tokens=0.0, items=0, begins="") for model in classes["model"].unique().sort()}
    found: dict[str, _Node] = {}
    parents: list[tuple[_Node, _Node]] = []
    for row in nodes.iter_rows(named=True):
        if row["parent_id"] is None:
            node = roots.get(row["model"])
        else:
            node = _Node(model=row["model"], tokens=row["tokens"], items=row["items"], begins=row["excerpt"])
            parents.append((node, found[row["parent_id"]]))
        if node is not None:
            found[row["node_id"]] = node
            if (own := waiting.pop(row["class_id"], None)) is not None:
                node.own.append(own)
    for row in waiting.values():
        roots[row["model"]].own.append(row)
    for node, parent in reversed(parents):
        _sum_up(node)
        parent.children.append(node)
        parent.classes += node.classes
        parent.usd += node.usd
    for root in roots.values():
        _sum_up(root)
    return sorted(roots.values(), key=lambda root: (-root.usd, root.model))


def _sum_up(node: _Node) -> None:
    node.classes += node.own
    node.usd += sum(row["usd"] for row in node.own)


def _place(root: _Node, top: float, *, least: float) -> Iterator[Band]:
    """The bars of one tree, from `top` down."""
    todo = [(root, top, 0.0, "")]
    while todo:
        node, top, start, begins = todo.pop()
        above = [child for child in node.children if child.classes]
        if node is not root and not node.own and len(above) == 1:
            # The whole bar goes on as one: the reader sees no fork, so there is none to draw.
            todo.append((above[0], top, start, begins or node.begins))
            continue
        if node is not root:
            yield _head(node, top, start, begins or node.begins)
        small: list[Row] = []
        for child in sorted(above, key=lambda child: (-child.usd, child.begins)):
            if child.usd < least:
                small += child.classes
            else:
                todo.append((child, top, node.tokens, ""))
                top += child.usd
        for row in node.own:
            if node is root and row["usd"] < least:
                small.append(row)
                continue
            yield from _many([row], node, top) if node is root else _body(node, row, top, least=least)
            top += row["usd"]
        for rows in _slices(small, least):
            yield from _many(rows, node, top)
            top += sum(row["usd"] for row in rows)


def _head(node: _Node, top: float, start: float, begins: str) -> Band:
    """What all requests below a node share."""
    dearest, several = node.dearest, len(node.classes) > 1
    return Band(
        top=top,
        bottom=top + node.usd,
        start=start,
        end=node.tokens,
        part="shared",
        state=dearest["state"],
        class_id=None if several else dearest["class_id"],
        name=f"{len(node.classes):,} classes" if several else dearest["name"],
        begins=begins,
        model=node.model,
        items=node.items,
    )


def _body(node: _Node, row: Row, top: float, *, least: float) -> Iterator[Band]:
    """What differs between the requests of a class, and what some of them share beyond its prefix."""
    items = row["waiting_items"]
    yield _rest([row], start=node.tokens, top=top, name=row["name"], class_id=row["class_id"])
    todo = [(node, top, top + row["usd"])]
    while todo:
        parent, top, bottom = todo.pop()
        for child in sorted(parent.children, key=lambda child: (-child.items, child.begins)):
            usd = min(row["usd"] * child.items / items, bottom - top)
            if child.classes or usd < least:
                continue
            yield Band(
                top=top,
                bottom=top + usd,
                start=parent.tokens,
                end=child.tokens,
                part="shared",
                state=row["state"],
                class_id=row["class_id"],
                name=row["name"],
                begins=child.begins,
                model=row["model"],
                items=child.items,
            )
            todo.append((child, top, top + usd))
            top += usd


def _slices(small: list[Row], least: float) -> Iterator[list[Row]]:
    """Small classes in bars that can be seen, those alike together: by state, and the longest prefixes first."""
    part: list[Row] = []
    usd = 0.0
    for row in sorted(small, key=lambda row: (row["state"], -row["prefix_tokens"], row["class_id"])):
        if part and (row["state"] != part[0]["state"] or usd >= _SLICE * least):
            yield part
            part, usd = [], 0.0
        part.append(row)
        usd += row["usd"]
    if part:
        yield part


def _many(rows: list[Row], node: _Node, top: float) -> Iterator[Band]:
    """Classes that are too small to be drawn one by one, as one bar of their mean length."""
    only = rows[0] if len(rows) == 1 else None
    usd, dearest = sum(row["usd"] for row in rows), max(rows, key=lambda row: (row["usd"], row["class_id"]))
    shared = sum(row["usd"] * row["prefix_tokens"] for row in rows) / usd if usd else node.tokens
    name, class_id = (only["name"], only["class_id"]) if only else (f"{len(rows):,} small classes", None)
    if shared > node.tokens:
        yield Band(
            top=top,
            bottom=top + usd,
            start=node.tokens,
            end=shared,
            part="shared",
            state=dearest["state"],
            class_id=class_id,
            name=name,
            begins="",
            model=node.model,
            items=sum(row["waiting_items"] for row in rows),
        )
    yield _rest(rows, start=max(shared, node.tokens), top=top, name=name, class_id=class_id)


def _rest(rows: list[Row], *, start: float, top: float, name: str, class_id: str | None) -> Band:
    """From where sharing ends to the mean end of the prompts."""
    items = sum(row["waiting_items"] for row in rows)
    return Band(
        top=top,
        bottom=top + sum(row["usd"] for row in rows),
        start=start,
        end=max(start, sum(row["waiting_tokens"] for row in rows) / items),
        part="differs",
        state=max(rows, key=lambda row: (row["usd"], row["class_id"]))["state"],
        class_id=class_id,
        name=name,
        begins="",
        model=rows[0]["model"],
        items=items,
    )
