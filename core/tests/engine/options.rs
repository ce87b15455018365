//! Options that users ask for and peers have: each does what it says, everywhere, and weakens nothing else.

use grantor::client::{Config, ConfigError, Endpoints, Flow, KnownServer, Notice, Preregistered, Redirect};
use grantor::error::{Error, PeerMisbehaved, Refused};
use grantor::wire::client_auth::ClientAuthMethod;
use grantor::wire::client_metadata::ClientMetadata;
use grantor::wire::parameters::ParameterError;
use grantor::{Interaction, RecordKind, ScopeSet, Secret, TrustPolicy, UrlPolicy, UrlProblem};
use grantor_world::authorization_server::RegisteredClient;
use grantor_world::player::config;
use grantor_world::{AuthorizationServer, Player, World};
use serde_json::json;

use crate::grants::AS;
use crate::providers::{Log, Seen};

/// What the peers of a player get, each answered as usual.
fn watch(player: &mut Player) -> Log {
    let log = Log::default();
    let told = log.clone();
    player.world.intercept = Some(Box::new(move |request| {
        told.note(Seen::of(request));
        None
    }));
    log
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

// Parameters of the caller's own.

fn with_parameters(config: Config) -> Config {
    let config = config.authorization_parameter("access_type", "offline & more").unwrap();
    let config = config.authorization_parameter("audience", "a").unwrap();
    config.token_parameter("audience", "b").unwrap().token_parameter("x-extra.1", "").unwrap()
}

#[test]
fn own_parameters_go_with_every_request_that_they_are_for() {
    let mut player = Player::new(with_parameters(config()));
    let log = watch(&mut player);
    player.call("ping").delivered();
    player.wait_s(3601);
    player.call("ping").delivered();
    player.call("write").delivered();
    let pages = log.of("GET https://as.example.com/authorize");
    assert_eq!(pages.len(), 2, "the step-up's, too");
    for page in pages {
        assert_eq!((page.get("access_type"), page.get("audience")), ("offline & more", "a"));
        assert!(!page.parameters.contains_key("x-extra.1"));
        assert_eq!(page.get("resource"), "https://mcp.example.com/mcp", "what Grantor sets stays");
    }
    let tokens = log.of("POST https://as.example.com/token");
    let grants: Vec<_> = tokens.iter().map(|token| token.get("grant_type").to_owned()).collect();
    assert_eq!(grants, ["authorization_code", "refresh_token", "authorization_code"]);
    for token in tokens {
        assert_eq!((token.get("audience"), token.get("access_type")), ("b", ""));
        assert!(token.parameters.contains_key("x-extra.1"));
    }
    let others = log.all().into_iter().filter(|seen| seen.what.contains("well-known"));
    assert!(
        others
            .chain(log.of("POST https://as.example.com/register"))
            .all(|seen| seen.get("audience").is_empty())
    );
}

#[test]
fn own_parameters_are_pushed() {
    let details = r#"[{"type":"files","actions":["read"]}]"#;
    let config = with_parameters(config()).authorization_details(details).unwrap();
    let mut player = Player::new(config);
    player.world.server().offers.pushed_only = true;
    let log = watch(&mut player);
    player.call("ping").delivered();
    let pushed = log.one("POST https://as.example.com/par");
    assert_eq!((pushed.get("access_type"), pushed.get("audience")), ("offline & more", "a"));
    assert_eq!(pushed.get("authorization_details"), details, "RFC 9396 as before");
    assert!(!pushed.get("code_challenge").is_empty() && !pushed.get("state").is_empty());
    let page = log.one("GET https://as.example.com/authorize");
    assert_eq!(page.parameters.keys().collect::<Vec<_>>(), ["client_id", "request_uri"]);
}

#[test]
fn own_parameters_of_a_device() {
    let mut player = Player::new(with_parameters(config()).flow(Flow::Device));
    player.world.server().devices = true;
    let log = watch(&mut player);
    let call = player.begin("ping");
    player.run();
    for _ in 0..4 {
        player.wait_s(5);
    }
    player.outcome(call).unwrap().delivered();
    let asked = log.all().into_iter().find(|seen| seen.what.ends_with("/device")).unwrap();
    assert_eq!((asked.get("access_type"), asked.get("audience")), ("offline & more", "a"));
    assert!(asked.parameters.contains_key("x-extra.1"));
    let polls = log.of("POST https://as.example.com/token");
    assert!(!polls.is_empty() && polls.iter().all(|poll| poll.get("audience") == "b"));
}

#[test]
fn own_parameters_are_not_for_the_enterprises_provider() {
    for signs_on in [false, true] {
        let (mut player, idp) = match signs_on {
            true => (crate::enterprise::with_sign_on(), "https://idp.example.com"),
            false => (crate::enterprise::enterprise(), "https://idp.example.com"),
        };
        player.restart_with(with_parameters(player.engine.config().clone()));
        let log = watch(&mut player);
        player.call("read").delivered();
        let at_idp: Vec<_> = log.all().into_iter().filter(|seen| seen.what.contains(idp)).collect();
        assert!(at_idp.iter().any(|seen| seen.what.starts_with("POST")));
        for seen in at_idp {
            assert_ne!(seen.get("audience"), "b", "{seen:?}");
            assert!(!seen.parameters.contains_key("x-extra.1") && seen.get("access_type").is_empty());
        }
        let at_server = log.of("POST https://as.example.com/token");
        assert!(!at_server.is_empty() && at_server.iter().all(|seen| seen.get("audience") == "b"));
    }
}

#[test]
fn own_parameters_replace_nothing_that_grantor_sets() {
    for name in
        ["scope", "state", "client_id", "resource", "code_challenge", "code_verifier", "request", "SCOPE"]
    {
        let reserved = name.to_lowercase();
        for refused in [config().authorization_parameter(name, "x"), config().token_parameter(name, "x")] {
            let error = refused.unwrap_err();
            let ConfigError::Parameter(ParameterError::Reserved { name }) = error else {
                panic!("{error:?}")
            };
            assert_eq!(name, reserved);
            assert!(error.to_string().contains(&reserved), "{error}");
        }
    }
    let hidden = format!("{:?}", config().token_parameter("api_key", "planted").unwrap());
    assert!(!hidden.contains("planted"));
}

// Scopes instead of the resource's.

#[test]
fn only_the_scopes_that_are_stated() {
    for (challenged, metadata) in [(true, json!(["other"])), (false, json!(["mcp:use", "b", "c"]))] {
        let mut player = Player::new(config().only_scopes(scopes("mcp:use api://1/x")));
        player.world.mcp.challenges = challenged;
        player.world.mcp.metadata = json!({ "scopes_supported": metadata });
        player.world.server().metadata = json!({ "scopes_supported": ["offline_access"] });
        let log = watch(&mut player);
        player.call("ping").delivered();
        assert_eq!(log.one("GET https://as.example.com/authorize").get("scope"), "mcp:use api://1/x");
    }
}

#[test]
fn only_the_scopes_that_are_stated_after_a_refusal_too() {
    let mut player = Player::new(config().only_scopes(scopes("mcp:use files:read")));
    let log = watch(&mut player);
    player.call("ping").delivered();
    player.call("read").delivered();
    let error = player.call("write").failed();
    assert!(
        matches!(&error, Error::Refused(Refused::InsufficientScope { demanded }) if demanded.contains("files:write"))
    );
    assert_eq!(
        log.of("GET https://as.example.com/authorize").len(),
        1,
        "nobody is asked for what will not be had"
    );
    player.call("ping").delivered();
    // Asked for fewer than before, fewer are asked for.
    player.restart_with(config().only_scopes(scopes("mcp:use")));
    player.world.server().revoke_all();
    player.call("ping").delivered();
    assert_eq!(
        log.all().iter().rfind(|seen| seen.what.ends_with("/authorize")).unwrap().get("scope"),
        "mcp:use"
    );
}

#[test]
fn scopes_add_and_only_scopes_replaces_whichever_was_said_last() {
    let adding = config().only_scopes(scopes("x")).scopes(scopes("openid"));
    let mut player = Player::new(adding);
    let log = watch(&mut player);
    player.call("ping").delivered();
    assert_eq!(log.one("GET https://as.example.com/authorize").get("scope"), "openid mcp:use");
}

// The authorization server by configuration.

#[test]
fn a_known_server_is_used_without_metadata_of_the_resource() {
    for policy in [TrustPolicy::Ask, TrustPolicy::PinnedOnly, TrustPolicy::SameOrigin] {
        let mut player = Player::new(config().authorization_server(KnownServer::new(AS)).trust(policy));
        // What the resource says does not matter.
        player.world.mcp.authorization_servers = vec!["https://evil.example".into()];
        let log = watch(&mut player);
        player.call("ping").delivered();
        assert!(log.all().iter().all(|seen| !seen.what.contains("oauth-protected-resource")));
        assert_eq!(log.of("GET https://as.example.com/.well-known/oauth-authorization-server").len(), 1);
        let page = log.one("GET https://as.example.com/authorize");
        assert_eq!(page.get("resource"), "https://mcp.example.com/mcp");
        assert_eq!(page.get("scope"), "mcp:use", "the challenge's scope is asked for still");
    }
}

#[test]
fn a_known_server_with_stated_endpoints() {
    let endpoints = Endpoints::new("https://as.example.com/authorize", "https://as.example.com/token")
        .registration("https://as.example.com/register")
        .revocation("https://as.example.com/revoke");
    let known = KnownServer::with_endpoints(AS, endpoints);
    let mut player = Player::new(config().authorization_server(known));
    player.world.server().offers.revocation = true;
    player.world.server().metadata_path = Some("/nowhere".into());
    player.world.mcp.has_metadata = false;
    player.world.mcp.challenges = false;
    player.world.mcp.base_scope = String::new();
    let log = watch(&mut player);
    player.call("ping").delivered();
    player.wait_s(3601);
    player.call("ping").delivered();
    player.log_out();
    assert!(log.all().iter().all(|seen| !seen.what.contains("well-known")));
    assert_eq!(log.of("POST https://as.example.com/token").len(), 2);
    assert!(!log.of("POST https://as.example.com/revoke").is_empty());
    assert!(player.store.records().all(|(key, _)| key.kind != RecordKind::Grant));
}

#[test]
fn a_known_server_without_a_place_for_revocation() {
    let endpoints = Endpoints::new("https://as.example.com/authorize", "https://as.example.com/token")
        .registration("https://as.example.com/register");
    let mut player = Player::new(config().authorization_server(KnownServer::with_endpoints(AS, endpoints)));
    let log = watch(&mut player);
    player.call("ping").delivered();
    assert!(matches!(player.log_out(), grantor_world::Outcome::Done));
    assert!(log.all().iter().all(|seen| !seen.what.contains("well-known")), "nothing more is published");
}

#[test]
fn a_known_server_that_cannot_be_is_refused_early() {
    let with = |known| Player::in_world(World::new(), config().authorization_server(known)).map(drop);
    let endpoints = |token| Endpoints::new("https://as.example.com/authorize", token);
    for (known, field, problem) in [
        (KnownServer::new("as.example.com"), "issuer", UrlProblem::Syntax),
        (KnownServer::new("http://as.example.com"), "issuer", UrlProblem::Insecure),
        (KnownServer::new("https://as.example.com?x"), "issuer", UrlProblem::Query),
        (KnownServer::with_endpoints(AS, endpoints("/token")), "token_endpoint", UrlProblem::Syntax),
        (
            KnownServer::with_endpoints(AS, endpoints("http://h/token")),
            "token_endpoint",
            UrlProblem::Insecure,
        ),
        (
            KnownServer::with_endpoints(AS, endpoints("https://h/t").device_authorization("javascript:1")),
            "device_authorization_endpoint",
            UrlProblem::Scheme,
        ),
    ] {
        assert_eq!(with(known), Err(ConfigError::Server { field, problem }));
    }
}

// Identifiers that differ.

#[test]
fn an_issuer_that_differs_is_one_pair_and_no_other() {
    let differing = |own: &str| {
        let mut world = World::new();
        world.server().metadata = json!({ "issuer": own });
        world.server().iss = false;
        world
    };
    let stated = config().issuer_differs(AS, "https://login.example.com");
    let mut player = Player::in_world(differing("https://login.example.com"), stated.clone()).unwrap();
    player.call("ping").delivered();
    player.call("write").delivered();
    player.wait_s(3601);
    player.restart();
    player.call("ping").delivered();
    let asked = player.prompts.iter().any(|prompt| matches!(
        prompt, Interaction::Approve(summary) if matches!(summary.reason, grantor::Reason::IssuerChanged { .. })));
    assert!(!asked, "it is one server by two names");
    player.log_out();
    assert!(player.store.records().all(|(key, _)| key.kind != RecordKind::Grant));
    assert_eq!(player.count("https://login.example.com"), 0, "nothing is there");
    for other in ["https://login.example.com/", "https://login.example.org", AS.trim_end_matches('m')] {
        let error = Player::in_world(differing(other), stated.clone()).unwrap().call("ping").failed();
        assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. })), "{other}");
    }
    // The name that it does not have is refused then as well.
    let error = Player::in_world(World::new(), stated).unwrap().call("ping").failed();
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. })), "{error:?}");
}

