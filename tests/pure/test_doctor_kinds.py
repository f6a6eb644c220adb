"""The prefix doctor, kind by kind: tools, spelling, order, near-duplicates, settings, pictures, models, floors."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from core.requests.rendering import render
from tests.pure.doctoring import (
    BOOK,
    ITEMS,
    MODEL,
    NOW,
    STABLE,
    assert_heals,
    chat,
    checked,
    input_usd,
    only,
    prose,
    question,
    requests,
)
from tests.strategies import Json


def tool(number: int) -> Json:
    """A tool with a description worth caching."""
    properties = {"query": {"type": "string", "description": prose(number, 60)}, "limit": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["query"]}
    return {"name": f"tool_{number}", "description": prose(50 + number, 900), "input_schema": schema}


def test_tools_in_another_order_are_put_in_the_usual_one() -> None:
    """A dictionary that is not sorted sends the same tools in a new order every time; marks stay on the last tool."""

    def make(n: int) -> Json:
        tools = [tool(k) for k in range(4)]
        if n % 3:
            random.Random(n).shuffle(tools)
        if n % 2:
            tools[-1] = tools[-1] | {"cache_control": {"type": "ephemeral"}}
        return chat(STABLE, question(n), tools=tools)

    of = requests(make)
    finding = only(of, "tool_order")
    after = assert_heals(of, finding)

    assert (finding.block, finding.path) == (1, "tools[0]")
    assert {json.dumps([t["name"] for t in params["tools"]]) for _, params in after} == {
        json.dumps([f"tool_{k}" for k in range(4)])
    }
    assert ["cache_control" in params["tools"][-1] for _, params in after] == [n % 2 == 1 for n in range(ITEMS)]


def test_tools_with_keys_in_another_order_are_put_in_the_usual_one() -> None:
    """The same schema from two programs; the place is the first byte that differs."""

    def make(n: int) -> Json:
        first = tool(0)
        if n % 4 == 0:
            first = {"name": first["name"], "input_schema": first["input_schema"], "description": first["description"]}
        return chat(STABLE, question(n), tools=[first, tool(1)])

    of = requests(make)
    finding = only(of, "key_order")

    assert (finding.block, finding.path, finding.items) == (1, "tools[0]", ITEMS // 4)
    assert finding.character == len('{"name":"tool_0","')
    assert_heals(of, finding)


def test_documents_with_keys_in_another_order_are_sorted() -> None:
    """Blocks that are no plain text are compared as JSON too."""
    source = {"type": "text", "media_type": "text/plain", "data": STABLE}

    def make(n: int) -> Json:
        document = {"type": "document", "source": source, "title": "Rules"}
        if n % 2:
            document = {"title": "Rules", "type": "document", "source": source}
        return chat(None, [document, {"type": "text", "text": question(n)}])

    of = requests(make)
    finding = only(of, "key_order")

    assert (finding.block, finding.path) == (1, "messages[0].content[0]")
    assert_heals(of, finding)


ACCENTED = (
    STABLE.replace("order", "Bestellgrö\u00dfe caf\u00e9")
    .replace("tier", '"tier" isn\'t - ever')
    .replace("Sample", "Sample  text")
)

VARIANTS: dict[str, Callable[[str], str]] = {
    "line ends": lambda text: text.replace("\n", "\r\n"),
    "trailing spaces": lambda text: text.replace(".\n", ". \n"),
    "double spaces": lambda text: text.replace(". ", ".  ").replace(" refund", "  refund"),
    "non-breaking spaces": lambda text: text.replace(" invoice", "\u00a0invoice"),
    "composed letters": lambda text: text.replace("\u00e9", "e\u0301"),
    "curly quotes": lambda text: text.replace('"', "\u201c").replace("'", "\u2019"),
    "zero-width spaces": lambda text: text.replace("clause", "cla\u200buse"),
    "leading newline": lambda text: "\n" + text,
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("where", ["system", "user"])
def test_variants_of_space_and_unicode_are_spelled_one_way(variant: str, where: str) -> None:
    """The same words in other bytes, in a whole text or at the head of one: the usual form wins."""

    def make(n: int) -> Json:
        head = VARIANTS[variant](ACCENTED) if n % 3 == 0 else ACCENTED
        return chat(head, question(n)) if where == "system" else chat(None, f"{head}\n\n{question(n)}")

    of = requests(make)
    finding = only(of, "variants")
    differs = next(n for n, (a, b) in enumerate(zip(VARIANTS[variant](ACCENTED), ACCENTED, strict=False)) if a != b)

    assert finding.path == ("system" if where == "system" else "messages[0].content")
    assert (finding.character, finding.items) == (differs, ITEMS // 3)
    assert_heals(of, finding)


def test_questions_before_documents_in_blocks_are_put_behind() -> None:
    """Six documents, ten questions each: the document must come first to be shared."""

    def make(n: int) -> Json:
        document = {"type": "text", "text": prose(300 + n % 6, 5_000)}
        return chat("Answer.", [{"type": "text", "text": question(n)}, document])

    of = requests(make)
    finding = only(of, "order")

    assert (finding.block, finding.path, finding.character) == (2, "messages[0].content[0]", 0)
    after = assert_heals(of, finding)
    assert after[0][1]["messages"][0]["content"][1]["text"] == question(0)


@pytest.mark.parametrize("head", ["", "Answer the question from the document.\n\n"], ids=["bare", "instructed"])
def test_questions_before_documents_in_one_text_are_put_behind(head: str) -> None:
    """The same in one string, where the document is announced by a line."""
    of = requests(lambda n: chat(None, f"{head}Question: {question(n)}\n\nDocument:\n{prose(300 + n % 6, 5_000)}"))
    finding = only(of, "order")
    after = assert_heals(of, finding)

    assert (finding.path, finding.character) == ("messages[0].content", len(head))
    assert after[7][1]["messages"][0]["content"].startswith(f"{head}Document:\n{prose(301, 5_000)[:100]}")
    assert after[7][1]["messages"][0]["content"].endswith(f"\n\nQuestion: {question(7)}")


@pytest.mark.parametrize("versions", [2, 4])
def test_prompts_that_differ_in_one_line_are_a_proposal_with_a_diff(versions: int) -> None:
    """Whether the line is meant only its owner knows: nothing is rewritten, all is shown."""
    head, tail = prose(7, 900), prose(8, 3_500)
    of = requests(
        lambda n: chat(f"{head}\nAnswer in language {'ABCD'[n % versions]} only.\n{tail}", question(n)), items=16
    )
    finding = only(of, "near_duplicates")

    assert not finding.automatic
    assert finding.path == "system"
    assert len(head) < finding.character <= len(head) + len("\nAnswer in language ")
    assert finding.saving_usd > 0


@pytest.mark.parametrize(
    ("key", "values", "kind"),
    [
        ("tool_choice", [{"type": "auto"}, {"type": "any"}], "switch"),
        ("thinking", [None, {"type": "enabled", "budget_tokens": 1024}], "switch"),
        ("output_config", [{"effort": "low"}, {"effort": "high"}], "mixed_parameters"),
    ],
    ids=["tool_choice", "thinking", "effort"],
)
def test_settings_that_part_what_would_be_shared_are_told(key: str, values: list[Any], kind: str) -> None:
    """A switch that differs between requests with one long message head invalidates it; nothing is changed."""
    user = [{"type": "text", "text": STABLE}]
    more = {"tools": [tool(0)]} if key == "tool_choice" else {}
    of = requests(
        lambda n: chat(None, [*user, {"type": "text", "text": question(n)}], **more, **{key: values[n % 3 == 0]}),
        items=12,
    )
    finding = only(of, kind)

    assert (finding.path, finding.automatic, finding.items) == (key, False, 4)
    one_way = [(custom_id, params | {key: values[0]}) for custom_id, params in of]
    assert input_usd(of) - input_usd(one_way) == pytest.approx(float(finding.saving_usd), rel=0.05)


def test_a_switch_that_spares_the_shared_part_is_no_finding() -> None:
    """tool_choice invalidates messages only: a shared system prompt stays shared."""
    choices = [{"type": "auto"}, {"type": "any"}]
    of = requests(lambda n: chat(STABLE, question(n), tools=[tool(0)], tool_choice=choices[n % 2]))

    assert checked(of).findings == ()


def test_pictures_in_some_requests_are_told() -> None:
    """They part the messages; what all share belongs into the system prompt."""

    def make(n: int) -> Json:
        blocks: list[Json] = [{"type": "text", "text": STABLE}, {"type": "text", "text": question(n)}]
        picture = {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": f"QUJD{n:04d}" * 50},
        }
        return chat(None, [*blocks, picture] if n % 3 == 0 else blocks)

    finding = only(requests(make, items=12), "images")

    assert (finding.path, finding.block, finding.automatic) == ("messages[0].content[2]", 3, False)


@pytest.mark.parametrize(
    "change",
    [{"model": "claude-sonnet-5-5"}, {"inference_geo": "us"}, {"speed": "standard"}],
    ids=["model", "geo", "speed"],
)
def test_one_prompt_in_two_scopes_is_told(change: Json) -> None:
    """Each model, speed and region writes the same prefix for itself."""
    of = requests(lambda n: chat(STABLE, question(n)) | (change if n % 4 == 0 else {}), items=20)
    finding = only(of, "mixed_models")

    assert (finding.path, finding.items, finding.automatic) == ("model", 5, False)


def test_two_models_with_prompts_of_their_own_are_no_finding() -> None:
    """Routing is not mixing."""
    of = requests(
        lambda n: (
            chat(STABLE, question(n)) if n % 2 else chat(prose(2, 4_000), question(n)) | {"model": "claude-sonnet-5-5"}
        )
    )

    assert checked(of).findings == ()


def test_a_prefix_just_below_the_floor_is_a_trial_to_consider() -> None:
    """Topping up pays by the formula, is priced by it, warns about quality, and is never automatic."""
    of = requests(lambda n: chat(prose(3, 1_200), question(n)))
    finding = only(of, "below_floor")
    model, rates = BOOK.model(MODEL), BOOK.rates(MODEL, at=NOW)
    shared, floor = len(render({**of[0][1], "messages": []}).data), model.cache_floor_tokens * model.chars_per_token
    saved = ITEMS * shared - floor * (2 + 0.1 * (ITEMS - 1))

    assert (finding.block, finding.path) == (1, "system")
    assert finding.character in (len(of[0][1]["system"]), of[0][1]["system"].rfind("\n") + 1)
    assert not finding.automatic
    assert "try it" in finding.meaning
    assert float(finding.saving_usd) == pytest.approx(saved / model.chars_per_token * float(rates.input), rel=0.02)


@pytest.mark.parametrize("length", [300, 1_600], ids=["far below", "over"])
def test_prefixes_far_below_or_over_the_floor_are_no_finding(length: int) -> None:
    """A prompt of a sentence is not worth a thousand tokens of examples."""
    assert checked(requests(lambda n: chat(prose(3, length), question(n)))).findings == ()


def test_no_rewrite_takes_a_cached_prefix_below_the_floor() -> None:
    """With the date a prefix just reaches the floor for the requests of one day; without it, nothing would."""
    floor = int(BOOK.model(MODEL).cache_floor_tokens * BOOK.model(MODEL).chars_per_token)
    stable = prose(3, 1_500)[: floor - 20]
    of = requests(lambda n: chat(f"Current date: 2026-11-{10 + n % 4}\n{stable}", question(n)))

    assert [finding.kind for finding in checked(of).findings if finding.automatic] == []
