use super::*;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::testing::{Answer, url};
use crate::wire::token::Grant;

const EXCHANGE: Exchange = Exchange::RefreshToken;

fn read_with(answer: &Answer, quirks: &Quirks) -> Result<Issued, Error> {
    let endpoint = url("https://as/token");
    let client = Client::confidential("id", Secret::from("client-secret"), ClientAuthMethod::SecretPost);
    let refresh_token = Secret::from("refresh-secret");
    let grant = Grant::RefreshToken { refresh_token: &refresh_token };
    let request = TokenRequest {
        endpoint: &endpoint,
        client: &client,
        grant,
        resource: None,
        assertion: None,
        proof: None,
    };
    read(&request, &answer.response(), quirks)
}

fn read_json(body: &str) -> Result<Issued, Error> {
    read_with(&Answer::json(body), &Quirks::none())
}

fn refused(code: &str, description: Option<&str>) -> Result<Issued, Error> {
    Err(Refused::Token { code: PeerText::new(code), description: description.map(PeerText::new) }.into())
}

fn misbehaved(error: PeerMisbehaved) -> Result<Issued, Error> {
    Err(error.into())
}

#[test]
fn rfc6749_5_1_answer() {
    let issued = read_json(
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bEaReR","expires_in":3600,
            "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","scope":"a b","example_parameter":"x"}"#,
    )
    .unwrap();
    assert_eq!(issued.access_token.expose(), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(issued.expires_in_s, Some(3600));
    assert_eq!(issued.refresh_token.unwrap().expose(), "tGzv3JOkF0XG5Qx2TlKWIA");
    assert_eq!(issued.scope.unwrap().to_string(), "a b");
}

