"""Exact counts: asked of the real endpoint through the real SDK, few, dear ones first, and never twice."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import polars as pl
import pytest
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.gateway import (
    AccountHeld,
    AnthropicGateway,
    ClosedGateway,
    CountsLimited,
    GatewayDown,
    KeyMissing,
    NotCountable,
)
from core.intake.class_tokens import ClassTokens, class_tokens
from core.intake.payloads import PayloadsMissing, payload_path
from core.intake.token_counts import Counting, count_classes
from core.loopback import LoopbackServer
from core.prices import PriceBook
from core.sandbox import create_app
from core.store import Transaction
from tests.jobs.driving import MODEL, START, Bench, lone, prefix, request, shared

BOOK = PriceBook.load()
OLDER = "claude-haiku-4-5"


class Counter:
    """A local server and a gateway to it: keeps every question, and can be told to answer otherwise."""

    def __init__(self) -> None:
        self.app: ASGIApp = create_app()
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[int, Response] = {}
        """What to answer to the question of that number, counted from 0, instead of its count."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        first = await receive()
        assert not first.get("more_body")
        number = len(self.asked)
        self.asked.append(json.loads(first["body"]))
        answer = self.answers.get(number, self.app)

        async def replay() -> Any:
            return first

        await answer(scope, replay, send)


@pytest.fixture
def counter() -> Counter:
    """Return a server that counts as the local server does."""
    return Counter()


@pytest.fixture
def gateway(counter: Counter) -> Iterator[AnthropicGateway]:
    """Return a gateway to that server."""
    with ExitStack() as stack:
        server = stack.enter_context(LoopbackServer(counter))
        found = AnthropicGateway(api_key="any", base_url=server.url, simulated=True)
        stack.callback(found.close)
        yield found


