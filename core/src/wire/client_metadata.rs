//! Client metadata (RFC 7591 2), and the Client ID Metadata Document that hosts it
//! (draft-ietf-oauth-client-id-metadata-document).

use serde::{Deserialize, Serialize};
use url::Url;

use crate::address;
use crate::scope::ScopeSet;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::token::GrantType;

/// What a client says about itself when it registers or is looked up.
///
/// Everything is optional; a name is what users see when they are asked for consent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientMetadata {
    /// The name that users are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<Box<str>>,
    /// The client's home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<Url>,
    /// Its logo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<Url>,
    /// Its terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<Url>,
    /// Its privacy policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<Url>,
    /// Whom to write to.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub contacts: Vec<Box<str>>,
    /// The same for all instances and versions of the software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<Box<str>>,
    /// The version of the software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<Box<str>>,
    /// The kind of application; by itself what the redirect URI suggests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// The types of rich authorization requests that the client makes (RFC 9396 10); by itself those of
    /// [`Config::authorization_details`](crate::client::Config::authorization_details).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub authorization_details_types: Vec<Box<str>>,
}

/// The kind of application (`OpenID` Connect Dynamic Client Registration 2). Servers hold redirect URIs
/// against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ApplicationType {
    /// On the user's machine: redirects to loopback or to a scheme of its own.
    Native,
    /// On a server: redirects to https.
    Web,
}

impl ApplicationType {
    /// What a redirect URI suggests (MCP "Application Type and Redirect URI Constraints").
    pub fn of(redirect_uri: &str) -> Self {
        if redirect_uri.starts_with("http://") {
            return Self::Native;
        }
        match Url::parse(redirect_uri) {
            Ok(url) if url.scheme() == "https" && !address::is_loopback(&url) => Self::Web,
            _ => Self::Native,
        }
    }
}

impl ClientMetadata {
    /// Metadata with the name that users are shown.
    pub fn named(client_name: &str) -> Self {
        Self { client_name: Some(client_name.into()), ..Self::default() }
    }

    /// All that a server is told, for these redirect URIs.
    pub(crate) fn complete<'a>(
        &'a self,
        redirect_uris: &'a [&'a str],
        method: ClientAuthMethod,
        scope: &ScopeSet,
        grant: GrantType,
    ) -> Complete<'a> {
        let first = redirect_uris.first().copied().unwrap_or_default();
        let application_type = self.application_type.unwrap_or_else(|| ApplicationType::of(first));
        Complete {
            metadata: Self { application_type: Some(application_type), ..self.clone() },
            redirect_uris,
            // MCP "Refresh Tokens": who wants refresh tokens says so.
            grant_types: [grant.name(), GrantType::RefreshToken.name()],
            response_types: if grant == GrantType::AuthorizationCode { &["code"] } else { &[] },
            token_endpoint_auth_method: method,
            scope: (!scope.is_empty()).then(|| scope.to_string()),
        }
    }

    /// The Client ID Metadata Document to host at `client_id`, as JSON.
    ///
    /// # Errors
    /// [`DocumentError`] when the URL cannot be a `client_id`, or what the document must say is missing.
    ///
    /// ```
    /// use grantor::wire::client_metadata::ClientMetadata;
    /// let json = ClientMetadata::named("Example")
    ///     .document("https://app.example.com/client.json", &["http://127.0.0.1/callback"])?;
    /// assert!(json.contains(r#""client_id": "https://app.example.com/client.json""#));
    /// # Ok::<(), grantor::wire::client_metadata::DocumentError>(())
    /// ```
    pub fn document(&self, client_id: &str, redirect_uris: &[&str]) -> Result<String, DocumentError> {
        check_client_id(client_id)?;
        if self.client_name.is_none() {
            return Err(DocumentError::NoName);
        }
        if redirect_uris.is_empty() {
            return Err(DocumentError::NoRedirectUri);
        }
        if !redirect_uris.iter().all(|uri| is_redirect_uri(uri)) {
            return Err(DocumentError::RedirectUri);
        }
        let complete = self.complete(
            redirect_uris,
            ClientAuthMethod::None,
            &ScopeSet::new(),
            GrantType::AuthorizationCode,
        );
        let methods = [ClientAuthMethod::None];
        let document = Document { client_id, complete, token_endpoint_auth_methods_supported: &methods };
        serde_json::to_string_pretty(&document).map_err(|_| DocumentError::ClientId)
    }
}

#[derive(Serialize)]
pub(crate) struct Complete<'a> {
    #[serde(flatten)]
    metadata: ClientMetadata,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    redirect_uris: &'a [&'a str],
    grant_types: [&'static str; 2],
    response_types: &'static [&'static str],
    token_endpoint_auth_method: ClientAuthMethod,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    client_id: &'a str,
    #[serde(flatten)]
    complete: Complete<'a>,
    /// One document is read by servers of all kinds: it lists what the client can do (MCP SEP-3149, `OpenID`
    /// Connect Relying Party Metadata Choices). `token_endpoint_auth_method` stays for those that know only that.
    token_endpoint_auth_methods_supported: &'a [ClientAuthMethod],
}

