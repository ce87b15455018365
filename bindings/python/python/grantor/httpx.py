"""MCP authorization for httpx: an `Auth` for `httpx.Client` and `httpx.AsyncClient`.

    import httpx
    from grantor.httpx import Auth

    with httpx.Client(auth=Auth("https://mcp.example.com/mcp")) as client:
        client.post("https://mcp.example.com/mcp", json={...})

Discovery, registration, the browser, refresh, step-up and DPoP happen inside. One `Auth` is for one server and one account;
any number of clients, threads and tasks may share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from grantor._httpx import Flow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator


class Auth(Flow, httpx.Auth):
    """Authorizes the requests of httpx clients."""

    _stack = httpx

    if TYPE_CHECKING:

        def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]: ...

        def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]: ...


__all__ = ["Auth"]
