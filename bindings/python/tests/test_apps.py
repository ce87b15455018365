"""The Guard around what programs are made with: Starlette, on which FastAPI is built, and the MCP SDK's server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from grantor import AuthorizationServer, GuardConfig
from grantor.asgi import Checks, Guarded

HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
ALICE = {"authorization": "Bearer alice"}


def checks(url: str, **rules: Any) -> Checks:
    async def check(token: str) -> str | None:
        return json.dumps({"sub": token, "client_id": "c1", "aud": url, "scope": "notes:read"}) if token == "alice" else None

    config = GuardConfig(url, AuthorizationServer("https://as.example.com", tokens="host"), every="notes:read", **rules)
    return Checks(config, check_token=check)


async def whoami(request: Request) -> JSONResponse:
    grant = request.state.grant
    said = {"subject": grant.subject, "scopes": list(grant.scopes), "body": (await request.body()).decode()}
    return JSONResponse(said | {"started": getattr(request.state, "started", None)})


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    yield {"started": "once"}


def around(url: str) -> Any:
    return Guarded(Starlette(routes=[Route("/mcp", whoami, methods=["POST"])], lifespan=lifespan), checks(url))


def as_middleware(url: str) -> Any:
    routes = [Route("/mcp", whoami, methods=["POST"])]
    return Starlette(routes=routes, middleware=[Middleware(Guarded, checks=checks(url))], lifespan=lifespan)


def mounted(url: str) -> Any:
    inner = Guarded(Starlette(routes=[Route("/", whoami, methods=["POST"])]), checks(url))
    return Starlette(routes=[Mount("/mcp", app=inner)], lifespan=lifespan)


@pytest.mark.parametrize("make", [around, as_middleware, mounted])
def test_request_state_grant(make: Callable[[str], Any], serving: Callable[[Callable[[str], Any]], str]) -> None:
    url = serving(make)
    with httpx2.Client(follow_redirects=True) as client:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})
        refused = client.post(url, headers=HEADERS, content=body)
        assert refused.status_code == 401 and "resource_metadata" in refused.headers["www-authenticate"]
        assert client.post(url, headers=HEADERS | {"authorization": "Bearer mallory"}, content=body).status_code == 401
        answer = client.post(url, headers=HEADERS | ALICE, content=body)
        assert answer.json() == {"subject": "alice", "scopes": ["notes:read"], "body": body, "started": "once"}
        if make is not mounted:  # where the metadata's path is the Guard's, too
            metadata = client.get(url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp"))
            assert metadata.json()["authorization_servers"] == ["https://as.example.com"]


def test_a_tool_of_the_sdks_server_knows_whose_call_it_is(serving: Callable[[Callable[[str], Any]], str]) -> None:
    server = MCPServer("Notes")

    @server.tool()
    async def whose(context: Context) -> str:
        request: Any = context.request_context.request
        return str(request.state.grant.subject)

    url = serving(lambda url: Guarded(server.streamable_http_app(), checks(url)))

    async def run() -> str:
        async with httpx2.AsyncClient(headers=ALICE) as http:
            async with Client(streamable_http_client(url, http_client=http)) as client:
                result: Any = await client.call_tool("whose", {})
                return str(result.content[0].text)

    assert asyncio.run(run()) == "alice"
