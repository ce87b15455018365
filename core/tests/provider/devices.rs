//! Devices (RFC 8628), assertions of others (RFC 7523) and proofs of possession (RFC 9449).

use crate::world::*;
use grantor::jose::dpop::{ProofKey, ProofRequest};
use grantor::jose::{Algorithm, KeySet, SigningKey};
use grantor::server::{Exchange, Outcome, PageContent, Step, TrustedIssuer, User, UserDecision};
use serde_json::json as object;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const WEB: [(&str, &str); 2] = [("client_id", "web"), ("client_secret", "s3cret")];

fn begin(world: &World) -> (String, String) {
    let answer = world.post("/device_authorization", &[WEB[0], WEB[1], ("scope", "files:read")]);
    assert_eq!(answer.status, 200);
    let body = json(&answer);
    assert_eq!(body["verification_uri"], "https://as.example.com/device");
    assert_eq!(body["interval"], 5);
    assert_eq!(body["expires_in"], 600);
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("device_code"), text("user_code"))
}

fn poll(world: &World, device_code: &str) -> grantor::server::Answer {
    world.token(&[WEB[0], WEB[1], ("grant_type", GRANT), ("device_code", device_code)])
}

fn enter(world: &World, code: &str, user: User) -> Outcome {
    let provider = world.provider.borrow().clone();
    world.run(provider.enter_user_code(world.now(), world.entropy(), code, user))
}

#[test]
fn rfc8628_a_device_gets_what_its_user_allows() {
    for decision in [UserDecision::Allow, UserDecision::Deny] {
        let world = World::plain();
        let (device_code, user_code) = begin(&world);
        assert_eq!(error(&poll(&world, &device_code)), (400, "authorization_pending".into()));
        assert_eq!(error(&poll(&world, &device_code)), (400, "slow_down".into()), "too early");
        let (page, cookies) = page(enter(&world, &user_code.to_lowercase().replace('-', " "), alice()));
        let PageContent::Consent(request) = page.content else { panic!() };
        assert!(request.redirect_uri.is_none());
        assert_eq!(request.warnings, [grantor::server::Warning::CodeFromElsewhere], "RFC 8628 5.4");
        let (page, _) = crate::world::page(world.decide(&request, &cookies, decision.clone()));
        let allowed = decision == UserDecision::Allow;
        assert!(matches!(page.content, PageContent::DeviceDone { allowed: shown } if shown == allowed));
        world.pass(10);
        let answer = poll(&world, &device_code);
        if allowed {
            assert_eq!(answer.status, 200);
            assert!(json(&answer)["refresh_token"].is_string());
        } else {
            assert_eq!(error(&answer), (400, "access_denied".into()));
        }
        assert_ne!(poll(&world, &device_code).status, 200, "once");
    }
    let world = World::plain();
    let (device_code, _) = begin(&world);
    world.pass(600);
    assert_eq!(error(&poll(&world, &device_code)), (400, "expired_token".into()));
    assert_eq!(error(&poll(&world, "x")), (400, "invalid_grant".into()));
}

#[test]
fn rfc8628_5_1_codes_are_not_guessed_and_nobody_is_locked_out() {
    let world = World::plain();
    let (_, user_code) = begin(&world);
    for _ in 0..grantor::limits::USER_CODE_ATTEMPTS {
        let (page, _) = page(enter(&world, "BBBB-BBBB", alice()));
        assert_eq!(page.status, 200);
        assert!(matches!(page.content, PageContent::UnknownUserCode));
    }
    let (page, _) = page(enter(&world, &user_code, alice()));
    assert_eq!(page.status, 429);
    let (page, _) = crate::world::page(enter(&world, &user_code, User::new("bob", START)));
    assert!(matches!(page.content, PageContent::Consent(_)), "the count is the guesser's");
}

#[test]
fn rfc8628_3_5_a_request_that_is_wrong_uses_no_code_up() {
    let world = World::plain();
    let (device_code, user_code) = begin(&world);
    let (page, cookies) = page(enter(&world, &user_code, alice()));
    let PageContent::Consent(request) = page.content else { panic!() };
    world.decide(&request, &cookies, UserDecision::Allow);
    let more =
        [WEB[0], WEB[1], ("grant_type", GRANT), ("device_code", &*device_code), ("scope", "files:write")];
    assert_eq!(error(&world.token(&more)), (400, "invalid_scope".into()));
    world.broken_store.set(true);
    assert_eq!(poll(&world, &device_code).status, 503);
    world.broken_store.set(false);
    assert_eq!(poll(&world, &device_code).status, 200);
}

