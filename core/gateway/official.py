"""The official SDK as the door to the Message Batches API."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from core.gateway.door import ONE_HOUR, RemoteBatch
from core.gateway.offered import offered
from core.gateway.refusals import NotSent, ReplyLost, no_count, no_list, reading, refusal
from core.gateway.reports import AccountReports, read_reports
from core.prices import OfferedModel

if TYPE_CHECKING:
    from anthropic import Anthropic
    from anthropic.types.messages import MessageBatch

_PARTIAL, _NOT_SATISFIABLE = 206, 416
# A count is asked for while a plan waits; the SDK's own patience is ten minutes.
_COUNT_SECONDS = 60.0
# Nothing else moves while the API is waited for. A create call given up may have arrived: that is settled by looking.
_CREATE_SECONDS = 180.0
_READ_SECONDS = 60.0
_LIST_PAGE = 100
# A person waits for the list of models.
_MODELS_SECONDS = 20.0
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


class _RangeRefused(Exception):
    """The rest of a file was asked for, and the server has none: the part on disk is no part of it."""


class AnthropicGateway:
    """The official SDK as a `Gateway`; imported on first use because that takes a second."""

    def __init__(
        self,
        *,
        api_key: str,
        admin_key: str | None = None,
        base_url: str | None = None,
        simulated: bool = False,
        cache_lifetime: timedelta = ONE_HOUR,
        create_seconds: float = _CREATE_SECONDS,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self.simulated = simulated
        self.cache_lifetime = cache_lifetime
        self._create_seconds, self._read_seconds = create_seconds, read_seconds
        self._key, self._admin_key = api_key, admin_key
        self._base_url = base_url
        self._client: Anthropic | None = None

    def create(self, body: Path) -> RemoteBatch:
        """Send a body once: the SDK's own retries would create the batch again after a lost reply."""
        import anthropic  # noqa: PLC0415
        import httpx2  # noqa: PLC0415
        from anthropic.types.messages import MessageBatch  # noqa: PLC0415

        client = self._sdk().with_options(max_retries=0, timeout=self._create_seconds)
        content = body.read_bytes()
        try:
            # The file's bytes go out as they are: counted in advance, and never all parsed into objects.
            return _remote(client.post("/v1/messages/batches", cast_to=MessageBatch, content=content))
        except anthropic.APIStatusError as error:
            raise refusal(error) from error
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
        with reading(batch_id):
            return _remote(self._sdk().messages.batches.retrieve(batch_id))

    def newest(self) -> RemoteBatch | None:
        """The first batch of the list."""
        with reading(None):
            page = self._sdk().messages.batches.list(limit=1)
            return _remote(page.data[0]) if page.data else None

    def list_since(self, since: datetime) -> list[RemoteBatch]:
        """Batches created at or after `since`, newest first, over as many pages as that takes."""
        found: list[RemoteBatch] = []
        with reading(None):
            for batch in self._sdk().messages.batches.list(limit=_LIST_PAGE):
                if batch.created_at < since:
                    break
                found.append(_remote(batch))
        return found

    def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for cancellation; items already running may still finish."""
        with reading(batch_id):
            return _remote(self._sdk().messages.batches.cancel(batch_id))

    def download(self, batch_id: str, to: Path) -> None:
        """Stream the results to a file as raw bytes; what they mean is looked at later.

        A download that broke off goes on where it stopped if the server can do that (RFC 9110, range requests), else
        it begins anew. Results never change once there, and the whole file is verified before it is used.
        """
        to.parent.mkdir(parents=True, exist_ok=True)
        part = to.with_name(f"{batch_id}.part")
        there = part.stat().st_size if part.exists() else 0
        with reading(batch_id):
            try:
                self._stream(batch_id, part, there)
            except _RangeRefused:
                self._stream(batch_id, part, 0)
        part.replace(to)

    def _stream(self, batch_id: str, part: Path, there: int) -> None:
        import anthropic  # noqa: PLC0415

        # Bytes are counted as they lie here, so the rest must not come compressed.
        wanted = {"Range": f"bytes={there}-", "Accept-Encoding": "identity"} if there else {}
        results = self._sdk().messages.batches.with_streaming_response.results
        try:
            with results(batch_id, extra_headers=wanted) as response:
                goes_on = response.status_code == _PARTIAL
                with part.open("ab" if goes_on else "wb") as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
        except anthropic.APIStatusError as error:
            if error.status_code == _NOT_SATISFIABLE and there:
                raise _RangeRefused from error
            raise

    def first_id(self, batch_id: str) -> str:
        """Read the first line of the results, and leave the rest."""
        with reading(batch_id), self._sdk().messages.batches.with_streaming_response.results(batch_id) as response:
            return str(orjson.loads(next(response.iter_lines(), ""))["custom_id"])

    def count_tokens(self, params: Mapping[str, Any]) -> int:
        """Ask once: a counter that is busy is left alone, because an estimate will do for now."""
        import anthropic  # noqa: PLC0415
        from anthropic.types import MessageTokensCount  # noqa: PLC0415

        client = self._sdk().with_options(max_retries=0, timeout=_COUNT_SECONDS)
        body = {name: params[name] for name in _COUNTED if params.get(name) is not None}
        with reading(None):
            try:
                counted = client.post("/v1/messages/count_tokens", cast_to=MessageTokensCount, body=body)
            except anthropic.APIStatusError as error:
                raise no_count(error) from error
            return int(counted.input_tokens)

    def models(self) -> list[OfferedModel]:
        """Every model that is not retired, over as many pages as that takes."""
        import anthropic  # noqa: PLC0415

        client = self._sdk().with_options(max_retries=1, timeout=_MODELS_SECONDS)
        with reading(None):
            try:
                return offered(client.models.list(limit=_LIST_PAGE, lifecycle=["active", "deprecated"]))
            except anthropic.APIStatusError as error:
                raise no_list(error) from error

    def reports(self, first: date, last: date) -> AccountReports:
        """With the Admin key where there is one: most other keys may not read reports."""
        client = self._sdk()
        return read_reports(client.with_options(api_key=self._admin_key) if self._admin_key else client, first, last)

    def close(self) -> None:
        """Close the connections; the next call opens them anew."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _sdk(self) -> "Anthropic":
        if self._client is None:
            from anthropic import Anthropic  # noqa: PLC0415

            self._client = Anthropic(api_key=self._key, base_url=self._base_url, timeout=self._read_seconds)
        return self._client


def _remote(batch: "MessageBatch") -> RemoteBatch:
    counts = batch.request_counts
    return RemoteBatch(
        batch_id=batch.id,
        status=batch.processing_status,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        ended_at=batch.ended_at,
        has_results=batch.results_url is not None,
        archived=batch.archived_at is not None,
        processing=counts.processing,
        succeeded=counts.succeeded,
        errored=counts.errored,
        canceled=counts.canceled,
        expired=counts.expired,
    )
