"""What the doctor is tested with: requests made by code, and money measured without it."""

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from core.doctor.examination import Examination, examine
from core.doctor.finding import Finding
from core.doctor.rewrite import rewrite_params
from core.grouping.exact_tree import best_cuts, exact_tree
from core.prices import PriceBook
from core.requests.rendering import render
from tests.strategies import Json

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
MODEL = "claude-haiku-5-5"
WORDS = ("invoice", "order", "refund", "carrier", "ledger", "clause", "vendor", "sample", "window", "margin", "tier")
ITEMS = 60

Requests = list[tuple[str, Json]]


def prose(seed: int, length: int) -> str:
    """Sentences of words on lines, the same for the same seed."""
    rng = random.Random(seed)
    lines: list[str] = []
    while sum(map(len, lines)) < length:
        lines.append(" ".join(rng.choices(WORDS, k=12)).capitalize() + ".")
    return "\n".join(lines)


STABLE = prose(1, 4_000)


def question(number: int) -> str:
    """A question of its own."""
    return f"{prose(1_000 + number, 120)} Which one is it?"


def chat(system: Any, user: Any, **more: Any) -> Json:
    """A request with a system prompt."""
    head = {} if system is None else {"system": system}
    return {"model": MODEL, "max_tokens": 100, **head, "messages": [{"role": "user", "content": user}], **more}


def requests(make: Callable[[int], Json], items: int = ITEMS) -> Requests:
    """A file's worth of requests."""
    return [(f"item-{number:05d}", make(number)) for number in range(items)]


def checked(of: Requests, runs: float = 30.0) -> Examination:
    """What the doctor says of them."""
    return examine(of, book=BOOK, now=NOW, runs_a_month=runs)


def only(of: Requests, kind: str) -> Finding:
    """The one finding there should be."""
    found = checked(of).findings
    assert [kind] == [finding.kind for finding in found], [(finding.kind, finding.title) for finding in found]
    return found[0]


def input_usd(of: Requests) -> float:
    """Input dollars of a run with the best primed one-hour entries, measured on what is really sent."""
    usd = 0.0
    scopes: dict[str, list[Json]] = {}
    for _, params in of:
        scopes.setdefault(render(params).scope, []).append(params)
    for found in scopes.values():
        model, rates = BOOK.model(found[0]["model"]), BOOK.rates(found[0]["model"], at=NOW)
        prompts = [render(params).data for params in found]
        write, read = float(rates.cache_write_1h / rates.input), float(rates.cache_read / rates.input)
        floor = model.cache_floor_tokens * model.chars_per_token
        saved = best_cuts(exact_tree(prompts), floor=floor, write=write, read=read).saved
        usd += (sum(map(len, prompts)) - saved) / model.chars_per_token * float(rates.input)
    return usd


def healed(of: Requests, finding: Finding) -> Requests:
    """The requests with the rewrite made."""
    return [(custom_id, rewrite_params(params, finding.rewrites)) for custom_id, params in of]


def assert_heals(of: Requests, finding: Finding) -> Requests:
    """The rewrite saves what was said, within 5 %, leaves the originals alone, and leaves nothing to find."""
    before = orjson.dumps(of)
    after = healed(of, finding)
    saved = input_usd(of) - input_usd(after)

    assert finding.automatic
    assert finding.meaning
    assert before == orjson.dumps(of)
    assert saved == pytest.approx(float(finding.saving_usd), rel=0.05)
    assert finding.saving_month_usd == pytest.approx(finding.saving_usd * 30, rel=Decimal("0.001"))
    assert checked(after).findings == ()
    assert healed(after, finding) == after
    return after


def moment(number: int) -> datetime:
    """A time of its own for each request."""
    return datetime(2026, 11, 1, 8, tzinfo=UTC) + timedelta(hours=7 * number, minutes=13 * number)


def unique(number: int) -> str:
    """A uuid of its own for each request."""
    return str(uuid.UUID(int=random.Random(number).getrandbits(128), version=4))
