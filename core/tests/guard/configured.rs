//! What the configuration says of servers, audiences, scopes and the place of the metadata.

use crate::bench::*;
use grantor::jose::ClaimsError;
use grantor::resource::*;
use serde_json::{Value, json};

fn error(change: impl FnOnce(&mut GuardConfig)) -> GuardConfigError {
    let mut config = config();
    change(&mut config);
    Guard::new(config).unwrap_err()
}

fn with(server: AuthorizationServer) -> Bench {
    Bench::with(GuardConfig::new(RESOURCE, policy()).server(server))
}

fn jwt() -> AuthorizationServer {
    AuthorizationServer::jwt(ISSUER)
}

fn problem(bench: &mut Bench, changes: Value) -> TokenProblem {
    match bench.why(&Request::list().bearer(&token(changes))) {
        (401, Refusal::Token(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc9728_5_1_metadata_where_only_some_paths_are_routed() {
    let mut config = config();
    config.metadata_url = Some("https://mcp.example.com/mcp/metadata".into());
    let mut bench = Bench::with(config);
    let url = challenge(&bench.refuse(&Request::list()), "resource_metadata").unwrap();
    assert_eq!(url, "https://mcp.example.com/mcp/metadata");
    assert_eq!(bench.guard.metadata_url(), &*url);
    for path in ["/mcp/metadata", "/.well-known/oauth-protected-resource/mcp"] {
        let answer = bench.refuse(&Request::get(path));
        assert_eq!((answer.status, answer.json()["resource"].clone()), (200, json!(RESOURCE)), "{path}");
    }
    for path in ["/mcp/metadata/", "/mcp/metadata2", "/metadata", "/MCP/metadata", "/mcp/%6detadata"] {
        assert_eq!(bench.refuse(&Request::get(path)).status, 401, "{path}");
    }
    for bad in [
        "https://other.example.com/metadata",
        "http://mcp.example.com/metadata",
        "https://mcp.example.com:8443/metadata",
        "https://mcp.example.com/mcp",
        "https://mcp.example.com/metadata?x",
        "https://mcp.example.com/metadata#x",
        "https://user@mcp.example.com/metadata",
        "/mcp/metadata",
        "",
    ] {
        let error = error(|config| config.metadata_url = Some(bad.into()));
        assert_eq!(error, GuardConfigError::MetadataUrl(bad.into()));
        assert!(error.to_string().contains(&format!("{bad:?}")));
    }
}

#[test]
fn mcp_token_handling_names_for_tokens_of_one_server() {
    const OTHER: &str = "https://other.example.com";
    let config = GuardConfig::new(RESOURCE, policy())
        .server(jwt().audience("api://files"))
        .server(AuthorizationServer::jwt(OTHER));
    let mut bench = Bench::with(config);
    bench.peer = Box::new(|request| match (request.url.host_str(), request.url.path()) {
        (Some("other.example.com"), "/jwks") => ok(jwks(&[&key(2)])),
        (Some("other.example.com"), _) => {
            ok(json!({ "issuer": OTHER, "jwks_uri": "https://other.example.com/jwks" }).to_string())
        }
        _ => usual_peer(request),
    });
    for aud in ["api://files", RESOURCE] {
        bench.allow(&Request::list().bearer(&token(json!({ "aud": aud })))).unwrap();
    }
    let theirs = |aud: &str| Request::list().bearer(&token_by(&key(2), json!({ "iss": OTHER, "aud": aud })));
    bench.allow(&theirs(RESOURCE)).unwrap();
    assert_eq!(bench.why(&theirs("api://files")), (401, Refusal::Token(ClaimsError::Audience.into())));
}

#[test]
fn an_audience_by_another_claim_fails_closed() {
    let by = |claim: &str| with(jwt().audience_by(claim, ["c1", "c2"]));
    let mut bench = by("client_id");
    for good in [
        json!({ "aud": null }),
        json!({ "aud": [], "client_id": "c2" }),
        json!({ "client_id": "another" }), // for this resource by its aud
    ] {
        bench.allow(&Request::list().bearer(&token(good))).unwrap();
    }
    let audience = TokenProblem::from(ClaimsError::Audience);
    for bad in [
        json!({ "aud": null, "client_id": "c3" }),
        json!({ "aud": null, "client_id": "C1" }),
        json!({ "aud": null, "client_id": " c1" }),
        json!({ "aud": "https://other.example.com" }),
        json!({ "aud": ["c1"] }),
        json!({ "aud": "" }),
    ] {
        assert_eq!(problem(&mut bench, bad.clone()), audience, "{bad}");
    }
    let mut bench = by("azp");
    let missing = ClaimsError::Missing { claim: "aud" };
    assert_eq!(problem(&mut bench, json!({ "aud": null })), missing.into());
    assert_eq!(problem(&mut bench, json!({ "aud": null, "azp": "x" })), audience);
    let wrong = ClaimsError::WrongType { claim: "aud" };
    assert_eq!(problem(&mut bench, json!({ "aud": null, "azp": { "c1": true } })), wrong.into());
    bench.allow(&Request::list().bearer(&token(json!({ "aud": null, "azp": "c1" })))).unwrap();
    // Nobody asked for it.
    assert_eq!(problem(&mut Bench::new(), json!({ "aud": null })), missing.into());
    for bad in [
        jwt().audience_by("client_id", []),
        jwt().audience_by("client_id", ["c1", ""]),
        jwt().audience_by("", ["c1"]),
        jwt().audience_by("aud", ["c1"]),
        jwt().audience_by("iss", [ISSUER]),
        jwt().audience(""),
    ] {
        assert_eq!(error(|config| config.servers = vec![bad]), GuardConfigError::Audience(ISSUER.into()));
    }
}

/// Also where the answer says nothing of it and the audience is not demanded.
#[test]
fn an_audience_by_another_claim_in_answers() {
    let mut server = AuthorizationServer::verified_by_host(ISSUER).audience_by("client_id", ["c1"]);
    let Tokens::Host { audience_demanded, .. } = &mut server.tokens else { panic!() };
    *audience_demanded = false;
    for (facts, allowed) in [
        (json!({ "client_id": "c1" }), true),
        (json!({ "client_id": "c2" }), false),
        (json!({}), false),
        (json!({ "client_id": "c1", "aud": "https://other.example.com" }), false),
        (json!({ "client_id": "c2", "aud": RESOURCE }), true),
    ] {
        let mut bench = with(server.clone());
        let mut facts = facts;
        facts["scope"] = json!("mcp:use");
        let said = facts.to_string();
        bench.host = Box::new(move |_| Some(said.clone()));
        let decision = bench.decide(&Request::list().bearer("t"));
        assert_eq!(matches!(decision, Decision::Allow(Some(_))), allowed, "{facts}");
    }
}

#[test]
fn scopes_by_the_names_of_claims() {
    let write = |changes: Value| Request::tool("write").bearer(&token(changes));
    for (claims, changes) in [
        (&["permissions"][..], json!({ "scope": "openid", "permissions": ["mcp:use", "files:write"] })),
        (&["scope", "roles"], json!({ "scope": "mcp:use", "roles": ["files:write", "Site Admin"] })),
        (&["groups"], json!({ "scope": null, "groups": "mcp:use files:write" })),
        (
            &["/resource_access/mcp/roles"],
            json!({ "scope": null, "resource_access": { "mcp": { "roles": ["mcp:use", "files:write"] } } }),
        ),
        (
            &["https://acme.example/scopes"],
            json!({ "https://acme.example/scopes": ["mcp:use", "files:write"] }),
        ),
    ] {
        let mut bench = with(jwt().scopes_in(claims.iter().copied()));
        bench.allow(&write(changes.clone())).unwrap();
        // The same elsewhere grants nothing.
        let elsewhere = json!({ "scope": null, "scp": "mcp:use files:write", "entitlements": ["mcp:use"] });
        assert_eq!(bench.why(&write(elsewhere)).0, 403, "{claims:?}");
    }
    let mut bench = with(jwt().scopes_in(["roles"]));
    assert_eq!(bench.why(&write(json!({}))), (403, Refusal::InsufficientScope), "scope is not named");
    // One element is one scope.
    let joined = json!({ "roles": ["mcp:use files:write"] });
    assert_eq!(bench.why(&write(joined)), (403, Refusal::InsufficientScope));
    for odd in [
        json!({ "roles": 7 }),
        json!({ "roles": { "files:write": true } }),
        json!({ "roles": ["mcp:use", 1] }),
    ] {
        assert_eq!(problem(&mut bench, odd), ClaimsError::Scope.into());
    }
    for bad in ["", "/"] {
        let server = jwt().scopes_in(["scope", bad]);
        assert_eq!(
            error(|config| config.servers = vec![server]),
            GuardConfigError::ScopeClaim(ISSUER.into())
        );
    }
}

#[test]
fn templates_without_tenants_and_tenants_without_a_template() {
    let is_refused = |server: AuthorizationServer| {
        let error = error(|config| config.servers = vec![server]);
        assert!(matches!(error, GuardConfigError::Tenants { .. }), "{error}");
    };
    let template = || AuthorizationServer::jwt("https://as.example.com/{t}/v2.0");
    is_refused(template());
    is_refused(jwt().tenants(["a"]));
    is_refused(AuthorizationServer::jwt("https://as.example.com/{a}/{b}").tenants(["a"]));
    is_refused(template().tenants(["a"]).known_as("https://old.example.com"));
    for bad in ["", ".", "..", "a/b", "a?b", "a#b", "a b", "%2e", "{x}", "@", "a:b", "ü"] {
        is_refused(template().tenants(["good", bad]));
    }
    let twice = error(|config| config.servers = vec![template().tenants(["a", "a"])]);
    assert!(matches!(twice, GuardConfigError::IssuerRepeated(_)));
    with(template().tenants(["a", "b"]));
}

#[test]
fn plain_http_in_development_is_for_named_hosts() {
    let config = |resource: &str, issuer: &str, hosts: &[&str]| {
        let mut config = GuardConfig::new(resource, Policy::new().every("mcp:use").unwrap())
            .server(AuthorizationServer::jwt(issuer));
        config.urls =
            hosts.iter().fold(grantor::UrlPolicy::default(), |urls, host| urls.development_host(host));
        Guard::new(config).map(drop)
    };
    let insecure = |refused| match refused {
        Err(GuardConfigError::Resource(problem) | GuardConfigError::Issuer { problem, .. }) => {
            problem == grantor::UrlProblem::Insecure
        }
        _ => false,
    };
    let (mcp, keycloak) = ("http://mcp.test:8080/mcp", "http://keycloak:8081/realms/dev");
    assert!(insecure(config(mcp, keycloak, &[])));
    assert!(insecure(config(mcp, keycloak, &["mcp.test"])));
    assert!(insecure(config(mcp, keycloak, &["keycloak"])));
    assert_eq!(config(mcp, keycloak, &["mcp.test", "keycloak"]), Ok(()));
}
