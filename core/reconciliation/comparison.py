"""Report beside ledger: every row with its difference, in parts that add up to it exactly."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from core.prices import PriceBook
from core.prices.book import MONEY
from core.reconciliation.ledger import KINDS, ledger_by_kind
from core.reconciliation.lines import Gap, Pool, causes
from core.reconciliation.parts import EXPLAINED, ROUNDING_USD, UNEXPLAINED, Flag, Part, is_flagged, said

_ZERO = Decimal(0)
_QUANTUM = Decimal(1).scaleb(-12)
_KEY = ("day", "model", "service_tier", "kind")
_FIGURES = ("reported_tokens", "our_tokens", "reported_usd", "reported_list_usd", "our_usd")
_ROW: dict[str, Any] = {
    "day": pl.Date,
    **dict.fromkeys(_KEY[1:], pl.String),
    **dict.fromkeys(_FIGURES[:2], pl.Int64),
    **dict.fromkeys(_FIGURES[2:], MONEY),
}
_PART: dict[str, Any] = {
    "day": pl.Date,
    **dict.fromkeys((*_KEY[1:], "name"), pl.String),
    "tokens": pl.Int64,
    "usd": MONEY,
}


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A job whose work may be reported already: `why` is "under_way" or "missing", `usd` what it costs at most."""

    day: date
    model: str
    why: str
    usd: Decimal


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """Report less ledger, in rows, in parts, and what of it has to be looked at.

    `rows`: day, model, service_tier, kind, reported_tokens, our_tokens, reported_usd, reported_list_usd, our_usd.
    `parts`: the same four, name, tokens, usd: of each row they add up to its difference, in tokens and in USD.
    """

    rows: pl.DataFrame
    parts: pl.DataFrame
    flags: tuple[Flag, ...]

    @property
    def reported_usd(self) -> Decimal:
        """What the account reports, altogether."""
        return _sum(self.rows["reported_usd"])

    @property
    def our_usd(self) -> Decimal:
        """What the ledger has, altogether."""
        return _sum(self.rows["our_usd"])

    def total(self, names: Collection[str]) -> tuple[Part, ...]:
        """What these parts come to, those that come to anything, in this order."""
        sums = self.parts.group_by("name").agg(pl.col("tokens").sum(), pl.col("usd").sum())
        found = {name: (tokens, usd) for name, tokens, usd in sums.iter_rows()}
        return tuple(
            Part(name=name, tokens=found[name][0], usd=found[name][1])
            for name in names
            if name in found and any(found[name])
        )

    @property
    def explained(self) -> tuple[Part, ...]:
        """What has an explanation."""
        return self.total(EXPLAINED)

    @property
    def unexplained(self) -> tuple[Part, ...]:
        """What has none."""
        return self.total(UNEXPLAINED)


@dataclass(frozen=True, kw_only=True)
class _Row:
    key: tuple[date, str, str, str]
    reported_tokens: int = 0
    our_tokens: int = 0
    unpriced_tokens: int = 0
    reported_usd: Decimal = _ZERO
    reported_list_usd: Decimal = _ZERO
    our_usd: Decimal = _ZERO
    our_list_usd: Decimal = _ZERO

    @property
    def usd_per_token(self) -> Decimal:
        """As the report shows it, else as the ledger does."""
        if self.reported_tokens:
            return self.reported_usd / self.reported_tokens
        priced = self.our_tokens - self.unpriced_tokens
        return self.our_usd / priced if priced else _ZERO


