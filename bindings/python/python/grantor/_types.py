"""The values that go in and out of the machines, and the exceptions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, Union

if TYPE_CHECKING:
    from grantor._native import AuthorizationPrompt, DevicePrompt, HttpRequest, StoreKey, Summary

Headers: TypeAlias = "tuple[tuple[str, str], ...]"


class Now(NamedTuple):
    """The instant of an input, on two clocks."""

    mono_ms: int
    """Milliseconds of a monotonic clock with an arbitrary origin, the same for the life of one engine."""
    unix_s: int
    """Seconds since 1970-01-01T00:00:00Z."""


# Exceptions.


class GrantorError(Exception):
    """Why a call, or the authorization that it needed, failed. The text is one sentence for a person: what was asked of
    whom, what came back, and what to do. No secret is in it."""

    def __init__(
        self,
        message: str,
        *,
        kind: str = "other",
        code: str | None = None,
        exchange: str | None = None,
        url: str | None = None,
        status: int | None = None,
        words: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        """The rule that was broken or the way it failed, by name: `issuer_mismatch`, `timed_out`."""
        self.code = code
        """The error code that a server refused with (RFC 6749 5.2), if it did."""
        self.exchange = exchange
        """The exchange in which it arose, such as `server_metadata`."""
        self.url = url
        """Where it was asked, without query and fragment."""
        self.status = status
        """The HTTP status of the answer."""
        self.words = words
        """The server's own words."""


class PeerError(GrantorError):
    """A server is to blame."""


class PeerMisbehaved(PeerError):
    """A server broke a rule that protects the user."""


class PeerIncompatible(PeerError):
    """A server keeps to the rules, but offers nothing that this client can use."""


class PeerRefused(PeerError):
    """A server said no, within the rules, or cannot for now; `code` has its error code."""


class HostError(GrantorError):
    """This machine or its network is to blame: connections, the store, the browser."""


class UserError(GrantorError):
    """The user said no, or did not answer in time."""


class ConfigurationError(GrantorError, ValueError):
    """The configuration cannot work, at all or with this server."""


class MisuseError(GrantorError):
    """The program used the API in a way that cannot be meant, as with a request to another server."""


# Completions.


@dataclass(frozen=True, slots=True)
class Approved:
    """The user agreed."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """The assertion that was asked for; it is used once."""

    token: str = field(repr=False)
    kind: str
    """`id_token`, `jwt`, `refresh_token` or `saml2` (RFC 8693 3)."""


@dataclass(frozen=True, slots=True)
class Callback:
    """The browser came back with this URL, or request target."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallbackWithoutState:
    """The browser came back with this URL, which has no `state`. The wait ends with an error."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Conflict:
    """The record in the store is of another revision, or exists although it should not."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The user said no, or gave up."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The record is gone."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The effect could not be performed."""

    kind: str
    """`body_too_large`, `broken`, `impossible`, `other`, `timed_out`, `unreachable` or `unreadable`."""
    detail: str = ""
    """For a person; no secrets."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP response, of whatever status, its body decoded."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listening:
    """The browser can come back to this URI, exactly as it will be registered and sent."""

    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as the store holds it."""

    record: bytes = field(repr=False)
    revision: bytes
    """16 bytes that the store chooses; equal revisions mean equal content."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the store holds, or that it holds nothing."""

    stored: Stored | None


@dataclass(frozen=True, slots=True)
class Saved:
    """The record is durable, and of this revision now."""

    revision: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """The signature: for ECDSA r and s, each of fixed length (RFC 7518 3.4)."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class TokenChecked:
    """What a token is: a JSON object with the members of an introspection answer (RFC 7662 2.2); or not valid."""

    claims: str | None = field(repr=False)


Completion: TypeAlias = Union[
    Approved,
    Assertion,
    Callback,
    CallbackWithoutState,
    Conflict,
    Declined,
    Deleted,
    Failed,
    HttpAnswer,
    Listening,
    Loaded,
    Saved,
    Signed,
    TokenChecked,
]


# Effects.


@dataclass(frozen=True, slots=True)
class Approve:
    """Ask the user whether to go on, before any browser opens. Answer: `Approved` or `Declined`."""

    summary: Summary


@dataclass(frozen=True, slots=True)
class Assert:
    """Provide an assertion, fresh. Answer: `Assertion`."""

    kind: str
    """`user` or `workload`."""
    audience: str
    resource: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Authorize:
    """Open a URL in the browser and wait for it to come back. Answer: `Callback`, `CallbackWithoutState` or
    `Declined`."""

    prompt: AuthorizationPrompt


@dataclass(frozen=True, slots=True)
class CheckToken:
    """Find out what an access token is, in a way of the host's own. Answer: `TokenChecked`."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a record if it is still of this revision. Answer: `Deleted`, also when there is none, or `Conflict`."""

    key: StoreKey
    expect: bytes


