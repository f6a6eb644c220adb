"""What the simulated account has used: sums by minute, model, tier, region and price cliff, never forgotten.

With a folder, one JSON line a batch or direct message in usage.jsonl; a line that is torn or of another form is
passed over. Deleting a batch does not undo what it used.
"""

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from core.prices import PriceBook
from core.prices.costs import billed

_log = logging.getLogger(__name__)
_MINUTE_US = 60_000_000
_DIRECT = 0  # batches count from 1


class Use(NamedTuple):
    """What uses have in common that are summed; `above`: the input of each exceeds so many tokens, a price cliff."""

    minute_us: int
    model: str
    service_tier: str
    inference_geo: str | None
    above: int


class Counts(NamedTuple):
    """What was used: tokens by kind as they are priced, searches, and requests."""

    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0
    web_search: int = 0
    requests: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(*(mine + more for mine, more in zip(self, other, strict=True)))


class UsageLog:
    """Sums of what was used; any thread may add to them or read them."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder and folder / "usage.jsonl"
        self._cliffs = tuple(
            sorted({row.below.max_input_tokens or 0 for row in PriceBook.load().rows() if row.above}, reverse=True)
        )
        self._lock = threading.Lock()
        self._sums: dict[Use, Counts] = {}
        self._batches: set[int] = set()
        self._load()

    def sums(self) -> list[tuple[Use, Counts]]:
        """Everything that was used so far."""
        with self._lock:
            return list(self._sums.items())

    def tally(self, ordinal: int, at_us: int, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the result lines of a batch on, and add what they used once all of them are through."""
        used: dict[Use, Counts] = {}
        for line in lines:
            message = orjson.loads(line)["result"].get("message")
            if message is not None:
                self._add(used, at_us, message)
            yield line
        self._keep(ordinal, used)

    def direct(self, at_us: int, message: dict[str, Any]) -> None:
        """Add what a direct message used."""
        used: dict[Use, Counts] = {}
        self._add(used, at_us, message)
        self._keep(_DIRECT, used)

    def _add(self, used: dict[Use, Counts], at_us: int, message: dict[str, Any]) -> None:
        """Add a message, unless it is a refusal that is not billed."""
        usage, details = message["usage"], message["stop_details"] or {}
        charged = billed(
            "succeeded",
            stop_reason=message["stop_reason"],
            refusal_category=details.get("category"),
            output_tokens=usage["output_tokens"],
            at=datetime.fromtimestamp(at_us / 1e6, UTC),
        )
        if not charged:
            return
        counts = Counts(
            input=usage["input_tokens"],
            cache_write_5m=usage["cache_creation"]["ephemeral_5m_input_tokens"],
            cache_write_1h=usage["cache_creation"]["ephemeral_1h_input_tokens"],
            cache_read=usage["cache_read_input_tokens"],
            output=usage["output_tokens"],
            requests=1,
        )
        total = sum(counts[:4])
        above = next((cliff for cliff in self._cliffs if total > cliff), 0)
        minute_us = at_us - at_us % _MINUTE_US
        use = Use(minute_us, message["model"], usage["service_tier"], usage["inference_geo"], above)
        used[use] = used.get(use, Counts()).plus(counts)

    def _keep(self, ordinal: int, used: dict[Use, Counts]) -> None:
        with self._lock:
            if not self._sum_up(ordinal, used) or self._path is None:
                return
            rows = [[*use, *counts] for use, counts in used.items()]
            with self._path.open("ab") as file:
                file.write(orjson.dumps([ordinal, rows], option=orjson.OPT_APPEND_NEWLINE))

    def _sum_up(self, ordinal: int, used: dict[Use, Counts]) -> bool:
        """Add to the sums; false for a batch that is in them already, as after a restart that repeats its end."""
        if ordinal != _DIRECT and ordinal in self._batches:
            return False
        self._batches.add(ordinal)
        for use, counts in used.items():
            self._sums[use] = self._sums.get(use, Counts()).plus(counts)
        return bool(used)

    def _load(self) -> None:
        if self._path is None:
            return
        with suppress(FileNotFoundError):
            for line in self._path.read_bytes().splitlines():
                try:
                    ordinal, rows = orjson.loads(line)
                    self._sum_up(int(ordinal), {Use(*row[:5]): Counts(*map(int, row[5:])) for row in rows})
                except (ValueError, TypeError):
                    _log.warning("passed over a line of %s", self._path)
