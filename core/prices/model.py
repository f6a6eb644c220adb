"""What is known of a Claude model, apart from its price."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Literal, get_args

from core.prices.rates import PriceBookInvalid

Lifecycle = Literal["active", "deprecated", "retired"]
Refusal = Literal[
    "forced_tool",  # tool_choice of type any or tool
    "sampling",  # temperature, top_p or top_k other than the default
    "prefill",  # a last message of the assistant, which the answer would continue
    "thinking_enabled",  # thinking with a budget of tokens; the four words name the types of `thinking`
    "thinking_adaptive",
    "thinking_disabled",
    "thinking_between_tools",
    "us_only",  # inference_geo us
]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A Claude model as the planner needs to know it."""

    id: str
    """The id that requests use, without a snapshot date."""
    display_name: str
    line: str
    """The tier: haiku, sonnet, opus, fable or mythos."""
    lifecycle: Lifecycle
    cache_floor_tokens: int
    """The shortest prefix that is cached; a shorter one is silently not."""
    floor_assumed: bool
    """True where the floor is not published and the one above is our assumption."""
    max_input_tokens: int
    max_tokens: int
    """The most output one request may ask for, without the long-output beta."""
    refuses: frozenset[str]
    """What its requests may not have, in the words of `Refusal`."""
    effort: tuple[str, ...]
    """The levels of `output_config.effort` that it takes, lowest first; empty where it takes none."""
    thinks_unasked: bool
    """Whether it thinks where a request says nothing of `thinking`; thinking is billed as output."""
    retires_at: datetime | None
    """From when on its requests fail (UTC), where that day is announced."""
    tokenizer: str
    """The generation of its tokenizer: older, or newer from 4.7 on (about 30 % more tokens for the same text)."""
    chars_per_token: float
    """An assumed average to plan with before tokens are counted; never part of a bill."""
    aliases: tuple[str, ...] = ()
    """Other ids of the same model, such as dated snapshots."""
    assumed: tuple[str, ...] = ()
    """The names of the fields above for which no published figure was found."""

    @classmethod
    def parse(cls, table: Mapping[str, Any], chars_per_token: Mapping[str, Any]) -> "Model":
        """Build a model from its table in `models.toml`."""
        assumed = tuple(table.get("assumed", ()))
        refuses = frozenset(table.get("refuses", ()))
        if unknown := refuses - set(get_args(Refusal)):
            raise PriceBookInvalid(model=table["id"], refuses=", ".join(sorted(unknown)))
        retires: date | None = table.get("retires_at")
        return cls(
            id=table["id"],
            display_name=table["display_name"],
            line=table["line"],
            lifecycle=table["lifecycle"],
            cache_floor_tokens=table["cache_floor_tokens"],
            floor_assumed="cache_floor_tokens" in assumed,
            max_input_tokens=table["max_input_tokens"],
            max_tokens=table["max_tokens"],
            refuses=refuses,
            effort=tuple(table.get("effort", ())),
            thinks_unasked=table.get("thinks_unasked", False),
            retires_at=None if retires is None else datetime.combine(retires, time.min, UTC),
            tokenizer=table["tokenizer"],
            chars_per_token=float(chars_per_token[table["tokenizer"]]),
            aliases=tuple(table.get("aliases", ())),
            assumed=assumed,
        )
