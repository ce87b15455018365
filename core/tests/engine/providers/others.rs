//! Providers that need little or nothing: Auth0, Okta, Cognito, Keycloak, Supabase, Notion, Atlassian.

use grantor::Quirks;
use grantor::client::Config;
use grantor::error::{Error, PeerIncompatible, PeerMisbehaved, Refused};
use grantor::wire::client_auth::ClientAuthMethod;
use grantor_world::json as respond;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Seen, Site, by_hand, config, tokens};

const MCP: &str = "https://mcp.example.com/mcp";

/// An MCP server with the usual documents that names this issuer.
fn naming(issuer: &str, scopes: &[&str]) -> Site {
    Site::new(MCP, &["planted-access-1", "planted-access-2"])
        .challenge(
            "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"",
        )
        .document(
            "https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
            json!({ "resource": MCP, "authorization_servers": [issuer], "scopes_supported": scopes }),
        )
}

fn answer(number: u8, lifetime_s: u32) -> Value {
    json!({ "access_token": format!("planted-access-{number}"), "refresh_token": format!("planted-refresh-{number}"),
        "expires_in": lifetime_s, "token_type": "Bearer" })
}

fn usual(lifetime_s: u32) -> impl Fn(&Seen) -> grantor_world::Answered + Send + 'static {
    tokens(answer(1, lifetime_s), answer(2, lifetime_s))
}

// Auth0.

fn auth0() -> Site {
    naming("https://tenant.us.auth0.com", &["read:files"])
        .document(
            "https://tenant.us.auth0.com/.well-known/oauth-authorization-server",
            json!({ "issuer": "https://tenant.us.auth0.com/",
                "authorization_endpoint": "https://tenant.us.auth0.com/authorize",
                "token_endpoint": "https://tenant.us.auth0.com/oauth/token",
                "device_authorization_endpoint": "https://tenant.us.auth0.com/oauth/device/code",
                "registration_endpoint": "https://tenant.us.auth0.com/oidc/register",
                "revocation_endpoint": "https://tenant.us.auth0.com/oauth/revoke",
                "jwks_uri": "https://tenant.us.auth0.com/.well-known/jwks.json",
                "scopes_supported": ["openid", "profile", "offline_access", "email"],
                "response_types_supported": ["code", "token", "id_token", "code token"],
                "code_challenge_methods_supported": ["S256", "plain"],
                "token_endpoint_auth_methods_supported":
                    ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
                "request_parameter_supported": false, "dpop_signing_alg_values_supported": ["ES256"] }),
        )
        .on("POST https://tenant.us.auth0.com/oidc/register", |seen| {
            let asked = seen.json.clone().unwrap();
            assert_eq!(asked["token_endpoint_auth_method"], "none");
            respond(
                StatusCode::CREATED,
                &json!({ "client_id": "tpc_1", "client_name": asked["client_name"],
                    "redirect_uris": asked["redirect_uris"], "token_endpoint_auth_method": "none",
                    "client_secret_expires_at": 0 }),
            )
        })
        .page("https://tenant.us.auth0.com/authorize", &[("iss", "https://tenant.us.auth0.com/")])
        .on("POST https://tenant.us.auth0.com/oauth/token", usual(86_400))
}

#[test]
fn auth0_with_and_without_the_compatibility_profile() {
    // With the profile, `resource` says it all; `audience` does so without.
    let profile = config(MCP).quirks(Quirks::auth0());
    let audience = profile.clone().authorization_parameter("audience", MCP).unwrap();
    for (config, expected) in [(profile, ""), (audience, MCP)] {
        let log = auth0().play(config, 86_400);
        let page = log.one("GET https://tenant.us.auth0.com/authorize");
        assert_eq!((page.get("resource"), page.get("audience")), (MCP, expected));
        assert_eq!(page.get("scope"), "read:files offline_access");
    }
}

