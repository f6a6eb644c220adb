"""Stranded efficiency: what a gain is worth after signing, of what it would have been worth before."""

from dataclasses import dataclass

from core.commitment.payment import Floats, Rate, pay, pay_as_used, unused


@dataclass(frozen=True, kw_only=True)
class Stranded:
    """Means over the futures, in USD; potential = saved + stranded."""

    potential: float
    """What the gain would save if there were no floor."""
    saved: float
    """What it saves under the commitment."""
    stranded: float
    """What is paid for and no longer used."""


def stranded(before: Floats, after: Floats, commit: float, rate: Rate) -> Stranded:
    """List value of each future `before` a gain and `after` it, under a commitment of `commit` USD made before it."""
    potential = pay_as_used(before, commit, rate) - pay_as_used(after, commit, rate)
    saved = pay(before, commit, rate) - pay(after, commit, rate)
    lost = (1 - rate.kept) * (unused(after, commit, rate) - unused(before, commit, rate))
    return Stranded(potential=float(potential.mean()), saved=float(saved.mean()), stranded=float(lost.mean()))
