"""The lines of work of a period: usable items, billed attempts, text by meter and route, what was paid and listed.

A line of work is a class under its name: it stays one line when its prefix or its model changes, as charts draw it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from core.prices import PriceBook, Rates, UnknownModel, UnpricedModel
from core.prices.book import MONEY
from core.trends.totals import USABLE

_TOKENS = {
    "own": "input_tokens",
    "write_5m": "cache_write_5m_tokens",
    "write_1h": "cache_write_1h_tokens",
    "read": "cache_read_tokens",
    "output": "output_tokens",
    "search": "web_searches",
}
PREFIX = ("plain", "write_5m", "write_1h", "read")
"""What becomes of a prefix: paid in full where nothing was marked, written for five minutes or an hour, or read."""
METERS = ("own", *PREFIX, "output", "search")
RATE = {
    "own": "input",
    "plain": "input",
    "write_5m": "cache_write_5m",
    "write_1h": "cache_write_1h",
    "read": "cache_read",
    "output": "output",
    "search": "web_search",
}
_ZERO = Decimal(0)
_USABLE = pl.when(pl.col("usable").fill_null(False)).then("attempts").otherwise(0)


class Route(NamedTuple):
    """What a list price depends on, apart from the day."""

    model: str
    batch: bool
    geo_us: bool
    above_tokens: int

    def rates(self, book: PriceBook, day: date) -> Rates | None:
        """Its list prices on a day (UTC), USD per token; None where there are none."""
        try:
            return book.rates(
                self.model,
                at=datetime.combine(day, time(), UTC),
                total_input_tokens=self.above_tokens + 1 if self.above_tokens else 0,
                batch=self.batch,
                geo="us" if self.geo_us else None,
            )
        except (UnknownModel, UnpricedModel):
            return None


@dataclass(kw_only=True)
class Line:
    """One line of work in one period; characters and list dollars by meter and route."""

    units: int = 0
    usable: int = 0
    """Usable items: its units, where it counts nothing else."""
    cost_usd: Decimal = _ZERO
    attempts: int = 0
    """Billed ones."""
    marked_attempts: int = 0
    chars: dict[tuple[str, Route], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    listed: dict[tuple[str, Route], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    unmarked: dict[Route, int] = field(default_factory=lambda: defaultdict(int))
    """Billed attempts without a cache mark: what they read in full holds their prefix too."""
    unmarked_chars: dict[Route, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    unmarked_usd: dict[Route, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    @property
    def whole(self) -> bool:
        """Whether there is a cost per unit: usable items, and something that was billed."""
        return self.units > 0 and self.usable > 0 and self.attempts > 0 and self.list_usd > 0

    @property
    def list_usd(self) -> Decimal:
        """What it would cost at list prices."""
        return sum(self.listed.values(), _ZERO)

    def routes(self) -> set[Route]:
        """The routes that its billed attempts took."""
        return {route for _, route in self.chars}

    def prefix_chars(self) -> Decimal | None:
        """Characters of prefix per attempt that was marked; None where none was."""
        if not self.marked_attempts:
            return None
        return (
            sum((self.chars[meter, route] for meter in PREFIX[1:] for route in self.routes()), _ZERO)
            / self.marked_attempts
        )

    def part_prefix(self, chars: Decimal | None) -> None:
        """Tell the prefix that was paid in full from the text of the items' own, now that its length is known."""
        for route, count in self.unmarked.items():
            whole, usd = self.unmarked_chars[route], self.unmarked_usd[route]
            prefix = min(whole, (chars or _ZERO) * count)
            share = prefix / whole if whole else _ZERO
            self.chars["plain", route] += prefix
            self.listed["plain", route] += usd * share
            self.chars["own", route] += whole - prefix
            self.listed["own", route] += usd - usd * share


@dataclass(frozen=True, kw_only=True)
class Period:
    """All lines of work of one period, and its first and last day."""

    lines: dict[str, Line]
    first: date | None
    last: date | None

    @property
    def units(self) -> int:
        """Usable items of all lines."""
        return sum(line.units for line in self.lines.values())

    @property
    def cost_usd(self) -> Decimal:
        """What was paid for all lines."""
        return sum((line.cost_usd for line in self.lines.values()), _ZERO)


def periods_of(before: pl.DataFrame, after: pl.DataFrame, book: PriceBook) -> tuple[Period, Period, int]:
    """The lines of work of two frames of `listed` cells, and how many attempts of both have no known price."""
    units = units_of(before, after)
    first, unknown = _period(before.with_columns(units), book)
    last, more = _period(after.with_columns(units), book)
    for name in first.lines.keys() | last.lines.keys():
        pair = [period.lines[name] for period in (first, last) if name in period.lines]
        known = [line.prefix_chars() for line in pair]
        for line, own in zip(pair, known, strict=True):
            line.part_prefix(own if own is not None else next((other for other in known if other is not None), None))
    return first, last, unknown + more


def units_of(*cells: pl.DataFrame) -> pl.Expr:
    """What cost is divided by: the unit of the work, where all of it has one and the same and it is always known.

    Else usable items: a page and a token cannot be added up.
    """
    return _USABLE.alias("units") if _mixed(*cells) else pl.col("units")