#[test]
fn rfc9207_2_4_iss_is_held_against_the_issuer_that_was_stated() {
    for (iss, good) in [("https://login.example.com", true), (AS, false), ("https://evil.example", false)] {
        let mut world = World::new();
        world.server().metadata = json!({ "issuer": "https://login.example.com" });
        world.server().iss = false;
        let mut player =
            Player::in_world(world, config().issuer_differs(AS, "https://login.example.com")).unwrap();
        player.user = grantor_world::player::User::Leaves;
        let call = player.begin("ping");
        player.run();
        let (op, page) = player.open.remove(0);
        let back = player.visit(&page).unwrap();
        let url = format!(
            "{back}&iss={}",
            url::form_urlencoded::byte_serialize(iss.as_bytes()).collect::<String>()
        );
        player.complete(op, grantor::Completion::Callback { url: &url });
        player.run();
        let outcome = player.outcome(call).unwrap();
        assert_eq!(matches!(outcome, grantor_world::Outcome::Delivered(_)), good, "{iss}: {outcome:?}");
    }
}

#[test]
fn no_template_from_outside() {
    // Braces stand for a tenant where the configuration says so, and nowhere else.
    let mut world = World::new();
    world.mcp.authorization_servers = vec!["https://as.example.com/{tenantid}".into()];
    let error = Player::in_world(world, config()).unwrap().call("ping").failed();
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::Url { .. })), "{error:?}");
}

