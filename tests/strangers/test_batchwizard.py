"""batchwizard: a command line with an older SDK over aiohttp, which keeps its own journal of batches."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.strangers.life import CANCELED, KEY, TOO_LARGE, TOO_MANY, params, requests

WRONG = {"custom_id": "wrong", "params": params(temperature=3)}


def lines(file: Path) -> list[dict[str, Any]]:
    """The documents of a file."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_batchwizard_lives_the_whole_life(url: str, outsiders: Path, tmp_path: Path) -> None:
    """It submits, cancels, waits, collects both kinds of results, lists, and reports refusals as such."""

    def write(name: str, batch: list[dict[str, Any]]) -> str:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(request) + "\n" for request in batch))
        return str(path)

    submit = ["submit", "--provider", "anthropic"]
    results = tmp_path / "results"
    commands = [
        [*submit, write("canceled", CANCELED)],
        ["cancel", "LAST"],
        [*submit, write("mixed", [*requests(2), WRONG])],
        ["watch", "--output-directory", str(results)],
        ["list-jobs", "--provider", "anthropic"],
        [*submit, write("large", TOO_LARGE)],
        [*submit, write("many", TOO_MANY)],
        ["download", "--provider", "anthropic", "msgbatch_unknown"],
    ]
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "200", "NO_COLOR": "1"}
    account = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY, "CHECK_INTERVAL": "1"}

    wizard = subprocess.run(
        [outsiders / "bin" / "python", Path(__file__).with_name("wizard.py")],
        input=json.dumps(commands),
        env=os.environ | home | account,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert wizard.returncode == 0, wizard.stderr
    said = json.loads((tmp_path / "said.json").read_text())
    assert "msgbatch_sim_" in said[0]
    collected = {
        kind: [line["result"] for file in results.glob(f"*_{kind}.jsonl") for line in lines(file)]
        for kind in ("results", "errors")
    }
    states = [result["type"] for result in collected["errors"]]
    assert len(collected["results"]) + len(states) == len(CANCELED) + 3
    assert states.count("errored") == 1
    assert states.count("canceled") > 0
    assert "2 ok" in said[4]
    assert "request_too_large" in wizard.stdout  # its log, where it reports what it could not submit
    assert "rate_limit_error" in wizard.stdout
    assert "not_found_error" in said[7]
