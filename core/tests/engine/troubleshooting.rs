//! The page "When it does not work": every text on it is one that an error of this kind prints.

use std::collections::BTreeMap;
use std::path::Path;

use grantor::client::{Flow, Preregistered};
use grantor::error::{ErrorReport, FailureKind};
use grantor::{Completion, Effect, Interaction, RecordPolicy};
use grantor_world::grants::Device;
use grantor_world::player::{Player, User, config};
use grantor_world::{AuthorizationServer, Consent, respond, text};
use http::StatusCode;
use serde_json::{Value, json};

use crate::errors::{report_of_effect, report_with};

const PAGE: &str = include_str!("../../src/manual/troubleshooting.md");

const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";

fn player() -> Player {
    Player::new(config())
}

/// A call that fails since the document at `path` says this.
fn document(path: &'static str, document: Value) -> ErrorReport {
    report_with(player(), path, move || grantor_world::json(StatusCode::OK, &document))
}

/// A call that fails since `path` refuses so.
fn refusal(path: &'static str, status: u16, body: &'static str) -> ErrorReport {
    report_with(player(), path, move || {
        respond(StatusCode::from_u16(status).unwrap(), "application/json", body.into())
    })
}

fn server_metadata(more: &Value) -> Value {
    let mut document = json!({
        "issuer": "https://as.example.com",
        "authorization_endpoint": "https://as.example.com/authorize",
        "token_endpoint": "https://as.example.com/token",
        "registration_endpoint": "https://as.example.com/register",
        "code_challenge_methods_supported": ["S256"],
    });
    for (name, value) in more.as_object().unwrap() {
        document[name] = value.clone();
    }
    document
}

fn resource_metadata(resource: &str) -> Value {
    json!({ "resource": resource, "authorization_servers": ["https://as.example.com"] })
}

/// A call that fails; the world is mended by `mend`, and the next succeeds.
fn failing(mut player: Player, mend: impl FnOnce(&mut Player)) -> ErrorReport {
    let report = player.call("ping").report();
    mend(&mut player);
    player.call("ping").delivered();
    report
}

/// What the browser brings back in place of the server's answer.
fn brought_back(change: impl FnOnce(&url::Url) -> String) -> ErrorReport {
    let mut player = player();
    player.user = User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, page) = player.open.remove(0);
    let back = player.visit(&page).unwrap();
    let url = change(&url::Url::parse(&back).unwrap());
    let completion = match url.contains("state=") {
        true => Completion::Callback { url: &url },
        false => Completion::CallbackWithoutState { url: &url },
    };
    player.engine.complete(player.now, op, completion).unwrap();
    player.run();
    let report = player.outcome(call).unwrap().report();
    player.user = User::Agrees;
    player.call("ping").delivered();
    report
}

fn with_state(url: &url::Url, query: &str) -> String {
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    format!("/callback?{query}&state={state}&iss=https%3A%2F%2Fas.example.com")
}

fn no_resource_metadata() -> ErrorReport {
    let mut player = player();
    player.world.mcp.has_metadata = false;
    failing(player, |player| player.world.mcp.has_metadata = true)
}

fn no_registration() -> ErrorReport {
    let document = server_metadata(&json!({ "registration_endpoint": null }));
    report_with(player(), SERVER_METADATA, move || grantor_world::json(StatusCode::OK, &document))
}

fn registered_elsewhere() -> ErrorReport {
    let other = Preregistered::new("https://other.example.com", "mine");
    let mut player = Player::new(config().preregistered(other).dynamic_registration(false));
    player.call("ping").report()
}

fn untrusted() -> ErrorReport {
    let mut player = player();
    player.call("ping").delivered();
    player.world.add(AuthorizationServer::new("https://new.example.com"));
    player.world.mcp.authorization_servers = vec!["https://new.example.com".into()];
    player.world.server().revoke_all();
    player.user = User::DoesNotApprove;
    player.log_out();
    let report = player.call("ping").report();
    player.user = User::Agrees;
    player.call("ping").delivered();
    report
}

