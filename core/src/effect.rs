//! What an engine asks of its host, and how the host answers.

use std::fmt;
use std::sync::Arc;

use crate::error::Failure;
use crate::jose::Algorithm;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::authorization::AuthorizationUrl;
use crate::wire::callback::{Arrival, Returned};
use crate::wire::http::{HttpRequest, HttpResponse};
use crate::wire::server_metadata::Issuer;
use crate::wire::token::TokenTypeUri;

/// Names an effect; unique for the life of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub(crate) u64);

impl OpId {
    /// The id as a number, for hosts that hand it on: across an ABI, into a log.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The id that was this number. One that was never issued is refused where it is used.
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }
}

/// Something that the host is to do, and to answer with one [`Completion`].
///
/// The core has decided everything; the host only acts. It may perform several effects at once and
/// answer in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Provide an assertion, fresh: of the user, or of the workload. Answer: [`Completion::Assertion`].
    Assert(Box<AssertionRequest>),
    /// Find out what an access token is, in a way of the host's own. Answer:
    /// [`Completion::TokenChecked`].
    CheckToken {
        /// The token as a client sent it; not a JWT of a known issuer, whatever else it is.
        token: Secret,
    },
    /// Delete a record if it is still of this revision. Answer: [`Completion::Deleted`], also when there
    /// is no such record, or [`Completion::Conflict`].
    Delete {
        /// Which record.
        key: Box<StoreKey>,
        /// The revision that was read or written last.
        expect: RecordRevision,
    },
    /// Send a request as it is, follow no redirect, read at most `max_body` bytes of the answer's body.
    /// Answer: [`Completion::Http`] for any HTTP response, [`Completion::Failed`] for none.
    Http {
        /// The request.
        request: Box<HttpRequest>,
        /// The bound of the body, after any content coding is removed.
        max_body: usize,
    },
    /// Ask the user, or whoever stands in for them.
    Interact(Interaction),
    /// Load a record. Answer: [`Completion::Loaded`].
    Load {
        /// Which record.
        key: Box<StoreKey>,
    },
    /// Store a record if the stored one is of revision `expect`, or there is none and `expect` is
    /// `None`. It must be durable before the answer: [`Completion::Saved`] or [`Completion::Conflict`].
    Save {
        /// Which record.
        key: Box<StoreKey>,
        /// Its content, UTF-8 text that holds secrets.
        record: Secret,
        /// The revision that was read or written last.
        expect: Option<RecordRevision>,
        /// When nobody needs it any more, in seconds since 1970: the store may forget it then. `None` for records
        /// that stay.
        expires_at_s: Option<u64>,
    },
    /// Sign with a key that the host keeps. Answer: [`Completion::Signed`].
    Sign {
        /// The host's name for the key.
        key: Box<str>,
        /// How to sign.
        algorithm: Algorithm,
        /// What to sign: all of it, not hashed.
        input: Vec<u8>,
    },
}

/// What an assertion is wanted for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssertionRequest {
    /// Of whom.
    pub kind: AssertionKind,
    /// Who is to accept it, and what the assertion has to name as its audience: the authorization server
    /// for a workload's; the client's id at the identity provider for a user's.
    pub audience: Box<str>,
    /// The resource, as it names itself.
    pub resource: Box<str>,
    /// The scopes that will be asked for.
    pub scopes: ScopeSet,
}

/// Whose assertion it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AssertionKind {
    /// The user's, from the enterprise's single sign-on: an ID token, a SAML assertion, or a refresh token.
    User,
    /// The workload's own, from the platform that it runs on: a JWT.
    Workload,
}

/// Something to ask of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interaction {
    /// Whether to go on, before any browser opens. Answer: [`Completion::Approved`] or
    /// [`Completion::Declined`].
    Approve(Box<Summary>),
    /// Open a URL in the browser and wait for it to come back. Answer: [`Completion::Callback`], or
    /// [`Completion::Declined`] when the user gave up.
    Authorize(Box<AuthorizationPrompt>),
    /// Show a code that the user is to type into a page on another device (RFC 8628 3.3). There need not be
    /// an answer: the engine polls, and the effect is abandoned when that has ended. Answer, if any:
    /// [`Completion::Declined`] when the user gave up.
    Device(Box<DevicePrompt>),
    /// Prepare the place that the browser will come back to, such as a loopback port. Answer:
    /// [`Completion::Listening`].
    Listen {
        /// The redirect URI of an earlier authorization, registered already: use it again if possible.
        preferred: Option<Box<str>>,
    },
}

/// A page to open, and how to know that it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizationPrompt {
    /// The page. Its scheme is http or https.
    pub url: AuthorizationUrl,
    /// Where the browser comes back to.
    pub redirect_uri: Box<str>,
    /// Whether this page was opened before the program was restarted: the user may have it open still.
    pub resumed: bool,
    /// What the user is asked for.
    pub summary: Summary,
    pub(crate) state: Secret,
}

