"""A local server that speaks the Message Batches protocol, so that everything runs without an account.

It simulates: no model is called and nothing is billed. Every id it hands out has `_sim_` in it, every text
says "Simulated", and every answer carries the header `x-lotwise-simulated: true`.
"""

from core.sandbox.app import create_app
from core.sandbox.batch import BATCH_PREFIX
from core.sandbox.faults import CreateFault, Faults, ResultsFault
from core.sandbox.gate import SIMULATED_HEADER
from core.sandbox.options import BadSandboxOption, SandboxOptions
from core.sandbox.quality import ORDINARY_TIERS, truth_of

__all__ = [
    "BATCH_PREFIX",
    "ORDINARY_TIERS",
    "SIMULATED_HEADER",
    "BadSandboxOption",
    "CreateFault",
    "Faults",
    "ResultsFault",
    "SandboxOptions",
    "create_app",
    "is_simulated",
    "truth_of",
]


def is_simulated(batch_id: str) -> bool:
    """Whether the local server made this batch, so that its data can be shown as simulated."""
    return batch_id.startswith(BATCH_PREFIX)
