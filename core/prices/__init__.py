"""The price book: which Claude models there are and what a token of each costs on a given day.

The figures live in `models.toml` and `prices.toml` as dated rows with their source; the code only reads them.
"""

from core.prices.book import NaiveTime, PriceBook, UnknownModel, UnpricedModel
from core.prices.contract import ContractPrice
from core.prices.model import Model
from core.prices.offered import OfferedModel
from core.prices.rates import PriceBookInvalid, PriceRow, Rates

__all__ = [
    "ContractPrice",
    "Model",
    "NaiveTime",
    "OfferedModel",
    "PriceBook",
    "PriceBookInvalid",
    "PriceRow",
    "Rates",
    "UnknownModel",
    "UnpricedModel",
]
