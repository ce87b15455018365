//! Attacks, each by its source: RFC 9700 4, RFC 6749 10, the security pages of MCP, and CVEs of others. Those on redirect
//! URIs one by one are with `server::wire`, those on the tower layer with it.

use crate::devices::{jag, side_by_side};
use crate::world::*;
use grantor::jose::{Algorithm, ClientAssertion, KeySet, SigningKey};
use grantor::server::{
    Outcome, PageContent, ProtectedResource, RegisteredClient, Registration, TrustedIssuer, User,
    UserDecision,
};
use grantor::{Reach, limits};
use http::header::{COOKIE, HeaderMap, HeaderValue};

const EVIL: &str = "https://evil.example/cb";

/// A client that the attacker registered.
fn evil(world: &World) -> String {
    let metadata =
        format!(r#"{{"client_name":"Bank","redirect_uris":["{EVIL}"],"token_endpoint_auth_method":"none"}}"#);
    json(&world.answer(register(&metadata)))["client_id"].as_str().unwrap().to_owned()
}

/// A client that the attacker describes at a web server of their own.
fn evil_document(world: &World, more: &str) -> &'static str {
    let id = "https://evil.example/client.json";
    let document = format!(r#"{{"client_id":"{id}","client_name":"Bank","redirect_uris":["{EVIL}"]{more}}}"#);
    world.documents.borrow_mut().insert(id.into(), (200, document));
    id
}

fn by_evil<'a>(id: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![("client_id", id), ("redirect_uri", EVIL)];
    all.extend(changes);
    asking(&all)
}

fn code_of(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Answer(answer) => parameter(answer.header("location"), "code"),
        _ => None,
    }
}

#[test]
fn rfc9700_4_1_redirect_uris_of_others() {
    let world = World::plain();
    for trick in [
        "http://127.0.0.1:7000/callback/",
        "http://127.0.0.1:7000/callback/../evil",
        "http://127.0.0.1:7000/callback%2f..%2fevil",
        "http://127.0.0.1:7000/callback?x=y",
        "http://127.0.0.1:7000/callback#x",
        "http://127.0.0.1:7000@evil.example/callback",
        "http://127.0.0.1:7000\\@evil.example/callback",
        "http://127.0.0.1.evil.example:7000/callback",
        "http://localhost:7000/callback",
        "http://[::1]:7000/callback",
        "http://127.0.0.2:7000/callback",
        "http://2130706433:7000/callback",
        "https://127.0.0.1:7000/callback",
        "http://127.0.0.1:7000/Callback",
        "http://127.0.0.1\u{ff0e}evil.example/callback",
        "http://xn--127-0-0-1.example:7000/callback",
        "javascript:alert(1)",
    ] {
        let mut parameters = asking(&[("redirect_uri", trick)]);
        assert_eq!(shown_error(world.authorize(&parameters, Some(alice()))).0, 400, "{trick}");
        parameters.push(("redirect_uri", REDIRECT));
        assert_eq!(
            shown_error(world.authorize(&parameters, Some(alice()))).0,
            400,
            "{trick}, then the right one"
        );
    }
}

#[test]
fn rfc9700_4_4_2_every_answer_names_the_issuer() {
    let world = World::plain();
    let (request, cookies) = world.consent_page(&asking(&[]));
    let allowed = answered(world.decide(&request, &cookies, UserDecision::Allow));
    let (request, cookies) = world.consent_page(&asking(&[]));
    let denied = answered(world.decide(&request, &cookies, UserDecision::Deny));
    let wrong = answered(world.authorize(&asking(&[("response_type", "token")]), None));
    for answer in [allowed, denied, wrong] {
        let location = answer.header("location");
        assert_eq!(location.matches("iss=").count(), 1, "{location}");
        assert_eq!(parameter(location, "iss").as_deref(), Some(ISSUER));
    }
    let body = json(&world.answer(grantor::server::Request::get("/.well-known/oauth-authorization-server")));
    assert_eq!(body["authorization_response_iss_parameter_supported"], true);
}