/// Why there can be no such Client ID Metadata Document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The URL is not https, has no path, or has dot segments, a fragment or user info
    /// (draft-ietf-oauth-client-id-metadata-document 3).
    #[error("a client_id URL is https, with a path, without dot segments, fragment and user info")]
    ClientId,
    /// MCP demands `client_name`.
    #[error("a client ID metadata document needs client_name")]
    NoName,
    /// MCP demands `redirect_uris`.
    #[error("a client ID metadata document needs redirect_uris")]
    NoRedirectUri,
    /// A redirect URI is neither https, nor loopback, nor of an application's own scheme, or it has a
    /// fragment (RFC 6749 3.1.2).
    #[error("not a redirect URI")]
    RedirectUri,
}

/// Checks a URL that is to be a `client_id`, as it is written: a parser would hide dot segments.
pub(crate) fn check_client_id(client_id: &str) -> Result<(), DocumentError> {
    let url = Url::parse(client_id).map_err(|_| DocumentError::ClientId)?;
    let rest = client_id.strip_prefix("https://").ok_or(DocumentError::ClientId)?;
    let path = rest.split(['?', '#']).next().unwrap_or_default().split_once('/').map(|(_, path)| path);
    let plain = path.is_some_and(|path| {
        !path.is_empty()
            && path.split('/').all(|segment| {
                !matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
            })
    });
    if plain && url.fragment().is_none() && url.username().is_empty() && url.password().is_none() {
        Ok(())
    } else {
        Err(DocumentError::ClientId)
    }
}

/// Whether a text can be a redirect URI: absolute, without user info and fragment; https, http to loopback (MCP
/// "Communication Security"), or a private-use scheme, which is a domain name of the application's in reverse
/// order (RFC 8252 7.1) and so neither one that browsers run nor another application's.
pub(crate) fn is_redirect_uri(text: &str) -> bool {
    let is_visible = |byte: u8| byte.is_ascii_graphic();
    let Ok(url) = Url::parse(text) else { return false };
    let has_user = !url.username().is_empty() || url.password().is_some();
    if url.fragment().is_some()
        || has_user
        || text.len() > crate::limits::URL
        || !text.bytes().all(is_visible)
    {
        return false;
    }
    match url.scheme() {
        "https" => url.has_host(),
        "http" => address::is_loopback(&url),
        scheme => scheme.contains('.') && scheme.split('.').all(|label| !label.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cimd_3_client_id_urls() {
        for good in ["https://a/b", "https://a.example.com:8443/x/client.json?v=1"] {
            assert_eq!(check_client_id(good), Ok(()), "{good}");
        }
        for bad in [
            "http://a/b",
            "https://a",
            "https://a/",
            "https://a/b#c",
            "https://u@a/b",
            "https://u:p@a/b",
            "https://a/./b",
            "https://a/../b",
            "https://a/%2e%2E/b",
            "https://a?x/y",
            "a/b",
            "",
        ] {
            assert_eq!(check_client_id(bad), Err(DocumentError::ClientId), "{bad}");
        }
    }

    #[test]
    fn mcp_cimd_document_and_sep_3149_methods() {
        let metadata = ClientMetadata {
            client_uri: Some(Url::parse("https://app.example.com").unwrap()),
            ..ClientMetadata::named("Example MCP Client")
        };
        let json = metadata
            .document(
                "https://app.example.com/client.json",
                &["http://127.0.0.1:3000/callback", "http://localhost:3000/callback"],
            )
            .unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "client_id": "https://app.example.com/client.json",
                "client_name": "Example MCP Client",
                "client_uri": "https://app.example.com/",
                "redirect_uris": ["http://127.0.0.1:3000/callback", "http://localhost:3000/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "token_endpoint_auth_methods_supported": ["none"],
                "application_type": "native",
            })
        );
        let document = |metadata: ClientMetadata, uris: &[&str]| metadata.document("https://a/b", uris);
        assert_eq!(document(ClientMetadata::default(), &["https://a/cb"]), Err(DocumentError::NoName));
        assert_eq!(document(ClientMetadata::named("x"), &[]), Err(DocumentError::NoRedirectUri));
        assert_eq!(document(ClientMetadata::named("x"), &["http://a/cb"]), Err(DocumentError::RedirectUri));
    }

    #[test]
    fn sep_837_application_type() {
        for (uri, kind) in [
            ("http://localhost:3000/callback", ApplicationType::Native),
            ("http://127.0.0.1/callback", ApplicationType::Native),
            ("http://[::1]:1/callback", ApplicationType::Native),
            ("com.example.app:/callback", ApplicationType::Native),
            ("https://app.example.com/callback", ApplicationType::Web),
        ] {
            assert_eq!(ApplicationType::of(uri), kind, "{uri}");
        }
    }

    #[test]
    fn rfc8252_7_redirect_uris() {
        for good in [
            "https://a/cb",
            "https://a:8443/cb?x=y",
            "http://127.0.0.1:1/cb",
            "http://[::1]:1/cb",
            "http://localhost/cb",
            "com.example.app:/cb",
            "com.example.app://cb",
            "app.example.com.x-y+z:/cb",
        ] {
            assert!(is_redirect_uri(good), "{good}");
        }
        for bad in [
            "http://a/cb",
            "http://127.0.0.1.example.com/cb",
            "http://u@127.0.0.1/cb",
            "https://u:p@a/cb",
            "https://a/c b",
            "https://a/cb\n",
            " https://a/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a/#x",
            "/cb",
            "file:///x",
            "myapp://cb",
            "myapp:/cb",
            "calculator:1",
            "ms-settings:privacy",
            "mailto:a@b.c",
            "urn:ietf:wg:oauth:2.0:oob",
            "com..example:/cb",
            "com.:/cb",
        ] {
            assert!(!is_redirect_uri(bad), "{bad}");
        }
    }
}
