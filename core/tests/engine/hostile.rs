//! A hostile or broken peer at every exchange: a clear error, nothing lost, and the next call can succeed.

use grantor::client::Notice;
use grantor::error::{
    EffectError, Exchange, Failure, FailureKind, PeerIncompatible, PeerMisbehaved, PeerText, RedirectProblem,
    Refused, Work,
};
use grantor::{Completion, Effect, Error, Interaction, UrlProblem, limits};
use grantor_world::player::{Player, config};
use grantor_world::{Answered, World, json as json_answer, respond, text, with};
use http::StatusCode;
use serde_json::json;

/// Plays a call against a world in which requests for `path` are answered so; then mends the world.
fn play(path: &'static str, answer: impl Fn() -> Answered + Send + 'static) -> Error {
    let mut world = World::new();
    world.intercept = Some(Box::new(move |request| (request.uri().path() == path).then(&answer)));
    let mut player = Player::in_world(world, config()).unwrap();
    let error = player.call("ping").failed();
    player.world.intercept = None;
    player.call("ping").delivered();
    error
}

const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";

/// The exchanges with their paths.
const EXCHANGES: [(Exchange, &str); 4] = [
    (Exchange::ResourceMetadata, RESOURCE_METADATA),
    (Exchange::ServerMetadata, SERVER_METADATA),
    (Exchange::Registration, "/register"),
    (Exchange::CodeToken, "/token"),
];

#[test]
fn bodies_over_the_bound() {
    for (exchange, path) in EXCHANGES {
        let limit = if exchange == Exchange::CodeToken { limits::TOKEN_BODY } else { limits::DOCUMENT_BODY };
        let error = play(path, move || respond(StatusCode::OK, "application/json", " ".repeat(limit + 1)));
        assert_eq!(error, PeerMisbehaved::BodyTooLarge { exchange, limit }.into());
    }
}

#[test]
fn deep_json() {
    for (exchange, path) in EXCHANGES {
        let error = play(path, || {
            let deep = format!(
                "{{\"resource\":{0},\"issuer\":{0},\"client_id\":{0},\"access_token\":{0}}}",
                "[".repeat(10_000)
            );
            respond(StatusCode::OK, "application/json", deep)
        });
        assert!(
            matches!(&error, Error::PeerMisbehaved(PeerMisbehaved::Json { exchange: at, .. }) if *at == exchange),
            "{error}"
        );
    }
}

#[test]
fn invalid_utf8() {
    for (exchange, path) in EXCHANGES {
        let error = play(path, || {
            let mut answer = respond(StatusCode::OK, "application/json", String::new());
            *answer.body_mut() = b"{\"\xff\xfe\":1}".to_vec();
            answer
        });
        assert_eq!(error, PeerMisbehaved::Utf8 { exchange }.into());
    }
}

