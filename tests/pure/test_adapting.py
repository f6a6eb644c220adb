"""Requests adapted to another model: accepted there, honest about what changed, and never changed in place."""

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.prices import PriceBook, PriceBookInvalid
from core.requests.adapting import CannotAdapt, Change, adapted
from core.sandbox.catalogue import Catalogue
from core.sandbox.params import BadParamsError, check

BOOK = PriceBook.load()
CATALOGUE = Catalogue(BOOK)
TOOL = {"name": "note", "input_schema": {"type": "object"}}
USER = {"role": "user", "content": "Is it in order?"}
HAIKU_4, HAIKU_5, SONNET_5 = "claude-haiku-4-5", "claude-haiku-5-5", "claude-sonnet-5-5"
OPUS_4, OPUS_48, OPUS_5 = "claude-opus-4-6", "claude-opus-4-8", "claude-opus-5-5"


def request(model: str = HAIKU_4, **params: Any) -> dict[str, Any]:
    """The params of a request."""
    return {"model": model, "max_tokens": 4_000, "messages": [USER], **params}


def sent(params: dict[str, Any], to: str) -> tuple[dict[str, Any], list[str]]:
    """What is sent to that model, and which parameters are said to have changed."""
    result, changes = adapted(params, BOOK.model(to))
    assert all(change.said.endswith(".") and len(change.said) < 140 for change in changes)
    return result, [change.parameter for change in changes]


models = st.sampled_from([model.id for model in BOOK.models()])
thinking = st.sampled_from(
    [
        *({"type": kind} for kind in ("adaptive", "disabled", "between_tools")),
        {"type": "enabled", "budget_tokens": 1_024},
        {"type": "enabled", "budget_tokens": 90_000, "display": "omitted"},
    ]
)
talks = st.sampled_from(
    [
        [USER],
        [{"role": "user", "content": [{"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral"}}]}],
        [USER, {"role": "assistant", "content": "It is"}],
        [USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "…", "signature": "s"}]}, USER],
    ]
)
asked = st.fixed_dictionaries(
    {"model": models, "max_tokens": st.sampled_from([1, 1_500, 64_001, 100_000, 128_000]), "messages": talks},
    optional={
        "temperature": st.sampled_from([0, 0.2, 1, 1.0]),
        "top_p": st.sampled_from([0.9, 1]),
        "top_k": st.sampled_from([None, 40]),
        "tools": st.just([TOOL]),
        "tool_choice": st.sampled_from(
            [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "note", "disable_parallel_tool_use": True}]
        ),
        "thinking": thinking,
        "output_config": st.sampled_from(
            [{"effort": level} for level in ("low", "high", "xhigh", "max")]
            + [{"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}}]
        ),
        "inference_geo": st.sampled_from(["us", "global"]),
        "metadata": st.just({"user_id": "x"}),
    },
)


@settings(max_examples=150)
@given(params=asked, target=models)
def test_what_its_own_model_takes_the_other_takes_or_it_is_refused(params: dict[str, Any], target: str) -> None:
    """A trial never pays for requests that come back errored; what differs is said, and nothing else differs."""
    try:
        check(params, CATALOGUE, batch=True)
    except BadParamsError:
        assume(False)
    before = copy.deepcopy(params)
    try:
        result, changes = adapted(params, BOOK.model(target))
    except CannotAdapt as refused:
        assert refused.context["model"] == target
        return
    finally:
        assert params == before

    check(result, CATALOGUE, batch=True)
    names = set(params) | set(result)
    differing = {name for name in names if json.dumps(params.get(name)) != json.dumps(result.get(name))} - {"model"}
    assert differing <= {change.parameter for change in changes}
    assert result["model"] == target
    assert result["messages"] == params["messages"]
    assert adapted(result, BOOK.model(target)) == (result, ())


@pytest.mark.parametrize("own", [HAIKU_4, "claude-haiku-4-5-20251001", "claude-haiku-4-5-20990101"])
def test_its_own_model_gets_it_as_it_is(own: str) -> None:
    """The model in use is measured on what is really sent to it, whatever name it is called by."""
    params = request(own, temperature=0.5, thinking={"type": "adaptive"}, max_tokens=10**6)

    assert adapted(params, BOOK.model(HAIKU_4)) == (params, ())


def test_a_request_that_asks_nothing_special_changes_nothing_but_its_model() -> None:
    """Most requests fit every model."""
    params = request(SONNET_5, system="Rules", tools=[TOOL], temperature=1, metadata={"user_id": "x"})

    assert sent(params, HAIKU_5) == ({**params, "model": HAIKU_5}, [])


def test_an_unknown_model_is_adapted_by_the_target_alone() -> None:
    """A model that the book does not list may think or not: nothing is presumed of it."""
    assert sent(request("claude-2.1", temperature=0), HAIKU_5) == (request(HAIKU_5), ["temperature"])


def test_refused_sampling_is_left_out_one_by_one() -> None:
    """Non-default sampling would be an error of every item; defaults may stay."""
    params = request(OPUS_4, temperature=0.2, top_p=1, top_k=5, thinking={"type": "adaptive"})

    result, changed = sent(params, OPUS_5)

    assert result == request(OPUS_5, top_p=1, thinking={"type": "adaptive"})
    assert changed == ["temperature", "top_k"]


def test_a_forced_tool_is_offered_instead() -> None:
    """Tools, prompt and form of the answer stay; only the guarantee is gone, and that is said."""
    forced = {"type": "tool", "name": "note", "disable_parallel_tool_use": True}
    params = request(HAIKU_5, tools=[TOOL], tool_choice=forced)

    result, (change,) = adapted(params, BOOK.model(SONNET_5))

    assert result["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert result["tools"] == [TOOL]
    said = "The tool is offered, not forced: Claude Sonnet 5.5 cannot be forced, so some answers may come without it."
    assert change == Change(parameter="tool_choice", said=said)
    assert sent(params, OPUS_48)[0]["tool_choice"] == forced


@pytest.mark.parametrize(
    ("params", "to", "reason"),
    [
        ({"messages": [USER, {"role": "assistant", "content": "{"}]}, HAIKU_5, "begins its answers itself"),
        (
            {"messages": [USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "…"}]}, USER]},
            OPUS_4,
            "thoughts of another model",
        ),
        ({"model": OPUS_4, "inference_geo": "us"}, HAIKU_4, "US only"),
    ],
    ids=["prefill", "thoughts", "us only"],
)
def test_what_cannot_be_kept_is_refused_with_a_reason(params: dict[str, Any], to: str, reason: str) -> None:
    """A request is never turned into another question so that a model takes it."""
    with pytest.raises(CannotAdapt, match=reason):
        adapted(request(**params), BOOK.model(to))


