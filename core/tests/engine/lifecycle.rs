//! A client's life at servers as they are: registered in one way or another, limited to scopes, forgotten.

use grantor::client::{Flow, Preregistered};
use grantor::error::{PeerIncompatible, PeerText, Refused};
use grantor::{Completion, Error, RecordKind, Secret};
use grantor_world::authorization_server::RegisteredClient;
use grantor_world::player::{Player, User, config};
use grantor_world::{Outcome, World};
use http::StatusCode;
use serde_json::json;

/// A world whose server registers clients so.
fn world(method: &str, methods: &[&str]) -> World {
    let mut world = World::new();
    world.server().auth_method = method.into();
    world.server().metadata = json!({ "token_endpoint_auth_methods_supported": methods });
    world
}

#[test]
fn rfc7591_2_the_secret_goes_into_the_body_where_the_server_offers_both() {
    let methods = ["client_secret_basic", "client_secret_post"];
    let mut player = Player::in_world(world("client_secret_post", &methods), config()).unwrap();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = seen.clone();
    player.world.intercept = Some(Box::new(move |request| {
        if request.uri().path() == "/register" {
            let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
            log.lock().unwrap().push(body["token_endpoint_auth_method"].clone());
        }
        None
    }));
    player.call("ping").delivered();
    assert_eq!(*seen.lock().unwrap(), [json!("client_secret_post")]);
}

/// A player at a server that knows Basic alone, and looks for `client_id` in the body all the same, as the MCP
/// Python SDK's does; its code and words.
fn wants_id_in_body(code: &'static str, words: &'static str, config: grantor::client::Config) -> Player {
    let mut player =
        Player::in_world(world("client_secret_basic", &["client_secret_basic"]), config).unwrap();
    player.world.intercept = Some(Box::new(move |request| {
        let body = String::from_utf8_lossy(request.body());
        (request.uri().path() == "/token" && !body.contains("client_id=")).then(|| {
            let body = json!({ "error": code, "error_description": words });
            grantor_world::json(StatusCode::UNAUTHORIZED, &body)
        })
    }));
    player
}

#[test]
fn rfc6749_3_2_1_an_id_that_is_looked_for_in_the_body_is_put_there() {
    for (code, words) in [
        ("invalid_client", "Missing client_id"),
        ("unauthorized_client", "Missing client_id"),
        ("invalid_request", "client_id is required"),
        ("invalid_client", "?"),
    ] {
        let mut player = wants_id_in_body(code, words, config());
        player.call("ping").delivered();
        assert_eq!(
            (player.count("/authorize"), player.count("/register"), player.count("/token")),
            (1, 1, 2),
            "{code}: the code is not lost"
        );
        // It is remembered: with the tokens, and with the registration.
        player.wait_s(3600);
        player.call("ping").delivered();
        assert_eq!(player.count("/token"), 3, "{code}");
        player.restart();
        player.call("write").delivered();
        assert_eq!((player.count("/token"), player.count("/register")), (4, 1), "{code}");
    }
}

#[test]
fn rfc6749_3_2_1_the_same_of_a_preregistered_client_and_of_a_refresh() {
    let secret = || Secret::from("planted-own");
    let own = Preregistered::new("https://as.example.com", "own").secret(secret());
    let mut player = wants_id_in_body("invalid_client", "Missing client_id", config().preregistered(own));
    let client = RegisteredClient {
        secret: Some("planted-own".into()),
        redirect_uris: vec!["http://127.0.0.1:49152/callback".into()],
        ..RegisteredClient::default()
    };
    player.world.server().clients.insert("own".into(), client);
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2);
    player.restart();
    player.wait_s(3600);
    player.call("ping").delivered();
    assert_eq!((player.count("/token"), player.count("/authorize")), (3, 1));

    // A server that begins to look for it.
    let mut player =
        Player::in_world(world("client_secret_basic", &["client_secret_basic"]), config()).unwrap();
    player.call("ping").delivered();
    let strict = wants_id_in_body("invalid_client", "Missing client_id", config());
    player.world.intercept = strict.world.intercept;
    player.wait_s(3600);
    player.call("ping").delivered();
    assert_eq!((player.count("/token"), player.count("/authorize")), (3, 1));
}

