"""Which account a workspace works with: the real API, or the embedded server; never both in one workspace."""

import os
import tomllib
from pathlib import Path

from core.errors import LotwiseError
from core.gateway import ONE_HOUR, AnthropicGateway, ClosedGateway, Gateway
from core.loopback import LoopbackServer
from core.sandbox import ORDINARY_TIERS, SandboxOptions, create_app
from core.settings import Settings
from core.store import Store

_KEY = "ANTHROPIC_API_KEY"
_ADMIN_KEY = "ANTHROPIC_ADMIN_KEY"
_BASE_URL = "ANTHROPIC_BASE_URL"
_SECRETS = Path(__file__).resolve().parent.parent / ".streamlit" / "secrets.toml"


class KeyUnusable(LotwiseError):
    """An API key holds a character that no key has, so nothing is sent with it. Copy it anew: ANTHROPIC_API_KEY, or
    ANTHROPIC_ADMIN_KEY where that is set."""


def api_key(secrets: Path = _SECRETS) -> str | None:
    """The key of the environment, else of `.streamlit/secrets.toml`, else None. Raises `KeyUnusable`."""
    return _key(_KEY, secrets)


def admin_key(secrets: Path = _SECRETS) -> str | None:
    """The key that reads the account's reports, from the same places. Raises `KeyUnusable`."""
    return _key(_ADMIN_KEY, secrets)


def _key(name: str, secrets: Path) -> str | None:
    key = os.environ.get(name, "").strip()
    if not key and secrets.is_file():
        key = str(tomllib.loads(secrets.read_text()).get(name) or "").strip()
    # A header that cannot be sent is quoted by the libraries that refuse it.
    if not (key.isascii() and key.isprintable()):
        raise KeyUnusable
    return key or None


def open_gateway(store: Store, folder: Path, settings: Settings) -> tuple[Gateway, LoopbackServer | None]:
    """The gateway of a workspace, and the embedded server behind it where there is one.

    Jobs decide: a workspace with simulated jobs (a demo) stays with the embedded server even where a key is set, so
    that play never spends money; one with real jobs waits for its key. An empty one takes the real API if it can.
    """
    kinds = store.query("job_kinds").row(0, named=True)
    key = api_key()
    if kinds["real"] and not kinds["simulated"] and not key:
        return ClosedGateway(), None
    if key and not kinds["simulated"]:
        base_url = os.environ.get(_BASE_URL) or None
        return AnthropicGateway(api_key=key, admin_key=admin_key(), base_url=base_url), None
    options = SandboxOptions(
        seed=settings.sandbox_seed,
        time_scale=settings.sandbox_time_scale,
        width=settings.sandbox_width,
        error_rate=settings.sandbox_error_rate,
        expiry_rate=settings.sandbox_expiry_rate,
        **ORDINARY_TIERS,
    )
    server = LoopbackServer(create_app(options, folder=folder / "sandbox"))
    server.start()
    lifetime = ONE_HOUR / settings.sandbox_time_scale
    gateway = AnthropicGateway(api_key="simulated", base_url=server.url, simulated=True, cache_lifetime=lifetime)
    return gateway, server