fn declined() -> ErrorReport {
    let mut player = player();
    player.user = User::Declines;
    failing(player, |player| player.user = User::Agrees)
}

fn consent_denied() -> ErrorReport {
    let mut player = player();
    player.world.server().consent = Consent::Deny;
    failing(player, |player| player.world.server().consent = Consent::Grant)
}

fn token_rejected() -> ErrorReport {
    let mut player = player();
    player.world.mcp.rejects_all = true;
    let report = player.call("ping").report();
    player.world.mcp.rejects_all = false;
    player.wait_s(600);
    player.call("ping").delivered();
    report
}

fn device_expired() -> ErrorReport {
    let mut player = Player::new(config().flow(Flow::Device));
    player.world.server().devices = true;
    player.world.server().offers.device = Device::Ignored;
    let call = player.begin("ping");
    player.run();
    player.wait_s(3600);
    player.outcome(call).unwrap().report()
}

fn no_device_endpoint() -> ErrorReport {
    let mut player = Player::new(config().flow(Flow::Device));
    player.world.server().devices = true;
    player.world.server().metadata = json!({ "device_authorization_endpoint": null });
    let report = player.call("ping").report();
    player.world.server().metadata = json!({});
    let call = player.begin("ping");
    player.run();
    player.wait_s(5);
    player.outcome(call).unwrap().delivered();
    report
}

fn unreadable_record() -> ErrorReport {
    let mut player = Player::new(config().unreadable_records(RecordPolicy::Fail));
    player.call("ping").delivered();
    player.store.tamper(|key, record| {
        if key.kind == grantor::RecordKind::Grant {
            record.truncate(9);
        }
    });
    player.restart();
    player.call("ping").report()
}

fn is_token_request(effect: &Effect) -> bool {
    matches!(effect, Effect::Http { request, .. } if request.url.path() == "/token")
}

fn is_page(effect: &Effect) -> bool {
    matches!(effect, Effect::Interact(Interaction::Authorize(_)))
}

fn is_listening(effect: &Effect) -> bool {
    matches!(effect, Effect::Interact(Interaction::Listen { .. }))
}

