"""The native half: machines, stores and the browser."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Literal, TypeAlias, final

from grantor._types import (
    Answer,
    Callback,
    CallbackWithoutState,
    Completion,
    Decision,
    Declined,
    GuardOutput,
    Output,
    Stored,
)

__all__ = [
    "AuthorizationPrompt",
    "AuthorizationServer",
    "Browser",
    "Config",
    "DevicePrompt",
    "Engine",
    "Enterprise",
    "FileStore",
    "Guard",
    "GuardConfig",
    "HttpRequest",
    "MemoryStore",
    "Need",
    "Preregistered",
    "StoreKey",
    "Summary",
    "Wait",
]

_Now: TypeAlias = tuple[int, int]
_Headers: TypeAlias = Sequence[tuple[str | bytes, str | bytes]]

@final
class Config:
    """One protected resource, one account, and the rules for both."""

    def __new__(
        cls,
        resource: str,
        client_name: str | None = None,
        *,
        client_uri: str | None = None,
        software_id: str | None = None,
        software_version: str | None = None,
        account: str = "default",
        client_id_metadata_document: str | None = None,
        preregistered: Preregistered | Sequence[Preregistered] | None = None,
        dynamic_registration: bool = True,
        initial_access_tokens: Mapping[str, str] = ...,
        redirect_uri: str | None = None,
        scopes: str | Sequence[str] | None = None,
        only_scopes: str | Sequence[str] | None = None,
        registration_scopes: str | Sequence[str] | None = None,
        offline_access: bool = True,
        revision: Literal["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"] = "2026-07-28",
        trust: Literal["ask", "accept", "pinned_only", "same_origin"] = "ask",
        trusted_issuers: Sequence[str] = ...,
        development_hosts: Sequence[str] = ...,
        allow_private_hosts: bool = False,
        quirks: Literal["auth0", "cognito", "entra", "github", "google", "slack", "slack_bot"] | None = None,
        shared_store: bool = True,
        refresh_early_s: int = 60,
        interaction_s: int = 600,
        list_account: bool = False,
        unreadable_records: Literal["start_anew", "fail"] = "start_anew",
        flow: Literal["authorization_code", "client_credentials", "device", "workload"] | Enterprise | None = None,
        step_up: Literal["ask", "abort"] = "ask",
        dpop: Literal["off", "when_supported", "required"] = "off",
        pushed_requests: bool = False,
        assertion_audience: Literal["issuer", "token_endpoint"] = "issuer",
        authorization_details: str | None = None,
        authorization_parameters: Mapping[str, str] = ...,
        token_parameters: Mapping[str, str] = ...,
        authorization_server: str | None = None,
        issuer_differs: Mapping[str, str] = ...,
        resource_identifier: str | None = None,
        user_agent: str | None = None,
    ) -> Config: ...
    @property
    def resource(self) -> str:
        """The URL of the resource."""
    def with_account(self, name: str) -> Config:
        """The same for another account."""

@final
class Preregistered:
    """A client that was registered by hand. Without `issuer` it is bound to the server that is named at its first use."""

    def __new__(
        cls,
        client_id: str,
        *,
        issuer: str | None = None,
        secret: str | None = None,
        key_pem: str | None = None,
        algorithm: str = "ES256",
        method: str | None = None,
    ) -> Preregistered: ...

@final
class Enterprise:
    """The enterprise's identity provider, and who this client is there (MCP "Enterprise-Managed Authorization")."""

    def __new__(
        cls, issuer: str, client: Preregistered, *, sign_on: bool = False, token_endpoint: str | None = None
    ) -> Enterprise: ...

