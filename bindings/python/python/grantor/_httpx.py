"""What the `Auth` of httpx and that of httpx2 have in common: the two have the same shape, and are not the same classes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, cast

from grantor import _types as t
from grantor._exchange import Closed, answer, append, twice_if_closed
from grantor._native import Engine, HttpRequest
from grantor._session import Calls, ended

# The headers of a request that tell operations apart.
OPERATION = (b"mcp-method", b"mcp-name")
# And those that are Grantor's to set.
CREDENTIALS = (b"authorization", b"dpop")


def caller(kind: type) -> Any:
    """The client that asks for the flow of a request, two frames above: clients do not say who they are."""
    found = sys._getframe(2).f_locals.get("self")
    return found if isinstance(found, kind) else None


class Flow(Calls):
    """Mixed into the `Auth` of an httpx; `_stack` is that module.

    Grantor's own requests go through the client that sends the caller's, without its authentication, cookies and default
    headers, and never along a redirect; `client` names another one for them.
    """

    _stack: Any

    # The shape of `Auth`.

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Sends a request with a token, and again where authorization needs it."""
        return self._flow(request, self._sender(caller(self._stack.Client)))

    def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """The same for async clients, on asyncio."""
        return self._flow_async(request, self._sender_async(caller(self._stack.AsyncClient)))

    def _flow(self, request: Any, send: Callable[[HttpRequest, int, float], t.HttpAnswer]) -> Generator[Any, Any, None]:
        session = self.session
        engine = session.engine
        call, verdict = session.run(
            None, lambda: engine.authorize(request.method, str(request.url), _only(request.headers, OPERATION)), send
        )
        over = False
        try:
            while isinstance(verdict, t.Send):
                _authorize(request, verdict)
                response = yield request
                status, headers = response.status_code, _reported(response)
                if status in (401, 403):
                    response.read()  # before anything else uses the connection
                _, verdict = session.run(call, lambda: engine.report(call, status, headers), send)  # noqa: B023
            over = True
            ended(verdict)
        finally:
            if not over:
                session.fail(session.cancel(call))

    async def _flow_async(
        self, request: Any, send: Callable[[HttpRequest, int, float], Awaitable[t.HttpAnswer]]
    ) -> AsyncGenerator[Any, Any]:
        session = self.session
        engine = session.engine
        call, verdict = await session.run_async(
            None, lambda: engine.authorize(request.method, str(request.url), _only(request.headers, OPERATION)), send
        )
        over = False
        try:
            while isinstance(verdict, t.Send):
                _authorize(request, verdict)
                response = yield request
                status, headers = response.status_code, _reported(response)
                if status in (401, 403):
                    await response.aread()
                _, verdict = await session.run_async(call, lambda: engine.report(call, status, headers), send)  # noqa: B023
            over = True
            ended(verdict)
        finally:
            if not over:
                session.spawn(session.cancel(call), send)

    # Without a request, for asyncio.

    async def log_in_async(self) -> None:
        """`log_in` for asyncio."""
        await self._end_async(lambda engine: engine.log_in())

    async def log_out_async(self) -> None:
        """`log_out` for asyncio."""
        await self._end_async(lambda engine: engine.log_out())

    async def forget_async(self) -> None:
        """`forget` for asyncio."""
        await self._end_async(lambda engine: engine.forget())

    async def callback_async(self, url: str) -> None:
        """`callback` for asyncio."""
        await self._end_async(lambda engine: engine.callback(url))

    async def _end_async(self, enter: Callable[[Engine], int]) -> None:
        engine = self.session.engine
        ended((await self.session.run_async(None, lambda: enter(engine), self._sender_async(None)))[1])

    # Grantor's own requests.

    def _sender(self, caller: Any) -> Callable[[HttpRequest, int, float], t.HttpAnswer]:
        def send(request: HttpRequest, max_body: int, seconds: float) -> t.HttpAnswer:
            given = self._client if isinstance(self._client, self._stack.Client) else caller
            with contextlib.ExitStack() as stack:
                client = stack.enter_context(self._stack.Client()) if given is None else given
                return twice_if_closed(lambda: exchange(client, request, max_body, seconds))

        def exchange(client: Any, request: HttpRequest, max_body: int, seconds: float) -> t.HttpAnswer:
            body = bytearray()
            try:
                response = client.send(
                    _request(self._stack, request, seconds), stream=True, auth=None, follow_redirects=False
                )
                try:
                    for part in response.iter_bytes():
                        append(body, part, max_body)
                finally:
                    response.close()
            except self._stack.HTTPError as error:
                response = _failed(self._stack, request, error)
            return _answer(response, body)

        return send

    def _sender_async(self, caller: Any) -> Callable[[HttpRequest, int, float], Awaitable[t.HttpAnswer]]:
        given = self._client if isinstance(self._client, self._stack.AsyncClient) else caller
        return sender_async(self._stack, given)


