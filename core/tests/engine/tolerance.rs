//! Answers that stray from the specifications: what nobody needs breaks nothing and is told, and what protects
//! somebody stays as hard as it is.

use grantor::client::{Config, Notice};
use grantor::error::PeerMisbehaved;
use grantor::{Error, Findings, ScopeSet};
use grantor_world::player::{Player, config};
use grantor_world::{Answered, World};
use http::StatusCode;
use serde_json::{Value, json};

const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
const REGISTRATION: &str = "/register";
const TOKEN: &str = "/token";

/// A player whose peers answer at this path as changed.
fn bent(
    config: &Config,
    path: &'static str,
    change: impl Fn(Answered) -> Answered + Send + 'static,
) -> Player {
    let mut world = World::new();
    world.bend = Some(Box::new(move |request, answer| match request.uri().path() == path {
        true => change(answer),
        false => answer,
    }));
    Player::in_world(world, config.clone()).unwrap()
}

/// The same with the text of the body changed.
fn with_text(
    config: &Config,
    path: &'static str,
    change: impl Fn(String) -> String + Send + 'static,
) -> Player {
    bent(config, path, move |mut answer| {
        let text = String::from_utf8(std::mem::take(answer.body_mut())).unwrap();
        *answer.body_mut() = change(text).into_bytes();
        answer
    })
}

/// The same with members of the JSON replaced.
fn with_members(config: &Config, path: &'static str, members: &Value) -> Player {
    let members = members.clone();
    with_text(config, path, move |text| {
        let mut body: Value = serde_json::from_str(&text).unwrap();
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.to_string()
    })
}

fn told(findings: &Findings) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// Plays two calls and a refresh; all succeed, and each finding is told once.
#[track_caller]
fn goes_on(mut player: Player, findings: &[&str]) {
    player.call("ping").delivered();
    player.wait_s(3600);
    player.call("ping").delivered();
    assert_eq!(told(player.engine.findings()), findings);
    let notices = player.notices.iter().filter_map(|notice| match notice {
        Notice::Finding(finding) => Some(finding.to_string()),
        _ => None,
    });
    assert_eq!(notices.collect::<Vec<_>>(), findings);
}

/// Plays a call that fails, mends the peers, and plays one that succeeds.
#[track_caller]
fn fails(mut player: Player, names: &str) -> Error {
    let error = player.call("ping").failed();
    assert!(error.to_string().contains(names), "{error}");
    player.world.bend = None;
    player.call("ping").delivered();
    error
}

#[test]
fn rfc8259_8_1_octets_that_are_no_text_cost_nothing_in_a_member_that_nobody_needs() {
    for path in [RESOURCE_METADATA, SERVER_METADATA, REGISTRATION, TOKEN] {
        let add = |octets: &'static [u8]| {
            bent(&config(), path, move |mut answer| {
                let body = answer.body_mut();
                assert_eq!(body.pop(), Some(b'}'));
                body.extend([b",\"note\":\"caf".as_slice(), octets, b"\"}"].concat());
                answer
            })
        };
        let mut player = add(b"\xe9"); // Latin-1
        player.call("ping").delivered();
        let told = told(player.engine.findings());
        assert!(
            matches!(&*told, [one] if one.ends_with("is malformed; nothing depends on it (RFC 8259 section 8.1)")),
            "{told:?}"
        );
        let error = fails(add(b"\",\"\xff"), "UTF-8");
        assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::Utf8 { .. })), "{path}: {error}");
    }
}

#[test]
fn server_metadata_with_members_that_nobody_needs() {
    let config = config();
    for (members, finding) in [
        (
            json!({ "revocation_endpoint": "" }),
            "`revocation_endpoint` is empty; treated as absent (RFC 8414 section 2)",
        ),
        (
            json!({ "revocation_endpoint": null }),
            "`revocation_endpoint` is null; treated as absent (RFC 8414 section 2)",
        ),
        (
            json!({ "jwks_uri": "http://as.example.com/jwks" }),
            "`jwks_uri` is not an acceptable URL: it is not https; treated as absent (RFC 8414 section 2)",
        ),
        (
            json!({ "scopes_supported": "a b" }),
            "`scopes_supported` is a string, not an array; read all the same (RFC 8414 section 2)",
        ),
        (
            json!({ "grant_types_supported": ["authorization_code", 7] }),
            "`grant_types_supported` has an entry that cannot be used; the other entries are used \
             (RFC 8414 section 2)",
        ),
        (
            json!({ "device_authorization_endpoint": { "url": "https://as.example.com" } }),
            "`device_authorization_endpoint` is an object, not a string; treated as absent (RFC 8628 section 4)",
        ),
        (
            json!({ "require_pushed_authorization_requests": "false" }),
            "`require_pushed_authorization_requests` is a string, not a boolean; read all the same \
             (RFC 9126 section 5)",
        ),
    ] {
        let finding = format!("authorization server metadata: {finding}");
        goes_on(with_members(&config, SERVER_METADATA, &members), &[&finding]);
    }
}

