"""A workspace: one folder with the store, payloads and raw results; opened by one process at a time."""

import os
import secrets
import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from core.account import open_gateway
from core.billing.ledger import price_what_is_known
from core.billing.terms import effective_book
from core.confinement import make_private
from core.gateway import Gateway
from core.handover.handover import Handover
from core.loopback import LoopbackServer
from core.roles import Actor, local_user
from core.settings import Settings
from core.store import Store
from core.worker import Worker


def default_folder() -> Path:
    """`LOTWISE_WORKSPACE`, or `.lotwise/` in the working folder."""
    return Path(os.environ.get("LOTWISE_WORKSPACE") or ".lotwise")


def utc_now() -> datetime:
    """The clock of the outermost layer; everything below is told the time."""
    return datetime.now(UTC)


def stopwatch() -> float:
    """Seconds since the machine was started: they only run forward, whatever becomes of the clock."""
    return time.monotonic()


class Workspace:
    """Store, prices, settings, the gateway and the worker of one folder.

    The gateway is the real API where `ANTHROPIC_API_KEY` is set, else the embedded local server (see
    `core/account.py`). `start()` sets the worker going; without it the owner drives `worker.tick()` itself.
    What is done with it is done, and recorded, in the name of `actor`: the user of this machine, or whoever it was
    handed to (`acting`).
    """

    def __init__(self, folder: Path, store: Store, settings: Settings, gateway: Gateway | None) -> None:
        self.folder = folder
        self.store = store
        self.settings = settings
        self.book = effective_book(store)
        price_what_is_known(store, self.book)
        self.actor = local_user()
        self._api: LoopbackServer | None = None
        self._sandbox: LoopbackServer | None = None
        if gateway is None:
            gateway, self._sandbox = open_gateway(store, folder, settings)
        self.gateway = gateway
        self.handover = Handover(store, folder)
        self.worker = Worker(
            store=store,
            folder=folder,
            gateway=self.gateway,
            book=self.book,
            settings=settings,
            handover=self.handover,
            clock=utc_now,
            stopwatch=stopwatch,
        )

    @classmethod
    def open(cls, folder: Path, *, gateway: Gateway | None = None, settings: Settings | None = None) -> Self:
        """Open (or make) the workspace in `folder`. Raises `StoreBusy` while another process owns it."""
        folder = folder.resolve()
        make_private(folder)
        settings = settings or Settings.load()
        store = Store.open(folder / "lotwise.duckdb", metadata_only=settings.metadata_only)
        # What a workspace was made as, it stays, whoever opens it with whatever settings.
        settings = replace(settings, metadata_only=store.metadata_only)
        try:
            return cls(folder, store, settings, gateway)
        except BaseException:
            store.close()
            raise

    def acting(self, actor: Actor) -> Self:
        """The same open workspace in the hands of `actor`."""
        handed = copy(self)
        handed.actor = actor
        return handed

    def start(self, *, serve: Callable[["Workspace", str], LoopbackServer] | None = None) -> None:
        """Start the worker, and with `serve` the local API that lets the command line reach this process."""
        self.worker.start()
        if serve is not None:
            token = secrets.token_urlsafe(24)
            self._api = serve(self, token)
            self._api.start()
            self.store.lock.announce(url=self._api.url, token=token)

    def close(self) -> None:
        """Stop the worker and the local servers, then close the store; safe to call twice."""
        self.worker.stop()
        self.gateway.close()
        for server in (self._api, self._sandbox):
            if server is not None:
                server.stop()
        self._api = self._sandbox = None
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
