use super::*;
use crate::error::Exchange;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::testing::{Answer, url};
use crate::wire::token::Grant;

const EXCHANGE: Exchange = Exchange::RefreshToken;

fn read_with(answer: &Answer, quirks: &Quirks) -> Result<Issued, Error> {
    read_noting(answer, quirks, &mut Findings::new())
}

fn read_noting(answer: &Answer, quirks: &Quirks, findings: &mut Findings) -> Result<Issued, Error> {
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
    read(&request, &answer.response(), quirks, findings)
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
    let unusable =
        |problem| misbehaved(PeerMisbehaved::Unusable { exchange: EXCHANGE, field: "access_token", problem });
    let long = "x".repeat(limits::CREDENTIAL + 1);
    for token in ["a b", "a\\r\\nX-Evil: 1", "ü", "\\u0000"] {
        let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#);
        assert_eq!(read_json(&body), unusable(Problem::Malformed), "{token}");
    }
    let body = format!(r#"{{"access_token":"{long}","token_type":"Bearer"}}"#);
    assert_eq!(read_json(&body), unusable(Problem::TooLarge));
    let body = format!(r#"{{"access_token":"t","token_type":"Bearer","refresh_token":"{long}"}}"#);
    assert_eq!(read_json(&body).unwrap().refresh_token, None, "the access token is good");
}

#[test]
fn lifetimes() {
    let lifetime = |text: &str| {
        read_json(&format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{text}}}"#))
            .unwrap()
            .expires_in_s
    };
    assert_eq!(lifetime("0"), Some(0));
    assert_eq!(lifetime("3600.9"), Some(3600));
    for long in ["99999999999999999999", "1e300", "1e999", "\"1e300\""] {
        assert_eq!(lifetime(long), Some(limits::LIFETIME_S), "{long}");
    }
    // oauth2-rs#85: there is one way to read them.
    for text in ["\"3600\"", "\" 3600 \"", "\"3600.0\"", "3.6e3"] {
        assert_eq!(lifetime(text), Some(3600), "{text}");
    }
    for none in
        ["-1", "true", "\"soon\"", "\"\"", "\"NaN\"", "\"inf\"", "\"+\"", "[]", "{}", "null", "\"3600 s\""]
    {
        assert_eq!(lifetime(none), None, "{none}");
    }
}

#[test]
fn oauth2_rs_86_scope_as_array() {
    let scope = |text: &str| {
        read_json(&format!(r#"{{"access_token":"t","token_type":"Bearer","scope":{text}}}"#))
            .unwrap()
            .scope
            .map(|scope| scope.to_string())
    };
    assert_eq!(scope(r#"["a","b"]"#).as_deref(), Some("a b"));
    assert_eq!(scope(r#"["a b","c"]"#).as_deref(), Some("a b c"));
    assert_eq!(scope(r#"["a",1,"ü"]"#).as_deref(), Some("a"));
    assert_eq!(scope(r#""a ü""#).as_deref(), Some("a"));
    for none in ["7", "{}", "[]", "\"\"", "\" \"", "[1]", "\"ü\""] {
        assert_eq!(scope(none), None, "{none}");
    }
}

#[test]
fn good_answers_with_another_good_status() {
    for status in [201, 202, 203, 226] {
        let body = r#"{"access_token":"t","token_type":"Bearer"}"#;
        let answer = Answer::new(status, "application/json", body);
        let mut findings = Findings::new();
        assert!(read_noting(&answer, &Quirks::none(), &mut findings).is_ok(), "{status}");
        assert_eq!(findings.iter().next().unwrap().problem, Problem::Status(status));
    }
    for status in [204, 205, 206] {
        let status_error = misbehaved(PeerMisbehaved::Status { exchange: EXCHANGE, status });
        assert_eq!(read_with(&Answer::new(status, "application/json", ""), &Quirks::none()), status_error);
    }
}

#[test]
fn python_sdk_2684_quirk_github() {
    let body = "access_token=gho_x&expires_in=28800&scope=repo%2Cgist&token_type=bearer";
    let answer = Answer::new(200, "application/x-www-form-urlencoded; charset=utf-8", body);
    assert_eq!(read_with(&answer, &Quirks::none()).unwrap().scope.unwrap().to_string(), "repo,gist");
    let issued = read_with(&answer, &Quirks::github()).unwrap();
    assert_eq!(issued.access_token.expose(), "gho_x");
    assert_eq!(issued.expires_in_s, Some(28800));
    assert_eq!(issued.scope.unwrap().to_string(), "repo gist");
}

#[test]
fn form_encoded_answers_are_read_like_others() {
    let form = |body: &str| Answer::new(200, "application/x-www-form-urlencoded", body);
    let token = |body: &str| read_with(&form(body), &Quirks::none()).map(|issued| issued.access_token);
    assert_eq!(token("access_token=t&token_type=bearer&expires_in=soon"), Ok(Secret::from("t")));
    assert_eq!(token("access_token=%22%5C%0A&token_type=bearer").unwrap_err(), {
        let (field, problem) = ("access_token", Problem::Malformed);
        PeerMisbehaved::Unusable { exchange: EXCHANGE, field, problem }.into()
    });
    assert_eq!(token("access_token=a&access_token=b&token_type=bearer").unwrap_err(), {
        let (field, problem) = ("access_token", Problem::Contradictory);
        PeerMisbehaved::Unusable { exchange: EXCHANGE, field, problem }.into()
    });
    assert_eq!(token("").unwrap_err(), {
        PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "access_token" }.into()
    });
    let malformed = PeerMisbehaved::Form { exchange: EXCHANGE };
    assert_eq!(token("access_token=%ff").unwrap_err(), malformed.clone().into());
    assert_eq!(token(&"a=b&".repeat(limits::FORM_PARAMS + 1)).unwrap_err(), malformed.into());
    assert_eq!(
        token("error=bad_verification_code").map(drop),
        refused("bad_verification_code", None).map(drop)
    );
}

#[test]
fn quirk_slack() {
    let failed = Answer::json(r#"{"ok":false,"error":"invalid_code"}"#);
    for quirks in [Quirks::none(), Quirks::slack()] {
        assert_eq!(read_with(&failed, &quirks), refused("invalid_code", None));
    }
    let both = Answer::json(r#"{"ok":false,"access_token":"t","token_type":"Bearer"}"#);
    assert!(read_with(&both, &Quirks::none()).is_ok());
    assert_eq!(read_with(&both, &Quirks::slack()), refused("unspecified", None));
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