#[test]
fn rfc9700_4_5_a_code_that_is_injected_or_stolen_is_of_no_use() {
    let world = World::plain();
    let code = world.code(&asking(&[]));
    // Injected into a session of the attacker's: another verifier.
    let mut form = exchanging(&code);
    form[4].1 = "attackers-attackers-attackers-attackers-attackers";
    assert_eq!(error(&world.token(&form)), (400, "invalid_grant".into()));
    // Stolen, and brought by the attacker's own client.
    let id = evil(&world);
    let mut form = exchanging(&code);
    form[1].1 = &id;
    assert_eq!(error(&world.token(&form)), (400, "invalid_grant".into()));
    // None of it spent the user's.
    assert_eq!(world.token(&exchanging(&code)).status, 200);
}

#[test]
fn rfc9700_4_8_2_pkce_cannot_be_downgraded() {
    let world = World::plain();
    for changes in [
        &[("code_challenge", "")][..],
        &[("code_challenge", ""), ("code_challenge_method", "")],
        &[("code_challenge_method", "")],
        &[("code_challenge_method", "plain")],
        &[("code_challenge_method", "s256")],
        &[("code_challenge", VERIFIER), ("code_challenge_method", "plain")],
        &[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c")],
        &[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=")],
    ] {
        let outcome = world.authorize(&asking(changes), Some(alice()));
        assert_eq!(redirected_error(outcome), "invalid_request", "{changes:?}");
    }
    let code = world.code(&asking(&[]));
    let long = format!("{VERIFIER}{}", "x".repeat(128));
    for verifier in
        ["", "x", CHALLENGE, &VERIFIER[..42], &long, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX\u{e9}"]
    {
        let mut form = exchanging(&code).to_vec();
        form[4].1 = verifier;
        assert_eq!(world.token(&form).status, 400, "{verifier:?}");
    }
    assert_eq!(world.token(&exchanging(&code)).status, 200);
}

#[test]
fn rfc9700_4_11_2_no_browser_is_sent_to_whom_nobody_trusts() {
    let world = World::plain();
    let clients = [evil(&world), evil_document(&world, "").to_owned()];
    let errors: [(&str, &str); 4] =
        [("response_type", "x"), ("scope", "unknown"), ("code_challenge", ""), ("prompt", "none")];
    for id in &clients {
        for change in errors {
            for user in [None, Some(alice())] {
                let (page, _) = page(world.authorize(&by_evil(id, &[change]), user));
                let PageContent::GoBack { to, client, .. } = page.content else { panic!("{change:?}") };
                assert_eq!(page.status, 400);
                assert_eq!(&*client.id, id);
                let to = to.expose();
                assert!(to.starts_with(EVIL) && parameter(to, "error").is_some(), "by a link, if they like");
            }
        }
        // Once the user has consented to it, it is the user who trusts it; with the answer no they have seen where they go.
        let (request, cookies) = world.consent_page(&by_evil(id, &[]));
        let denied = answered(world.decide(&request, &cookies, UserDecision::Deny));
        assert!(denied.header("location").starts_with(EVIL));
        world.code(&by_evil(id, &[]));
        let outcome = world.authorize(&by_evil(id, &[("scope", "unknown")]), Some(alice()));
        assert!(answered(outcome).header("location").starts_with(EVIL));
        let (page, _) =
            page(world.authorize(&by_evil(id, &[("scope", "unknown")]), Some(User::new("bob", START))));
        assert!(matches!(page.content, PageContent::GoBack { .. }), "nobody else does");
    }
    assert_eq!(redirected_error(world.authorize(&asking(&[("scope", "unknown")]), None)), "invalid_scope");
}

#[test]
fn rfc9700_4_12_a_browser_that_is_sent_on_takes_no_body_along() {
    let world = World::plain();
    let (request, cookies) = world.consent_page(&asking(&[]));
    let answer = answered(world.decide(&request, &cookies, UserDecision::Allow));
    assert_eq!(answer.status, 303);
}

#[test]
fn rfc9700_4_15_a_client_is_no_user() {
    let world = World::plain();
    // What others choose the name of has no token of its own, so no `sub` can be taken for a user's.
    let refused = register(
        r#"{"redirect_uris":["https://a.example/"],"grant_types":["client_credentials"],"client_id":"alice"}"#,
    );
    assert_eq!(error(&world.answer(refused)), (400, "invalid_client_metadata".into()));
    let id = evil_document(&world, r#","grant_types":["authorization_code","client_credentials"]"#);
    let form = [("grant_type", "client_credentials"), ("client_id", id)];
    assert_eq!(error(&world.token(&form)), (400, "unauthorized_client".into()));
}

#[test]
fn rfc6749_10_2_nobody_gets_a_token_by_the_consent_that_another_client_has() {
    let world = World::plain();
    let web = [("client_id", "web"), ("redirect_uri", "https://web.example.com/cb")];
    world.code(&asking(&web));
    assert!(code_of(&world.authorize(&asking(&web), Some(alice()))).is_some(), "it is remembered");
    for id in [evil(&world), evil_document(&world, "").to_owned()] {
        let outcome = world.authorize(&by_evil(&id, &[]), Some(alice()));
        assert!(matches!(page(outcome).0.content, PageContent::Consent(_)));
    }
}

/// CVE-2025 of proxies and servers for MCP: a consent of before, or a cookie, let an attacker's client have a code.
#[test]
fn ghsa_rww4_4w9c_7733_each_client_is_consented_to_even_where_there_is_no_scope() {
    let bare = "https://bare.example.com/";
    let world = World::new(config().resource(ProtectedResource::new(bare)));
    for id in [evil(&world), evil_document(&world, "").to_owned()] {
        let ask = by_evil(&id, &[("scope", ""), ("resource", bare)]);
        let outcome = world.authorize(&ask, Some(alice()));
        assert_eq!(code_of(&outcome), None, "{id}");
        assert!(matches!(page(outcome).0.content, PageContent::Consent(_)));
        let silent = by_evil(&id, &[("scope", ""), ("resource", bare), ("prompt", "none")]);
        assert_eq!(code_of(&world.authorize(&silent, Some(alice()))), None);
    }
    let web = [("client_id", "web"), ("redirect_uri", "https://web.example.com/cb")];
    let ask = asking(&[web[0], web[1], ("scope", ""), ("resource", bare)]);
    assert_eq!(code_of(&world.authorize(&ask, Some(alice()))), None);
    world.code(&ask);
    assert!(code_of(&world.authorize(&ask, Some(alice()))).is_some(), "remembered, of no scope too");
}

#[test]
fn rfc6749_10_12_who_was_not_shown_a_page_does_not_answer_it() {
    let world = World::plain();
    let (request, cookies) = world.consent_page(&asking(&[]));
    // Another user has signed in at this browser meanwhile, or was signed in by somebody.
    let bob = User::new("bob", START);
    let outcome = world.run(world.deciding(&request, &cookies, bob.clone(), UserDecision::Allow));
    let (shown, _) = page(outcome);
    let PageContent::Consent(anew) = shown.content else { panic!() };
    assert_eq!(anew.user, Some(bob.clone()));
    assert_eq!(world.records.borrow().len(), 1, "nothing is granted, and the page is still there");
    let allowed = world.run(world.deciding(&anew, &cookies, bob, UserDecision::Allow));
    let code = code_of(&allowed).unwrap();
    let tokens = json(&world.token(&exchanging(&code)));
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["sub"], "bob");
}

#[test]
fn rfc9470_4_a_page_that_asks_to_sign_in_is_no_consent() {
    let world = World::plain();
    for changes in [("acr_values", "urn:example:two-factors"), ("max_age", "10"), ("prompt", "login")] {
        let (shown, cookies) = page(world.authorize(&asking(&[changes]), Some(alice())));
        let PageContent::SignIn(request) = shown.content else { panic!() };
        let outcome = world.decide(&request, &cookies, UserDecision::Allow);
        assert_eq!(code_of(&outcome), None, "{changes:?}");
        assert!(matches!(page(outcome).0.content, PageContent::SignIn(_)));
    }
}

#[test]
fn rfc8707_2_2_no_resource_is_added_later() {
    let mail = "https://mail.example.com/";
    let other = ProtectedResource::new(mail).scope("files:read", "Read your mail").unwrap();
    let world = World::new(config().resource(other));
    let code = world.code(&asking(&[]));
    let mut form = exchanging(&code).to_vec();
    form.push(("resource", mail));
    assert_eq!(error(&world.token(&form)), (400, "invalid_target".into()));
    form.push(("resource", RESOURCE));
    assert_eq!(error(&world.token(&form)), (400, "invalid_target".into()));
    form.truncate(5);
    let tokens = json(&world.token(&form));
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("refresh_token", refresh),
        ("resource", mail),
    ];
    assert_eq!(error(&world.token(&form)), (400, "invalid_target".into()));
    let aud = claims(json(&world.refresh(refresh))["access_token"].as_str().unwrap())["aud"].clone();
    assert_eq!(aud, RESOURCE);
    assert!(code_of(&world.authorize(&asking(&[("resource", mail)]), Some(alice()))).is_none(), "asked anew");
}

#[test]
fn rfc6749_3_2_parameters_are_not_polluted() {
    let world = World::plain();
    let code = world.code(&asking(&[]));
    for (name, value) in exchanging(&code) {
        let mut form = exchanging(&code).to_vec();
        form.push((name, "other"));
        assert_eq!(world.token(&form).status, 400, "{name}");
        form.last_mut().unwrap().1 = value;
        assert_eq!(world.token(&form).status, 400, "{name}, the same twice");
    }
    for (name, value) in asking(&[]).into_iter().filter(|(name, _)| *name != "resource") {
        let mut twice = asking(&[]);
        twice.push((name, value));
        assert_eq!(code_of(&world.authorize(&twice, Some(alice()))), None, "{name}");
    }
    // Parameters in the URL are not read beside those of the body.
    let mut request = post("/token", &exchanging(&code));
    request.target = "/token?client_id=web".parse().unwrap();
    assert_eq!(error(&world.answer(request)), (400, "invalid_request".into()));
    assert_eq!(world.token(&exchanging(&code)).status, 200);
}

#[test]
fn rfc6749_10_10_credentials_are_not_guessed_and_tell_nothing() {
    let world = World::plain();
    let code = world.code(&asking(&[]));
    let before = world.dump();
    for index in 0..code.len() {
        let mut guess = code.clone().into_bytes();
        guess[index] = if guess[index] == b'A' { b'B' } else { b'A' };
        let guess = String::from_utf8(guess).unwrap();
        assert_eq!(error(&world.token(&exchanging(&guess))), (400, "invalid_grant".into()));
    }
    assert_eq!(world.dump(), before);
    // The same words for a client that is not known and for a wrong secret.
    let words = |id: &str| {
        let answer =
            world.token(&[("grant_type", "client_credentials"), ("client_id", id), ("client_secret", "x")]);
        assert_eq!(error(&answer), (401, "invalid_client".into()));
        answer.body.expose().to_owned()
    };
    assert_eq!(words("web"), words("nobody"));
    assert_eq!(words("app"), words("nobody"), "a client without a secret, too");
}

#[test]
fn rfc7591_5_a_flood_of_new_clients_is_bounded_and_others_are_served() {
    let world = World::new(config().registration(Registration::open().per_hour(100)));
    let known = r#"{"redirect_uris":["http://127.0.0.1/"],"token_endpoint_auth_method":"none"}"#;
    assert_eq!(world.answer(register(known)).status, 201);
    let tokens = world.tokens();
    for method in ["none", "client_secret_post"] {
        for number in 0..500 {
            let metadata = format!(
                r#"{{"client_name":"{number}","redirect_uris":["{EVIL}"],"token_endpoint_auth_method":"{method}"}}"#
            );
            let answer = world.answer(register(&metadata));
            assert!(matches!(answer.status, 201 | 503), "{}", answer.status);
            assert!(answer.status == 201 || !answer.header("retry-after").is_empty());
        }
    }
    let clients = world.records.borrow().keys().filter(|name| name.starts_with("client\n")).count();
    assert!((80..=101).contains(&clients), "{clients}");
    assert_eq!(world.answer(register(known)).status, 201, "what is known is registered already");
    let id = evil_document(&world, "");
    world.code(&by_evil(id, &[]));
    assert_eq!(world.refresh(tokens["refresh_token"].as_str().unwrap()).status, 200);
    world.pass(60 * 60);
    assert_eq!(
        world.answer(register(r#"{"redirect_uris":["https://a.example/"]}"#)).status,
        201,
        "in an hour"
    );
    // Asking about a client does not keep it: only consent does.
    for _ in 0..8 {
        let mine = world.records.borrow().keys().find(|name| name.starts_with("client\n")).cloned();
        let Some(mine) = mine else { break };
        let _ = world.authorize(&by_evil(mine.rsplit('\n').next().unwrap(), &[]), None);
        world.pass(24 * 60 * 60);
    }
    world.tokens(); // a write, with which the host in memory forgets
    assert_eq!(world.records.borrow().keys().filter(|name| name.starts_with("client\n")).count(), 0);
}

#[test]
fn vercel_ai_20578_documents_by_redirect_and_by_dns_rebinding() {
    let world = World::plain();
    // By a redirect: it is not followed.
    let id = "https://evil.example/moved.json";
    world.documents.borrow_mut().insert(id.into(), (302, "http://169.254.169.254/".into()));
    assert_eq!(shown_error(world.authorize(&by_evil(id, &[]), None)).1, "invalid_client");
    assert_eq!(world.fetched.borrow().len(), 1);
    // By a name that resolves to an inner address: whoever connects looks at the address it connects to.
    let id = evil_document(&world, "");
    let _ = world.authorize(&by_evil(id, &[]), None);
    for (url, reach) in &*world.fetched.borrow() {
        let public = || vec!["203.0.113.1".parse().unwrap()];
        for inner in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(reach.admitted([inner.parse().unwrap()], public).is_empty(), "{url} {inner}");
        }
        assert_ne!(*reach, Reach::default());
    }
}

#[test]
fn cimd_6_6_documents_that_are_large_or_slow() {
    let world = World::plain();
    let long = "x".repeat(limits::CLIENT_DOCUMENT);
    let id = evil_document(&world, &format!(r#","x":"{long}""#));
    assert_eq!(shown_error(world.authorize(&by_evil(id, &[]), None)).1, "invalid_client");
    // As large as a set of keys may be, and fetched as one before.
    let keys = "https://evil.example/keys";
    let large = format!(r#"{{"client_id":"{keys}","redirect_uris":["{EVIL}"],"keys":[],"x":"{long}"}}"#);
    world.documents.borrow_mut().insert(keys.into(), (200, large));
    let signed = r#","token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://evil.example/keys""#;
    let id = evil_document(&world, signed);
    let key = SigningKey::generate(Algorithm::EdDsa, &[21; 32]).unwrap();
    let made = ClientAssertion::new(id, ISSUER).unsigned(key.algorithm(), None, START, &[1; 16]);
    let made = made.sign(&key).unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_assertion_type", ClientAssertion::TYPE),
        ("client_assertion", made.expose()),
    ];
    assert_eq!(error(&world.token(&form)), (401, "invalid_client".into()));
    assert_eq!(world.fetched.borrow().last().unwrap().0, keys);
    assert_eq!(shown_error(world.authorize(&by_evil(keys, &[]), None)).1, "invalid_client");
    // Slow: the effect says how long it may take.
    let slow = "https://evil.example/slow.json";
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(by_evil(slow, &[]));
    let request = grantor::server::Request::get(&format!("/authorize?{}", query.finish()));
    let (mut exchange, mut step) = world.handling(request);
    loop {
        match step {
            grantor::server::Step::Perform {
                effect: effect @ grantor::Effect::Http { .. },
                timeout_ms,
                ..
            } => {
                assert!(timeout_ms <= limits::PROVIDER_HTTP_MS);
                let grantor::Effect::Http { max_body, .. } = effect else { panic!() };
                assert_eq!(max_body, limits::CLIENT_DOCUMENT);
                step = exchange.complete(world.now(), Done::Failed.completion()).unwrap();
            }
            grantor::server::Step::Perform { effect, .. } => step = world.perform(&mut exchange, effect),
            grantor::server::Step::Done(outcome) => {
                assert_eq!(shown_error(outcome), (503, "temporarily_unavailable".into()));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn rfc7523_3_a_client_of_several_methods_that_comes_with_none_has_proven_nothing() {
    let key = SigningKey::generate(Algorithm::EdDsa, &[21; 32]).unwrap();
    let jwks = "https://idp.example.com/jwks".parse().unwrap();
    let idp = TrustedIssuer::identity_provider("https://idp.example.com", jwks)
        .keys(KeySet::of([key.public().clone()]));
    let world = World::new(config().trusted_issuer(idp));
    let more = format!(
        r#","token_endpoint_auth_methods_supported":["none","private_key_jwt"],"jwks":{{"keys":[{}]}},
        "grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:jwt-bearer"]"#,
        key.public().to_jwk()
    );
    let id = evil_document(&world, &more);
    let stolen = jag(&key, |claims| claims["client_id"] = id.into());
    let bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let form = [("grant_type", bearer), ("client_id", id), ("assertion", &*stolen)];
    assert_eq!(error(&world.token(&form)), (400, "unauthorized_client".into()));
    let form = [("token", "x"), ("client_id", id)];
    assert_eq!(error(&world.post("/introspect", &form)), (401, "invalid_client".into()), "RFC 7662 2.1");
}

#[test]
fn rfc9700_4_14_a_flood_of_codes_signs_nobody_out() {
    let world = World::plain();
    let tokens = world.tokens();
    let web = [("client_id", "web"), ("redirect_uri", "https://web.example.com/cb")];
    world.code(&asking(&web));
    // An attacker's page sends the browser here again and again; the consent is remembered.
    for _ in 0..2 * limits::USER_GRANTS {
        assert!(code_of(&world.authorize(&asking(&web), Some(alice()))).is_some());
    }
    assert_eq!(world.refresh(tokens["refresh_token"].as_str().unwrap()).status, 200);
    world.pass(61);
    let provider = world.provider.borrow().clone();
    let Outcome::Grants(listed) = world.run(provider.grants_of(world.now(), world.entropy(), "alice")) else {
        panic!()
    };
    assert_eq!(listed.len(), 1, "codes that nobody exchanged are not listed for a year");
}

#[test]
fn rfc7009_2_1_whoever_has_only_the_token_before_can_still_sign_out() {
    let world = World::plain();
    let first = world.tokens()["refresh_token"].as_str().unwrap().to_owned();
    let second = json(&world.refresh(&first))["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(world.post("/revoke", &[("token", &first), ("client_id", "app")]).status, 200);
    assert_eq!(error(&world.refresh(&second)), (400, "invalid_grant".into()));
}

#[test]
fn a_clock_that_is_set_back_makes_no_window_longer() {
    let world = World::plain();
    let first = world.tokens()["refresh_token"].as_str().unwrap().to_owned();
    world.pass(3600);
    assert_eq!(world.refresh(&first).status, 200);
    world.now.set(START);
    assert_eq!(error(&world.refresh(&first)).1, "invalid_grant", "an hour before its successor was made");
    // Tries are counted anew, and nobody waits for the time that was.
    world.pass(86_400);
    let provider = world.provider.borrow().clone();
    let enter =
        || page(world.run(provider.enter_user_code(world.now(), world.entropy(), "BBBB-BBBB", alice()))).0;
    let statuses: Vec<u16> = (0..=limits::USER_CODE_ATTEMPTS).map(|_| enter().status).collect();
    assert_eq!(statuses.last(), Some(&429));
    world.now.set(START);
    assert_eq!(enter().status, 200);
}

#[test]
fn a_lost_answer_is_given_again_though_the_host_secret_was_replaced() {
    let world = World::plain();
    let first = world.tokens()["refresh_token"].as_str().unwrap().to_owned();
    let lost = json(&world.refresh(&first));
    let next = grantor::server::ProviderConfig::new(ISSUER, &[8; 32])
        .former_secret(&[7; 32])
        .key(key())
        .resource(files())
        .client(RegisteredClient::public("app").redirect_uri(REDIRECT));
    *world.provider.borrow_mut() = grantor::server::Provider::new(next).unwrap();
    let again = json(&world.refresh(&first));
    assert_eq!(again["access_token"], lost["access_token"]);
    let newest = again["refresh_token"].as_str().unwrap();
    assert_eq!(world.refresh(newest).status, 200);
}

#[test]
fn what_is_kept_of_a_request_is_bounded() {
    let world = World::plain();
    let long = "x".repeat(limits::AUTHORIZATION_REQUEST);
    let outcome = world.authorize(&asking(&[("state", "xyz"), ("unknown", &long)]), Some(alice()));
    assert_eq!(redirected_error(outcome), "invalid_request");
    assert_eq!(error(&world.post("/par", &asking(&[("unknown", &long)]))), (400, "invalid_request".into()));
    assert!(world.records.borrow().is_empty());
}

/// Whether a password may be tried for this name, in a browser with this cookie.
fn may_try(world: &World, name: &str, cookie: Option<&HeaderValue>) -> bool {
    let provider = world.provider.borrow().clone();
    let mut headers = HeaderMap::new();
    if let Some(cookie) = cookie {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        headers.insert(COOKIE, HeaderValue::from_str(&format!("other=1; {pair}")).unwrap());
    }
    match world.run(provider.attempt_sign_in(world.now(), world.entropy(), name, &headers)) {
        Outcome::Attempt { is_allowed } => is_allowed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc6749_10_10_passwords_are_not_guessed_and_nobody_is_locked_out() {
    let world = World::plain();
    let provider = world.provider.borrow().clone();
    let known = |name: &str| provider.known_browser_cookie(world.entropy(), name).unwrap();
    let (alices, mallorys) = (known("alice"), known("mallory"));
    // However the name is written, whatever the browser pretends.
    let forged = HeaderValue::from_str(&alices.to_str().unwrap().replacen('.', "A.", 1)).unwrap();
    for index in 0..limits::PASSWORD_ATTEMPTS {
        let name = ["alice", "ALICE", " Alice "][index as usize % 3];
        assert!(may_try(&world, name, [None, Some(&forged), Some(&mallorys)][index as usize % 3]));
    }
    assert!(!may_try(&world, "aLice", None));
    assert!(!may_try(&world, "alice", Some(&forged)));
    assert!(!may_try(&world, "alice", Some(&mallorys)), "a known browser is known for one name");
    assert!(may_try(&world, "bob", None), "the count is the name's");
    // Where alice has signed in before, the guesses of others do not count, but her own do.
    for _ in 0..limits::PASSWORD_ATTEMPTS {
        assert!(may_try(&world, "alice", Some(&alices)));
    }
    assert!(!may_try(&world, "alice", Some(&alices)));
    world.pass(limits::PASSWORD_ATTEMPTS_S);
    assert!(may_try(&world, "alice", None));
    assert!(alices.is_sensitive());
    let line = alices.to_str().unwrap();
    assert!(line.starts_with("__Host-grantor-known-") && line.ends_with("; Secure"), "{line}");
    assert!(line.contains("; Path=/; HttpOnly; SameSite=Lax; ") && !line.contains("alice"), "{line}");
}

#[test]
fn rfc6749_10_10_passwords_tried_at_once_count_each() {
    let world = World::plain();
    let provider = world.provider.borrow().clone();
    let headers = HeaderMap::new();
    let guesses = (0..50).map(|_| provider.attempt_sign_in(world.now(), world.entropy(), "alice", &headers));
    let outcomes = side_by_side(&world, guesses.collect());
    let allowed = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Attempt { is_allowed: true }));
    assert!(allowed.count() <= limits::PASSWORD_ATTEMPTS as usize);
}

#[test]
fn a_store_that_is_gone_lets_nobody_guess() {
    let world = World::plain();
    world.broken_store.set(true);
    let provider = world.provider.borrow().clone();
    let headers = HeaderMap::new();
    let (page, _) =
        page(world.run(provider.attempt_sign_in(world.now(), world.entropy(), "alice", &headers)));
    assert_eq!(page.status, 503);
}
