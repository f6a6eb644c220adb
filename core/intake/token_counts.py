"""Exact token counts of the backlog, asked of the API where they are worth most: they are free, but limited."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from core.gateway import AccountHeld, Gateway, GatewayDown, NotCountable
from core.intake.payloads import PayloadReader
from core.prices import PriceBook, UnknownModel, UnpricedModel
from core.store import Store, Transaction
from core.tokens.prompts import Params, prompt_head

# Whole prompts of a class that are asked for: enough to tell how its texts differ from the mean.
_ITEMS = 3
# A prefix is no request: it needs a turn of the user behind it, whose own tokens are asked for once and taken off.
# Turns of one role that follow each other are one to the API, so this works wherever the prefix ends.
_TURN = {"role": "user", "content": "."}
_TURN_KEY = "turn"


@dataclass(frozen=True, kw_only=True)
class Counting:
    """What became of asking: answers got (`asked`), of them refusals, whether more is to be asked, and why it is not.

    `stopped` is what the API said, or None where it was the budget that ended or nothing is left.
    """

    asked: int
    refused: int
    left: bool
    stopped: GatewayDown | AccountHeld | None = None


@dataclass(frozen=True, kw_only=True)
class _Question:
    """One call: `key` is what its answer is kept under, `less` the tokens that are no part of what is asked."""

    key: str
    params: Params
    less: int = 0


def count_classes(
    store: Store, folder: Path, gateway: Gateway, book: PriceBook, *, now: datetime, budget: int
) -> Counting:
    """Ask for the prefix of every class of the backlog, then for a few whole items of each; at most `budget` calls.

    The dearest class comes first. What was answered once, or billed, is not asked again, a refusal included. Ends for
    now where the API cannot be reached, has had enough, or holds the account; what was answered until then is kept.
    """
    counts = store.query("token_counts", simulated=gateway.simulated)
    known = {(row["content_key"], row["model"]): row["tokens"] for row in counts.iter_rows(named=True)}
    asked = refused = 0
    with PayloadReader(folder) as payloads:
        for question in _questions(_classes(store, book, gateway, now), known, payloads):
            if asked == budget:
                return Counting(asked=asked, refused=refused, left=True)
            try:
                tokens = gateway.count_tokens(question.params) - question.less
            except NotCountable:
                tokens, refused = None, refused + 1
            except (GatewayDown, AccountHeld) as error:
                return Counting(asked=asked, refused=refused, left=True, stopped=error)
            asked += 1
            answer = {
                "content_key": question.key,
                "model": question.params["model"],
                "tokens": tokens,
                "counted_at": now,
                "simulated": gateway.simulated,
            }
            known[question.key, question.params["model"]] = tokens
            store.write(partial(_keep, answer))
    return Counting(asked=asked, refused=refused, left=False)


def _keep(answer: dict[str, Any], tx: Transaction) -> None:
    tx.run("add_token_count", **answer)


def _classes(
    store: Store, book: PriceBook, gateway: Gateway, now: datetime
) -> list[tuple[dict[str, Any], pl.DataFrame]]:
    """Every class of the backlog, with samples of its items; the one whose input costs most comes first."""
    evidence = store.query("class_evidence", simulated=gateway.simulated)
    known = {row["class_id"]: row for row in evidence.iter_rows(named=True)}
    samples = store.query("class_samples", most=_ITEMS)
    classes = [(known[name], items) for (name,), items in samples.group_by("class_id", maintain_order=True)]
    return sorted(classes, key=lambda of: (-_worth(of[0]["model"], of[1], book, now), of[0]["class_id"]))


def _worth(model: str, items: pl.DataFrame, book: PriceBook, now: datetime) -> Decimal:
    """The price of the class's characters as if each were a token; 0 where the model has none."""
    try:
        return book.rates(model, at=now).input * int(items["class_chars"][0])
    except (UnknownModel, UnpricedModel):
        return Decimal(0)


def _questions(
    classes: list[tuple[dict[str, Any], pl.DataFrame]],
    known: dict[tuple[str, str], int | None],
    payloads: PayloadReader,
) -> Iterator[_Question]:
    """What is still to be asked, in order of worth; `known` grows between one question and the next."""
    for of, items in classes:
        model, shares = of["model"], of["prefix_blocks"] or of["cut_chars"]
        # A class may keep its name while its prefix is edited.
        key = f"{of['class_id']}/{of['prefix_chars']}"
        if not shares or of["cached_prefix"] is not None or (key, model) in known:
            continue
        if (_TURN_KEY, model) not in known:
            yield _Question(key=_TURN_KEY, params={"model": model, "messages": [_TURN]})
        if (turn := known[_TURN_KEY, model]) is not None:
            head = prompt_head(_params(items.row(0, named=True), payloads), of["prefix_blocks"], of["cut_chars"])
            yield _Question(key=key, params={**head, "messages": [*head["messages"], _TURN]}, less=turn)
    for of, items in classes:
        if known.get((_TURN_KEY, of["model"]), 0) is None:
            continue  # nothing of this model can be counted
        missing = _ITEMS - of["items"]
        for item in items.iter_rows(named=True):
            if missing > 0 and (item["content_hash"], of["model"]) not in known:
                missing -= 1
                yield _Question(key=item["content_hash"], params=_params(item, payloads))


def _params(item: dict[str, Any], payloads: PayloadReader) -> Params:
    return payloads.params(item["import_id"], item["payload_offset"], item["payload_bytes"])