@pytest.mark.parametrize(
    ("asked", "of", "to", "thinks"),
    [
        (None, HAIKU_4, HAIKU_5, {"type": "disabled"}),
        (None, HAIKU_4, SONNET_5, {"type": "between_tools"}),
        (None, HAIKU_4, OPUS_5, None),
        (None, HAIKU_5, SONNET_5, None),
        (None, SONNET_5, HAIKU_4, None),
        ({"type": "disabled"}, OPUS_48, SONNET_5, {"type": "between_tools"}),
        ({"type": "disabled"}, OPUS_48, OPUS_5, None),
        ({"type": "between_tools"}, SONNET_5, HAIKU_4, {"type": "disabled"}),
        ({"type": "adaptive", "display": "omitted"}, OPUS_48, OPUS_5, {"type": "adaptive", "display": "omitted"}),
        ({"type": "adaptive"}, OPUS_48, HAIKU_4, {"type": "enabled", "budget_tokens": 2_000}),
        ({"type": "enabled", "budget_tokens": 1_024}, OPUS_4, OPUS_48, {"type": "adaptive"}),
        ({"type": "enabled", "budget_tokens": 1_024}, OPUS_4, HAIKU_4, {"type": "enabled", "budget_tokens": 1_024}),
    ],
)
def test_thinking_is_kept_as_near_as_the_model_allows(asked: Any, of: str, to: str, thinks: Any) -> None:
    """Thinking is paid as output: a request that is answered without it today is not to think on trial unsaid."""
    result, changed = sent(request(of, **({"thinking": asked} if asked else {})), to)

    assert result.get("thinking") == thinks
    silent = thinks == asked and not (thinks is None and (to == OPUS_5 or (of, to) == (SONNET_5, HAIKU_4)))
    assert changed == ([] if silent else ["thinking"])


def test_budgets_and_lengths_fit_the_smaller_model() -> None:
    """What the target cannot write is cut, and a thinking budget stays below it."""
    params = request(OPUS_4, max_tokens=100_000, thinking={"type": "enabled", "budget_tokens": 90_000})

    result, changed = sent(params, HAIKU_4)

    assert (result["max_tokens"], result["thinking"]["budget_tokens"]) == (64_000, 63_999)
    assert changed == ["max_tokens", "thinking"]
    short = request(OPUS_48, max_tokens=500, thinking={"type": "adaptive"})
    assert sent(short, HAIKU_4) == (request(HAIKU_4, max_tokens=500), ["thinking"])


@pytest.mark.parametrize(
    ("effort", "to", "taken"),
    [("max", "claude-opus-4-5", "high"), ("xhigh", OPUS_4, "high"), ("low", HAIKU_4, None), ("max", OPUS_5, "max")],
)
def test_effort_goes_down_to_what_the_model_takes(effort: str, to: str, taken: str | None) -> None:
    """The nearest lower level stands for a level that the model lacks; the format beside it stays."""
    form = {"type": "json_schema", "schema": {"type": "object"}}
    params = request(SONNET_5, output_config={"effort": effort, "format": form})

    result, changed = sent(params, to)

    assert result["output_config"] == ({"effort": taken} if taken else {}) | {"format": form}
    assert ("output_config" in changed) is (taken != effort)


def test_effort_without_thinking_is_at_most_high() -> None:
    """Models that think by themselves refuse much effort while they must not think."""
    result, changed = sent(request(OPUS_48, output_config={"effort": "max"}), HAIKU_5)

    assert (result["thinking"], result["output_config"]) == ({"type": "disabled"}, {"effort": "high"})
    assert changed == ["thinking", "output_config"]


def test_a_refusal_that_nobody_understands_is_no_price_book() -> None:
    """A misspelt word in the data would let every such request fail at the API."""
    text = """
    [chars_per_token]
    newer = 2.85
    [[model]]
    id = "m"
    display_name = "M"
    line = "haiku"
    lifecycle = "active"
    tokenizer = "newer"
    cache_floor_tokens = 512
    max_input_tokens = 1000
    max_tokens = 100
    refuses = ["prefil"]
    """
    with pytest.raises(PriceBookInvalid, match="prefil"):
        PriceBook.parse(text, "price = []\n[default]")
