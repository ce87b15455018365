"""The engine with its host: inputs go in, outputs are sorted into what to do without a lock.

Threads and tasks wait for the verdicts of their own calls. Effects are performed by the thread whose input led to them,
or by a task of its own, which outlives the call: a token request may bring the only refresh token. Nothing is locked while
something is performed.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from grantor import _types as t
from grantor._native import (
    Browser,
    Config,
    Engine,
    HttpRequest,
    MemoryStore,
    Wait,
)
from grantor._protocols import AssertionSource, Signer, Store, UserAgent

log = logging.getLogger("grantor")

SendHttp: TypeAlias = "Callable[[HttpRequest, int, float], t.HttpAnswer]"
SendHttpAsync: TypeAlias = "Callable[[HttpRequest, int, float], Awaitable[t.HttpAnswer]]"


class _Slot:
    """A call's place for its next verdict."""

    __slots__ = ("verdict", "wake")

    def __init__(self) -> None:
        self.verdict: t.Verdict | None = None
        self.wake: Callable[[], None] | None = None

    def rouse(self) -> None:
        if (wake := self.wake) is not None:
            self.wake = None
            wake()


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    for session in list(_sessions):
        session._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Session:
    """The calls of one account to one resource, whatever sends them."""

    def __init__(
        self,
        config: Config,
        *,
        store: Store | None = None,
        user_agent: UserAgent | None = None,
        assertions: AssertionSource | None = None,
        signer: Signer | None = None,
    ) -> None:
        self.config = config
        self.store: Store = MemoryStore() if store is None else store
        self.user_agent: UserAgent = Browser() if user_agent is None else user_agent
        self.assertions = assertions
        self.signer = signer
        self._begin()
        _sessions.add(self)

    def _begin(self) -> None:
        """Anew: a forked process has an engine of its own, which loads what is stored."""
        self.engine = Engine(self.config)
        self._lock = threading.Lock()
        self._slots: dict[int, _Slot] = {}
        self._waits: dict[int, Wait] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timeout: int | None = None

    # The pump.

    def enter(self, call: int | None, enter: Callable[[], int | None]) -> tuple[int, t.Verdict | None, deque[t.Perform]]:
        """Gives an input to the engine. Returns the call that it is about, its verdict if it came at once (else a slot
        waits for it), and what is to be performed now."""
        jobs: deque[t.Perform] = deque()
        rouse: list[_Slot] = []
        notices: list[t.Notice] = []
        at_once: t.Verdict | None = None
        engine = self.engine
        with self._lock:
            opened = enter()
            about = call if opened is None else opened
            poll = engine.poll_output
            while (output := poll()) is not None:
                kind = type(output)
                if kind is t.Call:
                    output = cast("t.Call", output)
                    if output.call == about:
                        at_once = output.verdict
                    elif (slot := self._slots.get(output.call)) is not None:
                        slot.verdict = output.verdict
                        rouse.append(slot)
                elif kind is t.Perform:
                    output = cast("t.Perform", output)
                    if isinstance(output.effect, (t.Authorize, t.ShowCode)):
                        self._waits[output.op] = Wait(self._seconds_to(output.deadline_ms))
                    jobs.append(output)
                elif kind is t.NeedEntropy:
                    engine.add_entropy(os.urandom(cast("t.NeedEntropy", output).length))
                elif kind is t.Notice:
                    notices.append(cast("t.Notice", output))
                elif kind is t.Abandon and (wait := self._waits.pop(cast("t.Abandon", output).op, None)) is not None:
                    wait.abandon()
            if about is not None and at_once is None and about not in self._slots:
                self._slots[about] = _Slot()
            timeout = engine.poll_timeout()
            if timeout != self._timeout:
                self._timeout = timeout
                if (keeper := next(iter(self._slots.values()), None)) is not None:
                    rouse.append(keeper)
        for slot in rouse:
            slot.rouse()
        for notice in notices:
            log.log(logging.WARNING if notice.is_warning else logging.INFO, "%s", notice.text)
        return (-1 if about is None else about), at_once, jobs

    def _seconds_to(self, deadline_ms: int) -> float:
        return max(0.0, (deadline_ms - self.engine.now()[0]) / 1000)

    def _look(self, call: int, wake: Callable[[], None]) -> tuple[t.Verdict | None, float | None]:
        """The verdict of a call that waits; or how long to wait at most, if this call keeps the time for all."""
        with self._lock:
            slot = self._slots[call]
            if slot.verdict is not None:
                self._leave(call)
                return slot.verdict, None
            slot.wake = wake
            keeps_time = next(iter(self._slots)) == call and self._timeout is not None
            return None, self._seconds_to(cast(int, self._timeout)) + 0.001 if keeps_time else None

    def _leave(self, call: int) -> None:
        """Takes a slot away; if it kept the time, another one does."""
        self._slots.pop(call, None)
        if (keeper := next(iter(self._slots.values()), None)) is not None and keeper.verdict is None:
            keeper.rouse()

    def cancel(self, call: int) -> deque[t.Perform]:
        """Gives up a call. What others wait for goes on."""
        with self._lock:
            self._leave(call)
        engine = self.engine
        return self.enter(None, lambda: engine.cancel(call))[2]

    def _complete(self, op: int, completion: t.Completion) -> deque[t.Perform]:
        with self._lock:
            self._waits.pop(op, None)
        engine = self.engine
        try:
            return self.enter(None, lambda: engine.complete(op, completion))[2]
        except t.MisuseError:
            failed = t.Failed("other", "the host gave a wrong answer")
            return self.enter(None, lambda: engine.complete(op, failed))[2]

    # Blocking hosts.

    def run(self, call: int | None, enter: Callable[[], int | None], send: SendHttp) -> tuple[int, t.Verdict]:
        """Gives an input, performs what it leads to, and waits for the call's verdict."""
        call, verdict, jobs = self.enter(call, enter)
        if verdict is not None and not jobs:
            return call, verdict
        try:
            while True:
                while jobs:
                    job = jobs.popleft()
                    try:
                        completion = self._perform(job, send)
                    except BaseException:
                        jobs.extend(self._complete(job.op, t.Failed("other", "interrupted")))
                        self.fail(jobs)
                        raise
                    if completion is not None:
                        jobs.extend(self._complete(job.op, completion))
                if verdict is not None:
                    return call, verdict
                came = threading.Event()
                verdict, seconds = self._look(call, came.set)
                if verdict is None and not came.wait(seconds) and seconds is not None:
                    jobs.extend(self.enter(None, self.engine.handle_timeout)[2])
        except BaseException:
            self.fail(self.cancel(call))
            raise

    def fail(self, jobs: deque[t.Perform]) -> None:
        """Nobody is left to perform these."""
        while jobs:
            jobs.extend(self._complete(jobs.popleft().op, t.Failed("other", "interrupted")))

    def _perform(self, job: t.Perform, send: SendHttp) -> t.Completion | None:
        seconds = self._seconds_to(job.deadline_ms)
        try:
            match job.effect:
                case t.Http(request, max_body):
                    request.check_address()
                    return _exchanged(job, send(request, max_body, seconds))
                case t.Authorize(page):
                    wait = self._waits.get(job.op) or Wait(0)
                    answered = _interruptibly(lambda: self.user_agent.authorize(page, wait), wait)
                    return cast("t.Completion | None", answered)
                case t.ShowCode(code):
                    wait = self._waits.get(job.op) or Wait(0)
                    return cast("t.Completion | None", self.user_agent.show_code(code, wait))
                case effect:
                    return self._answer(effect, self._act(effect))
        except t.HostError as error:
            return t.Failed(error.kind, str(error))
        except Exception as error:
            return _unforeseen(job, error)

    # Async hosts.

    async def run_async(self, call: int | None, enter: Callable[[], int | None], send: SendHttpAsync) -> tuple[int, t.Verdict]:
        """The same for asyncio. Cancelling this gives up the call, not what is performed."""
        call, verdict, jobs = self.enter(call, enter)
        self.spawn(jobs, send)
        if verdict is not None:
            return call, verdict
        loop = asyncio.get_running_loop()
        try:
            while True:
                came: asyncio.Future[None] = loop.create_future()
                verdict, seconds = self._look(call, lambda came=came: _wake(loop, came))  # type: ignore[misc]
                if verdict is not None:
                    return call, verdict
                done, _ = await asyncio.wait((came,), timeout=seconds)
                if not done:
                    self.spawn(self.enter(None, self.engine.handle_timeout)[2], send)
        except BaseException:
            self.spawn(self.cancel(call), send)
            raise

    def spawn(self, jobs: deque[t.Perform], send: SendHttpAsync) -> None:
        while jobs:
            task = asyncio.ensure_future(self._perform_async(jobs.popleft(), send))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _perform_async(self, job: t.Perform, send: SendHttpAsync) -> None:
        wait = self._waits.get(job.op)
        try:
            completion = await self._performed(job, wait, send)
        except BaseException:
            # The loop ends. Whoever waits in another one asks anew.
            if wait is not None:
                wait.abandon()
            self.fail(self._complete(job.op, t.Failed("broken", "the event loop ended")))
            raise
        if completion is not None:
            self.spawn(self._complete(job.op, completion), send)

    async def _performed(self, job: t.Perform, wait: Wait | None, send: SendHttpAsync) -> t.Completion | None:
        seconds = self._seconds_to(job.deadline_ms)
        try:
            match job.effect:
                case t.Http(request, max_body):
                    if request.needs_address_check:
                        await asyncio.to_thread(request.check_address)
                    else:
                        request.check_address()
                    answer = await asyncio.wait_for(send(request, max_body, seconds), seconds)
                    return _exchanged(job, answer)
                case t.Authorize(prompt):
                    wait = wait or Wait(0)
                    answered = await _aside(self.user_agent.authorize, prompt, wait)
                    return cast("t.Completion | None", answered)
                case t.ShowCode(prompt):
                    wait = wait or Wait(0)
                    return cast("t.Completion | None", await _aside(self.user_agent.show_code, prompt, wait))
                case t.Load() | t.Save() | t.Delete() as effect:
                    return answer_of(effect, await perform_on(self.store, effect))
                case effect:
                    return self._answer(effect, await _aside(self._act, effect))
        except t.HostError as error:
            return t.Failed(error.kind, str(error))
        except (asyncio.TimeoutError, TimeoutError):
            return t.Failed("timed_out")
        except Exception as error:
            return _unforeseen(job, error)

    # Effects that are a call of the host's.

    def _act(self, effect: t.Effect) -> Any:
        match effect:
            case t.Load() | t.Save() | t.Delete():
                return _stored(self.store, effect)
            case t.Listen(preferred):
                return self.user_agent.listen(preferred)
            case t.Approve(summary):
                return self.user_agent.approve(summary)
            case t.Assert() if self.assertions is not None:
                return self.assertions(effect)
            case t.Sign() if self.signer is not None:
                return self.signer(effect)
            case t.Assert():
                raise t.HostError("no source of assertions is set up", kind="impossible")
            case t.Sign():
                raise t.HostError("no signer is set up", kind="impossible")
            case _:
                raise t.HostError("an effect that this version does not know", kind="impossible")

    @staticmethod
    def _answer(effect: t.Effect, result: Any) -> t.Completion:
        match effect:
            case t.Load() | t.Save() | t.Delete():
                return answer_of(effect, result)
            case t.Listen():
                return t.Listening(result)
            case t.Approve():
                return t.Approved() if result else t.Declined()
            case t.Sign():
                return t.Signed(result)
            case _:
                return cast("t.Completion", result)


