//! Errors say what was asked, what came, and what to do.

use std::error::Error as _;

use grantor::client::{CallId, Flow, Preregistered, Timeouts};
use grantor::error::{ErrorReport, Exchange, Failure, FailureKind};
use grantor::wire::client_auth::ClientAuthMethod;
use grantor::{Completion, Effect};
use grantor_world::player::{Player, config};
use grantor_world::{Answered, respond, text, with};
use http::StatusCode;
use serde_json::json;

/// The report of a call in a world where requests for `path` are answered so. The store is whole after it, and
/// the next call with peers that behave succeeds.
pub(crate) fn report_with(
    mut player: Player,
    path: &'static str,
    answer: impl Fn() -> Answered + Send + 'static,
) -> ErrorReport {
    player.world.intercept = Some(Box::new(move |request| (request.uri().path() == path).then(&answer)));
    let report = player.call("ping").report();
    player.world.intercept = None;
    player.call("ping").delivered();
    assert_no_secret(&report);
    report
}

/// The report of a call whose effect fails so.
pub(crate) fn report_of_effect(
    mut player: Player,
    held: fn(&Effect) -> bool,
    kind: FailureKind,
    detail: &str,
) -> ErrorReport {
    player.holding = Some(held);
    let call = player.begin("ping");
    player.run();
    let (op, _) = player.held.remove(0);
    player.engine.complete(player.now, op, Completion::Failed(Failure::new(kind, detail))).unwrap();
    player.run();
    let report = player.outcome(call).unwrap().report();
    player.holding = None;
    player.call("ping").delivered();
    report
}

fn assert_no_secret(report: &ErrorReport) {
    assert!(!format!("{report} {report:?}").contains("planted"), "{report:?}");
}

const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";

fn json_answer(status: u16, body: &str) -> Answered {
    respond(StatusCode::from_u16(status).unwrap(), "application/json", body.into())
}

/// Where each exchange of a flow goes.
const EXCHANGES: [(Exchange, &str, &str); 3] = [
    (
        Exchange::ServerMetadata,
        SERVER_METADATA,
        "https://as.example.com/.well-known/oauth-authorization-server",
    ),
    (Exchange::Registration, "/register", "https://as.example.com/register"),
    (Exchange::CodeToken, "/token", "https://as.example.com/token"),
];

