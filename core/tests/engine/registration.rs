//! Being a client: pre-registered, by document, or registered dynamically.

use grantor::client::{Notice, Preregistered, Redirect};
use grantor::error::{ErrorReport, Exchange, PeerIncompatible, PeerMisbehaved, PeerText, Refused};
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{Error, RecordKind, Secret};
use grantor_world::authorization_server::RegisteredClient;
use grantor_world::player::{Player, User, config};
use http::StatusCode;
use serde_json::json;

const DOCUMENT: &str = "https://app.example.com/client.json";

/// A player whose server knows a client with this secret.
fn with_client(id: &str, secret: Option<&str>, method: &str, config: grantor::client::Config) -> Player {
    let mut player = Player::new(config);
    let server = player.world.server();
    server.auth_method = method.into();
    let redirect_uris = vec!["http://127.0.0.1:49152/callback".to_owned()];
    server.clients.insert(
        id.into(),
        RegisteredClient { secret: secret.map(Into::into), redirect_uris, ..RegisteredClient::default() },
    );
    player
}

#[test]
fn mcp_priority_order() {
    // 1. Pre-registered.
    let own = Preregistered::new("https://as.example.com", "own");
    let all = config().preregistered(own).client_id_metadata_document(DOCUMENT).unwrap();
    let mut player = with_client("own", None, "none", all.clone());
    player.world.server().metadata = json!({ "client_id_metadata_document_supported": true });
    player.call("ping").delivered();
    assert_eq!((player.count("client_id=own"), player.count("/register")), (1, 0));
    // 2. By document, where the server understands it.
    let document = config().client_id_metadata_document(DOCUMENT).unwrap();
    let mut player = Player::new(document.clone());
    player.world.server().metadata = json!({ "client_id_metadata_document_supported": true });
    player.call("ping").delivered();
    assert_eq!((player.count("client_id=https%3A%2F%2Fapp.example.com"), player.count("/register")), (1, 0));
    // 3. Registered dynamically.
    let mut player = Player::new(document);
    player.call("ping").delivered();
    assert_eq!(player.count("/register"), 1);
}

#[test]
fn nothing_fits() {
    let no_registration = |cimd, dynamic| {
        let issuer = PeerText::new("https://as.example.com");
        Error::from(PeerIncompatible::NoRegistration { issuer, cimd, dynamic })
    };
    let mut player = Player::new(config());
    player.world.server().metadata = json!({ "registration_endpoint": null });
    assert_eq!(player.call("ping").failed(), no_registration(false, false));
    let mut player = Player::new(config().dynamic_registration(false));
    let error = player.call("ping").failed();
    assert_eq!(error, no_registration(false, true));
    assert!(error.to_string().contains("no client is registered"), "{error}");
}

#[test]
fn every_way_to_authenticate() {
    for method in ["none", "client_secret_basic", "client_secret_post"] {
        let mut player = Player::new(config());
        player.world.server().auth_method = method.into();
        player.call("ping").delivered();
        player.wait_s(3600);
        player.call("ping").delivered();
        assert_eq!(player.count("/token"), 2, "{method}: also when refreshing");
        player.restart();
        player.wait_s(3600);
        player.call("ping").delivered();
        assert_eq!(player.count("/authorize"), 1, "{method}: rust-sdk#784, the secret survives a restart");
    }
}

#[test]
fn preregistered_with_a_secret() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let secret = "planted: %/secret";
        let own = Preregistered::new("https://as.example.com", "own").secret(Secret::from(secret));
        let mut player = with_client("own", Some(secret), method, config().preregistered(own));
        player.call("ping").delivered();
        player.restart();
        player.wait_s(3600);
        player.call("ping").delivered();
        assert_eq!((player.count("/authorize"), player.count("/register")), (1, 0));
        let stored =
            player.store.records().any(|(_, record)| String::from_utf8_lossy(record).contains(secret));
        assert!(!stored, "the secret stays in the configuration");
    }
}

#[test]
fn mcp_authorization_server_binding() {
    let elsewhere = || {
        let issuer = PeerText::new("https://as.example.com");
        Error::from(PeerIncompatible::RegisteredElsewhere { issuer })
    };
    let other = Preregistered::new("https://other.example.com", "own").secret(Secret::from("planted"));
    let mut player = Player::new(config().preregistered(other).dynamic_registration(false));
    assert_eq!(player.call("ping").failed(), elsewhere());
    assert_eq!(player.count("client_id=own"), 0);
    // One without an issuer belongs to the first that it was used with.
    let own = Preregistered::bound_on_first_use("own").secret(Secret::from("planted"));
    let bound = config().preregistered(own).dynamic_registration(false).trust(grantor::TrustPolicy::Accept);
    let mut player = with_client("own", Some("planted"), "client_secret_basic", bound);
    player.call("ping").delivered();
    player.restart();
    player.world.add(grantor_world::AuthorizationServer::new("https://new.example.com"));
    player.world.mcp.authorization_servers = vec!["https://new.example.com".into()];
    player.world.authorization.get_mut("https://as.example.com").unwrap().revoke_all();
    let error = player.call("ping").failed();
    let issuer = PeerText::new("https://new.example.com");
    assert_eq!(error, PeerIncompatible::RegisteredElsewhere { issuer }.into());
    assert_eq!(player.count("new.example.com/token"), 0, "it never sees the secret");
}

#[test]
fn no_common_authentication() {
    let own = Preregistered::new("https://as.example.com", "own").secret(Secret::from("planted"));
    let mut player = with_client("own", Some("planted"), "private_key_jwt", config().preregistered(own));
    assert_eq!(player.call("ping").failed(), PeerIncompatible::NoClientAuthentication.into());
}