/// A player at a server that grants a client only what it has registered.
fn limited(supported: &[&str]) -> Player {
    let mut world = World::new();
    world.server().limits_scopes = true;
    world.server().metadata = json!({ "scopes_supported": supported });
    Player::in_world(world, config()).unwrap()
}

#[test]
fn rfc7591_2_scopes_that_were_refused_are_registered_once() {
    let mut player = limited(&["mcp:use", "files:read", "files:write"]);
    player.call("ping").delivered();
    assert_eq!(player.count("/register"), 2, "once without, once with the scopes");
    player.call("write").delivered();
    player.call("read").delivered();
    assert_eq!(player.count("/register"), 2, "all that the server has is registered");
    // A server that is asked anew is asked right at once.
    player.world.server().forget_clients();
    player.world.server().revoke_all();
    player.call("ping").delivered();
    assert_eq!(player.count("/register"), 3);
}

#[test]
fn rfc7591_2_a_step_up_is_not_lost_where_the_server_names_no_scopes() {
    for restarts in [false, true] {
        let mut player = limited(&[]);
        player.call("ping").delivered();
        if restarts {
            player.restart();
        }
        player.call("write").delivered();
        player.call("read").delivered();
        player.call("write").delivered();
        assert_eq!(player.count("/register"), 4, "one for each set of scopes");
    }
}

#[test]
fn scopes_that_a_server_refuses_whatever_is_registered() {
    let mut world = World::new();
    world.server().consent = grantor_world::Consent::Refuse("invalid_scope".into());
    let mut player = Player::in_world(world, config()).unwrap();
    let error = player.call("ping").failed();
    assert!(
        matches!(&error, Error::Refused(Refused::Authorization { code, .. }) if *code == "invalid_scope"),
        "{error}"
    );
    assert_eq!((player.count("/register"), player.count("/authorize")), (2, 2));
    player.world.server().consent = grantor_world::Consent::Grant;
    player.call("ping").delivered();
}

/// A player that has left the page open, and whose process then ended.
fn left_open() -> Player {
    let mut player = Player::new(config());
    player.user = User::Leaves;
    player.begin("ping");
    player.run();
    player.open.clear();
    player.restart();
    player.user = User::Agrees;
    player
}

#[test]
fn a_forgotten_client_is_found_out_before_its_dead_page_is_taken_up() {
    let mut player = left_open();
    player.world.server().forget_clients();
    player.call("ping").delivered();
    assert_eq!((player.count("/register"), player.count("/authorize")), (2, 1), "no dead page");
    // The next process finds everything right.
    player.restart();
    player.call("write").delivered();
    assert_eq!(player.count("/register"), 2);
}

#[test]
fn a_client_that_is_known_still_keeps_its_page() {
    for (answer, status) in
        [("known", StatusCode::OK), ("down", StatusCode::BAD_GATEWAY), ("odd", StatusCode::NOT_FOUND)]
    {
        let mut player = left_open();
        if answer != "known" {
            let mut first = true;
            player.world.intercept = Some(Box::new(move |request| {
                let asked = request.uri().path() == "/token" && std::mem::take(&mut first);
                asked.then(|| grantor_world::text(status, ""))
            }));
        }
        player.call("ping").delivered();
        assert_eq!((player.count("/register"), player.count("/authorize")), (1, 1), "{answer}");
    }
}

#[test]
fn a_page_that_ran_out_makes_its_client_doubtful() {
    let mut player = left_open();
    player.world.server().forget_clients();
    player.wait_s(3600);
    player.call("ping").delivered();
    assert_eq!((player.count("/register"), player.count("/authorize")), (2, 1));
}

#[test]
fn log_out_clears_a_page_that_was_left_and_its_client() {
    let mut player = left_open();
    player.world.server().forget_clients();
    assert!(matches!(player.log_out(), Outcome::Done));
    for kind in [RecordKind::Pending, RecordKind::Registration] {
        assert!(player.store.records().all(|(key, _)| key.kind != kind), "{kind}");
    }
    player.restart();
    player.call("ping").delivered();
    assert_eq!((player.count("/register"), player.count("/authorize")), (2, 1));
}

