"""The provider that stands where the MCP SDK takes its own."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.parse
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, NoReturn

from mcp.client.auth import (
    AuthorizationCodeResult,
    OAuthFlowError,
    OAuthRegistrationError,
    OAuthTokenError,
    TokenStorage,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

from grantor import _types as t
from grantor import httpx2
from grantor._httpx import caller
from grantor._mcp_records import Records
from grantor._native import AuthorizationPrompt, Config, DevicePrompt, Engine, Preregistered, Summary, Wait
from grantor._session import Session

if TYPE_CHECKING:
    import httpx2 as stack

RedirectHandler = Callable[[str], Awaitable[None]]
CallbackHandler = Callable[[], Awaitable[AuthorizationCodeResult]]
POLL_S = 0.2


class OAuthClientProvider(httpx2.Auth):
    """What the SDK's class of this name does, done by Grantor: an `httpx2.Auth` for the HTTP client of a transport, async
    and on asyncio.

    Differences that a program can see:

    - Further arguments are those of `Config`, such as `scopes`, `dpop`, `quirks`, `trust` or `revision`. Servers without any
      metadata, as 2025-03-26 allowed, need `revision="2025-03-26"`.
    - Of `client_metadata`, name, URI, software, the first redirect URI and whether there is `refresh_token` among the grant
      types matter. Scopes are those that the server demands, as with the SDK, and `scopes`; how the client authenticates is
      agreed with the server.
    - A server that names another authorization server than before is not followed, unless `trust="accept"`.
    - The user has `interaction_s` seconds, ten minutes if you do not say. A request that is cancelled does not cancel the
      handlers, since others may wait for the same token.
    - Requests go to `server_url` and below. The transport of 2024-11-05, which posts elsewhere, is not supported, and neither
      are redirects of metadata and token requests, trio, and `context`.
    - `validate_resource_url` is not supported: a resource that goes by another name is `resource_identifier`.

    `storage` holds tokens and client as the SDK's own provider would find them, and what else Grantor has to know as a
    member of the client information's `jwks`. A storage has to keep both models whole, and both are secret. A client that
    it holds from the beginning is used as pre-registered. Tokens that Grantor has not stored itself are not used: after a
    change from the SDK's provider the user logs in once. A storage is for one provider on one event loop at a time: it has no
    compare-and-swap, so two may use the same refresh token, which some servers answer by revoking it. A crash between the
    writes of its two models costs a log-in. For more there is `grantor.httpx2.Auth` with a `FileStore`.

    What fails is an `OAuthFlowError`, whose `__cause__` is Grantor's own error. What a handler raises is raised as it is.
    """

    def __init__(
        self,
        server_url: str,
        client_metadata: OAuthClientMetadata,
        storage: TokenStorage,
        redirect_handler: RedirectHandler | None = None,
        callback_handler: CallbackHandler | None = None,
        client_metadata_url: str | None = None,
        validate_resource_url: Callable[[str, str | None], Awaitable[None]] | None = None,
        **settings: Any,
    ) -> None:
        """Takes what the SDK's class takes, and the settings of `Config`. Raises `ConfigurationError`, a `ValueError`."""
        if validate_resource_url is not None:
            raise t.ConfigurationError("validate_resource_url is not supported: give resource_identifier")
        self._server_url = server_url
        self._settings = _settings(client_metadata, client_metadata_url) | settings
        self._records = Records(storage)
        self._handlers = Handlers(redirect_handler, callback_handler)
        self._begun = False
        super().__init__(self._config(None), store=self._records, user_agent=self._handlers)

    def _config(self, client: OAuthClientInformationFull | None) -> Config:
        settings: dict[str, Any] = dict(self._settings)
        if client is not None and client.client_id != settings.get("client_id_metadata_document"):
            settings.setdefault("preregistered", _preregistered(client))
        return Config(self._server_url, **settings)

    async def _begin(self) -> None:
        """Looks for a client that the application has registered, before the first call."""
        async with self._records.lock:
            if self._begun:
                return
            client = await self._records.preregistered()
            if client is not None:
                self.session = Session(self._config(client), store=self._records, user_agent=self._handlers)
            self._begun = True

    # The shape of `Auth`.

    def sync_auth_flow(self, request: stack.Request) -> NoReturn:
        """A `TokenStorage` is async, and so is this. Raises `MisuseError`."""
        raise t.MisuseError("a TokenStorage is async: give this to an AsyncClient")

    def async_auth_flow(self, request: stack.Request) -> AsyncGenerator[stack.Request, stack.Response]:
        """Sends a request with a token, and again where authorization needs it."""
        return self._flow_begun(request, self._sender_async(caller(self._stack.AsyncClient)))

    async def _flow_begun(self, request: Any, send: Any) -> AsyncGenerator[Any, Any]:
        if not self._begun:
            await self._begin()
        flow = self._flow_async(request, send)
        try:
            sending = await flow.__anext__()
            while True:
                sending = await flow.asend((yield sending))
        except StopAsyncIteration:
            return
        except t.GrantorError as error:
            self._raise(error)
        finally:
            await flow.aclose()

    async def _end_async(self, enter: Callable[[Engine], int]) -> None:
        if not self._begun:
            await self._begin()
        try:
            await super()._end_async(enter)
        except t.GrantorError as error:
            self._raise(error)

    def _end(self, enter: Callable[[Engine], int]) -> NoReturn:
        raise t.MisuseError("a TokenStorage is async: use the methods that are")

    def _raise(self, error: t.GrantorError) -> NoReturn:
        """Raises what programs that were written for the SDK expect."""
        raised = self._handlers.raised
        if raised is not None and isinstance(error, t.HostError) and str(error).endswith(type(raised).__name__):
            raise raised from error
        if isinstance(error, (t.MisuseError, t.ConfigurationError)):
            raise error
        kinds = {"registration": OAuthRegistrationError, "code_token": OAuthTokenError, "refresh_token": OAuthTokenError}
        raise kinds.get(error.exchange or "", OAuthFlowError)(str(error)) from error


