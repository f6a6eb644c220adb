"""Runs command lines of batchwizard one after another in one process, where it is installed; starting it takes long.

Reads a JSON list of command lines from standard input, and writes what each printed to `said.json` here.
Where a command line has LAST in it, the first batch id that the command before it printed is meant.
"""

import json
import re
import sys
from pathlib import Path

from batchwizard.cli import app  # type: ignore[import-not-found]
from typer.testing import CliRunner  # type: ignore[import-not-found]

runner = CliRunner()
said: list[str] = []
for arguments in json.load(sys.stdin):
    last = re.search(r"msgbatch_\w+", said[-1]) if said else None
    line = [last[0] if argument == "LAST" and last else argument for argument in arguments]
    said.append(runner.invoke(app, line).output)
Path("said.json").write_text(json.dumps(said))
