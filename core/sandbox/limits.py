"""What the simulated account may use: requests a minute, and credit."""

from core.sandbox.faults import Faults
from core.sandbox.options import SandboxOptions

_MINUTE_US = 60_000_000


class RequestRate:
    """A token bucket: a minute's worth of requests at once, then as many as come in again."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._level = float(per_minute)
        self._at_us = 0

    def take(self, now_us: int) -> float:
        """Take one request; the seconds to wait where there is none left, else 0. A rate of 0 is without limit."""
        if not self._per_minute:
            return 0.0
        come_in = max(0, now_us - self._at_us) * self._per_minute / _MINUTE_US
        self._level = min(float(self._per_minute), self._level + come_in)
        self._at_us = max(self._at_us, now_us)
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) * _MINUTE_US / self._per_minute / 1_000_000


class Credit:
    """What is left to pay for items of batches; a server that starts anew has all of it again."""

    def __init__(self, options: SandboxOptions, faults: Faults) -> None:
        self._most = options.credit_requests
        self._faults = faults
        self._used = 0

    @property
    def exhausted(self) -> bool:
        """Whether nothing more is paid for."""
        return self._faults.credit_exhausted or 0 < self._most <= self._used

    def use(self) -> None:
        """Pay for one item."""
        self._used += 1
