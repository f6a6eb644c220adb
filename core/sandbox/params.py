"""What the API refuses in the params of one request.

A batch checks params late: the item comes back `errored`. A direct message is refused at once, by the same
rules. The wording is ours, in the style of the API; nobody should match on it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.prices import Model
from core.sandbox.catalogue import Catalogue

LONG_OUTPUT_BETA = "output-300k-2026-03-24"
LONG_OUTPUT_TOKENS = 300_000
_ROLES = ("user", "assistant", "system")
_SAMPLING_DEFAULTS = {"temperature": 1, "top_p": 1, "top_k": None}
_NOT_IN_A_BATCH = ("speed", "fallbacks")


class Problem(NamedTuple):
    """An error of one request: its type and message."""

    kind: str
    message: str


class BadParamsError(Exception):
    """These params are refused; `problem` says why."""

    def __init__(self, message: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.problem = Problem(kind, message)


def check(params: Mapping[str, Any], catalogue: Catalogue, *, batch: bool, long_output: bool = False) -> Model:
    """The model of a request whose params are in order; everything except its prompt is checked here."""
    model = _model(params, catalogue)
    if not isinstance(params.get("messages"), list) or not params["messages"]:
        raise BadParamsError("messages: Field required" if "messages" not in params else "messages: must not be empty")
    _check_max_tokens(params, model, batch=batch, long_output=long_output)
    if batch:
        _check_batch_only(params)
    _check_sampling(params, model)
    _check_choices(params, model)
    _check_thinking(params, model)
    _check_roles(params["messages"], model)
    return model


def _model(params: Mapping[str, Any], catalogue: Catalogue) -> Model:
    name = params.get("model")
    if name is None:
        raise BadParamsError("model: Field required")
    if not isinstance(name, str):
        raise BadParamsError("model: Input should be a valid string")
    model = catalogue.find(name)
    if model is None:
        raise BadParamsError(f"model: {name}", "not_found_error")
    return model


def _check_max_tokens(params: Mapping[str, Any], model: Model, *, batch: bool, long_output: bool) -> None:
    if "max_tokens" not in params:
        raise BadParamsError("max_tokens: Field required")
    asked = params["max_tokens"]
    if not isinstance(asked, int) or isinstance(asked, bool):
        raise BadParamsError("max_tokens: Input should be a valid integer")
    # A direct message may ask for 0 tokens (it only fills the cache); an item of a batch may not.
    if asked < (1 if batch else 0):
        raise BadParamsError("max_tokens: Input should be greater than or equal to 1")
    most = max(model.max_tokens, LONG_OUTPUT_TOKENS) if long_output else model.max_tokens
    if asked > most:
        raise BadParamsError(f"max_tokens: {asked} > {most}, the maximum number of output tokens of {model.id}")


def _check_batch_only(params: Mapping[str, Any]) -> None:
    if params.get("stream"):
        raise BadParamsError("stream: streaming is not supported in a batch")
    for name in _NOT_IN_A_BATCH:
        if params.get(name) is not None:
            raise BadParamsError(f"{name}: not supported in a batch")
    if params.get("bill_to") == "user_profile":
        raise BadParamsError("bill_to: user_profile is not supported in a batch")


def _check_sampling(params: Mapping[str, Any], model: Model) -> None:
    for name, default in _SAMPLING_DEFAULTS.items():
        value = params.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise BadParamsError(f"{name}: Input should be a valid number")
        if name != "top_k" and not 0 <= value <= 1:
            raise BadParamsError(f"{name}: Input should be from 0 to 1")
        if "sampling" in model.refuses and value != default:
            raise BadParamsError(f"{name}: this model supports only the default value")


def _check_choices(params: Mapping[str, Any], model: Model) -> None:
    choice = params.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool"):
        if "forced_tool" in model.refuses:
            raise BadParamsError("tool_choice: this model does not support a forced tool")
        if not params.get("tools"):
            raise BadParamsError("tool_choice: may only be given together with tools")
    geo = params.get("inference_geo")
    if geo not in (None, "us", "global"):
        raise BadParamsError("inference_geo: Input should be 'us' or 'global'")
    if geo == "us" and "us_only" in model.refuses:
        raise BadParamsError("inference_geo: not supported by this model")


def _check_thinking(params: Mapping[str, Any], model: Model) -> None:
    thinking = params.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if f"thinking_{kind}" in model.refuses:
        raise BadParamsError(f"thinking: type {kind} is not supported by this model")
    if kind == "enabled" and isinstance(thinking, dict):
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or not 1024 <= budget < params["max_tokens"]:
            raise BadParamsError("thinking.budget_tokens: must be at least 1024 and less than max_tokens")
    output = params.get("output_config")
    effort = output.get("effort") if isinstance(output, dict) else None
    if effort is not None and effort not in model.effort:
        raise BadParamsError(f"output_config.effort: {effort} is not supported by this model")


def _check_roles(messages: list[Any], model: Model) -> None:
    for position, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise BadParamsError(f"messages.{position}.role: Input should be 'user' or 'assistant'")
        if not message.get("content"):
            raise BadParamsError(f"messages.{position}.content: Field required and not empty")
    if messages[-1]["role"] == "assistant" and "prefill" in model.refuses:
        raise BadParamsError("messages: this model does not support prefill; the last message must be of the user")
