//! Keys: fetched once for all, cached by HTTP's rules within bounds, and what happens when they fail.

use std::cell::RefCell;
use std::rc::Rc;

use crate::bench::*;
use grantor::error::{Error, PeerMisbehaved};
use grantor::jose::JwsError;
use grantor::resource::*;
use grantor::{ApiMisuse, Completion};
use serde_json::json;

/// A server whose answers to `/jwks` can be changed.
fn served(bench: &mut Bench, reply: Reply) -> Rc<RefCell<Reply>> {
    let reply = Rc::new(RefCell::new(reply));
    let own = Rc::clone(&reply);
    bench.peer = Box::new(move |request| match request.url.path() {
        "/jwks" => own.borrow().clone(),
        _ => usual_peer(request),
    });
    reply
}

fn fresh(seconds: u32, keys: &str) -> Reply {
    Ok((200, vec![("cache-control", format!("max-age={seconds}"))], keys.to_owned()))
}

fn request(n: u8) -> Request {
    Request::list().bearer(&token_by(&key(n), json!({ "jti": "fresh" })))
}

fn keys_asked(bench: &Bench) -> usize {
    bench.asked.iter().filter(|asked| asked.ends_with("/jwks")).count()
}

#[test]
fn one_fetch_for_many_waiting_requests() {
    let mut bench = Bench::new();
    let request = request(1);
    let head = RequestHead::new(&request.method, &request.uri, &request.headers);
    let mut waiting = Vec::new();
    for _ in 0..1000 {
        let Decision::Wait(check) = bench.guard.check(bench.now, &head, None) else { panic!() };
        waiting.push(check);
    }
    let mut ready = Vec::new();
    while let Some(output) = bench.guard.poll_output() {
        match output {
            Output::Perform { op, effect, .. } => bench.answer(op, effect),
            Output::Ready { check } => ready.push(check),
            _ => {}
        }
    }
    assert_eq!(bench.asked.len(), 2);
    assert_eq!(ready, waiting);
    bench.allow(&request).unwrap();
}

#[test]
fn rfc9111_4_2_keys_are_used_while_fresh_and_fetched_anew_beside() {
    let mut bench = Bench::new();
    let reply = served(&mut bench, fresh(600, &jwks(&[&key(1)])));
    bench.allow(&request(1)).unwrap();
    bench.pass_s(599);
    bench.allow(&request(1)).unwrap();
    assert_eq!(keys_asked(&bench), 1);
    bench.pass_s(2);
    *reply.borrow_mut() = fresh(600, &jwks(&[&key(1), &key(2)]));
    let _ = bench.guard.check(
        bench.now,
        &RequestHead::new(&http::Method::GET, &"/".parse().unwrap(), &http::HeaderMap::new()),
        None,
    );
    bench.pass_s(301);
    bench.allow(&request(1)).unwrap();
    bench.perform();
    assert_eq!(keys_asked(&bench), 2, "the stale keys answered, new ones were fetched");
    bench.allow(&request(2)).unwrap();
    assert_eq!(keys_asked(&bench), 2);
}

#[test]
fn unknown_keys_are_asked_for_once_in_a_while() {
    let mut bench = Bench::new();
    let reply = served(&mut bench, fresh(3600, &jwks(&[&key(1)])));
    bench.allow(&request(1)).unwrap();
    let unknown = (401, Refusal::Token(JwsError::UnknownKey.into()));
    for _ in 0..100 {
        assert_eq!(bench.why(&request(2)), unknown);
    }
    assert_eq!(keys_asked(&bench), 2, "they were fetched for it, and it is not among them");
    bench.pass_s(30);
    *reply.borrow_mut() = fresh(3600, &jwks(&[&key(1), &key(2)]));
    bench.allow(&request(2)).unwrap();
    assert_eq!(keys_asked(&bench), 3);
    for n in 3..100 {
        // It may be a new one; who cannot know sends nobody into a login.
        let answer = bench.refuse(&request(n));
        assert_eq!((answer.status, &answer.headers["retry-after"]), (503, &"30".parse().unwrap()));
    }
    assert_eq!(keys_asked(&bench), 3);
    bench.pass_s(30);
    assert_eq!(bench.why(&request(3)), unknown);
}

