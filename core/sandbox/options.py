"""What a user may set on the local server. The command line makes its flags and help from these fields."""

from dataclasses import dataclass, field, fields

from core.errors import LotwiseError

_SHARES = ("error_rate", "expiry_rate", "refusal_rate", "truncation_rate")


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
    live_counts: bool = field(
        default=False,
        metadata={"help": "Count finished items while the batch still runs, as some users of the API report."},
    )
    results_retention_days: int = field(
        default=29, metadata={"help": "Days from creation until the results of a batch are archived."}
    )

    def __post_init__(self) -> None:
        for name in ("time_scale", "width", "seconds_per_item", "output_share"):
            if not getattr(self, name) > 0:
                raise BadSandboxOption(option=name, value=getattr(self, name), range="above 0")
        for name in ("queue_seconds", "seconds_spread", "output_spread", "results_retention_days"):
            if not getattr(self, name) >= 0:
                raise BadSandboxOption(option=name, value=getattr(self, name), range="0 or more")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise BadSandboxOption(option=name, value=getattr(self, name), range="0 to 1")
        if sum(getattr(self, name) for name in _SHARES) > 1 + 1e-9:
            raise BadSandboxOption("The shares of items that do not simply succeed add up to more than 1.")

    def scaled_us(self, simulated_seconds: float) -> int:
        """A simulated duration as microseconds of real time."""
        return round(simulated_seconds * 1_000_000 / self.time_scale)

    def as_dict(self) -> dict[str, int | float | bool]:
        """Every option by name, to show beside simulated figures."""
        return {option.name: getattr(self, option.name) for option in fields(self)}