#[test]
fn a_resource_identifier_that_differs_is_matched_exactly() {
    for (stated, document, good) in [
        ("https://mcp.example.com", "https://mcp.example.com", true),
        ("https://mcp.example.com", "https://mcp.example.com/", true),
        ("https://mcp.example.com", "https://mcp.example.com/mcp", false),
        ("api://1111", "api://1111", true),
        ("api://1111", "api://2222", false),
        ("https://other.example.com/api", "https://other.example.com/api", true),
        ("https://other.example.com/api", "https://other.example.com/api?x", false),
        ("urn:example:mcp", "urn:example:mcp", true),
    ] {
        let mut player = Player::new(config().resource_identifier(stated).unwrap());
        player.world.mcp.metadata = json!({ "resource": document });
        let call = player.begin("ping");
        player.run();
        let outcome = player.outcome(call);
        let reached = player.world.asked.iter().any(|asked| asked.contains("/authorize?"));
        assert_eq!(reached, good, "{stated} {document}: {outcome:?}");
        let encoded: String = url::form_urlencoded::byte_serialize(document.as_bytes()).collect();
        assert_eq!(player.count(&format!("resource={encoded}")) > 0, good);
    }
    for bad in ["", "mcp", "/mcp", "https://h/#x", " https://h", "https://h\n"] {
        assert_eq!(
            config().resource_identifier(bad).unwrap_err(),
            ConfigError::ResourceIdentifier,
            "{bad:?}"
        );
    }
}

