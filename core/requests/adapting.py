"""The same request for another model: what that model refuses is left out or translated, and every change is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import LotwiseError
from core.prices import Model, PriceBook, UnknownModel

_SAMPLING_DEFAULTS = {"temperature": 1, "top_p": 1, "top_k": None}
_LEAST_BUDGET = 1024  # the smallest thinking budget that the API takes (Extended thinking page)
_LEVELS = ("low", "medium", "high", "xhigh", "max")
# With thinking off, models that think by themselves take no effort above this (Haiku 5.5 migration guide).
_MOST_EFFORT_UNTHINKING = "high"
_OFF = ("disabled", "between_tools")
_THOUGHTS = ("thinking", "redacted_thinking")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference between a request and what another model is sent in its place."""

    parameter: str
    """The name of the parameter, such as `tool_choice`."""
    said: str
    """One plain sentence: what is sent instead, or what the same means to the other model, and why."""


class CannotAdapt(LotwiseError):
    """This request cannot be sent to that model and still ask the same. Choose another model, or edit the request."""


def adapted(params: Mapping[str, Any], to: Model) -> tuple[dict[str, Any], tuple[Change, ...]]:
    """The params for another model, and what differs besides the model; a request of that model itself stays as it is.

    `params` is never changed; what did not change is shared with the result, the cache marks among it. What `to`
    refuses comes from the price book (`Model.refuses`, `Model.effort`). Raises `CannotAdapt` where no change would keep
    what the request asks: words that the answer must continue, thoughts of another model, work bound to the US.
    """
    of = _model_named(params.get("model"))
    if of is not None and of.id == to.id:
        return dict(params), ()
    _check_adaptable(params, to)
    sent: dict[str, Any] = {**params, "model": to.id}
    changes = [
        *_fit_max_tokens(sent, to),
        *_drop_sampling(sent, to),
        *_free_tool_choice(sent, to),
        *_fit_thinking(sent, of, to),
        *_fit_effort(sent, to),
    ]
    return sent, tuple(changes)


def _model_named(name: object) -> Model | None:
    try:
        return PriceBook.load().model(str(name))
    except UnknownModel:
        return None


def _check_adaptable(params: Mapping[str, Any], to: Model) -> None:
    messages = params.get("messages") or [{}]
    if messages[-1].get("role") == "assistant" and "prefill" in to.refuses:
        raise CannotAdapt(
            f"The request ends with the beginning of its answer, and {to.display_name} begins its answers itself: "
            "whoever reads the answers would find another text. Ask for the form with output_config.format instead.",
            model=to.id,
        )
    if any(_kind(block) in _THOUGHTS for message in messages for block in _blocks(message)):
        raise CannotAdapt(
            f"The conversation holds thoughts of another model, which {to.display_name} cannot go on with. "
            "Leave the thinking blocks out of the messages.",
            model=to.id,
        )
    if params.get("inference_geo") == "us" and "us_only" in to.refuses:
        raise CannotAdapt(
            f"The request may run in the US only, and {to.display_name} cannot be bound to a place. "
            "Choose a model of the 4.6 generation or later.",
            model=to.id,
        )


def _blocks(message: Mapping[str, Any]) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _kind(block: object) -> object:
    return block.get("type") if isinstance(block, Mapping) else None


def _fit_max_tokens(sent: dict[str, Any], to: Model) -> list[Change]:
    asked = sent.get("max_tokens")
    if not isinstance(asked, int) or asked <= to.max_tokens:
        return []
    sent["max_tokens"] = to.max_tokens
    said = f"max_tokens is {to.max_tokens:,} instead of {asked:,}: {to.display_name} writes no more."
    return [Change(parameter="max_tokens", said=said)]


def _drop_sampling(sent: dict[str, Any], to: Model) -> list[Change]:
    if "sampling" not in to.refuses:
        return []
    changes = []
    for name, default in _SAMPLING_DEFAULTS.items():
        value = sent.get(name)
        if value is not None and value != default:
            del sent[name]
            said = f"{name} {value} is left out: {to.display_name} takes only the default."
            changes.append(Change(parameter=name, said=said))
    return changes


