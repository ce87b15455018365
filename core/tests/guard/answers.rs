use crate::bench::*;
use grantor::ScopeSet;
use grantor::jose::Jws;
use grantor::resource::*;
use serde_json::json;

const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

#[test]
fn mcp_authorization_401_without_a_token() {
    let mut bench = Bench::new();
    let answer = bench.refuse(&Request::list());
    assert_eq!((answer.status, answer.refusal), (401, Some(Refusal::NoToken)));
    assert_eq!(challenge(&answer, "resource_metadata").unwrap(), METADATA);
    assert_eq!(challenge(&answer, "scope").unwrap(), "mcp:use");
    assert_eq!(challenge(&answer, "error"), None, "rfc6750 3.1: no error code without authentication");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.json()["id"], 7);
    assert_eq!(answer.json()["error"]["code"], -31401);
    assert!(bench.asked.is_empty(), "nothing is fetched for requests without a token");
}

#[test]
fn mcp_scope_selection_the_401_names_what_the_operation_needs() {
    let mut bench = Bench::new();
    let request = Request::tool("write").named("tools/call", Some("write"));
    assert_eq!(challenge(&bench.refuse(&request), "scope").unwrap(), "mcp:use files:write");
    assert_eq!(challenge(&bench.refuse(&Request::get("/mcp")), "scope").unwrap(), "mcp:use");
}

#[test]
fn rfc6750_3_1_insufficient_scope() {
    let mut bench = Bench::new();
    let answer = bench.refuse(&Request::tool("write").bearer(&with_scope("mcp:use files:read")));
    assert_eq!((answer.status, answer.refusal), (403, Some(Refusal::InsufficientScope)));
    assert_eq!(challenge(&answer, "error").unwrap(), "insufficient_scope");
    assert_eq!(challenge(&answer, "scope").unwrap(), "mcp:use files:write");
    assert_eq!(challenge(&answer, "resource_metadata").unwrap(), METADATA);
    assert!(challenge(&answer, "error_description").is_some());
    assert_eq!(answer.json()["id"], 7);
    assert_eq!(
        answer.json()["error"]["data"],
        json!({"error": "insufficient_scope", "scope": "mcp:use files:write"})
    );
}

#[test]
fn mcp_scope_challenge_strategies() {
    let challenged = |strategy: ChallengeScopes| {
        let mut config = config();
        config.challenge = strategy;
        let answer = Bench::with(config)
            .refuse(&Request::tool("write").bearer(&with_scope("other mcp:use offline_access")));
        challenge(&answer, "scope").unwrap()
    };
    assert_eq!(challenged(ChallengeScopes::Minimal), "mcp:use files:write");
    assert_eq!(challenged(ChallengeScopes::PlusGranted), "other mcp:use files:write");
    let base = ScopeSet::parse("base").unwrap();
    assert_eq!(challenged(ChallengeScopes::Configured(base)), "base mcp:use files:write");
}

#[test]
fn mcp_offline_access_is_in_no_challenge() {
    let policy =
        Policy::new().tool_by_arguments("query", "by a function", |_| Need::all("db:read offline_access"));
    for strategy in [ChallengeScopes::Minimal, ChallengeScopes::PlusGranted] {
        let mut config = GuardConfig::new(RESOURCE, policy.clone()).server(AuthorizationServer::jwt(ISSUER));
        config.challenge = strategy;
        let answer =
            Bench::with(config).refuse(&Request::tool("query").bearer(&token(json!({ "scope": "" }))));
        assert_eq!(challenge(&answer, "scope").unwrap(), "db:read");
    }
}

#[test]
fn rfc6750_3_1_invalid_token() {
    let mut bench = Bench::new();
    let answer = bench.refuse(&Request::list().bearer(&token(json!({ "exp": START - 61 }))));
    assert_eq!(answer.status, 401);
    assert_eq!(challenge(&answer, "error").unwrap(), "invalid_token");
    assert_eq!(challenge(&answer, "error_description").unwrap(), "The token has expired");
}

#[test]
fn rfc6750_3_1_invalid_request() {
    let mut bench = Bench::new();
    let good = token(json!({}));
    let mut in_query = Request::list().bearer(&good);
    in_query.uri = "/mcp?access_token=x".parse().unwrap();
    for (request, refusal) in [
        (Request::list().bearer(&good).bearer(&good), Refusal::MalformedAuthorization),
        (Request::list().header("authorization", "Bearer a b"), Refusal::MalformedAuthorization),
        (in_query, Refusal::TokenInQuery),
    ] {
        let answer = bench.refuse(&request);
        assert_eq!((answer.status, answer.refusal), (400, Some(refusal)));
        assert_eq!(challenge(&answer, "error").unwrap(), "invalid_request");
    }
}

