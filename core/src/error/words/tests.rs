use super::*;
use crate::error::Exchange;
use crate::wire::http::HttpRequest;
use crate::wire::testing::{Answer, url};

const JSON: &str = "application/json";

/// What was sent: a form with secrets in it, and one that may be named.
fn sent() -> Sent {
    let body = "grant_type=authorization_code&code=planted-code-1&client_id=my-client&client_secret=planted%2Fsecret";
    let request = HttpRequest::post(
        Exchange::CodeToken,
        url("https://as.example.com/token"),
        form::CONTENT_TYPE,
        Secret::from(body),
    );
    Sent::of(&request)
}

fn words_of(answer: &Answer) -> String {
    of(&answer.response(), &sent()).map(|words| words.as_str().to_owned()).unwrap_or_default()
}

fn words(status: u16, kind: &'static str, body: &str) -> String {
    words_of(&Answer::new(status, kind, body))
}

/// Answers of a shape, and what is told of them.
#[track_caller]
fn assert_told(shapes: &[(&str, &str)]) {
    for (body, told) in shapes {
        assert_eq!(words(400, JSON, body), *told, "{body}");
    }
}

#[test]
fn rfc6749_5_2_error_and_description() {
    assert_told(&[
        (r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        (r#"{"error":"invalid_grant","error_description":"expired"}"#, "invalid_grant: expired"),
        (r#"{"error_description":"expired"}"#, "expired"),
        (r#"{"error":"Missing client_id"}"#, "Missing client_id"),
        (
            r#"{"error":"x","error_description":"y","error_uri":"https://as.example.com/help"}"#,
            "x: y (https://as.example.com/help)",
        ),
        (r#"{"error":"x","error_uri":"javascript:alert(1)"}"#, "x"),
        ("\u{feff} {\"error\":\"x\"}", "x"),
        (r#"{"error":"","error_description":"  "}"#, ""),
    ]);
}

#[test]
fn rfc9457_problem_details() {
    assert_told(&[
        (
            r#"{"type":"https://x/out-of-credit","title":"Not possible.","detail":"It costs 50.","status":400}"#,
            "It costs 50.; Not possible.",
        ),
        (r#"{"title":"Bad Request"}"#, "Bad Request"),
        (r#"{"detail":"Not authenticated"}"#, "Not authenticated"),
    ]);
}

#[test]
fn objects_under_error_as_google_and_gateways_have_them() {
    assert_told(&[
        (r#"{"error":{"code":400,"message":"Invalid scope","status":"INVALID_ARGUMENT"}}"#, "Invalid scope"),
        (r#"{"error":{"code":"invalid_client","message":"unknown"}}"#, "invalid_client: unknown"),
        (r#"{"error":{"type":"invalid_request","reason":"no"}}"#, "no"),
        (
            r#"{"fault":{"faultstring":"Invalid token","detail":{"errorcode":"oauth.v2.Bad"}}}"#,
            "oauth.v2.Bad: Invalid token",
        ),
        (r#"{"error":[{"message":"one"},{"message":"two"}]}"#, "one; two"),
    ]);
}

#[test]
fn lists_and_objects_of_errors() {
    assert_told(&[
        (r#"{"errors":["first","second"]}"#, "first; second"),
        (r#"{"errors":[{"code":"E1","message":"first"},{"message":"second"}]}"#, "E1: first; second"),
        (
            r#"{"errors":{"redirect_uris":["must be https","too many"]}}"#,
            "redirect_uris: must be https; too many",
        ),
        (r#"{"errors":{"message":"no"}}"#, "no"),
        (r#"["one","two"]"#, "one; two"),
        (r#""a text alone""#, "a text alone"),
        (r#"{"violations":[{"field":"client_name","message":"is empty"}]}"#, "client_name: is empty"),
        (&format!(r#"{{"errors":[{}"x"]}}"#, r#""y","#.repeat(100)), "y"),
    ]);
}

#[test]
fn frameworks_in_their_own_case() {
    assert_told(&[
        (r#"{"message":"Forbidden"}"#, "Forbidden"),
        (r#"{"Message":"Forbidden"}"#, "Forbidden"),
        (r#"{"msg":"no","code":"bad_jwt","error_code":"bad_jwt"}"#, "bad_jwt: no"),
        (
            r#"{"errorCode":"E0000021","errorSummary":"Bad request.","errorCauses":[{"errorSummary":"cause"}]}"#,
            "E0000021: Bad request.; cause",
        ),
        (
            r#"{"message":["name must be set","name must be a string"]}"#,
            "name must be set; name must be a string",
        ),
        (
            r#"{"detail":[{"loc":["body","client_id"],"msg":"field required","type":"missing"}]}"#,
            "body.client_id: field required",
        ),
        (r#"{"errorMessage":"refused","errorDescription":"not you"}"#, "not you; refused"),
        (r#"{"message":"{\"error\":\"inner\",\"error_description\":\"handed on\"}"}"#, "inner: handed on"),
    ]);
}

#[test]
fn forms_plain_texts_pages_and_xml() {
    let form = "error=bad_verification_code&error_description=The+code+is+incorrect&error_uri=x";
    assert_eq!(words(200, form::CONTENT_TYPE, form), "bad_verification_code: The code is incorrect");
    assert_eq!(words(400, "text/plain", form), "bad_verification_code: The code is incorrect");
    assert_eq!(words(400, "text/plain; charset=utf-8", "upstream connect\n error"), "upstream connect error");
    assert_eq!(words(502, "", "no healthy upstream"), "no healthy upstream");
    let page = "<!DOCTYPE html><html lang=en><head><TITLE dir=ltr>Sign in &amp; up &#39;now&#39;</TITLE></head><body><h1 class=x>Hello <b>you</b></h1>planted</body>";
    assert_eq!(words(200, "text/html", page), "Sign in & up 'now'; Hello you");
    assert_eq!(words(403, "text/html", "<html><h1>403</h1>"), "403");
    let xml =
        "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    assert_eq!(words(403, "application/xml", xml), "Access Denied");
}

#[test]
fn redirects_and_challenges_where_there_is_no_body() {
    let answer =
        Answer::new(302, "", "").header("location", "https://login.example.com/start?code=planted#x");
    assert_eq!(words_of(&answer), "go to https://login.example.com/start");
    let challenge = r#"Bearer error="invalid_token", error_description="no such token""#;
    let answer = Answer::new(401, "", "").header("www-authenticate", challenge);
    assert_eq!(words_of(&answer), "invalid_token: no such token");
}

#[test]
fn what_was_sent_or_issued_is_never_told() {
    for body in [
        r#"{"error":"planted-code-1"}"#,
        r#"{"error":"x","error_description":"code planted-code-1 is unknown"}"#,
        r#"{"error":"x","error_description":"code planted%2Dcode%2D1"}"#,
        r#"{"error":"x","error_description":"secret planted/secret"}"#,
        r#"{"error":"x","error_description":"secret planted%2fsecret"}"#,
        r#"{"errors":{"planted-code-1":["no"]}}"#,
        r#"{"detail":[{"loc":["planted-code-1"],"msg":"no"}]}"#,
        r#"{"error":"x","request":{"code":"planted-code-1"},"input":"planted","trace":"planted"}"#,
        r#"{"error":"x","message":"issued planted-token-9","access_token":"planted-token-9"}"#,
        r#"{"message":"{\"error\":\"planted-code-1\"}"}"#,
        "the code planted-code-1 is unknown",
        "<title>planted-code-1</title>",
        "error=planted-code-1&error_description=planted-code-1",
        "error=x&error_description=planted-token-8&access_token=planted-token-8",
    ] {
        for status in [200, 400, 500] {
            let told = words(status, JSON, body);
            assert!(!told.contains("planted") && !told.contains("lanted"), "{status} {body}: {told}");
            assert!(!told.contains("-code-") && !told.contains("secret p"), "{body}: {told}");
        }
    }
    let basic = words(401, "text/plain", "bad credentials bXktY2xpZW50OnBsYW50ZWQvc2VjcmV0");
    assert!(!basic.contains("ZWQvc2VjcmV0"), "{basic}");
}

#[test]
fn a_good_answer_has_no_words_and_its_content_is_never_told() {
    for body in [
        r#"{"access_token":"planted","message":"ok"}"#,
        "planted",
        "access_token=planted&scope=x",
        "\"planted\"",
    ] {
        for kind in [JSON, "text/plain", form::CONTENT_TYPE] {
            let told = words(200, kind, body);
            assert!(!told.contains("planted"), "{kind} {body}: {told}");
        }
    }
}

#[test]
fn words_are_clean_and_bounded() {
    let told = words(400, JSON, r#"{"error":"x","message":"a\u001b[31mb\n\u202ec"}"#);
    assert_eq!(told, "x: a\u{fffd}[31mb \u{fffd}c");
    let long = words(400, "text/plain", &"word ".repeat(100_000));
    assert!(long.chars().count() <= limits::PEER_TEXT_CHARS + 1, "{long}");
    assert_eq!(words(400, "application/octet-stream", "\u{1}\u{2}\u{3}"), "");
    let deep = format!("{}\"x\"{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(words(400, JSON, &deep), "");
    assert_eq!(words(400, JSON, &"[".repeat(60_000)), "");
}

/// Whatever shape servers make of these parts, with what was sent anywhere in it: it is not told, and nothing
/// panics.
#[test]
fn no_shape_tells_what_was_sent() {
    const NAMES: [&str; 12] = [
        "error",
        "error_description",
        "message",
        "detail",
        "errors",
        "title",
        "loc",
        "field",
        "code",
        "other",
        "fault",
        "msg",
    ];
    const TEXTS: [&str; 8] = [
        "planted-code-1",
        "a planted-code-1 b",
        "planted%2Dcode%2D1",
        "cGxhbnRlZC1jb2RlLTE=",
        "x:planted/secret",
        "invalid_grant",
        "ü\u{202e}\n",
        "",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    fn value(next: &mut impl FnMut(usize) -> usize, depth: usize) -> Value {
        match next(if depth == 0 { 3 } else { 6 }) {
            0 => Value::from(TEXTS[next(TEXTS.len())]),
            1 => Value::Null,
            2 => Value::from(next(1000)),
            3 => (0..next(4)).map(|_| value(next, depth - 1)).collect(),
            4 => Value::from(value(next, depth - 1).to_string()),
            _ => {
                (0..next(5)).map(|_| (NAMES[next(NAMES.len())].to_owned(), value(next, depth - 1))).collect()
            }
        }
    }
    let mut told_some = 0;
    for _ in 0..20_000 {
        let body = value(&mut next, 5).to_string();
        let kind = [JSON, "text/plain", "text/html", form::CONTENT_TYPE][next(4)];
        let told = words([200, 400, 401, 503][next(4)], kind, &body);
        told_some += usize::from(told.contains("invalid_grant"));
        for part in ["planted", "code-1", "nted-c", "cGxhbnRlZC1", "d/secret", "\n", "\u{202e}"] {
            assert!(!told.contains(part), "{body}: {told}");
        }
    }
    assert!(told_some > 500, "{told_some}");
}
