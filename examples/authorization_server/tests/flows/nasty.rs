//! Every endpoint under nasty inputs, over real connections: the right kind of answer, nothing of the input in it, and the
//! server goes on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::Running;

/// In every input, and in no answer.
const PLANTED: &str = "pl4nted";

const ENDPOINTS: [&str; 6] =
    ["/token", "/register", "/revoke", "/introspect", "/par", "/device_authorization"];
const PAGES: [&str; 6] = ["/authorize", "/sign-in", "/consent", "/device", "/account", "/sign-out"];
const DOCUMENTS: [&str; 3] =
    ["/jwks", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Sends bytes as they are, and reads until the server closes; `None` when there was no answer at all.
fn send(issuer: &str, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(issuer.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A server that refuses early does not read to the end.
    let _ = stream.write_all(request);
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read);
    let text = String::from_utf8_lossy(&read).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().unwrap();
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

/// Bodies, and query strings too, where they are ASCII.
fn bodies() -> Vec<Vec<u8>> {
    let repeated = |text: &str, times: usize| text.repeat(times).into_bytes();
    let mut all: Vec<Vec<u8>> = [
        "",
        "=",
        "&&&&",
        "pl4nted",
        "grant_type=pl4nted",
        "grant_type=authorization_code&code=pl4nted&code_verifier=pl4nted",
        "grant_type=authorization_code&grant_type=refresh_token",
        "grant_type=refresh_token&refresh_token=pl4nted&client_id=pl4nted",
        "grant_type=refresh_token&refresh_token=pl4nted&client_id=https%3A%2F%2Fpl4nted.example",
        "grant_type=refresh_token&refresh_token=pl4nted&client_id=file%3A%2F%2F%2Fetc%2Fpl4nted",
        "grant_type=client_credentials&client_id=pl4nted&client_secret=pl4nted&scope=%22pl4nted",
        "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=e30.e30.pl4nted",
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=pl4nted&subject_token_type=pl4nted",
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=pl4nted",
        "client_assertion=e30.e30.pl4nted&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
        "token=pl4nted&token_type_hint=pl4nted",
        "client_id=%ff%fepl4nted&client_secret=%00&redirect_uri=%0d%0aset-cookie:pl4nted",
        "client_id=%&redirect_uri=%zz&state=%e0%80pl4nted",
        "request=pl4nted&request_uri=urn:ietf:params:oauth:request_uri:pl4nted",
        "interaction=pl4nted&username=pl4nted%00&password=%ffpl4nted&decision=pl4nted&user_code=%3Cscript%3E",
        "{\"redirect_uris\":[\"javascript:pl4nted\"]}",
        "{\"redirect_uris\":\"pl4nted\",\"client_name\":7}",
        "{\"redirect_uris\":[\"http://127.0.0.1/\"],\"redirect_uris\":[\"pl4nted\"]}",
        "{\"client_name\":\"\\u0000\\ud800pl4nted\"}",
        "null",
        "[[[[",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    all.push(repeated("pl4nted&", 5_000));
    all.push(repeated("a=pl4nted&", 5_000));
    all.push(repeated("resource=https%3A%2F%2Fpl4nted.example%2F&", 1_000));
    all.push([b"scope=pl4nted+".to_vec(), repeated("x+", 20_000)].concat());
    all.push(repeated("[", 60_000));
    all.push(repeated("{\"pl4nted\":", 5_000));
    all.push([b"code=".to_vec(), repeated("pl4nted", 9_000)].concat());
    all.push(b"client_id=\xff\xfe\x00pl4nted".to_vec());
    all
}

/// Header lines besides.
fn headers() -> Vec<String> {
    let long = "x".repeat(6_000);
    let mut all: Vec<String> = [
        "",
        "content-type: application/json\r\n",
        "content-type: multipart/form-data; boundary=pl4nted\r\n",
        "content-type: \u{fffd}\r\n",
        "authorization: Basic pl4nted\r\n",
        "authorization: Basic cGw0bnRlZDpwbDRudGVk\r\n",
        "authorization: Basic Og==\r\nauthorization: Basic Og==\r\n",
        "authorization: Bearer pl4nted\r\n",
        "authorization: DPoP pl4nted\r\ndpop: pl4nted\r\ndpop: pl4nted\r\n",
        "dpop: e30.e30.pl4nted\r\n",
        "cookie: __Host-grantor-session=pl4nted; grantor-session=pl4nted.pl4nted; ;;==;\r\n",
        "origin: https://pl4nted.example\r\nsec-fetch-site: cross-site\r\n",
        "x-forwarded-host: pl4nted.example\r\nforwarded: host=pl4nted.example\r\n",
    ]
    .map(|lines| if lines.starts_with("content-type") { lines.to_owned() } else { format!("{FORM}{lines}") })
    .into();
    all.push(format!("{FORM}cookie: pl4nted={long}\r\nauthorization: Basic {long}\r\n"));
    all
}

/// What holds of every answer to what nobody may send.
fn check(path: &str, method: &str, answer: &Answer, what: &str) {
    let told = || format!("{method} {path}, {what}: {}\n{}", answer.head, answer.body);
    assert!(answer.status < 500, "{}", told());
    assert!(!answer.head.contains(PLANTED), "{}", told());
    if ENDPOINTS.contains(&path) && method == "POST" && answer.status >= 400 && !answer.body.is_empty() {
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", told()));
        assert!(body["error"].is_string() && body["error_description"].is_string(), "{}", told());
        assert!(!answer.body.contains(PLANTED), "{}", told());
        assert!(matches!(answer.status, 400 | 401 | 403 | 429), "{}", told());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", told());
        let asked = answer.header("www-authenticate").is_some();
        assert!(!asked || answer.status == 401, "{}", told());
    }
    if PAGES.contains(&path) && answer.body.contains("<html") {
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"),
            "{}",
            told()
        );
        assert!(!answer.body.contains("<script"), "{}", told());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", told());
    }
}

#[test]
fn nasty_bodies_at_every_endpoint_and_page() {
    let running = Running::start("bodies");
    for path in ENDPOINTS.into_iter().chain(PAGES).chain(DOCUMENTS) {
        for body in bodies() {
            let what = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            for headers in [FORM, "content-type: application/json\r\n", ""] {
                let answer = send(&running.issuer, &request("POST", path, headers, &body));
                check(path, "POST", &answer.unwrap_or_else(|| panic!("no answer: {path} {what}")), &what);
            }
            // As a query, where one can be sent so.
            if body.iter().all(|byte| byte.is_ascii_graphic()) && body.len() < 6_000 {
                let target = format!("{path}?{}", String::from_utf8(body).unwrap());
                if let Some(answer) = send(&running.issuer, &request("GET", &target, "", b"")) {
                    check(path, "GET", &answer, &what);
                }
            }
        }
    }
    assert_eq!(send(&running.issuer, &request("GET", "/jwks", "", b"")).unwrap().status, 200, "it goes on");
}

#[test]
fn nasty_headers_at_every_endpoint_and_page() {
    let running = Running::start("headers");
    let body = b"grant_type=refresh_token&refresh_token=pl4nted&client_id=pl4nted&token=pl4nted";
    for path in ENDPOINTS.into_iter().chain(PAGES) {
        for headers in headers() {
            let answer = send(&running.issuer, &request("POST", path, &headers, body)).unwrap();
            check(path, "POST", &answer, &headers[..headers.len().min(80)]);
        }
    }
    assert_eq!(send(&running.issuer, &request("GET", "/jwks", "", b"")).unwrap().status, 200, "it goes on");
}

#[test]
fn every_method_is_answered_or_refused() {
    let running = Running::start("methods");
    for path in ENDPOINTS.into_iter().chain(PAGES).chain(DOCUMENTS) {
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"] {
            let answer = send(&running.issuer, &request(method, path, "", b"")).unwrap();
            check(path, method, &answer, "");
            let is_known = match method {
                "GET" | "HEAD" => !ENDPOINTS.contains(&path),
                "OPTIONS" => !PAGES.contains(&path),
                _ => false,
            };
            let refused = matches!(answer.status, 400 | 403 | 404 | 405);
            assert!(is_known || refused, "{method} {path}: {}", answer.status);
        }
    }
}

#[test]
fn what_is_no_http_is_not_answered_as_if_it_were() {
    let running = Running::start("no-http");
    let requests = [
        "GET\r\n\r\n",
        "GET / HTTP/9\r\n\r\n",
        "POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    ];
    for raw in requests {
        let answer = send(&running.issuer, raw.as_bytes());
        assert!(answer.is_none_or(|answer| answer.status == 400), "{raw:?}");
    }
}
