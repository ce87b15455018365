"""What authorization costs a request of httpx2 that has a valid token, and what the import of the package costs.

    python bindings/python/benches/cost.py

The wheel has to be of a release build (`maturin build --release`); exits with 1 when a bound is broken.

One process, no network: the bare client, Grantor's `Auth`, Grantor's provider for the MCP SDK and the SDK's own take turns, so
that whatever else the machine does falls on all. The figures are medians of rounds.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from mcp.client.auth import AuthorizationCodeResult
from mcp.client.auth import OAuthClientProvider as SdkProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

import grantor
import grantor.httpx2
import grantor.mcp

SERVER = "http://127.0.0.1:9/mcp"
ISSUER = "http://127.0.0.1:9"
ROUNDS, REQUESTS = 400, 10
BARE = "the bare client, which has a token"
OVER_BARE_US, IMPORT_MS = 30.0, 100.0


def answer(request: httpx2.Request) -> httpx2.Response:
    """An MCP server and its authorization server, from memory."""
    match request.url.path:
        case "/mcp" if "authorization" in request.headers:
            return httpx2.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": {}})
        case "/mcp":
            return httpx2.Response(401, headers={"www-authenticate": "Bearer"})
        case "/.well-known/oauth-protected-resource/mcp":
            return httpx2.Response(200, json={"resource": SERVER, "authorization_servers": [ISSUER]})
        case "/.well-known/oauth-authorization-server":
            names = ("authorization_endpoint", "token_endpoint", "registration_endpoint")
            ends = {name: f"{ISSUER}/{name.removesuffix('_endpoint')}" for name in names}
            rest = {"code_challenge_methods_supported": ["S256"], "response_types_supported": ["code"]}
            return httpx2.Response(200, json={"issuer": ISSUER, **ends, **rest})
        case "/registration":
            client = {"client_id": "c", "redirect_uris": ["http://127.0.0.1:1/"], "token_endpoint_auth_method": "none"}
            return httpx2.Response(201, json=client)
        case "/token":
            return httpx2.Response(200, json={"access_token": "t" * 40, "token_type": "Bearer", "expires_in": 36000})
    return httpx2.Response(404)


class Storage:
    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Agent:
    """Agrees at once."""

    def listen(self, preferred: str | None) -> str:
        return "http://127.0.0.1:1/"

    def approve(self, summary: grantor.Summary) -> bool:
        return True

    def authorize(self, prompt: grantor.AuthorizationPrompt, wait: grantor.Wait) -> grantor.Callback:
        return grantor.Callback(f"{prompt.redirect_uri}?code=c&state={state(prompt.url)}")

    def show_code(self, prompt: grantor.DevicePrompt, wait: grantor.Wait) -> None: ...


def state(url: str) -> str:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["state"][0]


def provider(kind: Any) -> Any:
    """Grantor's for the SDK, or the SDK's own: the two take the same."""
    pages: list[str] = []

    async def redirect(url: str) -> None:
        pages.append(url)

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code="c", state=state(pages[-1]))

    metadata = OAuthClientMetadata.model_validate({"redirect_uris": ["http://127.0.0.1:1/"]})
    return kind(SERVER, metadata, Storage(), redirect, callback)


async def medians() -> dict[str, float]:
    """Microseconds for a request, by who authorizes it; beyond those of the bare client in the same round."""
    auths: dict[str, httpx2.Auth | None] = {
        BARE: None,
        "Grantor's Auth": grantor.httpx2.Auth(SERVER, user_agent=Agent()),
        "Grantor's provider for the SDK": provider(grantor.mcp.OAuthClientProvider),
        "the SDK's provider": provider(SdkProvider),
    }
    transport = httpx2.MockTransport(answer)
    clients = {name: httpx2.AsyncClient(transport=transport, auth=auth) for name, auth in auths.items()}
    times: dict[str, list[float]] = {name: [] for name in auths}
    for turn in range(ROUNDS + 1):
        for name, client in clients.items():
            headers = {"authorization": "Bearer token"} if name == BARE else {}
            begun = time.perf_counter()
            for _ in range(REQUESTS):
                response = await client.post(SERVER, content=b"{}", headers=headers)
                assert response.status_code == 200
            if turn > 0:  # the first one logs in
                times[name].append((time.perf_counter() - begun) / REQUESTS * 1e6)
    over = {name: [one - bare for one, bare in zip(taken, times[BARE])] for name, taken in times.items()}
    return {name: statistics.median(times[BARE] if name == BARE else over[name]) for name in times}


def import_ms(module: str) -> float:
    """Milliseconds that the import takes a new process, besides the interpreter itself; the best of several."""

    def once() -> float:
        command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        found = re.search(rf"\| +(\d+) \| {re.escape(module)}$", told, re.M)
        assert found is not None, told[-500:]
        return int(found[1]) / 1000

    return min(once() for _ in range(5))


def main() -> None:
    found = asyncio.run(medians())
    bare = found.pop(BARE)
    print(f"{bare:7.1f} µs a request: {BARE}")
    for name, more in found.items():
        print(f"{more:+7.1f} µs: {name}")
    took = import_ms("grantor")
    print(f"{took:7.1f} ms to import grantor")
    bounds = {
        f"at most {OVER_BARE_US} µs over the bare client": found["Grantor's Auth"] <= OVER_BARE_US,
        "less than the SDK's provider": found["Grantor's Auth"] < found["the SDK's provider"],
        "less than the SDK's provider, in its place": found["Grantor's provider for the SDK"] < found["the SDK's provider"],
        f"at most {IMPORT_MS} ms to import": took <= IMPORT_MS,
    }
    for bound, kept in bounds.items():
        print(f"{'ok' if kept else 'FAILED':6} {bound}")
    sys.exit(0 if all(bounds.values()) else 1)


if __name__ == "__main__":
    main()
