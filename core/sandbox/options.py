"""What a user may set on the local server. The command line makes its flags and help from these fields."""

from dataclasses import dataclass, field, fields

from core.errors import LotwiseError

_ITEM_SHARES = ("error_rate", "expiry_rate", "refusal_rate", "truncation_rate")
_CREATE_SHARES = ("drop_rate", "server_error_rate", "hang_rate")
_TROUBLES = (*_ITEM_SHARES, *_CREATE_SHARES, "early_404_rate", "truncated_results_rate")
_SHARES = (*_TROUBLES, "discount")
_TIERS = ("haiku_right", "sonnet_right", "opus_right", "fable_right", "answer_noise")
_LIMITS = ("credit_requests", "queue_limit", "requests_per_minute")
_NOT_NEGATIVE = (
    "queue_seconds",
    "seconds_spread",
    "output_spread",
    "results_retention_days",
    "hang_seconds",
    *_LIMITS,
)


class BadSandboxOption(LotwiseError):
    """This option of the local server is out of range. Choose a value inside it and start again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the local server behaves. The same options and the same requests give the same outcome."""

    seed: int = field(default=0, metadata={"help": "Same seed, same requests: same outcome."})
    time_scale: float = field(
        default=1.0,
        metadata={"help": "How many simulated seconds pass in a real one; divides durations and cache lifetimes."},
    )
    width: int = field(default=50, metadata={"help": "Items in flight at once, shared by all batches of the account."})
    queue_seconds: float = field(
        default=0.0,
        metadata={"help": "Simulated seconds between the creation of a batch and its first item."},
    )
    seconds_per_item: float = field(default=20.0, metadata={"help": "Median of the simulated seconds an item takes."})
    seconds_spread: float = field(
        default=0.4,
        metadata={"help": "Spread (sigma of the logarithm) of the seconds an item takes; 0 is none."},
    )
    output_share: float = field(
        default=0.3, metadata={"help": "Median output of an item, as a share of its max_tokens."}
    )
    output_spread: float = field(
        default=0.4, metadata={"help": "Spread (sigma of the logarithm) of the output tokens; 0 is none."}
    )
    error_rate: float = field(default=0.0, metadata={"help": "Share of items that end with a retryable server error."})
    expiry_rate: float = field(
        default=0.0, metadata={"help": "Share of items that expire without being sent to the model."}
    )
    refusal_rate: float = field(default=0.0, metadata={"help": "Share of items the model refuses."})
    truncation_rate: float = field(default=0.0, metadata={"help": "Share of items whose output is cut at max_tokens."})
    haiku_right: float = field(
        default=0.0,
        metadata={
            "help": "Share of items that Haiku models answer right, where the answer is one of a list (an enum or a "
            "boolean of a JSON schema or a forced tool); 0: always the first of the list."
        },
    )
    sonnet_right: float = field(default=0.0, metadata={"help": "The same for Sonnet models."})
    opus_right: float = field(default=0.0, metadata={"help": "The same for Opus models."})
    fable_right: float = field(default=0.0, metadata={"help": "The same for Fable and Mythos models."})
    answer_noise: float = field(
        default=0.02, metadata={"help": "Share of such answers that are drawn anew at each run, at the same rate."}
    )
    live_counts: bool = field(
        default=False,
        metadata={"help": "Count finished items while the batch still runs, as some users of the API report."},
    )
    results_retention_days: int = field(
        default=29, metadata={"help": "Days from creation until the results of a batch are archived."}
    )
    drop_rate: float = field(
        default=0.0, metadata={"help": "Share of creates whose answer is lost although the batch exists."}
    )
    server_error_rate: float = field(
        default=0.0, metadata={"help": "Share of creates answered 500, 502, 504 or 529 although the batch exists."}
    )
    hang_rate: float = field(
        default=0.0, metadata={"help": "Share of creates that get no answer in time although the batch exists."}
    )
    hang_seconds: float = field(
        default=30.0, metadata={"help": "Real seconds until a hanging connection is closed, if the client waits."}
    )
    early_404_rate: float = field(
        default=0.0, metadata={"help": "Share of new batches that are not found at the first look."}
    )
    truncated_results_rate: float = field(
        default=0.0,
        metadata={"help": "Share of downloads that end early: between lines, inside one, or with the connection."},
    )
    credit_requests: int = field(
        default=0,
        metadata={"help": "Items the credit pays for; then items fail and creates are refused. 0 is without limit."},
    )
    queue_limit: int = field(
        default=0,
        metadata={"help": "Requests that may wait or run in all batches together; more is a 429. 0 is without limit."},
    )
    requests_per_minute: int = field(
        default=0, metadata={"help": "Calls of the batch endpoints a minute; more is a 429. 0 is without limit."}
    )
    discount: float = field(
        default=0.0, metadata={"help": "Share off the list price that cost reports show, as a contract would give it."}
    )
    usage_by_end: bool = field(
        default=False,
        metadata={"help": "Usage reports date the items of a batch by its end rather than by its creation."},
    )

    def __post_init__(self) -> None:
        for name in ("time_scale", "width", "seconds_per_item", "output_share"):
            if not getattr(self, name) > 0:
                raise BadSandboxOption(option=name, value=getattr(self, name), range="above 0")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise BadSandboxOption(option=name, value=getattr(self, name), range="0 or more")
        for name in (*_SHARES, *_TIERS):
            if not 0 <= getattr(self, name) <= 1:
                raise BadSandboxOption(option=name, value=getattr(self, name), range="0 to 1")
        for names, what in ((_ITEM_SHARES, "items"), (_CREATE_SHARES, "creates")):
            if sum(getattr(self, name) for name in names) > 1 + 1e-9:
                raise BadSandboxOption(f"The shares of {what} that do not simply succeed add up to more than 1.")

    def scaled_us(self, simulated_seconds: float) -> int:
        """A simulated duration as microseconds of real time."""
        return round(simulated_seconds * 1_000_000 / self.time_scale)

    def as_dict(self) -> dict[str, int | float | bool]:
        """Every option by name, to show beside simulated figures."""
        return {option.name: getattr(self, option.name) for option in fields(self)}

    def rehearsed(self) -> dict[str, int | float | bool]:
        """The troubles that are switched on, by name."""
        values = self.as_dict()
        return {name: values[name] for name in (*_TROUBLES, *_LIMITS) if values[name]}