#[test]
fn rfc8628_5_1_guesses_at_once_count_each() {
    let world = World::plain();
    let provider = world.provider.borrow().clone();
    let guesses =
        (0..50).map(|_| provider.enter_user_code(world.now(), world.entropy(), "BBBB-BBBB", alice()));
    let tried = side_by_side(&world, guesses.collect()).into_iter().filter(|outcome| match outcome {
        Outcome::Page(page) => page.status == 200,
        other => panic!("{other:?}"),
    });
    assert!(tried.count() <= grantor::limits::USER_CODE_ATTEMPTS as usize);
}

/// Plays exchanges an effect of each in turn, so that all of them look before any has written.
pub(crate) fn side_by_side(world: &World, mut open: Vec<(Exchange, Step)>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while let Some((mut exchange, step)) = open.pop() {
        match step {
            Step::Perform { effect, .. } => {
                let next = world.perform(&mut exchange, effect);
                open.insert(0, (exchange, next));
            }
            Step::Done(outcome) => outcomes.push(outcome),
            other => panic!("{other:?}"),
        }
    }
    outcomes
}

pub(crate) fn jag(key: &SigningKey, change: impl Fn(&mut serde_json::Value)) -> String {
    let mut claims = object!({
        "iss": "https://idp.example.com", "sub": "u1", "aud": ISSUER, "client_id": "web", "jti": "j1",
        "iat": START, "exp": START + 300, "resource": RESOURCE, "scope": "files:read other",
    });
    change(&mut claims);
    signed(key, "oauth-id-jag+jwt", &claims)
}

fn signed(key: &SigningKey, typ: &str, claims: &serde_json::Value) -> String {
    use base64::Engine as _;
    let encode = |text: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let header = object!({"alg": key.algorithm().name(), "typ": typ});
    let input =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    format!("{input}.{}", encode(&key.sign(input.as_bytes()).unwrap()))
}

fn enterprise() -> (World, SigningKey) {
    let key = SigningKey::generate(Algorithm::EdDsa, &[21; 32]).unwrap();
    let idp = TrustedIssuer::identity_provider(
        "https://idp.example.com",
        "https://idp.example.com/jwks".parse().unwrap(),
    )
    .keys(KeySet::of([key.public().clone()]));
    let client = grantor::server::RegisteredClient::with_secret("jag", "j4g")
        .grant("urn:ietf:params:oauth:grant-type:jwt-bearer");
    (World::new(config().trusted_issuer(idp).client(client)), key)
}

fn redeem(world: &World, assertion: &str, scope: &str) -> grantor::server::Answer {
    world.token(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("client_id", "jag"),
        ("client_secret", "j4g"),
        ("assertion", assertion),
        ("scope", scope),
    ])
}

#[test]
fn mcp_enterprise_managed_authorization_4_an_id_jag_for_a_token() {
    let (world, key) = enterprise();
    let good = jag(&key, |claims| claims["client_id"] = "jag".into());
    let answer = redeem(&world, &good, "");
    assert_eq!(answer.status, 200, "{}", answer.body.expose());
    assert_eq!(json(&answer)["scope"], "files:read", "what both have");
    assert!(json(&answer)["refresh_token"].is_null());
    assert_eq!(error(&redeem(&world, &good, "")), (400, "invalid_grant".into()), "jti once");
    let change = |name: &'static str, value: serde_json::Value| {
        jag(&key, |claims| {
            claims["client_id"] = "jag".into();
            claims["jti"] = "j2".into();
            claims[name] = value.clone();
        })
    };
    for (name, value) in [
        ("aud", object!("https://evil.example")),
        ("aud", object!([ISSUER, "https://evil.example"])),
        ("iss", object!("https://evil.example")),
        ("client_id", object!("web")),
        ("exp", object!(START - 120)),
        ("resource", object!("https://other.example.com/")),
    ] {
        let refused = redeem(&world, &change(name, value.clone()), "");
        assert_eq!(error(&refused), (400, "invalid_grant".into()), "{name}={value}");
    }
    let unscoped = redeem(&world, &change("jti", object!("j3")), "files:write");
    assert_eq!(error(&unscoped), (400, "invalid_scope".into()), "never more than the ID-JAG has");
    let other = SigningKey::generate(Algorithm::EdDsa, &[22; 32]).unwrap();
    let forged = jag(&other, |claims| claims["client_id"] = "jag".into());
    assert_eq!(error(&redeem(&world, &forged, "")), (400, "invalid_grant".into()));
}

