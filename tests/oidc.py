"""A small OpenID Connect provider on loopback: discovery, a choice of accounts, code with PKCE, signed tokens."""

import base64
import hashlib
import secrets
import time
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from core.loopback import LoopbackServer

CLIENT, SECRET = "lotwise", "the-secret-of-the-client"


class Provider:
    """The provider (OpenID Connect Core 1.0, authorization code flow with PKCE, RFC 7636).

    `accounts` are the claims of those who can sign in, by the name on their button.
    """

    def __init__(self, accounts: dict[str, dict[str, Any]]) -> None:
        self.accounts = accounts
        self._key = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig", "alg": "RS256"})
        self._codes: dict[str, dict[str, str]] = {}
        paths = {
            "/.well-known/openid-configuration": self._metadata,
            "/keys": self._keys,
            "/authorize": self._choose,
            "/approve": self._approve,
            "/token": self._token,
            "/leave": self._leave,
        }
        routes = [Route(path, handler, methods=["GET", "POST"]) for path, handler in paths.items()]
        self.server = LoopbackServer(Starlette(routes=routes))

    def secrets(self, roles: str) -> str:
        """The text of the secrets file of an app that trusts this provider."""
        return f"""
[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "{secrets.token_hex(16)}"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
server_metadata_url = "{self.server.url}/.well-known/openid-configuration"

[roles]
{roles}
"""

    async def _metadata(self, request: Request) -> Response:
        url = self.server.url
        return JSONResponse(
            {
                "issuer": url,
                "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token",
                "jwks_uri": f"{url}/keys",
                "end_session_endpoint": f"{url}/leave",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _keys(self, request: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    async def _choose(self, request: Request) -> Response:
        asked = dict(request.query_params)
        links = "".join(
            f'<li><a href="/approve?{urlencode(asked | {"account": name})}">{name}</a></li>' for name in self.accounts
        )
        icon = '<link rel="icon" href="data:,">'
        return HTMLResponse(f"<title>Provider</title>{icon}<h1>Choose an account</h1><ul>{links}</ul>")

    async def _approve(self, request: Request) -> Response:
        asked = dict(request.query_params)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        asked = self._codes.pop(form["code"], {})
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if request.headers["authorization"] != f"Basic {basic}" or asked.get("code_challenge") != challenge.decode():
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.server.url, "aud": CLIENT, "iat": now, "exp": now + 600, "nonce": asked["nonce"]}
        claims |= {"sub": asked["account"]} | self.accounts[asked["account"]]
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self._key)
        return JSONResponse({"access_token": "unused", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    async def _leave(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], 302)
