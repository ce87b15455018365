//! What a client says about itself, as a server reads it: in a registration request (RFC 7591 2) or in its Client ID
//! Metadata Document (draft-ietf-oauth-client-id-metadata-document 4.1).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::error::{ErrorCode, OAuthError};
use super::redirect_uri::redirect_kind;
use crate::error::PeerText;
use crate::jose::KeySet;
use crate::limits;
use crate::scope::ScopeSet;
use crate::wire::client_auth::ClientAuthMethod;

/// What a server accepts in descriptions.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MetadataRules<'a> {
    /// The methods of authentication, the preferred one first.
    pub methods: &'a [ClientAuthMethod],
    /// The grants, by `grant_type`.
    pub grants: &'a [&'a str],
    /// Private schemes of redirect URIs, beside those with a dot in them.
    pub redirect_schemes: &'a [Box<str>],
}

impl<'a> MetadataRules<'a> {
    /// These methods of authentication and grants, and no private scheme without a dot.
    pub const fn new(methods: &'a [ClientAuthMethod], grants: &'a [&'a str]) -> Self {
        Self { methods, grants, redirect_schemes: &[] }
    }
}

/// A client's description of itself. Nobody has checked that it is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientDescription {
    /// `client_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<Box<str>>,
    /// `client_uri`: its home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<Url>,
    /// `logo_uri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<Url>,
    /// `policy_uri`: its privacy policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<Url>,
    /// `tos_uri`: its terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<Url>,
    /// `redirect_uris`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<Box<str>>,
    /// `grant_types`, those of them that the server has.
    pub grant_types: Vec<Box<str>>,
    /// How it may authenticate.
    pub methods: Vec<ClientAuthMethod>,
    /// `scope`; empty for any.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    /// `jwks`, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Box<str>>,
    /// `jwks_uri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<Url>,
    /// `dpop_bound_access_tokens`: it promises to bind its tokens to a key (RFC 9449 5.2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dpop_bound: bool,
}

const fn bad(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, description)
}

impl ClientDescription {
    /// Reads a JSON object. Members that nobody needs break nothing, and values that the server does not have are
    /// left out; a client learns from the answer what it got (RFC 7591 3.2.1).
    ///
    /// # Errors
    /// `invalid_client_metadata` and `invalid_redirect_uri`.
    pub fn read(json: &[u8], rules: &MetadataRules<'_>) -> Result<Self, OAuthError> {
        let Ok(Value::Object(members)) = serde_json::from_slice(json) else {
            return Err(bad("the client metadata is no JSON object"));
        };
        let members = Members(members);
        let mut grant_types =
            members.texts("grant_types")?.unwrap_or_else(|| vec!["authorization_code".into()]);
        grant_types.retain(|grant| rules.grants.contains(&&**grant));
        if grant_types.is_empty() {
            return Err(bad("this server has none of the grant_types"));
        }
        let redirect_uris = members.texts("redirect_uris")?.unwrap_or_default();
        let invalid = |description| Err(OAuthError::new(ErrorCode::InvalidRedirectUri, description));
        if redirect_uris.len() > limits::REDIRECT_URIS {
            return invalid("there are too many redirect_uris");
        }
        let schemes = || rules.redirect_schemes.iter().map(|scheme| &**scheme);
        if redirect_uris.iter().any(|uri| redirect_kind(uri, schemes()).is_none()) {
            return invalid(
                "a redirect_uri is not https, http to a loopback address, or a private scheme with a dot",
            );
        }
        if redirect_uris.is_empty() && grant_types.iter().any(|grant| &**grant == "authorization_code") {
            return invalid("the redirect_uris are missing");
        }
        let jwks = members.keys()?;
        let jwks_uri = members.uri("jwks_uri");
        if jwks.is_some() && jwks_uri.is_some() {
            return Err(bad("jwks and jwks_uri stand in for each other (RFC 7591 section 2)"));
        }
        let methods = members.methods(rules, jwks.is_some() || jwks_uri.is_some())?;
        let scope = members.text("scope")?.map_or(Ok(ScopeSet::new()), ScopeSet::parse);
        Ok(Self {
            client_name: members.text("client_name")?.map(|name| PeerText::new(name).as_str().into()),
            client_uri: members.uri("client_uri"),
            logo_uri: members.uri("logo_uri"),
            policy_uri: members.uri("policy_uri"),
            tos_uri: members.uri("tos_uri"),
            redirect_uris,
            grant_types,
            methods,
            scope: scope.map_err(|_| bad("the scope is malformed"))?,
            jwks,
            jwks_uri,
            dpop_bound: members.0.get("dpop_bound_access_tokens") == Some(&Value::Bool(true)),
        })
    }