/// A code to show, and where to type it in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DevicePrompt {
    /// The code.
    pub user_code: Box<str>,
    /// The page to type it in. Its scheme is http or https.
    pub verification_uri: AuthorizationUrl,
    /// The same page with the code in it, for links and QR codes.
    pub verification_uri_complete: Option<AuthorizationUrl>,
    /// How long the code is good, in seconds.
    pub expires_in_s: u64,
    /// What the user is asked for.
    pub summary: Summary,
}

impl AuthorizationPrompt {
    /// Whether a request to the redirect URI answers this prompt: it carries the `state` that was sent.
    /// Anything else, such as a favicon or a guess, is no answer. Takes a URL, a request target or a
    /// query.
    ///
    /// It says nothing about who sent the request. A web application asks only the prompts that it keeps in the
    /// session of the user agent that sent it (RFC 9700 2.1.1, 4.7).
    pub fn is_answered_by(&self, url: &str) -> bool {
        self.judge(Returned::to(url)) == Arrival::Answer
    }

    /// What a request to the redirect URI is to this prompt: an [`Answer`](Arrival::Answer) completes it as
    /// [`Completion::Callback`], a [`Refusal`](Arrival::Refusal) as [`Completion::CallbackWithoutState`];
    /// whoever sent anything else is told on the page that answers it, and the prompt stays open.
    ///
    /// A local program or a page in the user's browser may find the redirect URI, too. What they send must not
    /// end the user's login unseen: only what carries the `state` does, and what the browser shows that it went to
    /// as a whole. That a local program can pretend to be the browser ends a login at worst, and the error
    /// says so.
    pub fn judge(&self, returned: Returned<'_>) -> Arrival {
        Arrival::of(returned, &self.state)
    }
}

/// What an authorization is about, for the user to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The application, by the name that it registers with.
    pub client_name: Option<Box<str>>,
    /// The resource, as it names itself.
    pub resource: Box<str>,
    /// The authorization server.
    pub issuer: Issuer,
    /// The host's name for the account.
    pub account: Box<str>,
    /// The scopes that will be asked for; empty when the server is to choose.
    pub scopes: ScopeSet,
    /// Those of them that were not asked for before.
    pub new_scopes: ScopeSet,
    /// Why now.
    pub reason: Reason,
}

/// Why the user is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The resource names another authorization server than before.
    IssuerChanged {
        /// The one that was trusted so far.
        from: Issuer,
    },
    /// An operation needs scopes that the token lacks.
    StepUp,
    /// There is no valid token, and none can be had without the user.
    Unauthorized,
}

/// How the host answers an effect.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Completion<'a> {
    /// The user agreed.
    Approved,
    /// The assertion that was asked for.
    Assertion {
        /// The assertion; it is used once.
        token: &'a str,
        /// What it is: for a user's one of those that identity providers take.
        kind: TokenTypeUri,
    },
    /// The browser came back with this URL, or request target. If it does not answer the prompt, it is
    /// ignored and the prompt stays open.
    Callback {
        /// The URL as received; it holds the authorization code.
        url: &'a str,
    },
    /// The browser came back with this URL, or request target, which has no `state`:
    /// [`judge`](AuthorizationPrompt::judge) called it a refusal. The wait ends with an error.
    CallbackWithoutState {
        /// The URL as received.
        url: &'a str,
    },
    /// The record in the store is of another revision, or exists although it should not.
    Conflict,
    /// The user said no, or gave up.
    Declined,
    /// The record is gone.
    Deleted,
    /// The effect could not be performed.
    Failed(Failure<'a>),
    /// An HTTP response, of whatever status.
    Http(HttpResponse<'a>),
    /// The browser can come back to this URI.
    Listening {
        /// The URI, exactly as it will be registered and sent.
        redirect_uri: &'a str,
    },
    /// What the store holds, or that it holds nothing.
    Loaded(Option<Stored<'a>>),
    /// The record is durable, and of this revision now.
    Saved(RecordRevision),
    /// The signature: for ECDSA r and s, each of fixed length (RFC 7518 3.4;
    /// [`ecdsa_from_der`](crate::jose::ecdsa_from_der) converts).
    Signed {
        /// The signature.
        signature: &'a [u8],
    },
    /// What a token is: an object in JSON with the members of an introspection answer (RFC 7662 2.2), such
    /// as `{"sub": "alice", "scope": "files:read", "aud": "https://mcp.example.com/mcp"}`; or that it is
    /// not valid.
    TokenChecked(Option<&'a str>),
}

impl fmt::Debug for Completion<'_> {
    /// Says which answer it is. Most of them hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approved => f.write_str("Approved"),
            Self::Assertion { kind, .. } => write!(f, "Assertion({kind:?}, …)"),
            Self::Callback { .. } => f.write_str("Callback(…)"),
            Self::CallbackWithoutState { .. } => f.write_str("CallbackWithoutState(…)"),
            Self::Conflict => f.write_str("Conflict"),
            Self::Declined => f.write_str("Declined"),
            Self::Deleted => f.write_str("Deleted"),
            Self::Failed(failure) => f.debug_tuple("Failed").field(failure).finish(),
            Self::Http(response) => f.debug_tuple("Http").field(response).finish(),
            Self::Listening { redirect_uri } => f.debug_tuple("Listening").field(redirect_uri).finish(),
            Self::Loaded(stored) => f.debug_tuple("Loaded").field(&stored.map(|s| s.revision)).finish(),
            Self::Saved(revision) => f.debug_tuple("Saved").field(revision).finish(),
            Self::Signed { .. } => f.write_str("Signed(…)"),
            Self::TokenChecked(_) => f.write_str("TokenChecked(…)"),
        }
    }
}

