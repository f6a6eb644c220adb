"""What Lotwise asks of the API, and the door that is closed because the key is not there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from core.gateway.refusals import KeyMissing
from core.gateway.reports import AccountReports
from core.prices import OfferedModel

ONE_HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class RemoteBatch:
    """A batch as the API shows it; all times aware UTC."""

    batch_id: str
    status: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    has_results: bool
    archived: bool
    processing: int
    succeeded: int
    errored: int
    canceled: int
    expired: int

    @property
    def total(self) -> int:
        """All requests of the batch."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class Gateway(Protocol):
    """What Lotwise asks of the API."""

    simulated: bool
    """Whether answers come from the local server: then every figure made of them says so."""

    cache_lifetime: timedelta
    """How long an entry written with a one-hour mark lives after its last read."""

    def create(self, body: Path) -> RemoteBatch:
        """Send a body. Raises `NotSent`, `Refused`, `AccountHeld`, or `ReplyLost` where it may have arrived."""
        ...

    def retrieve(self, batch_id: str) -> RemoteBatch:
        """One batch. Raises `BatchMissing` or `GatewayDown`."""
        ...

    def newest(self) -> RemoteBatch | None:
        """The batch that was created last, where there is any. Raises `GatewayDown`."""
        ...

    def list_since(self, since: datetime) -> list[RemoteBatch]:
        """All batches created at or after `since`, newest first. Raises `GatewayDown`."""
        ...

    def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for cancellation. Raises `BatchMissing` or `GatewayDown`."""
        ...

    def download(self, batch_id: str, to: Path) -> None:
        """Write the raw results to `to`; what an earlier try left is gone on with. Raises as `retrieve`."""
        ...

    def first_id(self, batch_id: str) -> str:
        """The `custom_id` of the first result of an ended batch. Raises `BatchMissing` or `GatewayDown`."""
        ...

    def count_tokens(self, params: Mapping[str, Any]) -> int:
        """The input tokens of a request with these parameters: free, with a rate limit of its own.

        Raises `NotCountable`, `CountsLimited`, `AccountHeld` or `GatewayDown`.
        """
        ...

    def models(self) -> list[OfferedModel]:
        """The models that the account may use, deprecated ones too. Raises `AccountHeld` or `GatewayDown`."""
        ...

    def reports(self, first: date, last: date) -> AccountReports:
        """The account's usage and cost by UTC day. Raises `ReportsRefused`, `ReportsUnread` or `GatewayDown`."""
        ...

    def close(self) -> None:
        """Give connections back; the next call opens them anew."""
        ...


class ClosedGateway:
    """The gateway of a real account whose key is not there: everything can be read, nothing sent."""

    simulated = False
    cache_lifetime = ONE_HOUR

    def create(self, body: Path) -> RemoteBatch:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def retrieve(self, batch_id: str) -> RemoteBatch:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def newest(self) -> RemoteBatch | None:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def list_since(self, since: datetime) -> list[RemoteBatch]:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def cancel(self, batch_id: str) -> RemoteBatch:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def download(self, batch_id: str, to: Path) -> None:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def first_id(self, batch_id: str) -> str:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def count_tokens(self, params: Mapping[str, Any]) -> int:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def models(self) -> list[OfferedModel]:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def reports(self, first: date, last: date) -> AccountReports:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def close(self) -> None:
        """Nothing is open."""
