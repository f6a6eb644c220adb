"""Request and result files to measure with, made by code and the same at every run."""

import random
from pathlib import Path

import orjson

_WORDS = ("invoice", "order", "refund", "carrier", "ledger", "clause", "vendor", "sample", "window", "margin", "tier")


def text(rng: random.Random, length: int) -> str:
    """Words of roughly `length` characters."""
    return " ".join(rng.choices(_WORDS, k=length // 7))


def write_requests(
    path: Path,
    *,
    requests: int = 100_000,
    size: int = 256_000_000,
    seed: int = 1,
    one_string: bool = False,
) -> None:
    """Write about `size` bytes of requests: 21 % in 40 classes with a heavy prefix, the rest a long tail.

    The prefix is the system prompt, or (`one_string`) the beginning of the user's text.
    """
    rng = random.Random(seed)
    pool = text(rng, 2_000_000)
    prefixes = [text(rng, 6_000) for _ in range(40)]
    tail = int((size - requests * 0.21 * 6_300) / (requests * 0.79)) - 160
    with path.open("wb") as file:
        for number in range(requests):
            params: dict[str, object] = {"model": "claude-haiku-5-5", "max_tokens": 256}
            shared = rng.random() < 0.21
            length = 200 if shared else tail
            start = rng.randrange(len(pool) - length)
            content = f"{number} {pool[start : start + length]}"
            if shared:
                prefix = prefixes[rng.randrange(len(prefixes))]
                content, params["system"] = (prefix + content, "") if one_string else (content, prefix)
            params["messages"] = [{"role": "user", "content": content}]
            file.write(orjson.dumps({"custom_id": f"bench-{number:07d}", "params": params}) + b"\n")
