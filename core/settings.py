"""Settings as data: one table of name, default and help; the environment may override each as LOTWISE_<NAME>."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from core.errors import LotwiseError

_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class SettingInvalid(LotwiseError):
    """This setting cannot have this value. Correct the environment variable and start again."""


def _setting(default: Any, help: str, *, least: int = 0, form: str = "") -> Any:  # noqa: A002 - the word of the field
    return field(default=default, metadata={"help": help, "least": least, "form": form})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How Lotwise sizes, sends and predicts; limits are the API's (batch processing page of its documentation)."""

    max_job_requests: int = _setting(100_000, "Requests in one job, at most: the API's limit.", least=1)
    max_job_bytes: int = _setting(
        256_000_000, "Bytes of one job's body, at most: the API's 256 MB, counted as sent.", least=1
    )
    blast_radius_usd: Decimal = _setting(Decimal(25), "Dollars of work that one job may put at risk.")
    blast_radius_hours: float = _setting(24.0, "Hours that running a lost job anew may take.")
    job_cost_usd: Decimal = _setting(Decimal("0.25"), "What one job costs besides its items: a look by a person.")
    wrong_answer_usd: Decimal = _setting(
        Decimal(0), "What an answer that is not usable costs besides its price: noticing it and putting it right."
    )
    job_budget_usd: Decimal = _setting(Decimal(50), "Dollars that one job may cost (predicted) without a confirmation.")
    day_budget_usd: Decimal = _setting(
        Decimal(100), "Dollars, spent and committed, of a day (UTC) beyond which a confirmation is asked for."
    )
    month_budget_usd: Decimal = _setting(Decimal(1000), "The same for a month (UTC).")
    job_fault_rate: float = _setting(0.00001, "Assumed chance, per item, that a fault voids the whole job.")
    output_share: float = _setting(0.4, "Assumed output as a share of max_tokens, until a class has results.")
    queue_limit: int = _setting(
        200_000,
        "Requests that may wait and run at the API at once: as your tier allows (200,000 on the first).",
        least=1,
    )
    poll_seconds: float = _setting(60.0, "Seconds between two looks at running batches of the real API.")
    audit_share: float = _setting(0.01, "Share of a routed class's answers that is drawn to be looked at.")
    settle_seconds: float = _setting(
        300.0, "Seconds that a job whose reply was lost must be missing at the API before it is sent again."
    )
    shared_account: bool = _setting(
        True, "Whether others send batches in the same API workspace: then what may be theirs is never canceled."
    )
    executor: str = _setting(
        "auto",
        "Where large files are scanned: auto, inline, processes, or the tcp://host:port of a Dask scheduler.",
        form=r"auto|inline|processes|tcp://[^\s/]+:\d{1,5}",
    )
    metadata_only: bool = _setting(False, "Keep what prompts and outputs say out of the store; for new workspaces.")
    import_from: str = _setting(
        "", "Folder beside the workspace whose files the page may import by path; empty: none.", form=r"[^\x00]*"
    )
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
                given[setting.name] = _value(setting, name, environment[name])
        return cls(**given)


def _value(setting: Field[Any], name: str, text: str) -> Any:
    """The text as a value of the default's type, if the setting can have it. Raises `SettingInvalid`."""
    kind: type = type(setting.default)
    try:
        value = _TRUTH[text.lower()] if kind is bool else kind(text)
        if isinstance(value, str):
            usable = re.fullmatch(setting.metadata["form"], value) is not None
        else:
            usable = math.isfinite(value) and value >= setting.metadata["least"]
    except (ValueError, KeyError, InvalidOperation):
        usable = False
    if not usable:
        raise SettingInvalid(setting=name, value=text, help=setting.metadata["help"])
    return value
