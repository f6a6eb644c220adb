"""What can go wrong at the door of the API, and which answer means which."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from core.causes import HOLD, causes
from core.errors import LotwiseError

# Answers to a create call that mean: nothing was created (no statement by the API; see the errors page).
_ACCOUNT = {401, 402, 403}
_REQUEST = {400, 404, 422}
_LARGE = 413
_BUSY = 429


class GatewayDown(LotwiseError):
    """The API could not be reached or is busy. Nothing was lost; Lotwise asks again by itself."""


class NotSent(GatewayDown):
    """The job did not reach the API. It stays planned, and Lotwise sends it again by itself."""


class Busy(NotSent):
    """The API takes no more jobs for now. It stays planned, and Lotwise sends it again by itself."""

    def __init__(self, *, retry_after: float | None, **context: Any) -> None:
        self.retry_after = retry_after
        """Seconds that the API asked to wait, where it said so."""
        super().__init__(**context)


class KeyMissing(NotSent):
    """This workspace belongs to a real account, and its key is not there. Set ANTHROPIC_API_KEY and start again."""


class ReplyLost(LotwiseError):
    """The API may or may not have accepted this job: its reply was lost. Nothing is resent until that is settled."""


class Refused(LotwiseError):
    """The API refused this job, so nothing was created. Correct what it says, then plan its items again."""


class TooLarge(Refused):
    """The API finds this job too large, so nothing was created. Lotwise sends it in two halves."""


class AccountHeld(LotwiseError):
    """The API refuses this account for now. Fix the account (key, credit or limits), then release the job."""


class CountsLimited(GatewayDown):
    """The API counts no more tokens for now. Lotwise plans with estimates, and asks again later."""


class NotCountable(LotwiseError):
    """The API refuses to count the tokens of this request, as it would refuse to run it. Correct what it says."""


class BatchMissing(LotwiseError):
    """The API does not know this batch (yet). Just after creation that passes; Lotwise asks again by itself."""


@contextmanager
def reading(batch_id: str | None) -> Iterator[None]:
    """Turn the SDK's errors of a call that may be repeated freely into ours."""
    import anthropic  # noqa: PLC0415
    import httpx2  # noqa: PLC0415

    try:
        yield
    except anthropic.NotFoundError as error:
        raise BatchMissing(batch=batch_id, request_id=error.request_id) from error
    except anthropic.APIStatusError as error:
        raise GatewayDown(why=said(error), request_id=error.request_id) from error
    except (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise GatewayDown(why=f"{type(error).__name__}: {error}") from error


def refusal(error: Any) -> LotwiseError:
    """What a status that the create call answered with means for the job."""
    status, message = error.status_code, said(error)
    context = {"status": status, "why": message, "request_id": error.request_id}
    named = causes().named(code=_error_code(error), message=message)
    if status in _ACCOUNT or (named is not None and named.action == HOLD):
        return AccountHeld(**context)
    if status == _LARGE:
        return TooLarge(**context)
    if status in _REQUEST:
        return Refused(**context)
    if status == _BUSY:
        return Busy(**context, retry_after=_seconds(error.response.headers.get("retry-after")))
    return ReplyLost(**context)


def no_count(error: Any) -> LotwiseError:
    """What a status that the count call answered with means."""
    meant = refusal(error)
    if isinstance(meant, Refused):
        return NotCountable(**meant.context)
    if isinstance(meant, Busy):
        return CountsLimited(**meant.context, retry_after=meant.retry_after)
    return no_list(error)


def no_list(error: Any) -> LotwiseError:
    """What a status that the list of models was answered with means."""
    meant = refusal(error)
    return meant if isinstance(meant, AccountHeld) else GatewayDown(**meant.context)


def _seconds(text: str | None) -> float | None:
    """A `retry-after` in seconds; its other form, a date, would hang on two clocks."""
    with suppress(TypeError, ValueError):
        seconds = float(text or "")
        return seconds if 0 <= seconds < float("inf") else None
    return None


def said(error: Any) -> str:
    """The API's own words; what the SDK makes of them is the whole body as Python text."""
    return str(_inner(error).get("message") or error.message)


def _error_code(error: Any) -> str:
    details = _inner(error).get("details")
    return str(details.get("error_code") or "") if isinstance(details, dict) else ""


def _inner(error: Any) -> dict[str, Any]:
    inner = error.body.get("error") if isinstance(error.body, dict) else None
    return inner if isinstance(inner, dict) else {}
