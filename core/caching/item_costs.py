"""What items cost as planned and without caching: tokens from characters, dollars from the prices of the day. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import polars as pl

from core.caching.lifetimes import Multipliers
from core.prices import PriceBook, UnknownModel, UnpricedModel
from core.settings import Settings
from core.tokens.counting import prefix_tokens

# Rates have that many decimals, so do sums of them.
_DOLLAR_DECIMALS = 12


@dataclass(frozen=True, kw_only=True)
class ClassRates:
    """What tokens of a class cost in a batch: dollars a token, the model's cache multipliers and floor."""

    input: float
    output: float
    multipliers: Multipliers
    floor: int


def with_tokens(items: pl.DataFrame, *, book: PriceBook, settings: Settings) -> pl.DataFrame:
    """Add what each item is taken to have: `prompt_tokens` and `answer_tokens`.

    Columns read: class_id, model, prefix_chars, prefix_tokens, chars, max_tokens, output_tokens (the class's mean so
    far, or null: then the assumed share of max_tokens counts), and suffix_ratio (tokens a character behind the prefix;
    added where it is not given, from what texts have on that model).
    """
    if "suffix_ratio" not in items.columns:
        ratios = {model: prefix_tokens(book, model, 1_000_000)[0] / 1_000_000 for model in items["model"].unique()}
        usual = pl.col("model").replace_strict(ratios, default=None, return_dtype=pl.Float64)
        items = items.with_columns(suffix_ratio=usual)
    return items.with_columns(
        answer_tokens=pl.coalesce(
            pl.col("output_tokens").cast(pl.Float64), pl.col("max_tokens").cast(pl.Float64) * settings.output_share
        ),
    ).with_columns(prompt_tokens=tokens_at(pl.col("chars")).clip(lower_bound=1.0))


def tokens_at(chars: pl.Expr) -> pl.Expr:
    """Tokens of an item's first `chars` characters: up to its class's prefix by that, behind it by `suffix_ratio`."""
    prefix, tokens = pl.col("prefix_chars"), pl.col("prefix_tokens").cast(pl.Float64)
    inside = pl.when(prefix > 0).then(tokens / prefix).otherwise(pl.col("suffix_ratio"))
    return chars.clip(upper_bound=prefix) * inside + (chars - prefix).clip(lower_bound=0) * pl.col("suffix_ratio")


def class_rates(items: pl.DataFrame, *, book: PriceBook, now: datetime) -> dict[str, ClassRates]:
    """The rates of every class (by id) that has a price today; its mean prompt decides where a price has a cliff."""
    classes = items.group_by("class_id", maintain_order=True).agg(
        pl.first("model"), prompt=pl.col("prompt_tokens").mean().ceil().cast(pl.Int64)
    )
    asked = classes.select("model", "prompt").unique().iter_rows()
    rates = {(model, prompt): _rates(book, model, prompt, now) for model, prompt in asked}
    return {
        class_id: found
        for class_id, model, prompt in classes.iter_rows()
        if (found := rates[model, prompt]) is not None
    }


def _rates(book: PriceBook, model: str, prompt_tokens: int, now: datetime) -> ClassRates | None:
    try:
        rates = book.rates(model, at=now, total_input_tokens=prompt_tokens)
        floor = book.model(model).cache_floor_tokens
    except (UnknownModel, UnpricedModel):
        return None
    return ClassRates(
        input=float(rates.input),
        output=float(rates.output),
        multipliers=Multipliers(
            read=float(rates.cache_read / rates.input),
            write_5m=float(rates.cache_write_5m / rates.input),
            write_1h=float(rates.cache_write_1h / rates.input),
        ),
        floor=floor,
    )


def with_costs(items: pl.DataFrame, rates: Mapping[str, ClassRates]) -> pl.DataFrame:
    """Add `read_tokens`, `write_tokens`, `plain_usd` and `planned_usd`; dollars are null where unpriced.

    Columns read besides those of `with_tokens`: cached_tokens (up to the item's last mark, 0 = none), lifetime (null =
    none), read_share and write_share (how often it is expected to read and to write them).
    """
    prices = pl.DataFrame(
        [
            (class_id, of.input, of.output, of.multipliers.read, of.multipliers.write_5m, of.multipliers.write_1h)
            for class_id, of in rates.items()
        ],
        schema={"class_id": pl.String} | dict.fromkeys(("_in", "_out", "_read", "_5m", "_1h"), pl.Float64),
        orient="row",
    )
    write = pl.when(pl.col("lifetime") == "5m").then("_5m").otherwise("_1h")
    saved = pl.col("read_tokens") * (1 - pl.col("_read")) + pl.col("write_tokens") * (1 - write)
    return (
        items.with_columns(
            read_tokens=pl.col("cached_tokens") * pl.col("read_share"),
            write_tokens=pl.col("cached_tokens") * pl.col("write_share"),
        )
        .join(prices, on="class_id", how="left", maintain_order="left")
        .with_columns(
            plain_usd=pl.col("prompt_tokens") * pl.col("_in") + pl.col("answer_tokens") * pl.col("_out"),
            saved_usd=saved * pl.col("_in"),
        )
        .with_columns(planned_usd=pl.col("plain_usd") - pl.col("saved_usd"))
        .drop("_in", "_out", "_read", "_5m", "_1h", "saved_usd")
    )


def dollars(amounts: pl.Series) -> Decimal | None:
    """The sum as money; None where one of them has no price."""
    if amounts.null_count():
        return None
    return money(float(amounts.sum()))


def money(usd: float | None) -> Decimal | None:
    """Dollars as money, in as many decimals as rates have; None stays unknown."""
    # Through text: rounded as exactly as by a Decimal, three times faster, and done several times a class.
    return None if usd is None else Decimal(f"{usd:.{_DOLLAR_DECIMALS}f}")