def _free_tool_choice(sent: dict[str, Any], to: Model) -> list[Change]:
    """A forced tool is offered instead, as the migration guides advise: prompt, tools and form of the answer stay."""
    choice = sent.get("tool_choice")
    if _kind(choice) not in ("any", "tool") or "forced_tool" not in to.refuses:
        return []
    kept = {key: value for key, value in dict(choice or {}).items() if key not in ("type", "name")}
    sent["tool_choice"] = {"type": "auto", **kept}
    said = f"The tool is offered, not forced: {to.display_name} cannot be forced, so some answers may come without it."
    return [Change(parameter="tool_choice", said=said)]


def _fit_thinking(sent: dict[str, Any], of: Model | None, to: Model) -> list[Change]:
    asked = sent.get("thinking")
    kind = _kind(asked)
    said = None
    if kind is None and of is not None and of.thinks_unasked and not to.thinks_unasked:
        said = f"{to.display_name} answers without thinking, where {of.display_name} thinks by itself."
    elif kind in _OFF or (kind is None and of is not None and not of.thinks_unasked):
        said = _stay_unthinking(sent, kind, to)
    elif kind == "enabled" and isinstance(asked, Mapping):
        said = _fit_budget(sent, asked, to)
    elif kind == "adaptive" and "thinking_adaptive" in to.refuses:
        said = _give_budget(sent, to)
    return [Change(parameter="thinking", said=said)] if said else []


def _stay_unthinking(sent: dict[str, Any], kind: object, to: Model) -> str | None:
    """A request that is answered without thinking today is to be answered without it, where that can be had."""
    if not to.thinks_unasked if kind is None else f"thinking_{kind}" not in to.refuses:
        return None
    for off in _OFF:
        if f"thinking_{off}" not in to.refuses:
            sent["thinking"] = {"type": off}
            return f"Thinking stays off: {to.display_name} is told so by the type {off}."
    sent.pop("thinking", None)
    return f"{to.display_name} always thinks: its thoughts are billed as output and count towards max_tokens."


def _fit_budget(sent: dict[str, Any], asked: Mapping[str, Any], to: Model) -> str | None:
    budget, most = asked.get("budget_tokens") or 0, sent.get("max_tokens") or 0
    if "thinking_enabled" in to.refuses:
        sent["thinking"] = {**{key: asked[key] for key in asked if key != "budget_tokens"}, "type": "adaptive"}
        return f"The thinking budget of {budget:,} tokens is left out: {to.display_name} decides how much it thinks."
    if budget < most:
        return None
    sent["thinking"] = {**asked, "budget_tokens": most - 1}
    return f"The thinking budget is {most - 1:,} tokens instead of {budget:,}, to stay below max_tokens."


def _give_budget(sent: dict[str, Any], to: Model) -> str:
    budget = (sent.get("max_tokens") or 0) // 2
    if budget < _LEAST_BUDGET:
        del sent["thinking"]
        return f"Thinking is left out: {to.display_name} needs a budget for it, and max_tokens has no room for one."
    asked = sent["thinking"]
    sent["thinking"] = {**asked, "type": "enabled", "budget_tokens": budget}
    return f"Thinking has a budget of {budget:,} tokens, half of max_tokens: {to.display_name} needs one."


def _fit_effort(sent: dict[str, Any], to: Model) -> list[Change]:
    output = sent.get("output_config")
    asked = output.get("effort") if isinstance(output, Mapping) else None
    if not isinstance(output, Mapping) or asked not in _LEVELS:
        return []
    unthinking = to.thinks_unasked and _kind(sent.get("thinking")) in _OFF
    taken = [level for level in to.effort if not unthinking or _up_to(level, _MOST_EFFORT_UNTHINKING)]
    if asked in taken:
        return []
    rest = {key: value for key, value in output.items() if key != "effort"}
    lower = [level for level in taken if _up_to(level, asked)]
    if lower:
        rest["effort"] = lower[-1]
    sent["output_config"] = rest
    if not rest:
        del sent["output_config"]
    instead = f"effort is {lower[-1]} instead of {asked}" if lower else f"effort {asked} is left out"
    why = f"{to.display_name} takes no more without thinking" if unthinking else f"{to.display_name} does not take it"
    return [Change(parameter="output_config", said=f"{instead}: {why}.")]


def _up_to(level: str, most: str) -> bool:
    return _LEVELS.index(level) <= _LEVELS.index(most)
