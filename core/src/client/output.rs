//! What goes in and out of an engine beside effects: calls, verdicts, notices.

use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::effect::{Effect, OpId, RecordKind};
use crate::error::{ErrorReport, Exchange, PeerText, RecordProblem};
use crate::finding::Finding;
use crate::scope::ScopeSet;
use crate::wire::challenge::ChallengeError;

/// Names a call: one request of the host to the resource, however often it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u64);

impl CallId {
    /// The id as a number, for hosts that hand it on: across an ABI, into a log.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The id that was this number. One that was never issued is refused where it is used.
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }
}

/// The head of a request that is to be authorized.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The absolute URL.
    pub url: &'a str,
    /// Its `Mcp-Method` and `Mcp-Name` headers, if it has them: they tell operations apart when step-ups
    /// are counted. Without, the URL does.
    pub headers: Option<&'a HeaderMap>,
}

impl<'a> RequestHead<'a> {
    /// A request head.
    pub const fn new(method: &'a str, url: &'a str) -> Self {
        Self { method, url, headers: None }
    }

    /// The same with headers.
    #[must_use]
    pub const fn headers(self, headers: &'a HeaderMap) -> Self {
        Self { headers: Some(headers), ..self }
    }
}

/// The head of a response of the resource. Its body is the host's alone.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status code.
    pub status: u16,
    /// The header lines.
    pub headers: &'a HeaderMap,
}

impl ResponseHead<'_> {
    /// Whether it may be a challenge. When any other response came does not matter: a host may report it
    /// with the time of the input before.
    pub const fn may_challenge(&self) -> bool {
        matches!(self.status, 401 | 403)
    }
}

/// What an engine hands out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// The answer to this effect is not needed any more; stop performing it if that is possible. An
    /// answer that comes all the same is ignored.
    Abandon {
        /// Its name.
        op: OpId,
    },
    /// What becomes of a call now.
    Call {
        /// The call.
        call: CallId,
        /// The verdict.
        verdict: Verdict,
    },
    /// Call [`add_entropy`](super::Engine::add_entropy) with at least this many random bytes.
    NeedEntropy {
        /// How many bytes.
        len: usize,
    },
    /// For logs and progress displays; needs no reaction.
    Notice(Notice),
    /// Perform an effect and answer with [`complete`](super::Engine::complete).
    Perform {
        /// Its name.
        op: OpId,
        /// When to give up, on the monotonic clock; answer then with a failure.
        deadline_ms: u64,
        /// What to do.
        effect: Effect,
        /// Why, in words for a log.
        why: &'static str,
    },
}

/// What becomes of a call.
#[must_use = "the call waits for it"]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// The response that was reported is the one for the caller. The call is over.
    Deliver,
    /// The callback was accepted and its token stored. The call is over.
    Done,
    /// It failed, for this reason. The call is over.
    Fail(Box<ErrorReport>),
    /// Send the request with these headers, then [`report`](super::Engine::report) the response, or
    /// [`cancel`](super::Engine::cancel) if there is none. It may come several times for one call.
    Send(Credentials),
}

/// The headers that authorize a request; replace those of the same name. Empty when there is no token
/// yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials(Option<Arc<Headers>>);

/// Shared by all calls that are sent with them: credentials are handed on often.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Headers {
    authorization: HeaderValue,
    proof: Option<HeaderValue>,
}

/// The header of a `DPoP` proof (RFC 9449 4.1).
const PROOF: HeaderName = HeaderName::from_static("dpop");

impl Credentials {
    pub(crate) fn new(authorization: HeaderValue) -> Self {
        Self(Some(Arc::new(Headers { authorization, proof: None })))
    }

    pub(crate) fn with_proof(self, proof: HeaderValue) -> Self {
        let prove =
            |headers: Arc<Headers>| Arc::new(Headers { proof: Some(proof), ..Arc::unwrap_or_clone(headers) });
        Self(self.0.map(prove))
    }

    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.0.as_ref().map(|headers| &headers.authorization)
    }

    fn proof(&self) -> Option<&HeaderValue> {
        self.0.as_ref().and_then(|headers| headers.proof.as_ref())
    }

    /// The headers to set.
    pub fn iter(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let token = self.authorization().into_iter().map(|value| (AUTHORIZATION, value));
        token.chain(self.proof().into_iter().map(|value| (PROOF, value)))
    }

    /// Sets them on a request's headers, and removes those that they have no value for: whatever the
    /// caller put there was not meant for this resource, or is of an earlier try.
    pub fn apply(self, headers: &mut HeaderMap) {
        set(headers, AUTHORIZATION, self.authorization());
        set(headers, PROOF, self.proof());
    }

    /// Whether there is no token yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<&HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value.clone())),
        None => drop(headers.remove(name)),
    }
}

