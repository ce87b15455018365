//! Google: its Workspace MCP servers name an issuer with a slash that Google's metadata does not have, clients are
//! registered by hand, and refresh tokens come for `access_type=offline`.

use grantor::Quirks;
use grantor::client::Config;
use grantor::error::{Error, PeerMisbehaved};
use serde_json::json;

use super::{Log, Site, by_hand, config, tokens};

const MCP: &str = "https://gmailmcp.googleapis.com/mcp/v1";
const ISSUER: &str = "https://accounts.google.com";
const TOKEN: &str = "POST https://oauth2.googleapis.com/token";

fn site() -> Site {
    let answer = |access: &str| {
        json!({ "access_token": access, "expires_in": 3599, "token_type": "Bearer",
            "scope": "https://www.googleapis.com/auth/gmail.readonly" })
    };
    let mut first = answer("planted-ya29-1");
    first["refresh_token"] = json!("planted-refresh-1");
    Site::new(MCP, &["planted-ya29-1", "planted-ya29-2"])
        .document(
            "https://gmailmcp.googleapis.com/.well-known/oauth-protected-resource/mcp/v1",
            json!({ "resource": MCP, "authorization_servers": ["https://accounts.google.com/"],
                "scopes_supported": ["https://www.googleapis.com/auth/gmail.readonly"] }),
        )
        .document(
            "https://accounts.google.com/.well-known/openid-configuration",
            json!({ "issuer": ISSUER,
                "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
                "device_authorization_endpoint": "https://oauth2.googleapis.com/device/code",
                "token_endpoint": "https://oauth2.googleapis.com/token",
                "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
                "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
                "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
                "response_types_supported": ["code", "token", "id_token", "code token", "none"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "claims_supported": ["aud", "email", "exp", "iss", "sub"],
                "code_challenge_methods_supported": ["plain", "S256"],
                "grant_types_supported": ["authorization_code", "refresh_token",
                    "urn:ietf:params:oauth:grant-type:device_code",
                    "urn:ietf:params:oauth:grant-type:jwt-bearer"] }),
        )
        .page("https://accounts.google.com/o/oauth2/v2/auth", &[("iss", ISSUER), ("prompt", "consent")])
        .on(TOKEN, tokens(first, answer("planted-ya29-2")))
}

fn documented() -> Config {
    let config = config(MCP).quirks(Quirks::google()).preregistered(by_hand(ISSUER));
    let config = config.authorization_parameter("access_type", "offline").unwrap();
    config.authorization_parameter("prompt", "consent").unwrap()
}

fn check(log: &Log) {
    let page = log.one("GET https://accounts.google.com/o/oauth2/v2/auth");
    assert_eq!(page.get("access_type"), "offline");
    assert_eq!(page.get("prompt"), "consent");
    assert_eq!(page.get("scope"), "https://www.googleapis.com/auth/gmail.readonly");
    assert_eq!(page.get("client_id"), "app-1");
    let tokens = log.of(TOKEN);
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        assert!(token.authorization.is_some() || token.get("client_secret") == "planted-secret");
        assert_eq!(token.get("access_type"), "", "a parameter of authorization requests");
    }
}

#[test]
fn google_workspace() {
    check(&site().play(documented(), 3599));
}

#[test]
fn google_issuer_with_a_slash_needs_the_preset() {
    let plain = config(MCP).preregistered(by_hand(ISSUER));
    let error = site().fails(plain, documented());
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. })), "{error:?}");
}