@dataclass(frozen=True, slots=True)
class Http:
    """Send a request as it is, follow no redirect, read at most `max_body` bytes of the answer's body. Answer:
    `HttpAnswer` for any response."""

    request: HttpRequest
    max_body: int


@dataclass(frozen=True, slots=True)
class Listen:
    """Prepare the place that the browser will come back to. Answer: `Listening`."""

    preferred: str | None


@dataclass(frozen=True, slots=True)
class Load:
    """Load a record. Answer: `Loaded`."""

    key: StoreKey


@dataclass(frozen=True, slots=True)
class Save:
    """Store a record durably if the stored one is of revision `expect`, or there is none and that is `None`. Answer:
    `Saved` or `Conflict`."""

    key: StoreKey
    record: bytes = field(repr=False)
    """UTF-8 text that holds secrets."""
    expect: bytes | None
    expires_at_s: int | None
    """When nobody needs it any more, in seconds since 1970; `None` for records that stay."""


@dataclass(frozen=True, slots=True)
class ShowCode:
    """Show a code that the user is to type into a page on another device (RFC 8628 3.3). There need not be an answer."""

    prompt: DevicePrompt


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign all of `input`, not hashed, with a key that the host keeps. Answer: `Signed`."""

    key: str
    algorithm: str
    input: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """An effect that this version does not know. Answer: `Failed`."""


Effect: TypeAlias = Union[Approve, Assert, Authorize, CheckToken, Delete, Http, Listen, Load, Save, ShowCode, Sign, Unknown]


# Verdicts.


@dataclass(frozen=True, slots=True)
class Deliver:
    """The response that was reported is the one for the caller. The call is over."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was asked for is done. The call is over."""


@dataclass(frozen=True, slots=True)
class Fail:
    """It failed, for this reason. The call is over."""

    error: GrantorError


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request with these headers, then report the response, or cancel if there is none. Replace `authorization`
    and `dpop`; where they are missing here, remove them."""

    headers: Headers = field(repr=False)


Verdict: TypeAlias = Union[Deliver, Done, Fail, Send]


# Outputs.


@dataclass(frozen=True, slots=True)
class Abandon:
    """The answer to this effect is not needed any more."""

    op: int


@dataclass(frozen=True, slots=True)
class Call:
    """What becomes of a call now."""

    call: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class NeedEntropy:
    """Call `add_entropy` with at least this many random bytes."""

    length: int


@dataclass(frozen=True, slots=True)
class Notice:
    """For logs and progress displays; needs no reaction. Never with a secret in it."""

    kind: str
    """Such as `token_issued`, `plain_http`, `refresh_elsewhere`."""
    text: str
    """The same in words."""
    is_warning: bool
    """Whether a log should show it in any case: something is lost or unprotected, or the user wonders why nothing happens."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Perform:
    """Perform an effect and answer with `complete`."""

    op: int
    deadline_ms: int
    """When to give up, on the engine's monotonic clock; answer then with `Failed`."""
    effect: Effect
    why: str
    """In words for a log."""


Output: TypeAlias = Union[Abandon, Call, NeedEntropy, Notice, Perform]


# The Guard.


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token grants, after it was checked."""

    issuer: str
    subject: str | None
    """The user, or the client itself; unique only at its issuer."""
    client_id: str | None
    scopes: tuple[str, ...]
    expires_at_s: int | None
    """When it expires, in seconds since 1970, if it says so."""
    auth_time_s: int | None
    """When the user authenticated, in seconds since 1970."""
    acr: str | None
    """How the user authenticated."""


@dataclass(frozen=True, slots=True)
class Allow:
    """Let the request through."""

    grant: Grant | None
    """`None` where no token is needed and none was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer this instead."""

    status: int
    headers: Headers
    body: bytes
    refusal: str | None
    """Why the request is turned away, by name: `no_token`; `None` for metadata and preflights."""
    message: str | None
    """The same in words, for a log."""


@dataclass(frozen=True, slots=True)
class NeedBody:
    """Check again with the whole body, which may have `max_body` bytes; answer `too_large` when it has more."""

    max_body: int


@dataclass(frozen=True, slots=True)
class CheckAgain:
    """Check again when `Ready` names this check."""

    check: int


Decision: TypeAlias = Union[Allow, Answer, CheckAgain, NeedBody]


@dataclass(frozen=True, slots=True)
class Ready:
    """What this check waited for is there, or will not come: check the request again."""

    check: int


GuardOutput: TypeAlias = Union[Notice, Perform, Ready]
