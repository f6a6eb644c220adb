"""What there is to send: small backlogs whose jobs invite mix-ups, by equal counts, primers, or both."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.jobs.driving import lone, shared


@dataclass(frozen=True, kw_only=True)
class Cargo:
    """Requests, and the settings by which they become jobs."""

    name: str
    requests: list[dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)


CARGOES = (
    Cargo(name="one-job", requests=lone(5)),
    Cargo(name="two-equal-jobs", requests=lone(6), settings={"max_job_requests": 3}),
    Cargo(name="four-equal-jobs", requests=lone(8), settings={"max_job_requests": 2}),
    Cargo(name="uneven-jobs", requests=lone(7), settings={"max_job_requests": 3}),
    Cargo(name="primer-and-body", requests=shared("alpha", 6)),
    Cargo(name="equal-primers-and-bodies", requests=shared("alpha", 5) + shared("beta", 5)),
)


def write_requests(path: Path, cargo: Cargo, **edited: Any) -> Path:
    """Write the request file of a cargo, with these parameters edited in every request."""
    lines = [request | {"params": request["params"] | edited} for request in cargo.requests]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
