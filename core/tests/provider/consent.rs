//! Login and consent: who is asked what, and who may answer.

use crate::world::*;
use grantor::server::{Browser, Known, Outcome, PageContent, RegisteredClient, User, UserDecision, Warning};
use http::HeaderMap;

#[test]
fn a_page_says_who_asks_for_what() {
    let world = World::plain();
    let (request, _) = world.consent_page(&asking(&[("login_hint", "alice@example.com")]));
    assert_eq!(request.client.name.as_deref(), Some("App"));
    assert_eq!(request.client.known, Known::Registered);
    assert_eq!(request.redirect_uri.as_deref(), Some(REDIRECT));
    assert_eq!(&*request.scopes[0].description, "Read your files");
    assert_eq!(request.resources, ["Files".into()]);
    assert_eq!(request.login_hint.as_deref(), Some("alice@example.com"));
    assert_eq!(request.warnings, [Warning::AnyLocalProgram], "RFC 8252 8.6");
}

#[test]
fn rfc9700_4_16_pages_are_framed_by_nobody_and_kept_by_none() {
    let world = World::plain();
    for outcome in [world.authorize(&asking(&[]), None), world.authorize(&[], None)] {
        let (page, _) = page(outcome);
        let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "same-origin");
    }
}

#[test]
fn a_user_signs_in_and_comes_back() {
    let world = World::plain();
    let (page, cookies) = page(world.authorize(&asking(&[]), None));
    let PageContent::SignIn(request) = page.content else { panic!() };
    let provider = world.provider.borrow().clone();
    let browser = Browser::new(request.interaction.expose(), &cookies);
    let resumed = world.run(provider.resume(world.now(), world.entropy(), browser, Some(alice())));
    let (page, _) = crate::world::page(resumed);
    let PageContent::Consent(request) = page.content else { panic!() };
    let answer = answered(world.decide(&request, &cookies, UserDecision::Allow));
    assert!(parameter(answer.header("location"), "code").is_some());
}

#[test]
fn rfc9700_4_7_only_the_browser_that_was_asked_answers() {
    let world = World::plain();
    let (request, cookies) = world.consent_page(&asking(&[]));
    let (_, other) = world.consent_page(&asking(&[]));
    for wrong in [HeaderMap::new(), other] {
        let outcome = world.decide(&request, &wrong, UserDecision::Allow);
        assert_eq!(shown_error(outcome), (400, "invalid_request".into()));
    }
    let line = page(world.authorize(&asking(&[]), None)).0.headers["set-cookie"].to_str().unwrap().to_owned();
    for attribute in ["__Host-grantor-", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/"] {
        assert!(line.contains(attribute), "{line}");
    }
    let answer = answered(world.decide(&request, &cookies, UserDecision::Allow));
    assert!(parameter(answer.header("location"), "code").is_some());
    let again = world.decide(&request, &cookies, UserDecision::Allow);
    assert_eq!(shown_error(again).1, "invalid_request", "once");
    let (request, cookies) = world.consent_page(&asking(&[]));
    world.pass(601);
    assert_eq!(
        shown_error(world.decide(&request, &cookies, UserDecision::Allow)).1,
        "invalid_request",
        "too late"
    );
}

#[test]
fn no_means_no_and_less_means_less() {
    let world = World::plain();
    let (request, cookies) = world.consent_page(&asking(&[]));
    assert_eq!(redirected_error(world.decide(&request, &cookies, UserDecision::Deny)), "access_denied");
    let (request, cookies) = world.consent_page(&asking(&[("scope", "files:read files:write")]));
    let only = UserDecision::AllowOnly(scopes("files:read admin"));
    let answer = answered(world.decide(&request, &cookies, only));
    let code = parameter(answer.header("location"), "code").unwrap();
    assert_eq!(json(&world.token(&exchanging(&code)))["scope"], "files:read");
    let (request, cookies) = world.consent_page(&asking(&[]));
    let none = UserDecision::AllowOnly(scopes(""));
    assert_eq!(redirected_error(world.decide(&request, &cookies, none)), "access_denied");
}

fn web<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![("client_id", "web"), ("redirect_uri", "https://web.example.com/cb")];
    all.extend(changes);
    asking(&all)
}

fn has_code(outcome: Outcome) -> bool {
    matches!(&outcome, Outcome::Answer(answer) if parameter(answer.header("location"), "code").is_some())
}

#[test]
fn consent_is_remembered_and_asked_anew_for_more() {
    let world = World::plain();
    world.code(&web(&[]));
    assert!(has_code(world.authorize(&web(&[]), Some(alice()))));
    assert!(has_code(world.authorize(&web(&[("prompt", "none")]), Some(alice()))));
    let bob = User::new("bob", START);
    assert!(!has_code(world.authorize(&web(&[]), Some(bob))), "nobody else's");
    assert!(!has_code(world.authorize(&web(&[("prompt", "consent")]), Some(alice()))));
    let (request, _) = world.consent_page(&web(&[("scope", "files:read files:write")]));
    let known: Vec<bool> = request.scopes.iter().map(|scope| scope.allowed_before).collect();
    assert_eq!(known, [true, false]);
}

