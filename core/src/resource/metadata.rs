//! The metadata of the resource (RFC 9728), made once.

use serde_json::{Map, Value, json};
use url::Url;

use super::config::{GuardConfig, GuardConfigError};
use super::policy::without_offline_access;
use crate::jose::{Algorithm, Unsigned};
use crate::wire::well_known;

/// Where the document is: between host and path (RFC 9728 3.1).
pub(super) fn url(resource: &Url) -> Url {
    let path = if resource.path() == "/" { "" } else { resource.path() };
    well_known::inserted(resource, "oauth-protected-resource", path)
}

/// Where else it is, by configuration.
pub(super) fn other_url(config: &GuardConfig, resource: &Url) -> Result<Option<Url>, GuardConfigError> {
    let Some(text) = &config.metadata_url else { return Ok(None) };
    let url = Url::parse(text).ok().filter(|url| config.urls.check_shape(url).is_ok());
    // A header must be able to carry it, and a request to name it.
    let fits = |url: &Url| {
        url.origin() == resource.origin() && url.query().is_none() && url.path() != resource.path()
    };
    url.filter(fits).map(Some).ok_or_else(|| GuardConfigError::MetadataUrl(text.clone()))
}

/// The document (RFC 9728 2, 3.2).
pub(super) fn document(config: &GuardConfig) -> Result<Vec<u8>, GuardConfigError> {
    let mut members = config.metadata.clone();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    let mut servers: Vec<&str> = Vec::new();
    for server in config.servers.iter().filter(|server| server.advertised) {
        if !servers.contains(&&*server.issuer) {
            servers.push(&server.issuer);
        }
    }
    let scopes =
        config.scopes_supported.as_ref().map_or_else(|| config.policy.minimal(), without_offline_access);
    set("resource", json!(config.resource));
    set("authorization_servers", json!(servers));
    if !scopes.is_empty() {
        set("scopes_supported", json!(scopes));
    }
    set("bearer_methods_supported", json!(["header"]));
    if let Some(name) = &config.name {
        set("resource_name", json!(name));
    }
    set("dpop_signing_alg_values_supported", json!(dpop_algorithms(config)));
    if config.dpop.required {
        set("dpop_bound_access_tokens_required", json!(true));
    }
    if let Some((issuer, key)) = &config.sign_metadata {
        let signed = sign(&members, issuer, key)?;
        members.insert("signed_metadata".to_owned(), json!(signed));
    }
    // Strings and lists: serializing them cannot fail.
    Ok(serde_json::to_vec(&members).unwrap_or_default())
}

pub(super) fn dpop_algorithms(config: &GuardConfig) -> Vec<&'static str> {
    let known = &config.dpop.algorithms;
    let all = if known.is_empty() { &Algorithm::ALL[..] } else { known };
    all.iter().map(|algorithm| algorithm.name()).collect()
}

/// RFC 9728 2.2: the members as claims, and `iss`.
fn sign(
    members: &Map<String, Value>,
    issuer: &str,
    key: &crate::jose::SigningKey,
) -> Result<String, GuardConfigError> {
    let mut claims = members.clone();
    claims.insert("iss".to_owned(), json!(issuer));
    let algorithm = key.algorithm().name();
    let header = match key.public().kid() {
        Some(kid) => json!({ "alg": algorithm, "kid": kid }),
        None => json!({ "alg": algorithm }),
    };
    let unsigned = Unsigned::new(key.algorithm(), &header, &claims);
    let signed = unsigned.sign(key)?;
    Ok(signed.expose().to_owned())
}