def _stored(store: Store, effect: t.Effect) -> Any:
    """Performs an effect on a store."""
    match effect:
        case t.Load(key):
            return store.load(key)
        case t.Save(key, record, expect, expires_at_s):
            return store.save(key, record, expect, expires_at_s)
        case t.Delete(key, expect):
            return store.delete(key, expect)
        case _:
            raise t.HostError("an effect that this version does not know", kind="impossible")


async def perform_on(store: Store, effect: t.Effect) -> Any:
    """The same without blocking the event loop."""
    if isinstance(store, MemoryStore):
        return _stored(store, effect)
    method = {t.Load: store.load, t.Save: store.save}.get(type(effect), store.delete)
    if inspect.iscoroutinefunction(method):
        return await _stored(store, effect)
    return await _aside(_stored, store, effect)


def answer_of(effect: t.Effect, result: Any) -> t.Completion:
    """What a store said to an effect, as its answer."""
    match effect:
        case t.Load():
            return t.Loaded(result)
        case t.Save():
            return t.Conflict() if result is None else t.Saved(result)
        case _:
            return t.Deleted() if result else t.Conflict()


class Calls:
    """What the `Auth` of every HTTP stack is made of."""

    def __init__(
        self,
        config: Config | str,
        *,
        store: Store | None = None,
        user_agent: UserAgent | None = None,
        assertions: AssertionSource | None = None,
        signer: Signer | None = None,
        client: Any = None,
    ) -> None:
        """Authorizes requests to one MCP server, for one account.

        `config` is a `Config` or the server's URL. `store` keeps tokens, in memory by itself; `user_agent` talks to the
        user, by the system's browser by itself; `assertions` provides assertions about user or workload; `signer` signs
        with keys that are held elsewhere; `client` sends Grantor's own requests.
        """
        if isinstance(config, str):
            config = Config(config)
        self.session = Session(config, store=store, user_agent=user_agent, assertions=assertions, signer=signer)
        self._client = client

    @property
    def account_label(self) -> str | None:
        """What to show for the account, when its token says who the user is."""
        return self.session.engine.account_label

    # Without a request.

    def log_in(self) -> None:
        """Gets a token if there is none."""
        self._end(lambda engine: engine.log_in())

    def log_out(self) -> None:
        """Gives the account's tokens back (RFC 7009) and forgets them."""
        self._end(lambda engine: engine.log_out())

    def forget(self) -> None:
        """Forgets everything about the server for this account; tokens are given back."""
        self._end(lambda engine: engine.forget())

    def callback(self, url: str) -> None:
        """Takes in a callback that comes without its prompt: the redirect endpoint of a web application, which brings it
        only to the `Auth` of the user with whose session the request came (RFC 9700 2.1.1)."""
        self._end(lambda engine: engine.callback(url))

    def _end(self, enter: Callable[[Engine], int]) -> None:
        engine = self.session.engine
        ended(self.session.run(None, lambda: enter(engine), self._sender(None))[1])

    def _sender(self, caller: Any) -> SendHttp:
        """Sends Grantor's own requests, by the client that sends the caller's if need be."""
        raise NotImplementedError