#[test]
fn rfc9470_3_insufficient_user_authentication() {
    let mut bench = Bench::new();
    let pay = |claims| Request::tool("pay").bearer(&token(claims));
    for claims in [
        json!({ "scope": "mcp:use pay" }),
        json!({ "scope": "mcp:use pay", "acr": "mfa" }),
        json!({ "scope": "mcp:use pay", "acr": "pwd", "auth_time": START }),
        json!({ "scope": "mcp:use pay", "acr": "mfa", "auth_time": START - 361 }),
    ] {
        let answer = bench.refuse(&pay(claims));
        assert_eq!((answer.status, answer.refusal), (401, Some(Refusal::InsufficientAuthentication)));
        assert_eq!(challenge(&answer, "error").unwrap(), "insufficient_user_authentication");
        assert_eq!(challenge(&answer, "max_age").unwrap(), "300");
        assert_eq!(challenge(&answer, "acr_values").unwrap(), "mfa");
    }
    let fresh = json!({ "scope": "mcp:use pay", "acr": "mfa", "auth_time": START - 300 });
    bench.allow(&pay(fresh)).unwrap();
    let answer = bench.refuse(&pay(json!({ "acr": "mfa", "auth_time": START })));
    assert_eq!(answer.refusal, Some(Refusal::InsufficientScope), "scopes first");
}

#[test]
fn rfc9728_3_metadata() {
    let mut config = config();
    config.name = Some("Files".into());
    config.metadata.insert("resource_documentation".into(), json!("https://docs.example.com"));
    config.metadata.insert("resource".into(), json!("https://evil.example.com"));
    let mut bench = Bench::with(config);
    assert_eq!(bench.guard.metadata_url(), METADATA);
    let answer = bench.refuse(&Request::get("/.well-known/oauth-protected-resource/mcp"));
    assert_eq!((answer.status, answer.refusal), (200, None));
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert!(answer.headers["cache-control"].to_str().unwrap().contains("max-age"));
    let document = answer.json();
    assert_eq!(document["resource"], RESOURCE);
    assert_eq!(document["authorization_servers"], json!([ISSUER]));
    assert_eq!(document["scopes_supported"], json!(["mcp:use"]));
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    assert_eq!(document["resource_name"], "Files");
    assert_eq!(document["resource_documentation"], "https://docs.example.com");
    let mut post = Request::get("/.well-known/oauth-protected-resource/mcp");
    post.method = http::Method::POST;
    assert_eq!(bench.refuse(&post).status, 405);
}

#[test]
fn rfc9728_3_1_the_well_known_url_for_any_path() {
    for (resource, path) in [
        ("https://h", "/.well-known/oauth-protected-resource"),
        ("https://h/", "/.well-known/oauth-protected-resource"),
        ("https://h/a/b", "/.well-known/oauth-protected-resource/a/b"),
        ("https://h/a/", "/.well-known/oauth-protected-resource/a/"),
    ] {
        let config = GuardConfig::new(resource, policy()).server(AuthorizationServer::jwt(ISSUER));
        let answer = Bench::with(config).refuse(&Request::get(path));
        assert_eq!((answer.status, &answer.json()["resource"]), (200, &json!(resource)));
    }
}

#[test]
fn rfc9728_2_2_signed_metadata() {
    let mut config = config();
    config.sign_metadata = Some((RESOURCE.into(), key(9)));
    let answer = Bench::with(config).refuse(&Request::get("/.well-known/oauth-protected-resource/mcp"));
    let document = answer.json();
    let signed = Jws::parse(document["signed_metadata"].as_str().unwrap()).unwrap();
    let trusted = signed.verify(key(9).public(), &grantor::jose::Algorithm::ALL).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(trusted.payload()).unwrap();
    assert_eq!((&claims["iss"], &claims["resource"]), (&json!(RESOURCE), &json!(RESOURCE)));
    assert_eq!(claims.get("signed_metadata"), None);
}

const APP: &str = "https://app.example.com";

fn of_pages(cors: Cors) -> Bench {
    let mut with = config();
    with.cors = cors;
    Bench::with(with)
}

