"""MCP authorization for requests: an `Auth` for `requests.Session.auth` or the `auth` of a request.

    import requests
    from grantor.requests import Auth

    session = requests.Session()
    session.auth = Auth("https://mcp.example.com/mcp")
    session.post("https://mcp.example.com/mcp", json={...})

Discovery, registration, the browser, refresh, step-up and DPoP happen inside. One `Auth` is for one server and one account;
any number of sessions and threads may share it.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any, cast

import requests
from requests.auth import AuthBase
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from grantor import _types as t
from grantor._exchange import Closed, answer, append, twice_if_closed
from grantor._native import HttpRequest
from grantor._session import Calls, ended, operation, reported


class Auth(Calls, AuthBase):
    """Authorizes the requests of requests.

    Grantor's own requests go through `client`, a `requests.Session` with the proxies and certificates that they need,
    without its authentication, cookies and default headers, and never along a redirect; by itself through a new one.
    """

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Adds a token, and what sends the request again where authorization needs it."""
        method, url = request.method or "GET", request.url or ""
        engine, session = self.session.engine, self.session
        call, verdict = session.run(None, lambda: engine.authorize(method, url, operation(request.headers)), self._send)
        if not isinstance(verdict, t.Send):
            ended(verdict)
            return request
        _authorize(request, verdict)
        begin = _position(request)
        # A request that is never answered is given up with it.
        given_up = weakref.finalize(request, lambda: session.fail(session.cancel(call)))

        def answered(response: requests.Response, **options: Any) -> requests.Response:
            if not given_up.alive:
                return response  # of a redirect, or of a request that is sent anew
            given_up.detach()
            return self._answered(call, response, begin, options)

        request.hooks["response"].append(answered)
        return request

    def _answered(
        self, call: int, response: requests.Response, begin: int | None, options: dict[str, Any]
    ) -> requests.Response:
        engine, session = self.session.engine, self.session
        over = False
        try:
            while True:
                status = response.status_code
                lines = response.raw.headers if response.raw is not None else response.headers
                headers = reported(status, [(str(name), str(value)) for name, value in lines.items()])
                _, verdict = session.run(call, lambda: engine.report(call, status, headers), self._send)  # noqa: B023
                if not isinstance(verdict, t.Send):
                    over = True
                    ended(verdict)
                    return response
                response.content  # noqa: B018  # frees the connection
                response.close()
                request = response.request.copy()
                if begin is not None:
                    cast("Any", request.body).seek(begin)
                _authorize(request, verdict)
                again = response.connection.send(request, **options)
                again.history.append(response)
                again.request = request
                response = again
        finally:
            if not over:
                session.fail(session.cancel(call))

    def _sender(self, caller: Any) -> Callable[[HttpRequest, int, float], t.HttpAnswer]:
        return self._send

    def _send(self, request: HttpRequest, max_body: int, seconds: float) -> t.HttpAnswer:
        given = self._client if isinstance(self._client, requests.Session) else None
        client = given or requests.Session()
        try:
            return twice_if_closed(lambda: _judged(client, request, max_body, seconds))
        finally:
            if given is None:
                client.close()


def _judged(client: requests.Session, request: HttpRequest, max_body: int, seconds: float) -> t.HttpAnswer:
    """Sends a request. The text of an error may name a URL with secrets, so its class has to do."""
    try:
        return _exchange(client, request, max_body, seconds)
    except requests.RequestException as error:
        name, causes = type(error).__name__, _causes(error)
        if isinstance(error, requests.Timeout) or any(isinstance(cause, ReadTimeoutError) for cause in causes):
            raise t.HostError(name, kind="timed_out") from None
        if any(isinstance(cause, ProtocolError) for cause in causes):
            raise (Closed if request.method == "GET" else t.HostError)(name, kind="broken") from None
        if isinstance(error, requests.exceptions.ContentDecodingError):
            raise t.HostError(name, kind="broken") from None
        raise t.HostError(name, kind="unreachable" if isinstance(error, requests.ConnectionError) else "other") from None


def _causes(error: BaseException) -> list[BaseException]:
    """What requests wraps."""
    return [cause for cause in error.args if isinstance(cause, BaseException)]


def _exchange(client: requests.Session, request: HttpRequest, max_body: int, seconds: float) -> t.HttpAnswer:
    prepared = requests.Request(request.method, request.url, dict(request.headers), data=request.body or None).prepare()
    settings: dict[str, Any] = dict(client.merge_environment_settings(request.url, {}, True, None, None))
    deadline = time.monotonic() + seconds
    body = bytearray()
    with client.send(prepared, timeout=seconds, allow_redirects=False, **settings) as response:
        for part in response.iter_content(16 * 1024):
            append(body, part, max_body)
            if time.monotonic() > deadline:
                raise t.HostError("", kind="timed_out")
        return answer(response.status_code, response.raw.headers.items(), body)


def _authorize(request: requests.PreparedRequest, send: t.Send) -> None:
    """Replaces the headers that authorize a request."""
    for name in ("Authorization", "DPoP"):
        request.headers.pop(name, None)
    for name, value in send.headers:
        request.headers[name] = value


def _position(request: requests.PreparedRequest) -> int | None:
    """Where the body begins, of one that is read."""
    try:
        return int(cast("Any", request.body).tell())
    except (AttributeError, OSError):
        return None


__all__ = ["Auth"]