def _exchanged(job: t.Perform, answer: t.HttpAnswer) -> t.HttpAnswer:
    if log.isEnabledFor(logging.DEBUG):
        log.debug("%r: %d (%s)", cast("t.Http", job.effect).request, answer.status, job.why)
    return answer


def _unforeseen(job: t.Perform, error: Exception) -> t.Failed:
    """What a store, a user agent or an HTTP stack raises. Its text may hold anything, so it goes nowhere."""
    log.warning("%s failed: %s", type(job.effect).__name__, type(error).__name__)
    return t.Failed("other", type(error).__name__)


def _wake(loop: asyncio.AbstractEventLoop, came: asyncio.Future[None]) -> None:
    def settle() -> None:
        if not came.done():
            came.set_result(None)

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
        loop.call_soon_threadsafe(settle)


async def _aside(act: Callable[..., Any], *arguments: Any) -> Any:
    """Calls what may block on a thread, and awaits what is to be awaited."""
    if inspect.iscoroutinefunction(act):
        return await act(*arguments)
    result = await asyncio.to_thread(act, *arguments)
    return await result if inspect.isawaitable(result) else result


def _interruptibly(act: Callable[[], Any], wait: Wait) -> Any:
    """Waits for the user on another thread, so that Ctrl-C is heard on this one."""
    outcome: list[Any] = []
    done = threading.Event()

    def work() -> None:
        try:
            outcome.append((act(), None))
        except BaseException as error:
            outcome.append((None, error))
        finally:
            done.set()

    threading.Thread(target=work, name="grantor-browser", daemon=True).start()
    try:
        while not done.wait(0.2):
            pass
    except BaseException:
        wait.abandon()
        raise
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def operation(headers: Any) -> list[tuple[str, str]]:
    """The headers of a request that tell operations apart."""
    found = ((name, headers.get(name)) for name in ("mcp-method", "mcp-name"))
    return [(name, value) for name, value in found if value is not None]


def reported(status: int, headers: Any) -> list[tuple[str, str]]:
    """The headers of a response that the engine reads."""
    if status in (401, 403):
        return list(headers)
    return [(name, value) for name, value in headers if name.lower() == "dpop-nonce"]


def ended(verdict: t.Verdict) -> None:
    """The end of a call without a request."""
    if isinstance(verdict, t.Fail):
        raise verdict.error


__all__ = ["AssertionSource", "Calls", "SendHttp", "SendHttpAsync", "Session", "Signer", "Store", "UserAgent"]
