"""The process that lives are forked from: everything is imported, and no thread runs that a fork could cut."""

import gc
import logging
import os
import signal
import sys
import tempfile
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

from anthropic import _base_client as sdk

from core.errors import LotwiseError
from core.gateway import AnthropicGateway
from core.prices import PriceBook
from core.store.statements import migrations, statements, views
from tests.chaos.life import Birth, live

# Real seconds; only what hangs on purpose is slower than this on loopback.
PATIENCE_SECONDS = 5.0
SHORT_PATIENCE_SECONDS = 0.3
# What the SDK waits before it repeats a reading call is real time; how often it does so stays as it is.
_RETRY_SECONDS = 0.001
# What commands import, and what DuckDB and Polars import when they are used: no life pays for it.
_IMPORTED_LATER = ("core.commands.command_line", "numpy.ma", "pyarrow.types")


def main(address: str, base_url: str) -> None:
    """Fork a life for every birth that the driver asks for; report how each one ended."""
    logging.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for delay in ("INITIAL_RETRY_DELAY", "MAX_RETRY_DELAY"):
        setattr(sdk, delay, _RETRY_SECONDS)
    for module in _IMPORTED_LATER:
        import_module(module)
    PriceBook.load()
    for warm in (statements, views, migrations):
        warm()
    _warm_sdk(base_url)
    gateways = {
        seconds: AnthropicGateway(
            api_key="any", base_url=base_url, simulated=True, create_seconds=seconds, read_seconds=seconds
        )
        for seconds in (PATIENCE_SECONDS, SHORT_PATIENCE_SECONDS)
    }
    for gateway in gateways.values():
        gateway._sdk()  # reads the certificates; nothing is connected yet
    driver = Client(address)
    # What is there now is never looked at by a collection again: that would copy it into every life.
    gc.collect()
    gc.freeze()
    while True:
        try:
            asked: Any = driver.recv()
        except EOFError:
            os._exit(0)  # there is nothing to tidy up
        if isinstance(asked, int):
            driver.send(os.waitpid(asked, 0)[1])
        else:
            birth, patience = asked
            driver.send(_fork(address, birth, gateways[patience], driver))


def _warm_sdk(base_url: str) -> None:
    """Have the SDK import, once for all lives, what it only imports when it is used."""
    gateway = AnthropicGateway(api_key="any", base_url=base_url, simulated=True)
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, "body.json")
        body.write_bytes(b'{"requests": []}')
        with suppress(LotwiseError):
            gateway.create(body)
    gateway.list_since(datetime.now(UTC))
    with suppress(LotwiseError):
        gateway.retrieve("none")
    gateway.close()


def _fork(address: str, birth: Birth, gateway: AnthropicGateway, nursery: Connection) -> int:
    child = os.fork()
    if child:
        return child
    nursery.close()
    with Client(address) as driver:
        try:
            live(birth, gateway, driver)
        except BaseException:  # a life ends here, whatever it met; its driver counts it as broken
            traceback.print_exc()
            os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
