//! An authorization server: users in a file, records in `SQLite`, pages without script.

pub mod state;
mod users;

use std::error::Error;
use std::path::Path;

use axum::Router;
use grantor::server::{ProtectedResource, Provider, ProviderConfig, RegisteredClient, Registration};
use grantor::{ScopeError, ScopeSet};
use grantor_sqlite::SqliteStore;
use grantor_tower::provider::Provided;
use grantor_tower::store::Store;
use grantor_tower::{ProviderLayer, Reqwest, Users};

pub use users::{UserFile, UserFileError, add_user};

/// The scopes of the resource, which are those of `examples/protected_server`, and what users are told about each.
pub const SCOPES: [(&str, &str); 8] = [
    ("notes:use", "Connect, and see which tools there are"),
    ("notes:read", "Read your notes"),
    ("notes:write", "Write and change your notes"),
    ("notes:delete", "Throw your notes away"),
    ("notes:share", "Show your notes to members of your team"),
    ("notes:publish", "Show your notes to anybody"),
    ("notes:private", "Read your private notes"),
    ("notes:admin", "Everything that you may do yourself"),
];

/// A configuration for one protected resource, whose clients register themselves or are known by their documents.
///
/// # Errors
/// When the key or the secret cannot be read or made.
pub fn config(issuer: &str, resource: &str, directory: &Path) -> Result<ProviderConfig, Box<dyn Error>> {
    let config = ProviderConfig::new(issuer, &state::secret(&directory.join("secret"))?)
        .key(state::key(&directory.join("key.jwk"))?)
        .resource(protected(resource)?)
        .registration(Registration::open());
    Ok(config)
}

fn protected(resource: &str) -> Result<ProtectedResource, ScopeError> {
    let mut protected =
        ProtectedResource::new(resource).name("Notes").default_scopes(ScopeSet::parse("notes:use")?);
    for (token, description) in SCOPES {
        protected = protected.scope(token, description)?;
    }
    Ok(protected)
}

/// A client that the command line names.
pub fn client(id: &str, secret: Option<&str>, redirect_uris: &[String]) -> RegisteredClient {
    let client = match secret {
        Some(secret) => RegisteredClient::with_secret(id, secret),
        None => RegisteredClient::public(id),
    };
    redirect_uris.iter().fold(client, |client, uri| client.redirect_uri(uri))
}

/// The server as an axum application.
///
/// # Errors
/// When the configuration cannot work.
pub fn app(config: ProviderConfig, store: impl Store, users: impl Users) -> Result<Router, Box<dyn Error>> {
    let provided = Provided::new(Reqwest::new()?, Provider::new(config)?, store);
    Ok(Router::new().layer(ProviderLayer::new(provided, users)))
}

/// The store of this directory.
///
/// # Errors
/// When the database cannot be opened.
pub fn store(directory: &Path) -> Result<SqliteStore, Box<dyn Error>> {
    Ok(SqliteStore::open(directory.join("records.sqlite"))?)
}
