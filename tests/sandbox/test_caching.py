"""Prompt caching as documented: floors, lifetimes, marks, and when an entry can be read."""

from typing import Any

from tests.sandbox.driving import Server, Start, marked, request, requests

HEAVY = "You are a careful reader. " * 200
LIGHT = "You are a careful reader."


def usages(results: dict[str, Any]) -> list[tuple[int, int, int]]:
    """Tokens read, written for 5 minutes and written for 1 hour, per item."""
    return [
        (
            usage.cache_read_input_tokens,
            usage.cache_creation.ephemeral_5m_input_tokens,
            usage.cache_creation.ephemeral_1h_input_tokens,
        )
        for usage in (results[name].message.usage for name in sorted(results))
    ]


def depth(server: Server, text: str = HEAVY) -> int:
    """Tokens of a system block."""
    message: Any = [{"role": "user", "content": "x"}]
    count = server.client.messages.count_tokens
    whole: int = count(model="claude-sonnet-5-5", messages=message, system=text).input_tokens
    rest: int = count(model="claude-sonnet-5-5", messages=message).input_tokens
    return whole - rest


def test_a_cold_batch_in_parallel_reads_nothing(start: Start) -> None:
    """Items in flight together all pay the write: an entry is readable only after a response has begun."""
    server = start(width=50)

    used = usages(server.run(*requests(50, system=[marked(HEAVY)])))

    assert used == [(0, depth(server), 0)] * 50


def test_a_primed_batch_reads_everything(start: Start) -> None:
    """After a primer of one real item every item of the body reads the prefix and writes nothing."""
    server = start(width=50)
    primer = server.run(request("primer", system=[marked(HEAVY, "1h")]), minutes=4)

    body = server.run(*requests(80, system=[marked(HEAVY, "1h")]))

    assert usages(primer) == [(0, 0, depth(server))]
    assert usages(body) == [(depth(server), 0, 0)] * 80


def test_later_waves_read_what_the_first_wrote(start: Start) -> None:
    """With a width of 10 the first 10 of 30 items write and the rest read."""
    server = start(width=10, seconds_spread=0.0)

    used = usages(server.run(*requests(30, system=[marked(HEAVY)])))

    assert sum(read == 0 for read, _, _ in used) == 10
    assert sum(read == depth(server) for read, _, _ in used) == 20


def test_under_the_floor_nothing_is_cached(server: Server) -> None:
    """A short prefix is silently uncached, and the floor is the model's own."""
    for model, text in (("claude-sonnet-5-5", LIGHT), ("claude-haiku-4-5", HEAVY)):
        for _ in range(2):
            results = server.run(request(system=[marked(text)], model=model), minutes=2)
            assert usages(results) == [(0, 0, 0)]
            assert results["one"].message.usage.cache_creation_input_tokens == 0


def test_an_entry_lives_for_its_ttl_from_the_last_start(start: Start) -> None:
    """A read keeps an entry alive; after its lifetime it must be written again."""
    server = start(seconds_spread=0.0)
    tokens = depth(server)
    item = request(system=[marked(HEAVY)])

    assert usages(server.run(item, minutes=4)) == [(0, tokens, 0)]
    assert usages(server.run(item, minutes=4)) == [(tokens, 0, 0)]
    assert usages(server.run(item, minutes=6)) == [(tokens, 0, 0)]
    assert usages(server.run(item, minutes=6)) == [(0, tokens, 0)]


def test_lifetimes_are_divided_by_the_time_scale(start: Start) -> None:
    """At scale 60 an hour lasts a minute."""
    server = start(time_scale=60.0)
    item = request(system=[marked(HEAVY, "1h")])
    tokens = depth(server)

    assert usages(server.run(item, seconds=50)) == [(0, 0, tokens)]
    assert usages(server.run(item, seconds=70)) == [(tokens, 0, 0)]
    assert usages(server.run(item, seconds=50)) == [(0, 0, tokens)]


def test_mixed_lifetimes_follow_the_documented_rule(server: Server) -> None:
    """Read A, write B - A for an hour and C - B for five minutes."""
    tools = [{"name": "t", "input_schema": {"type": "object", "description": HEAVY}}]
    tools[0]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    both = [marked(HEAVY, "1h"), marked(HEAVY + "!", "5m")]
    server.run(request(tools=tools), minutes=1)

    ((read, five, hour),) = usages(server.run(request(tools=tools, system=both), minutes=1))

    assert (hour, five) == (depth(server), depth(server, HEAVY + "!"))
    assert read > 512
    assert usages(server.run(request(tools=tools, system=both), minutes=1)) == [(read + five + hour, 0, 0)]


def test_a_mark_looks_back_twenty_blocks(start: Start) -> None:
    """An earlier write is found 19 blocks before the mark, not 20."""
    for extra, hit in ((19, True), (20, False)):
        server = start(seed=extra)
        server.run(request(system=[marked(HEAVY)]), minutes=1)
        blocks = [
            {"type": "text", "text": HEAVY},
            *({"type": "text", "text": f"{n}"} for n in range(extra - 1)),
        ]

        ((read, _, _),) = usages(server.run(request(system=[*blocks, marked("end")]), minutes=1))

        assert (read == depth(server)) is hit


def test_automatic_caching_marks_the_last_block(server: Server) -> None:
    """In a fan-out it writes every unique end and reads nothing."""
    items = requests(3, system=HEAVY, cache_control={"type": "ephemeral"})
    server.run(items[0], minutes=1)

    used = usages(server.run(*items[1:]))

    assert all(read == 0 and written > depth(server) for read, written, _ in used)


def test_entries_belong_to_a_model(server: Server) -> None:
    """Another model does not read them."""
    server.run(request(system=[marked(HEAVY)]), minutes=1)

    ((read, written, _),) = usages(server.run(request(system=[marked(HEAVY)], model="claude-opus-5-5"), minutes=1))

    assert (read, written) == (0, depth(server))


def test_settings_invalidate_what_comes_after_them(server: Server) -> None:
    """Thinking spares a cached system prompt; another output format does not."""
    shape = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    server.run(request(system=[marked(HEAVY)]), minutes=1)

    thinking = server.run(request(system=[marked(HEAVY)], thinking={"type": "adaptive"}), minutes=1)
    shaped = server.run(request(system=[marked(HEAVY)], output_config=shape), minutes=1)

    assert usages(thinking) == [(depth(server), 0, 0)]
    assert usages(shaped) == [(0, depth(server), 0)]


def test_images_and_documents_have_flat_counts(server: Server) -> None:
    """Blocks that are not text are counted without being decoded, nested ones too."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 90_000}}
    pdf = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 90_000},
    }
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x" * 285}}
    nested = {"type": "tool_result", "tool_use_id": "t", "content": [image]}

    results = server.run(
        *(
            request(f"{n}", messages=[{"role": "user", "content": [b]}])
            for n, b in enumerate((image, pdf, text, nested))
        )
    )

    tokens = [results[f"{n}"].message.usage.input_tokens for n in range(4)]
    assert tokens == [1_600, 3_000, 100, 1_600]
