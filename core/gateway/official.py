"""The one door to the Message Batches API, and what can go wrong at it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import LotwiseError

if TYPE_CHECKING:
    from anthropic import Anthropic
    from anthropic.types.messages import MessageBatch

_CHUNK_BYTES = 1 << 20
# A count is asked for while a plan waits; the SDK's own patience is ten minutes.
_COUNT_SECONDS = 60.0
# What the token counting page of the API's documentation lists as inputs.
_COUNTED = (
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "speed",
    "cache_control",
)
ONE_HOUR = timedelta(hours=1)
# Answers to a create call that mean: nothing was created (no statement by the API; see the errors page).
_ACCOUNT = {401, 402, 403}
_REQUEST = {400, 404, 413, 422}
_BUSY = 429
_ACCOUNT_CODES = (
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "linked_organization_",
    "organization_on_hold",
    "cmek_key_disabled",
)
_ACCOUNT_WORDS = ("credit balance is too low", "you have reached your specified")


class GatewayDown(LotwiseError):
    """The API could not be reached or is busy. Nothing was lost; Lotwise asks again by itself."""


class NotSent(GatewayDown):
    """The job did not reach the API. It stays planned, and Lotwise sends it again by itself."""


class KeyMissing(NotSent):
    """This workspace belongs to a real account, and its key is not there. Set ANTHROPIC_API_KEY and start again."""


class ReplyLost(LotwiseError):
    """The API may or may not have accepted this job: its reply was lost. Nothing is resent until that is settled."""


class Refused(LotwiseError):
    """The API refused this job, so nothing was created. Correct what it says, then plan its items again."""


class AccountHeld(LotwiseError):
    """The API refuses this account for now. Fix the account (key, credit or limits), then release the job."""


class CountsLimited(GatewayDown):
    """The API counts no more tokens for now. Lotwise plans with estimates, and asks again later."""


class NotCountable(LotwiseError):
    """The API refuses to count the tokens of this request, as it would refuse to run it. Correct what it says."""


class BatchMissing(LotwiseError):
    """The API does not know this batch (yet). Just after creation that passes; Lotwise asks again by itself."""


@dataclass(frozen=True, kw_only=True)
class RemoteBatch:
    """A batch as the API shows it; all times aware UTC."""

    batch_id: str
    status: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    has_results: bool
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

    def list_since(self, since: datetime) -> list[RemoteBatch]:
        """All batches created at or after `since`, newest first. Raises `GatewayDown`."""
        ...

    def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for cancellation. Raises `BatchMissing` or `GatewayDown`."""
        ...

    def download(self, batch_id: str, to: Path) -> None:
        """Write the raw results to `to`. Raises `BatchMissing` or `GatewayDown`."""
        ...

    def count_tokens(self, params: Mapping[str, Any]) -> int:
        """The input tokens of a request with these parameters: free, with a rate limit of its own.

        Raises `NotCountable`, `CountsLimited`, `AccountHeld` or `GatewayDown`.
        """
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

    def list_since(self, since: datetime) -> list[RemoteBatch]:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def cancel(self, batch_id: str) -> RemoteBatch:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def download(self, batch_id: str, to: Path) -> None:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def count_tokens(self, params: Mapping[str, Any]) -> int:
        """Raises `KeyMissing`."""
        raise KeyMissing

    def close(self) -> None:
        """Nothing is open."""