def compare(
    usage: pl.DataFrame,
    cost: pl.DataFrame,
    cells: pl.DataFrame,
    *,
    book: PriceBook,
    days: dict[date, bool],
    shown: tuple[date, date],
    pending: Iterable[Pending] = (),
    known_models: Collection[str] = (),
    workspaces: Collection[str] = (),
) -> Reconciliation:
    """Compare what the account reports with what the ledger has.

    `usage`, `cost`: as `core.gateway.AccountReports` has them. `cells`: as `ledger_by_kind` takes them. `days`: every
    day that was read, and whether the account had counted it to its end; days beside `shown` only tell late tokens from
    missing ones. `known_models`: those that Lotwise ever sent work to. `workspaces`: the account's workspaces that
    Lotwise sends from; none = all.
    """
    ours = ledger_by_kind(cells.filter(pl.col("day").is_in(list(days))), book)
    names = book.priced_names({*known_models, *usage["model"].drop_nulls(), *cost["model"].drop_nulls()})
    models = {names.get(name, name) for name in known_models} | set(ours["model"])
    reported = _reported(usage, cost, names, tiers={"batch", *ours["service_tier"]}, models=models, within=workspaces)
    rows = _joined(reported.filter(pl.col("why").is_null()), ours)
    pools: dict[str, list[Pool]] = {}
    for work in sorted(pending, key=lambda work: work.day):
        pool = Pool(day=work.day, why=work.why, usd=work.usd)
        pools.setdefault(names.get(work.model, work.model), []).append(pool)
    parts = [part for line in _lines(rows, days) for part in _parts_of_line(line, days, pools.get(line[0].key[1], []))]
    elsewhere = reported.filter(pl.col("why").is_not_null())
    parts += [
        ((day, model, tier, kind), Part(name=why, tokens=tokens, usd=usd))
        for day, model, tier, kind, why, tokens, usd in elsewhere.select(*_KEY, "why", "tokens", "usd").iter_rows()
    ]
    shown_rows = [row for row in rows if shown[0] <= row.key[0] <= shown[1]]
    frame = pl.DataFrame(
        [(*row.key, *(getattr(row, name) for name in _FIGURES)) for row in shown_rows]
        + [
            (*key, tokens, 0, usd, listed, _ZERO)
            for *key, tokens, usd, listed in elsewhere.filter(pl.col("day").is_between(*shown))
            .select(*_KEY, "tokens", "usd", "list_usd")
            .iter_rows()
        ],
        schema=_ROW,
        orient="row",
    )
    split = pl.DataFrame(
        [
            (*key, part.name, part.tokens, part.usd)
            for key, part in parts
            if shown[0] <= key[0] <= shown[1] and (part.tokens or part.usd)
        ],
        schema=_PART,
        orient="row",
    )
    summed = frame.group_by(_KEY).agg(pl.col(_FIGURES).sum()).with_columns(pl.col(_FIGURES[2:]).cast(MONEY))
    summed = summed.sort("day", "model", "service_tier", "kind", nulls_last=True)
    return Reconciliation(rows=summed, parts=split.sort(*_KEY, "name", nulls_last=True), flags=_flags(summed, split))


def _reported(
    usage: pl.DataFrame,
    cost: pl.DataFrame,
    names: dict[str, str],
    *,
    tiers: Collection[str],
    models: Collection[str],
    within: Collection[str],
) -> pl.DataFrame:
    """Tokens and USD by day, model, tier and kind; `why` says what was not sent from here, null = may have been."""
    nothing = pl.lit(0, pl.Int64), pl.lit(_ZERO, MONEY)
    tokens = pl.concat(
        usage.select(
            *("day", "model", "service_tier", "workspace_id"),
            pl.lit(kind).alias("kind"),
            pl.col(count).alias("tokens"),
            nothing[1].alias("usd"),
            nothing[1].alias("list_usd"),
        )
        for kind, count in KINDS.items()
    )
    dollars = cost.select(
        *("day", "model", "service_tier", "workspace_id", "kind"),
        nothing[0].alias("tokens"),
        pl.col("amount_usd").alias("usd"),
        "list_usd",
    )
    elsewhere = pl.lit(None, pl.String)
    if within:
        elsewhere = pl.when(~pl.col("workspace_id").is_in(list(within)).fill_null(False)).then(
            pl.lit("other_workspace")
        )
    return (
        pl.concat([tokens, dollars])
        .with_columns(pl.col("model").replace(names))
        .with_columns(
            pl.coalesce(
                pl.when(~pl.col("kind").is_in(list(KINDS))).then(pl.lit("other_charge")),
                elsewhere,
                pl.when(~pl.col("service_tier").is_in(list(tiers)).fill_null(False)).then(pl.lit("other_tier")),
                pl.when(~pl.col("model").is_in(list(models)).fill_null(False)).then(pl.lit("other_model")),
            ).alias("why")
        )
        .group_by(*_KEY, "why")
        .agg(pl.col("tokens").sum(), pl.col("usd").sum().cast(MONEY), pl.col("list_usd").sum().cast(MONEY))
        .filter((pl.col("tokens") != 0) | (pl.col("usd") != 0) | (pl.col("list_usd") != 0))
    )