#[test]
fn every_error_of_an_exchange_names_url_status_and_the_servers_own_words() {
    for (exchange, path, url) in EXCHANGES.into_iter().skip(1) {
        for (body, words) in [
            (r#"{"error":"odd_code","error_description":"the reason"}"#, "the reason"),
            (r#"{"error":"Missing client_id"}"#, "Missing client_id"),
            (r#"{"message":"the reason"}"#, "the reason"),
            (r#"{"title":"Odd","detail":"the reason"}"#, "the reason"),
            (r#"{"errors":["the reason"]}"#, "the reason"),
            (r#"{"errors":{"scope":["the reason"]}}"#, "scope: the reason"),
            (r#"{"error":{"code":400,"message":"the reason"}}"#, "the reason"),
            (r#"{"detail":[{"loc":["body","client_id"],"msg":"the reason"}]}"#, "body.client_id: the reason"),
            ("the reason, in plain words", "the reason, in plain words"),
            ("<html><head><title>The reason</title></head></html>", "The reason"),
        ] {
            let answer = move || json_answer(400, body);
            let report = report_with(Player::new(config()), path, answer);
            let asked = report.asked.as_ref().expect("an exchange");
            assert_eq!(
                (asked.exchange, asked.url.as_str(), asked.status),
                (exchange, url, Some(400)),
                "{body}"
            );
            let shown = report.to_string();
            assert!(shown.contains(words) && shown.contains(url) && shown.contains("400"), "{body}: {shown}");
            assert_eq!(shown.matches(words).count(), 1, "{body}: said once: {shown}");
        }
    }
}

#[test]
fn secrets_that_a_server_echoes_are_in_no_report() {
    for method in [ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost] {
        let own =
            Preregistered::new("https://as.example.com", "client-of-mine").secret("planted/secret+1".into());
        let mut player = Player::new(config().preregistered(own.method(method)));
        player.world.server().clients.insert(
            "client-of-mine".into(),
            grantor_world::authorization_server::RegisteredClient {
                secret: Some("planted/secret+1".into()),
                redirect_uris: vec!["http://127.0.0.1:49152/callback".into()],
                ..Default::default()
            },
        );
        player.world.server().auth_method = method.name().into();
        player.world.intercept = Some(Box::new(|request| {
            (request.uri().path() == "/token").then(|| {
                let sent = String::from_utf8_lossy(request.body()).into_owned();
                let header =
                    request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
                let code = url::form_urlencoded::parse(request.body())
                    .find(|(name, _)| name == "code")
                    .unwrap()
                    .1
                    .into_owned();
                let echo = json!({
                    "error": "invalid_request",
                    "error_description": format!("{code} of {sent}, {header:?}"),
                    "message": code,
                    "detail": [{ "loc": ["body", "code"], "msg": "wrong", "input": code }],
                    "request": sent,
                });
                json_answer(400, &echo.to_string())
            })
        }));
        let report = player.call("ping").report();
        assert_no_secret(&report);
        for form in ["planted%2Fsecret", "cGxhbnRlZC9zZWNyZXQ", "secret%2B1", "client_secret=p", "cret+1"] {
            assert!(!report.to_string().contains(form), "{report}");
        }
        assert!(report.to_string().contains("wrong"), "{report}");
        player.world.intercept = None;
        player.call("ping").delivered();
    }
}

#[test]
fn a_report_is_one_sentence_and_has_no_source() {
    let report = report_with(Player::new(config()), "/token", || {
        json_answer(400, r#"{"error":"invalid_target","error_description":"unknown resource"}"#)
    });
    assert!(report.source().is_none());
    assert_eq!(
        report.to_string(),
        "token request (authorization code) at https://as.example.com/token: the server refused: \
         invalid_target: unknown resource (status 400); the server does not know the resource by this name; state its \
         own: `Config::resource_identifier`, or `Quirks::resource_parameter`"
    );
    // As an error of any program, the chain says each thing once.
    let mut chain = vec![report.to_string()];
    let mut error: &dyn std::error::Error = &report;
    while let Some(source) = error.source() {
        chain.push(source.to_string());
        error = source;
    }
    assert_eq!(chain.len(), 1);
}

#[test]
fn effects_that_fail_name_what_was_waited_for() {
    let token =
        |effect: &Effect| matches!(effect, Effect::Http { request, .. } if request.url.path() == "/token");
    for (kind, words) in [
        (FailureKind::Unreachable, "not reachable: dns error"),
        (FailureKind::Broken, "the connection broke: dns error"),
        (FailureKind::TimedOut, "timed out: dns error"),
    ] {
        let report = report_of_effect(Player::new(config()), token, kind, "dns error");
        let start = format!("token request (authorization code) at https://as.example.com/token: {words}");
        assert!(report.to_string().starts_with(&start), "{report}");
    }
    let page = |effect: &Effect| matches!(effect, Effect::Interact(grantor::Interaction::Authorize(_)));
    let report = report_of_effect(Player::new(config()), page, FailureKind::TimedOut, "");
    assert!(
        report.to_string().starts_with("authorization at https://as.example.com/authorize: timed out"),
        "{report}"
    );
}

/// The one who waits is told before the answer comes, since that may still bring the only refresh token.
#[test]
fn a_token_request_that_takes_too_long_is_named() {
    let mut timeouts = Timeouts::default();
    timeouts.token_wait_ms = 5_000;
    let mut player = Player::new(config().timeouts(timeouts));
    player.holding =
        Some(|effect| matches!(effect, Effect::Http { request, .. } if request.url.path() == "/token"));
    let call: CallId = player.begin("ping");
    player.run();
    player.wait_s(6);
    let report = player.outcome(call).unwrap().report();
    assert_eq!(report.asked.as_ref().unwrap().url.as_str(), "https://as.example.com/token");
    assert!(report.to_string().contains("timed out"), "{report}");
    player.holding = None;
    player.release();
    player.call("ping").delivered();
}

#[test]
fn the_url_is_shown_without_its_query() {
    let mut player = Player::new(config());
    player.world.server().metadata =
        json!({ "token_endpoint": "https://as.example.com/token?tenant=planted#x" });
    player.world.server().metadata =
        json!({ "token_endpoint": "https://as.example.com/token?tenant=planted" });
    let report = report_with_path(player, "/token");
    assert_eq!(report.asked.unwrap().url.as_str(), "https://as.example.com/token");
}

fn report_with_path(mut player: Player, path: &'static str) -> ErrorReport {
    player.world.intercept =
        Some(Box::new(move |request| (request.uri().path() == path).then(|| json_answer(400, "{}"))));
    let report = player.call("ping").report();
    assert_no_secret(&report);
    report
}

#[test]
fn a_refresh_that_fails_names_its_exchange() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.world.server().expire_access_tokens();
    player.wait_s(7200);
    player.world.intercept = Some(Box::new(|request| {
        (request.uri().path() == "/token").then(|| text(StatusCode::BAD_GATEWAY, "no healthy upstream"))
    }));
    let report = player.call("ping").report();
    assert_eq!(
        report.to_string(),
        "token request (refresh) at https://as.example.com/token: the server answers 502 for now; the server says: no \
         healthy upstream"
    );
    player.world.intercept = None;
    player.call("ping").delivered();
}

#[test]
fn log_out_names_the_endpoint_that_was_asked() {
    for (path, answer, shown) in [
        (
            "/revoke",
            json_answer(400, r#"{"error":"invalid_request","error_description":"no"}"#),
            "revocation at https://as.example.com/revoke: the server refused: invalid_request: no (status 400)",
        ),
        (
            "/revoke",
            text(StatusCode::INTERNAL_SERVER_ERROR, "boom"),
            "revocation at https://as.example.com/revoke: the server answers 500 for now; the server says: boom",
        ),
    ] {
        let mut player = Player::new(config());
        player.world.server().offers.revocation = true;
        player.call("ping").delivered();
        player.world.intercept =
            Some(Box::new(move |request| (request.uri().path() == path).then(|| answer.clone())));
        let report = player.log_out().report();
        assert_eq!(report.to_string(), shown);
        assert!(!player.store.dump().contains("planted-access"), "the tokens are gone all the same");
        player.world.intercept = None;
        player.call("ping").delivered();
    }
}

#[test]
fn a_redirect_says_where_to() {
    let report = report_with(Player::new(config()), "/token", || {
        with(text(StatusCode::FOUND, ""), "location", "https://login.example.com/start?session=planted")
    });
    assert!(report.to_string().contains("go to https://login.example.com/start"), "{report}");
}

#[test]
fn a_device_that_nobody_confirms() {
    let mut player = Player::new(config().flow(Flow::Device));
    player.world.server().devices = true;
    player.world.server().offers.device = grantor_world::grants::Device::Denied;
    let call = player.begin("ping");
    player.run();
    player.wait_s(5);
    let report = player.outcome(call).unwrap().report();
    assert!(
        report.to_string().starts_with("token request (device code) at https://as.example.com/token: "),
        "{report}"
    );
}

#[test]
fn servers_that_no_policy_allows_are_told_with_the_document_that_names_them() {
    for servers in [
        json!(["https://10.0.0.1"]),
        json!("http://as.example.com"),
        json!([" https://as.example.com ", "as.example.com"]),
        json!(["https://as.example.com#x"]),
    ] {
        let document = json!({ "resource": "https://mcp.example.com/mcp", "authorization_servers": servers });
        let path = "/.well-known/oauth-protected-resource/mcp";
        let report =
            report_with(Player::new(config()), path, move || grantor_world::json(StatusCode::OK, &document));
        let start = "protected resource metadata at https://mcp.example.com/.well-known/oauth-protected-resource/mcp: \
                     `issuer` is not an acceptable URL: ";
        assert!(report.to_string().starts_with(start), "{report}");
    }
}
