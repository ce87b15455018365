//! Discovery goes on: what one URL does not serve, the next may, and if none does, all reasons are told. What
//! protects the user is not softened by it.

use std::sync::{Arc, Mutex};

use grantor::client::{Notice, Preregistered};
use grantor::error::{
    ErrorReport, Failure, FailureKind, PeerIncompatible, PeerMisbehaved, PeerText, Refused,
};
use grantor::{Completion, Effect, Error, Interaction, UrlProblem};
use grantor_world::player::{Player, User, config};
use grantor_world::{Answered, World, json as json_answer, respond, text, with};
use http::StatusCode;
use serde_json::{Value, json};

const MCP: &str = "https://mcp.example.com/mcp";
const CUSTOM: &str = "/custom.json";
const INSERTED: &str = "/.well-known/oauth-protected-resource/mcp";
const ROOT: &str = "/.well-known/oauth-protected-resource";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// What servers put in place of a document.
fn in_place_of_a_document() -> Vec<(&'static str, Answered)> {
    let json = |body: &str| respond(StatusCode::OK, "application/json", body.to_owned());
    vec![
        ("an array", json("[]")),
        ("an empty object", json("{}")),
        ("an issuer alone", json(r#"{"issuer":"https://as.example.com"}"#)),
        ("another document", json(r#"{"status":"ok"}"#)),
        ("null", json("null")),
        ("a number", json("42")),
        ("a text", json(r#""ok""#)),
        ("cut off", json(r#"{"resource":"https://mcp.exa"#)),
        ("a page", respond(StatusCode::OK, "text/html", "<html>".into())),
        ("an empty page", respond(StatusCode::OK, "text/plain", String::new())),
        ("nothing", respond(StatusCode::NO_CONTENT, "application/json", String::new())),
        ("a redirect elsewhere", with(text(StatusCode::FOUND, ""), "location", "https://evil.example.com/")),
        (
            "a redirect to a log-in",
            with(text(StatusCode::SEE_OTHER, ""), "location", "http://mcp.example.com/"),
        ),
        ("a redirect nowhere", text(StatusCode::MOVED_PERMANENTLY, "")),
        ("not found", text(StatusCode::NOT_FOUND, "no")),
        ("not allowed", text(StatusCode::METHOD_NOT_ALLOWED, "no")),
        ("unauthorized", text(StatusCode::UNAUTHORIZED, "who are you?")),
        ("gone", text(StatusCode::GONE, "")),
        ("an error", text(StatusCode::INTERNAL_SERVER_ERROR, "oops")),
        ("a bad gateway", text(StatusCode::BAD_GATEWAY, "<html>")),
        ("unavailable", text(StatusCode::SERVICE_UNAVAILABLE, "")),
    ]
}

fn resource_document(resource: &str) -> Answered {
    let document = json!({ "resource": resource, "authorization_servers": ["https://as.example.com"] });
    json_answer(StatusCode::OK, &document)
}

fn server_document(issuer: &str, more: &Value) -> Answered {
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": "https://as.example.com/authorize",
        "token_endpoint": "https://as.example.com/token",
        "registration_endpoint": "https://as.example.com/register",
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": ["none"],
    });
    for (name, value) in more.as_object().unwrap() {
        document[name] = value.clone();
    }
    json_answer(StatusCode::OK, &document)
}

/// A world whose challenges name this URL (none, if empty), and which answers some paths so.
fn world(challenge: &str, answers: Vec<(&'static str, Answered)>) -> World {
    let mut world = World::new();
    let challenge = match challenge {
        "" => "Bearer".to_owned(),
        url => format!("Bearer resource_metadata=\"{url}\""),
    };
    world.intercept = Some(Box::new(move |asked| {
        if asked.uri().path() == "/mcp" && asked.headers().get("authorization").is_none() {
            return Some(with(text(StatusCode::UNAUTHORIZED, ""), "www-authenticate", &challenge));
        }
        answers.iter().find(|(path, _)| asked.uri().path() == *path).map(|(_, answer)| answer.clone())
    }));
    world
}

fn player(challenge: &str, answers: Vec<(&'static str, Answered)>) -> Player {
    Player::in_world(world(challenge, answers), config()).unwrap()
}

fn failed(player: &mut Player) -> ErrorReport {
    let call = player.begin("ping");
    player.run();
    player.outcome(call).unwrap().report()
}

#[test]
fn a_challenge_that_leads_to_no_document_falls_back_to_the_well_known_urls() {
    for (what, answer) in in_place_of_a_document() {
        let mut at_inserted = player("https://mcp.example.com/custom.json", vec![(CUSTOM, answer.clone())]);
        at_inserted.call("ping").delivered();
        assert_eq!((at_inserted.count(CUSTOM), at_inserted.count(INSERTED)), (1, 1), "{what}");
        let root = vec![(CUSTOM, answer.clone()), (INSERTED, answer), (ROOT, resource_document(MCP))];
        let mut at_root = player("https://mcp.example.com/custom.json", root);
        at_root.call("ping").delivered();
    }
}

#[test]
fn without_a_challenge_the_root_is_asked_whatever_the_first_url_says() {
    for (what, answer) in in_place_of_a_document() {
        let mut player = player("", vec![(INSERTED, answer), (ROOT, resource_document(MCP))]);
        player.call("ping").delivered();
        let asked: Vec<_> = player.world.asked.iter().filter(|asked| asked.contains(ROOT)).collect();
        assert_eq!(asked.len(), 2, "{what}");
    }
}

#[test]
fn rfc9728_2_of_several_servers_the_first_with_metadata_is_used() {
    let servers = json!(["https://old.example.com", "https://older.example.com/x", "https://as.example.com"]);
    for (what, answer) in in_place_of_a_document() {
        let unavailable = answer.status().is_server_error();
        let mut world = World::new();
        world.mcp.metadata = json!({ "authorization_servers": servers });
        world.intercept = Some(Box::new(move |asked| {
            let host = asked.uri().host().unwrap_or_default();
            host.starts_with("old").then(|| answer.clone())
        }));
        let mut player = Player::in_world(world, config()).unwrap();
        if unavailable {
            // It may have some later, and would be passed over for good.
            let report = failed(&mut player);
            assert!(matches!(report.error, Error::Refused(Refused::Unavailable { .. })), "{what}: {report}");
            player.world.mcp.metadata = Value::Null;
        }
        player.call("ping").delivered();
        player.wait_s(3600);
        player.call("ping").delivered();
    }
}

#[test]
fn rfc9728_2_if_none_of_several_servers_has_metadata_all_are_told() {
    let mut world = World::new();
    world.mcp.metadata =
        json!({ "authorization_servers": ["https://one.example.com", "https://two.example.com"] });
    let mut player = Player::in_world(world, config()).unwrap();
    let text = failed(&mut player).to_string();
    assert!(text.contains("one.example.com") && text.contains("two.example.com"), "{text}");
    player.world.mcp.metadata = Value::Null;
    player.call("ping").delivered();
}

#[test]
fn a_server_that_is_pinned_or_configured_is_not_left_for_another() {
    let both = json!({ "authorization_servers": ["https://as.example.com", "https://two.example.com"] });
    let gone = |asked: &grantor_world::Asked| {
        let of_one = asked.uri().host() == Some("as.example.com");
        (of_one && asked.uri().path().contains("well-known")).then(|| text(StatusCode::NOT_FOUND, ""))
    };
    let issuer = "https://as.example.com";
    let configured = config().preregistered(Preregistered::new(issuer, "own"));
    for (config, is_pinned) in [(config(), true), (configured, false)] {
        let mut world = World::new();
        world.add(grantor_world::AuthorizationServer::new("https://two.example.com"));
        let mut player = Player::in_world(world, config).unwrap();
        if is_pinned {
            player.call("ping").delivered();
            player.world.server().revoke_all();
        }
        player.world.mcp.metadata = both.clone();
        player.world.intercept = Some(Box::new(gone));
        let text = failed(&mut player).to_string();
        assert!(text.contains("as.example.com") && !text.contains("two.example.com"), "{text}");
        assert!(!player.world.asked.iter().any(|asked| asked.contains("two.example.com")));
    }
}

#[test]
fn the_next_url_of_an_authorization_server_is_asked_whatever_the_first_says() {
    for (what, answer) in in_place_of_a_document() {
        let good = server_document("https://as.example.com", &json!({}));
        let mut player = player("", vec![(OAUTH, answer), (OPENID, good)]);
        player.call("ping").delivered();
        assert_eq!((player.count(OAUTH), player.count(OPENID)), (1, 1), "{what}");
    }
}

#[test]
fn a_challenge_whose_url_cannot_be_used_falls_back_to_the_well_known_urls() {
    for url in [
        "http://mcp.example.com/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/mcp",
        "mcp.example.com/custom.json",
        "nonsense",
        "file:///etc/passwd",
        "https://127.0.0.1/x",
        "https://vault.internal/x",
        "https://u:p@mcp.example.com/x",
    ] {
        let mut player = player(url, vec![]);
        player.call("ping").delivered();
        assert_eq!(player.count(INSERTED), 1, "{url}");
        assert!(player.notices.iter().any(|notice| matches!(notice, Notice::Finding(_))), "{url}");
    }
}

#[test]
fn a_challenge_whose_host_is_out_of_reach_falls_back_to_the_resources_own() {
    let mut player = player("https://metadata.example.net/custom.json", vec![]);
    player.holding = Some(
        |effect| matches!(effect, Effect::Http { request, .. } if request.url.host_str() == Some("metadata.example.net")),
    );
    let call = player.begin("ping");
    player.run();
    let (op, _) = player.held.remove(0);
    player.complete(op, Completion::Failed(Failure::new(FailureKind::Unreachable, "no such host")));
    player.run();
    player.outcome(call).unwrap().delivered();
}

#[test]
fn if_no_url_serves_all_reasons_are_told() {
    let page = respond(StatusCode::OK, "text/html", "<html>".into());
    let array = respond(StatusCode::OK, "application/json", "[]".into());
    let oops = text(StatusCode::INTERNAL_SERVER_ERROR, "");
    let cases = [
        vec![(CUSTOM, page.clone()), (INSERTED, array.clone()), (ROOT, oops.clone())],
        vec![
            (CUSTOM, text(StatusCode::GONE, "")),
            (INSERTED, page.clone()),
            (ROOT, text(StatusCode::NOT_FOUND, "")),
        ],
    ];
    for answers in cases {
        let mut player = player("https://mcp.example.com/custom.json", answers);
        let report = failed(&mut player);
        let said = report.to_string();
        for path in [CUSTOM, INSERTED] {
            assert!(said.contains(&format!("https://mcp.example.com{path}")), "{said}");
        }
        assert!(
            said.contains("https://mcp.example.com/.well-known/oauth-protected-resource:")
                || said.contains("https://mcp.example.com/.well-known/oauth-protected-resource "),
            "{said}"
        );
        assert!(said.contains("text/html"), "{said}");
        assert!(said.contains("500") || said.contains("410") && said.contains("404"), "{said}");
        // Nothing is lost by it.
        player.world.intercept = None;
        player.call("ping").delivered();
    }
    let mut player = player("", vec![(OAUTH, array), (OPENID, oops)]);
    let said = failed(&mut player).to_string();
    assert!(said.contains(OAUTH) && said.contains(OPENID) && said.contains("500"), "{said}");
    player.world.intercept = None;
    player.call("ping").delivered();
}

#[test]
fn rfc9728_3_3_a_challenge_leads_to_no_token_for_the_whole_host() {
    // A tenant of a shared host sends the client to the document of the host, or to any other that names more.
    for named in [
        "https://mcp.example.com",
        "https://mcp.example.com/",
        "https://mcp.example.com/other",
        "https://evil.example",
    ] {
        for (url, path) in [
            ("https://mcp.example.com/.well-known/oauth-protected-resource", ROOT),
            ("https://mcp.example.com/custom.json", CUSTOM),
        ] {
            let mut player = player(url, vec![(path, resource_document(named))]);
            let error = failed(&mut player).error;
            let mismatch =
                PeerMisbehaved::ResourceMismatch { expected: PeerText::new(MCP), got: PeerText::new(named) };
            assert_eq!(error, mismatch.into(), "{url}");
            assert_eq!(player.count("as.example.com"), 0, "no authorization server is asked");
            player.world.intercept = None;
            player.call("ping").delivered();
        }
    }
    // The same URL with a document that names what was requested is as good as any.
    let mut player = player(
        "https://mcp.example.com/.well-known/oauth-protected-resource",
        vec![(ROOT, resource_document(MCP))],
    );
    player.call("ping").delivered();
    assert!(player.count("resource=https%3A%2F%2Fmcp.example.com%2Fmcp") > 0);
}

#[test]
fn rfc8414_3_3_no_url_makes_a_wrong_issuer_right() {
    let wrong = || server_document("https://evil.example", &json!({}));
    let mut player = player("", vec![(OAUTH, wrong()), (OPENID, wrong())]);
    let error = failed(&mut player).error;
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. })), "{error}");
    assert_eq!(player.count("/token") + player.count("/authorize?") + player.count("/register"), 0);
    // PKCE, https and private addresses neither.
    let issuer = PeerText::new("https://as.example.com");
    let insecure = PeerMisbehaved::Url { field: "token_endpoint", problem: UrlProblem::Insecure };
    let private = PeerMisbehaved::Url { field: "token_endpoint", problem: UrlProblem::PrivateHost };
    let cases: [(Value, Error); 3] = [
        (
            json!({ "code_challenge_methods_supported": ["plain"] }),
            PeerIncompatible::NoPkce { issuer }.into(),
        ),
        (json!({ "token_endpoint": "http://as.example.com/token" }), insecure.into()),
        (json!({ "token_endpoint": "https://169.254.169.254/token" }), private.into()),
    ];
    for (more, expected) in cases {
        let bad = server_document("https://as.example.com", &more);
        let mut player = self::player("", vec![(OAUTH, bad.clone()), (OPENID, bad.clone())]);
        assert_eq!(failed(&mut player).error, expected);
        // A document of the same server that keeps to the rules may be used.
        let good = server_document("https://as.example.com", &json!({}));
        let mut player = self::player("", vec![(OAUTH, bad), (OPENID, good)]);
        player.call("ping").delivered();
    }
}

#[test]
fn the_servers_summary_is_what_its_url_serializes_to() {
    for (named, shown) in [
        ("https://new.example.com", Some("https://new.example.com")),
        ("HTTPS://NEW.example.com", Some("https://new.example.com")),
        ("https://new.example.com:443", Some("https://new.example.com")),
        ("https://new.example.com\\@evil.example", None),
        ("https://new.example.com\u{202e}", None),
        ("https://new.exam\u{440}le.com", None),
        ("https://new.example.com/\u{7}", None),
        (" https://new.example.com", None),
        ("https://new.example.com/a/../b", None),
        ("https://new.ex%61mple.com", None),
    ] {
        let mut player = Player::new(config());
        player.call("ping").delivered();
        player.world.server().revoke_all();
        player.world.mcp.metadata = json!({ "authorization_servers": [named] });
        player.user = User::DoesNotApprove;
        player.call("ping").failed();
        let question = player.prompts.iter().find_map(|prompt| match prompt {
            Interaction::Approve(summary) => Some(summary.issuer.as_str().to_owned()),
            _ => None,
        });
        assert_eq!(question.as_deref(), shown, "{named}");
        player.world.mcp.metadata = Value::Null;
        player.call("ping").delivered();
    }
}

#[test]
fn rfc9728_3_3_the_own_identifier_is_sent() {
    for (named, sent) in [
        (MCP, Some("resource=https%3A%2F%2Fmcp.example.com%2Fmcp")),
        ("HTTPS://MCP.EXAMPLE.COM:443/mcp", Some("resource=https%3A%2F%2Fmcp.example.com%2Fmcp")),
        ("https://mcp.example.com\\@victim.example/mcp", None),
        (" https://mcp.example.com/mcp", None),
        ("https://mcp.example.com/mcp\n", None),
        ("https://mcp.example.com/./mcp", None),
        ("https://mcp.example.com/x/../mcp", None),
        ("https://mcp.example.com/%6dcp", None),
    ] {
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = log.clone();
        let mut world = World::new();
        world.mcp.metadata = json!({ "resource": named });
        world.intercept = Some(Box::new(move |asked| {
            seen.lock().unwrap().push(format!("{} {}", asked.uri(), String::from_utf8_lossy(asked.body())));
            None
        }));
        let mut player = Player::in_world(world, config()).unwrap();
        let call = player.begin("ping");
        player.run();
        let outcome = player.outcome(call).unwrap();
        let Some(sent) = sent else {
            let error = outcome.failed();
            assert!(
                matches!(error, Error::PeerMisbehaved(PeerMisbehaved::ResourceMismatch { .. })),
                "{named}"
            );
            player.world.mcp.metadata = Value::Null;
            player.call("ping").delivered();
            continue;
        };
        outcome.delivered();
        let log = log.lock().unwrap();
        let of = |path: &str| {
            log.iter().filter(|sent| sent.contains(path) && sent.contains("resource=")).collect::<Vec<_>>()
        };
        for asked in of("/authorize?").into_iter().chain(of("/token ")) {
            assert!(asked.contains(sent), "{named}: {asked}");
        }
        assert_eq!((of("/authorize?").len(), of("/token ").len()), (1, 1));
    }
}
