//! What the endpoints have to do with: the configuration, and the world by its effects.

use std::sync::Arc;

use url::Url;

use super::answer::Answer;
use super::config::{ProviderConfig, ProviderConfigError};
use super::credential::Secrets;
use super::endpoints::Endpoints;
use super::exchange::Io;
use super::keys::{self, Signing};
use super::metadata;
use super::wire::OAuthError;
use crate::effect::{RecordKind, StoreKey};

/// What all exchanges share.
pub(super) struct Shared {
    pub(super) config: ProviderConfig,
    pub(super) issuer_url: Url,
    pub(super) issuer: Arc<str>,
    pub(super) endpoints: Endpoints,
    pub(super) secrets: Secrets,
    pub(super) signing: Signing,
    pub(super) metadata: String,
    pub(super) jwks: String,
}

/// What one exchange has.
#[derive(Clone)]
pub(super) struct Cx {
    pub(super) provider: Arc<Shared>,
    pub(super) io: Io,
}

impl Shared {
    pub(super) fn new(config: ProviderConfig) -> Result<Self, ProviderConfigError> {
        let issuer_url = config.check()?;
        let endpoints = Endpoints::of(&issuer_url);
        Ok(Self {
            issuer: (&*config.issuer).into(),
            secrets: Secrets::new(config.secrets.iter().map(|secret| secret.expose().as_bytes())),
            signing: Signing::new(&config.keys),
            metadata: metadata::document(&config, &endpoints),
            jwks: keys::document(&config.keys),
            endpoints,
            issuer_url,
            config,
        })
    }
}

impl Cx {
    /// The answer to a request that is refused.
    pub(super) fn refuse(&self, error: &OAuthError) -> Answer {
        error.answer(self.provider.config.error_uri.as_deref())
    }

    /// The key of a record.
    pub(super) fn key(&self, kind: RecordKind, name: &str) -> StoreKey {
        StoreKey {
            kind,
            resource: Arc::clone(&self.provider.issuer),
            account: name.into(),
            issuer: None,
            quarantine: None,
        }
    }
}
