use crate::bench::*;
use grantor::jose::{ClaimsError, JwsError};
use grantor::resource::*;
use serde_json::{Value, json};

fn problem(claims: Value) -> TokenProblem {
    match Bench::new().why(&Request::list().bearer(&token(claims))) {
        (401, Refusal::Token(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc9068_4_a_good_token() {
    let mut bench = Bench::new();
    let grant = bench.allow(&Request::list().bearer(&token(json!({"roles": ["x"], "acr": "mfa"})))).unwrap();
    assert_eq!((grant.subject.as_deref(), grant.client_id.as_deref()), (Some("alice"), Some("c1")));
    assert_eq!((&*grant.issuer, grant.scopes.to_string()), (ISSUER, "mcp:use".into()));
    assert_eq!(grant.claims().unwrap().raw("roles"), Some(r#"["x"]"#));
    assert!(!format!("{grant:?} {:?}", bench.guard).contains("alice"));
    assert_eq!(bench.asked.len(), 2, "metadata and keys");
    bench.allow(&Request::list().bearer(&token(json!({"jti": "2"})))).unwrap();
    assert_eq!(bench.asked.len(), 2, "once");
}

#[test]
fn mcp_token_handling_audience() {
    for aud in [
        json!("https://mcp.example.com"),
        json!("https://mcp.example.com/mcp2"),
        json!("https://mcp.example.com/mcp/"),
        json!("https://mcp.example.com/MCP"),
        json!("https://mcp.example.com.evil/mcp"),
        json!("https://evil.mcp.example.com/mcp"),
        json!("http://mcp.example.com/mcp"),
        json!(["a", "b"]),
        json!("c1"),
    ] {
        assert_eq!(problem(json!({ "aud": aud })), ClaimsError::Audience.into(), "{aud}");
    }
    assert_eq!(problem(json!({ "aud": null })), ClaimsError::Missing { claim: "aud" }.into());
    assert_eq!(problem(json!({ "aud": 1 })), ClaimsError::WrongType { claim: "aud" }.into());
    let mut bench = Bench::new();
    for aud in [json!(["x", RESOURCE]), json!("HTTPS://MCP.example.com:443/mcp")] {
        bench.allow(&Request::list().bearer(&token(json!({ "aud": aud })))).unwrap();
    }
}

#[test]
fn mcp_token_handling_other_names_of_the_resource() {
    let mut config = config();
    config.audiences = vec!["api://files".into()];
    let mut bench = Bench::with(config);
    bench.allow(&Request::list().bearer(&token(json!({ "aud": "api://files" })))).unwrap();
    let slash = GuardConfig::new("https://h", policy()).server(AuthorizationServer::jwt(ISSUER));
    let mut bench = Bench::with(slash);
    for aud in ["https://h", "https://h/"] {
        bench.allow(&Request::list().bearer(&token(json!({ "aud": aud })))).unwrap();
    }
}

#[test]
fn rfc7519_4_1_times_with_leeway() {
    assert_eq!(problem(json!({ "exp": START - 60 })), ClaimsError::Expired.into());
    assert_eq!(problem(json!({ "exp": null })), ClaimsError::Missing { claim: "exp" }.into());
    assert_eq!(problem(json!({ "nbf": START + 61 })), ClaimsError::NotYetValid.into());
    assert_eq!(problem(json!({ "iat": START + 61 })), ClaimsError::IssuedInFuture.into());
    for exp in [json!("1900000000"), json!(true), json!({})] {
        assert_eq!(problem(json!({ "exp": exp })), ClaimsError::WrongType { claim: "exp" }.into());
    }
    assert_eq!(problem(json!({ "exp": 1e300 })), ClaimsError::TimeRange { claim: "exp" }.into());
    assert_eq!(
        problem(json!({ "exp": 1_800_003_600_000u64 })),
        ClaimsError::TimeRange { claim: "exp" }.into()
    );
    assert_eq!(problem(json!({ "exp": -5 })), ClaimsError::Expired.into());
    let mut bench = Bench::new();
    for claims in
        [json!({ "exp": START - 59 }), json!({ "nbf": START + 60 }), json!({ "exp": START as f64 + 0.5 })]
    {
        bench.allow(&Request::list().bearer(&token(claims))).unwrap();
    }
}

#[test]
fn rfc9068_2_2_the_profile_and_without_it() {
    assert_eq!(problem(json!({ "client_id": null })), ClaimsError::Missing { claim: "client_id" }.into());
    let plain = sign(
        r#"{"alg":"ES256","kid":"k1"}"#,
        &claims(json!({"jti": null, "scope": null, "scp": ["mcp:use"]})).to_string(),
        &key(1),
    );
    let why = Bench::new().why(&Request::list().bearer(&plain));
    assert_eq!(why, (401, Refusal::Token(ClaimsError::Type.into())));
    let config =
        GuardConfig::new(RESOURCE, policy()).server(AuthorizationServer::jwt_without_profile(ISSUER));
    let grant = Bench::with(config).allow(&Request::list().bearer(&plain)).unwrap();
    assert_eq!(grant.scopes.to_string(), "mcp:use");
}

#[test]
fn scope_as_string_array_and_scp() {
    let mut bench = Bench::new();
    for claims in [
        json!({ "scope": "mcp:use files:write" }),
        json!({ "scope": ["mcp:use", "files:write"] }),
        json!({ "scope": null, "scp": "mcp:use files:write" }),
        json!({ "scope": null, "scp": ["mcp:use", "files:write"] }),
    ] {
        bench.allow(&Request::tool("write").bearer(&token(claims))).unwrap();
    }
    assert_eq!(problem(json!({ "scope": 1 })), ClaimsError::WrongType { claim: "scope" }.into());
    assert_eq!(problem(json!({ "scope": "a\"b" })), ClaimsError::Scope.into());
}

#[test]
fn several_authorization_servers() {
    const OTHER: &str = "https://other.example.com";
    let config = config().server(AuthorizationServer::jwt(OTHER));
    let mut bench = Bench::with(config);
    bench.peer = Box::new(|request| match (request.url.host_str(), request.url.path()) {
        (Some("other.example.com"), "/.well-known/oauth-authorization-server") => {
            ok(json!({ "issuer": OTHER, "jwks_uri": "https://other.example.com/keys" }).to_string())
        }
        (Some("other.example.com"), "/keys") => ok(jwks(&[&key(2)])),
        _ => usual_peer(request),
    });
    bench.allow(&Request::list().bearer(&token(json!({})))).unwrap();
    let theirs = token_by(&key(2), json!({ "iss": OTHER }));
    assert_eq!(&*bench.allow(&Request::list().bearer(&theirs)).unwrap().issuer, OTHER);
    let forged = token_by(&key(2), json!({}));
    assert_eq!(bench.refuse(&Request::list().bearer(&forged)).status, 401, "one's key is not the other's");
    let nobody = token(json!({ "iss": "https://nobody" }));
    let unknown = (401, Refusal::Token(TokenProblem::UnknownIssuer));
    assert_eq!(bench.why(&Request::list().bearer(&nobody)), unknown);
}

#[test]
fn a_token_seen_before_is_not_verified_again_and_still_expires() {
    let mut bench = Bench::new();
    let request = Request::list().bearer(&token(json!({ "exp": START + 100 })));
    let first = bench.allow(&request).unwrap();
    let again = bench.allow(&request).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    bench.pass_s(160);
    assert_eq!(bench.why(&request), (401, Refusal::Token(ClaimsError::Expired.into())));
}

#[test]
fn a_token_seen_before_is_checked_again_after_a_while() {
    let mut bench = Bench::new();
    let request = Request::list().bearer(&token(json!({})));
    let first = bench.allow(&request).unwrap();
    bench.pass_s(301);
    let again = bench.allow(&request).unwrap();
    assert!(!std::sync::Arc::ptr_eq(&first, &again));
}

#[test]
fn rfc8705_3_tokens_bound_to_certificates() {
    let bound = token(json!({ "cnf": { "x5t#S256": "abc" } }));
    let why = Bench::new().why(&Request::list().bearer(&bound));
    assert_eq!(why, (401, Refusal::Token(TokenProblem::CertificateBound)));
    assert_eq!(problem(json!({ "cnf": { "kid": "x" } })), ClaimsError::Confirmation.into());
}

#[test]
fn opaque_tokens_where_nobody_knows_them() {
    let why = Bench::new().why(&Request::list().bearer("opaque"));
    assert_eq!(why, (401, Refusal::Token(JwsError::Parts.into())));
}

#[test]
fn mcp_token_handling_the_log_names_both_audiences_and_issuers() {
    let report = |changes: Value| {
        let mut bench = Bench::new();
        let answer = bench.refuse(&Request::list().bearer(&token(changes)));
        let body = String::from_utf8(answer.body.clone()).unwrap();
        assert!(!body.contains("other.example.com"), "clients are not told: {body}");
        answer.report.unwrap().mismatch.map(|mismatch| mismatch.to_string())
    };
    let other = "https://other.example.com";
    for (changes, shown) in [
        (
            json!({ "aud": other }),
            "`aud` is https://other.example.com; it should be https://mcp.example.com/mcp",
        ),
        (json!({ "aud": ["a", "b"] }), "`aud` is a, b; it should be https://mcp.example.com/mcp"),
        (json!({ "aud": null }), "`aud` is missing; it should be https://mcp.example.com/mcp"),
        (
            json!({ "aud": "a\u{202e}\nb" }),
            "`aud` is a\u{fffd}\u{fffd}b; it should be https://mcp.example.com/mcp",
        ),
        (json!({ "iss": other }), "`iss` is https://other.example.com; it should be https://as.example.com"),
    ] {
        assert_eq!(report(changes.clone()).as_deref(), Some(shown), "{changes}");
    }
    let many = json!({ "aud": vec!["x".repeat(1_000); 20] });
    assert!(report(many).unwrap().len() < 2_000, "it is cut off");
    assert_eq!(report(json!({ "exp": START - 60 })), None, "nothing is wrong with its names");
    // What a token says of itself may be a token.
    let itself = token(json!({ "jti": "a" }));
    assert!(!report(json!({ "aud": itself })).unwrap().contains("eyJ"));
}
