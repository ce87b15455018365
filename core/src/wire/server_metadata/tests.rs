use super::*;
use crate::error::PeerIncompatible;
use crate::finding::JsonType;
use crate::wire::testing::{Answer, url};

const ISSUER: &str = "https://as.example.com/tenant1";

fn read_as(issuer: &str, json: &str, quirks: &Quirks) -> Result<Found<ServerMetadata>, Error> {
    let (resource, issuer) = (url("https://mcp.example.com/mcp"), Issuer::trusted(issuer));
    let rules = Rules {
        urls: &UrlPolicy::default(),
        resource: &resource,
        quirks,
        grant: GrantType::AuthorizationCode,
    };
    let asked = candidates(&issuer).unwrap().remove(0);
    read(&issuer, &asked, 0, &Answer::json(json).response(), rules, &mut Findings::new())
}

fn read_document(json: &str) -> Result<ServerMetadata, Error> {
    match read_as(ISSUER, json, &Quirks::none())? {
        Found::Document(document) => Ok(*document),
        other => panic!("{other:?}"),
    }
}

/// A good document with members replaced or removed (`null`).
fn with(changes: &str) -> String {
    let mut document = serde_json::json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://as.example.com/authorize?tenant=1",
        "token_endpoint": "https://as.example.com/token",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["plain", "S256"],
    });
    let changes: serde_json::Value = serde_json::from_str(changes).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    document.to_string()
}

fn urls(issuer: &str) -> Vec<String> {
    candidates(&Issuer::trusted(issuer)).unwrap().iter().map(Url::to_string).collect()
}

#[test]
fn mcp_discovery_order() {
    assert_eq!(
        urls("https://auth.example.com/tenant1"),
        [
            "https://auth.example.com/.well-known/oauth-authorization-server/tenant1",
            "https://auth.example.com/.well-known/openid-configuration/tenant1",
            "https://auth.example.com/tenant1/.well-known/openid-configuration",
        ]
    );
    for root in ["https://auth.example.com", "https://auth.example.com/"] {
        assert_eq!(
            urls(root),
            [
                "https://auth.example.com/.well-known/oauth-authorization-server",
                "https://auth.example.com/.well-known/openid-configuration",
            ]
        );
    }
    // RFC 8414 3.1: the slash at the end goes before inserting.
    assert_eq!(urls("https://h/a/")[0], "https://h/.well-known/oauth-authorization-server/a");
    assert_eq!(urls("https://h/a/")[2], "https://h/a/.well-known/openid-configuration");
}

#[test]
fn reads_what_a_client_acts_on() {
    let metadata = read_document(&with(
        r#"{"registration_endpoint":"https://as.example.com/register",
            "scopes_supported":["a","offline_access"],
            "token_endpoint_auth_methods_supported":["tls_client_auth","client_secret_post","none"],
            "authorization_response_iss_parameter_supported":true,
            "client_id_metadata_document_supported":true,
            "unknown":{"nested":[1,2,3]}}"#,
    ))
    .unwrap();
    assert_eq!(metadata.authorization_endpoint.as_ref().unwrap().query(), Some("tenant=1"));
    assert!(metadata.registration_endpoint.is_some() && metadata.offers_offline_access);
    assert!(metadata.iss_parameter_supported && metadata.client_id_metadata_document_supported);
    let methods = [ClientAuthMethod::SecretPost, ClientAuthMethod::None];
    assert_eq!(metadata.token_endpoint_auth_methods, methods);
}

#[test]
fn rfc8414_2_default_authentication() {
    let metadata = read_document(&with("{}")).unwrap();
    assert_eq!(metadata.token_endpoint_auth_methods, [ClientAuthMethod::SecretBasic]);
}

