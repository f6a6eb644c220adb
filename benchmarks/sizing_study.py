"""The simulation study: the advised jobs against hourly ones as they came, one giant job, and tiny ones.

Traffic is real: a day of shared prompts with its arrivals, a few days in a row, and the request rates of production
clients over days, each client a class of such work. All results of a day are needed at 7:00 the next morning.

The other ways of sending mark every shared prefix for five minutes, the API's default, and send nothing ahead; a second
figure lets each of them choose, in hindsight and case by case, whether to mark and for how long. Costs are dollars a
day: what is billed, reruns included, and the fixed cost of every body and repair. Turnarounds are the documented
assumptions.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.timing import Ratio
from core.prices import PriceBook
from core.settings import Settings
from core.simulation.advice import Bounds, advised
from core.simulation.dispatch import Policy, dispatch
from core.simulation.outcome import Outcome
from core.simulation.twin import World, simulate
from core.simulation.work import ClassOfWork, Economics, Floats, Traffic
from core.sizing.turnaround import Turnarounds
from core.tokens.counting import token_factor

SHARED = Path(os.environ.get("LOTWISE_SHARED_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
EPOCH = datetime(2026, 11, 2, tzinfo=UTC)
WIDTHS = (1.0, 50.0, 500.0, math.inf)
FAULTS = {"none": (0.0, 0.0), "few": (1e-5, 0.005), "many": (1e-4, 0.02)}
"""Chance per item of a fault that voids its job, and share of items that come back billed and useless."""
UNBILLED = 0.01
TOLERANCE = 1.02
_DAY, _HOUR, _SEVEN = 86_400.0, 3_600.0, 7 * 3_600.0
_OUTPUT_TOKENS = 60.0
_ENVELOPE_BYTES = 200.0
_LIVES = (0.0, 300.0, 3600.0)
_USUAL_LIFE = 300.0
_TINY = 20
_REPLICATES = 40


@dataclass(frozen=True, kw_only=True)
class Work:
    """Traffic of some days and its classes without faults."""

    name: str
    days: int
    traffic: Traffic
    classes: tuple[ClassOfWork, ...]

    def economics(self, void_rate: float, fault_rate: float) -> Economics:
        """Its prices with these faults."""
        failing = [
            replace(one, void_rate=void_rate, fault_rate=fault_rate, unbilled_rate=UNBILLED) for one in self.classes
        ]
        return Economics.of(failing, book=PriceBook.load(), now=EPOCH)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One way of sending in one case: dollars a day, share on time, dollars a day for reruns, jobs a day.

    `best_usd`: its cost with the marks that turn out best.
    """

    way: str
    best_usd: float
    cost_usd: float
    on_time: float
    rerun_usd: float
    jobs: float


def measure() -> Iterator[Ratio]:
    """Print the table; then the worst and the best case of the advised jobs against the best of the others."""
    for work in (workloads(days=3), client_rates(days=7)):
        ratios, hindsight = [], []
        for faults in FAULTS:
            for width in WIDTHS:
                cells = study(work, faults=faults, width=width)
                print("\n".join(_lines(work.name, faults, width, cells)), flush=True)
                ratios.append(against_best(cells))
                hindsight.append(against_best(cells, hindsight=True))
        yield _ratio(f"{work.name}: advised jobs, dearest case", max(ratios), "best other way", f"<= {TOLERANCE}")
        yield _ratio(f"{work.name}: advised jobs, best case", min(ratios), "best other way", "well below 1")
        yield _ratio(f"{work.name}: dearest case", max(hindsight), "best marks in hindsight", "<= 1.05")


def study(work: Work, *, faults: str, width: float, replicates: int = _REPLICATES) -> list[Cell]:
    """The advised jobs first, one class a job second, then the other ways."""
    economics = work.economics(*FAULTS[faults])
    settings = Settings()
    world = World(turnaround=Turnarounds().of, width=width, job_usd=float(settings.job_cost_usd))
    bounds = Bounds(requests=settings.max_job_requests, bytes=settings.max_job_bytes, confidence=0.95)
    most = _most(work, economics, bounds)
    ways = {
        "Lotwise": [advised(work.traffic, economics, world, bounds, grouping="packed", every=_DAY)],
        "a class a job": [advised(work.traffic, economics, world, bounds, grouping="class", every=_DAY)],
        "hourly": [_as_they_came(most, life, _HOUR) for life in _LIVES],
        "one giant job": [_as_they_came(most, life, _DAY) for life in _LIVES],
        "tiny jobs": [_as_they_came(_TINY, life, _HOUR) for life in _LIVES],
    }
    cells = []
    for way, policies in ways.items():
        found = [
            simulate(work.traffic, economics, dispatch(work.traffic, economics, policy), world, replicates=replicates)
            for policy in policies
        ]
        usual = found[_LIVES.index(_USUAL_LIFE)] if len(found) > 1 else found[0]
        cells.append(_cell(way, usual, min(float(one.cost_usd.mean()) for one in found), work.days))
    return cells


def against_best(cells: list[Cell], *, hindsight: bool = False) -> float:
    """Cost of the advised jobs over that of the cheapest other way, which may know the best marks in `hindsight`."""
    return cells[0].cost_usd / min(one.best_usd if hindsight else one.cost_usd for one in cells[2:])