/// A record as the store holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Its content; whatever the store holds, readable or not.
    pub record: &'a [u8],
    /// Its revision.
    pub revision: RecordRevision,
}

impl fmt::Debug for Stored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// A record's revision, for compare-and-swap. The store chooses it; equal revisions mean equal content.
///
/// A counter that never repeats, or the first 16 bytes of a hash of the content, both do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordRevision(pub [u8; 16]);

impl RecordRevision {
    /// The revision for the `n`th write of a store that counts.
    pub const fn from_counter(n: u128) -> Self {
        Self(n.to_be_bytes())
    }
}

/// Names a record: what it holds, for which resource and account, and from which issuer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct StoreKey {
    /// What it holds.
    pub kind: RecordKind,
    /// The URL of the resource, as the host configured it.
    pub resource: Arc<str>,
    /// The host's name for the account.
    pub account: Arc<str>,
    /// The authorization server to which the credentials belong; `None` for records without any.
    pub issuer: Option<Arc<str>>,
    /// Of a record that could not be read and is kept for a person to look at: a hash of its content.
    pub quarantine: Option<Box<str>>,
}

impl StoreKey {
    /// The key of the list of accounts of a resource, by the URL with which it is configured
    /// ([`Config::resource`](crate::client::Config::resource)); [`accounts`](crate::client::accounts) reads it.
    pub fn accounts(resource: &str) -> Self {
        Self::new(RecordKind::Accounts, resource, "", None)
    }

    /// A key, such as the tests of a store need it. The engine makes its own.
    pub fn new(kind: RecordKind, resource: &str, account: &str, issuer: Option<&str>) -> Self {
        let issuer = issuer.map(Into::into);
        Self { kind, resource: resource.into(), account: account.into(), issuer, quarantine: None }
    }

    /// The key under which an unreadable record is quarantined.
    pub(crate) fn quarantine(&self, hash: String) -> Self {
        Self { quarantine: Some(hash.into()), ..self.clone() }
    }
}

/// The kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// Which accounts there are.
    Accounts,
    /// Which issuer is trusted for the resource, and for which scopes.
    Binding,
    /// Tokens.
    Grant,
    /// Authorizations that wait for the browser.
    Pending,
    /// That a proof of possession was used, which it can be once (RFC 9449 11.1): a protected server's.
    Proof,
    /// A dynamic registration.
    Registration,
    /// A provider's: that an assertion was redeemed, which it can be once.
    Assertion,
    /// A provider's: how often a user typed in a wrong code.
    Attempts,
    /// A provider's: a client that registered itself.
    Client,
    /// A provider's: a device that waits for its user.
    Device,
    /// A provider's: a document that was fetched.
    Document,
    /// A provider's: a user who was asked, and has not answered.
    Interaction,
    /// A provider's: what a client may do, for a user or for itself.
    IssuedGrant,
    /// A provider's: a pushed authorization request.
    PushedRequest,
    /// A provider's: the code by which a user finds a device.
    UserCode,
    /// A provider's: what a user granted and consented to.
    UserGrants,
}

impl RecordKind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Binding => "binding",
            Self::Grant => "grant",
            Self::Pending => "pending",
            Self::Proof => "proof",
            Self::Registration => "registration",
            Self::Assertion => "assertion",
            Self::Attempts => "attempts",
            Self::Client => "client",
            Self::Device => "device",
            Self::Document => "document",
            Self::Interaction => "interaction",
            Self::IssuedGrant => "issued-grant",
            Self::PushedRequest => "pushed-request",
            Self::UserCode => "user-code",
            Self::UserGrants => "user-grants",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for StoreKey {
    /// A name that differs for different keys: the parts on lines of their own. None of them can hold a
    /// line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(hash) = &self.quarantine {
            write!(f, " quarantine {hash}")?;
        }
        write!(f, "\n{}\n{}", self.resource, self.account)?;
        match &self.issuer {
            Some(issuer) => write!(f, "\n{issuer}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    #[test]
    fn completions_hide_their_secrets() {
        let revision = RecordRevision::from_counter(1);
        let headers = HeaderMap::new();
        for completion in [
            Completion::Assertion { token: "planted", kind: TokenTypeUri::IdToken },
            Completion::Callback { url: "http://127.0.0.1/?code=planted" },
            Completion::Http(HttpResponse { status: 200, headers: &headers, body: b"planted" }),
            Completion::Loaded(Some(Stored { record: b"planted", revision })),
        ] {
            assert!(!format!("{completion:?} {completion:#?}").contains("planted"));
        }
        assert!(!format!("{:?}", Stored { record: b"planted", revision }).contains("planted"));
    }
}