#[test]
fn a_set_without_usable_keys_is_one_that_was_lost() {
    let symmetric = json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }).to_string();
    for empty in [json!({ "keys": [] }).to_string(), symmetric] {
        let mut cold = Bench::new();
        served(&mut cold, fresh(60, &empty));
        assert_eq!(cold.why(&request(1)), (503, Refusal::Unavailable));
        let mut bench = Bench::new();
        let reply = served(&mut bench, fresh(60, &jwks(&[&key(1)])));
        bench.allow(&request(1)).unwrap();
        *reply.borrow_mut() = fresh(60, &empty);
        for _ in 0..3 {
            bench.pass_s(61);
            bench.allow(&request(1)).unwrap();
            bench.perform();
        }
        assert!(bench.notices.iter().any(|notice| matches!(notice, Notice::ServerFailed { .. })));
    }
}

#[test]
fn stale_keys_are_used_while_their_server_fails_within_a_bound() {
    let mut bench = Bench::new();
    let reply = served(&mut bench, fresh(600, &jwks(&[&key(1)])));
    bench.allow(&request(1)).unwrap();
    *reply.borrow_mut() = Err(());
    bench.pass_s(600);
    for _ in 0..10 {
        bench.pass_s(359);
        let token = token(json!({ "exp": START + 100_000 }));
        bench.allow(&Request::list().bearer(&token)).unwrap();
    }
    bench.perform();
    bench.pass_s(400);
    let token = token(json!({ "exp": START + 100_000 }));
    assert_eq!(bench.why(&Request::list().bearer(&token)), (503, Refusal::Unavailable));
    assert!(bench.notices.iter().any(|notice| matches!(notice, Notice::ServerFailed { .. })));
}

#[test]
fn a_key_that_is_withdrawn_takes_its_tokens_along() {
    let mut bench = Bench::new();
    let reply = served(&mut bench, fresh(60, &jwks(&[&key(1), &key(2)])));
    bench.allow(&request(1)).unwrap();
    *reply.borrow_mut() = fresh(60, &jwks(&[&key(2)]));
    bench.pass_s(61);
    bench.allow(&request(2)).unwrap();
    bench.perform();
    assert_eq!(bench.refuse(&request(1)).status, 401);
}

