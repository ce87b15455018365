//! Microsoft Entra ID: metadata of `OpenID` Connect alone, PKCE supported and not advertised, `resource` refused, the
//! API said by its scopes, numbers as strings, and a template for an issuer where several tenants sign on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::client::Config;
use grantor::error::{Error, PeerIncompatible, PeerMisbehaved, Refused};
use grantor::{Quirks, ScopeSet};
use grantor_world::json as respond;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Log, Seen, Site, by_hand, config, tokens};

const MCP: &str = "https://mcp.example.com/mcp";
const TENANT: &str = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
const SCOPES: &str = "api://11111111-2222-3333-4444-555555555555/mcp.tools offline_access";

/// The documents of a tenant, or of several (`organizations`), as `name` says.
fn site(name: &str, issuer: &str, identifier: &str, first: Value) -> Site {
    let base = format!("https://login.microsoftonline.com/{name}");
    let renewed = json!({ "token_type": "Bearer", "scope": SCOPES, "expires_in": "3599", "ext_expires_in": "3599",
        "access_token": "planted-eyJ0-2", "refresh_token": "planted-refresh-2" });
    let issue = tokens(first, renewed);
    Site::new(MCP, &["planted-eyJ0-1", "planted-eyJ0-2"])
        .challenge(
            "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
             scope=\"mcp.tools\"",
        )
        .document(
            "https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
            json!({ "resource": identifier, "authorization_servers": [format!("{base}/v2.0")],
                "scopes_supported": ["mcp.tools"] }),
        )
        .document(
            &format!("{base}/v2.0/.well-known/openid-configuration"),
            json!({ "issuer": issuer,
                "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
                "token_endpoint": format!("{base}/oauth2/v2.0/token"),
                "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
                "jwks_uri": format!("{base}/discovery/v2.0/keys"),
                "token_endpoint_auth_methods_supported":
                    ["client_secret_post", "private_key_jwt", "client_secret_basic"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "request_uri_parameter_supported": false, "http_logout_supported": true,
                "tenant_region_scope": null, "cloud_instance_name": "microsoftonline.com",
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "tid"] }),
        )
        .page(&format!("{base}/oauth2/v2.0/authorize"), &[("session_state", "c0ffee")])
        .on(&format!("POST {base}/oauth2/v2.0/token"), move |seen: &Seen| match seen.get("resource") {
            "" => issue(seen),
            _ => respond(
                StatusCode::BAD_REQUEST,
                &json!({ "error": "invalid_request", "error_codes": [901_002], "trace_id": "x",
                    "error_description": "AADSTS901002: The 'resource' request parameter is not supported." }),
            ),
        })
}

fn answer() -> Value {
    json!({ "token_type": "Bearer", "scope": SCOPES, "expires_in": "3599", "ext_expires_in": "3599",
        "access_token": "planted-eyJ0-1", "refresh_token": "planted-refresh-1" })
}

fn documented(issuer: &str) -> Config {
    config(MCP)
        .quirks(Quirks::entra())
        .only_scopes(ScopeSet::parse(SCOPES).unwrap())
        .preregistered(by_hand(issuer))
}

fn check(log: &Log, name: &str) {
    let base = format!("https://login.microsoftonline.com/{name}/oauth2/v2.0");
    let page = log.one(&format!("GET {base}/authorize"));
    assert_eq!((page.get("scope"), page.get("resource")), (SCOPES, ""));
    assert_eq!(page.get("code_challenge_method"), "S256");
    let tokens = log.of(&format!("POST {base}/token"));
    assert_eq!(tokens.len(), 2);
    assert!(tokens.iter().all(|token| token.get("resource").is_empty()));
}

#[test]
fn entra_one_tenant() {
    let site = site("72f988bf-86f1-41af-91ab-2d7cd011db47", TENANT, MCP, answer());
    check(&site.play(documented(TENANT), 3599), "72f988bf-86f1-41af-91ab-2d7cd011db47");
}