def unit_of(*cells: pl.DataFrame) -> str:
    """The name of that unit."""
    names = pl.concat([frame["unit"] for frame in cells]).unique()
    return USABLE if _mixed(*cells) or names.is_empty() else str(names[0])


def in_one_unit(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells with `units` and `unit` as all of them have in common, so that any days of them are counted alike."""
    return cells.with_columns(units_of(cells), unit=pl.lit(unit_of(cells)), uncounted=pl.lit(0))


def _mixed(*cells: pl.DataFrame) -> bool:
    kinds = pl.concat([frame["unit"] for frame in cells]).n_unique()
    return kinds > 1 or any(frame["uncounted"].sum() for frame in cells)


def listed(cells: pl.DataFrame, book: PriceBook) -> pl.DataFrame:
    """Rows of `work_cell` with what each would cost by these list prices, meter by meter: once for many comparisons.

    `known`: whether both prices, paid and listed, are; `marked`: whether anything met the cache.
    """
    billed = pl.col("billed").fill_null(False)
    routed = cells.with_columns(
        pl.coalesce("class_name", "class_id").alias("line"),
        (pl.col("service_tier").is_null() | (pl.col("service_tier") == "batch")).alias("batch"),
        pl.col("inference_geo").eq_missing("us").alias("geo_us"),
        billed,
    )
    rated = routed.join(
        _rates(routed, book), on=("day", *Route._fields), how="left", nulls_equal=True, maintain_order="left"
    )
    usd = [
        (pl.col(column).cast(pl.Decimal(38, 0)) * pl.col(f"rate_{meter}")).cast(MONEY).alias(f"usd_{meter}")
        for meter, column in _TOKENS.items()
    ]
    return rated.with_columns(
        ((pl.col("unpriced") == 0) & (pl.col("rate_own").is_not_null() | ~billed)).alias("known"),
        (pl.sum_horizontal(_TOKENS[meter] for meter in PREFIX[1:]) > 0).alias("marked"),
        _USABLE.alias("usable_items"),
        *usd,
    ).drop(f"rate_{meter}" for meter in _TOKENS)


def _period(cells: pl.DataFrame, book: PriceBook) -> tuple[Period, int]:
    lines: dict[str, Line] = defaultdict(Line)
    unknown = 0
    for row in _sums(cells):
        if not row["known"]:
            unknown += int(row["attempts"])
            continue
        line = lines[row["line"]]
        line.units += int(row["units"])
        line.usable += int(row["usable_items"])
        line.cost_usd += row["cost_usd"]
        if row["billed"]:
            _add(line, row, book)
    return Period(lines=dict(lines), first=_day(cells["day"].min()), last=_day(cells["day"].max())), unknown


def _rates(routed: pl.DataFrame, book: PriceBook) -> pl.DataFrame:
    """The list prices of every route on every day that it was taken."""
    taken = routed.filter("billed").select("day", *Route._fields).unique()
    rows = []
    for day, *route in taken.iter_rows():
        rates = None if route[0] is None else Route(*route).rates(book, day)
        if rates is not None:
            named = {f"rate_{meter}": getattr(rates, RATE[meter]) for meter in _TOKENS}
            rows.append({"day": day, **dict(zip(Route._fields, route, strict=True)), **named})
    schema: dict[str, Any] = {name: taken.schema[name] for name in taken.columns}
    return pl.DataFrame(rows, schema=schema | {f"rate_{meter}": MONEY for meter in _TOKENS})


def _sums(cells: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Tokens and list dollars of each line by meter, route, what is known, and whether anything was marked."""
    by = ("line", "known", "billed", "marked", *Route._fields)
    tokens = [pl.col(column).sum().alias(f"tokens_{meter}") for meter, column in _TOKENS.items()]
    whole = pl.col("attempts", "units", "usable_items", "cost_usd", *(f"usd_{meter}" for meter in _TOKENS)).sum()
    return cells.group_by(by).agg(whole, *tokens).sort(by).iter_rows(named=True)


def _add(line: Line, row: Mapping[str, Any], book: PriceBook) -> None:
    route = Route(*(row[name] for name in Route._fields))
    per_token = chars_per_token(book, route.model)
    line.attempts += int(row["attempts"])
    if row["marked"]:
        line.marked_attempts += int(row["attempts"])
    for meter in _TOKENS:
        chars = int(row[f"tokens_{meter}"]) * (1 if meter == "search" else per_token)
        if meter == "own" and not row["marked"]:
            line.unmarked[route] += int(row["attempts"])
            line.unmarked_chars[route] += chars
            line.unmarked_usd[route] += row[f"usd_{meter}"]
        else:
            line.chars[meter, route] += chars
            line.listed[meter, route] += row[f"usd_{meter}"]


def chars_per_token(book: PriceBook, model: str) -> Decimal:
    """Of the model's tokenizer; of a model that is priced but not known, as of the newest."""
    try:
        return Decimal(str(book.model(model).chars_per_token))
    except UnknownModel:
        return Decimal(str(book.models()[0].chars_per_token))


def _day(value: Any) -> date | None:
    return value if isinstance(value, date) else None