#[test]
fn errors_of_the_keys_server_are_503_and_not_401() {
    for reply in [
        Err(()),
        Ok((500, Vec::new(), String::new())),
        Ok((404, Vec::new(), String::new())),
        Ok((302, vec![("location", "https://evil.example.com/jwks".into())], String::new())),
        ok("nonsense"),
        ok("{}"),
        ok(r#"{"keys":{}}"#),
        ok(" ".repeat(300 * 1024)),
    ] {
        let mut bench = Bench::new();
        served(&mut bench, reply);
        let answer = bench.refuse(&request(1));
        assert_eq!((answer.status, answer.refusal), (503, Some(Refusal::Unavailable)));
        assert!(answer.headers.contains_key("retry-after"));
        assert!(!answer.headers.contains_key("www-authenticate"));
        let asked = bench.asked.len();
        assert_eq!(bench.refuse(&request(1)).status, 503);
        assert_eq!(bench.asked.len(), asked, "it is left alone for a while");
        served(&mut bench, ok(jwks(&[&key(1)])));
        bench.pass_s(6);
        bench.allow(&request(1)).unwrap();
    }
}

#[test]
fn rfc9110_10_2_3_retry_after_of_the_keys_server() {
    let mut bench = Bench::new();
    served(&mut bench, Ok((503, vec![("retry-after", "100".into())], String::new())));
    assert_eq!(bench.refuse(&request(1)).headers["retry-after"], "100");
    served(&mut bench, ok(jwks(&[&key(1)])));
    bench.pass_s(99);
    assert_eq!(bench.refuse(&request(1)).status, 503);
    bench.pass_s(1);
    bench.allow(&request(1)).unwrap();
}

#[test]
fn rfc8414_3_3_metadata_that_lies() {
    for (document, error) in [
        (json!({ "issuer": "https://evil", "jwks_uri": "https://as.example.com/jwks" }), "IssuerMismatch"),
        (
            json!({ "issuer": "https://as.example.com/", "jwks_uri": "https://as.example.com/jwks" }),
            "IssuerMismatch",
        ),
        (json!({ "jwks_uri": "https://as.example.com/jwks" }), "MissingField"),
        (json!([ISSUER, "https://as.example.com/jwks"]), "NotAnObject"),
        (json!({ "issuer": ISSUER, "jwks_uri": "http://as.example.com/jwks" }), "Url"),
        (json!({ "issuer": ISSUER, "jwks_uri": "https://169.254.169.254/" }), "Url"),
        (json!({ "issuer": ISSUER, "jwks_uri": "file:///etc/passwd" }), "Url"),
        (json!({ "issuer": ISSUER, "jwks_uri": "" }), "MissingField"),
        (json!({ "issuer": ISSUER }), "MissingField"),
        (json!({ "issuer": ISSUER, "jwks_uri": null }), "MissingField"),
        (
            json!({ "issuer": ISSUER, "jwks_uri": 1 }),
            r#"Unusable { exchange: ServerMetadata, field: "jwks_uri""#,
        ),
        (json!({ "issuer": [ISSUER], "jwks_uri": "https://as.example.com/jwks" }), "Unusable"),
    ] {
        let mut bench = Bench::new();
        let text = document.to_string();
        bench.peer = Box::new(move |_| ok(text.clone()));
        assert_eq!(bench.refuse(&request(1)).status, 503, "{document}");
        assert_eq!(bench.notices.len(), 2, "each of the URLs is told of");
        for notice in &bench.notices {
            let Notice::ServerFailed { error: found, .. } = notice else { panic!() };
            assert!(format!("{found:?}").contains(error), "{found:?}");
        }
        assert!(bench.asked.iter().all(|asked| asked.contains("/.well-known/")), "nothing else was asked");
        // The same server, mended.
        bench.peer = Box::new(usual_peer);
        bench.pass_s(5);
        bench.allow(&request(1)).unwrap();
    }
}

/// What nobody needs breaks nothing; what one URL does not serve, another may.
#[test]
fn metadata_is_read_on_and_only_for_what_is_needed() {
    let odd = json!({
        "issuer": ISSUER, "jwks_uri": "https://as.example.com/jwks", "revocation_endpoint": "",
        "introspection_endpoint": "http://as.example.com/introspect", "scopes_supported": "a b",
        "token_endpoint": 7, "response_types_supported": null,
    });
    let mut bench = Bench::new();
    bench.peer = Box::new(move |request| match request.url.path() {
        "/.well-known/oauth-authorization-server" => ok(odd.to_string()),
        _ => usual_peer(request),
    });
    bench.allow(&request(1)).unwrap();
    let html = || Ok((200, vec![("content-type", "text/html".into())], "<p>Welcome</p>".into()));
    let plain = |status| Ok((status, Vec::new(), String::new()));
    let unavailable = Ok((503, vec![("retry-after", "120".into())], String::new()));
    let elsewhere = Ok((302, vec![("location", "https://evil.example.com/".into())], String::new()));
    for first in [
        ok("[]"),
        ok("{}"),
        ok(json!({ "issuer": ISSUER }).to_string()),
        ok(json!({ "issuer": "https://other.example.com", "jwks_uri": "https://other.example.com/j" })
            .to_string()),
        ok("{"),
        ok(json!({ "issuer": ISSUER, "jwks_uri": "" }).to_string()),
        html(),
        plain(204),
        plain(404),
        plain(500),
        plain(502),
        unavailable,
        elsewhere,
    ] {
        let mut bench = Bench::new();
        let answer = first.clone();
        bench.peer = Box::new(move |request| match request.url.path() {
            "/.well-known/oauth-authorization-server" => answer.clone(),
            "/.well-known/openid-configuration" => ok(metadata()),
            _ => usual_peer(request),
        });
        bench.allow(&request(1)).unwrap_or_else(|| panic!("{first:?}"));
        assert_eq!(bench.asked.len(), 3, "{first:?}: two documents and the keys");
    }
}

#[test]
fn a_server_that_says_when_to_come_back_is_left_alone_so_long() {
    let mut bench = Bench::new();
    bench.peer = Box::new(|request| match request.url.path() {
        "/.well-known/oauth-authorization-server" => {
            Ok((503, vec![("retry-after", "120".into())], String::new()))
        }
        _ => Ok((500, Vec::new(), String::new())),
    });
    assert_eq!(bench.refuse(&request(1)).headers["retry-after"], "120");
    assert_eq!(bench.asked.len(), 2);
    bench.peer = Box::new(usual_peer);
    bench.pass_s(119);
    assert_eq!(bench.refuse(&request(1)).status, 503);
    bench.pass_s(1);
    bench.allow(&request(1)).unwrap();
}

#[test]
fn mcp_authorization_server_metadata_discovery_in_order() {
    let issuer = "https://as.example.com/tenant";
    let mut bench =
        Bench::with(GuardConfig::new(RESOURCE, policy()).server(AuthorizationServer::jwt(issuer)));
    bench.peer = Box::new(|request| match request.url.path() {
        "/tenant/.well-known/openid-configuration" => {
            ok(json!({"issuer": "https://as.example.com/tenant", "jwks_uri": "https://as.example.com/jwks"})
                .to_string())
        }
        _ => usual_peer(request),
    });
    bench.allow(&Request::list().bearer(&token(json!({ "iss": issuer })))).unwrap();
    assert_eq!(
        bench.asked,
        [
            "GET https://as.example.com/.well-known/oauth-authorization-server/tenant",
            "GET https://as.example.com/.well-known/openid-configuration/tenant",
            "GET https://as.example.com/tenant/.well-known/openid-configuration",
            "GET https://as.example.com/jwks",
        ]
    );
}

#[test]
fn metadata_redirects_within_the_origin_only() {
    let mut bench = Bench::new();
    bench.peer = Box::new(|request| match request.url.path() {
        "/.well-known/oauth-authorization-server" => {
            Ok((302, vec![("location", "/moved".into())], String::new()))
        }
        "/moved" => ok(metadata()),
        _ => usual_peer(request),
    });
    bench.allow(&request(1)).unwrap();
    let mut bench = Bench::new();
    bench.peer =
        Box::new(|_| Ok((302, vec![("location", "https://evil.example.com/".into())], String::new())));
    assert_eq!(bench.refuse(&request(1)).status, 503);
    assert!(bench.asked.iter().all(|asked| asked.starts_with("GET https://as.example.com/.well-known/")));
    let mut bench = Bench::new();
    bench.peer = Box::new(|_| Ok((302, vec![("location", "/again".into())], String::new())));
    assert_eq!(bench.refuse(&request(1)).status, 503);
    assert_eq!(bench.asked.len(), 2 * (1 + usize::from(grantor::limits::REDIRECTS)), "both documents");
}

#[test]
fn a_server_that_hangs() {
    let mut bench = Bench::new();
    let request = request(1);
    let head = RequestHead::new(&request.method, &request.uri, &request.headers);
    let Decision::Wait(check) = bench.guard.check(bench.now, &head, None) else { panic!() };
    let due = bench.guard.poll_timeout().unwrap();
    assert_eq!(due, bench.now.mono_ms + grantor::limits::CHECK_MS);
    let Some(Output::Perform { op, .. }) = bench.guard.poll_output() else { panic!() };
    bench.pass_s(10);
    bench.guard.handle_timeout(bench.now);
    let ready = std::iter::from_fn(|| bench.guard.poll_output())
        .any(|output| matches!(output, Output::Ready { check: ready } if ready == check));
    assert!(ready);
    assert_eq!(bench.refuse(&request).status, 503);
    let late = Completion::Failed(grantor::error::Failure::new(grantor::error::FailureKind::Other, ""));
    assert_eq!(bench.guard.complete(bench.now, op, late), Ok(()), "settled: ignored");
}

#[test]
fn misuse_changes_nothing() {
    let mut bench = Bench::new();
    let failed = || Completion::Failed(grantor::error::Failure::new(grantor::error::FailureKind::Other, ""));
    let guessed = grantor::OpId::from_u64(1);
    assert_eq!(bench.guard.complete(bench.now, guessed, failed()), Err(ApiMisuse::UnknownOp));
    let request = request(1);
    let head = RequestHead::new(&request.method, &request.uri, &request.headers);
    let _ = bench.guard.check(bench.now, &head, None);
    for wrong in [Completion::Deleted, Completion::TokenChecked(None), Completion::Loaded(None)] {
        assert_eq!(bench.guard.complete(bench.now, guessed, wrong), Err(ApiMisuse::WrongCompletion));
    }
    bench.perform();
    bench.allow(&request).unwrap();
}

#[test]
fn a_set_of_ten_thousand_keys_is_refused() {
    let mut bench = Bench::new();
    let one: serde_json::Value = serde_json::from_str(&key(1).public().to_jwk()).unwrap();
    let many = json!({ "keys": vec![one; 10_000] }).to_string();
    served(&mut bench, ok(many));
    assert_eq!(bench.refuse(&request(1)).status, 503);
    let Some(Notice::ServerFailed { error, .. }) = bench.notices.last() else { panic!() };
    let Error::PeerMisbehaved(error) = &error.error else { panic!("{error}") };
    assert!(matches!(error, PeerMisbehaved::BodyTooLarge { .. } | PeerMisbehaved::Unusable { .. }));
}

#[test]
fn keys_at_a_configured_place() {
    let mut server = AuthorizationServer::jwt(ISSUER);
    let Tokens::Jwt { jwks_uri, .. } = &mut server.tokens else { panic!() };
    *jwks_uri = Some("https://as.example.com/jwks".parse().unwrap());
    let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy()).server(server));
    bench.allow(&request(1)).unwrap();
    assert_eq!(bench.asked, ["GET https://as.example.com/jwks"]);
}