#[test]
fn rfc7523_2_1_a_workload_is_its_client() {
    let key = SigningKey::generate(Algorithm::EdDsa, &[23; 32]).unwrap();
    let platform = TrustedIssuer::platform(
        "https://kubernetes.example.com",
        "https://kubernetes.example.com/jwks".parse().unwrap(),
        [("system:serviceaccount:a:b", "job")],
    )
    .keys(KeySet::of([key.public().clone()]));
    let job =
        grantor::server::RegisteredClient::public("job").grant("urn:ietf:params:oauth:grant-type:jwt-bearer");
    let world = World::new(config().trusted_issuer(platform).client(job));
    let token = |subject: &str| {
        let claims = object!({"iss": "https://kubernetes.example.com", "sub": subject, "aud": ISSUER, "exp": START + 3600});
        let assertion = signed(&key, "JWT", &claims);
        world.token(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("client_id", "job"),
            ("assertion", &assertion),
        ])
    };
    let good = token("system:serviceaccount:a:b");
    assert_eq!(good.status, 200, "{}", good.body.expose());
    assert_eq!(claims(json(&good)["access_token"].as_str().unwrap())["sub"], "job");
    assert_eq!(error(&token("system:serviceaccount:a:c")), (400, "invalid_grant".into()));
}

fn proof(key: &ProofKey, url: &str, nonce: Option<&str>, now: u64, entropy: u8) -> String {
    let url = url.parse().unwrap();
    let mut request = ProofRequest::new(&http::Method::POST, &url);
    request.nonce = nonce;
    let made = key.proof(&request, now, &[entropy; 16]);
    let key = SigningKey::generate(Algorithm::Es256, &[31; 32]).unwrap();
    made.sign(&key).unwrap().expose().to_owned()
}

fn proof_key() -> ProofKey {
    ProofKey::new(SigningKey::generate(Algorithm::Es256, &[31; 32]).unwrap().public(), Algorithm::Es256)
        .unwrap()
}

#[test]
fn rfc9449_5_tokens_bound_to_a_key() {
    let world = World::plain();
    let header: http::HeaderName = "dpop".parse().unwrap();
    let endpoint = "https://as.example.com/token";
    let code = world.code(&asking(&[]));
    let made = proof(&proof_key(), endpoint, None, START, 1);
    let answer = world.answer(with(post("/token", &exchanging(&code)), header.clone(), &made));
    assert_eq!(answer.status, 200, "{}", answer.body.expose());
    let body = json(&answer);
    assert_eq!(body["token_type"], "DPoP");
    assert!(claims(body["access_token"].as_str().unwrap())["cnf"]["jkt"].is_string());
    let refresh = body["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", refresh)];
    assert_eq!(error(&world.token(&form)), (400, "invalid_dpop_proof".into()), "of the key only");
    let replayed = world.answer(with(post("/token", &form), header.clone(), &made));
    assert_eq!(error(&replayed), (400, "invalid_dpop_proof".into()), "RFC 9449 11.1");
    let other = proof(&proof_key(), "https://as.example.com/par", None, START, 2);
    let elsewhere = world.answer(with(post("/token", &form), header.clone(), &other));
    assert_eq!(error(&elsewhere), (400, "invalid_dpop_proof".into()));
    let fresh = proof(&proof_key(), endpoint, None, START, 3);
    assert_eq!(world.answer(with(post("/token", &form), header, &fresh)).status, 200);
}

#[test]
fn rfc9449_8_nonces() {
    let world = World::new(config().dpop_nonces());
    let header: http::HeaderName = "dpop".parse().unwrap();
    let endpoint = "https://as.example.com/token";
    let code = world.code(&asking(&[]));
    let made = proof(&proof_key(), endpoint, None, START, 1);
    let answer = world.answer(with(post("/token", &exchanging(&code)), header.clone(), &made));
    assert_eq!(error(&answer), (400, "use_dpop_nonce".into()));
    let nonce = answer.header("dpop-nonce").to_owned();
    let made = proof(&proof_key(), endpoint, Some(&nonce), START, 2);
    let answer = world.answer(with(post("/token", &exchanging(&code)), header.clone(), &made));
    assert_eq!(answer.status, 200, "{}", answer.body.expose());
    assert_eq!(answer.header("dpop-nonce"), nonce);
}

#[test]
fn rfc9449_8_nonces_for_pushed_requests() {
    let world = World::new(config().dpop_nonces());
    let header: http::HeaderName = "dpop".parse().unwrap();
    let endpoint = "https://as.example.com/par";
    let made = proof(&proof_key(), endpoint, None, START, 1);
    let answer = world.answer(with(post("/par", &asking(&[])), header.clone(), &made));
    assert_eq!(error(&answer), (400, "use_dpop_nonce".into()));
    let nonce = answer.header("dpop-nonce").to_owned();
    let made = proof(&proof_key(), endpoint, Some(&nonce), START, 2);
    let answer = world.answer(with(post("/par", &asking(&[])), header, &made));
    assert_eq!(answer.status, 201, "{}", answer.body.expose());
    assert_eq!(answer.header("dpop-nonce"), nonce);
}