/// The texts, each with a name for whoever looks after the page.
fn texts() -> BTreeMap<&'static str, String> {
    let reports = [
        ("no resource metadata", no_resource_metadata()),
        ("no server metadata", {
            report_with(player(), SERVER_METADATA, || text(StatusCode::NOT_FOUND, ""))
        }),
        ("resource mismatch", document(RESOURCE_METADATA, resource_metadata("api://1234"))),
        (
            "issuer mismatch",
            document(
                SERVER_METADATA,
                server_metadata(&json!({ "issuer": "https://login.example.com/tenant" })),
            ),
        ),
        (
            "issuer slash",
            document(SERVER_METADATA, server_metadata(&json!({ "issuer": "https://as.example.com/" }))),
        ),
        (
            "insecure endpoint",
            document(
                SERVER_METADATA,
                server_metadata(&json!({ "token_endpoint": "http://as.example.com/token" })),
            ),
        ),
        (
            "no PKCE",
            document(SERVER_METADATA, server_metadata(&json!({ "code_challenge_methods_supported": null }))),
        ),
        ("no registration", no_registration()),
        ("registered elsewhere", registered_elsewhere()),
        (
            "registration forbidden",
            refusal("/register", 403, r#"{"message":"Registration is for members only."}"#),
        ),
        (
            "redirect URI refused",
            refusal(
                "/register",
                400,
                r#"{"error":"invalid_redirect_uri","error_description":"localhost is not allowed"}"#,
            ),
        ),
        ("untrusted", untrusted()),
        ("declined", declined()),
        ("denied", consent_denied()),
        (
            "administrator",
            brought_back(|url| {
                with_state(url, "error=access_denied&error_description=An+administrator+has+to+approve+this.")
            }),
        ),
        ("without state", brought_back(|_| "/callback?error=access_denied".into())),
        ("mix-up", {
            brought_back(|url| with_state(url, "code=x").replace("as.example.com", "other.example.com"))
        }),
        ("page timed out", report_of_effect(player(), is_page, FailureKind::TimedOut, "")),
        (
            "no browser",
            report_of_effect(player(), is_page, FailureKind::Impossible, "no browser could be opened"),
        ),
        (
            "no port",
            report_of_effect(
                player(),
                is_listening,
                FailureKind::Impossible,
                "no loopback port for the browser: Address already in use (os error 98)",
            ),
        ),
        ("device expired", device_expired()),
        ("no device endpoint", no_device_endpoint()),
        (
            "client unknown",
            refusal("/token", 401, r#"{"error":"invalid_request","error_description":"Missing client_id"}"#),
        ),
        (
            "target unknown",
            refusal(
                "/token",
                400,
                r#"{"error":"invalid_target","error_description":"AADSTS9010010: The resource is not known."}"#,
            ),
        ),
        (
            "error with status 200",
            refusal(
                "/token",
                200,
                r#"{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}"#,
            ),
        ),
        ("web page", {
            report_with(player(), "/token", || {
                let page = "<html><head><title>Just a moment...</title></head></html>";
                respond(StatusCode::OK, "text/html", page.into())
            })
        }),
        ("overloaded", {
            report_with(player(), "/token", || text(StatusCode::SERVICE_UNAVAILABLE, "upstream timed out"))
        }),
        (
            "unreachable",
            report_of_effect(
                player(),
                is_token_request,
                FailureKind::Unreachable,
                "invalid peer certificate: UnknownIssuer",
            ),
        ),
        ("too slow", report_of_effect(player(), is_token_request, FailureKind::TimedOut, "")),
        ("token rejected", token_rejected()),
        ("unreadable record", unreadable_record()),
    ];
    reports.into_iter().map(|(name, report)| (name, report.to_string())).collect()
}

/// The page with every text as it is printed now: a comment names the error, and a block follows that shows it.
fn renewed(page: &str, texts: &BTreeMap<&'static str, String>) -> String {
    let (mut renewed, mut rest, mut left) = (String::new(), page, texts.clone());
    while let Some((before, behind)) = rest.split_once("<!-- ") {
        let (name, behind) = behind.split_once(" -->\n\n```text\n").expect("a name, then a block");
        let (_, after) = behind.split_once("\n```\n").expect("a block ends");
        let text =
            left.remove(name).unwrap_or_else(|| panic!("no test prints {name:?}, or it stands there twice"));
        renewed += &format!("{before}<!-- {name} -->\n\n```text\n{}\n```\n", wrapped(&text));
        rest = after;
    }
    assert!(left.is_empty(), "the page lacks: {left:#?}");
    renewed + rest
}

/// In lines of at most 116 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 116 {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// With `RENEW=1` in the environment, it writes the page anew: read what has changed before it is committed.
#[test]
fn the_page_shows_what_errors_print() {
    let renewed = renewed(PAGE, &texts());
    if renewed != PAGE && std::env::var_os("RENEW").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/troubleshooting.md"), &renewed)
            .unwrap();
    }
    let changed: Vec<_> = renewed.lines().filter(|line| !PAGE.lines().any(|old| old == *line)).collect();
    assert!(
        renewed == PAGE,
        "errors print other texts than the page shows; run this with RENEW=1:\n{changed:#?}"
    );
}

/// Options that the page and the hints name exist.
#[test]
fn options_that_are_named_exist() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    let folders = [source.join("src"), source.join("../adapters/driver/src")];
    let mut left: Vec<_> = folders.to_vec();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            code.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
    let hints = include_str!("../../src/error/hint.rs");
    let mut count = 0;
    for text in [PAGE, hints] {
        for (_, name) in text.match_indices("::").map(|(at, _)| text.split_at(at + 2)) {
            let name: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if name.chars().next().is_some_and(|c| c.is_ascii_lowercase()) {
                let known = [format!("fn {name}"), format!("pub {name}:"), format!("mod {name}")];
                assert!(known.iter().any(|known| code.contains(known)), "there is no option {name}");
                count += 1;
            } else if !name.is_empty() {
                assert!(code.contains(&name), "there is no {name}");
            }
        }
    }
    assert!(count > 20, "{count}");
}
