use super::check::Clock;
use super::*;

fn claims(json: &str) -> Claims<'_> {
    Claims::parse(json.as_bytes()).unwrap()
}

fn times(json: &str, unix_s: u64) -> Result<u64, ClaimsError> {
    claims(json).check_times(Clock { unix_s, leeway_s: 10 }).map(|times| times.expires.floor_s())
}

#[test]
fn rfc7519_4_claims_once() {
    let error = |json: &str| Claims::parse(json.as_bytes()).unwrap_err();
    assert_eq!(error(r#"{"aud":"a","aud":"b"}"#), ClaimsError::Repeated);
    assert_eq!(error(r#"{"aud":"a","\u0061ud":"b"}"#), ClaimsError::Repeated);
    assert_eq!(error(r#"{"x":1,"x":1}"#), ClaimsError::Repeated, "unknown ones too");
    assert_eq!(error("[]"), ClaimsError::Syntax);
    let many: Vec<String> = (0..=limits::JSON_MEMBERS).map(|n| format!(r#""m{n}":{n}"#)).collect();
    assert_eq!(error(&format!("{{{}}}", many.join(","))), ClaimsError::TooLarge);
}

#[test]
fn rfc7519_4_1_1_issuer() {
    let check = |json| claims(json).check_issuer("https://as.example.com");
    assert_eq!(check(r#"{"iss":"https://as.example.com"}"#), Ok(()));
    assert_eq!(check(r#"{"iss":"https://as.example.com/"}"#), Err(ClaimsError::Issuer));
    assert_eq!(check(r#"{"iss":"https://AS.example.com"}"#), Err(ClaimsError::Issuer));
    assert_eq!(check("{}"), Err(ClaimsError::Missing { claim: "iss" }));
    assert_eq!(check(r#"{"iss":null}"#), Err(ClaimsError::Missing { claim: "iss" }));
    assert_eq!(check(r#"{"iss":["https://as.example.com"]}"#), Err(ClaimsError::WrongType { claim: "iss" }));
}

#[test]
fn rfc7519_4_1_3_audience() {
    let check = |json| claims(json).check_audience(|own| ["https://h/mcp", "https://h/mcp/"].contains(&own));
    assert_eq!(check(r#"{"aud":"https://h/mcp"}"#), Ok(()));
    assert_eq!(check(r#"{"aud":["https://x","https://h/mcp/"]}"#), Ok(()));
    for other in [
        r#"{"aud":"https://h"}"#,
        r#"{"aud":"https://h/mcp2"}"#,
        r#"{"aud":"https://h/mcp/x"}"#,
        r#"{"aud":"https://x.h/mcp"}"#,
        r#"{"aud":"https://h.evil/mcp"}"#,
        r#"{"aud":"https://h/mcp https://x"}"#,
        r#"{"aud":"*"}"#,
        r#"{"aud":["https://h"]}"#,
    ] {
        assert_eq!(check(other), Err(ClaimsError::Audience), "{other}");
    }
    assert_eq!(check("{}"), Err(ClaimsError::Missing { claim: "aud" }));
    assert_eq!(check(r#"{"aud":[]}"#), Err(ClaimsError::Missing { claim: "aud" }));
    assert_eq!(check(r#"{"aud":1}"#), Err(ClaimsError::WrongType { claim: "aud" }));
    assert_eq!(check(r#"{"aud":["https://h/mcp",1]}"#), Err(ClaimsError::WrongType { claim: "aud" }));
    let many = format!(r#"{{"aud":[{}]}}"#, vec![r#""https://h/mcp""#; limits::AUDIENCES + 1].join(","));
    let many = Claims::parse(many.as_bytes()).unwrap().check_audience(|own| own == "https://h/mcp");
    assert_eq!(many, Err(ClaimsError::WrongType { claim: "aud" }));
}

#[test]
fn rfc7519_4_1_4_expiry() {
    assert_eq!(times(r#"{"exp":100}"#, 109), Ok(100));
    assert_eq!(times(r#"{"exp":100}"#, 110), Err(ClaimsError::Expired), "on or after");
    assert_eq!(times("{}", 0), Err(ClaimsError::Missing { claim: "exp" }));
    assert_eq!(times(r#"{"exp":-1}"#, 20), Err(ClaimsError::Expired));
    assert_eq!(times(r#"{"exp":100}"#, u64::MAX), Err(ClaimsError::Expired));
}

#[test]
fn rfc7519_4_1_5_not_before() {
    assert_eq!(times(r#"{"exp":900,"nbf":110}"#, 100), Ok(900));
    assert_eq!(times(r#"{"exp":900,"nbf":111}"#, 100), Err(ClaimsError::NotYetValid));
    assert_eq!(times(r#"{"exp":900,"nbf":110.5}"#, 100), Err(ClaimsError::NotYetValid));
    assert_eq!(times(r#"{"exp":900,"nbf":-5}"#, 100), Ok(900));
}

#[test]
fn rfc7519_4_1_6_issued_at() {
    assert_eq!(times(r#"{"exp":900,"iat":110}"#, 100), Ok(900));
    assert_eq!(times(r#"{"exp":900,"iat":111}"#, 100), Err(ClaimsError::IssuedInFuture));
    assert_eq!(times(r#"{"exp":900,"iat":"1"}"#, 100), Err(ClaimsError::WrongType { claim: "iat" }));
}

#[test]
fn rfc7519_2_numeric_dates() {
    assert_eq!(times(r#"{"exp":100.75}"#, 50), Ok(100));
    assert_eq!(times(r#"{"exp":1.0e2}"#, 50), Ok(100));
    for bad in [r#""100""#, "true", "[100]", "{}", "1e999"] {
        let json = format!(r#"{{"exp":{bad}}}"#);
        assert_eq!(times(&json, 50), Err(ClaimsError::WrongType { claim: "exp" }), "{bad}");
    }
    for huge in ["1800000000000", "253402300800", "9223372036854775807", "18446744073709551616", "1e300"] {
        let json = format!(r#"{{"exp":{huge}}}"#);
        assert_eq!(times(&json, 50), Err(ClaimsError::TimeRange { claim: "exp" }), "{huge}");
    }
    assert_eq!(times(r#"{"exp":253402300799}"#, 50), Ok(253_402_300_799));
    let before = claims(r#"{"exp":-0.5}"#).time("exp").unwrap().unwrap();
    assert_eq!((before.floor_s(), before.ceil_s()), (0, 0));
}

#[test]
fn rfc8693_4_2_scopes() {
    let scopes = |json| claims(json).scopes().map(|scopes| scopes.to_string());
    assert_eq!(scopes(r#"{"scope":"a b"}"#), Ok("a b".into()));
    assert_eq!(scopes(r#"{"scope":["a","b"]}"#), Ok("a b".into()));
    assert_eq!(scopes(r#"{"scp":["a"]}"#), Ok("a".into()));
    assert_eq!(scopes(r#"{"scp":"a b"}"#), Ok("a b".into()));
    assert_eq!(scopes(r#"{"scope":"a","scp":"b"}"#), Ok("a".into()), "scope goes first");
    assert_eq!(scopes("{}"), Ok(String::new()));
    assert_eq!(scopes(r#"{"scope":["a b"]}"#), Err(ClaimsError::Scope));
    assert_eq!(scopes(r#"{"scope":"ü"}"#), Err(ClaimsError::Scope));
    assert_eq!(scopes(r#"{"scope":{"a":1}}"#), Err(ClaimsError::WrongType { claim: "scope" }));
}

#[test]
fn rfc7800_3_1_confirmation() {
    let cnf = |json| claims(json).confirmation();
    assert_eq!(cnf("{}"), Ok(Confirmation::None));
    assert_eq!(cnf(r#"{"cnf":{"jkt":"a"}}"#), Ok(Confirmation::Jkt("a".into())));
    assert_eq!(cnf(r#"{"cnf":{"x5t#S256":"a"}}"#), Ok(Confirmation::Certificate("a".into())));
    assert_eq!(cnf(r#"{"cnf":{"kid":"a"}}"#), Err(ClaimsError::Confirmation));
    assert_eq!(cnf(r#"{"cnf":{}}"#), Err(ClaimsError::Confirmation));
    for bad in [r#"{"cnf":"a"}"#, r#"{"cnf":{"jkt":1}}"#, r#"{"cnf":{"jkt":"a","jkt":"b"}}"#] {
        assert_eq!(cnf(bad), Err(ClaimsError::WrongType { claim: "cnf" }), "{bad}");
    }
}