class AnthropicGateway:
    """The official SDK as a `Gateway`; imported on first use because that takes a second."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None = None,
        simulated: bool = False,
        cache_lifetime: timedelta = ONE_HOUR,
    ) -> None:
        self.simulated = simulated
        self.cache_lifetime = cache_lifetime
        self._key = api_key
        self._base_url = base_url
        self._client: Anthropic | None = None

    def create(self, body: Path) -> RemoteBatch:
        """Send a body once: the SDK's own retries would create the batch again after a lost reply."""
        import anthropic  # noqa: PLC0415
        import httpx2  # noqa: PLC0415
        from anthropic.types.messages import MessageBatch  # noqa: PLC0415

        client = self._sdk().with_options(max_retries=0)
        content = body.read_bytes()
        try:
            # The file's bytes go out as they are: counted in advance, and never all parsed into objects.
            return _remote(client.post("/v1/messages/batches", cast_to=MessageBatch, content=content))
        except anthropic.APIStatusError as error:
            raise _refusal(error) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            cause = error if isinstance(error, httpx2.HTTPError) else error.__cause__
            before_sending = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
            if isinstance(cause, before_sending):
                raise NotSent(why=str(cause)) from error
            raise ReplyLost(why=type(cause or error).__name__) from error
        except Exception as error:  # an answer that is no batch, as of a proxy, does not say that there is none
            raise ReplyLost(why=type(error).__name__) from error

    def retrieve(self, batch_id: str) -> RemoteBatch:
        """One batch."""
        with _reading(batch_id):
            return _remote(self._sdk().messages.batches.retrieve(batch_id))

    def list_since(self, since: datetime) -> list[RemoteBatch]:
        """Batches created at or after `since`, newest first, over as many pages as that takes."""
        found: list[RemoteBatch] = []
        with _reading(None):
            for batch in self._sdk().messages.batches.list(limit=100):
                if batch.created_at < since:
                    break
                found.append(_remote(batch))
        return found

    def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for cancellation; items already running may still finish."""
        with _reading(batch_id):
            return _remote(self._sdk().messages.batches.cancel(batch_id))

    def download(self, batch_id: str, to: Path) -> None:
        """Stream the results to a file as raw bytes; what they mean is looked at later."""
        to.parent.mkdir(parents=True, exist_ok=True)
        part = to.with_suffix(".part")
        with (
            _reading(batch_id),
            self._sdk().messages.batches.with_streaming_response.results(batch_id) as response,
            part.open("wb") as file,
        ):
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                file.write(chunk)
        part.replace(to)

    def count_tokens(self, params: Mapping[str, Any]) -> int:
        """Ask once: a counter that is busy is left alone, because an estimate will do for now."""
        import anthropic  # noqa: PLC0415
        from anthropic.types import MessageTokensCount  # noqa: PLC0415

        client = self._sdk().with_options(max_retries=0, timeout=_COUNT_SECONDS)
        body = {name: params[name] for name in _COUNTED if params.get(name) is not None}
        with _reading(None):
            try:
                counted = client.post("/v1/messages/count_tokens", cast_to=MessageTokensCount, body=body)
            except anthropic.APIStatusError as error:
                raise _no_count(error) from error
            return int(counted.input_tokens)

    def close(self) -> None:
        """Close the connections; the next call opens them anew."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _sdk(self) -> "Anthropic":
        if self._client is None:
            from anthropic import Anthropic  # noqa: PLC0415

            self._client = Anthropic(api_key=self._key, base_url=self._base_url)
        return self._client


@contextmanager
def _reading(batch_id: str | None) -> Iterator[None]:
    """Turn the SDK's errors of a call that may be repeated freely into ours."""
    import anthropic  # noqa: PLC0415
    import httpx2  # noqa: PLC0415

    try:
        yield
    except anthropic.NotFoundError as error:
        raise BatchMissing(batch=batch_id, request_id=error.request_id) from error
    except anthropic.APIStatusError as error:
        raise GatewayDown(why=_said(error), request_id=error.request_id) from error
    except (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
        raise GatewayDown(why=f"{type(error).__name__}: {error}") from error


def _refusal(error: Any) -> LotwiseError:
    """What a status that the create call answered with means for the job."""
    status, message = error.status_code, _said(error)
    context = {"status": status, "why": message, "request_id": error.request_id}
    if status in _ACCOUNT or _error_code(error).startswith(_ACCOUNT_CODES):
        return AccountHeld(**context)
    if any(words in message.lower() for words in _ACCOUNT_WORDS):
        return AccountHeld(**context)
    if status in _REQUEST:
        return Refused(**context)
    if status == _BUSY:
        return NotSent(**context)
    return ReplyLost(**context)


def _no_count(error: Any) -> LotwiseError:
    """What a status that the count call answered with means."""
    refusal = _refusal(error)
    if isinstance(refusal, Refused):
        return NotCountable(**refusal.context)
    if isinstance(refusal, NotSent):
        return CountsLimited(**refusal.context, retry_after=error.response.headers.get("retry-after"))
    return refusal if isinstance(refusal, AccountHeld) else GatewayDown(**refusal.context)


def _said(error: Any) -> str:
    """The API's own words; what the SDK makes of them is the whole body as Python text."""
    return str(_inner(error).get("message") or error.message)


def _error_code(error: Any) -> str:
    details = _inner(error).get("details")
    return str(details.get("error_code") or "") if isinstance(details, dict) else ""


def _inner(error: Any) -> dict[str, Any]:
    inner = error.body.get("error") if isinstance(error.body, dict) else None
    return inner if isinstance(inner, dict) else {}


def _remote(batch: "MessageBatch") -> RemoteBatch:
    counts = batch.request_counts
    return RemoteBatch(
        batch_id=batch.id,
        status=batch.processing_status,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        ended_at=batch.ended_at,
        has_results=batch.results_url is not None,
        processing=counts.processing,
        succeeded=counts.succeeded,
        errored=counts.errored,
        canceled=counts.canceled,
        expired=counts.expired,
    )