@final
class Engine:
    """Authorizes the requests of one account to one resource. After every input, take the outputs: iterate over it.

    Inputs take the time as `now`, on two clocks; without it, it is read. Signatures are made without the interpreter's
    lock. Any number of threads may use it; a process that was forked may not.
    """

    def __new__(cls, config: Config) -> Engine: ...
    def authorize(self, method: str, url: str, headers: _Headers | None = None, *, now: _Now | None = None) -> int:
        """Opens a call: the program wants to send this request. `Send` or `Fail` will come for it. Of its headers,
        `Mcp-Method` and `Mcp-Name` matter. Raises `MisuseError` for a request to another server."""
    def report(self, call: int, status: int, headers: _Headers = ..., *, now: _Now | None = None) -> None:
        """Reports the response to a call that was sent. `Deliver`, `Send` or `Fail` will come for it."""
    def log_in(self, *, now: _Now | None = None) -> int:
        """Gets a token if there is none. `Done` or `Fail` will come."""
    def log_out(self, *, now: _Now | None = None) -> int:
        """Gives the tokens back (RFC 7009) and forgets them. `Done` or `Fail` will come."""
    def forget(self, *, now: _Now | None = None) -> int:
        """Forgets everything about the server for this account. `Done` or `Fail` will come."""
    def step_up(self, method: str, url: str, challenges: Sequence[str], *, now: _Now | None = None) -> int:
        """Asks for what these challenges demand, the values of `WWW-Authenticate`. `Done` or `Fail` will come."""
    def callback(self, url: str, *, now: _Now | None = None) -> int:
        """Takes in a callback that comes without its prompt. `Done` or `Fail` will come."""
    def cancel(self, call: int) -> None:
        """Gives up a call, whatever its stage; nothing more comes for it."""
    def complete(self, op: int, completion: Completion, *, now: _Now | None = None) -> None:
        """Answers an effect. Raises `MisuseError` for an answer of the wrong kind."""
    def add_entropy(self, random: bytes, *, now: _Now | None = None) -> None:
        """Feeds random bytes of cryptographic quality."""
    def handle_timeout(self, *, now: _Now | None = None) -> None:
        """To be called when `poll_timeout` has passed; harmless at any time."""
    def now(self) -> tuple[int, int]:
        """The time of this engine's clocks: milliseconds since it was made, seconds since 1970."""
    def poll_timeout(self) -> int | None:
        """When to call `handle_timeout`, on the monotonic clock, in milliseconds."""
    def poll_output(self) -> Output | None:
        """The next output."""
    def __iter__(self) -> Iterator[Output]: ...
    def __next__(self) -> Output: ...
    @property
    def account_label(self) -> str | None:
        """What to show for the account, when its token says who the user is (OpenID Connect Core 3.1.3.7)."""
    @property
    def resource(self) -> str:
        """The URL of the resource."""

@final
class HttpRequest:
    """A request that the host is to send as it is, without credentials, cookies and headers of its own."""

    @property
    def exchange(self) -> str:
        """What it is about, such as `server_metadata`."""
    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def needs_address_check(self) -> bool:
        """Whether a name has to be resolved before this may be sent."""
    def check_address(self) -> None:
        """Raises `HostError` when the name leads to addresses that URLs from outside may not lead to. It may block."""