#[test]
fn a_url_with_a_query_says_which_identifier_is_meant() {
    let url = "https://mcp.example.com/mcp?tenant=7";
    let with_query = Config::new(url, ClientMetadata::named("x")).unwrap();
    let stated = with_query.clone().resource_identifier("https://mcp.example.com/mcp").unwrap();
    for (config, good) in [(with_query, false), (stated, true)] {
        let mut player = Player::new(config);
        let call =
            player.engine.authorize(player.now, grantor::client::RequestHead::new("POST", url)).unwrap();
        player.run();
        let mut headers = http::HeaderMap::new();
        let challenge = "Bearer resource_metadata=\
                         \"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"";
        headers.insert("www-authenticate", challenge.parse().unwrap());
        let head = grantor::client::ResponseHead { status: 401, headers: &headers };
        // The player has no request for this call: the engine's outputs are all that counts here.
        player.engine.report(player.now, call, head).unwrap();
        player.run();
        let reached = player.world.asked.iter().any(|asked| asked.contains("/authorize?"));
        assert_eq!(reached, good);
    }
}

// Registration.

#[test]
fn rfc7591_2_scopes_and_methods_to_register_with() {
    let post_first = [ClientAuthMethod::SecretPost, ClientAuthMethod::SecretBasic];
    let config = config().registration_scopes(scopes("mcp:use files:read files:write"));
    let config = config.registration_methods(&post_first).unwrap();
    for (offered, expected) in [
        (json!(["none", "client_secret_basic", "client_secret_post"]), Some("client_secret_post")),
        (json!(["none", "client_secret_basic"]), Some("client_secret_basic")),
        (json!(["none"]), None),
    ] {
        let mut player = Player::new(config.clone());
        player.world.server().metadata = json!({ "token_endpoint_auth_methods_supported": offered });
        player.world.server().auth_method = expected.unwrap_or("none").into();
        let log = watch(&mut player);
        let call = player.begin("ping");
        player.run();
        let delivered = matches!(player.outcome(call), Some(grantor_world::Outcome::Delivered(_)));
        assert_eq!(delivered, expected.is_some());
        let registered = log.of("POST https://as.example.com/register").pop().and_then(|seen| seen.json);
        assert_eq!(
            registered.as_ref().map(|sent| sent["token_endpoint_auth_method"].as_str().unwrap()),
            expected
        );
        if let Some(sent) = registered {
            assert_eq!(sent["scope"], "mcp:use files:read files:write");
        }
    }
    for bad in
        [&[][..], &[ClientAuthMethod::PrivateKeyJwt], &[ClientAuthMethod::None, ClientAuthMethod::SecretJwt]]
    {
        let refused = Config::new("https://h", ClientMetadata::default()).unwrap().registration_methods(bad);
        assert_eq!(refused.unwrap_err(), ConfigError::RegistrationMethods);
    }
}

