"""What exchanges with the authorization server have in common, whatever HTTP library sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from grantor import _types as t


class Closed(t.HostError):
    """The connection was closed before an answer came. Where the request changes nothing it may be sent again, once: a
    server may close a connection that was idle just as it is used (RFC 9110 9.2.2)."""


def twice_if_closed(exchange: Callable[[], t.HttpAnswer]) -> t.HttpAnswer:
    """Sends a request, and again if its connection was closed."""
    try:
        return exchange()
    except Closed:
        return exchange()


def append(body: bytearray, part: bytes, max_body: int) -> None:
    """Adds a part of a body that may have so many bytes."""
    if len(body) + len(part) > max_body:
        raise t.HostError("", kind="body_too_large")
    body += part


def answer(status: int, headers: Iterable[tuple[str, str]], body: bytearray) -> t.HttpAnswer:
    """An answer whose body was decoded."""
    coded = ("content-encoding", "content-length")
    return t.HttpAnswer(status, tuple((name, value) for name, value in headers if name.lower() not in coded), bytes(body))