fn preflight() -> Request {
    let mut request = Request::list().header("origin", APP).header("access-control-request-method", "POST");
    request.method = http::Method::OPTIONS;
    request
}

/// A header that holds a list, with all its lines.
fn list(answer: &Answer, name: &str) -> Vec<String> {
    let lines = answer.headers.get_all(name).iter().map(|line| line.to_str().unwrap());
    lines.flat_map(|line| line.split(',')).map(|name| name.trim().to_owned()).collect()
}

#[test]
fn cors_for_pages() {
    assert_eq!(Bench::new().refuse(&preflight()).status, 401, "off: not ours to answer");
    let mut bench = of_pages(Cors::Origins(vec![APP.into()]));
    let answer = bench.refuse(&preflight());
    assert_eq!((answer.status, answer.refusal), (204, None));
    assert_eq!(answer.headers["access-control-allow-origin"], APP);
    assert!(list(&answer, "access-control-allow-headers").contains(&"authorization".to_owned()));
    let answer = bench.refuse(&Request::list().header("origin", APP));
    assert_eq!(answer.headers["access-control-allow-origin"], APP);
    assert!(list(&answer, "access-control-expose-headers").contains(&"www-authenticate".to_owned()));
    let answer = bench.refuse(&Request::list().header("origin", "https://evil"));
    assert_eq!(answer.headers.get("access-control-allow-origin"), None);
}

#[test]
fn rfc9110_12_5_5_answers_vary_by_origin_also_without_one() {
    for cors in [Cors::Any, Cors::Origins(vec![APP.into()])] {
        let mut bench = of_pages(cors);
        for request in [Request::list(), Request::list().header("origin", APP), preflight()] {
            assert_eq!(bench.refuse(&request).headers["vary"], "origin");
        }
        let list = Request::list();
        let head = RequestHead::new(&list.method, &list.uri, &list.headers);
        assert_eq!(bench.guard.answer_headers(bench.now, &head)["vary"], "origin");
    }
    assert_eq!(Bench::new().refuse(&Request::list()).headers.get("vary"), None);
}

#[test]
fn mcp_custom_headers_from_tool_parameters_in_preflights() {
    let allowed = |lines: &[&str]| {
        let request = lines
            .iter()
            .fold(preflight(), |request, line| request.header("access-control-request-headers", line));
        let answer = of_pages(Cors::Any).refuse(&request);
        assert!(list(&answer, "vary").contains(&"access-control-request-headers".to_owned()));
        let mut names = list(&answer, "access-control-allow-headers");
        names.retain(|name| name.starts_with("mcp-param-"));
        names
    };
    assert_eq!(allowed(&[]), [""; 0]);
    assert_eq!(
        allowed(&["authorization,mcp-param-region, Mcp-Param-Tenant", "mcp-param-x"]),
        ["mcp-param-region", "mcp-param-tenant", "mcp-param-x"]
    );
    let long = format!("mcp-param-{}", "x".repeat(1000));
    assert_eq!(allowed(&["mcp-param-,mcp-param-a b,mcp-param-\u{e9},x-mcp-param-a,cookie", &long]), [""; 0]);
    let many: Vec<String> = (0..1000).map(|n| format!("mcp-param-{n}")).collect();
    assert_eq!(allowed(&[&many.join(",")]).len(), 32);
}

#[test]
fn cors_headers_of_the_host() {
    let mut with = config();
    with.cors = Cors::Any;
    with.cors_allowed_headers = vec![http::HeaderName::from_static("x-tenant")];
    with.cors_exposed_headers = vec![http::HeaderName::from_static("x-request-id")];
    let mut bench = Bench::with(with);
    let answer = bench.refuse(&preflight());
    let allowed = list(&answer, "access-control-allow-headers");
    assert!(allowed.contains(&"x-tenant".into()) && allowed.contains(&"dpop".into()), "{allowed:?}");
    let answer = bench.refuse(&Request::list().header("origin", APP));
    let exposed = list(&answer, "access-control-expose-headers");
    assert!(
        exposed.contains(&"x-request-id".into()) && exposed.contains(&"dpop-nonce".into()),
        "{exposed:?}"
    );
}