#[test]
fn without_the_option_no_scope_is_registered() {
    let mut player = Player::new(config());
    let log = watch(&mut player);
    player.call("ping").delivered();
    assert!(log.one("POST https://as.example.com/register").json.unwrap().get("scope").is_none());
}

// User-Agent.

#[test]
fn rfc9110_10_1_5_every_request_of_grantor_says_who_sends_it() {
    let mut metadata = ClientMetadata::named("Files & More: für alle");
    metadata.software_version = Some("2.1".into());
    let named = Config::new("https://mcp.example.com/mcp", metadata).unwrap();
    let product = concat!("grantor/", env!("CARGO_PKG_VERSION"));
    for (config, expected) in [
        (named.clone(), format!("Files-&-More-f-r-alle/2.1 {product}")),
        (
            named.user_agent("my-app/7 (support@example.com)").unwrap(),
            "my-app/7 (support@example.com)".into(),
        ),
    ] {
        let mut player = Player::new(config);
        player.world.server().offers.pushed_only = true;
        player.world.server().offers.revocation = true;
        let log = watch(&mut player);
        player.call("ping").delivered();
        player.wait_s(3601);
        player.call("ping").delivered();
        player.log_out();
        let by_browser_or_host = |seen: &&Seen| {
            seen.what.ends_with("/authorize") || seen.what.ends_with("/mcp") && seen.what.starts_with("POST")
        };
        let own: Vec<_> = log.all();
        let own: Vec<_> = own.iter().filter(|seen| !by_browser_or_host(seen)).collect();
        assert!(own.len() >= 7, "{own:#?}");
        for seen in own {
            assert_eq!(seen.user_agent.as_deref(), Some(&*expected), "{}", seen.what);
        }
    }
    for bad in ["", "  ", "a\r\nb: c", "ä", &"x".repeat(257)] {
        assert_eq!(config().user_agent(bad).unwrap_err(), ConfigError::UserAgent, "{bad:?}");
    }
}

// Plain http in development.