#[test]
fn entra_identifier_of_an_api() {
    // App Service names its API as the resource.
    let api = "api://11111111-2222-3333-4444-555555555555";
    let site = || site("72f988bf-86f1-41af-91ab-2d7cd011db47", TENANT, api, answer());
    let stated = documented(TENANT).resource_identifier(api).unwrap();
    check(&site().play(stated.clone(), 3599), "72f988bf-86f1-41af-91ab-2d7cd011db47");
    let error = site().fails(documented(TENANT), stated);
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::ResourceMismatch { .. })), "{error:?}");
}

#[test]
fn entra_several_tenants_by_the_template() {
    let name = "https://login.microsoftonline.com/organizations/v2.0";
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let stated = || documented(name).issuer_differs(name, template);
    let site = || site("organizations", template, MCP, answer());
    check(&site().play(stated(), 3599), "organizations");
    let error = site().fails(documented(name), stated());
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. })), "{error:?}");
}

#[test]
fn entra_users_of_any_tenant_have_labels() {
    let name = "https://login.microsoftonline.com/organizations/v2.0";
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    for (tid, iss_tenant, fits) in [
        ("9188040d-6c67-4c5b-b112-36a304b66dad", "9188040d-6c67-4c5b-b112-36a304b66dad", true),
        ("9188040d-6c67-4c5b-b112-36a304b66dad", "aaaaaaaa-6c67-4c5b-b112-36a304b66dad", false),
        ("9188040d/../evil", "9188040d/../evil", false),
        ("", "", false),
    ] {
        let config = documented(name)
            .issuer_differs(name, template)
            .only_scopes(ScopeSet::parse(&format!("{SCOPES} openid")).unwrap());
        let site = site("organizations", template, MCP, answer());
        let (claimed, iss) = (tid.to_owned(), format!("https://login.microsoftonline.com/{iss_tenant}/v2.0"));
        let nonce = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let (asked, issued) = (nonce.clone(), nonce);
        let mut site = site;
        let mut page = site.routes.remove(2);
        let shown = page.1;
        page.1 = Box::new(move |seen| {
            *asked.lock().unwrap() = seen.get("nonce").to_owned();
            shown(seen)
        });
        site.routes.insert(0, page);
        site.routes.retain(|(what, _)| !what.ends_with("/token"));
        let site = site.on(
            "POST https://login.microsoftonline.com/organizations/oauth2/v2.0/token",
            move |_| {
                let claims = json!({ "iss": iss, "tid": claimed, "aud": "app-1", "sub": "s", "exp": 1_800_003_600_u64,
                    "iat": 1_800_000_000_u64, "nonce": *issued.lock().unwrap(), "preferred_username": "ana@contoso" });
                let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
                let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "1" });
                let token = format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode("signature"));
                let mut answer = answer();
                answer["id_token"] = json!(token);
                respond(StatusCode::OK, &answer)
            },
        );
        let (mut player, _) = site.player(config);
        let call = player.begin("ping");
        player.run();
        drop(player.outcome(call));
        let label = player.engine.account_label().map(|label| label.to_string());
        assert_eq!(label.as_deref(), fits.then_some("ana@contoso"), "{tid} {iss_tenant}");
    }
}

#[test]
fn entra_needs_its_preset() {
    let site = || site("72f988bf-86f1-41af-91ab-2d7cd011db47", TENANT, MCP, answer());
    let plain = || config(MCP).only_scopes(ScopeSet::parse(SCOPES).unwrap()).preregistered(by_hand(TENANT));
    let error = site().fails(plain(), documented(TENANT));
    assert!(matches!(error, Error::PeerIncompatible(PeerIncompatible::NoPkce { .. })), "{error:?}");
    let mut quirks = Quirks::none();
    quirks.pkce_unadvertised = true;
    let error = site().fails(plain().quirks(quirks), documented(TENANT));
    let Error::Refused(Refused::Token { description: Some(words), .. }) = &error else { panic!("{error:?}") };
    assert!(words.to_string().contains("AADSTS901002"));
}
