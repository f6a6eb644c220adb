"""The prompt cache as documented: what a request reads, what it writes, and when others may read that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.sandbox.prompt import TTL_SECONDS, Prefix

LOOKBACK_BLOCKS = 20  # a mark finds earlier writes at most this many blocks back, its own block included
_PRUNE_FROM = 50_000


class CacheUse(NamedTuple):
    """Input tokens of one request that the cache served or took in."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0


UNCACHED = CacheUse()


@dataclass(slots=True)
class _Entry:
    visible_us: int
    touched_us: int
    ttl: int


class PromptCache:
    """Cache entries per model. Lifetimes are divided by the time scale, as all simulated durations are."""

    def __init__(self, time_scale: float = 1.0) -> None:
        self._entries: dict[str, dict[int, _Entry]] = {}
        self._ttl_us = {ttl: round(ttl * 1_000_000 / time_scale) for ttl in TTL_SECONDS.values()}
        self._written = 0

    def use(self, model: str, prefix: Prefix | None, *, start_us: int, response_us: int) -> CacheUse:
        """Charge a request that starts now and whose response begins later; remember what it leaves."""
        if prefix is None:
            return UNCACHED
        entries = self._entries.setdefault(model, {})
        hit = self._find(entries, prefix, start_us)
        # Mixed lifetimes: A = the hit, B = the highest 1 h mark after it (else A), C = the last mark.
        # A is read, B - A written for an hour, C - B for five minutes.
        a = prefix.depths[hit] if hit >= 0 else 0
        b = c = a
        for position, ttl in prefix.marks:
            if position > hit:
                c = prefix.depths[position]
                b = c if ttl == TTL_SECONDS["1h"] else b
                self._write(entries, prefix.hashes[position], ttl, start_us, response_us)
            else:
                self._refresh(entries, prefix.hashes[position], start_us)
        if hit >= 0:
            self._refresh(entries, prefix.hashes[hit], start_us)
        if self._written > _PRUNE_FROM:
            self._prune(start_us)
        return CacheUse(a, c - b, b - a)

    def dump(self, at_us: int) -> dict[str, list[list[int]]]:
        """The living entries, to keep on disk."""
        self._prune(at_us)
        return {
            model: [[key, entry.visible_us, entry.touched_us, entry.ttl] for key, entry in entries.items()]
            for model, entries in self._entries.items()
        }

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """Take back what `dump` gave."""
        for model, rows in dumped.items():
            self._entries[model] = {
                int(key): _Entry(int(visible), int(touched), int(ttl)) for key, visible, touched, ttl in rows
            }

    def _alive(self, entry: _Entry, at_us: int) -> bool:
        return entry.touched_us + self._ttl_us[entry.ttl] >= at_us

    def _find(self, entries: Mapping[int, _Entry], prefix: Prefix, at_us: int) -> int:
        """The highest block that can be read, or -1. The first hit of the last mark's walk is the highest."""
        for mark, _ in reversed(prefix.marks):
            for position in range(mark, max(mark - LOOKBACK_BLOCKS, -1), -1):
                entry = entries.get(prefix.hashes[position])
                if entry is not None and entry.visible_us <= at_us and self._alive(entry, at_us):
                    return position
        return -1

    def _write(self, entries: dict[int, _Entry], key: int, ttl: int, start_us: int, response_us: int) -> None:
        self._written += 1
        entry = entries.get(key)
        if entry is None or not self._alive(entry, start_us):
            entries[key] = _Entry(response_us, start_us, ttl)
            return
        # Another request writes the same prefix and has not begun to answer: both pay, the earlier counts.
        entry.visible_us = min(entry.visible_us, response_us)
        entry.touched_us = max(entry.touched_us, start_us)
        entry.ttl = max(entry.ttl, ttl)

    def _refresh(self, entries: Mapping[int, _Entry], key: int, at_us: int) -> None:
        entry = entries.get(key)
        if entry is not None and entry.visible_us <= at_us and self._alive(entry, at_us):
            entry.touched_us = max(entry.touched_us, at_us)

    def _prune(self, at_us: int) -> None:
        self._written = 0
        for model, entries in self._entries.items():
            self._entries[model] = {key: entry for key, entry in entries.items() if self._alive(entry, at_us)}