def workloads(*, days: int, folder: Path = SHARED) -> Work:
    """The day of shared prompts, so many days in a row."""
    rows = _items(folder)
    classes = _classes(rows)
    of = rows["group_id"].replace_strict({one.key: at for at, one in enumerate(classes)}, return_dtype=pl.Int64)
    day = rows["arrival_s"].to_numpy()
    at = np.concatenate([day + number * _DAY for number in range(days)])
    return _work("workloads", days, at, np.tile(of.to_numpy(), days), classes)


def client_rates(*, days: int, folder: Path = SHARED, items_a_day: float = 20_000.0, clients: int = 40) -> Work:
    """Production clients as classes: their rates over time, scaled to so many items a day, and the shared prompts."""
    rates = (
        pl.read_parquet(folder / "servegen" / "client_rates.parquet")
        .filter(pl.col("t_s") < days * _DAY)
        .with_columns(client=pl.concat_str(pl.col("model").cast(pl.String), "client", separator="-"))
    )
    busiest = (
        rates.group_by("client").agg(pl.col("rate_rps").sum()).sort("rate_rps", "client", descending=[True, False])
    )
    names = busiest["client"].head(clients).to_list()
    kept = rates.filter(pl.col("client").is_in(names)).sort("client", "t_s")
    mean = kept["rate_rps"].to_numpy().astype(np.float64)
    rng = np.random.default_rng(7)
    items = rng.poisson(mean * (items_a_day * days / mean.sum()))
    at = np.repeat(kept["t_s"].to_numpy(), items) + rng.random(int(items.sum())) * 600
    of = np.repeat(kept["client"].replace_strict({name: at for at, name in enumerate(names)}).to_numpy(), items)
    largest = sorted(_classes(_items(folder)), key=lambda one: -one.prefix_tokens)
    classes = [replace(largest[number % len(largest)], key=name) for number, name in enumerate(names)]
    return _work("client rates", days, at, of.astype(np.int64), classes)


def _work(name: str, days: int, at: Floats, of: Floats, classes: list[ClassOfWork]) -> Work:
    order = np.argsort(at, kind="stable")
    at = at[order]
    due = (np.floor(at / _DAY) + 1) * _DAY + _SEVEN
    traffic = Traffic(epoch=EPOCH, at=at, of=of[order].astype(np.int64), due=due, sent=at)
    return Work(name=name, days=days, traffic=traffic, classes=tuple(classes))


def _items(folder: Path) -> pl.DataFrame:
    truth = pl.read_parquet(folder / "workloads" / "truth.parquet")
    arrivals = pl.read_parquet(folder / "workloads" / "arrivals.parquet")
    return truth.join(arrivals, on="custom_id").sort("arrival_s", "custom_id")


def _classes(rows: pl.DataFrame) -> list[ClassOfWork]:
    """One class a shared prefix; tokens as its model counts them."""
    book = PriceBook.load()
    means = (
        rows.group_by("group_id")
        .agg(
            pl.first("model", "prefix_tok"),
            pl.mean("suffix_tok"),
            bytes=pl.mean("prefix_bytes") + pl.mean("suffix_bytes"),
        )
        .sort("group_id")
    )
    return [
        ClassOfWork(
            key=key,
            model=model,
            prefix_tokens=prefix * token_factor(book, model),
            suffix_tokens=suffix * token_factor(book, model),
            output_tokens=_OUTPUT_TOKENS * token_factor(book, model),
            item_bytes=size + _ENVELOPE_BYTES,
        )
        for key, model, prefix, suffix, size in means.iter_rows()
    ]


def _most(work: Work, economics: Economics, bounds: Bounds) -> int:
    """Items of a job as large as the API takes it."""
    return min(bounds.requests, int(bounds.bytes / float(economics.item_bytes[work.traffic.of].mean())))


def _as_they_came(size: int, life: float, every: float) -> Policy:
    return Policy(grouping="arrival", size=size, life=life, primed=False, every=every)


def _cell(way: str, found: Outcome, best_usd: float, days: int) -> Cell:
    return Cell(
        way=way,
        best_usd=best_usd / days,
        cost_usd=float(found.cost_usd.mean()) / days,
        on_time=0.0 if found.on_time is None else float(found.on_time.mean()),
        rerun_usd=float(found.rerun_usd.mean()) / days,
        jobs=float(found.sent_jobs.mean()) / days,
    )


def _lines(name: str, faults: str, width: float, cells: list[Cell]) -> Iterator[str]:
    ratios = f"{against_best(cells):.3f} of the best other way, {against_best(cells, hindsight=True):.3f} in hindsight"
    yield f"{name}, faults {faults}, width {width:g}: advised jobs cost {ratios}"
    for one in cells:
        yield (
            f"  {one.way:<14} ${one.cost_usd:8.2f} (best marks ${one.best_usd:8.2f})  {one.on_time:6.1%} on time  "
            f"reruns ${one.rerun_usd:7.2f}  {one.jobs:6.1f} jobs"
        )


def _ratio(name: str, ratio: float, against: str, goal: str) -> Ratio:
    return Ratio(
        name=name,
        seconds=ratio,
        against=against,
        against_seconds=1.0,
        ratio=ratio,
        goal=goal,
        unit="of its cost",
    )