/// Good claims, signed by a key that calls itself as another did.
fn replaced(jti: &str) -> Request {
    let key = key(2).with_kid("k1");
    Request::list().bearer(&token_by(&key, json!({ "jti": jti })))
}

#[test]
fn a_key_replaced_under_the_same_name_is_found() {
    let mut bench = Bench::new();
    let reply = served(&mut bench, fresh(86_400, &jwks(&[&key(1)])));
    let old = request(1);
    bench.allow(&old).unwrap();
    *reply.borrow_mut() = fresh(86_400, &jwks(&[&key(2).with_kid("k1")]));
    let signature = (401, Refusal::Token(JwsError::Signature.into()));
    assert_eq!(bench.why(&replaced("1")), signature, "the keys are those of just now");
    bench.pass_s(31);
    bench.allow(&replaced("2")).unwrap();
    assert_eq!(keys_asked(&bench), 2);
    assert_eq!(bench.why(&old), signature, "what the key signed that is gone counts no more");
    assert_eq!(keys_asked(&bench), 2);
}

/// An Edwards curve key in place of one for ECDSA.
#[test]
fn a_key_of_another_kind_under_the_same_name_is_found() {
    let mut bench = Bench::new();
    let other = grantor::jose::SigningKey::generate(grantor::jose::Algorithm::EdDsa, &[9; 32]).unwrap();
    let other = other.with_kid("k1");
    let reply = served(&mut bench, fresh(86_400, &jwks(&[&key(1)])));
    bench.allow(&request(1)).unwrap();
    *reply.borrow_mut() = fresh(86_400, &jwks(&[&other]));
    bench.pass_s(31);
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k1" }).to_string();
    bench.allow(&Request::list().bearer(&sign(&header, &claims(json!({})).to_string(), &other))).unwrap();
}

