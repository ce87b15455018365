"""The Guard for ASGI servers: Starlette, FastAPI, FastMCP and whatever else speaks it.

    app = Guarded(mcp.streamable_http_app(), GuardConfig("https://mcp.example.com/mcp", "https://as.example.com", every="mcp:use"))

Requests without a token that suffices are answered here, with the challenge that tells clients what to do (RFC 6750 3, MCP
"Protected Resource Metadata Discovery"), and so is the metadata (RFC 9728). What is let through has the grant of its token,
or `None`, as `scope["state"]["grant"]`: `request.state.grant` in Starlette and FastAPI.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
import urllib.parse
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from grantor import _types as t
from grantor._httpx import sender_async
from grantor._native import Guard, GuardConfig, MemoryStore
from grantor._protocols import Store
from grantor._session import answer_of, perform_on

log = logging.getLogger("grantor")

Scope: TypeAlias = "MutableMapping[str, Any]"
Message: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"
App: TypeAlias = "Callable[[Scope, Receive, Send], Awaitable[None]]"
CheckToken: TypeAlias = "Callable[[str], Awaitable[str | None]]"

__all__ = ["Checks", "Guarded"]


class Checks:
    """A Guard with its host: keys and answers about tokens are fetched by httpx2, or httpx, on the running event loop."""

    def __init__(
        self,
        config: GuardConfig,
        *,
        client: Any = None,
        store: Store | None = None,
        check_token: CheckToken | None = None,
    ) -> None:
        """`client` sends the Guard's own requests: an `AsyncClient` of httpx2 or httpx, by default one for each request.
        `store` records the use of proofs, where the configuration says so. `check_token` finds out what a token is, for
        servers whose tokens the program checks: a JSON object like an introspection answer (RFC 7662 2.2), or `None`."""
        self.config = config
        self.guard = Guard(config)
        stack = importlib.import_module(type(client).__module__.split(".")[0]) if client is not None else _stack()
        self._send = sender_async(stack, client)
        self._store: Store = MemoryStore() if store is None else store
        self._check_token = check_token
        self._lock = threading.Lock()
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def decide(
        self, method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes | None = None
    ) -> t.Allow | t.Answer | t.NeedBody:
        """Decides about a request, and waits for what that takes."""
        while True:
            with self._lock:
                decision = self.guard.check(method, target, headers, body)
                ready = self._wait_for(decision.check) if isinstance(decision, t.CheckAgain) else None
            self._pump()
            if ready is None:
                assert not isinstance(decision, t.CheckAgain)
                return decision
            await ready

    def _wait_for(self, check: int) -> asyncio.Future[None]:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(check, []).append(ready)
        return ready

    def _pump(self) -> None:
        while True:
            with self._lock:
                output = self.guard.poll_output()
                ready = self._waiting.pop(output.check, []) if isinstance(output, t.Ready) else []
            match output:
                case None:
                    return
                case t.Notice():
                    log.log(logging.WARNING if output.is_warning else logging.INFO, "%s", output.text)
                case t.Ready():
                    for future in ready:
                        _wake(future)
                case t.Perform():
                    task = asyncio.ensure_future(self._perform(output))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    async def _perform(self, job: t.Perform) -> None:
        seconds = max(0.0, (job.deadline_ms - self.guard.now()[0]) / 1000)
        completion: t.Completion
        try:
            completion = await asyncio.wait_for(self._performed(job.effect, seconds), seconds)
        except (asyncio.TimeoutError, TimeoutError):
            completion = t.Failed("timed_out")
        except t.HostError as error:
            completion = t.Failed(error.kind, str(error))
        except Exception as error:
            log.exception("%s: %s", job.why, type(error).__name__)
            completion = t.Failed("other", type(error).__name__)
        except BaseException:
            # The loop ends; whoever waits in another one asks anew.
            self._complete(job.op, t.Failed("broken", "the event loop ended"))
            raise
        self._complete(job.op, completion)

    def _complete(self, op: int, completion: t.Completion) -> None:
        try:
            self.guard.complete(op, completion)
        except (t.MisuseError, TypeError):
            # Not whoever waits for it, but the host's code is to blame.
            log.exception("the host's code answered what it was not asked")
            self.guard.complete(op, t.Failed("other", "the host gave a wrong answer"))
        self._pump()

    async def _performed(self, effect: t.Effect, seconds: float) -> t.Completion:
        match effect:
            case t.Http(request, max_body):
                if request.needs_address_check:
                    await asyncio.to_thread(request.check_address)
                else:
                    request.check_address()
                return await self._send(request, max_body, seconds)
            case t.CheckToken(token) if self._check_token is not None:
                return t.TokenChecked(await self._check_token(token))
            case t.CheckToken():
                raise t.HostError("nothing is set up to check tokens", kind="impossible")
            case _:
                return answer_of(effect, await perform_on(self._store, effect))


class Guarded:
    """An ASGI application behind the Guard."""

    def __init__(self, app: App, checks: GuardConfig | Checks) -> None:
        """Guards `app`. `Checks` have options of their own, and several applications may share them."""
        self.app = app
        self.checks = Checks(checks) if isinstance(checks, GuardConfig) else checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # MCP has none, and nobody would check it
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method, headers = scope["method"], list(scope["headers"])
        target = _target(scope)
        try:
            decision = await self.checks.decide(method, target, headers)
            body = _Body(receive)
            if isinstance(decision, t.NeedBody):
                whole = await body.read(decision.max_body)
                if whole is None:
                    await _answer(send, self.checks.guard.too_large(method, target, headers))
                    return
                decision = await self.checks.decide(method, target, headers, whole)
        except ValueError:
            await _answer(send, t.Answer(400, (), b"", None, None))  # no HTTP that the Guard could read
            return
        if not isinstance(decision, t.Allow):
            answer = decision if isinstance(decision, t.Answer) else t.Answer(500, (), b"", None, None)
            await _answer(send, answer)
            return
        scope = {**scope, "state": {**scope.get("state", {}), "grant": decision.grant}}
        added = self.checks.guard.answer_headers(method, target, headers)
        await self.app(scope, body.receive, _adding(send, added) if added else send)


class _Body:
    """The body of a request, to be read and then read again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: list[Message] = []

    async def read(self, most: int) -> bytes | None:
        """All of it; `None` when it is larger than it may be, or the client is gone."""
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                return None
            self._read.append(message)
            body += message.get("body", b"")
            if len(body) > most:
                return None
            if not message.get("more_body", False):
                return bytes(body)

    async def receive(self) -> Message:
        return self._read.pop(0) if self._read else await self._receive()


def _target(scope: Scope) -> str:
    path: bytes = scope.get("raw_path") or urllib.parse.quote(scope["path"]).encode()
    query: bytes = scope.get("query_string", b"")
    return (path + (b"?" + query if query else b"")).decode("latin-1")


async def _answer(send: Send, answer: t.Answer) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _adding(send: Send, added: tuple[tuple[str, str], ...]) -> Send:
    names = {name.lower().encode("latin-1") for name, _ in added}
    lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in added]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in names]
            message = {**message, "headers": kept + lines}
        await send(message)

    return sending


def _wake(ready: asyncio.Future[None]) -> None:
    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop = ready.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)


def _stack() -> Any:
    for name in ("httpx2", "httpx"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError("the Guard fetches keys with httpx2 or httpx: pip install httpx2")