#[test]
fn auth0_audience_of_client_credentials() {
    let own = by_hand("https://tenant.us.auth0.com/").method(ClientAuthMethod::SecretPost);
    let config = config(MCP)
        .quirks(Quirks::auth0())
        .flow(grantor::client::Flow::ClientCredentials)
        .preregistered(own)
        .token_parameter("audience", MCP)
        .unwrap();
    let (mut player, log) = auth0().player(config);
    player.call("ping").delivered();
    let token = log.one("POST https://tenant.us.auth0.com/oauth/token");
    assert_eq!((token.get("grant_type"), token.get("audience")), ("client_credentials", MCP));
}

#[test]
fn auth0_slash_needs_the_preset() {
    let error = auth0().fails(config(MCP), config(MCP).quirks(Quirks::auth0()));
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. })), "{error:?}");
}

// Okta: the org's server, or one of its custom ones. Registration is advertised and takes the org's administrators
// only.

fn okta(issuer: &str, found_at: &str) -> Site {
    let base = if issuer.ends_with(".com") { format!("{issuer}/oauth2") } else { issuer.to_owned() };
    naming(issuer, &["mcp:use"])
        .document(
            found_at,
            json!({ "issuer": issuer,
                "authorization_endpoint": format!("{base}/v1/authorize"),
                "token_endpoint": format!("{base}/v1/token"),
                "registration_endpoint": "https://dev-1.okta.com/oauth2/v1/clients",
                "jwks_uri": format!("{base}/v1/keys"),
                "response_types_supported": ["code", "token", "id_token", "code id_token"],
                "response_modes_supported": ["query", "fragment", "form_post", "okta_post_message"],
                "grant_types_supported": ["authorization_code", "implicit", "refresh_token", "password",
                    "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba"],
                "scopes_supported": ["mcp:use", "openid", "profile", "email", "offline_access"],
                "token_endpoint_auth_methods_supported":
                    ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"],
                "code_challenge_methods_supported": ["S256"],
                "revocation_endpoint": format!("{base}/v1/revoke"),
                "pushed_authorization_request_endpoint": format!("{base}/v1/par"),
                "device_authorization_endpoint": format!("{base}/v1/device/authorize"),
                "dpop_signing_alg_values_supported": ["RS256", "ES256"] }),
        )
        .on("POST https://dev-1.okta.com/oauth2/v1/clients", |_| {
            respond(
                StatusCode::FORBIDDEN,
                &json!({ "errorCode": "E0000005", "errorSummary": "Invalid session", "errorLink": "E0000005",
                    "errorId": "oae1", "errorCauses": [] }),
            )
        })
        .page(&format!("{base}/v1/authorize"), &[])
        .on(&format!("POST {base}/v1/token"), usual(3600))
}

#[test]
fn okta_org_and_custom_servers() {
    for (issuer, found_at, token) in [
        (
            "https://dev-1.okta.com",
            "https://dev-1.okta.com/.well-known/oauth-authorization-server",
            "POST https://dev-1.okta.com/oauth2/v1/token",
        ),
        (
            "https://dev-1.okta.com/oauth2/default",
            "https://dev-1.okta.com/oauth2/default/.well-known/openid-configuration",
            "POST https://dev-1.okta.com/oauth2/default/v1/token",
        ),
        (
            "https://dev-1.okta.com/oauth2/aus1",
            "https://dev-1.okta.com/.well-known/oauth-authorization-server/oauth2/aus1",
            "POST https://dev-1.okta.com/oauth2/aus1/v1/token",
        ),
    ] {
        let log = okta(issuer, found_at).play(config(MCP).preregistered(by_hand(issuer)), 3600);
        assert_eq!(log.of(token).len(), 2);
        assert!(log.of("POST https://dev-1.okta.com/oauth2/v1/clients").is_empty());
        let page = log.all().into_iter().find(|seen| seen.what.ends_with("/authorize")).unwrap();
        assert_eq!(page.get("scope"), "mcp:use offline_access", "no refresh token without");
    }
}

