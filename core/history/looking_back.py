"""What the worker does about the account's history: what was asked of it, then one batch a turn."""

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

from core.errors import LotwiseError
from core.gateway import Gateway
from core.history.account_history import AccountHistory
from core.history.naming_anew import Naming, name_anew
from core.history.report import HistoryReport, report
from core.prices import PriceBook
from core.store import Store


class LookingBack:
    """Requests of pages wait here for the worker; the command line has them done at once.

    `turn` keeps the worker's steps and those of other threads apart; `rest` is how long running batches and an API
    that gave no answer are left alone.
    """

    def __init__(
        self,
        *,
        store: Store,
        folder: Path,
        gateway: Gateway,
        book: PriceBook,
        clock: Callable[[], datetime],
        rest: timedelta,
        turn: AbstractContextManager[object],
    ) -> None:
        self.trouble: str | None = None
        """Why what was asked for is not done yet; it is tried again."""
        self._store, self._folder, self._clock = store, folder, clock
        self._history = AccountHistory(store=store, folder=folder, gateway=gateway, book=book)
        self._rest, self._turn = rest, turn
        self._asked: deque[datetime | None] = deque()
        self._next_at = clock()

    def busy(self) -> bool:
        """Whether something was asked for that is not done, or a batch waits to be brought in."""
        return bool(self._asked) or self._history.waiting() > 0

    def ask_look(self, since: datetime) -> None:
        """Have the account's batches since then looked through."""
        self._ask(since)

    def ask_naming(self) -> None:
        """Have the imported history named anew."""
        self._ask(None)

    def go_on(self) -> bool:
        """Do what was asked, then bring in one batch or ask about running ones; return whether there is more to do."""
        now = self._clock()
        if now < self._next_at:
            return False
        try:
            with self._turn:
                while self._asked:
                    self._do(self._asked[0])
                    self._asked.popleft()
                more = self._history.step(now=now)
                if not more:
                    self._history.follow()
        except LotwiseError as error:
            self.trouble, more = str(error), False
        except OSError as error:
            said = f"The disk refused: {error.strerror or error}. Make room; the history is gone on with by itself."
            self.trouble, more = said, False
        else:
            self.trouble = None
        self._next_at = now if more else now + self._rest
        return more

    def import_now(self, since: datetime, *, dry_run: bool) -> HistoryReport:
        """Look through the account's batches since then and bring in all that have ended, on the calling thread.

        Raises `GatewayDown` or `RulesInvalid`; what is in by then stays, and the rest waits for the next run.
        """
        with self._turn:
            look = self._history.list_since(since) if dry_run else self._history.look(since)
        more = not dry_run
        while more:
            with self._turn:
                more = self._history.step(now=self._clock())
        return report(self._store, look, since, dry_run=dry_run)

    def name_now(self) -> Naming:
        """Name the imported history by the rules in force, on the calling thread. Raises `RulesInvalid`."""
        with self._turn:
            return name_anew(self._store, self._folder)

    def _ask(self, since: datetime | None) -> None:
        self._asked.append(since)
        self._next_at = self._clock()

    def _do(self, since: datetime | None) -> None:
        if since is None:
            name_anew(self._store, self._folder)
        else:
            self._history.look(since)