#[test]
fn declining_is_no_reason_to_register_anew() {
    let mut player = Player::new(config());
    player.world.server().refresh_tokens = false;
    player.call("ping").delivered();
    for round in 0..6 {
        player.wait_s(3600);
        player.user = User::Declines;
        assert_eq!(player.call("ping").failed(), Refused::Declined.into());
        if round % 2 == 0 {
            player.restart();
        }
        player.user = User::Agrees;
        player.call("ping").delivered();
    }
    assert_eq!(player.count("/register"), 1);
    player.world.server().consent = grantor_world::Consent::Deny;
    player.wait_s(3600);
    player.call("ping").failed();
    player.world.server().consent = grantor_world::Consent::Grant;
    player.call("ping").delivered();
    assert_eq!(player.count("/register"), 1);
}

#[test]
fn a_dead_page_that_was_closed_is_found_out_by_another_process() {
    let mut player = Player::new(config());
    player.world.server().refresh_tokens = false;
    player.call("ping").delivered();
    player.world.server().forget_clients();
    player.restart();
    player.wait_s(3600);
    player.user = User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, url) = player.open.remove(0);
    assert_eq!(player.visit(&url), None, "an error page");
    player.engine.complete(player.now, op, Completion::Declined).unwrap();
    player.run();
    player.outcome(call).unwrap().failed();
    player.restart();
    player.user = User::Agrees;
    player.call("ping").delivered();
    assert_eq!(player.count("/register"), 2);
}

