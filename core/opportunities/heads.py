"""Savings by sending two classes together: both begin with the same heavy head, and each writes it by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from core.opportunities.monthly import monthly
from core.opportunities.opportunity import Kind, Opportunity, opportunity
from core.opportunities.workload import IDLE_DAYS, Workload
from core.prices.repricing import reprice

_APART = timedelta(hours=1)
"""Sends within so long of each other meet in the cache already, or could: an entry lives no longer."""

_SENT = ("primer", "body", "history")
_WRITES = ("cache_write_1h_tokens", "cache_write_5m_tokens")


@dataclass(frozen=True, kw_only=True)
class Joined:
    """A class that could go together with another, `host`: the `tokens` of the head that they share, and the cells of
    its second writes (day, cost_usd, saving_usd)."""

    class_id: str
    host: str
    tokens: int
    cells: pl.DataFrame

    @property
    def saving_usd(self) -> Decimal:
        """What all of the second writes cost more than reads."""
        return Decimal(self.cells["saving_usd"].sum())

    @property
    def last(self) -> date:
        """The last day with one."""
        last: date = self.cells["day"].to_list()[-1]
        return last


def head_savings(work: Workload) -> Iterator[Opportunity]:
    """What would be saved from now on if classes that share a head went when the other one's is written."""
    settled: dict[str, str] = {}
    for joined in sorted(_all_joined(work), key=lambda each: (-each.saving_usd, each.class_id, each.host)):
        # Who goes with another waits for nobody itself, and is waited for by nobody.
        if joined.class_id not in settled and settled.get(joined.host) != "joins":
            settled |= {joined.class_id: "joins", joined.host: "waits"}
            yield from _opportunity(work, joined)


def _all_joined(work: Workload) -> Iterator[Joined]:
    cells = _sends(work)
    for (_head,), sharing in work.heads.group_by("head_id", maintain_order=True):
        tokens = int(sharing["tokens"].to_numpy().min())
        of = cells.filter(pl.col("class_id").is_in(sharing["class_id"].to_list()), pl.col("written") >= tokens)
        if of["class_id"].n_unique() > 1:
            yield from _joined(_met(of), tokens, work)


def _sends(work: Workload) -> pl.DataFrame:
    """Of each send the cell with the most cache writes, with when it went and all that it wrote."""
    sent = work.recent.filter(pl.col("role").is_in(_SENT), pl.col("unpriced") == 0, pl.col("billed"))
    wrote = pl.sum_horizontal(_WRITES)
    return (
        sent.join(work.jobs.select("job_id", "send"), on="job_id", how="left")
        .with_columns(pl.col("send").fill_null(pl.col("job_id")))
        .with_columns(
            went=pl.col("submitted_at").min().over("class_id", "send"),
            written=wrote.sum().over("class_id", "send"),
        )
        .sort(wrote, "job_id", descending=[True, False])
        .unique(["class_id", "send"], keep="first", maintain_order=True)
        .sort("went", "class_id", "send")
    )


def _met(sends: pl.DataFrame) -> pl.DataFrame:
    """The sends with `time`: the number of the stretch of time in which they meet in the cache, and its first day."""
    later = (pl.col("went") - pl.col("went").shift() > _APART).fill_null(False)
    return sends.with_columns(time=later.cast(pl.Int64).cum_sum()).with_columns(
        went_day=pl.col("went").min().over("time").dt.date()
    )


def _joined(sends: pl.DataFrame, tokens: int, work: Workload) -> Iterator[Joined]:
    """Every class but the one that goes most often, with its sends that this one could have carried on the same day."""
    times = sends.group_by("class_id").agg(pl.col("time").n_unique()).sort("time", "class_id", descending=[True, False])
    host = str(times["class_id"][0])
    hosted = sends.filter(pl.col("class_id") == host).unique("time").select("time", "went_day")
    # Where several have met, each would have to go elsewhere for the write to be saved.
    alone = sends.filter(pl.col("class_id") != host, pl.col("class_id").n_unique().over("time") == 1)
    for (class_id,), mine in alone.unique("time", keep="first", maintain_order=True).group_by("class_id"):
        met = sends.filter(pl.col("class_id") == class_id)["time"]
        room = hosted.filter(~pl.col("time").is_in(met.implode())).group_by("went_day").agg(room=pl.len())
        carried = mine.join(room, on="went_day", maintain_order="left").filter(
            pl.int_range(pl.len()).over("went_day") < pl.col("room")
        )
        if not carried.is_empty():
            yield Joined(class_id=str(class_id), host=host, tokens=tokens, cells=_read_instead(carried, tokens, work))


def _read_instead(cells: pl.DataFrame, tokens: int, work: Workload) -> pl.DataFrame:
    """The cells with what they would have cost less, had one write of the head in each been a read."""
    hour, minutes = (pl.col(name) for name in _WRITES)
    of_hour = pl.min_horizontal(hour, pl.lit(tokens))
    of_minutes = pl.min_horizontal(minutes, pl.lit(tokens) - of_hour)
    read = cells.with_columns(
        cache_write_1h_tokens=hour - of_hour,
        cache_write_5m_tokens=minutes - of_minutes,
        cache_read_tokens=pl.col("cache_read_tokens") + of_hour + of_minutes,
    )
    saving = pl.col("cost_usd") - reprice(read, work.book).fill_null(pl.col("cost_usd"))
    return cells.select("day", "cost_usd", saving_usd=saving).sort("day")


def _opportunity(work: Workload, joined: Joined) -> Iterator[Opportunity]:
    pace = work.paces.get(joined.class_id)
    if pace is None or joined.last <= work.last - timedelta(days=IDLE_DAYS):
        return
    saved = joined.cells.group_by("day").agg(pl.sum("saving_usd"))
    days = work.recent.filter(pl.col("class_id") == joined.class_id).group_by("day").agg(pl.sum("attempts"))
    month = monthly(days.join(saved, on="day", how="left").with_columns(pl.col("saving_usd").fill_null(0)), pace)
    name, model = work.names[joined.class_id]
    host = work.names[joined.host][0]
    yield opportunity(
        Kind.TOGETHER,
        class_id=joined.class_id,
        class_name=name,
        usd_month=month.usd,
        interval=month.interval,
        confidence="estimated",
        said=f"Send it when {host} goes: both begin with the same {joined.tokens:,} tokens, and each writes them.",
        evidence={
            "model": model,
            "with": host,
            "head_tokens": joined.tokens,
            "second_writes": joined.cells.height,
            "paid_usd": joined.cells["cost_usd"].sum(),
            "would_have_cost_usd": (joined.cells["cost_usd"] - joined.cells["saving_usd"]).sum(),
            "pace_days": pace.days,
            "requests_month": round(pace.attempts_month),
        },
    )
