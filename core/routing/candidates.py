"""The models that a class could be tried on: offered live, priced by the book, each with what speaks against it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.prices import Model, OfferedModel, PriceBook, UnknownModel, UnpricedModel

_MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a class asks of any model, in tokens of the model that it runs on today."""

    model: str
    largest_prompt_tokens: float = 0
    max_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model on offer."""

    model: str
    display_name: str
    line: str | None
    input_usd: Decimal | None
    """USD per million input tokens in a batch, uncached and of a short prompt; None where the book has no price."""
    output_usd: Decimal | None
    floor: int | None
    """The shortest prefix that it caches, in its own tokens."""
    retires_at: datetime | None
    why_not: str | None
    """Why it cannot be tried, as a sentence; None for one that can."""
    warning: str | None
    """What to know before it is chosen, as a sentence."""


def candidates(
    offered: Iterable[OfferedModel],
    book: PriceBook,
    *,
    now: datetime,
    like: Needs | None = None,
    unadaptable: Mapping[str, str] | None = None,
) -> tuple[Candidate, ...]:
    """Every model on offer once, cheapest first, those without a price last.

    `like` is what the class needs; its own model is no candidate. `unadaptable` gives reasons, by model, why the
    requests of the class cannot be adapted.
    """
    found: dict[str, Candidate] = {}
    for offer in offered:
        candidate = _candidate(offer, book, now=now, like=like, unadaptable=unadaptable or {})
        found.setdefault(candidate.model, candidate)
    return tuple(sorted(found.values(), key=_price))


def _candidate(
    offer: OfferedModel, book: PriceBook, *, now: datetime, like: Needs | None, unadaptable: Mapping[str, str]
) -> Candidate:
    model = _listed(offer.id, book)
    prices = _prices(model, book, now)
    name = model.id if model else offer.id
    retires_at = offer.retires_at or (model.retires_at if model else None)
    reasons = (
        _not_offered(offer),
        None if model and prices else "Lotwise has no price for it.",
        _not_for_class(offer, model, like, book),
        unadaptable.get(name),
    )
    warnings = [*_retiring(retires_at), *_shorter(offer, model, like)]
    return Candidate(
        model=name,
        display_name=offer.display_name,
        line=offer.line or (model.line if model else None),
        input_usd=prices[0] if prices else None,
        output_usd=prices[1] if prices else None,
        floor=model.cache_floor_tokens if model else None,
        retires_at=retires_at,
        why_not=next((reason for reason in reasons if reason), None),
        warning=" ".join(warnings) or None,
    )


def _listed(name: str, book: PriceBook) -> Model | None:
    try:
        return book.model(name)
    except UnknownModel:
        return None


def _prices(model: Model | None, book: PriceBook, now: datetime) -> tuple[Decimal, Decimal] | None:
    if model is None:
        return None
    try:
        rates = book.rates(model.id, at=now)
    except UnpricedModel:
        return None
    return rates.input * _MILLION, rates.output * _MILLION


def _not_offered(offer: OfferedModel) -> str | None:
    if offer.lifecycle == "retired":
        return "It is retired: its requests fail."
    return None if offer.batch else "It takes no batches."


def _not_for_class(offer: OfferedModel, model: Model | None, like: Needs | None, book: PriceBook) -> str | None:
    if like is None or model is None:
        return None
    own = _listed(like.model, book)
    if own is not None and own.id == model.id:
        return "The class runs on it today."
    scale = own.chars_per_token / model.chars_per_token if own else 1.0  # the same text in its tokenizer
    needed, most = like.largest_prompt_tokens * scale, offer.max_input_tokens or model.max_input_tokens
    if needed <= most:
        return None
    return f"The largest prompt, about {needed:,.0f} tokens, is over its context window of {most:,}."


def _retiring(retires_at: datetime | None) -> Iterator[str]:
    if retires_at is not None:
        yield f"It retires on {retires_at:%Y-%m-%d}."


def _shorter(offer: OfferedModel, model: Model | None, like: Needs | None) -> Iterator[str]:
    most = offer.max_tokens or (model.max_tokens if model else None)
    if like is not None and most is not None and like.max_tokens > most:
        yield f"It writes at most {most:,} tokens, and the class asks for up to {like.max_tokens:,}."


def _price(candidate: Candidate) -> tuple[bool, Decimal, Decimal, str]:
    unpriced = candidate.input_usd is None
    return unpriced, candidate.input_usd or Decimal(0), candidate.output_usd or Decimal(0), candidate.model
