"""Spent prompts: the hashes and marks of answered prompts, which are half of a store, go after a month."""

from datetime import datetime, timedelta

from core.store import Store

KEPT = timedelta(days=30)
"""How long what is known of a prompt's blocks is kept at least, counted from its import."""
NEWEST = 2_000
"""Prompts of each class that stay, however old: as many as any look at a class takes."""
_AT_ONCE = 500_000
_REST = timedelta(days=1)


class SpentPrompts:
    """Lets the prompts go that nothing will read again: a part at a time, so that no write waits long behind it."""

    def __init__(self, store: Store, *, newest: int = NEWEST, at_once: int = _AT_ONCE) -> None:
        self._store, self._newest, self._at_once = store, newest, at_once
        self._look_at: datetime | None = None

    def step(self, *, now: datetime) -> bool:
        """Let a part of them go; return whether there may be more. Once there are none, nothing for a day."""
        if self._look_at is not None and now < self._look_at:
            return False
        asked = {"before": now - KEPT, "newest": self._newest, "most": self._at_once}
        gone = self._store.write(lambda tx: tx.run("let_prompts_go", **asked))[0]["Count"]
        self._look_at = None if gone else now + _REST
        if gone:
            self._store.make_room()
        return bool(gone)