#[test]
fn wrong_content_types() {
    for (exchange, path) in EXCHANGES {
        let error = play(path, || respond(StatusCode::OK, "text/html", "<html>".into()));
        let expected = match exchange {
            // A guessed URL that shows a page has no document.
            Exchange::ServerMetadata => {
                PeerIncompatible::NoServerMetadata { issuer: PeerText::new("https://as.example.com") }.into()
            }
            Exchange::ResourceMetadata => PeerIncompatible::NoResourceMetadata.into(),
            _ => PeerMisbehaved::ContentType { exchange, got: PeerText::new("text/html") }.into(),
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn truncated_answers() {
    for (exchange, path) in EXCHANGES {
        let error = play(path, || {
            respond(StatusCode::OK, "application/json", "{\"issuer\": \"https://as.exam".into())
        });
        assert!(
            matches!(&error, Error::PeerMisbehaved(PeerMisbehaved::Json { exchange: at, .. }) if *at == exchange),
            "{error}"
        );
    }
}

#[test]
fn redirects() {
    for (exchange, path) in EXCHANGES {
        let follows = matches!(exchange, Exchange::ResourceMetadata | Exchange::ServerMetadata);
        for target in [
            "https://evil.example.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://169.254.169.254/",
            "//evil",
        ] {
            let error = play(path, move || with(text(StatusCode::FOUND, ""), "location", target));
            let problem = if follows { RedirectProblem::OtherOrigin } else { RedirectProblem::Unexpected };
            assert_eq!(error, PeerMisbehaved::Redirect { exchange, problem }.into(), "{target}");
        }
        let error = play(path, move || with(text(StatusCode::TEMPORARY_REDIRECT, ""), "location", path));
        let problem = if follows { RedirectProblem::TooMany } else { RedirectProblem::Unexpected };
        assert_eq!(error, PeerMisbehaved::Redirect { exchange, problem }.into(), "a loop");
    }
}

#[test]
fn a_redirect_within_the_origin_is_followed() {
    let mut world = World::new();
    world.intercept = Some(Box::new(|request| match request.uri().path() {
        RESOURCE_METADATA => Some(with(text(StatusCode::FOUND, ""), "location", "/moved")),
        "/moved" => Some(json_answer(
            StatusCode::OK,
            &json!({ "resource": "https://mcp.example.com/mcp", "authorization_servers": ["https://as.example.com"] }),
        )),
        _ => None,
    }));
    let mut player = Player::in_world(world, config()).unwrap();
    player.call("ping").delivered();
    assert_eq!(player.count("/moved"), 1);
}

#[test]
fn servers_that_are_down() {
    for (exchange, path) in EXCHANGES {
        let error =
            play(path, || with(text(StatusCode::SERVICE_UNAVAILABLE, "<html>"), "retry-after", "120"));
        let expected = Refused::Unavailable { exchange, status: 503, retry_after_s: Some(120) };
        assert_eq!(error, expected.into());
        let error = play(path, || text(StatusCode::IM_A_TEAPOT, ""));
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn transport_failures() {
    for (exchange, path) in EXCHANGES {
        for kind in
            [FailureKind::Unreachable, FailureKind::Broken, FailureKind::TimedOut, FailureKind::BodyTooLarge]
        {
            let mut player = Player::new(config());
            player.holding = Some(|effect| matches!(effect, Effect::Http { .. }));
            let call = player.begin("ping");
            player.run();
            // Let the exchanges before this one happen.
            loop {
                let (op, effect) = player.held.remove(0);
                let Effect::Http { request, .. } = &effect else { panic!() };
                if request.url.path() == path {
                    let failed = Completion::Failed(Failure::new(kind, "details"));
                    player.engine.complete(player.now, op, failed).unwrap();
                    break;
                }
                player.perform(op, effect);
                player.run();
            }
            player.run();
            let error = player.outcome(call).unwrap().failed();
            let Error::Effect(EffectError { what, kind: told, .. }) = &error else { panic!("{error}") };
            assert_eq!((*what, *told), (Work::Exchange(exchange), kind));
            player.holding = None;
            player.call("ping").delivered();
        }
    }
}

#[test]
fn effects_that_are_never_answered_time_out() {
    let mut player = Player::new(config());
    player.holding = Some(|effect| matches!(effect, Effect::Http { .. }));
    let call = player.begin("ping");
    player.run();
    assert!(player.engine.poll_timeout().is_some());
    player.wait_s(31);
    let error = player.outcome(call).unwrap().failed();
    let timed_out =
        |error: &Error| matches!(error, Error::Effect(EffectError { kind: FailureKind::TimedOut, .. }));
    assert!(timed_out(&error), "{error}");
    player.release(); // the late answer is ignored
    player.call("ping").delivered();
    player.restart();
    player.holding = Some(|_| true);
    let call = player.begin("ping");
    player.run();
    player.wait_s(11);
    let error = player.outcome(call).unwrap().failed();
    assert!(timed_out(&error) && error.to_string().contains("store"), "{error}");
    player.release();
    player.call("ping").delivered();
}

#[test]
fn a_401_without_any_header() {
    let mut player = Player::new(config());
    player.world.mcp.challenges = false;
    player.call("ping").delivered();
}

#[test]
fn a_401_with_headers_that_make_no_sense() {
    for header in
        ["", ",,,", "Bearer realm=\"unclosed", "\u{1}", "Negotiate", "Basic realm=\"x\"", "Bearer =", "=="]
    {
        let Ok(value) = http::HeaderValue::from_bytes(header.as_bytes()) else { continue };
        let mut world = World::new();
        world.intercept = Some(Box::new(move |request| {
            (request.uri().path() == "/mcp" && request.headers().get("authorization").is_none()).then(|| {
                let mut answer = text(StatusCode::UNAUTHORIZED, "");
                answer.headers_mut().append("www-authenticate", value.clone());
                answer
            })
        }));
        let mut player = Player::in_world(world, config()).unwrap();
        player.call("ping").delivered();
    }
    let mut world = World::new();
    world.intercept = Some(Box::new(|request| {
        (request.uri().path() == "/mcp" && request.headers().get("authorization").is_none()).then(|| {
            let broken =
                with(text(StatusCode::UNAUTHORIZED, ""), "www-authenticate", "Bearer realm=\"unclosed");
            with(broken, "www-authenticate", "Bearer scope=\"mcp:use\"")
        })
    }));
    let mut player = Player::in_world(world, config()).unwrap();
    player.call("ping").delivered();
    assert!(player.notices.iter().any(|notice| matches!(notice, Notice::MalformedChallenge(_))));
}

#[test]
fn metadata_that_points_to_private_addresses() {
    for issuer in ["https://10.0.0.1", "https://localhost:8443", "http://127.0.0.1:1", "https://[fd00::1]/x"]
    {
        let error = play(RESOURCE_METADATA, move || {
            let document =
                json!({ "resource": "https://mcp.example.com/mcp", "authorization_servers": [issuer] });
            json_answer(StatusCode::OK, &document)
        });
        let problem = UrlProblem::PrivateHost;
        assert_eq!(error, PeerMisbehaved::Url { field: "issuer", problem }.into(), "{issuer}");
    }
    let error = play(SERVER_METADATA, || {
        let document = json!({
            "issuer": "https://as.example.com",
            "authorization_endpoint": "https://as.example.com/authorize",
            "token_endpoint": "https://192.168.1.1/token",
            "code_challenge_methods_supported": ["S256"],
        });
        json_answer(StatusCode::OK, &document)
    });
    let problem = UrlProblem::PrivateHost;
    assert_eq!(error, PeerMisbehaved::Url { field: "token_endpoint", problem }.into());
}

#[test]
fn cve_2025_6514_an_authorization_endpoint_with_another_scheme() {
    for bad in ["javascript:alert(1)", "file:///bin/sh", "calculator:1", "http://as.example.com/authorize"] {
        let error = play(SERVER_METADATA, move || {
            let document = json!({
                "issuer": "https://as.example.com",
                "authorization_endpoint": bad,
                "token_endpoint": "https://as.example.com/token",
                "code_challenge_methods_supported": ["S256"],
            });
            json_answer(StatusCode::OK, &document)
        });
        assert!(matches!(
            error,
            Error::PeerMisbehaved(PeerMisbehaved::Url { field: "authorization_endpoint", .. })
        ));
    }
}

#[test]
fn a_browser_never_sees_shell_metacharacters() {
    let mut world = World::new();
    world.server().metadata = json!({
        "authorization_endpoint": "https://as.example.com/authorize?x=$(touch /tmp/x)`id`\"'<script>|&;\u{7}\n"
    });
    let mut player = Player::in_world(world, config()).unwrap();
    player.call("ping").delivered();
    let Some(Interaction::Authorize(prompt)) = player.prompts.last() else { panic!() };
    let url = prompt.url.as_str();
    assert!(url.starts_with("https://as.example.com/authorize?"), "{url}");
    assert!(!url.contains([' ', '"', '\'', '<', '>', '\n', '\u{7}']), "{url}");
}

#[test]
fn floods_of_scopes() {
    let many: String = (0..5_000).map(|n| format!("s{n} ")).collect();
    let error = play("/mcp", move || {
        with(text(StatusCode::UNAUTHORIZED, ""), "www-authenticate", &format!("Bearer scope=\"{many}\""))
    });
    assert_eq!(error, Refused::TokenRejected.into(), "none of them was asked for");
}

#[test]
fn a_metadata_mix_up() {
    let error = play(SERVER_METADATA, || {
        let document = json!({
            "issuer": "https://honest.example.com",
            "authorization_endpoint": "https://honest.example.com/authorize",
            "token_endpoint": "https://as.example.com/token",
            "code_challenge_methods_supported": ["S256"],
        });
        json_answer(StatusCode::OK, &document)
    });
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. })), "{error}");
}

#[test]
fn rfc9207_a_mix_up_in_the_callback() {
    let mut player = Player::new(config());
    player.user = grantor_world::player::User::Leaves;
    for (iss, expected) in [
        ("https://evil.example.com", PeerMisbehaved::IssMismatch),
        ("https://as.example.com/", PeerMisbehaved::IssMismatch),
        ("", PeerMisbehaved::IssMissing),
    ] {
        let call = player.begin("ping");
        player.run();
        let (op, url) = player.open.remove(0);
        let back = player.visit(&url).unwrap();
        let mut forged = url::Url::parse(&back).unwrap();
        let pairs: Vec<_> = forged.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
        forged.query_pairs_mut().clear().extend_pairs(pairs);
        if !iss.is_empty() {
            forged.query_pairs_mut().append_pair("iss", iss);
        }
        player.engine.complete(player.now, op, Completion::Callback { url: forged.as_str() }).unwrap();
        player.run();
        assert_eq!(player.outcome(call).unwrap().failed(), expected.into());
    }
    assert_eq!(player.count("/token"), 0, "no code went to any token endpoint");
    player.user = grantor_world::player::User::Agrees;
    player.call("ping").delivered();
}

#[test]
fn a_callback_that_says_everything_twice() {
    let mut player = Player::new(config());
    player.user = grantor_world::player::User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    let twice = format!("{back}&code=other");
    player.engine.complete(player.now, op, Completion::Callback { url: &twice }).unwrap();
    player.run();
    let repeated = PeerMisbehaved::CallbackRepeated { name: "code" };
    assert_eq!(player.outcome(call).unwrap().failed(), repeated.into());
    assert_eq!(player.count("/token"), 0);
    player.user = grantor_world::player::User::Agrees;
    player.call("ping").delivered();
}

#[test]
fn a_receiver_with_a_bad_redirect_uri() {
    for bad in ["http://evil.example.com/callback", "javascript:alert(1)", "x", ""] {
        let mut player = Player::new(config());
        player.redirect_uri = bad.into();
        let error = player.call("ping").failed();
        assert!(matches!(error, Error::Effect(EffectError { kind: FailureKind::Impossible, .. })), "{error}");
    }
}

#[test]
fn token_answers_of_another_type() {
    let error =
        play("/token", || json_answer(StatusCode::OK, &json!({ "access_token": "x", "token_type": "mac" })));
    assert_eq!(error, PeerIncompatible::TokenType { got: PeerText::new("mac") }.into());
}

#[test]
fn every_known_code_of_rfc6749_5_2() {
    for code in [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ] {
        let mut world = World::new();
        world.intercept = Some(Box::new(move |request| {
            (request.uri().path() == "/token")
                .then(|| json_answer(StatusCode::BAD_REQUEST, &json!({ "error": code })))
        }));
        let mut player = Player::in_world(world, config()).unwrap();
        let error = player.call("ping").failed();
        assert_eq!(error, Refused::Token { code: PeerText::new(code), description: None }.into());
        assert!(player.count("/token") <= 2, "a client is registered anew at most once");
    }
}

#[test]
fn more_scopes_than_one_set_holds() {
    // As many as there may be by configuration, and one more by the challenge: none is dropped in silence.
    let names: Vec<String> = (0..limits::SCOPES).map(|n| format!("s{n}")).collect();
    let full = grantor::ScopeSet::parse(&names.join(" ")).unwrap();
    let mut player = Player::in_world(World::new(), config().scopes(full)).unwrap();
    let error = player.call("ping").failed();
    assert_eq!(error, PeerMisbehaved::TooManyScopes { limit: limits::SCOPES }.into());
    assert_eq!(player.count("/authorize?"), 0);
    player.restart_with(config());
    player.call("ping").delivered();
}
