"""`python -m benchmarks [NAME …]`: run the benchmarks and print each ratio beside its goal."""

import sys
from importlib import import_module

NAMES = (
    "grouping",
    "executors",
    "field_order",
    "doctor",
    "results",
    "local_server",
    "pricing",
    "planning",
    "backlog_schedule",
    "pages",
    "ledger",
    "simulation",
    "sizing_study",
    "certification",
    "forecasts",
    "routing",
)


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    for name in names or NAMES:
        for ratio in import_module(f"benchmarks.{name}").measure():
            print(ratio.line(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
