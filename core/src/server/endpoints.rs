//! Where the endpoints are.

use url::Url;

/// The URLs of the endpoints: below the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// `authorization_endpoint`.
    pub authorization: String,
    /// `token_endpoint`.
    pub token: String,
    /// `registration_endpoint`.
    pub registration: String,
    /// `revocation_endpoint`.
    pub revocation: String,
    /// `introspection_endpoint`.
    pub introspection: String,
    /// `pushed_authorization_request_endpoint`.
    pub pushed_authorization_request: String,
    /// `device_authorization_endpoint`.
    pub device_authorization: String,
    /// `jwks_uri`.
    pub jwks: String,
    /// The page on which users type in the codes of devices, which is the host's.
    pub device_page: String,
    /// The path of the issuer, without a slash at its end.
    path: String,
}

/// Which endpoint a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Authorization,
    DeviceAuthorization,
    Introspection,
    Jwks,
    Metadata,
    PushedAuthorizationRequest,
    Registration,
    Revocation,
    Token,
}

impl Endpoints {
    pub(super) fn of(issuer: &Url) -> Self {
        let base = issuer.as_str().trim_end_matches('/');
        let at = |name: &str| format!("{base}/{name}");
        Self {
            authorization: at("authorize"),
            token: at("token"),
            registration: at("register"),
            revocation: at("revoke"),
            introspection: at("introspect"),
            pushed_authorization_request: at("par"),
            device_authorization: at("device_authorization"),
            jwks: at("jwks"),
            device_page: at("device"),
            path: issuer.path().trim_end_matches('/').into(),
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn find(&self, path: &str) -> Option<Endpoint> {
        // RFC 8414 3.1 puts the well-known part first, OpenID Connect Discovery 4 last.
        let is_metadata = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
            .iter()
            .any(|known| path.strip_prefix(known) == Some(&self.path));
        let own = path.strip_prefix(&*self.path);
        if is_metadata || own == Some("/.well-known/openid-configuration") {
            return Some(Endpoint::Metadata);
        }
        Some(match own? {
            "/authorize" => Endpoint::Authorization,
            "/token" => Endpoint::Token,
            "/register" => Endpoint::Registration,
            "/revoke" => Endpoint::Revocation,
            "/introspect" => Endpoint::Introspection,
            "/par" => Endpoint::PushedAuthorizationRequest,
            "/device_authorization" => Endpoint::DeviceAuthorization,
            "/jwks" => Endpoint::Jwks,
            _ => return None,
        })
    }
}
