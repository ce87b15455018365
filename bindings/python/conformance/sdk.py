"""The MCP Python SDK's own client as the client under test, with Grantor's authorization."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Callable
from typing import Any

import httpx2
from mcp.client.auth import AuthorizationCodeResult
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from grantor.mcp import OAuthClientProvider


class Storage:
    """One run's; with a client from the beginning where the scenario has registered one."""

    def __init__(self, client: OAuthClientInformationFull | None) -> None:
        self.client = client
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def provider(
    url: str, name: str, redirect_uri: str, document: str, visit: Callable[[str], str], known: dict[str, Any], **settings: Any
) -> OAuthClientProvider:
    """Grantor's provider where the SDK takes its own; `known` is a client that was registered by hand."""
    metadata = OAuthClientMetadata.model_validate({"client_name": name, "redirect_uris": [redirect_uri]})
    client = OAuthClientInformationFull.model_validate(known) if known else None
    pages: list[str] = []

    async def redirect(page: str) -> None:
        pages.append(page)

    async def callback() -> AuthorizationCodeResult:
        query = urllib.parse.urlsplit(await asyncio.to_thread(visit, pages[-1])).query
        return AuthorizationCodeResult.model_validate(dict(urllib.parse.parse_qsl(query)))

    return OAuthClientProvider(url, metadata, Storage(client), redirect, callback, document, **settings)


async def use_tools(url: str, auth: httpx2.Auth, version: str, calls: list[dict[str, Any]]) -> None:
    """Lists the tools, and calls the first one, or those that the scenario names."""
    mode = version if version >= "2026-07-28" else "legacy"
    async with httpx2.AsyncClient(auth=auth) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            listed = await client.list_tools()
            for call in calls or [{"name": tool.name} for tool in listed.tools[:1]]:
                await client.call_tool(call["name"], call.get("arguments", {}))
