"""The one door to the Message Batches API, and what can go wrong at it."""

from core.gateway.door import ONE_HOUR, ClosedGateway, Gateway, RemoteBatch
from core.gateway.official import AnthropicGateway
from core.gateway.refusals import (
    AccountHeld,
    BatchMissing,
    Busy,
    CountsLimited,
    GatewayDown,
    KeyMissing,
    NotCountable,
    NotSent,
    Refused,
    ReplyLost,
    TooLarge,
)
from core.gateway.reports import AccountReports, ReportsRefused, ReportsUnread
from core.prices import OfferedModel

__all__ = [
    "ONE_HOUR",
    "AccountHeld",
    "AccountReports",
    "AnthropicGateway",
    "BatchMissing",
    "Busy",
    "ClosedGateway",
    "CountsLimited",
    "Gateway",
    "GatewayDown",
    "KeyMissing",
    "NotCountable",
    "NotSent",
    "OfferedModel",
    "Refused",
    "RemoteBatch",
    "ReplyLost",
    "ReportsRefused",
    "ReportsUnread",
    "TooLarge",
]
