"""A round of a trial: planned and priced like any backlog, then stored and claimed in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import polars as pl

from core.audit import note
from core.caching.item_costs import class_rates, with_tokens
from core.errors import LotwiseError
from core.gateway import Gateway
from core.intake.file_backlog import file_backlog
from core.intake.group_files import find_file_classes
from core.intake.imports import Line, item_rows, parsed_line
from core.intake.payloads import PayloadWriter, payload_path
from core.jobs.canceling import call_off
from core.jobs.hit_rates import entries_under_floor
from core.jobs.journal import Recorded, record_plan
from core.jobs.predictions import known_of
from core.jobs.queue_room import queue_room
from core.jobs.spending import Allowance
from core.jobs.states import JobState
from core.planning.identity import new_job_id
from core.planning.needs import Needs
from core.planning.plan import NothingToPlan, Plan, draft_plan
from core.prices import PriceBook
from core.settings import Settings
from core.store import Store, Transaction
from core.trials.trial import Trial, TrialState

_STEPS, _SHORT = 5, 0.95
_FEW_ANSWERS = 20
"""Of fewer answers the longest says little about how long the next ones may be."""
OVER = (JobState.DONE, JobState.GONE, JobState.FAILED, JobState.CANCELED)
"""States of jobs that are over."""


class RoundTaken(LotwiseError):
    """This trial went on or was stopped just now, so nothing more was sent. Look at how it stands."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """The requests of a round, how planning sees them, and the plan that would send them.

    `surplus_usd`: what they cost on top of what is predicted if every answer gets as long as it may.
    """

    requests: tuple[Line, ...]
    backlog: pl.DataFrame
    plan: Plan
    surplus_usd: Decimal

    @property
    def usd(self) -> Decimal | None:
        """What it is predicted to cost; None where a part of it has no price."""
        return None if self.plan.unpriced else self.plan.predicted_usd


@dataclass(frozen=True, kw_only=True)
class Spending:
    """What a trial spent, what its open jobs are predicted to cost, and how many of them there are and are held."""

    spent_usd: Decimal
    committed_usd: Decimal
    under_way: int
    held: int


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Plans and sends rounds in a workspace."""

    store: Store
    folder: Path
    gateway: Gateway
    book: PriceBook
    settings: Settings

    def spending(self, trial_id: str) -> Spending:
        """What a trial cost so far and is about to cost."""
        row = self.store.query("trial_spending", trial_id=trial_id, over=list(OVER)).row(0, named=True)
        return Spending(**row)

    def draft(self, lines: Sequence[bytes], *, now: datetime) -> Draft:
        """Plan requests without storing anything. Raises `NothingToPlan`, and what `draft_plan` raises."""
        with NamedTemporaryFile(suffix=".jsonl") as file:
            file.writelines(lines)
            file.flush()
            found = find_file_classes([Path(file.name)], self.book, executor="inline", details=True)
            backlog = file_backlog(found, self.book)
        if backlog is None:
            raise NothingToPlan
        read = tuple(parsed_line(number, line) for number, line in enumerate(lines, 1))
        # As they will be stored, which a file need not be.
        sizes = pl.DataFrame(
            {"item_id": [one.item_id for one in read], "payload_bytes": [len(one.payload) for one in read]}
        )
        lengths = self.store.query("answer_lengths")
        means = lengths.select("class_id", "output_tokens")
        backlog = (
            backlog.drop("output_tokens", "payload_bytes")
            .join(sizes, on="item_id", maintain_order="left")
            .join(means, on="class_id", how="left", maintain_order="left")
        )
        plan = draft_plan(
            backlog,
            book=self.book,
            settings=self.settings,
            now=now,
            evidence=known_of(self.store, self.gateway, self.settings, now=now),
            under_floor=entries_under_floor(self.store),
            needs=Needs(queue_room=queue_room(self.store, limit=self.settings.queue_limit)),
        )
        return Draft(requests=read, backlog=backlog, plan=plan, surplus_usd=self._surplus(backlog, lengths, now))

    def fitted(self, write: Callable[[float], list[bytes]], room: Decimal, *, now: datetime) -> Draft | None:
        """The draft of as large a share of a round as fits into the room even if its answers get as long as they may.

        None where nothing does, or has no price. Prices are about in proportion to the share, so a few steps do.
        Raises `NothingToPlan` where there is nothing to ask.
        """
        share = 1.0
        for step in range(_STEPS):
            lines = write(share)
            if not lines and not step:
                raise NothingToPlan
            draft = self.draft(lines, now=now) if lines else None
            if draft is None or draft.usd is None:
                return None
            most = draft.usd + draft.surplus_usd
            if most <= room:
                return draft
            share *= _SHORT * float(room / most)
        return None

    def _surplus(self, backlog: pl.DataFrame, lengths: pl.DataFrame, now: datetime) -> Decimal:
        """What answers would cost more if each were as long as the longest one of its class so far.

        While there are few of those, as long as its `max_tokens` allows.
        """
        items = with_tokens(backlog, book=self.book, settings=self.settings)
        rates = {one: of.output for one, of in class_rates(items, book=self.book, now=now).items()}
        most = pl.when(pl.col("answers") >= _FEW_ANSWERS).then("longest").otherwise("max_tokens")
        beyond = (
            items.join(lengths.drop("output_tokens"), on="class_id", how="left")
            .group_by("class_id")
            .agg((most - pl.col("answer_tokens")).clip(lower_bound=0).sum().alias("tokens"))
        )
        dollars = (tokens * rates.get(class_id, 0.0) for class_id, tokens in beyond.iter_rows())
        return Decimal(str(sum(dollars)))

    def send(
        self,
        trial: Trial,
        draft: Draft,
        allowance: Allowance,
        *,
        again: frozenset[str] = frozenset(),
        begin: Callable[[Transaction], None] | None = None,
    ) -> Recorded:
        """Store the round with its requests, its plan and its jobs, all or nothing; a rehearsal keeps nothing of it.

        `again`: requests that are sent once more; `begin`: what stores the trial itself, with its first round. Raises
        `RoundTaken` where another process or a person was faster, and what `record_plan` raises.
        """
        import_id = f"{trial.trial_id}{new_job_id()}"
        new = [line for line in draft.requests if line.item_id not in again]

        def store_requests(tx: Transaction) -> None:
            if begin is not None:
                begin(tx)
            tx.merge("add_trial_classes", _classes(draft.backlog, allowance.now))
            with PayloadWriter(self.folder, import_id) as payloads:
                offsets = payloads.append([line.payload for line in new])
            rows = item_rows(new, offsets, import_id, allowance.now).join(
                draft.backlog.select("item_id", "class_id"), on="item_id", maintain_order="left"
            )
            tx.merge("add_items", rows.with_columns(trial_id=pl.lit(trial.trial_id)))

        def claim(tx: Transaction, made: Recorded) -> None:
            claimed = tx.run(
                "claim_round",
                trial_id=trial.trial_id,
                rounds=trial.rounds,
                plan_id=made.plan_id,
                items=draft.plan.items,
                predicted_usd=draft.plan.predicted_usd,
                now=allowance.now,
            )
            if not claimed:
                raise RoundTaken(trial=trial.trial_id)
            if begin is None:  # the first one is recorded as the action of whoever starts the trial
                about: dict[str, Any] = {"items": draft.plan.items, "predicted_usd": draft.plan.predicted_usd}
                note(tx, "trial-round", trial_id=trial.trial_id, plan_id=made.plan_id, **about)

        try:
            made = record_plan(
                self.store,
                draft.plan,
                now=allowance.now,
                simulated=self.gateway.simulated,
                allowance=allowance,
                first=store_requests,
                then=claim,
                trial_id=trial.trial_id,
            )
        except BaseException:
            payload_path(self.folder, import_id).unlink(missing_ok=True)
            raise
        if allowance.rehearsal:
            payload_path(self.folder, import_id).unlink(missing_ok=True)
        return made


def end_trial(tx: Transaction, trial_id: str, state: TrialState, reason: str, *, now: datetime) -> bool:
    """Close a trial and call its jobs off; False where it was over before."""
    for job in tx.run("trial_jobs", trial_id=trial_id, over=list(OVER)):
        call_off(tx, job["job_id"], now=now)
    return bool(tx.run("set_trial_state", trial_id=trial_id, state=state, reason=reason, closed_at=now))


def _classes(backlog: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """The classes of a round's requests, as they are stored."""
    first = ("prefix_blocks", "cut_chars", "prefix_chars", "cacheable", "preview", "model")
    return (
        backlog.group_by("class_id", maintain_order=True)
        .agg(
            pl.first(*first),
            pl.first("class_name").alias("name"),
            pl.first("prefix_tokens").cast(pl.Float64).round().cast(pl.Int64),
        )
        .with_columns(created_at=pl.lit(now))
    )
