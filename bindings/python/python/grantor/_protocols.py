"""What a program may bring of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from grantor import _types as t
    from grantor._native import AuthorizationPrompt, DevicePrompt, StoreKey, Summary, Wait


class Store(Protocol):
    """Keeps records by key, with compare-and-swap. Methods may block, or be coroutine functions where only async clients
    use the store. Two stores on the same place must see each other's writes, and only one of two that expect the same
    revision may succeed: tokens are lost or revoked otherwise."""

    def load(self, key: StoreKey, /) -> Any:
        """The record as `Stored`, or `None`."""

    def save(self, key: StoreKey, record: bytes, expect: bytes | None, expires_at_s: int | None = None, /) -> Any:
        """Stores a record durably if the stored one is of revision `expect`; returns its new revision, 16 bytes, or
        `None` when another revision is stored."""

    def delete(self, key: StoreKey, expect: bytes, /) -> Any:
        """Deletes a record if it is of this revision; whether it is gone."""


class UserAgent(Protocol):
    """Talks to the user. Methods may block, or be coroutine functions where only async clients use it."""

    def listen(self, preferred: str | None, /) -> Any:
        """Prepares a place that the browser can come back to, and returns its redirect URI."""

    def approve(self, summary: Summary, /) -> Any:
        """Whether to go on."""

    def authorize(self, prompt: AuthorizationPrompt, wait: Wait, /) -> Any:
        """Shows the page and waits until `Callback` or `Declined`; `None` when the callback comes by another way, through
        `callback`."""

    def show_code(self, prompt: DevicePrompt, wait: Wait, /) -> Any:
        """Shows a code for another device; returns `None`, or `Declined` when the user gave up."""


AssertionSource: TypeAlias = "Callable[[t.Assert], t.Assertion | Awaitable[t.Assertion]]"
Signer: TypeAlias = "Callable[[t.Sign], bytes | Awaitable[bytes]]"
