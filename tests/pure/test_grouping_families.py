"""Blind grouping of many kinds of made-up work: pure, whole, and sharing what an exact tree over all bytes shares."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator

import numpy as np
import pytest

from core.grouping.classes import find_classes
from core.grouping.exact_tree import exact_tree
from core.grouping.prefix_tree import grow
from core.requests.blocks import HEAD_BYTES
from core.requests.rendering import render
from tests.grouping import chains_of_requests
from tests.strategies import MODELS, Json, request

Work = Iterator[tuple[Json, Hashable]]
"""Requests, each with its true class."""

PUREST, WHOLE, OFF = 0.995, 0.99, 0.01
# A border is cut back to the end of a word: in prompts under so many characters those few are more than a hundredth.
SHORT_CHARS, OFF_WHERE_SHORT = 600, 0.02
SIZES = (120, 600, 1_500)
_LETTERS = random.Random(7)
WORDS = ["".join(_LETTERS.choices("abcdefghijklmnoprstuvw", k=_LETTERS.randint(2, 9))) for _ in range(1_500)]
SIGNS = ["".join(_LETTERS.choices("東京大阪会社製品顧客問題回答文書要約翻訳例外設定", k=3)) for _ in range(300)] + [
    "🙂🎈",
    "straße",
]


def prose(rng: random.Random, length: int, words: list[str] = WORDS) -> str:
    """So many characters of words and lines."""
    found, size = [], 0
    while size < length:
        found.append(rng.choice(words) + (".\n" if rng.random() < 0.05 else ""))
        size += len(found[-1]) + 1
    return " ".join(found)[:length]


def texts(rng: random.Random, count: int, least: int, most: int, words: list[str] = WORDS) -> list[str]:
    """Texts of these lengths."""
    return [prose(rng, rng.randint(least, most), words) for _ in range(count)]


def turns(*contents: str) -> list[Json]:
    """Messages of user and assistant in turn."""
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(contents)]


def system_prompts(rng: random.Random, count: int) -> Work:
    """A few instructions, many questions."""
    heads = texts(rng, 8, 300, 6_000)
    for _ in range(count):
        kind = rng.randrange(8)
        yield request(prose(rng, 200), system=heads[kind]), kind


def varying_tails(rng: random.Random, count: int) -> Work:
    """Day and customer stand at the end of a long system prompt."""
    heads = texts(rng, 8, 1_000, 6_000)
    for _ in range(count):
        kind = rng.randrange(8)
        tail = f"\nToday is day {rng.randrange(366)}; you talk to {prose(rng, 12)}."
        yield request(prose(rng, 100), system=heads[kind] + tail), kind


def documents(rng: random.Random, count: int) -> Work:
    """An instruction, one of many documents and a question, all in one string."""
    pages = texts(rng, count // 12, 1_500, 9_000)
    for _ in range(count):
        kind = rng.randrange(len(pages))
        text = f"Answer the question about this document in one sentence.\n<document>{pages[kind]}</document>\n\n"
        yield request(f"{text}Question: {prose(rng, 80)}?"), kind


def few_shots(rng: random.Random, count: int) -> Work:
    """Turns that stay, then one that begins alike and ends with the item."""
    shots = [texts(rng, 6, 50, 400) for _ in range(6)]
    last = texts(rng, 6, 300, 500)
    for _ in range(count):
        kind = rng.randrange(6)
        yield request("") | {"messages": turns(*shots[kind], f"{last[kind]}\n{prose(rng, 100)}")}, kind


def customers(rng: random.Random, count: int) -> Work:
    """A system prompt for all, then a block a customer."""
    head, pages = prose(rng, 900), texts(rng, count // 15, 2_500, 9_000)
    for _ in range(count):
        kind = rng.randrange(len(pages))
        yield request(prose(rng, 60), system=[{"type": "text", "text": text} for text in (head, pages[kind])]), kind


def nested_in_one_string(rng: random.Random, count: int) -> Work:
    """For all, by customer and by topic: a tree inside one system string."""
    head, pages = prose(rng, 900), texts(rng, count // 20, 2_500, 6_000)
    topics = [texts(rng, 3, 100, 200) for _ in pages]
    for _ in range(count):
        kind = rng.randrange(len(pages))
        system = f"{head}\n{pages[kind]}\n{rng.choice(topics[kind])}\n{prose(rng, 30)}"
        yield request(prose(rng, 60), system=system), kind


def long_tail(rng: random.Random, count: int) -> Work:
    """Four of five share nothing with anybody."""
    heads = texts(rng, 5, 400, 3_000)
    for _ in range(count):
        kind = rng.randrange(25)
        if kind < 5:
            yield request(heads[kind] + prose(rng, 100)), kind
        else:
            yield request(prose(rng, rng.randint(10, 1_500))), "unshared"


def short_instructions(rng: random.Random, count: int) -> Work:
    """Hardly more than the shortest beginning that is looked at."""
    heads = texts(rng, 10, HEAD_BYTES + 8, 2 * HEAD_BYTES)
    for _ in range(count):
        kind = rng.randrange(10)
        yield request(f"{heads[kind]}: {prose(rng, rng.randint(40, 200))}"), kind


def small_classes_under_one_head(rng: random.Random, count: int) -> Work:
    """Many small classes which all begin alike."""
    head, pages = prose(rng, 500), texts(rng, count // 12, 900, 1_100)
    for _ in range(count):
        kind = rng.randrange(len(pages))
        yield request(f"{head}\n{pages[kind]}\n{prose(rng, 40)}"), kind


def a_line_apart(rng: random.Random, count: int) -> Work:
    """Classes told apart by one line behind what all share."""
    head, pages = prose(rng, 2 * HEAD_BYTES), texts(rng, 8, 90, 90)
    for _ in range(count):
        kind = rng.randrange(8)
        yield request(f"{head}\n{pages[kind]}\n{prose(rng, 30)}"), kind


def rows(rng: random.Random, count: int) -> Work:
    """Rows of a table: an instruction, then fields of few values, then one of many."""
    heads, values = texts(rng, 4, 350, 350), texts(rng, 20, 12, 12)
    for number in range(count):
        kind = rng.randrange(4)
        fields = f"category: {rng.choice(values)}\nvendor: {rng.choice(values)}\nid: {number}\n{prose(rng, 120)}"
        yield request(f"{heads[kind]}\n{fields}"), kind


def json_in_text(rng: random.Random, count: int) -> Work:
    """Written by a program: no line ends, hardly a space before the border."""
    heads = [prose(rng, 900).replace("\n", " ") for _ in range(6)]
    for _ in range(count):
        kind = rng.randrange(6)
        yield request(f'Grade: {{"rubric":"{heads[kind]}","answer":"{prose(rng, 150)}"}}'), kind


def other_scripts(rng: random.Random, count: int) -> Work:
    """Characters of two to four bytes."""
    heads = texts(rng, 8, max(HEAD_BYTES, 110), 900, SIGNS)
    for _ in range(count):
        kind = rng.randrange(8)
        yield request(heads[kind] + prose(rng, 40, SIGNS)), kind


def tool_sets(rng: random.Random, count: int) -> Work:
    """The same system prompt under other tools."""
    sets: list[Json] = [
        {"tools": [{"name": f"tool{kind}", "description": prose(rng, 300), "input_schema": {"type": "object"}}]}
        for kind in range(5)
    ]
    for _ in range(count):
        kind = rng.randrange(5)
        yield request(prose(rng, 60), system="Use the tools that you have.", **sets[kind]), kind


def models(rng: random.Random, count: int) -> Work:
    """The same prompts for several models share nothing."""
    heads = texts(rng, 4, 300, 5_000)
    for _ in range(count):
        kind, model = rng.randrange(4), rng.choice(MODELS)
        yield request(heads[kind] + prose(rng, 50), model=model), (kind, model)


def repeated_questions(rng: random.Random, count: int) -> Work:
    """Every question is asked three times."""
    heads, questions = texts(rng, 6, 1_500, 1_500), texts(rng, count // 3, 40, 40)
    for _ in range(count):
        kind = rng.randrange(6)
        yield request(rng.choice(questions), system=heads[kind]), kind


def chats(rng: random.Random, count: int) -> Work:
    """Every turn of a chat is a request that repeats the turns before it."""
    for chat in range(count // 6):
        system, said = prose(rng, 1_500), texts(rng, 11, 30, 60)
        for last in range(1, 12, 2):
            yield request("", system=system) | {"messages": turns(*said[:last])}, chat


FAMILIES: list[Callable[[random.Random, int], Work]] = [
    system_prompts,
    varying_tails,
    documents,
    few_shots,
    customers,
    nested_in_one_string,
    long_tail,
    short_instructions,
    small_classes_under_one_head,
    a_line_apart,
    rows,
    json_in_text,
    other_scripts,
    tool_sets,
    models,
    repeated_questions,
    chats,
]


def exactly_shareable(requests: list[Json]) -> float:
    """The share of characters that an endless cache would read, from exact trees over the rendered prompts."""
    scopes = defaultdict(list)
    for params in requests:
        prompt = render(params)
        scopes[prompt.scope].append(prompt)
    shared = total = 0
    for prompts in scopes.values():
        tree = exact_tree([prompt.data for prompt in prompts])
        for item, overlap in zip(tree.order.tolist(), tree.overlaps.tolist(), strict=True):
            prompt = prompts[item]
            total += sum(len(prompt.content(block).decode()) for block in prompt.blocks)
            shared += sum(
                len(prompt.data[block.start : min(block.end, overlap)].decode(errors="ignore"))
                for block in prompt.blocks
                if block.start < overlap
            )
    return shared / total


def best(pairs: Counter[tuple[Hashable, Hashable]], side: int) -> float:
    """The share of items that are in the most frequent pair of their class (0) or of their true class (1)."""
    most: Counter[Hashable] = Counter()
    for pair, count in pairs.items():
        most[pair[side]] = max(most[pair[side]], count)
    return most.total() / pairs.total()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: str(family.__name__))
def test_work_is_grouped_as_it_was_made(family: Callable[[random.Random, int], Work], size: int) -> None:
    """Purity 99.5 %, wholeness 99 %, and a shareable share within 1 % of the exact one."""
    requests, truth = zip(*family(random.Random(f"{family.__name__} {size}"), size), strict=True)
    chains = chains_of_requests(list(requests))
    tree = grow(chains)
    found = find_classes(chains, tree)
    # Who is alone in a class shares nothing, and stands with all who do not.
    alone = {kind for kind, count in Counter(truth).items() if count == 1}
    true = ["unshared" if kind in alone else kind for kind in truth]
    pairs: Counter[tuple[Hashable, Hashable]] = Counter(zip(found.class_of.tolist(), true, strict=True))

    assert best(pairs, 0) >= PUREST
    assert best(pairs, 1) >= WHOLE
    chars = int(chains.depths[chains.ends - 1].sum(dtype=np.int64))
    off = OFF if chars >= SHORT_CHARS * size else OFF_WHERE_SHORT
    assert tree.shared_chars / chars == pytest.approx(exactly_shareable(list(requests)), rel=0, abs=off)
