"""What a difference between report and ledger is made of, and when it has to be looked at."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

EXPLAINED = {
    "other_tier": "service tiers other than batch, which Lotwise does not send",
    "other_workspace": "other workspaces of the account",
    "other_model": "models that Lotwise has never sent work to",
    "other_charge": "charges other than for tokens and web searches",
    "discount": "a contract discount that the price book does not have",
    "unpriced": "attempts here without a known price",
    "dating": "batches that the account dates by a later day",
    "incomplete": "days that the account has not counted to their end",
    "under_way": "jobs whose results are not in yet",
    "missing": "results that were lost to Lotwise",
    "rounding": "the rounding of the report",
}
"""What explains a difference."""

UNEXPLAINED = {
    "unexplained_use": "tokens that nothing here explains",
    "unexplained_price": "a price other than in the price book",
}
"""What is left."""

LEAST_USD = Decimal("0.01")
LEAST_SHARE = Decimal("0.001")
"""A rest is flagged that exceeds both a cent, and this share of what was reported or reckoned."""

ROUNDING_USD = Decimal("0.0001")
"""At equal tokens, a hundredth of a cent a row is put down to the report's rounding: how fine its cents are is not
documented."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the difference of one row, report less ledger: tokens (0 where only the price differs) and USD."""

    name: str
    tokens: int
    usd: Decimal


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A rest of a day and model that nothing explains: tokens of all kinds and USD, report less ledger."""

    day: date
    model: str
    tokens: int
    usd: Decimal
    said: str


def is_flagged(rest: Decimal, compared: Decimal) -> bool:
    """Whether a rest is too much beside the amount it is a rest of."""
    return abs(rest) > LEAST_USD and abs(rest) > LEAST_SHARE * abs(compared)


def said(day: date, model: str, *, use: Decimal, price: Decimal) -> str:
    """The rest of a day and model in a sentence, with what to do about it."""
    when = f"on {day:%Y-%m-%d}"
    if abs(price) > abs(use):
        more = "more" if price > 0 else "less"
        return (
            f"The account charged ${abs(price):,.2f} {more} for {model} {when} than the same tokens cost by the price "
            "book. Compare its list price with the account's."
        )
    if use > 0:
        return (
            f"The account reports ${use:,.2f} more of batches on {model} {when} than Lotwise sent. Bring in batches "
            "sent from elsewhere (History), and look for other senders."
        )
    return (
        f"The account reports ${-use:,.2f} less of batches on {model} {when} than the ledger has. Check that the key "
        "reads the reports of the right organization and workspace, and read them again."
    )