#[test]
fn a_client_registered_just_now_is_not_registered_again() {
    for method in ["none", "client_secret_basic", "client_secret_post"] {
        let mut player = Player::in_world(world(method, &[method]), config()).unwrap();
        player.world.intercept = Some(Box::new(|request| {
            (request.uri().path() == "/token")
                .then(|| grantor_world::json(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_client" })))
        }));
        let error = player.call("ping").failed();
        assert!(
            matches!(&error, Error::Refused(Refused::Token { code, .. }) if *code == "invalid_client"),
            "{error}"
        );
        assert_eq!((player.count("/register"), player.count("/authorize")), (1, 1), "{method}");
        player.world.intercept = None;
        player.call("ping").delivered();
        assert!(player.count("/register") <= 2, "{method}");
    }
}

#[test]
fn a_preregistered_client_that_is_refused_costs_no_refresh_token() {
    for (status, body) in [
        (StatusCode::UNAUTHORIZED, json!({ "error": "invalid_client" })),
        (StatusCode::BAD_REQUEST, json!({ "error": "invalid_client" })),
        (StatusCode::UNAUTHORIZED, json!({ "message": "bad secret" })),
    ] {
        let own = Preregistered::new("https://as.example.com", "own").secret(Secret::from("planted-own"));
        let mut player = Player::in_world(
            world("client_secret_post", &["client_secret_post"]),
            config().preregistered(own),
        )
        .unwrap();
        let client = RegisteredClient {
            secret: Some("planted-own".into()),
            redirect_uris: vec!["http://127.0.0.1:49152/callback".into()],
            ..RegisteredClient::default()
        };
        player.world.server().clients.insert("own".into(), client);
        player.call("ping").delivered();
        player.wait_s(3600);
        let answer = body.clone();
        player.world.intercept = Some(Box::new(move |request| {
            (request.uri().path() == "/token").then(|| grantor_world::json(status, &answer))
        }));
        player.call("ping").failed();
        player.call("ping").failed();
        player.world.intercept = None;
        player.call("ping").delivered();
        assert_eq!(player.count("/authorize"), 1, "{body}: the refresh token was good all the time");
        // Its own refusal ends it.
        player.world.server().revoke_all();
        player.call("ping").delivered();
        assert_eq!(player.count("/authorize"), 2, "{body}");
    }
}

/// A player whose access token has expired, with a pre-registered client or one of its own.
fn to_refresh(preregistered: bool) -> Player {
    let own = Preregistered::new("https://as.example.com", "own").secret(Secret::from("planted-own"));
    let config = if preregistered { config().preregistered(own) } else { config() };
    let mut player = Player::in_world(world("client_secret_post", &["client_secret_post"]), config).unwrap();
    let client = RegisteredClient {
        secret: Some("planted-own".into()),
        redirect_uris: vec!["http://127.0.0.1:49152/callback".into()],
        ..RegisteredClient::default()
    };
    player.world.server().clients.insert("own".into(), client);
    player.call("ping").delivered();
    player.wait_s(3600);
    player
}

#[test]
fn rfc6749_5_2_a_code_says_what_a_401_refuses() {
    for preregistered in [false, true] {
        for code in ["invalid_grant", "invalid_token", "access_denied", "expired"] {
            let mut player = to_refresh(preregistered);
            player.world.intercept = Some(Box::new(move |request| {
                let refreshes = String::from_utf8_lossy(request.body()).contains("grant_type=refresh_token");
                let refused = || grantor_world::json(StatusCode::UNAUTHORIZED, &json!({ "error": code }));
                (request.uri().path() == "/token" && refreshes).then(refused)
            }));
            player.call("ping").delivered();
            let registered = usize::from(!preregistered);
            assert_eq!(
                (player.count("/authorize"), player.count("/register")),
                (2, registered),
                "{code}, preregistered: {preregistered}: the token is at fault, not the client"
            );
            player.world.intercept = None;
            player.wait_s(3600);
            player.call("ping").delivered();
            assert_eq!((player.count("/authorize"), player.count("/register")), (2, registered), "{code}");
        }
    }
}

#[test]
fn rfc6749_5_2_a_refused_code_is_no_refused_client() {
    for body in [json!({ "error": "invalid_grant" }), json!({ "error": "bad_verification_code" })] {
        let mut player = left_open();
        let mut first = true;
        player.world.intercept = Some(Box::new(move |request| {
            let asked = request.uri().path() == "/token" && std::mem::take(&mut first);
            asked.then(|| grantor_world::json(StatusCode::UNAUTHORIZED, &body))
        }));
        player.call("ping").delivered();
        assert_eq!((player.count("/register"), player.count("/authorize")), (1, 1), "it knows the client");
    }
    // A bare 401 is the client's.
    let mut player = left_open();
    let mut first = true;
    player.world.intercept = Some(Box::new(move |request| {
        let asked = request.uri().path() == "/token" && std::mem::take(&mut first);
        asked.then(|| grantor_world::text(StatusCode::UNAUTHORIZED, "<html>"))
    }));
    player.call("ping").delivered();
    assert_eq!(player.count("/register"), 2);
}

#[test]
fn rfc8628_4_a_missing_endpoint_is_found_before_registering() {
    let mut player = Player::new(config().flow(Flow::Device));
    player.world.server().devices = true;
    player.world.server().metadata = json!({ "device_authorization_endpoint": null });
    let issuer = PeerText::new("https://as.example.com");
    let missing = PeerIncompatible::NoEndpoint { issuer, endpoint: "device_authorization_endpoint" };
    assert_eq!(player.call("ping").failed(), missing.into());
    assert_eq!(player.count("/register"), 0);
    player.world.server().metadata = json!({});
    let call = player.begin("ping");
    player.run();
    player.wait_s(5);
    player.outcome(call).unwrap().delivered();
}

#[test]
fn rfc7009_2_2_1_a_kind_of_token_that_is_not_taken_back_is_no_failure() {
    let mut player = Player::new(config());
    player.world.server().offers.revocation = true;
    player.call("ping").delivered();
    player.world.intercept = Some(Box::new(|request| {
        let access = String::from_utf8_lossy(request.body()).contains("token_type_hint=access_token");
        (request.uri().path() == "/revoke" && access).then(|| {
            grantor_world::json(StatusCode::BAD_REQUEST, &json!({ "error": "unsupported_token_type" }))
        })
    }));
    assert!(matches!(player.log_out(), Outcome::Done));
    assert_eq!(player.count("/revoke"), 2);
    assert!(!player.store.dump().contains("planted"), "{}", player.store.dump());
}

#[test]
fn rfc7009_2_2_a_token_that_is_not_valid_any_more_is_as_good_as_given_back() {
    for hint in ["access_token", "refresh_token", ""] {
        let mut player = Player::new(config());
        player.world.server().offers.revocation = true;
        player.call("ping").delivered();
        let named = format!("token_type_hint={hint}");
        player.world.intercept = Some(Box::new(move |request| {
            let is_it = String::from_utf8_lossy(request.body()).contains(&named);
            (request.uri().path() == "/revoke" && is_it)
                .then(|| grantor_world::json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_token" })))
        }));
        assert!(matches!(player.log_out(), Outcome::Done), "{hint}");
        assert_eq!(player.count("/revoke"), 2, "{hint}: the other one goes back all the same");
        assert!(!player.store.dump().contains("planted"), "{}", player.store.dump());
        player.world.intercept = None;
        player.call("ping").delivered();
    }
}

#[test]
fn log_out_gives_back_what_a_former_server_issued() {
    let trusting = config().trust(grantor::TrustPolicy::Accept);
    let mut player = Player::new(trusting);
    player.world.server().offers.revocation = true;
    player.call("ping").delivered();
    let mut new = grantor_world::AuthorizationServer::new("https://new.example.com");
    new.offers.revocation = true;
    player.world.add(new);
    player.world.mcp.authorization_servers = vec!["https://new.example.com".into()];
    player.world.authorization.get_mut("https://as.example.com").unwrap().expire_access_tokens();
    let refuse = |request: &grantor_world::Asked| {
        (request.uri().host() == Some("as.example.com") && request.uri().path() == "/token")
            .then(|| grantor_world::json(StatusCode::BAD_REQUEST, &json!({ "error": "temporarily_odd" })))
    };
    player.world.intercept = Some(Box::new(refuse));
    player.call("ping").delivered();
    player.world.intercept = None;
    player.restart();
    assert!(matches!(player.log_out(), Outcome::Done));
    assert!(!player.store.dump().contains("planted"), "{}", player.store.dump());
}

#[test]
fn endpoints_of_a_step_up_that_are_gone_lead_to_fresh_metadata() {
    for path in ["/token", "/register", "/par"] {
        let mut player = Player::new(config());
        player.world.server().offers.pushed_only = path == "/par";
        player.call("ping").delivered();
        if path == "/token" {
            player.world.server().token_path = "/v2/token".into();
            player.world.server().metadata = json!({ "token_endpoint": "https://as.example.com/v2/token" });
        }
        let mut gone = true;
        player.world.intercept = Some(Box::new(move |request| {
            let asked = request.uri().path() == path && *request.method() == http::Method::POST;
            (asked && std::mem::replace(&mut gone, path == "/token"))
                .then(|| grantor_world::text(StatusCode::NOT_FOUND, ""))
        }));
        player.call("write").delivered();
        assert_eq!(player.count("/register"), 1);
        player.world.intercept = None;
        player.call("read").delivered();
    }
}

#[test]
fn a_code_whose_token_endpoint_moved_meanwhile_is_not_lost() {
    let mut player = Player::new(config());
    player.user = User::Leaves;
    player.begin("ping");
    player.run();
    let (_, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    player.restart();
    player.world.server().token_path = "/v2/token".into();
    player.world.server().metadata = json!({ "token_endpoint": "https://as.example.com/v2/token" });
    let outcome = player.callback(&back);
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    player.call("ping").delivered();
    assert_eq!((player.count("/authorize"), player.count("/v2/token")), (1, 1));
}

#[test]
fn rfc6749_2_3_1_an_empty_secret_is_sent_where_a_server_demands_the_member() {
    for method in ["none", "client_secret_basic"] {
        let mut player = Player::in_world(world(method, &[method]), config()).unwrap();
        player.world.server().offers.revocation = true;
        player.call("ping").delivered();
        player.world.intercept = Some(Box::new(|request| {
            let has = String::from_utf8_lossy(request.body()).contains("client_secret=");
            (request.uri().path() == "/revoke").then(|| match has {
                true => grantor_world::json(StatusCode::OK, &json!({})),
                false => {
                    let words = "client_secret: Field required";
                    let body = json!({ "error": "invalid_request", "error_description": words });
                    grantor_world::json(StatusCode::BAD_REQUEST, &body)
                }
            })
        }));
        let outcome = player.log_out();
        assert!(matches!(outcome, Outcome::Done), "{method}: {outcome:?}");
        assert_eq!(player.count("/revoke"), 3, "{method}: the first token twice");
    }
}
