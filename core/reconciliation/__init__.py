"""Reconciliation: the account's own usage and cost reports beside Lotwise's ledger, and what explains the difference.

Pure: frames in, frames out. Tokens come first, because a difference in tokens has a cause; dollars follow them at the
price that the report itself shows.
"""

from core.reconciliation.comparison import Pending, Reconciliation, compare
from core.reconciliation.discounts import Discount, learned_discounts
from core.reconciliation.ledger import KINDS, ledger_by_kind
from core.reconciliation.parts import EXPLAINED, UNEXPLAINED, Flag, Part

__all__ = [
    "EXPLAINED",
    "KINDS",
    "UNEXPLAINED",
    "Discount",
    "Flag",
    "Part",
    "Pending",
    "Reconciliation",
    "compare",
    "learned_discounts",
    "ledger_by_kind",
]