#[test]
fn resource_metadata_with_members_that_nobody_needs() {
    let config = config();
    for (members, finding) in [
        (
            json!({ "scopes_supported": ["mcp:use", "a\u{fc}"] }),
            "`scopes_supported` has an entry that cannot be used; the other entries are used",
        ),
        (json!({ "scopes_supported": 7 }), "`scopes_supported` is a number, not an array; treated as absent"),
        (json!({ "resource_name": [] }), "`resource_name` is an array, not a string; treated as absent"),
        (
            json!({ "authorization_servers": "https://as.example.com" }),
            "`authorization_servers` is a string, not an array; read all the same",
        ),
        (
            json!({ "authorization_servers": [null, "https://as.example.com", ""] }),
            "`authorization_servers` has 2 entries that cannot be used; the other entries are used",
        ),
        (
            json!({ "authorization_servers": [
                "http://as.example.com", "https://as.example.com?x", "as.example.com", "https://10.0.0.1",
                "https://as.example.com",
            ] }),
            "`authorization_servers` has 4 entries that cannot be used; the other entries are used",
        ),
    ] {
        let finding = format!("protected resource metadata: {finding} (RFC 9728 section 2)");
        goes_on(with_members(&config, RESOURCE_METADATA, &members), &[&finding]);
    }
}

#[test]
fn token_answers_with_members_written_otherwise() {
    let config = config();
    for (members, findings) in [
        (
            json!({ "expires_in": "3600" }),
            &["`expires_in` is a string, not a number; read all the same (RFC 6749 section 5.1)"][..],
        ),
        (json!({ "expires_in": 3600.0 }), &[]),
        (
            json!({ "scope": ["mcp:use"] }),
            &["`scope` is an array, not a string; read all the same (RFC 6749 section 5.1)"],
        ),
        (
            json!({ "id_token": 7, "scope": "mcp:use \u{fc}" }),
            &[
                "`id_token` is a number, not a string; treated as absent (OpenID Connect Core section 3.1.3.3)",
                "`scope` has an entry that cannot be used; the other entries are used (RFC 6749 section 5.1)",
            ],
        ),
    ] {
        let mut expected = Vec::new();
        for exchange in ["token request (authorization code)", "token request (refresh)"] {
            expected.extend(findings.iter().map(|finding| format!("{exchange}: {finding}")));
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        goes_on(with_members(&config, TOKEN, &members), &expected);
    }
}

#[test]
fn rfc7591_2_a_secret_without_a_method_is_for_basic() {
    let mut world = World::new();
    world.server().auth_method = "client_secret_basic".into();
    world.server().metadata =
        json!({ "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"] });
    world.bend = Some(Box::new(|request, mut answer| {
        if request.uri().path() == REGISTRATION {
            let mut body: Value = serde_json::from_slice(answer.body()).unwrap();
            body.as_object_mut().unwrap().remove("token_endpoint_auth_method");
            *answer.body_mut() = body.to_string().into_bytes();
        }
        answer
    }));
    let mut player = Player::in_world(world, config()).unwrap();
    player.call("ping").delivered();
    player.wait_s(3600);
    player.call("ping").delivered();
}

#[test]
fn rfc7591_3_2_1_a_usual_method_without_a_secret_is_a_public_client() {
    for method in ["client_secret_basic", "client_secret_post", "private_key_jwt"] {
        let members = json!({ "token_endpoint_auth_method": method });
        let player = with_members(&config(), REGISTRATION, &members);
        if method == "private_key_jwt" {
            fails(player, "`token_endpoint_auth_method`");
            continue;
        }
        let finding = "client registration: `token_endpoint_auth_method` was not asked for; treated as absent \
                       (RFC 7591 section 3.2.1)";
        goes_on(player, &[finding]);
    }
}

