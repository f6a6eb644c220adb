"""Tokens before the API has counted them: how far they may be off, and how results put them right."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.prices import PriceBook
from core.requests.blocks import chain_of
from core.requests.lines import read_lines
from core.requests.request import parse_request
from core.tokens.counting import (
    TokenEstimate,
    error_band,
    flat_tokens,
    learned_ratio,
    linear_count,
    reaches_floor,
    token_factor,
)
from core.tokens.prompts import prompt_count, prompt_head
from tests.strategies import Json, all_blocks, few_texts, line, params, request, texts

BOOK = PriceBook.load()
CASES = json.loads((Path(__file__).parent / "cases" / "tokens.json").read_text("utf-8"))
OLDER = token_factor(BOOK, "claude-haiku-4-5")
ENOUGH = 0.95

amounts = st.floats(0.1, 1e9)
counts = st.integers(0, 10_000)


@dataclass
class Truth:
    """A class of the shared set: linear count and true tokens of its prefix, and of what follows in each item."""

    counted: float
    tokens: int
    suffixes: list[tuple[float, int]] = field(default_factory=list)

    def totals(self, items: int | None = None) -> tuple[float, float]:
        """What is counted and what is true of the whole prompts of the first items, or of all."""
        some = self.suffixes[:items]
        return (
            len(some) * self.counted + sum(counted for counted, _ in some),
            len(some) * self.tokens + sum(tokens for _, tokens in some),
        )


@pytest.fixture(scope="module")
def truth(shared_data: Path) -> list[Truth]:
    """Return the classes of 11,647 real requests, whose tokens a published tokenizer has counted."""
    folder = shared_data / "workloads"
    told = {row["custom_id"]: row for row in pl.read_parquet(folder / "truth.parquet").iter_rows(named=True)}
    classes: dict[str, Truth] = {}
    for path in sorted(folder.glob("requests-*.jsonl.zst")):
        for raw in read_lines(path):
            assert isinstance(raw, bytes)
            asked = orjson.loads(raw)
            row = told[asked["custom_id"]]
            prompt = "".join(prompt_texts(asked["params"])).encode()
            prefix, suffix = prompt[: row["prefix_bytes"]].decode(), prompt[row["prefix_bytes"] :].decode()
            if row["group_id"] not in classes:
                classes[row["group_id"]] = Truth(linear_count(prefix), row["prefix_tok"])
            classes[row["group_id"]].suffixes.append((linear_count(suffix), row["suffix_tok"]))
    return list(classes.values())


def prompt_texts(of: Json) -> Iterator[str]:
    """The texts of a request in cache order."""
    for content in (of.get("system") or "", *(message["content"] for message in of["messages"])):
        if isinstance(content, str):
            yield content
        else:
            yield from (block["text"] for block in content)


def share_within(errors: list[float], band: float) -> float:
    """The share of errors that are no larger than the band."""
    return sum(abs(error) <= band for error in errors) / len(errors)


def oracle(text: str) -> dict[str, int]:
    """What the linear count counts in ASCII, said with regular expressions."""
    return {
        "word": len(re.findall(r"(?<![^\x00-@\[-`{-\x7f])[A-Za-z]", text)),
        "long_word_letter": sum(max(len(word) - 6, 0) for word in re.findall(r"[A-Za-z]+", text)),
        "inner_capital": len(re.findall(r"(?<=[a-z])[A-Z]", text)),
        "capital_after_capital": len(re.findall(r"(?<=[A-Z])[A-Z]", text)),
        "digit_run": len(re.findall(r"[0-9]+", text)),
        "digit": len(re.findall(r"[0-9]", text)),
        "mark_run": len(re.findall(r"[!-/:-@\[-`{-~]+", text)),
        "mark": len(re.findall(r"[!-/:-@\[-`{-~]", text)),
        "line_break": text.count("\n"),
    }


# What each thing costs, told by texts that hold nothing else.
WEIGHTS = {
    "word": linear_count("a"),
    "long_word_letter": linear_count("a" * 7) - linear_count("a"),
    "inner_capital": linear_count("aA") - linear_count("a"),
    "capital_after_capital": linear_count("AA") - linear_count("A"),
    "digit": linear_count("11") - linear_count("1"),
    "digit_run": 2 * linear_count("1") - linear_count("11"),
    "mark": linear_count("..") - linear_count("."),
    "mark_run": 2 * linear_count(".") - linear_count(".."),
    "line_break": linear_count("\n"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_texts_of_many_kinds_are_counted_nearly_as_a_tokenizer_does(case: dict[str, Any]) -> None:
    """Within 14 % in English, code and data; other languages are known to be counted less well."""
    assert linear_count(case["text"]) == pytest.approx(case["tokens"], rel=case["within"])


def test_before_any_result_the_band_holds_the_truth(truth: list[Truth]) -> None:
    """Of 115 real classes, 95 % have the tokens of their prefix and of their total within the band."""
    prefixes = [OLDER * of.counted / of.tokens - 1 for of in truth]
    totals = [OLDER * counted / tokens - 1 for counted, tokens in (of.totals() for of in truth)]

    assert len(truth) == 115
    assert share_within(prefixes, error_band(0)) >= ENOUGH
    assert share_within(totals, error_band(0)) >= ENOUGH
    # Half of that is what the fit is worth; more would mean that a weight has been lost.
    assert sum(map(abs, totals)) / len(totals) <= 0.04


@pytest.mark.parametrize("results", [5, 20])
def test_after_results_the_band_holds_the_truth(truth: list[Truth], results: int) -> None:
    """What the first results of a class say of it holds for its prefix and for all its items."""
    prefixes, totals = [], []
    for of in truth:
        if len(of.suffixes) < results:
            continue
        ratio = learned_ratio(*of.totals(results), results, OLDER)
        counted, tokens = of.totals()
        prefixes.append(ratio * of.counted / of.tokens - 1)
        totals.append(ratio * counted / tokens - 1)

    assert len(totals) >= 30
    assert share_within(prefixes, error_band(results)) >= ENOUGH
    assert share_within(totals, error_band(results)) >= ENOUGH


def test_twenty_results_make_up_for_a_tokenizer_that_counts_otherwise(truth: list[Truth]) -> None:
    """The factor of a model is assumed; one that is 17 % off may not outweigh what was measured."""
    errors = []
    for of in truth:
        if len(of.suffixes) >= 20:
            counted, tokens = of.totals()
            errors.append(learned_ratio(*of.totals(20), 20, OLDER / 1.17) * counted / tokens - 1)

    assert share_within(errors, error_band(20)) >= ENOUGH


@given(texts)
def test_the_count_is_what_its_parts_cost(text: str) -> None:
    """Words, digits, signs and line breaks are found as regular expressions find them."""
    counted = linear_count(text)
    ascii_only = sum(WEIGHTS[name] * number for name, number in oracle(text).items())

    assert counted >= ascii_only - 1e-6
    if text.isascii():
        assert counted == pytest.approx(ascii_only)


@given(texts, texts)
def test_lines_are_counted_one_by_one(one: str, other: str) -> None:
    """Nothing reaches over a line break, so a text costs what its lines cost."""
    assert linear_count(f"{one}\n{other}") == pytest.approx(
        linear_count(one) + linear_count("\n") + linear_count(other)
    )


def test_a_long_text_is_counted_in_pieces() -> None:
    """Where it is cut costs next to nothing."""
    text = "The quick brown fox jumps over the lazy dog. " * 50_000

    assert linear_count(text) == pytest.approx(
        50_000 * linear_count("The quick brown fox jumps over the lazy dog. "), rel=1e-4
    )


@pytest.mark.parametrize("text", ["", " ", "\t  \t"])
def test_nothing_costs_nothing(text: str) -> None:
    """No text, or blanks, which go with the words behind them."""
    assert linear_count(text) == 0


def test_half_a_character_is_no_fault() -> None:
    """JSON may hold one half of a surrogate pair; it has no UTF-8 form."""
    assert linear_count("a\ud800") == linear_count("a?")


def test_newer_tokenizers_count_more() -> None:
    """By about 30 %; a model that is not listed is taken for an older one."""
    assert token_factor(BOOK, "claude-haiku-5-5") == pytest.approx(1.3 * token_factor(BOOK, "claude-haiku-4-5"))
    assert token_factor(BOOK, "claude-haiku-4-5-20251001") == token_factor(BOOK, "claude-unheard-of")


@given(amounts, amounts, st.integers(1, 10_000), st.floats(0.5, 2))
def test_what_is_learned_lies_between_what_was_assumed_and_what_was_measured(
    counted: float, measured: float, items: int, factor: float
) -> None:
    """And nearer to what was measured with every result more."""
    found = measured / counted
    nothing = 1e-9 * (found + factor)
    ratio, later = (learned_ratio(counted * n, measured * n, items * n, factor) for n in (1, 2))

    assert min(factor, found) - nothing <= ratio <= max(factor, found) + nothing
    assert abs(later - found) <= abs(ratio - found) + nothing


@pytest.mark.parametrize(("counted", "items"), [(0.0, 0), (0.0, 7), (10.0, 0)])
def test_nothing_measured_teaches_nothing(counted: float, items: int) -> None:
    """No results, or only of prompts that have no text behind their prefix."""
    assert learned_ratio(counted, 0.0, items, 1.3) == 1.3


@given(amounts, counts, counts)
def test_results_never_widen_a_band(tokens: float, one: int, more: int) -> None:
    """The estimate is inside its band, and says what it rests on."""
    few, many = TokenEstimate.learned(tokens, one), TokenEstimate.learned(tokens, one + more)

    assert few.low <= many.low <= tokens <= many.high <= few.high
    assert few.basis == ("measured" if one else "estimated")


@given(amounts, counts, st.integers(1, 10**9))
def test_a_floor_is_reached_for_certain_or_not_at_all_or_it_is_unsure(tokens: float, results: int, floor: int) -> None:
    """Unsure exactly where the floor is inside the band; what is known leaves no doubt."""
    estimate = TokenEstimate.learned(tokens, results)
    answer = {(True, True): "yes", (False, True): "unsure", (False, False): "no"}

    assert reaches_floor(estimate, floor) == answer[estimate.low >= floor, estimate.high >= floor]
    assert reaches_floor(TokenEstimate.known(tokens, "exact"), floor) == ("yes" if tokens >= floor else "no")
    assert reaches_floor(estimate.under(floor), floor) == "no"


@given(amounts, counts, amounts)
def test_what_is_certain_widens_no_band(tokens: float, results: int, certain: float) -> None:
    """A known prefix before an estimated rest."""
    estimate = TokenEstimate.learned(tokens, results)
    both = estimate.plus(certain)

    assert both.tokens == pytest.approx(tokens + certain)
    assert both.high - both.low == pytest.approx(estimate.high - estimate.low, abs=1e-6 * (tokens + certain))
    assert both.basis == estimate.basis


@given(params(few_texts), st.data())
def test_the_head_of_a_request_is_what_shares_its_prefix(of: Json, data: st.DataObject) -> None:
    """Cut after any block, a request has the chain of the whole one up to there: it is the same to the cache."""
    assume(not any(block.get("type") == "image" for block in all_blocks(of)))  # one in the rest changes what is before
    hashes, depths = chain_of(parse_request(line("a", of)).params)[:2]
    blocks = data.draw(st.integers(0, len(hashes) - 1))
    head = prompt_head(of, blocks, 0)

    asked = {**head, "max_tokens": 1, "messages": [*head["messages"], {"role": "user", "content": "."}]}
    of_head = chain_of(parse_request(line("a", asked)).params)
    assert of_head[0][: blocks + 1] == hashes[: blocks + 1]
    assert of_head[1] == [*depths[: blocks + 1], depths[blocks] + 1]


@pytest.mark.parametrize(
    "of",
    [
        request("question", system="The rules."),
        request("The rules. question"),
        request([{"type": "text", "text": "The rules."}, {"type": "text", "text": "question"}]),
        request("question", system=[{"type": "text", "text": "The rules."}], tools=[{"name": "t"}]),
    ],
)
def test_a_head_may_end_inside_a_text(of: Json) -> None:
    """A prefix ends where the texts begin to differ."""
    blocks = len(of.get("tools", ()))
    text = "".join(prompt_texts(prompt_head(of, blocks, 4)))

    assert text == "The "
    assert "".join(prompt_texts(prompt_head(of, blocks, 0))) == ""


def test_a_head_leaves_out_what_comes_after_it() -> None:
    """Items that share a prefix may differ in settings that only their messages see."""
    of = request("q", system="s", tools=[{"name": "t"}], tool_choice={"type": "any"}, output_config={"effort": "low"})

    assert prompt_head(of, 1, 0).keys() == {"model", "tools", "messages"}
    assert prompt_head(of, 2, 0).keys() == {"model", "tools", "system", "messages", "output_config"}
    assert prompt_head(of, 3, 0).keys() == {"model", "tools", "system", "messages", "output_config", "tool_choice"}


def test_what_is_no_text_is_counted_by_what_it_is() -> None:
    """A picture's tokens do not grow with its bytes; documents and results of tools hold texts."""
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 90_000}}
    scan = {"type": "document", "source": {"type": "base64", "data": "A" * 90_000}}
    paper = {"type": "document", "source": {"type": "text", "data": "One two three"}}
    result = {
        "type": "tool_result",
        "tool_use_id": "x",
        "content": [picture, {"type": "text", "text": "One two three"}],
    }
    call = {"type": "tool_use", "id": "x", "name": "find", "input": {"number": 17}}

    assert prompt_count(request([picture])) == flat_tokens("image")
    assert prompt_count(request([scan])) == flat_tokens("document")
    assert prompt_count(request([paper])) == linear_count("One two three")
    assert prompt_count(request([result])) == prompt_count(request([picture])) + prompt_count(request([paper]))
    assert prompt_count(request([call])) == linear_count(orjson.dumps(call).decode())


@given(params())
def test_a_request_is_counted_part_by_part(of: Json) -> None:
    """Every valid request has a count, which is that of its parts."""
    alone: Json = {"model": of["model"], "messages": []}
    parts = [alone | {key: of[key]} for key in ("tools", "system") if of.get(key)] + [
        alone | {"messages": [message]} for message in of["messages"]
    ]

    assert prompt_count(of) == pytest.approx(sum(map(prompt_count, parts)))