def _joined(reported: pl.DataFrame, ours: pl.DataFrame) -> list[_Row]:
    both = reported.drop("why").join(ours.rename({"tokens": "our_tokens"}), on=_KEY, how="full", coalesce=True)
    both = both.with_columns(
        pl.col("tokens", "our_tokens", "unpriced_tokens").fill_null(0),
        pl.col("usd", "list_usd", "our_usd", "our_list_usd").fill_null(_ZERO),
    )
    return [
        _Row(
            key=(row["day"], row["model"], row["service_tier"], row["kind"]),
            reported_tokens=row["tokens"],
            our_tokens=row["our_tokens"],
            unpriced_tokens=row["unpriced_tokens"],
            reported_usd=row["usd"],
            reported_list_usd=row["list_usd"],
            our_usd=row["our_usd"],
            our_list_usd=row["our_list_usd"],
        )
        for row in both.iter_rows(named=True)
    ]


def _lines(rows: list[_Row], days: Iterable[date]) -> list[list[_Row]]:
    """The rows of one model, tier and kind, one a day that was read, in order."""
    lines: dict[tuple[str, str, str], dict[date, _Row]] = {}
    for row in rows:
        lines.setdefault(row.key[1:], {})[row.key[0]] = row
    order = {kind: place for place, kind in enumerate(KINDS)}
    return [
        [by_day.get(day) or _Row(key=(day, *line)) for day in sorted(days)]
        for line, by_day in sorted(lines.items(), key=lambda pair: (*pair[0][:2], order[pair[0][2]]))
    ]


def _parts_of_line(
    line: list[_Row], days: dict[date, bool], pools: list[Pool]
) -> list[tuple[tuple[date, str, str, str], Part]]:
    gaps = [
        Gap(
            day=row.key[0],
            reported=row.reported_tokens,
            ours=row.our_tokens,
            usd_per_token=row.usd_per_token,
            complete=days[row.key[0]],
        )
        for row in line
    ]
    found = []
    for row, made in zip(line, causes(gaps, pools), strict=True):
        found += [(row.key, part) for part in _in_usd(row, made.tokens)]
    return found


def _in_usd(row: _Row, tokens: dict[str, int]) -> list[Part]:
    """The causes of a row in dollars: tokens at the price the report shows, and what is left is the price's own."""
    rate, difference = row.usd_per_token, row.reported_usd - row.our_usd
    parts = [Part(name=name, tokens=count, usd=_round(count * rate)) for name, count in tokens.items()]
    parts.append(Part(name="unpriced", tokens=0, usd=_round(row.unpriced_tokens * rate)))
    if row.reported_list_usd and row.our_list_usd:
        paid = row.our_list_usd * row.reported_usd / row.reported_list_usd
        parts.append(Part(name="discount", tokens=0, usd=_round(paid - row.our_usd)))
    rest = difference - sum((part.usd for part in parts), _ZERO)
    if abs(rest) <= ROUNDING_USD:
        settled = next((place for place, part in enumerate(parts) if part.usd), None)
        # What dividing left over, some 1e-12 of a dollar, belongs to whatever was divided.
        if settled is not None and abs(rest) <= len(parts) * _QUANTUM:
            parts[settled] = replace(parts[settled], usd=parts[settled].usd + rest)
        else:
            parts.append(Part(name="rounding", tokens=0, usd=rest))
    else:
        parts.append(Part(name="unexplained_price", tokens=0, usd=rest))
    return parts


def _flags(rows: pl.DataFrame, parts: pl.DataFrame) -> tuple[Flag, ...]:
    """Days and models whose unexplained rest is too much, the most dollars first."""
    of = ("day", "model")
    compared = {
        (day, model): max(reported, ours)
        for day, model, reported, ours in rows.group_by(of)
        .agg(pl.col("reported_usd").sum(), pl.col("our_usd").sum())
        .iter_rows()
    }
    open_parts = (
        parts.filter(pl.col("name").is_in(list(UNEXPLAINED)))
        .group_by(of)
        .agg(
            pl.col("tokens").sum(),
            pl.col("usd").abs().sum().alias("either_way"),
            pl.col("usd").sum(),
            pl.col("usd").filter(pl.col("name") == "unexplained_use").sum().alias("use"),
            pl.col("usd").filter(pl.col("name") == "unexplained_price").sum().alias("price"),
        )
    )
    flags = [
        Flag(day=day, model=model, tokens=tokens, usd=usd, said=said(day, model, use=use, price=price))
        for day, model, tokens, either_way, usd, use, price in open_parts.iter_rows()
        if is_flagged(either_way, compared[day, model])
    ]
    return tuple(sorted(flags, key=lambda flag: (-abs(flag.usd), flag.day, flag.model)))


def _round(usd: Decimal) -> Decimal:
    return usd.quantize(_QUANTUM)


def _sum(amounts: pl.Series) -> Decimal:
    return sum(amounts.to_list(), _ZERO)
