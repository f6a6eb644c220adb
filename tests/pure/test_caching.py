"""Cache marks on named cases: where they land, and what a string becomes."""

import pytest

from core.planning.caching import BlockOutOfReach, mark
from tests.strategies import Json, request

MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def three_parts() -> Json:
    """Two tools, a system prompt and one message: four blocks."""
    return request("M", system="S", tools=[{"name": "a"}, {"name": "b"}])


def test_tools_come_before_the_system_prompt_and_that_before_the_messages() -> None:
    """Cache order, the one thing a mark depends on; a string becomes a block that can carry the mark."""
    text = {"type": "text", "text": "S"}

    assert three_parts() | {"tools": [{"name": "a"}, {"name": "b"} | MARK]} == mark(three_parts(), 2)
    assert three_parts() | {"system": [text | MARK]} == mark(three_parts(), 3)
    assert [{"role": "user", "content": [text | {"text": "M"} | MARK]}] == mark(three_parts(), 4)["messages"]


@pytest.mark.parametrize("block", [0, 2, 99])
def test_a_block_that_is_not_there_cannot_be_marked(block: int) -> None:
    """A request with fewer blocks than its class shares is a fault to be seen, not a mark somewhere else."""
    with pytest.raises(BlockOutOfReach):
        mark(request(), block)