#[test]
fn rfc8414_2_one_method_in_place_of_a_list() {
    for (method, written) in [
        ("none", "none"),
        ("client_secret_post", "client_secret_post"),
        ("client_secret_post", "client_secret_post client_secret_basic"),
    ] {
        let mut player = with_members(
            &config(),
            SERVER_METADATA,
            &json!({ "token_endpoint_auth_methods_supported": written }),
        );
        player.world.server().auth_method = method.into();
        let asked = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let seen = asked.clone();
        player.world.intercept = Some(Box::new(move |request| {
            if request.uri().path() == REGISTRATION {
                *seen.lock().unwrap() = String::from_utf8_lossy(request.body()).into_owned();
            }
            None
        }));
        let finding = "authorization server metadata: `token_endpoint_auth_methods_supported` is a string, not an \
                       array; read all the same (RFC 8414 section 2)";
        goes_on(player, &[finding]);
        let body: Value = serde_json::from_str(&asked.lock().unwrap()).unwrap();
        assert_eq!(body["token_endpoint_auth_method"], method, "what the server supports is asked for");
    }
}

#[test]
fn an_id_token_of_another_issuer_when_nobody_asked_for_a_user() {
    let claims = json!({ "iss": "https://other.example.com", "sub": "u", "aud": "c", "exp": 4_000_000_000_u64, "iat": 1 });
    let jwt = grantor_world::grants::jwt("JWT", &claims);
    let members = json!({ "id_token": jwt });
    let finding = "token request (authorization code): `id_token` cannot be accepted: the token is from another \
                   issuer; treated as absent (OpenID Connect Core section 3.1.3.7)";
    goes_on(with_members(&config(), TOKEN, &members), &[finding]);
    // Who asked for a user is not told of another server's.
    let with_openid = config().scopes(ScopeSet::parse("openid").unwrap());
    fails(with_members(&with_openid, TOKEN, &members), "the token is from another issuer");
}

#[test]
fn good_statuses_that_no_specification_names() {
    let config = config();
    for (path, status, findings) in [
        (
            RESOURCE_METADATA,
            203,
            &[
                "protected resource metadata: the answer has status 203; read all the same (RFC 9728 section 3.2)",
            ][..],
        ),
        (
            SERVER_METADATA,
            203,
            &[
                "authorization server metadata: the answer has status 203; read all the same (RFC 8414 section 3.2)",
            ],
        ),
        (
            REGISTRATION,
            202,
            &["client registration: the answer has status 202; read all the same (RFC 7591 section 3.2.1)"],
        ),
        (
            TOKEN,
            201,
            &[
                "token request (authorization code): the answer has status 201; read all the same (RFC 6749 section 5.1)",
                "token request (refresh): the answer has status 201; read all the same (RFC 6749 section 5.1)",
            ],
        ),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let player = bent(&config, path, move |mut answer| {
            *answer.status_mut() = status;
            answer
        });
        goes_on(player, findings);
    }
}

#[test]
fn content_types_of_static_file_hosts() {
    let config = config();
    for path in [RESOURCE_METADATA, SERVER_METADATA, REGISTRATION, TOKEN] {
        for kind in ["text/plain; charset=utf-8", "application/octet-stream", "text/html", ""] {
            let mut player = bent(&config, path, move |mut answer| {
                answer.headers_mut().remove("content-type");
                if !kind.is_empty() {
                    answer.headers_mut().insert("content-type", kind.parse().unwrap());
                }
                answer
            });
            player.call("ping").delivered();
            let findings = told(player.engine.findings());
            let kind = match kind.split(';').next() {
                Some("") | None => "no content type".to_owned(),
                Some(kind) => format!("content type {kind}"),
            };
            let said = format!("the answer has {kind}; read all the same (RFC 8259 section 11)");
            assert!(findings.len() == 1 && findings[0].ends_with(&said), "{findings:?}");
        }
    }
}

#[test]
fn a_byte_order_mark_everywhere() {
    let config = config();
    for path in [RESOURCE_METADATA, SERVER_METADATA, REGISTRATION, TOKEN] {
        let mut player = with_text(&config, path, |text| format!("\u{feff}{text}"));
        player.call("ping").delivered();
        let findings = told(player.engine.findings());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].contains("begins with a byte order mark; read all the same (RFC 8259 section 8.1)")
        );
    }
}

