"""Savings: what was saved against list price, split among what saved it, and what was not."""

from core.savings.coalitions import LEVERS
from core.savings.decomposition import Lever, Savings, decompose, decompose_by

__all__ = ["LEVERS", "Lever", "Savings", "decompose", "decompose_by"]