#[test]
fn forged_signatures_make_nobody_fetch_and_nobody_wait() {
    let mut bench = Bench::new();
    served(&mut bench, fresh(86_400, &jwks(&[&key(1)])));
    bench.allow(&request(1)).unwrap();
    let signature = (401, Refusal::Token(JwsError::Signature.into()));
    let mut seconds = 0;
    for n in 0..200 {
        assert_eq!(bench.why(&replaced(&n.to_string())), signature);
        bench.allow(&Request::list().bearer(&token(json!({ "jti": format!("good {n}") })))).unwrap();
        bench.pass_s(1);
        seconds += 1;
    }
    let most = 1 + seconds * 1000 / usize::try_from(grantor::limits::KEYS_REFETCH_MS).unwrap() + 1;
    assert!(keys_asked(&bench) <= most, "{} fetches in {seconds} s", keys_asked(&bench));
    // Those who wait for it take no places of others.
    bench.pass_s(31);
    let forged = replaced("waits");
    let head = RequestHead::new(&forged.method, &forged.uri, &forged.headers);
    let mut waits = 0;
    for _ in 0..grantor::limits::WAITING_CHECKS {
        match bench.guard.check(bench.now, &head, None) {
            Decision::Wait(_) => waits += 1,
            Decision::Answer(answer) => assert_eq!(answer.status, 503),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits, grantor::limits::WAITING_CHECKS / 2);
    let unknown = request(9);
    let head = RequestHead::new(&unknown.method, &unknown.uri, &unknown.headers);
    assert!(matches!(bench.guard.check(bench.now, &head, None), Decision::Wait(_)), "a key that may be new");
    bench.perform();
    bench.allow(&Request::list().bearer(&token(json!({ "jti": "after" })))).unwrap();
}

#[test]
fn who_cannot_look_for_a_replaced_key_sends_nobody_into_a_login() {
    let mut bench = Bench::new();
    let reply = served(&mut bench, fresh(86_400, &jwks(&[&key(1)])));
    bench.allow(&request(1)).unwrap();
    *reply.borrow_mut() = Err(());
    bench.pass_s(31);
    assert_eq!(bench.why(&replaced("1")), (503, Refusal::Unavailable));
    let asked = keys_asked(&bench);
    assert_eq!(bench.why(&replaced("1")), (503, Refusal::Unavailable));
    assert_eq!(keys_asked(&bench), asked, "not at once");
    bench.allow(&Request::list().bearer(&token(json!({ "jti": "other" })))).unwrap();
    *reply.borrow_mut() = fresh(86_400, &jwks(&[&key(2).with_kid("k1")]));
    bench.pass_s(31);
    bench.allow(&replaced("2")).unwrap();
}