#[test]
fn okta_without_a_client_says_what_to_do() {
    let issuer = "https://dev-1.okta.com/oauth2/default";
    let site = || okta(issuer, "https://dev-1.okta.com/oauth2/default/.well-known/openid-configuration");
    let error = site().fails(config(MCP), config(MCP).preregistered(by_hand(issuer)));
    assert!(matches!(error, Error::Refused(Refused::Registration { .. })), "{error:?}");
    let (mut player, _) = site().player(config(MCP));
    let report = player.call("ping").report();
    assert!(report.to_string().contains("Config::preregistered"), "{report}");
}

// Cognito: metadata of `OpenID` Connect alone, without PKCE and registration.

const POOL: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123";
const DOMAIN: &str = "https://example.auth.eu-west-1.amazoncognito.com";

fn cognito() -> Site {
    let mut renewed = answer(2, 3600);
    renewed.as_object_mut().unwrap().remove("refresh_token"); // unless rotation is switched on
    naming(POOL, &["https://mcp.example.com/mcp/read"])
        .document(
            &format!("{POOL}/.well-known/openid-configuration"),
            json!({ "issuer": POOL,
                "authorization_endpoint": format!("{DOMAIN}/oauth2/authorize"),
                "token_endpoint": format!("{DOMAIN}/oauth2/token"),
                "userinfo_endpoint": format!("{DOMAIN}/oauth2/userInfo"),
                "revocation_endpoint": format!("{DOMAIN}/oauth2/revoke"),
                "end_session_endpoint": format!("{DOMAIN}/logout"),
                "jwks_uri": format!("{POOL}/.well-known/jwks.json"),
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "token"],
                "scopes_supported": ["openid", "email", "phone", "profile"],
                "subject_types_supported": ["public"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"] }),
        )
        .page(&format!("{DOMAIN}/oauth2/authorize"), &[])
        .on(&format!("POST {DOMAIN}/oauth2/token"), tokens(answer(1, 3600), renewed))
}

fn cognito_documented() -> Config {
    config(MCP).quirks(Quirks::cognito()).preregistered(by_hand(POOL))
}

#[test]
fn cognito_user_pool() {
    let log = cognito().play(cognito_documented(), 3600);
    let page = log.one(&format!("GET {DOMAIN}/oauth2/authorize"));
    assert_eq!(page.get("scope"), "https://mcp.example.com/mcp/read");
    assert_eq!(page.get("code_challenge_method"), "S256");
}

#[test]
fn cognito_unadvertised_pkce_needs_the_preset() {
    let error = cognito().fails(config(MCP).preregistered(by_hand(POOL)), cognito_documented());
    assert!(matches!(error, Error::PeerIncompatible(PeerIncompatible::NoPkce { .. })), "{error:?}");
}

// Keycloak, Supabase, Notion: nothing is needed.

#[test]
fn keycloak_realm() {
    let realm = "https://sso.example.com/realms/mcp";
    let protocol = format!("{realm}/protocol/openid-connect");
    let register = format!("{realm}/clients-registrations/openid-connect");
    let mut first = answer(1, 300);
    first["refresh_expires_in"] = json!(1800);
    first["not-before-policy"] = json!(0);
    first["session_state"] = json!("5e1f");
    first["scope"] = json!("mcp:use");
    let site = naming(realm, &["mcp:use"])
        .document(
            "https://sso.example.com/realms/mcp/.well-known/openid-configuration",
            json!({ "issuer": realm,
                "authorization_endpoint": format!("{protocol}/auth"),
                "token_endpoint": format!("{protocol}/token"),
                "introspection_endpoint": format!("{protocol}/token/introspect"),
                "revocation_endpoint": format!("{protocol}/revoke"),
                "device_authorization_endpoint": format!("{protocol}/auth/device"),
                "registration_endpoint": register,
                "pushed_authorization_request_endpoint": format!("{protocol}/ext/par/request"),
                "require_pushed_authorization_requests": false,
                "jwks_uri": format!("{protocol}/certs"),
                "grant_types_supported": ["authorization_code", "client_credentials", "implicit", "password",
                    "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
                    "urn:ietf:params:oauth:grant-type:token-exchange", "urn:openid:params:grant-type:ciba"],
                "response_types_supported": ["code", "none", "id_token", "token", "code token"],
                "scopes_supported": ["openid", "profile", "mcp:use", "microprofile-jwt"],
                "code_challenge_methods_supported": ["plain", "S256"],
                "token_endpoint_auth_methods_supported":
                    ["private_key_jwt", "client_secret_basic", "client_secret_post", "tls_client_auth",
                    "client_secret_jwt"],
                "authorization_response_iss_parameter_supported": true,
                "mtls_endpoint_aliases": { "token_endpoint": format!("{protocol}/token") } }),
        )
        .on(&format!("POST {register}"), |seen| {
            let mut client = seen.json.clone().unwrap();
            client["client_id"] = json!("0a1b");
            client["client_secret"] = json!("planted-registered-secret");
            client["client_secret_expires_at"] = json!(0);
            client["registration_client_uri"] = json!("https://sso.example.com/realms/mcp/clients/0a1b");
            client["registration_access_token"] = json!("planted-registration-token");
            respond(StatusCode::CREATED, &client)
        })
        .page(
            &format!("{protocol}/auth"),
            &[("iss", "https://sso.example.com/realms/mcp"), ("session_state", "x")],
        )
        .on(&format!("POST {protocol}/token"), tokens(first, answer(2, 300)));
    let log = site.play(config(MCP), 300);
    assert_eq!(log.of(&format!("POST {register}")).len(), 1);
}

#[test]
fn supabase_project() {
    let issuer = "https://abcdefgh.supabase.co/auth/v1";
    let mut first = answer(1, 3600);
    first["token_type"] = json!("bearer");
    first["scope"] = json!("openid email");
    let site = naming(issuer, &["openid", "email"])
        .document(
            "https://abcdefgh.supabase.co/.well-known/oauth-authorization-server/auth/v1",
            json!({ "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/oauth/authorize"),
                "token_endpoint": format!("{issuer}/oauth/token"),
                "registration_endpoint": format!("{issuer}/oauth/clients/register"),
                "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
                "userinfo_endpoint": format!("{issuer}/oauth/userinfo"),
                "scopes_supported": ["openid", "profile", "email", "phone"],
                "response_types_supported": ["code"], "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256", "plain"] }),
        )
        .on(&format!("POST {issuer}/oauth/clients/register"), |seen| {
            let mut client = seen.json.clone().unwrap();
            client["client_id"] = json!("6f5e");
            client["client_type"] = json!("public");
            client["registration_type"] = json!("dynamic");
            respond(StatusCode::CREATED, &client)
        })
        .page(&format!("{issuer}/oauth/authorize"), &[])
        .on(&format!("POST {issuer}/oauth/token"), tokens(first, answer(2, 3600)));
    let log = site.play(config(MCP), 3600);
    assert_eq!(log.one(&format!("GET {issuer}/oauth/authorize")).get("client_id"), "6f5e");
}

