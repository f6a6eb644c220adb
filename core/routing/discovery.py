"""Many classes at once: which of them clear together, so that few of those that clear do so wrongly.

Every ruling by itself is wrong with a small chance; among very many, some will be. Where the share of wrong ones among
all that clear must be small too, the evidence is compared with how many classes were tried.
"""

from collections.abc import Mapping

import numpy as np

from core.routing.mixture import log_evidence
from core.routing.verdict import Bar, Tally


def clear_together(tallies: Mapping[str, tuple[Tally, Bar]], *, error: float) -> frozenset[str]:
    """The classes that clear, of which a share of `error` at most is wrong on average, at any time, however related.

    Give every class that was tried, with its labels so far. The largest number K of classes of which each has evidence
    of all / (error K) at least (e-BH: Wang and Ramdas, False discovery rate control with e-values, JRSS-B 84, 2022).
    """
    found = {name: float(log_evidence(tally.counts(bar), bar.mean)) for name, (tally, bar) in tallies.items()}
    ranked = sorted(found, key=lambda name: -found[name])
    wanted = np.log(len(ranked) / (error * np.arange(1, len(ranked) + 1)))
    enough = np.flatnonzero(np.array([found[name] for name in ranked]) >= wanted)
    return frozenset(ranked[: int(enough[-1]) + 1]) if enough.size else frozenset()