#[test]
fn rfc6454_6_2_origins_that_match_no_page() {
    let built = |origin: &str| {
        let mut with = config();
        with.cors = Cors::Origins(vec![APP.into(), origin.into()]);
        Guard::new(with).map(drop)
    };
    for origin in [
        "https://app.example.com",
        "http://localhost:6274",
        "http://[::1]:8080",
        "https://xn--bcher-kva.example",
        "chrome-extension://abcdefghijklmnop",
        "capacitor://localhost",
        "app://localhost:3000",
    ] {
        assert_eq!(built(origin), Ok(()), "{origin}");
    }
    for origin in [
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://app.example.com?x",
        "https://app.example.com#x",
        "https://app.example.com:443",
        "https://user@app.example.com",
        "HTTPS://app.example.com",
        "https://App.example.com",
        "https://bücher.example",
        "https://*.example.com",
        "https://app.example.com\n",
        "chrome-extension://ABC",
        "chrome-extension://abc/",
        "file://",
        "app.example.com",
        "localhost:3000",
        "null",
        "*",
        "",
    ] {
        assert_eq!(built(origin), Err(GuardConfigError::Origin(origin.into())), "{origin}");
    }
}

#[test]
fn a_body_that_broke_off() {
    let list = Request::list().header("origin", APP);
    let head = RequestHead::new(&list.method, &list.uri, &list.headers);
    let answer = of_pages(Cors::Any).guard.unreadable(&head);
    assert_eq!((answer.status, answer.refusal), (400, Some(Refusal::Message(MessageError::Syntax))));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(answer.json()["error"]["code"], -32700);
}

#[test]
fn realm_and_public_paths() {
    let mut config = config().public_path("/health");
    config.realm = Some("files \"x\"".into());
    let mut bench = Bench::with(config);
    assert_eq!(challenge(&bench.refuse(&Request::list()), "realm").unwrap(), "files \"x\"");
    assert!(bench.allow(&Request::get("/health")).is_none());
    for path in ["/health/", "/health/../mcp", "/Health", "//health"] {
        assert_eq!(bench.refuse(&Request::get(path)).status, 401, "{path}");
    }
}

#[test]
fn configurations_that_cannot_work() {
    let error = |change: fn(&mut GuardConfig)| {
        let mut config = config();
        change(&mut config);
        Guard::new(config).unwrap_err()
    };
    assert_eq!(error(|config| config.servers.clear()), GuardConfigError::NoServer);
    assert_eq!(error(|config| config.servers[0].advertised = false), GuardConfigError::NoServer);
    assert_eq!(error(|config| config.public_paths.push("/mcp".into())), GuardConfigError::PublicResource);
    assert_eq!(
        error(|config| {
            let Tokens::Jwt { algorithms, .. } = &mut config.servers[0].tokens else { panic!() };
            algorithms.clear();
        }),
        GuardConfigError::NoAlgorithm(ISSUER.into())
    );
    assert_eq!(
        error(|config| {
            config.token_cache_bytes = grantor::limits::TOKEN_CACHE_ASKED - 1;
            config.servers.push(AuthorizationServer::verified_by_host("https://host.example.com"));
        }),
        GuardConfigError::TokenCache
    );
    assert!(matches!(error(|config| config.resource = "http://h/mcp".into()), GuardConfigError::Resource(_)));
    assert!(matches!(
        error(|config| config.resource = "https://h/mcp#x".into()),
        GuardConfigError::Resource(_)
    ));
    assert!(matches!(
        error(|config| config.servers = vec![AuthorizationServer::jwt("https://as?x")]),
        GuardConfigError::Issuer { .. }
    ));
    const SLASH: &str = "https://as.example.com/";
    for twice in
        [AuthorizationServer::jwt_without_profile(ISSUER), AuthorizationServer::jwt(SLASH).known_as(ISSUER)]
    {
        let mut config = config();
        config.servers.push(twice);
        assert!(matches!(Guard::new(config).unwrap_err(), GuardConfigError::IssuerRepeated(_)));
    }
    assert!(matches!(
        error(|config| {
            config.servers.push(AuthorizationServer::verified_by_host(SLASH));
            config.servers.push(AuthorizationServer::verified_by_host(SLASH));
        }),
        GuardConfigError::IssuerRepeated(_)
    ));
    assert_eq!(
        error(|config| {
            let client = grantor::wire::client_auth::Client::with_key("mcp");
            config.servers = vec![AuthorizationServer::introspection(ISSUER, client)];
        }),
        GuardConfigError::ClientAuthentication
    );
    assert_eq!(error(|config| config.realm = Some("a\nb".into())), GuardConfigError::Unsendable("realm"));
    assert!(matches!(
        error(|config| config.policy = Policy::new().implies("a", "a").unwrap()),
        GuardConfigError::Policy(PolicyError::Cycle(_))
    ));
}
