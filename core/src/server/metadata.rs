//! What the server can do, as clients read it (RFC 8414 2, `OpenID` Connect Discovery 3).

use serde_json::{Value, json};

use super::config::{AssertionIssuer, ProviderConfig};
use super::endpoints::Endpoints;
use crate::jose::Algorithm;
use crate::wire::client_auth::ClientAuthMethod;

/// The methods of authentication at the token endpoint.
pub(super) const METHODS: [ClientAuthMethod; 4] = [
    ClientAuthMethod::None,
    ClientAuthMethod::SecretBasic,
    ClientAuthMethod::SecretPost,
    ClientAuthMethod::PrivateKeyJwt,
];

/// The algorithms of what others sign.
pub(super) const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256];

/// The grants that a client can have here.
pub(super) fn grants(config: &ProviderConfig) -> Vec<&'static str> {
    let mut grants = vec![
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
    ];
    if !config.trusted_issuers.is_empty() {
        grants.push("urn:ietf:params:oauth:grant-type:jwt-bearer");
    }
    if config.clients.iter().any(|client| !client.downstream.is_empty()) {
        grants.push("urn:ietf:params:oauth:grant-type:token-exchange");
    }
    grants
}

pub(super) fn document(config: &ProviderConfig, endpoints: &Endpoints) -> String {
    let methods = METHODS.map(ClientAuthMethod::name);
    let confidential: Vec<&str> = methods.iter().copied().filter(|method| *method != "none").collect();
    let algorithms: Vec<&str> = ALGORITHMS.iter().map(|algorithm| algorithm.name()).collect();
    let mut scopes: Vec<&str> = vec!["openid", "offline_access"];
    for (token, _) in config.resources.iter().flat_map(|resource| &resource.scopes) {
        if !scopes.contains(&&**token) {
            scopes.push(token);
        }
    }
    let mut signing: Vec<&str> = config.keys.iter().map(|key| key.algorithm.name()).collect();
    signing.dedup();
    let mut document = json!({
        "issuer": config.issuer,
        "authorization_endpoint": endpoints.authorization,
        "token_endpoint": endpoints.token,
        "jwks_uri": endpoints.jwks,
        "revocation_endpoint": endpoints.revocation,
        "introspection_endpoint": endpoints.introspection,
        "pushed_authorization_request_endpoint": endpoints.pushed_authorization_request,
        "device_authorization_endpoint": endpoints.device_authorization,
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": grants(config),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": algorithms,
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": config.client_documents,
        "require_pushed_authorization_requests": config.pushed_requests_required,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": signing,
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "at_hash"],
        "protected_resources": config.resources.iter().map(|resource| &resource.uri).collect::<Vec<_>>(),
    });
    let mut set = |name: &str, value: Value| {
        if let Some(members) = document.as_object_mut() {
            members.insert(name.into(), value);
        }
    };
    if config.registration.is_some() {
        set("registration_endpoint", json!(endpoints.registration));
    }
    let has_identity_provider =
        config.trusted_issuers.iter().any(|issuer| issuer.kind == AssertionIssuer::IdentityProvider);
    if has_identity_provider {
        set("authorization_grant_profiles_supported", json!(["urn:ietf:params:oauth:grant-profile:id-jag"]));
    }
    document.to_string()
}
