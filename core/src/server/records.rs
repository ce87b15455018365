//! What the provider stores: one record for each thing that must happen at once.

use serde::{Deserialize, Serialize};

use super::wire::ClientDescription;
use crate::scope::ScopeSet;

/// The version of the records; a later one is refused, and read by later versions of this crate.
pub(super) const VERSION: u8 = 1;

/// A record that says by which version of this crate it was written.
pub(super) trait Record {
    fn version(&self) -> u8;
}

macro_rules! records {
    ($($name:ident),*) => {$(
        impl Record for $name {
            fn version(&self) -> u8 {
                self.v
            }
        }
    )*};
}

records!(Grant, DynamicClient, Document, Interaction, Device, UserCode, Attempts, PushedRequest, UserGrants);

/// An authorization, from the moment the user agrees. One that is revoked is deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) v: u8,
    pub(super) client: Box<str>,
    /// `None`: the client's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<User>,
    pub(super) scope: ScopeSet,
    pub(super) resources: Vec<Box<str>>,
    pub(super) created_at: u64,
    pub(super) ends_at: u64,
    /// The key that its refresh tokens are bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) jkt: Option<Box<str>>,
    /// The grant whose token was exchanged for it: without that one, it is not good either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<Box<str>>,
    pub(super) state: GrantState,
    /// Its access tokens that are not JWTs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) opaque: Vec<OpaqueToken>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum GrantState {
    /// A code is on its way.
    Issued {
        code: Box<str>,
        challenge: Box<str>,
        redirect_uri: Box<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Box<str>>,
        until: u64,
    },
    /// Tokens were issued.
    Active {
        /// Of the refresh token that is good; 0 when there is none.
        generation: u32,
        refresh: Box<str>,
        /// When it was made.
        at: u64,
        /// What it was made with: the same token may ask again for a while.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<LastAnswer>,
    },
}

/// The access token that went along with the current refresh token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LastAnswer {
    /// A hash of what was asked for.
    pub(super) asked: Box<str>,
    /// What cannot be made again: the token's signature or its secret, sealed for who has the refresh token before.
    pub(super) sealed: Box<str>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OpaqueToken {
    pub(super) hash: Box<str>,
    pub(super) scope: ScopeSet,
    pub(super) audience: Vec<Box<str>>,
    pub(super) at: u64,
    pub(super) until: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) jkt: Option<Box<str>>,
    /// Who acts for the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) actors: Vec<Box<str>>,
}

/// Who a user is, as the host said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct User {
    /// `sub`: a name that is never given to another.
    pub subject: Box<str>,
    /// `auth_time`: when they signed in, in seconds since 1970.
    pub authenticated_at_s: u64,
    /// `acr`: how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<Box<str>>,
}

impl User {
    /// A user who signed in at this time, in seconds since 1970.
    pub fn new(subject: &str, authenticated_at_s: u64) -> Self {
        Self { subject: subject.into(), authenticated_at_s, acr: None }
    }
}

/// A client that registered itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DynamicClient {
    pub(super) v: u8,
    pub(super) description: ClientDescription,
    pub(super) created_at: u64,
    pub(super) until: u64,
}

/// Something that was fetched: a client's document, a key set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) v: u8,
    pub(super) fetched_at: u64,
    pub(super) until: u64,
    pub(super) body: Box<str>,
}

/// A user who was asked, and has not answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Interaction {
    pub(super) v: u8,
    pub(super) secret: Box<str>,
    pub(super) client: Box<str>,
    pub(super) scope: ScopeSet,
    pub(super) resources: Vec<Box<str>>,
    pub(super) created_at: u64,
    pub(super) until: u64,
    pub(super) login_hint: Option<Box<str>>,
    pub(super) acr_values: Vec<Box<str>>,
    /// The user must have signed in at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signed_in_since: Option<u64>,
    pub(super) purpose: Purpose,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// The browser is waiting to go back.
    Authorize {
        redirect_uri: Box<str>,
        /// The parameters, in form encoding.
        parameters: Box<str>,
    },
    /// A device is waiting (RFC 8628).
    Device { id: Box<str> },
}

/// A device that waits for its user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Device {
    pub(super) v: u8,
    pub(super) secret: Box<str>,
    pub(super) client: Box<str>,
    pub(super) scope: ScopeSet,
    pub(super) resources: Vec<Box<str>>,
    pub(super) until: u64,
    /// When it may ask again.
    pub(super) next_at: u64,
    pub(super) interval: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<DeviceAnswer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DeviceAnswer {
    Allowed { user: User, scope: ScopeSet },
    Denied,
}

/// By which code the user finds a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UserCode {
    pub(super) v: u8,
    pub(super) device: Box<str>,
    pub(super) until: u64,
}

/// How often a user typed in a code that was none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attempts {
    pub(super) v: u8,
    pub(super) count: u32,
    pub(super) until: u64,
}

/// A pushed authorization request (RFC 9126).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PushedRequest {
    pub(super) v: u8,
    pub(super) secret: Box<str>,
    pub(super) client: Box<str>,
    pub(super) parameters: Box<str>,
    pub(super) until: u64,
}

/// What a user granted and consented to: written before any grant, so that none is without its entry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct UserGrants {
    pub(super) v: u8,
    pub(super) grants: Vec<GrantEntry>,
    pub(super) consents: Vec<Consent>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GrantEntry {
    pub(super) id: Box<str>,
    pub(super) client: Box<str>,
    pub(super) client_name: Option<Box<str>>,
    pub(super) scope: ScopeSet,
    pub(super) resources: Vec<Box<str>>,
    pub(super) created_at: u64,
    pub(super) ends_at: u64,
    /// Until when its code can be exchanged; `None` once it was. Of those there can be more than a user has asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code_until: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Consent {
    pub(super) client: Box<str>,
    pub(super) resources: Vec<Box<str>>,
    pub(super) scope: ScopeSet,
}