#[test]
fn a_registration_is_made_once() {
    let mut player = Player::new(config());
    player.world.server().refresh_tokens = false;
    player.call("ping").delivered();
    player.call("write").delivered();
    player.restart();
    player.wait_s(3600);
    player.call("ping").delivered();
    assert_eq!((player.count("/authorize"), player.count("/register")), (3, 1));
}

#[test]
fn another_redirect_uri_is_registered_anew() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.redirect_uri = "http://127.0.0.1:50000/callback".into();
    player.call("write").delivered();
    assert_eq!(player.count("/register"), 2, "servers compare ports, whatever RFC 8252 7.3 says");
    assert!(
        player.notices.contains(&Notice::Registered { client_id: PeerText::new("client-5") })
            || player.count("/register") == 2
    );
}

#[test]
fn a_refresh_tells_that_the_client_was_forgotten() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.world.server().forget_clients();
    player.wait_s(3600);
    player.call("ping").delivered();
    assert_eq!((player.count("/register"), player.count("/authorize")), (2, 2));
}

#[test]
fn a_page_that_led_nowhere_is_not_shown_again() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.world.server().forget_clients();
    player.world.server().revoke_all();
    player.restart();
    player.store.tamper(|key, record| {
        if key.kind == RecordKind::Grant {
            record.clear();
        }
    });
    // The server shows an error page; the user goes back to the application.
    player.user = User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, url) = player.open.remove(0);
    assert_eq!(player.visit(&url), None, "an error page");
    player.engine.complete(player.now, op, grantor::Completion::Declined).unwrap();
    player.run();
    player.outcome(call).unwrap().failed();
    player.user = User::Agrees;
    player.call("ping").delivered();
    assert_eq!(player.count("/register"), 2);
}

#[test]
fn a_client_forgotten_between_page_and_token_registers_again() {
    let mut player = Player::new(config());
    player.user = User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    player.wait_s(120);
    player.world.server().forget_clients();
    player.user = User::Agrees;
    player.engine.complete(player.now, op, grantor::Completion::Callback { url: &back }).unwrap();
    player.run();
    player.outcome(call).unwrap().delivered();
    assert_eq!(player.count("/register"), 2);
}

#[test]
fn an_expired_secret_is_replaced() {
    let mut player = Player::new(config());
    player.world.server().auth_method = "client_secret_basic".into();
    player.world.server().refresh_tokens = false;
    player.call("ping").delivered();
    let soon = player.now.unix_s + 10;
    let expires = format!("\"secret_expires_at\":{soon},\"redirect_uri\":");
    player.store.edit(RecordKind::Registration, "\"redirect_uri\":", &expires);
    player.restart();
    player.wait_s(3600);
    player.call("ping").delivered();
    assert_eq!(player.count("/register"), 2);
}

#[test]
fn rfc7591_3_2_2_refusals_reach_the_caller() {
    let web = config().redirect(Redirect::Fixed("https://app.example.com/cb".into())).unwrap();
    let mut player = Player::new(web);
    player.world.intercept = Some(Box::new(|request| {
        (request.uri().path() == "/register").then(|| {
            let body = json!({ "error": "invalid_redirect_uri", "error_description": "only loopback" });
            grantor_world::json(StatusCode::BAD_REQUEST, &body)
        })
    }));
    let error = player.call("ping").failed();
    let Error::Refused(Refused::Registration { code, description }) = &error else { panic!("{error}") };
    assert_eq!(*code, "invalid_redirect_uri");
    assert_eq!(description.as_ref().unwrap(), "only loopback");
    assert!(ErrorReport::from(error).to_string().contains("configure another redirect URI"));
}

#[test]
fn an_initial_access_token_permits_registering() {
    let mut player =
        Player::new(config().initial_access_token("https://as.example.com", Secret::from("planted-initial")));
    player.world.intercept = Some(Box::new(|request| {
        let missing =
            grantor_world::header(request.headers(), "authorization") != Some("Bearer planted-initial");
        (request.uri().path() == "/register" && missing)
            .then(|| grantor_world::text(StatusCode::UNAUTHORIZED, "who are you?"))
    }));
    player.call("ping").delivered();
}

#[test]
fn sep_837_application_type_goes_along() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    for config in [config(), config().redirect(Redirect::Fixed("https://app.example.com/cb".into())).unwrap()]
    {
        let mut player = Player::new(config);
        let log = seen.clone();
        player.world.intercept = Some(Box::new(move |request| {
            if request.uri().path() == "/register" {
                let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
                log.lock().unwrap().push((body["application_type"].clone(), body["grant_types"].clone()));
            }
            None
        }));
        player.call("ping").delivered();
    }
    let grants = json!(["authorization_code", "refresh_token"]);
    assert_eq!(*seen.lock().unwrap(), [(json!("native"), grants.clone()), (json!("web"), grants)]);
}

#[test]
fn the_document_that_is_hosted_fits_the_configuration() {
    let json =
        ClientMetadata::named("Player").document(DOCUMENT, &["http://127.0.0.1:49152/callback"]).unwrap();
    assert!(json.contains(DOCUMENT));
}

#[test]
fn a_broken_registration_answer() {
    let mut player = Player::new(config());
    player.world.intercept = Some(Box::new(|request| {
        (request.uri().path() == "/register").then(|| grantor_world::json(StatusCode::CREATED, &json!({})))
    }));
    let missing = PeerMisbehaved::MissingField { exchange: Exchange::Registration, field: "client_id" };
    assert_eq!(player.call("ping").failed(), missing.into());
}