    /// Whether it may use a grant.
    pub fn allows_grant(&self, grant: &str) -> bool {
        self.grant_types.iter().any(|own| **own == *grant)
    }

    /// Whether it has no way to prove that it is itself.
    pub fn is_public(&self) -> bool {
        self.methods.iter().all(|method| *method == ClientAuthMethod::None)
    }
}

struct Members(Map<String, Value>);

impl Members {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &'static str) -> Result<Option<&str>, OAuthError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value.as_str().filter(|text| text.len() <= limits::STRING * 4);
        text.map(Some).ok_or(bad("client_name, scope or token_endpoint_auth_method is no text, or too long"))
    }

    fn texts(&self, name: &'static str) -> Result<Option<Vec<Box<str>>>, OAuthError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wrong = bad("redirect_uris, grant_types or another list is no list of texts");
        let list = value.as_array().filter(|list| list.len() <= limits::LIST).ok_or(wrong)?;
        list.iter().map(|text| text.as_str().map(Into::into).ok_or(wrong)).collect::<Result<_, _>>().map(Some)
    }

    /// What is no https URL is left out: pages link to it.
    fn uri(&self, name: &str) -> Option<Url> {
        let url = Url::parse(self.get(name)?.as_str().filter(|text| text.len() <= limits::URL)?).ok()?;
        (url.scheme() == "https" && url.username().is_empty() && url.password().is_none()).then_some(url)
    }

    fn keys(&self) -> Result<Option<Box<str>>, OAuthError> {
        let Some(jwks) = self.get("jwks") else { return Ok(None) };
        let text = jwks.to_string();
        if text.len() > limits::CLIENT_DOCUMENT {
            return Err(bad("the jwks is too large"));
        }
        match KeySet::parse(text.as_bytes()) {
            Ok(keys) if !keys.keys().is_empty() => Ok(Some(text.into())),
            _ => Err(bad("the jwks holds no public key that can be used here")),
        }
    }

    /// The methods that both sides have; a document may name several.
    fn methods(
        &self,
        rules: &MetadataRules<'_>,
        has_keys: bool,
    ) -> Result<Vec<ClientAuthMethod>, OAuthError> {
        let several = self.texts("token_endpoint_auth_methods_supported")?;
        let one = self.text("token_endpoint_auth_method")?;
        let named: Vec<&str> = match (&several, one) {
            (Some(several), one) => one.into_iter().chain(several.iter().map(|name| &**name)).collect(),
            (None, Some(one)) => vec![one],
            // RFC 7591 2 says client_secret_basic; a document can keep no secret.
            (None, None) => vec![rules.methods.first().map_or("none", |method| method.name())],
        };
        let offered = named.iter().filter_map(|name| ClientAuthMethod::from_name(name));
        let usable = |method: &ClientAuthMethod| {
            rules.methods.contains(method) && (has_keys || *method != ClientAuthMethod::PrivateKeyJwt)
        };
        let mut methods: Vec<ClientAuthMethod> = Vec::new();
        for method in offered.filter(usable) {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        if methods.is_empty() {
            Err(bad("this server has none of the client's authentication methods"))
        } else {
            Ok(methods)
        }
    }
}