def sender_async(stack: Any, given: Any) -> Callable[[HttpRequest, int, float], Awaitable[t.HttpAnswer]]:
    """Sends requests by this client, or by one of their own."""

    async def send(request: HttpRequest, max_body: int, seconds: float) -> t.HttpAnswer:
        async with contextlib.AsyncExitStack() as exit:
            usable = given is not None and not given.is_closed
            client = given if usable else await exit.enter_async_context(stack.AsyncClient())
            try:
                return await exchange(client, request, max_body, seconds)
            except Closed:
                return await exchange(client, request, max_body, seconds)

    async def exchange(client: Any, request: HttpRequest, max_body: int, seconds: float) -> t.HttpAnswer:
        body = bytearray()
        try:
            response = await client.send(
                _request(stack, request, seconds), stream=True, auth=None, follow_redirects=False
            )
            try:
                async for part in response.aiter_bytes():
                    append(body, part, max_body)
            finally:
                await response.aclose()
        except stack.HTTPError as error:
            response = _failed(stack, request, error)
        return _answer(response, body)

    return send


def _request(stack: Any, request: HttpRequest, seconds: float) -> Any:
    timeout = {name: seconds for name in ("connect", "read", "write", "pool")}
    return stack.Request(
        request.method,
        request.url,
        headers=list(request.headers),
        content=request.body or None,
        extensions={"timeout": timeout},
    )


def _failed(stack: Any, request: HttpRequest, error: Any) -> Any:
    """Why there is no answer. The text of an error may name a URL with secrets, so its class has to do."""
    if isinstance(error, stack.HTTPStatusError):
        return error.response  # a hook of the client's turns answers into errors
    if isinstance(error, stack.RemoteProtocolError) and request.method == "GET":
        raise Closed(type(error).__name__, kind="broken") from None
    for kind, classes in (
        ("timed_out", stack.TimeoutException),
        ("unreachable", (stack.ConnectError, stack.ProxyError, stack.UnsupportedProtocol)),
        ("broken", (stack.NetworkError, stack.ProtocolError, stack.DecodingError)),
    ):
        if isinstance(error, classes):
            raise t.HostError(type(error).__name__, kind=kind) from None
    raise t.HostError(type(error).__name__, kind="other") from None


def _authorize(request: Any, send: t.Send) -> None:
    """Replaces the headers that authorize a request."""
    headers = request.headers
    for stale, _ in _only(headers, CREDENTIALS):
        headers.pop(stale.decode(), None)
    for name, value in send.headers:
        headers[name] = value


def _only(headers: Any, names: tuple[bytes, ...]) -> list[tuple[bytes, bytes]]:
    """The headers of these names, undecoded: decoding them all takes longer than all else that is done for a request."""
    return [(name, value) for name, value in headers.raw if name.lower() in names]


def _reported(response: Any) -> list[tuple[bytes, bytes]]:
    """The headers of a response that the engine reads."""
    if response.status_code in (401, 403):
        return list(response.headers.raw)
    return _only(response.headers, (b"dpop-nonce",))


def _answer(response: Any, body: bytearray) -> t.HttpAnswer:
    if not body and response.is_stream_consumed and hasattr(response, "_content"):
        body = bytearray(response.content)  # a hook of the client's has read it
    return answer(response.status_code, response.headers.multi_items(), body)
