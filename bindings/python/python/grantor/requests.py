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
from typing import Any, cast

import requests
from requests.auth import AuthBase

from grantor import _types as t
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

    def _send(self, request: HttpRequest, max_body: int, seconds: float) -> t.HttpAnswer:
        given = self._client if isinstance(self._client, requests.Session) else None
        client = given or requests.Session()
        try:
            return _exchange(client, request, max_body, seconds)
        except requests.Timeout as error:
            raise t.HostError(type(error).__name__, kind="timed_out") from None
        except requests.exceptions.ContentDecodingError as error:
            raise t.HostError(type(error).__name__, kind="broken") from None
        except requests.exceptions.ChunkedEncodingError as error:
            raise t.HostError(type(error).__name__, kind="broken") from None
        except requests.ConnectionError as error:
            raise t.HostError(type(error).__name__, kind="unreachable") from None
        except requests.RequestException as error:
            raise t.HostError(type(error).__name__, kind="other") from None
        finally:
            if given is None:
                client.close()

    # Without a request.

    def log_in(self) -> None:
        """Gets a token if there is none."""
        ended(self.session.run(None, self.session.engine.log_in, self._send)[1])

    def log_out(self) -> None:
        """Gives the account's tokens back (RFC 7009) and forgets them."""
        ended(self.session.run(None, self.session.engine.log_out, self._send)[1])

    def forget(self) -> None:
        """Forgets everything about the server for this account; tokens are given back."""
        ended(self.session.run(None, self.session.engine.forget, self._send)[1])

    def callback(self, url: str) -> None:
        """Takes in a callback that comes without its prompt: the redirect endpoint of a web application, which brings it
        only to the `Auth` of the user with whose session the request came (RFC 9700 2.1.1)."""
        engine = self.session.engine
        ended(self.session.run(None, lambda: engine.callback(url), self._send)[1])


def _exchange(client: requests.Session, request: HttpRequest, max_body: int, seconds: float) -> t.HttpAnswer:
    prepared = requests.Request(request.method, request.url, dict(request.headers), data=request.body or None).prepare()
    settings: dict[str, Any] = dict(client.merge_environment_settings(request.url, {}, True, None, None))
    deadline = time.monotonic() + seconds
    body = bytearray()
    with client.send(prepared, timeout=seconds, allow_redirects=False, **settings) as response:
        for part in response.iter_content(16 * 1024):
            if len(body) + len(part) > max_body:
                raise t.HostError("", kind="body_too_large")
            if time.monotonic() > deadline:
                raise t.HostError("", kind="timed_out")
            body += part
        decoded = ("content-encoding", "content-length")
        headers = tuple((name, value) for name, value in response.raw.headers.items() if name.lower() not in decoded)
        return t.HttpAnswer(response.status_code, headers, bytes(body))


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