#[test]
fn rfc8259_4_a_member_twice() {
    let config = config();
    let twice = |path, member: &'static str, value: &'static str| {
        with_text(&config, path, move |text| format!("{{\"{member}\":{value},{}", &text[1..]))
    };
    goes_on(
        twice(SERVER_METADATA, "issuer", "\"https://as.example.com\""),
        &[
            "authorization server metadata: `issuer` appears more than once; read all the same (RFC 8259 section 4)",
        ],
    );
    goes_on(
        twice(SERVER_METADATA, "grant_types_supported", "[\"other\"]"),
        &[
            "authorization server metadata: `grant_types_supported` appears more than once, with different values; \
             treated as absent (RFC 8414 section 2)",
        ],
    );
    goes_on(
        twice(RESOURCE_METADATA, "x", "1,\"x\":2"),
        &[
            "protected resource metadata: `x` appears more than once; nothing depends on it (RFC 8259 section 4)",
        ],
    );
    for (path, member) in [
        (RESOURCE_METADATA, "resource"),
        (RESOURCE_METADATA, "authorization_servers"),
        (SERVER_METADATA, "issuer"),
        (SERVER_METADATA, "token_endpoint"),
        (SERVER_METADATA, "authorization_endpoint"),
        (SERVER_METADATA, "code_challenge_methods_supported"),
        (REGISTRATION, "client_id"),
        (TOKEN, "access_token"),
        (TOKEN, "token_type"),
    ] {
        fails(twice(path, member, "\"other\""), &format!("`{member}`"));
    }
}

/// What protects somebody is read as it is written or not at all.
#[test]
fn tolerance_softens_no_rule_that_protects() {
    let config = config();
    for (path, members, names) in [
        // RFC 9728 3.3: the resource is the one that was asked.
        (RESOURCE_METADATA, json!({ "resource": ["https://mcp.example.com/mcp"] }), "`resource` is an array"),
        (RESOURCE_METADATA, json!({ "resource": "https://mcp.example.com/other" }), "`resource`"),
        (RESOURCE_METADATA, json!({ "authorization_servers": [7] }), "`authorization_servers`"),
        (RESOURCE_METADATA, json!({ "authorization_servers": ["http://as.example.com"] }), "is not https"),
        (
            RESOURCE_METADATA,
            json!({ "authorization_servers": ["http://as.example.com", "http://a"] }),
            "is not https",
        ),
        // RFC 8414 3.3: the issuer is the one that was asked.
        (SERVER_METADATA, json!({ "issuer": ["https://as.example.com"] }), "`issuer` is an array"),
        (SERVER_METADATA, json!({ "issuer": "https://as.example.com/" }), "`issuer`"),
        (SERVER_METADATA, json!({ "issuer": "" }), "`issuer` is missing"),
        // MCP "Authorization Code Protection": only a list that names S256 promises it.
        (
            SERVER_METADATA,
            json!({ "code_challenge_methods_supported": "S256" }),
            "`code_challenge_methods_supported`",
        ),
        (
            SERVER_METADATA,
            json!({ "code_challenge_methods_supported": [["S256"]] }),
            "`code_challenge_methods_supported`",
        ),
        (
            SERVER_METADATA,
            json!({ "code_challenge_methods_supported": "" }),
            "`code_challenge_methods_supported`",
        ),
        // OAuth 2.1 1.5: endpoints that are used are https.
        (SERVER_METADATA, json!({ "token_endpoint": "http://as.example.com/token" }), "`token_endpoint`"),
        (SERVER_METADATA, json!({ "token_endpoint": ["https://as.example.com/token"] }), "`token_endpoint`"),
        (
            SERVER_METADATA,
            json!({ "authorization_endpoint": "http://as.example.com/authorize" }),
            "`authorization_endpoint`",
        ),
        (SERVER_METADATA, json!({ "authorization_endpoint": "" }), "`authorization_endpoint`"),
        // RFC 6749 5.1, 7.1: a token of a kind that is known.
        (TOKEN, json!({ "token_type": ["Bearer"] }), "`token_type`"),
        (TOKEN, json!({ "access_token": ["t"] }), "`access_token`"),
        (TOKEN, json!({ "access_token": "a\r\nb" }), "`access_token`"),
        (REGISTRATION, json!({ "client_id": { "id": "c" } }), "`client_id`"),
    ] {
        fails(with_members(&config, path, &members), names);
    }
    // RFC 9207 2.4: what the metadata promises, the callback carries.
    for promise in [json!("true"), json!("TRUE"), json!(1)] {
        let mut world = World::new();
        world.server().iss = false;
        world.server().metadata = json!({ "authorization_response_iss_parameter_supported": promise });
        let mut player = Player::in_world(world, config.clone()).unwrap();
        let error = player.call("ping").failed();
        assert!(error.to_string().contains("iss"), "{error}");
        player.world.server().iss = true;
        player.call("ping").delivered();
    }
    // An endpoint that is not https is not used, and the way it leads is none.
    let members = json!({ "registration_endpoint": "http://as.example.com/register" });
    let mut player = with_members(&config, SERVER_METADATA, &members);
    player.call("ping").failed();
    assert!(player.world.asked.iter().all(|asked| !asked.contains("http://")));
    player.world.bend = None;
    player.call("ping").delivered();
}