#[test]
fn rfc8414_3_3_issuer_must_be_identical() {
    for other in [
        "https://as.example.com",
        "https://as.example.com/tenant1/",
        "https://AS.example.com/tenant1",
        "https://evil",
    ] {
        assert_eq!(
            read_document(&with(&format!(r#"{{"issuer":"{other}"}}"#))),
            Err(PeerMisbehaved::IssuerMismatch {
                expected: PeerText::new(ISSUER),
                got: PeerText::new(other)
            }
            .into())
        );
    }
    assert_eq!(
        read_document(&with(r#"{"issuer":null}"#)),
        Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "issuer" }.into())
    );
}

#[test]
fn python_sdk_1919_quirk_issuer_trailing_slash() {
    let slashed = with(r#"{"issuer":"https://as.example.com/tenant1/"}"#);
    let Ok(Found::Document(found)) = read_as(ISSUER, &slashed, &Quirks::google()) else { panic!() };
    assert_eq!(found.issuer.as_str(), "https://as.example.com/tenant1/", "as the document writes it");
    assert!(read_as("https://as.example.com/x", &slashed, &Quirks::google()).is_err());
}

#[test]
fn rust_sdk_1047_quirk_issuer_absent() {
    let quirks = Quirks { issuer_absent: true, ..Quirks::none() };
    let Ok(Found::Document(found)) = read_as(ISSUER, &with(r#"{"issuer":null}"#), &quirks) else { panic!() };
    assert_eq!(found.issuer.as_str(), ISSUER);
    assert!(read_as(ISSUER, &with(r#"{"issuer":"https://evil"}"#), &quirks).is_err());
}

#[test]
fn mcp_authorization_code_protection_s256() {
    let refused = Err(PeerIncompatible::NoPkce { issuer: PeerText::new(ISSUER) }.into());
    for methods in ["null", "[]", r#"["plain"]"#, r#"["s256"]"#] {
        assert_eq!(
            read_document(&with(&format!(r#"{{"code_challenge_methods_supported":{methods}}}"#))),
            refused,
            "{methods}"
        );
    }
    let silent = with(r#"{"code_challenge_methods_supported":null}"#);
    assert!(read_as(ISSUER, &silent, &Quirks::entra()).is_ok());
}

#[test]
fn rfc8414_2_code_grant() {
    let refused =
        Err(PeerIncompatible::NoGrant { issuer: PeerText::new(ISSUER), grant: GrantType::AuthorizationCode }
            .into());
    assert_eq!(read_document(&with(r#"{"response_types_supported":["token"]}"#)), refused);
    assert_eq!(read_document(&with(r#"{"grant_types_supported":["client_credentials"]}"#)), refused);
    assert!(read_document(&with(r#"{"response_types_supported":null}"#)).is_ok());
}

#[test]
fn cve_2025_6514_endpoints_pass_the_url_policy() {
    for (bad, problem) in [
        ("javascript:alert(document.cookie)", UrlProblem::Scheme),
        ("file:///C:/Windows/System32/calc.exe", UrlProblem::Scheme),
        ("ms-appinstaller:x", UrlProblem::Scheme),
        ("http://as.example.com/authorize", UrlProblem::Insecure),
        ("https://192.168.0.1/", UrlProblem::PrivateHost),
        ("https://127.0.0.1/", UrlProblem::PrivateHost),
        ("http://169.254.169.254/latest/meta-data", UrlProblem::Insecure),
        ("https://user@as.example.com/", UrlProblem::UserInfo),
        ("https://as.example.com/#$(calc)", UrlProblem::Fragment),
        ("relative", UrlProblem::Syntax),
    ] {
        for field in ["authorization_endpoint", "token_endpoint"] {
            assert_eq!(
                read_document(&with(&format!(r#"{{"{field}":"{bad}"}}"#))),
                Err(PeerMisbehaved::Url { field, problem }.into()),
                "{bad}"
            );
        }
        let document = read_document(&with(&format!(r#"{{"registration_endpoint":"{bad}"}}"#))).unwrap();
        assert_eq!(document.registration_endpoint, None, "{bad}: not used, and it need not be");
    }
    let field = "token_endpoint";
    assert_eq!(
        read_document(&with(r#"{"token_endpoint":null}"#)),
        Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field }.into())
    );
}

#[test]
fn rfc8414_2_issuers_have_no_query() {
    let resource = url("https://mcp.example.com/mcp");
    let read = |text| Issuer::read(text, &UrlPolicy::default(), &resource);
    assert_eq!(
        read("https://as.example.com/?a"),
        Err(PeerMisbehaved::Url { field: "issuer", problem: UrlProblem::Query })
    );
    assert_eq!(
        read("https://as.example.com#a"),
        Err(PeerMisbehaved::Url { field: "issuer", problem: UrlProblem::Fragment })
    );
    assert_eq!(read("https://as.example.com/").unwrap().as_str(), "https://as.example.com/");
}

#[test]
fn hostile_documents() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for name in ["x", "revocation_endpoint", "scopes_supported"] {
        let document = format!(r#"{{"{name}":{deep},{}"#, &with("{}")[1..]);
        assert!(read_document(&document).is_ok(), "{name}: no recursion");
    }
    let nothing = |json: &str| match read_as(ISSUER, json, &Quirks::none()) {
        Ok(Found::Nothing(Error::PeerMisbehaved(why))) => why,
        other => panic!("{other:?}"),
    };
    assert!(matches!(nothing(&with("{}")[..40]), PeerMisbehaved::Json { line: 1, column: 40, .. }));
    let large = format!("{}{}", with("{}"), " ".repeat(limits::DOCUMENT_BODY));
    let limit = limits::DOCUMENT_BODY;
    assert_eq!(nothing(&large), PeerMisbehaved::BodyTooLarge { exchange: EXCHANGE, limit });
    let missing = |field| PeerMisbehaved::MissingField { exchange: EXCHANGE, field };
    assert_eq!(nothing("{}"), missing("issuer"));
    assert_eq!(nothing(&format!(r#"{{"issuer":"{ISSUER}"}}"#)), missing("token_endpoint"));
    assert_eq!(nothing("[]"), PeerMisbehaved::NotAnObject { exchange: EXCHANGE, got: JsonType::Array });
}

#[test]
fn fallback_endpoints_are_at_the_origin() {
    let metadata = fallback(&url("https://api.example.com:8443/v1/mcp?x=y"));
    assert_eq!(metadata.issuer.as_str(), "https://api.example.com:8443");
    assert_eq!(metadata.authorization_endpoint.unwrap().as_str(), "https://api.example.com:8443/authorize");
    assert_eq!(metadata.token_endpoint.as_str(), "https://api.example.com:8443/token");
    assert_eq!(metadata.registration_endpoint.unwrap().as_str(), "https://api.example.com:8443/register");
}
