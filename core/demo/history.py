"""Ninety days of simulated sends: what was sent when, how it met the cache, what failed and was repaired."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from hashlib import blake2b

import numpy as np
import polars as pl

from core.demo.failures import EXPIRED, OPEN, PAST, PAST_SHARE, REFUSED, OpenSlice
from core.demo.rows import Faults, Row, Slice, attempt_rows, import_row, item_rows, job_row, plan_row
from core.demo.scenario import DAYS, ClassOfWork, classes
from core.demo.texts import class_id, prefix
from core.demo.usage import SPREAD, Caching, draw, prefix_tokens
from core.prices import Model, PriceBook
from core.prices.costs import class_cost, price_attempts

_NANO = Decimal("1e-9")
_WEEKEND = (5, 6)
_SETTLED = timedelta(hours=40)
"""Faults of the past are at least this old, so that even an expired slice has been repaired by now."""


@dataclass(frozen=True, kw_only=True)
class History:
    """The rows of every table, ready to be inserted."""

    imports: pl.DataFrame
    classes: pl.DataFrame
    plans: pl.DataFrame
    jobs: pl.DataFrame
    items: pl.DataFrame
    attempts: pl.DataFrame
    owners: pl.DataFrame
    """Whose work the items of each class are, and the model that these declare as its baseline, if any."""


@dataclass(kw_only=True)
class _Log:
    """What happened so far."""

    imports: list[Row] = field(default_factory=list)
    classes: dict[str, Row] = field(default_factory=dict)
    plans: list[Row] = field(default_factory=list)
    jobs: list[Row] = field(default_factory=list)
    items: list[pl.DataFrame] = field(default_factory=list)
    attempts: list[pl.DataFrame] = field(default_factory=list)
    owners: dict[str, Row] = field(default_factory=dict)


def simulate(now: datetime, seed: int, book: PriceBook) -> History:
    """Simulate the days before `now`; the same `now` and `seed` give the same rows."""
    log = _Log()
    for work in classes():
        _Sender(work, log, now=now, seed=seed, book=book).run()
    attempts = pl.concat(log.attempts).rename({"submitted_at": "at"})
    return History(
        imports=pl.DataFrame(log.imports),
        classes=pl.DataFrame(list(log.classes.values())),
        plans=pl.DataFrame(log.plans, infer_schema_length=None),
        jobs=pl.DataFrame(log.jobs, infer_schema_length=None),
        items=pl.concat(log.items),
        attempts=price_attempts(attempts, book).rename({"at": "submitted_at"}),
        owners=pl.DataFrame(list(log.owners.values())),
    )


class _Sender:
    """One class of work through all its days."""

    def __init__(self, work: ClassOfWork, log: _Log, *, now: datetime, seed: int, book: PriceBook) -> None:
        self.work = self.latest = work
        self.now = now
        self.first = now - timedelta(days=DAYS)
        self.seed = seed
        self.book = book
        self.log = log
        self.rng = np.random.default_rng([seed, *work.key.encode()])
        self.serial = 10_000
        # Reads and misses of primed bodies so far, in tens of items a job; before the first, what is assumed.
        self.reads, self.misses = 9.0, 1.0
        self.ids = 0

    def run(self) -> None:
        """Send on every day of the class, the last ones leaving their failures open."""
        times = self._send_times()
        still_open = {at: slices for slices in OPEN if (at := self._latest(times, slices)) is not None}
        for at in times:
            self._send(at, still_open.get(at))

    def _send_times(self) -> list[datetime]:
        times = []
        for offset in range(DAYS + 1):
            day = (self.first + timedelta(days=offset)).date()
            seconds = round(self.work.hour * 3600 + float(self.rng.normal(0, 540)))
            at = datetime.combine(day, time(), UTC) + timedelta(seconds=seconds)
            if day.weekday() in self.work.days and self.first <= at <= self.now - timedelta(hours=3):
                times.append(at)
        return times

    def _latest(self, times: list[datetime], slices: OpenSlice) -> datetime | None:
        if slices.key != self.work.key:
            return None
        return max((at for at in times if at <= self.now - slices.age), default=None)

    def _send(self, at: datetime, still_open: OpenSlice | None) -> None:
        self.work = self.latest.at(self.now - at)
        model = self.book.model(self.work.model_at(at, self.book))
        items = self._items(at)
        import_at = at - timedelta(minutes=50)
        import_id = self._id("import", at)
        self.log.imports.append(import_row(self.work, items, import_id, import_at))
        self.log.items.append(item_rows(self.work, model, items, import_id=import_id, at=import_at, seed=self.seed))
        self._note_class(model, import_at)

        caching = self._caching(model, at)
        plan_id, planned_at = self._id("plan", at), at - timedelta(minutes=10)
        sent: list[Row] = []
        if caching in (Caching.PRIMED, Caching.BROKEN):
            head, items = items.take(np.array([0])), items.take(np.arange(1, len(items)))
            how = Caching.PRIMER if caching is Caching.PRIMED else caching
            sent.append(self._job("primer", head, model, how, at=at, links={"plan_id": plan_id}))
            at = sent[0]["ended_at"] + timedelta(seconds=int(self.rng.integers(20, 70)))
        faults = self._faults(len(items), at, still_open)
        links = {"plan_id": plan_id, "primer_job_id": sent[0]["job_id"] if sent else None}
        body = self._job("body", items, model, caching, at=at, links=links, faults=faults)
        self.log.plans.append(plan_row(plan_id, planned_at, [*sent, body], import_id))
        if still_open is None:
            for _, failed in faults:
                again = body["ended_at"] + timedelta(minutes=int(self.rng.integers(5, 90)))
                # Too late for the primed prefix and too few to prime again: a repair goes without marks.
                links = {"parent_job_id": body["job_id"]}
                self._job("repair", items.take(failed), model, Caching.NONE, at=again, links=links)

    def _items(self, at: datetime) -> Slice:
        grown = 1 + (self.work.growth - 1) * ((at - self.first) / timedelta(days=DAYS))
        share = self.work.weekend if at.weekday() in _WEEKEND else 1.0
        share *= self.work.spell(self.now - at).items
        count = max(8, round(self.work.items * grown * share * float(self.rng.lognormal(0, 0.2))))
        chars = np.maximum(self.rng.lognormal(np.log(self.work.suffix_chars), SPREAD, count), 120)
        serials = np.arange(self.serial, self.serial + count, dtype=np.int64)
        self.serial += count
        return Slice(serials=serials, chars=chars.astype(np.int64))

    def _caching(self, model: Model, at: datetime) -> Caching:
        if not self.work.primed or prefix_tokens(self.work, model) < model.cache_floor_tokens:
            return Caching.NONE
        if at >= self.now - timedelta(days=self.work.broken):
            return Caching.BROKEN
        return Caching.PRIMED if at >= self.now - timedelta(days=self.work.primed) else Caching.COLD

    def _faults(self, count: int, at: datetime, still_open: OpenSlice | None) -> Faults:
        order = self.rng.permutation(count)
        happens, which, how_much = self.rng.random(3)
        if still_open is not None:
            sizes = [max(2, round(share * count)) for _, share in still_open.slices]
            parts = np.split(order[: sum(sizes)], np.cumsum(sizes)[:-1])
            return [(cause, part) for (cause, _), part in zip(still_open.slices, parts, strict=True)]
        refused = self.work.spell(self.now - at).refused
        if refused:
            return [(REFUSED, order[: round(refused * count)])]
        if happens > PAST_SHARE or at > self.now - _SETTLED:
            return []
        weights = np.cumsum([weight for _, weight, _, _ in PAST])
        cause, _, least, most = PAST[int(np.searchsorted(weights, which * weights[-1]))]
        return [(cause, order[: max(1, round((least + (most - least) * how_much) * count))])]

    def _job(
        self,
        role: str,
        items: Slice,
        model: Model,
        caching: Caching,
        *,
        at: datetime,
        links: Row,
        faults: Faults = (),
    ) -> Row:
        job_id = self._id(role, at)
        usage = draw(self.work, model, items.chars, caching, self.rng)
        slowness = float(self.rng.lognormal(0, 0.55))
        minutes = 2.5 + 2 * float(self.rng.exponential()) + len(items) / 27 * slowness
        if any(cause is EXPIRED for cause, _ in faults):
            minutes = 24 * 60 + 0.8
        ended = at + timedelta(seconds=round(minutes * 60))
        row = {
            "plan_id": None,
            "parent_job_id": None,
            "primer_job_id": None,
            **job_row(self.work, model, items, faults=faults, job_id=job_id, at=at, ended=ended),
            "role": role,
            **self._prediction(role, model, at, len(items)),
            **self._cache_prediction(role, model, caching, len(items)),
            **links,
        }
        self.log.jobs.append(row)
        if role == "body" and links.get("primer_job_id"):
            hit_rate = float(usage.read.sum() / (usage.read + usage.write_1h).sum())
            self.reads, self.misses = self.reads + 10 * hit_rate, self.misses + 10 * (1 - hit_rate)
        self.log.attempts.append(
            attempt_rows(
                self.work,
                model,
                items,
                usage,
                faults=faults,
                job_id=job_id,
                at=at,
                number=2 if role == "repair" else 1,
                marked=caching is not Caching.NONE,
            )
        )
        return row

    def _prediction(self, role: str, model: Model, at: datetime, count: int) -> Row:
        """What the planner would have said: the class's mean sizes, caching as intended, a little off."""
        mean = float(np.exp(SPREAD**2 / 2))
        one, more = (
            class_cost(
                self.book,
                model=model.id,
                at=at,
                items=number,
                prefix_tokens=prefix_tokens(self.work, model),
                suffix_tokens=round(self.work.suffix_chars * mean / model.chars_per_token, 1),
                output_tokens=round(self.work.output_tokens * mean, 1),
            )
            for number in (1, count + 1)
        )
        plain = more.plain_usd - one.plain_usd
        primed = self.work.primed and at >= self.now - timedelta(days=self.work.primed)
        if role == "primer":
            planned = one.primed_usd
        else:
            planned = more.primed_usd - one.primed_usd if role == "body" and primed else plain
        off = Decimal(round(float(self.rng.lognormal(0, 0.04)) * 10_000)) / 10_000
        return {
            "predicted_usd": (planned * off).quantize(_NANO),
            "predicted_plain_usd": (plain * off).quantize(_NANO),
        }

    def _cache_prediction(self, role: str, model: Model, caching: Caching, count: int) -> Row:
        """What the planner would have said of the cache, from what the class's primed bodies read so far."""
        marked = caching is not Caching.NONE
        tokens = prefix_tokens(self.work, model) * count if marked else 0
        jobs = self.reads + self.misses > 10
        hit_rate = 0.0 if role == "primer" else self.reads / (self.reads + self.misses)
        return {
            "cache_ttl": None if not marked else "5m" if caching is Caching.COLD else "1h",
            "predicted_read_tokens": round(tokens * hit_rate),
            "predicted_write_tokens": tokens - round(tokens * hit_rate),
            "prediction_basis": None if not marked or role == "primer" else "measured" if jobs else "assumed",
        }

    def _note_class(self, model: Model, at: datetime) -> None:
        tokens = prefix_tokens(self.work, model)
        known_as = class_id(self.work, model.id)
        self.log.owners[known_as] = {
            "class_id": known_as,
            "team": self.work.team,
            "baseline": self.work.baseline or None,
        }
        self.log.classes.setdefault(
            known_as,
            {
                "class_id": known_as,
                "name": self.work.name,
                "model": model.id,
                "prefix_blocks": 1,
                "prefix_chars": len(prefix(self.work)),
                "prefix_tokens": tokens,
                "cacheable": tokens >= model.cache_floor_tokens,
                "preview": prefix(self.work)[:200],
                "created_at": at,
            },
        )

    def _id(self, kind: str, at: datetime) -> str:
        """Eight letters and digits, drawn from what the id is for: the same run gives the same ids."""
        self.ids += 1
        text = f"{self.seed}/{self.now.isoformat()}/{self.work.key}/{kind}/{at.isoformat()}/{self.ids}"
        return base64.b32encode(blake2b(text.encode(), digest_size=5).digest()).decode().lower()
