"""Exact token counts of the backlog, asked of the API where they are worth most: they are free, but limited."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import groupby
from operator import itemgetter
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
    now where the API cannot be reached, has had enough, or holds the account. All answers are kept at the end, in one
    write: who dies on the way asks for them again, which is free.
    """
    counts = store.query("token_counts", simulated=gateway.simulated)
    known = {(row["content_key"], row["model"]): row["tokens"] for row in counts.iter_rows(named=True)}
    answers: list[tuple[str, str, int | None]] = []
    try:
        with PayloadReader(folder) as payloads:
            for question in _questions(_classes(store, book, gateway, now), known, payloads):
                if len(answers) == budget:
                    return _counting(answers, left=True)
                try:
                    tokens = gateway.count_tokens(question.params) - question.less
                except NotCountable:
                    tokens = None
                except (GatewayDown, AccountHeld) as error:
                    return _counting(answers, left=True, stopped=error)
                known[question.key, question.params["model"]] = tokens
                answers.append((question.key, question.params["model"], tokens))
        return _counting(answers, left=False)
    finally:
        if answers:
            store.write(partial(_keep, _answer_rows(answers, gateway, now)))


def _counting(
    answers: list[tuple[str, str, int | None]], *, left: bool, stopped: GatewayDown | AccountHeld | None = None
) -> Counting:
    refused = sum(tokens is None for _, _, tokens in answers)
    return Counting(asked=len(answers), refused=refused, left=left, stopped=stopped)


def _answer_rows(answers: list[tuple[str, str, int | None]], gateway: Gateway, now: datetime) -> pl.DataFrame:
    schema = {"content_key": pl.String, "model": pl.String, "tokens": pl.Int64}
    return pl.DataFrame(answers, schema=schema, orient="row").with_columns(
        counted_at=pl.lit(now), simulated=pl.lit(gateway.simulated)
    )


def _keep(answers: pl.DataFrame, tx: Transaction) -> None:
    tx.merge("add_token_counts", answers)


def _classes(
    store: Store, book: PriceBook, gateway: Gateway, now: datetime
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Every class of the backlog, with samples of its items; the one whose input costs most comes first."""
    samples = store.query("class_samples", most=_ITEMS, uncounted=False).iter_rows(named=True)
    items = {name: list(rows) for name, rows in groupby(samples, key=itemgetter("class_id"))}
    evidence = store.query("class_evidence", simulated=gateway.simulated)
    prices = {model: _price(book, model, now) for model in evidence["model"].unique()}
    classes = sorted(
        evidence.iter_rows(named=True), key=lambda of: (-prices[of["model"]] * of["waiting_chars"], of["class_id"])
    )
    return [(of, items[of["class_id"]]) for of in classes]


def _price(book: PriceBook, model: str, now: datetime) -> Decimal:
    """Of a token of input; 0 where the model has none."""
    try:
        return book.rates(model, at=now).input
    except (UnknownModel, UnpricedModel):
        return Decimal(0)


def _questions(
    classes: list[tuple[dict[str, Any], list[dict[str, Any]]]],
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
            head = prompt_head(_params(items[0], payloads), of["prefix_blocks"], of["cut_chars"])
            yield _Question(key=key, params={**head, "messages": [*head["messages"], _TURN]}, less=turn)
    for of, items in classes:
        if known.get((_TURN_KEY, of["model"]), 0) is None:
            continue  # nothing of this model can be counted
        missing = _ITEMS - of["items"]
        for item in items:
            key = f"{item['content_hash']:016x}"
            if missing > 0 and (key, of["model"]) not in known:
                missing -= 1
                yield _Question(key=key, params=_params(item, payloads))


def _params(item: dict[str, Any], payloads: PayloadReader) -> Params:
    return payloads.params(item["import_id"], item["payload_offset"], item["payload_bytes"])