@final
class StoreKey:
    """Names a record. As text it is a name that differs for different keys."""

    def __new__(cls, kind: str, resource: str, account: str = "default", issuer: str | None = None) -> StoreKey: ...
    @property
    def kind(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def issuer(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Summary:
    """What an authorization is about, for the user to judge."""

    __match_args__ = ("reason", "resource", "issuer")
    @property
    def client_name(self) -> str | None: ...
    @property
    def resource(self) -> str: ...
    @property
    def issuer(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def scopes(self) -> tuple[str, ...]: ...
    @property
    def new_scopes(self) -> tuple[str, ...]: ...
    @property
    def reason(self) -> Literal["issuer_changed", "step_up", "unauthorized"]: ...
    @property
    def earlier_issuer(self) -> str | None: ...

@final
class AuthorizationPrompt:
    """A page to open, and how to know that it was answered."""

    @property
    def url(self) -> str: ...
    @property
    def redirect_uri(self) -> str: ...
    @property
    def resumed(self) -> bool: ...
    @property
    def summary(self) -> Summary: ...
    def is_answered_by(self, url: str) -> bool:
        """Whether a request to the redirect URI carries the `state` that was sent."""

@final
class DevicePrompt:
    """A code to show, and where to type it in (RFC 8628 3.3)."""

    @property
    def user_code(self) -> str: ...
    @property
    def verification_uri(self) -> str: ...
    @property
    def verification_uri_complete(self) -> str | None: ...
    @property
    def expires_in_s(self) -> int: ...
    @property
    def summary(self) -> Summary: ...

@final
class Wait:
    """How long to wait for the user, in seconds."""

    def __new__(cls, seconds: float) -> Wait: ...
    def abandon(self) -> None:
        """Ends the wait."""
    @property
    def is_over(self) -> bool: ...

@final
class Browser:
    """The browser on the user's machine, with a receiver on a loopback port (RFC 8252 7.3).

    `show` shows a page instead of the system's browser; `on_question` decides about further scopes and another
    authorization server; `on_code` shows a device code; `tell` tells the user something, on standard error by itself;
    `port` is the receiver's; `pasted` lets the user paste the URL at which a browser on another machine ended.
    """

    def __new__(
        cls,
        show: Callable[[str], object] | None = None,
        *,
        on_question: Callable[[Summary], bool] | None = None,
        on_code: Callable[[DevicePrompt], object] | None = None,
        tell: Callable[[str], object] | None = None,
        port: int = 0,
        pasted: bool = False,
    ) -> Browser: ...
    def listen(self, preferred: str | None = None) -> str:
        """Prepares a place that the browser can come back to; returns its redirect URI."""
    def approve(self, summary: Summary) -> bool:
        """Whether to go on."""
    def authorize(
        self, prompt: AuthorizationPrompt, wait: Wait
    ) -> Callback | CallbackWithoutState | Declined | None:
        """Shows the page and waits for the browser to come back. It blocks, without the interpreter's lock."""
    def show_code(self, prompt: DevicePrompt, wait: Wait) -> Callback | CallbackWithoutState | Declined | None:
        """Shows a code."""

@final
class MemoryStore:
    """Records in memory, which end with the process."""

    def __new__(cls) -> MemoryStore: ...
    def load(self, key: StoreKey) -> Stored | None:
        """The record."""
    def save(
        self, key: StoreKey, record: bytes, expect: bytes | None, expires_at_s: int | None = None
    ) -> bytes | None:
        """Stores a record if the stored one is of revision `expect`; its new revision, or `None` for a conflict."""
    def delete(self, key: StoreKey, expect: bytes) -> bool:
        """Deletes a record if it is of this revision; whether it is gone."""

@final
class FileStore:
    """Records in a directory, for any number of processes of one user, in Rust, C or Python: one format."""

    def __new__(cls, directory: str | PathLike[str], *, trusting_parents: bool = False) -> FileStore: ...
    @staticmethod
    def for_application(name: str) -> FileStore:
        """In the platform's directory for the state of the application of this name."""
    def load(self, key: StoreKey) -> Stored | None:
        """The record."""
    def save(
        self, key: StoreKey, record: bytes, expect: bytes | None, expires_at_s: int | None = None
    ) -> bytes | None:
        """Stores a record durably if the stored one is of revision `expect`; its new revision, or `None` for a
        conflict."""
    def delete(self, key: StoreKey, expect: bytes) -> bool:
        """Deletes a record if it is of this revision; whether it is gone."""

@final
class AuthorizationServer:
    """An authorization server whose tokens a guard accepts."""

    def __new__(
        cls,
        issuer: str,
        *,
        tokens: Literal["jwt", "jwt_without_profile", "introspection", "host"] = "jwt",
        client_id: str | None = None,
        client_secret: str | None = None,
        method: str | None = None,
        jwks_uri: str | None = None,
        introspection_endpoint: str | None = None,
        algorithms: Sequence[str] = ...,
        audiences: Sequence[str] = ...,
        known_as: Sequence[str] = ...,
        tenants: Sequence[str] = ...,
        scope_claims: Sequence[str] = ...,
        advertised: bool = True,
        audience_demanded: bool = True,
        cache_s: int | None = None,
    ) -> AuthorizationServer:
        """`tokens` says how they are checked: JWTs of RFC 9068 by the server's keys; JWTs that do not keep to it; by asking
        the server (RFC 7662), as the client `client_id` with `client_secret`; or by the program (`CheckToken`). `audiences`
        are other names of the resource that its tokens carry as `aud`; `known_as` other names of the server."""

@final
class Need:
    """What an operation needs of a token."""

    def __new__(
        cls,
        scopes: str | Sequence[str] | None = None,
        *,
        any_of: str | Sequence[str] | None = None,
        or_all: Sequence[str] = ...,
        max_age_s: int | None = None,
        acr_values: str | None = None,
    ) -> Need:
        """All of `scopes`, or one of `any_of`, or all of one of `or_all`; without any of them a token of whatever scope. The
        user must have authenticated at most `max_age_s` seconds ago, and in one of the ways `acr_values` (RFC 9470)."""
    @staticmethod
    def public() -> Need:
        """No token at all. One that is sent is checked nevertheless."""
    @staticmethod
    def nobody() -> Need:
        """What nobody has."""

@final
class GuardConfig:
    """A protected server: what it is, whom it believes, and what it demands."""

    def __new__(
        cls,
        resource: str,
        authorization_servers: str | AuthorizationServer | Sequence[AuthorizationServer],
        *,
        every: str | Sequence[str] | None = None,
        tools: Mapping[str, str | Sequence[str] | Need] = ...,
        prompts: Mapping[str, str | Sequence[str] | Need] = ...,
        resources: Mapping[str, str | Sequence[str] | Need] = ...,
        methods: Mapping[str, str | Sequence[str] | Need] = ...,
        http: Mapping[str, str | Sequence[str] | Need] = ...,
        otherwise: Need | None = None,
        implies: Mapping[str, str] = ...,
        notes: Mapping[str, str] = ...,
        audiences: Sequence[str] = ...,
        challenge: Literal["minimal", "plus_granted"] | None = None,
        scopes_supported: str | Sequence[str] | None = None,
        name: str | None = None,
        metadata: str | None = None,
        metadata_url: str | None = None,
        realm: str | None = None,
        cors_origins: str | Sequence[str] | None = None,
        dpop_required: bool = False,
        dpop_nonce_seed: str | None = None,
        dpop_stored: bool = False,
        public_paths: Sequence[str] = ...,
        trust_headers: bool = False,
        max_body: int | None = None,
        development_hosts: Sequence[str] = ...,
        allow_private_hosts: bool = False,
    ) -> GuardConfig:
        """`resource` is the URL of the MCP endpoint as clients see it. Rules name tools, prompts, resources by URI, JSON-RPC
        methods and HTTP methods, each by name or a pattern with `*`, and say which scopes they need besides those of `every`
        operation; `otherwise` is for those without a rule. `implies` maps a scope to those that whoever has it has, too.
        `metadata` is a JSON object with more members of the metadata (RFC 9728 2). `cors_origins` are the web pages that may
        read the answers, `"*"` for all. `max_body` is in bytes.

        Raises `ConfigurationError`."""
    @property
    def resource(self) -> str:
        """The URL of the MCP endpoint, as given: what tokens have to be for (RFC 8707)."""

@final
class Guard:
    """Checks the requests of a protected server (RFC 6750, RFC 9728, RFC 9449). It does no I/O: after each input ask for
    outputs until there is none, and perform what they say."""

    def __new__(cls, config: GuardConfig) -> Guard: ...
    def check(
        self, method: str, target: str, headers: _Headers, body: bytes | None = None, *, now: _Now | None = None
    ) -> Decision:
        """Decides about a request: `target` is its path and query as received. Give `body` when `NeedBody` asked for it.
        Nothing is remembered: after `NeedBody` and `CheckAgain` check again with the same head. `ValueError` for what is no
        HTTP."""
    def too_large(self, method: str, target: str, headers: _Headers) -> Answer:
        """What answers a request whose body is larger than the guard reads."""
    def answer_headers(
        self, method: str, target: str, headers: _Headers, *, now: _Now | None = None
    ) -> tuple[tuple[str, str], ...]:
        """The headers that the response to a request that was let through gets besides its own."""
    def complete(self, op: int, completion: Completion, *, now: _Now | None = None) -> None:
        """Answers an effect."""
    def handle_timeout(self, *, now: _Now | None = None) -> None:
        """Tells that time has passed."""
    def now(self) -> _Now:
        """The time of this guard's clocks: milliseconds of the monotonic one, seconds since 1970."""
    def poll_timeout(self) -> int | None:
        """When to call `handle_timeout`, on the monotonic clock, if no input comes before."""
    def poll_output(self) -> GuardOutput | None:
        """The next output; `None` when there is none before the next input."""
    def __iter__(self) -> Iterator[GuardOutput]: ...
    def __next__(self) -> GuardOutput: ...
    @property
    def metadata_path(self) -> str:
        """The path at which the metadata is served (RFC 9728 3.1)."""
    @property
    def metadata_url(self) -> str:
        """Its URL."""
    @property
    def policy(self) -> str:
        """The table of rules, in Markdown."""