class Handlers:
    """The SDK's two handlers as a user agent."""

    def __init__(self, redirect: RedirectHandler | None, callback: CallbackHandler | None) -> None:
        self._redirect, self._callback = redirect, callback
        self.raised: Exception | None = None
        """What a handler raised the last time."""

    def listen(self, preferred: str | None) -> str:
        raise t.HostError("client_metadata has no redirect URI", kind="impossible")

    def approve(self, summary: Summary) -> bool:
        """There is nobody to ask but on the server's page, which shows what is granted; not by whom it was before."""
        return summary.reason != "issuer_changed"

    async def authorize(self, prompt: AuthorizationPrompt, wait: Wait) -> t.Callback | None:
        if self._redirect is None or self._callback is None:
            raise t.HostError("there is no redirect_handler, or no callback_handler", kind="impossible")
        self.raised = None
        asked = asyncio.ensure_future(self._ask(self._redirect, self._callback, prompt.url))
        try:
            with _clock_stopped():
                while not wait.is_over:
                    if (await asyncio.wait((asked,), timeout=POLL_S))[0]:
                        return _answer(prompt, asked.result())
            return None
        except t.HostError:
            raise
        except Exception as error:
            self.raised = error
            raise
        finally:
            asked.cancel()

    @staticmethod
    async def _ask(redirect: RedirectHandler, callback: CallbackHandler, url: str) -> AuthorizationCodeResult:
        await redirect(url)
        return await callback()

    def show_code(self, prompt: DevicePrompt, wait: Wait) -> None:
        raise t.HostError("the SDK's handlers cannot show a device code", kind="impossible")


def _settings(metadata: OAuthClientMetadata, client_metadata_url: str | None) -> dict[str, Any]:
    """The metadata as settings of `Config`."""
    return {
        "client_name": metadata.client_name,
        "client_uri": None if metadata.client_uri is None else str(metadata.client_uri),
        "software_id": metadata.software_id,
        "software_version": metadata.software_version,
        "redirect_uri": str(metadata.redirect_uris[0]) if metadata.redirect_uris else None,
        "offline_access": "refresh_token" in metadata.grant_types,
        "client_id_metadata_document": client_metadata_url,
    }


def _preregistered(client: OAuthClientInformationFull) -> Preregistered:
    method = client.token_endpoint_auth_method
    public = method == "none" or client.client_secret is None
    return Preregistered(
        client.client_id,
        issuer=client.issuer,
        secret=None if public else client.client_secret,
        method=None if public else method,
    )


def _answer(prompt: AuthorizationPrompt, result: AuthorizationCodeResult) -> t.Callback:
    """The URL at which the browser ended, from what the handler took out of it. A handler brings one answer, so one to
    another authorization is the end, and nothing to wait on from."""
    given = {"code": result.code, "state": result.state, "iss": result.iss}
    query = urllib.parse.urlencode({name: value for name, value in given.items() if value is not None})
    url = f"{prompt.redirect_uri}{'&' if '?' in prompt.redirect_uri else '?'}{query}"
    if not prompt.is_answered_by(url):
        raise t.HostError("the callback's state is not the one that was sent", kind="impossible")
    return t.Callback(url)


def _clock_stopped() -> contextlib.AbstractContextManager[None]:
    """Stops the timeout of the SDK's request that waits for the user, as its own provider does."""
    try:
        from mcp.shared._request_clock import waiting_on_a_person
    except ImportError:  # it is private to the SDK
        return contextlib.nullcontext()
    return waiting_on_a_person()