#[test]
fn notion_takes_one_way_to_authenticate() {
    // Notion is resource and server in one, and refuses whatever looks like a second way to authenticate.
    const NOTION: &str = "https://mcp.notion.com/mcp";
    for (configured, method) in [
        (config(NOTION), "none"),
        (
            config(NOTION).registration_methods(&[ClientAuthMethod::SecretBasic]).unwrap(),
            "client_secret_basic",
        ),
        (
            config(NOTION)
                .registration_methods(&[ClientAuthMethod::SecretPost, ClientAuthMethod::SecretBasic])
                .unwrap(),
            "client_secret_post",
        ),
    ] {
        let issue = usual(3600);
        let site = Site::new(NOTION, &["planted-access-1", "planted-access-2"])
            .challenge("Bearer realm=\"OAuth\", error=\"invalid_token\", error_description=\"Missing access token\"")
            .document(
                "https://mcp.notion.com/.well-known/oauth-protected-resource/mcp",
                json!({ "resource": NOTION, "resource_name": "Notion MCP (Beta)",
                    "authorization_servers": ["https://mcp.notion.com"], "bearer_methods_supported": ["header"] }),
            )
            .document(
                "https://mcp.notion.com/.well-known/oauth-authorization-server",
                json!({ "issuer": "https://mcp.notion.com",
                    "authorization_endpoint": "https://mcp.notion.com/authorize",
                    "token_endpoint": "https://mcp.notion.com/token",
                    "registration_endpoint": "https://mcp.notion.com/register",
                    "revocation_endpoint": "https://mcp.notion.com/token",
                    "response_types_supported": ["code"], "response_modes_supported": ["query"],
                    "grant_types_supported": ["authorization_code", "refresh_token"],
                    "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                    "code_challenge_methods_supported": ["plain", "S256"] }),
            )
            .on("POST https://mcp.notion.com/register", |seen| {
                let mut client = seen.json.clone().unwrap();
                client["client_id"] = json!("n-1");
                if client["token_endpoint_auth_method"] != "none" {
                    client["client_secret"] = json!("planted-registered-secret");
                }
                respond(StatusCode::CREATED, &client)
            })
            .page("https://mcp.notion.com/authorize", &[])
            .on("POST https://mcp.notion.com/token", move |seen| {
                if seen.authorization.is_some() && !seen.get("client_id").is_empty() {
                    let words = "Client must not use multiple authentication methods";
                    return respond(
                        StatusCode::BAD_REQUEST,
                        &json!({ "error": "invalid_request", "error_description": words }),
                    );
                }
                issue(seen)
            });
        let log = site.play(configured, 3600);
        let registered = log.one("POST https://mcp.notion.com/register").json.unwrap();
        assert_eq!(registered["token_endpoint_auth_method"], method);
    }
}

#[test]
fn atlassian_drops_the_path_of_its_issuer() {
    const ROVO: &str = "https://mcp.atlassian.com/v1/mcp/authv2";
    const NAMED: &str = "https://auth.atlassian.com/VCeDsk8ZHncYF1g234fKtc4lNipbBhu3";
    const OWN: &str = "https://auth.atlassian.com";
    let site = || {
        Site::new(ROVO, &["planted-access-1", "planted-access-2"])
            .challenge(
                "Bearer resource_metadata=\
                 \"https://mcp.atlassian.com/.well-known/oauth-protected-resource/v1/mcp/authv2\", \
                 error=\"invalid_token\"",
            )
            .document(
                "https://mcp.atlassian.com/.well-known/oauth-protected-resource/v1/mcp/authv2",
                json!({ "resource": ROVO, "authorization_servers": [NAMED],
                    "scopes_supported": ["read:jira-work", "offline_access"] }),
            )
            .document(
                "https://auth.atlassian.com/.well-known/oauth-authorization-server/VCeDsk8ZHncYF1g234fKtc4lNipbBhu3",
                json!({ "issuer": OWN,
                    "authorization_endpoint": "https://auth.atlassian.com/authorize",
                    "token_endpoint": "https://auth.atlassian.com/oauth/token",
                    "registration_endpoint": format!("{NAMED}/register"),
                    "response_types_supported": ["code"],
                    "grant_types_supported": ["authorization_code", "refresh_token"],
                    "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
                    "code_challenge_methods_supported": ["S256"] }),
            )
            .on(&format!("POST {NAMED}/register"), |_| {
                respond(StatusCode::CREATED, &json!({ "client_id": "a-1", "token_endpoint_auth_method": "none" }))
            })
            .page("https://auth.atlassian.com/authorize", &[])
            .on("POST https://auth.atlassian.com/oauth/token", usual(3300))
    };
    let stated = || config(ROVO).issuer_differs(NAMED, OWN);
    let log = site().play(stated(), 3300);
    assert_eq!(log.one("GET https://auth.atlassian.com/authorize").get("resource"), ROVO);
    let error = site().fails(config(ROVO), stated());
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. })), "{error:?}");
    // A pre-registered client belongs there by either name.
    for issuer in [NAMED, OWN] {
        let log = site().play(stated().preregistered(by_hand(issuer)), 3300);
        assert_eq!(log.one("GET https://auth.atlassian.com/authorize").get("client_id"), "app-1", "{issuer}");
    }
}
