"""pydantic-ai: its own batch interface, agents whose requests share batches, and agents that ask at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import anthropic
import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRequest
from pydantic_ai.capabilities import BatchModelRequests
from pydantic_ai.direct import model_request_batch
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.batch import Batch, BatchRequest
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.settings import ModelSettings

from tests.strangers.life import KEY, MAX_BODY_BYTES, MODEL, QUEUE

SOON = timedelta(seconds=0.1)


class City(BaseModel):
    """What an agent is to answer with."""

    name: str
    people: int


@asynccontextmanager
async def model_at(url: str, name: str = MODEL) -> AsyncIterator[AnthropicModel]:
    """Return a model that asks the local server."""
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0) as client:
        yield AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client))


def asked(count: int, text: str = "Hello") -> list[BatchRequest]:
    """That many requests of a batch."""
    messages = [ModelRequest.user_text_prompt(text)]
    return [BatchRequest(custom_id=f"item-{number}", messages=[*messages]) for number in range(count)]


async def ended(model: AnthropicModel, batch: Batch) -> Batch:
    """The batch when it has ended."""
    while batch.status != "ended":
        await asyncio.sleep(SOON.total_seconds())
        batch = await model.batch_status(batch)
    return batch


async def status_of(call: Callable[[], Awaitable[object]]) -> int:
    """The HTTP status that its exception carries."""
    with pytest.raises(ModelHTTPError) as raised:
        await call()
    return raised.value.status_code


def test_its_batches_live_their_life(url: str) -> None:
    """Create, look, cancel, fetch and decode through its own types; errors carry their status."""

    async def life() -> None:
        async with model_at(url) as model:

            async def create(requests: list[BatchRequest]) -> Batch:
                return await model.batch_create([await model.batch_encode(request) for request in requests])

            requests = asked(3)
            batch = await create(requests)
            assert (batch.status, batch.request_count) == ("in_progress", 3)
            results = {result.custom_id: result for result in await model.batch_results(await ended(model, batch))}
            answers = [model.batch_decode(results[request.custom_id], request) for request in requests]
            assert all((answer.text or "").startswith("Simulated") for answer in answers)
            assert all(answer.usage.output_tokens for answer in answers)

            other = await create(asked(40))
            assert (await model.batch_cancel(other)).status == "canceling"
            states = [result.status for result in await model.batch_results(await ended(model, other))]
            assert len(states) == 40
            assert set(states) == {"succeeded", "canceled"}

            assert await status_of(lambda: model.batch_cancel(other)) == 400
            other.id = "msgbatch_unknown"
            assert await status_of(lambda: model.batch_status(other)) == 404
            assert await status_of(lambda: create(asked(1, "x" * MAX_BODY_BYTES))) == 413
            assert await status_of(lambda: create(asked(QUEUE + 1))) == 429

    asyncio.run(life())


def test_a_list_of_requests_is_answered(url: str) -> None:
    """A wrong request comes back as its own error beside the answers of the others."""

    async def life() -> list[ModelResponse | Exception]:
        async with model_at(url, "claude-haiku-4-5") as model:
            wrong = BatchRequest(
                custom_id="wrong",
                messages=[ModelRequest.user_text_prompt("Hello")],
                model_settings=ModelSettings(temperature=3),
            )
            return [*await model_request_batch(model, [*asked(2), wrong], poll_interval=SOON)]

    first, second, wrong = asyncio.run(life())

    assert isinstance(first, ModelResponse)
    assert isinstance(second, ModelResponse)
    assert isinstance(wrong, ModelHTTPError)
    assert wrong.status_code == 400


def test_its_agents_are_answered(url: str) -> None:
    """Agents get text and typed answers, at once or through a batch they share; tokens are counted."""

    async def life() -> None:
        async with model_at(url) as model:
            assert str((await Agent(model).run("Hello")).output).startswith("Simulated")
            assert (await Agent(model, output_type=City).run("Hello")).output == City(name="Simulated", people=0)
            patient = Agent(model, capabilities=[BatchModelRequests(max_wait=SOON, poll_interval=SOON)])
            answers = await asyncio.gather(patient.run("One"), patient.run("Two"))
            assert all(str(answer.output).startswith("Simulated") for answer in answers)
            usage = await model.count_tokens(asked(1)[0].messages, None, ModelRequestParameters())
            assert usage.input_tokens > 0

    asyncio.run(life())