fn development() -> (World, Config) {
    let mut world = World::new();
    world.mcp = grantor_world::McpServer::new("http://mcp.test:8080/mcp");
    world.add(AuthorizationServer::new("http://keycloak:8081"));
    world.mcp.authorization_servers = vec!["http://keycloak:8081".into()];
    let urls = UrlPolicy::default().development_host("mcp.test").development_host("keycloak");
    (world, Config::with_urls("http://mcp.test:8080/mcp", ClientMetadata::named("x"), urls).unwrap())
}

#[test]
fn plain_http_to_named_hosts_is_told_each_time() {
    let (world, config) = development();
    let mut player = Player::in_world(world, config).unwrap();
    player.call("ping").delivered();
    let count = |player: &Player, host: &str| {
        let told = |notice: &&Notice| matches!(notice, Notice::PlainHttp { host: told } if **told == *host);
        player.notices.iter().filter(told).count()
    };
    // Metadata, registration, token; the resource's metadata and the token that was sent there.
    assert_eq!((count(&player, "keycloak"), count(&player, "mcp.test")), (3, 2));
    player.call("ping").delivered();
    assert_eq!(count(&player, "mcp.test"), 3, "each time a token is sent");
    let words = player.notices.iter().find(|notice| matches!(notice, Notice::PlainHttp { .. })).unwrap();
    assert!(words.to_string().contains("INSECURE") && words.to_string().contains("development"), "{words}");
    // Nothing is told of https and of loopback.
    let mut player = Player::new(grantor_world::player::config());
    player.call("ping").delivered();
    assert!(player.notices.iter().all(|notice| !matches!(notice, Notice::PlainHttp { .. })));
}

#[test]
fn plain_http_to_other_hosts_stays_refused() {
    let refused = Config::new("http://mcp.test:8080/mcp", ClientMetadata::named("x"));
    assert_eq!(refused.unwrap_err(), ConfigError::Resource(UrlProblem::Insecure));
    let (world, _) = development();
    let urls = UrlPolicy::default().development_host("mcp.test"); // and not the authorization server
    let config = Config::with_urls("http://mcp.test:8080/mcp", ClientMetadata::named("x"), urls).unwrap();
    let mut player = Player::in_world(world, config).unwrap();
    let error = player.call("ping").failed();
    let insecure = PeerMisbehaved::Url { field: "issuer", problem: UrlProblem::Insecure };
    assert_eq!(error, insecure.into());
    let (_, mended) = development();
    player.restart_with(mended);
    player.call("ping").delivered();
}

#[test]
fn options_together_with_a_client_of_ones_own() {
    // A pre-registered client with a fixed redirect, extra parameters and a known server: nothing gets in the way
    // of the others.
    let uri = "https://app.example.com/callback";
    let own = Preregistered::new(AS, "own").secret(Secret::from("planted-own"));
    let known = KnownServer::new(AS);
    let config = with_parameters(config().authorization_server(known).preregistered(own))
        .redirect(Redirect::Fixed(uri.into()))
        .unwrap();
    let mut player = Player::new(config);
    player.world.server().auth_method = "client_secret_basic".into();
    let client = RegisteredClient {
        secret: Some("planted-own".into()),
        redirect_uris: vec![uri.into()],
        ..RegisteredClient::default()
    };
    player.world.server().clients.insert("own".into(), client);
    player.call("ping").delivered();
    assert_eq!(player.count("/register"), 0);
}

// Errors with a good status, wherever one is asked.

#[test]
fn an_error_is_one_whatever_its_status() {
    let body = json!({ "error": "temporarily_odd", "error_description": "in words" });
    for (path, status) in
        [("/register", 200), ("/register", 201), ("/par", 200), ("/par", 201), ("/token", 200)]
    {
        let mut player = Player::new(config());
        player.world.server().offers.pushed_only = true;
        let body = body.clone();
        player.world.intercept = Some(Box::new(move |request| {
            let status = http::StatusCode::from_u16(status).unwrap();
            (request.uri().path() == path).then(|| grantor_world::json(status, &body))
        }));
        let Error::Refused(
            Refused::Registration { code, description } | Refused::Token { code, description },
        ) = player.call("ping").failed()
        else {
            panic!("{path}")
        };
        assert_eq!(code, "temporarily_odd", "{path}");
        assert_eq!(description.unwrap().to_string(), "in words", "{path}");
        player.world.intercept = None;
        player.call("ping").delivered();
    }
}