#[test]
fn rfc6749_5_1_optional_members() {
    let issued =
        read_json(r#"{"access_token":"t","token_type":"Bearer","refresh_token":null,"scope":null}"#).unwrap();
    assert_eq!((issued.expires_in_s, issued.refresh_token, issued.scope), (None, None, None));
}

#[test]
fn rfc6749_5_1_required_members() {
    let missing = |field| misbehaved(PeerMisbehaved::MissingField { exchange: EXCHANGE, field });
    assert_eq!(read_json(r#"{"token_type":"Bearer"}"#), missing("access_token"));
    assert_eq!(read_json(r#"{"access_token":"t"}"#), missing("token_type"));
}

#[test]
fn rfc6749_7_1_token_type() {
    let expected = Err(PeerIncompatible::TokenType { got: PeerText::new("mac") }.into());
    assert_eq!(read_json(r#"{"access_token":"t","token_type":"mac"}"#), expected);
}

#[test]
fn rfc6749_5_2_errors() {
    let answer =
        Answer::new(400, "application/json", r#"{"error":"invalid_grant","error_description":"used"}"#);
    assert_eq!(read_with(&answer, &Quirks::none()), refused("invalid_grant", Some("used")));
    let answer = Answer::new(401, "application/json", r#"{"error":"invalid_client"}"#);
    assert_eq!(read_with(&answer, &Quirks::none()), refused("invalid_client", None));
    let answer = Answer::new(404, "text/html", "<html>");
    assert_eq!(
        read_with(&answer, &Quirks::none()),
        misbehaved(PeerMisbehaved::Status { exchange: EXCHANGE, status: 404 })
    );
    let answer = Answer::new(503, "text/html", "").header("retry-after", "30");
    assert_eq!(
        read_with(&answer, &Quirks::none()),
        Err(Refused::Unavailable { exchange: EXCHANGE, status: 503, retry_after_s: Some(30) }.into())
    );
}

#[test]
fn secrets_that_a_server_echoes_are_not_shown() {
    let answer = Answer::new(
        400,
        "application/json",
        r#"{"error":"refresh-secret","error_description":"refresh-secret of client-secret is used"}"#,
    );
    assert_eq!(read_with(&answer, &Quirks::none()), refused("…", Some("… of … is used")));
    let answer = Answer::json(r#"{"access_token":"t","token_type":"client-secret"}"#);
    let got = PeerText::new("…");
    assert_eq!(read_with(&answer, &Quirks::none()), Err(PeerIncompatible::TokenType { got }.into()));
    let answer = Answer::new(200, "text/refresh-secret", "");
    let got = PeerText::new("text/…");
    assert_eq!(
        read_with(&answer, &Quirks::none()),
        misbehaved(PeerMisbehaved::ContentType { exchange: EXCHANGE, got })
    );
}

#[test]
fn token_endpoints_never_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let answer = Answer::new(status, "", "").header("location", "https://as/token2");
        let problem = RedirectProblem::Unexpected;
        assert_eq!(
            read_with(&answer, &Quirks::none()),
            misbehaved(PeerMisbehaved::Redirect { exchange: EXCHANGE, problem })
        );
    }
}

#[test]
fn tokens_that_no_header_may_carry() {
    let unacceptable = |field| misbehaved(PeerMisbehaved::Unacceptable { exchange: EXCHANGE, field });
    let long = "x".repeat(limits::CREDENTIAL + 1);
    for token in ["", "a b", "a\\r\\nX-Evil: 1", "ü", "\\u0000", &long] {
        let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#);
        assert_eq!(read_json(&body), unacceptable("access_token"), "{token}");
    }
    let body = format!(r#"{{"access_token":"t","token_type":"Bearer","refresh_token":"{long}"}}"#);
    assert_eq!(read_json(&body), unacceptable("refresh_token"));
}

#[test]
fn lifetimes() {
    let lifetime = |text: &str| {
        read_json(&format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{text}}}"#))
            .map(|issued| issued.expires_in_s)
    };
    assert_eq!(lifetime("0"), Ok(Some(0)));
    assert_eq!(lifetime("-1"), Ok(Some(0)));
    assert_eq!(lifetime("3600.9"), Ok(Some(3600)));
    assert_eq!(lifetime("99999999999999999999"), Ok(Some(limits::LIFETIME_S)));
    assert_eq!(lifetime("1e300"), Ok(Some(limits::LIFETIME_S)));
    let field = "expires_in";
    assert_eq!(
        lifetime("\"3600\"").unwrap_err(),
        PeerMisbehaved::Unacceptable { exchange: EXCHANGE, field }.into()
    );
    assert!(lifetime("true").is_err() && lifetime("\"soon\"").is_err());
}

#[test]
fn oauth2_rs_85_quirk_numbers_as_strings() {
    let quirks = Quirks { numbers_as_strings: true, ..Quirks::none() };
    let answer = Answer::json(r#"{"access_token":"t","token_type":"Bearer","expires_in":"3600"}"#);
    assert_eq!(read_with(&answer, &quirks).unwrap().expires_in_s, Some(3600));
}

#[test]
fn oauth2_rs_86_quirk_scope_as_array() {
    let answer = Answer::json(r#"{"access_token":"t","token_type":"Bearer","scope":["a","b"]}"#);
    assert_eq!(read_with(&answer, &Quirks::none()), misbehaved(PeerMisbehaved::Scope { exchange: EXCHANGE }));
    let quirks = Quirks { scope_as_array: true, ..Quirks::none() };
    assert_eq!(read_with(&answer, &quirks).unwrap().scope.unwrap().to_string(), "a b");
}

#[test]
fn python_sdk_2684_quirk_github() {
    let body = "access_token=gho_x&expires_in=28800&scope=repo%2Cgist&token_type=bearer";
    let answer = Answer::new(200, "application/x-www-form-urlencoded; charset=utf-8", body);
    let got = PeerText::new("application/x-www-form-urlencoded");
    assert_eq!(
        read_with(&answer, &Quirks::none()),
        misbehaved(PeerMisbehaved::ContentType { exchange: EXCHANGE, got })
    );
    let issued = read_with(&answer, &Quirks::github()).unwrap();
    assert_eq!(issued.access_token.expose(), "gho_x");
    assert_eq!(issued.expires_in_s, Some(28800));
    assert_eq!(issued.scope.unwrap().to_string(), "repo gist");
}

#[test]
fn quirk_slack() {
    let failed = Answer::json(r#"{"ok":false,"error":"invalid_code"}"#);
    let missing = PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "access_token" };
    assert_eq!(read_with(&failed, &Quirks::none()), misbehaved(missing));
    assert_eq!(read_with(&failed, &Quirks::slack()), refused("invalid_code", None));
    let nested = Answer::json(
        r#"{"ok":true,"access_token":"xoxb-bot","token_type":"bot",
            "authed_user":{"id":"U1","access_token":"xoxp-user","token_type":"Bearer","scope":"a,b"}}"#,
    );
    let issued = read_with(&nested, &Quirks::slack()).unwrap();
    assert_eq!(issued.access_token.expose(), "xoxp-user");
    assert_eq!(issued.scope.unwrap().to_string(), "a b");
}

#[test]
fn hostile_bodies() {
    let large = format!("{{{}", " ".repeat(limits::TOKEN_BODY));
    assert_eq!(
        read_json(&large),
        misbehaved(PeerMisbehaved::BodyTooLarge { exchange: EXCHANGE, limit: limits::TOKEN_BODY })
    );
    let cut = r#"{"access_token":"planted-secret","token_type":"Bea"#;
    let error = read_json(cut).unwrap_err();
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::Json { exchange: EXCHANGE, .. })));
    let wrong_type = read_json(r#"{"access_token":{"planted-secret":1},"token_type":"planted-secret"}"#);
    assert!(!format!("{:?} {}", wrong_type, wrong_type.as_ref().unwrap_err()).contains("planted"));
    let mut not_utf8 = Answer::json(r#"{"access_token":"t"}"#);
    not_utf8.body.push(0xff);
    assert_eq!(
        read_with(&not_utf8, &Quirks::none()),
        misbehaved(PeerMisbehaved::Utf8 { exchange: EXCHANGE })
    );
    let html = Answer::new(200, "text/html", "<html>");
    let got = PeerText::new("text/html");
    assert_eq!(
        read_with(&html, &Quirks::none()),
        misbehaved(PeerMisbehaved::ContentType { exchange: EXCHANGE, got })
    );
}
