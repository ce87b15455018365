"""MCP authorization for httpx2: an `Auth` for `httpx2.Client` and `httpx2.AsyncClient`.

    import httpx2
    from grantor.httpx2 import Auth

    with httpx2.Client(auth=Auth("https://mcp.example.com/mcp")) as client:
        client.post("https://mcp.example.com/mcp", json={...})

Discovery, registration, the browser, refresh, step-up and DPoP happen inside. One `Auth` is for one server and one account;
any number of clients, threads and tasks may share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from grantor._httpx import Flow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator


class Auth(Flow, httpx2.Auth):
    """Authorizes the requests of httpx2 clients."""

    _stack = httpx2

    if TYPE_CHECKING:

        def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]: ...

        def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]: ...


__all__ = ["Auth"]