/// Something that happened; never with a secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A callback was ignored: it answers nothing that was asked.
    CallbackIgnored,
    /// The resource answered with a challenge.
    Challenged {
        /// 401 or 403.
        status: u16,
        /// `error` of the challenge.
        error: Option<PeerText>,
        /// `scope` of the challenge.
        scope: ScopeSet,
    },
    /// An answer strays from a specification, and goes on; each is told once
    /// ([`Engine::findings`](super::Engine::findings)).
    Finding(Finding),
    /// The tokens are gone: refused for good, or forgotten on request.
    Forgotten,
    /// The resource names another authorization server than before.
    IssuerChanged {
        /// Before.
        from: PeerText,
        /// Now.
        to: PeerText,
    },
    /// The key that the stored tokens are bound to is not there any more; new tokens are needed.
    KeyLost,
    /// A part of a `WWW-Authenticate` header breaks its grammar. It was read all the same where it can mean one
    /// thing only, and passed over otherwise.
    MalformedChallenge(ChallengeError),
    /// A request goes over the network without TLS, to a host that
    /// [`UrlPolicy::development_host`](crate::UrlPolicy::development_host) names: whoever is on the way reads
    /// and changes it, tokens and secrets included. It comes with each request of the engine to such a host,
    /// and each time a token is sent to a resource there.
    PlainHttp {
        /// The host.
        host: Box<str>,
    },
    /// A record in the store could not be read. By [`RecordPolicy`](crate::RecordPolicy) it is quarantined
    /// and replaced, or left there.
    RecordUnreadable {
        /// Which kind.
        kind: RecordKind,
        /// Why.
        problem: RecordProblem,
    },
    /// Another process is renewing the tokens, or died while it was; its result is waited for, for
    /// [`limits::LEASE_S`](crate::limits::LEASE_S) seconds at a time.
    RefreshElsewhere,
    /// The client was registered.
    Registered {
        /// Its id.
        client_id: PeerText,
    },
    /// No pre-registered client of the configuration belongs to the authorization server that is used, so the
    /// client goes by its document or registers itself there, where that is allowed.
    RegisteredElsewhere {
        /// The server's issuer: what [`Preregistered::new`](super::Preregistered::new) has to name.
        issuer: PeerText,
    },
    /// The scopes that were asked for before and those that are demanded now are too many for one token
    /// ([`limits::SCOPES`](crate::limits::SCOPES)): only what is demanded now is asked for.
    ScopesLost,
    /// A record that only saves time later could not be stored.
    StoreFailed {
        /// Which kind.
        kind: RecordKind,
    },
    /// A token was issued and stored.
    TokenIssued {
        /// Its scopes; empty when the server named none.
        scope: ScopeSet,
        /// Its lifetime.
        expires_in_s: Option<u64>,
        /// Whether it can be renewed without the user.
        refreshable: bool,
        /// Whether it was renewed just so.
        refreshed: bool,
    },
    /// Tokens that another process stored are used.
    TokensAdopted,
    /// A server is busy, and will be asked the same again when it wants to be.
    Waiting {
        /// What was asked of it.
        exchange: Exchange,
        /// In how many seconds.
        seconds: u32,
    },
}

impl Notice {
    /// Whether a log should warn: something is lost, unprotected, or another than it was.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::IssuerChanged { .. }
                | Self::KeyLost
                | Self::PlainHttp { .. }
                | Self::RecordUnreadable { .. }
                | Self::ScopesLost
                | Self::StoreFailed { .. }
        )
    }

    /// Whether the user must know it to understand why nothing seems to happen, or that a connection protects
    /// nothing.
    pub fn is_for_user(&self) -> bool {
        matches!(self, Self::PlainHttp { .. } | Self::RefreshElsewhere | Self::Waiting { .. })
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallbackIgnored => f.write_str("a callback that answers nothing was ignored"),
            Self::Challenged { status, error, scope } => {
                write!(f, "the resource answered {status}")?;
                if let Some(error) = error {
                    write!(f, " {error}")?;
                }
                if !scope.is_empty() {
                    write!(f, " and asks for: {scope}")?;
                }
                Ok(())
            }
            Self::Finding(finding) => finding.fmt(f),
            Self::Forgotten => f.write_str("the tokens are gone"),
            Self::IssuerChanged { from, to } => {
                write!(f, "the authorization server changed from {from} to {to}")
            }
            Self::KeyLost => f.write_str("the key of the stored tokens is gone"),
            Self::MalformedChallenge(error) => error.fmt(f),
            Self::PlainHttp { host } => {
                write!(f, "INSECURE: this goes to {host} over plain http; for development only")
            }
            Self::RecordUnreadable { kind, problem } => write!(f, "the {kind} record {problem}"),
            Self::RefreshElsewhere => f.write_str("another process is renewing the tokens; waiting for it"),
            Self::Registered { client_id } => write!(f, "registered as {client_id}"),
            Self::RegisteredElsewhere { issuer } => {
                write!(f, "no client is pre-registered with {issuer}; another way is taken")
            }
            Self::ScopesLost => {
                f.write_str("too many scopes for one token; those that were asked for before are lost")
            }
            Self::StoreFailed { kind } => write!(f, "the {kind} record could not be stored"),
            Self::TokenIssued { scope, expires_in_s, refreshable, refreshed } => {
                f.write_str(if *refreshed { "token renewed" } else { "token issued" })?;
                if !scope.is_empty() {
                    write!(f, " for: {scope}")?;
                }
                if let Some(seconds) = expires_in_s {
                    write!(f, ", valid for {seconds} s")?;
                }
                f.write_str(if *refreshable { ", can be renewed" } else { ", cannot be renewed" })
            }
            Self::TokensAdopted => f.write_str("another process stored newer tokens; they are used"),
            Self::Waiting { exchange, seconds } => {
                write!(f, "{exchange}: the server is busy; it will be asked again in {seconds} s")
            }
        }
    }
}
