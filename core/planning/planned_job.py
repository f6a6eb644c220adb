"""One job of a plan."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.caching.learned import Basis
from core.caching.lifetimes import Lifetime


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """One proposed job. `class_id` is None where it carries several classes; prices are None where unknown.

    `lifetime`: that of its marks, None where nothing is marked; `primer`: the number of the job that it waits for;
    `decided_by`: what its size was decided by, a constraint of `core.sizing` or "least_cost" ("one_each" for primers,
    "backlog" where it is all there is, "unpriced"). `send_at`: when it is expected to go; `ends_by`, `ready_by`: when
    it has ended, and its results are there, repaired once, as surely as was asked for. `prediction_basis`: what the
    predicted reads rest on.
    """

    number: int
    role: str
    class_id: str | None
    class_name: str
    model: str
    items: int
    body_bytes: int
    lifetime: Lifetime | None
    primer: int | None
    decided_by: str
    predicted_usd: Decimal | None
    predicted_plain_usd: Decimal | None
    predicted_read_tokens: int
    predicted_write_tokens: int
    prediction_basis: Basis | None
    send_at: datetime
    ends_by: datetime
    ready_by: datetime | None