#[test]
fn rfc8252_8_6_a_local_program_is_consented_to_each_time() {
    let world = World::plain();
    world.code(&asking(&[]));
    assert!(!has_code(world.authorize(&asking(&[]), Some(alice()))));
    let world = World::new(config().remember_loopback_consent());
    world.code(&asking(&[]));
    assert!(has_code(world.authorize(&asking(&[]), Some(alice()))));
}

#[test]
fn mcp_confused_deputy_a_client_that_registered_itself_is_always_asked_for() {
    let world = World::plain();
    let metadata = r#"{"redirect_uris":["https://evil.example/cb"],"token_endpoint_auth_method":"none"}"#;
    let id = json(&world.answer(register(metadata)))["client_id"].as_str().unwrap().to_owned();
    let ask = asking(&[("client_id", &id), ("redirect_uri", "https://evil.example/cb")]);
    world.code(&ask);
    let (request, _) = world.consent_page(&ask);
    assert_eq!(request.warnings, [Warning::NameIsNotVerified]);
    assert_eq!(request.client.known, Known::Unverified);
}

#[test]
fn what_was_granted_is_listed_and_taken_back() {
    let world = World::plain();
    let tokens = world.tokens();
    let provider = world.provider.borrow().clone();
    let list = || match world.run(provider.grants_of(world.now(), world.entropy(), "alice")) {
        Outcome::Grants(grants) => grants,
        other => panic!("{other:?}"),
    };
    let grants = list();
    assert_eq!(grants.len(), 1);
    assert_eq!(&*grants[0].client_id, "app");
    assert_eq!(grants[0].client_name.as_deref(), Some("App"));
    assert_eq!(grants[0].scope, scopes("files:read"));
    let other = world.run(provider.revoke_grant(world.now(), world.entropy(), "bob", &grants[0].id));
    assert!(matches!(other, Outcome::Grants(grants) if grants.is_empty()));
    assert_eq!(list().len(), 1, "nobody else takes it back");
    let left = world.run(provider.revoke_grant(world.now(), world.entropy(), "alice", &grants[0].id));
    assert!(matches!(left, Outcome::Grants(grants) if grants.is_empty()));
    assert_eq!(error(&world.refresh(tokens["refresh_token"].as_str().unwrap())).1, "invalid_grant");
}

#[test]
fn a_user_has_so_many_grants_and_the_oldest_ends() {
    let world = World::new(config().remember_loopback_consent());
    let first = world.tokens();
    for _ in 0..grantor::limits::USER_GRANTS {
        let answer = answered(world.authorize(&asking(&[]), Some(alice())));
        let code = parameter(answer.header("location"), "code").unwrap();
        assert_eq!(world.token(&exchanging(&code)).status, 200);
    }
    assert_eq!(error(&world.refresh(first["refresh_token"].as_str().unwrap())).1, "invalid_grant");
}

#[test]
fn names_are_safe_to_show() {
    let world = World::new(config().client(RegisteredClient::public("x").redirect_uri(REDIRECT)));
    let metadata = "{\"client_name\":\"Ban\\u202ek\\u0007\",\"redirect_uris\":[\"http://127.0.0.1:7000/callback\"],\
        \"token_endpoint_auth_method\":\"none\",\"logo_uri\":\"javascript:alert(1)\"}";
    let id = json(&world.answer(register(metadata)))["client_id"].as_str().unwrap().to_owned();
    let (request, _) = world.consent_page(&asking(&[("client_id", &id)]));
    assert_eq!(request.client.name.as_deref(), Some("Ban\u{fffd}k\u{fffd}"));
    assert_eq!(request.client.logo, None);
}

#[test]
fn a_session_is_known_by_its_cookie_until_it_ends() {
    let world = World::plain();
    let provider = world.provider.borrow().clone();
    let line = provider.session_cookie(world.now(), &alice()).unwrap().to_str().unwrap().to_owned();
    for attribute in ["__Host-grantor-session=", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/"] {
        assert!(line.contains(attribute), "{line}");
    }
    let cookie = line.split(';').next().unwrap();
    let headers = |cookie: &str| {
        HeaderMap::from_iter([(http::header::COOKIE, format!("a=b; {cookie}").parse().unwrap())])
    };
    let signed_in = |cookie: &str| provider.signed_in(world.now(), &headers(cookie));
    assert_eq!(signed_in(cookie), Some(alice()));
    let forged = cookie.replacen("=ey", "=eX", 1);
    assert!(forged != cookie && signed_in(&forged).is_none());
    assert_eq!(provider.signed_in(world.now(), &HeaderMap::new()), None);
    world.pass(12 * 60 * 60);
    assert_eq!(signed_in(cookie), None);
    assert!(provider.sign_out_cookie().unwrap().to_str().unwrap().contains("session=; "));
}
