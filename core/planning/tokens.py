"""Estimated tokens: from characters, until a class has results. Never the bill."""

from core.prices import PriceBook, UnknownModel

# For a model that the price book does not list: the older tokenizer's rough measure.
_UNKNOWN_CHARS_PER_TOKEN = 3.5


def prefix_tokens(book: PriceBook, model: str, chars: int) -> tuple[int, bool]:
    """Estimated tokens of a prefix of `chars` characters, and whether that reaches the model's cache floor."""
    try:
        listed = book.model(model)
    except UnknownModel:
        return round(chars / _UNKNOWN_CHARS_PER_TOKEN), False
    tokens = round(chars / listed.chars_per_token)
    return tokens, tokens >= listed.cache_floor_tokens
