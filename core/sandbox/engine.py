"""The simulation: a discrete-event run of all batches of the account, brought to the clock by each request.

Items of all batches share `width` places. An item that gets a place charges the prompt cache at once and
frees the place when it ends. Nothing happens between requests: a request moves the simulation to its own
instant, event by event, so the outcome depends on what was sent when, never on who asked how often.
"""

import heapq
import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime
from enum import IntEnum
from functools import partial

from core.sandbox.batch import Batch, Draft, batch_id, microseconds
from core.sandbox.cache import PromptCache
from core.sandbox.corners import Corner
from core.sandbox.folder import SandboxFolder
from core.sandbox.limits import Credit
from core.sandbox.message import result_lines
from core.sandbox.options import SandboxOptions
from core.sandbox.outcomes import NO_CREDIT, STATUSES, Draw, Outcome, duration_us, fate
from core.sandbox.usage_log import UsageLog
from core.sandbox.wire_errors import WireError

_RESPONSE_BEGINS = 4  # a response begins after a quarter of its item's duration
_SETTLE_SECONDS = 1.0


class _Event(IntEnum):
    READY = 0
    ITEM_END = 1
    SETTLED = 2


class Engine:
    """All batches of the simulated account. Every public method may be called from any thread."""

    def __init__(
        self,
        options: SandboxOptions,
        folder: SandboxFolder,
        clock: Callable[[], datetime],
        credit: Credit,
        usage: UsageLog,
    ) -> None:
        self._options = options
        self._usage = usage
        self._credit = credit
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._now_us = 0
        self._free = options.width
        self._events: list[tuple[int, int, _Event, Batch, int]] = []
        self._late: list[tuple[int, int, Batch]] = []
        self._order = itertools.count()
        self._ready: deque[Batch] = deque()
        self._running = 0
        self._cache = PromptCache(options.time_scale)
        self._batches: dict[str, Batch] = {}
        self._next_ordinal = 1
        self._restore()

    @property
    def now_us(self) -> int:
        """The instant the simulation has reached."""
        return self._now_us

    def create(self, draft: Draft, *, later_seconds: float = 0.0) -> Batch:
        """A new batch of these requests; one made for later begins, and can be seen, when its time has come."""
        with self._lock:
            now_us = self._catch_up(changes=True)
            self._admit(len(draft.custom_ids))
            created_us = now_us + round(later_seconds * 1_000_000)
            ordinal = self._next_ordinal
            self._next_ordinal += 1
            batch = Batch(
                id=batch_id(self._options.seed, ordinal, created_us),
                ordinal=ordinal,
                accepted_us=now_us,
                created_us=created_us,
                total=len(draft.custom_ids),
                draft=draft,
            )
            self._folder.commit(batch)
            self._put(batch)
            return batch

    def retrieve(self, name: str, *, lag_seconds: float = 0.0) -> Batch:
        """The batch of that id, if it is older than the lag."""
        with self._lock:
            seen_us = self._catch_up() - round(lag_seconds * 1_000_000)
            batch = self._find(name)
            if batch.created_us > seen_us:
                raise WireError.at(Corner.UNKNOWN_BATCH, id=name)
            return batch

    def newest_first(self, *, lag_seconds: float = 0.0) -> list[Batch]:
        """Every batch that was not deleted and is older than the lag."""
        with self._lock:
            seen_us = self._catch_up() - round(lag_seconds * 1_000_000)
            return [batch for batch in reversed(self._batches.values()) if batch.listed(seen_us)]

    def cancel(self, name: str) -> Batch:
        """Stop a batch: items that have not begun are canceled, the others end in their time."""
        with self._lock:
            now_us = self._catch_up(changes=True)
            batch = self._find(name)
            if batch.ended_us is not None:
                raise WireError.at(Corner.CANCEL_ENDED, id=name)
            if batch.cancel_us is None:
                self._stop(batch, now_us)
                self._folder.record(batch)
            return batch

    def delete(self, name: str) -> None:
        """Drop an ended batch with its results."""
        with self._lock:
            self._catch_up()
            batch = self._find(name)
            if batch.ended_us is None:
                raise WireError.at(Corner.DELETE_RUNNING, id=name)
            batch.deleted = True
            if self._running:
                self._folder.record(batch)  # a restart still needs its requests to repeat the running ones
                self._folder.results(batch).unlink(missing_ok=True)
            else:
                self._forget(batch)

    def catch_up(self) -> None:
        """Let everything happen that is due by now."""
        with self._lock:
            self._catch_up()

    def _find(self, name: str) -> Batch:
        batch = self._batches.get(name)
        if batch is None or batch.deleted:
            raise WireError.at(Corner.UNKNOWN_BATCH, id=name)
        return batch

    def _catch_up(self, *, changes: bool = False) -> int:
        """Run the simulation up to the clock. A change gets its own instant, so a restart can repeat it."""
        now_us = max(microseconds(self._clock()), self._now_us + changes)
        was_running = self._running
        self._advance(now_us)
        if was_running and not self._running:
            self._keep_quiet_state()
        return now_us

    def _advance(self, to_us: int) -> None:
        while self._late and self._late[0][0] <= to_us:
            created_us, _, batch = heapq.heappop(self._late)
            self._run_events(created_us)
            self._put(batch)
        self._run_events(to_us)

    def _run_events(self, to_us: int) -> None:
        while self._events and self._events[0][0] <= to_us:
            at_us, _, event, batch, item = heapq.heappop(self._events)
            if event is _Event.ITEM_END:
                self._free += 1
                batch.flying -= 1
                batch.live[Outcome(batch.outcomes[item]).status] += 1
            elif event is _Event.SETTLED:
                batch.settling = False
            elif batch.waiting:
                self._ready.append(batch)
            self._dispatch(at_us)
            self._finish_if_done(batch, at_us)
        self._now_us = max(self._now_us, to_us)

    def _admit(self, count: int) -> None:
        """Refuse what the account cannot pay, or what would overfill its queue."""
        if self._credit.exhausted:
            raise WireError.bad_request(NO_CREDIT.message)
        limit = self._options.queue_limit
        queued = sum(batch.queued for batch in self._batches.values()) if limit else 0
        if queued + count > limit > 0:
            raise WireError.at(Corner.QUEUE_FULL, limit=limit, queued=queued, count=count)

    def _put(self, batch: Batch) -> None:
        """Begin a batch, or keep it for later."""
        if batch.created_us > self._now_us:
            heapq.heappush(self._late, (batch.created_us, batch.ordinal, batch))
            return
        self._batches[batch.id] = batch
        if batch.draft is not None:
            self._begin(batch)

    def _at(self, us: int, event: _Event, batch: Batch, item: int = -1) -> None:
        heapq.heappush(self._events, (us, next(self._order), event, batch, item))

    def _begin(self, batch: Batch) -> None:
        self._running += 1
        queued_us = max(1, self._options.scaled_us(self._options.queue_seconds))  # never ended when just created
        self._at(batch.created_us + queued_us, _Event.READY, batch)

    def _stop(self, batch: Batch, at_us: int) -> None:
        batch.cancel_us = at_us
        for item in range(batch.next, batch.total):
            batch.note(item, Outcome.CANCELED)
        batch.next = batch.total
        if batch in self._ready:
            self._ready.remove(batch)
        batch.settling = True
        self._at(at_us + max(1, self._options.scaled_us(_SETTLE_SECONDS)), _Event.SETTLED, batch)

    def _dispatch(self, at_us: int) -> None:
        """Give the free places to waiting items, one of each batch in turn."""
        while self._free and self._ready:
            batch = self._ready.popleft()
            if self._start_next(batch, at_us):
                self._free -= 1
                batch.flying += 1
            if batch.waiting:
                self._ready.append(batch)
            else:
                self._finish_if_done(batch, at_us)

    def _start_next(self, batch: Batch, at_us: int) -> bool:
        """Give the next item its turn; false where it ends at once without taking a place."""
        draft = batch.draft
        if draft is None:
            return False
        item = batch.next
        batch.next += 1
        shape = draft.shapes[draft.shape_of[item]]
        if shape.problem is not None:
            batch.note(item, Outcome.INVALID)
            return False
        draw = Draw.of(self._options.seed, batch.ordinal, draft.custom_ids[item])
        outcome = Outcome.EXPIRED if at_us >= batch.expires_us else fate(draw, self._options)
        if outcome is Outcome.EXPIRED:
            batch.note(item, outcome)
            return False
        if outcome.charged:
            if self._credit.exhausted:
                batch.note(item, Outcome.UNPAID)
                return False
            self._credit.use()
        batch.outcomes[item] = outcome
        lasts_us = duration_us(draw, self._options)
        if outcome.charged and shape.prefix is not None:
            use = self._cache.use(
                shape.model, shape.prefix, start_us=at_us, response_us=at_us + lasts_us // _RESPONSE_BEGINS
            )
            batch.read[item], batch.written_5m[item], batch.written_1h[item] = use
        self._at(at_us + lasts_us, _Event.ITEM_END, batch, item)
        return True

    def _finish_if_done(self, batch: Batch, at_us: int) -> None:
        if batch.draft is None or batch.flying or batch.settling or batch.next < batch.total:
            return
        self._running -= 1
        if batch.ended_us is None:
            ended = Counter(Outcome(value).status for value in batch.outcomes)
            counts = {status: ended[status] for status in STATUSES}
            dated_us = at_us if self._options.usage_by_end else batch.created_us
            lines = self._usage.tally(batch.ordinal, dated_us, result_lines(batch, self._options))
            self._folder.write_results(batch, lines)
            batch.counts = counts
            batch.ended_us = at_us  # last: whoever sees the end also sees the counts
            self._folder.record(batch)
        batch.release()

    def _forget(self, batch: Batch) -> None:
        self._folder.remove(batch)
        self._batches.pop(batch.id, None)
        if self._folder.durable:
            self._keep_quiet_state()  # so that its ordinal is not given away again

    def _keep_quiet_state(self) -> None:
        for batch in [batch for batch in self._batches.values() if batch.deleted]:
            self._folder.remove(batch)
            del self._batches[batch.id]
        if self._folder.durable:
            self._folder.quiet(
                at_us=self._now_us,
                next_ordinal=self._next_ordinal,
                cache=self._cache.dump(self._now_us),
                batches=self._batches.values(),
            )

    def _restore(self) -> None:
        """Repeat what happened since the last quiet moment: creates and cancels at their own instants."""
        restored = self._folder.load()
        self._next_ordinal = restored.next_ordinal
        self._cache.restore(restored.cache)
        steps: list[tuple[int, int, Callable[[], None]]] = []
        for batch in restored.batches:
            steps.append((batch.accepted_us, batch.ordinal, partial(self._put, batch)))
            if batch.draft is not None and batch.cancel_us is not None:
                steps.append((batch.cancel_us, batch.ordinal, partial(self._stop, batch, batch.cancel_us)))
                batch.cancel_us = None
        for at_us, _, step in sorted(steps, key=lambda step: step[:2]):
            self._advance(at_us)
            step()