def error(status: int, kind: str, message: str = "Simulated", **headers: str) -> Response:
    """An error as the API words it."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return JSONResponse(body, status, headers=headers)


def count(bench: Bench, gateway: Any, budget: int = 1_000) -> Counting:
    """Ask for what is not known yet."""
    return count_classes(bench.workspace.store, bench.folder, gateway, BOOK, now=START, budget=budget)


def tokens(bench: Bench) -> dict[str, ClassTokens]:
    """What is known of the classes, by the first word of their names."""
    names = dict(bench.query("backlog", class_ids=None).select("class_id", "class_name").iter_rows())
    found = class_tokens(bench.workspace.store, bench.folder, BOOK, simulated=True)
    assert found.keys() == names.keys()
    return {names[class_id].split(":")[0]: of for class_id, of in found.items()}


def alone(gateway: AnthropicGateway, system: str) -> int:
    """The tokens of a system prompt, by a difference of two counts."""
    asked: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
    return gateway.count_tokens(asked | {"system": system}) - gateway.count_tokens(asked)


def put_results(job: str, results: pl.DataFrame, tx: Transaction) -> None:
    """Have the results of a job say something else."""
    tx.merge("put_results", results, job_id=job)


def test_before_anything_is_known_tokens_are_estimated(bench: Bench) -> None:
    """From the texts, with the widest band; a prefix far from its floor is certain all the same."""
    bench.load(*shared("long", 5), *shared("older", 3, model=OLDER), *lone(2))
    found = tokens(bench)

    assert {of.prefix.basis for of in found.values()} == {"estimated"} == {of.whole.basis for of in found.values()}
    assert found["long"].prefix.low < found["long"].prefix.tokens < found["long"].prefix.high
    assert (found["long"].reaches, found["older"].reaches) == ("yes", "no")
    assert found["long"].prefix.tokens == pytest.approx(1.3 * found["older"].prefix.tokens, rel=0.01)
    assert all(of.whole.tokens > of.prefix.tokens and of.results == 0 for of in found.values())


def test_a_counted_prefix_is_exact_and_is_what_gets_billed(bench: Bench, gateway: AnthropicGateway) -> None:
    """Counted alone, a prefix has the tokens that the API then writes to its cache and reads from it."""
    bench.load(*shared("long", 8))
    said = count(bench, gateway)
    found = tokens(bench)["long"]

    assert (said.refused, said.left, said.stopped) == (0, False, None)
    assert (found.prefix.basis, found.whole.basis, found.results) == ("exact", "measured", 3)
    assert found.prefix.tokens == found.prefix.low == found.prefix.high == alone(gateway, prefix("long"))
    bench.submit()
    billed = bench.run().attempts().select(pl.col("cache_write_1h_tokens") + pl.col("cache_read_tokens")).to_series()
    assert set(billed) == {found.prefix.tokens}


@pytest.mark.parametrize("place", ["tools", "system blocks", "user blocks", "after an answer"])
def test_a_prefix_is_counted_wherever_it_ends(bench: Bench, gateway: AnthropicGateway, place: str) -> None:
    """In front of the messages, inside one, or after a turn of the assistant: the call is valid and counts it alone."""
    text = prefix("long")
    block = {"type": "text", "text": text}
    tool = {"name": "find", "description": text, "input_schema": {"type": "object"}}
    for number in range(4):
        item = request(f"item-{number}")
        (turn,) = item["params"]["messages"]
        item["params"] |= {
            "tools": {"tools": [tool], "tool_choice": {"type": "auto"}},
            "system blocks": {"system": [block]},
            "user blocks": {"messages": [{**turn, "content": [block, {"type": "text", "text": turn["content"]}]}]},
            "after an answer": {
                "messages": [{**turn, "content": "Yes?"}, {"role": "assistant", "content": text}, turn]
            },
        }[place]
        bench.load(item)
    assert count(bench, gateway).refused == 0
    (found,) = tokens(bench).values()

    expected = {
        "tools": gateway.count_tokens({**request("x")["params"], "tools": [tool]})
        - gateway.count_tokens(request("x")["params"]),
        "after an answer": alone(gateway, "Yes?") + alone(gateway, text),
    }.get(place, alone(gateway, text))
    assert (found.prefix.basis, found.prefix.tokens) == ("exact", expected)


def test_nothing_is_asked_twice(bench: Bench, counter: Counter, gateway: AnthropicGateway) -> None:
    """Not in the next run, not after a restart, and not for new items of a class that is known."""
    bench.load(*shared("one", 5), *shared("two", 5))
    first = count(bench, gateway)
    assert first.asked == len(counter.asked) == 1 + 2 * (1 + 3)  # the turn; of each class its prefix and three items
    assert len({json.dumps(asked, sort_keys=True) for asked in counter.asked}) == first.asked

    assert count(bench, gateway).asked == 0
    bench.reopen()
    bench.load(*(request(f"more-{number}", system=prefix("one")) for number in range(5)))
    assert count(bench, gateway).asked == 0
    bench.load(*shared("three", 3))
    assert count(bench, gateway).asked == 4


def test_the_budget_is_kept_and_the_dearest_class_comes_first(
    bench: Bench, counter: Counter, gateway: AnthropicGateway
) -> None:
    """A prefix is worth more than an item, and the class with most to pay for more than the others."""
    bench.load(*shared("small", 3), *shared("large", 9))
    said = [count(bench, gateway, budget=2) for _ in range(5)]

    assert [(one.asked, one.left) for one in said] == [(2, True), (2, True), (2, True), (2, True), (1, False)]
    heads = [str(asked.get("system", ""))[:5] for asked in counter.asked]
    assert heads == ["", "large", "small", *["large"] * 3, *["small"] * 3]
    assert count(bench, gateway, budget=0).asked == 0


def test_a_busy_counter_is_left_alone(bench: Bench, counter: Counter, gateway: AnthropicGateway) -> None:
    """One 429 ends it for now, with what the API said; what was answered before is kept, and the rest comes later."""
    bench.load(*shared("one", 5), *shared("two", 5))
    counter.answers[3] = error(429, "rate_limit_error", "Slow down", **{"retry-after": "17"})
    said = count(bench, gateway)

    assert (said.asked, said.left, len(counter.asked)) == (3, True, 4)
    assert isinstance(said.stopped, CountsLimited)
    assert (said.stopped.context["retry_after"], said.stopped.context["why"]) == (17.0, "Slow down")
    assert {of.prefix.basis for of in tokens(bench).values()} == {"exact"}
    again = count(bench, gateway)
    assert (again.asked, again.left, len(counter.asked)) == (9 - 3, False, 4 + 6)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (error(401, "authentication_error"), AccountHeld),
        (error(400, "invalid_request_error", "Your credit balance is too low to access the API."), AccountHeld),
        (error(500, "api_error"), GatewayDown),
        (error(529, "overloaded_error"), GatewayDown),
        (JSONResponse({"input_tokens": None}), GatewayDown),
        (Response("<html>", media_type="text/html"), GatewayDown),
    ],
    ids=["key", "credit", "fault", "overload", "no count", "proxy"],
)
def test_where_the_api_does_not_answer_counting_ends_for_now(
    bench: Bench, counter: Counter, gateway: AnthropicGateway, answer: Response, reason: type[Exception]
) -> None:
    """One call, no second try; plans go on with estimates."""
    bench.load(*shared("one", 5))
    counter.answers[0] = answer
    said = count(bench, gateway)

    assert (said.asked, said.left, type(said.stopped), len(counter.asked)) == (0, True, reason, 1)
    assert tokens(bench)["one"].prefix.basis == "estimated"


def test_without_a_key_nothing_is_asked(bench: Bench) -> None:
    """The workspace of a real account is planned with estimates until its key is there."""
    bench.load(*shared("one", 5))
    said = count(bench, ClosedGateway())

    assert (said.asked, said.left, type(said.stopped)) == (0, True, KeyMissing)


def test_what_the_api_refuses_to_count_is_not_asked_again(
    bench: Bench, counter: Counter, gateway: AnthropicGateway
) -> None:
    """A model that it does not know costs one call, a request that it does not accept one; the others are counted."""
    forced = {"tools": [{"name": "find", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"}}
    bench.load(*shared("strange", 9, model="claude-nobody"), *shared("forced", 3, **forced), *shared("good", 4))
    said = count(bench, gateway)

    assert (said.refused, said.left, said.stopped) == (1 + 3, False, None)  # a forced tool is in the items only
    assert count(bench, gateway).asked == 0
    found = tokens(bench)
    assert (found["good"].prefix.basis, found["strange"].prefix.basis) == ("exact", "estimated")
    assert found["strange"].reaches == "unsure"
    assert (found["forced"].prefix.basis, found["forced"].whole.basis) == ("exact", "estimated")


def test_counts_of_the_local_server_are_not_taken_for_the_api_s(bench: Bench, gateway: AnthropicGateway) -> None:
    """It counts in its own way: a workspace that gets a key asks anew."""
    bench.load(*shared("one", 5))
    count(bench, gateway)
    real = class_tokens(bench.workspace.store, bench.folder, BOOK, simulated=False)

    assert {of.prefix.basis for of in real.values()} == {"estimated"}


def test_only_documented_inputs_are_sent(counter: Counter, gateway: AnthropicGateway) -> None:
    """The counter knows no max_tokens, no metadata and no sampling; what counts is all there."""
    sent: Mapping[str, Any] = {
        "model": OLDER,
        "messages": [{"role": "user", "content": "Hello"}],
        "system": [{"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "find", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "disabled"},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    }
    more = {"max_tokens": 5, "metadata": {"user_id": "x"}, "temperature": 1.0, "inference_geo": "us", "speed": None}

    assert gateway.count_tokens({**sent, **more}) > 0
    assert counter.asked == [sent]
    with pytest.raises(NotCountable, match="messages"):
        gateway.count_tokens({"model": OLDER})


def test_results_correct_the_estimate(bench: Bench) -> None:
    """After a few results the class's tokens are within the band of what was billed, its prefix exactly."""
    bench.load(*shared("one", 9))
    before = tokens(bench)["one"]
    bench.submit()
    billed = bench.run().attempts()
    bench.load(*(request(f"more-{number}", system=prefix("one")) for number in range(4)))
    after = tokens(bench)["one"]

    assert (after.prefix.basis, after.whole.basis, after.results) == ("measured", "measured", 9)
    assert after.prefix.tokens == billed["cache_read_tokens"].max()
    whole = billed.select(pl.sum_horizontal("input_tokens", "cache_write_1h_tokens", "cache_read_tokens").mean()).item()
    assert after.whole.low <= whole <= after.whole.high
    assert abs(after.whole.tokens - whole) < abs(before.whole.tokens - whole)
    assert after.whole.high - after.whole.low < before.whole.high - before.whole.low


