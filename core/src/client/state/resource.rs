//! What discovery has found.

use std::sync::Arc;

use crate::error::PeerIncompatible;
use crate::scope::ScopeSet;
use crate::wire::server_metadata::{Issuer, ServerMetadata};

/// What discovery found about the resource.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// The identifier, as its metadata writes it.
    pub(crate) identifier: Box<str>,
    pub(crate) scopes_supported: Option<ScopeSet>,
    pub(crate) authorization_servers: Vec<Issuer>,
}

/// What was discovered for the grant in use; a step-up asks nobody again.
#[derive(Debug)]
pub(crate) struct Discovered {
    pub(crate) resource: Arc<Resource>,
    pub(crate) server: Arc<ServerMetadata>,
    /// The enterprise's identity provider.
    pub(crate) provider: Option<Box<ServerMetadata>>,
}

pub(crate) fn no_server_metadata(issuer: &Issuer) -> PeerIncompatible {
    PeerIncompatible::NoServerMetadata { issuer: issuer.into() }
}
