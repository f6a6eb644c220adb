"""The official Python client: blocking, asynchronous and beta."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import pytest

from tests.strangers.life import CANCELED, KEY, MODEL, SEEN, TOO_LARGE, TOO_MANY, Transcript, mixed, params

PAUSE = 0.1


def seen(line: Any) -> str:
    """The first word of a message, or the type of an error."""
    result = line.result
    return str(result.error.error.type if result.type == "errored" else result.message.content[0].text.split()[0])


def error(call: Callable[[], object]) -> str:
    """The name of the exception that a call raises."""
    try:
        call()
    except anthropic.APIStatusError as raised:
        return type(raised).__name__
    return "none"


def blocking_life(client: anthropic.Anthropic, batches: Any) -> Transcript:
    """Live the whole life with a blocking client."""

    def ended(batch: Any) -> Any:
        while batch.processing_status != "ended":
            time.sleep(PAUSE)
            batch = batches.retrieve(batch.id)
        return batch

    first = batches.create(requests=mixed())
    done = ended(first)
    results = {line.custom_id: seen(line) for line in batches.results(first.id)}
    second = batches.create(requests=CANCELED)
    canceling = batches.cancel(second.id)
    counts = ended(second).request_counts
    listed = [batch.id for batch in batches.list(limit=1)]
    deleted = batches.delete(first.id)
    talk: Any = params()["messages"]
    return {
        "created": [first.type, first.processing_status, first.request_counts.processing],
        "counts": done.request_counts.to_dict(),
        "results": results,
        "canceling": canceling.processing_status,
        "canceled": ["ended", counts.succeeded + counts.canceled, counts.canceled > 0],
        "pages": listed == [second.id, first.id],
        "deleted": deleted.type,
        "errors": {
            "empty": error(lambda: batches.create(requests=[])),
            "unknown": error(lambda: batches.cancel("msgbatch_unknown")),
            "deleted": error(lambda: batches.retrieve(first.id)),
            "too large": error(lambda: batches.create(requests=TOO_LARGE)),
            "too many": error(lambda: batches.create(requests=TOO_MANY)),
        },
        "models": MODEL in [model.id for model in client.models.list(limit=3)],
        "tokens": client.messages.count_tokens(model=MODEL, messages=talk).input_tokens > 0,
    }


async def async_error(call: Callable[[], Awaitable[object]]) -> str:
    """The name of the exception that an awaited call raises."""
    try:
        await call()
    except anthropic.APIStatusError as raised:
        return type(raised).__name__
    return "none"


async def asynchronous_life(client: anthropic.AsyncAnthropic, batches: Any) -> Transcript:
    """Live the whole life with an asynchronous client."""

    async def ended(batch: Any) -> Any:
        while batch.processing_status != "ended":
            await asyncio.sleep(PAUSE)
            batch = await batches.retrieve(batch.id)
        return batch

    async with client:
        first = await batches.create(requests=mixed())
        done = await ended(first)
        results = {line.custom_id: seen(line) async for line in await batches.results(first.id)}
        second = await batches.create(requests=CANCELED)
        canceling = await batches.cancel(second.id)
        counts = (await ended(second)).request_counts
        listed = [batch.id async for batch in batches.list(limit=1)]
        deleted = await batches.delete(first.id)
        talk: Any = params()["messages"]
        return {
            "created": [first.type, first.processing_status, first.request_counts.processing],
            "counts": done.request_counts.to_dict(),
            "results": results,
            "canceling": canceling.processing_status,
            "canceled": ["ended", counts.succeeded + counts.canceled, counts.canceled > 0],
            "pages": listed == [second.id, first.id],
            "deleted": deleted.type,
            "errors": {
                "empty": await async_error(lambda: batches.create(requests=[])),
                "unknown": await async_error(lambda: batches.cancel("msgbatch_unknown")),
                "deleted": await async_error(lambda: batches.retrieve(first.id)),
                "too large": await async_error(lambda: batches.create(requests=TOO_LARGE)),
                "too many": await async_error(lambda: batches.create(requests=TOO_MANY)),
            },
            "models": MODEL in [model.id async for model in client.models.list(limit=3)],
            "tokens": (await client.messages.count_tokens(model=MODEL, messages=talk)).input_tokens > 0,
        }


@pytest.mark.parametrize("beta", [False, True], ids=["plain", "beta"])
def test_the_blocking_client_lives_the_whole_life(url: str, beta: bool) -> None:
    """Every call of the client answers as its types say, and errors are its own exceptions."""
    with anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0) as client:
        batches = client.beta.messages.batches if beta else client.messages.batches

        assert blocking_life(client, batches) == SEEN


@pytest.mark.parametrize("beta", [False, True], ids=["plain", "beta"])
def test_the_asynchronous_client_lives_the_whole_life(url: str, beta: bool) -> None:
    """The same holds where calls are awaited."""
    client = anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0)
    batches = client.beta.messages.batches if beta else client.messages.batches

    assert asyncio.run(asynchronous_life(client, batches)) == SEEN