def learn_anew(job: str, tx: Transaction) -> None:
    """What results told of prompts is learned once, when they come; these were changed since."""
    tx.run("forget_prompts", job_ids=[job])
    tx.run("learn_past_prompts", job_ids=[job])


def test_a_prefix_that_was_marked_and_never_cached_is_under_the_floor(bench: Bench) -> None:
    """The API ignores a mark under the floor without a word; zeros in the bill tell."""
    bench.load(*shared("one", 4))
    assert tokens(bench)["one"].reaches == "yes"
    bench.submit()
    unread = (
        bench.run()
        .attempts()
        .with_columns(
            cache_write_1h_tokens=pl.lit(0),
            cache_read_tokens=pl.lit(0),
            refusal_category=pl.lit(None, dtype=pl.String),
        )
    )
    for job in unread["job_id"].unique():
        bench.workspace.store.write(partial(put_results, job, unread))
        bench.workspace.store.write(partial(learn_anew, job))
    bench.load(*(request(f"more-{number}", system=prefix("one")) for number in range(3)))

    assert tokens(bench)["one"].reaches == "no"


def test_equal_prompts_are_one_question_and_one_result(bench: Bench, gateway: AnthropicGateway) -> None:
    """What was counted once says no more about the others because it stands in the backlog many times."""
    same = [request(f"same-{number}", system=prefix("one")) for number in range(30)]
    for item in same:
        item["params"]["messages"][0]["content"] = "Is it in order?"
    bench.load(*same)

    assert count(bench, gateway).asked == 1 + 1 + 1  # the turn, the prefix, the prompt
    assert [of.results for of in tokens(bench).values()] == [1]


def test_the_answers_of_one_look_are_one_write(bench: Bench, gateway: AnthropicGateway) -> None:
    """Every write makes every open page plan anew."""
    bench.load(*shared("one", 5), *shared("two", 5))
    store = bench.workspace.store
    before = store.version

    assert count(bench, gateway).asked == 9
    assert store.version == before + 1
    assert count(bench, gateway).asked == 0
    assert store.version == before + 1


def test_an_accident_on_the_way_loses_no_answer(bench: Bench, counter: Counter, gateway: AnthropicGateway) -> None:
    """What was asked before it is known afterwards."""
    bench.load(*shared("small", 3))
    last = bench.query("imports")["import_id"].to_list()
    bench.load(*shared("large", 9))
    payload_path(bench.folder, *last).unlink()
    with pytest.raises(PayloadsMissing):
        count(bench, gateway)

    assert len(counter.asked) == bench.query("token_counts", simulated=True).height == 2  # the turn, the large prefix
