"""Settings as data: one table of name, default and help; the environment may override each as LOTWISE_<NAME>."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from core.errors import LotwiseError


class SettingInvalid(LotwiseError):
    """This setting is not a number it can be. Correct the environment variable and start again."""


def _setting(default: Any, help: str, *, least: int = 0) -> Any:  # noqa: A002 - the word of the field
    return field(default=default, metadata={"help": help, "least": least})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How Lotwise sizes, sends and predicts; limits are the API's (batch processing page of its documentation)."""

    max_job_requests: int = _setting(100_000, "Requests in one job, at most: the API's limit.", least=1)
    max_job_bytes: int = _setting(
        256_000_000, "Bytes of one job's body, at most: the API's 256 MB, counted as sent.", least=1
    )
    blast_radius_usd: Decimal = _setting(Decimal(25), "Dollars of work that one job may put at risk.")
    job_cost_usd: Decimal = _setting(Decimal("0.25"), "What one job costs besides its items: a look by a person.")
    job_fault_rate: float = _setting(0.00001, "Assumed chance, per item, that a fault voids the whole job.")
    output_share: float = _setting(0.4, "Assumed output as a share of max_tokens, until a class has results.")
    poll_seconds: float = _setting(60.0, "Seconds between two looks at running batches of the real API.")
    settle_seconds: float = _setting(120.0, "Seconds after a lost reply before its job may be sent again.")
    sandbox_seed: int = _setting(7, "Seed of the embedded local server.")
    sandbox_time_scale: float = _setting(
        40.0, "How many times faster than life the embedded local server runs.", least=1
    )
    sandbox_width: int = _setting(50, "Items in flight at once in the embedded local server.", least=1)
    sandbox_error_rate: float = _setting(0.02, "Share of items that fail for a passing reason in the local server.")
    sandbox_expiry_rate: float = _setting(0.01, "Share of items that expire in the embedded local server.")

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The defaults, overridden by `LOTWISE_<NAME>` of the environment. Raises `SettingInvalid`."""
        environment = os.environ if environment is None else environment
        given: dict[str, Any] = {}
        for setting in fields(cls):
            name = f"LOTWISE_{setting.name.upper()}"
            if name in environment:
                try:
                    value = type(getattr(cls, setting.name))(environment[name])
                    usable = math.isfinite(value) and value >= setting.metadata["least"]
                except (ValueError, InvalidOperation):
                    usable = False
                if not usable:
                    raise SettingInvalid(setting=name, value=environment[name])
                given[setting.name] = value
        return cls(**given)
