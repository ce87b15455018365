//! A store that fails at each effect, and two requests at once, their effects in every order.

use crate::world::*;
use grantor::server::{Exchange, Outcome, PageContent, Step, UserDecision};

/// What came of a request, whichever way: a code, if there is one.
fn code_of(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Answer(answer) if answer.status == 303 => parameter(answer.header("location"), "code"),
        _ => None,
    }
}

#[test]
fn a_store_that_fails_while_the_user_answers_loses_no_consent() {
    for performed in [false, true] {
        for number in 0.. {
            let world = World::plain();
            let (request, cookies) = world.consent_page(&asking(&[]));
            let decide = || world.deciding(&request, &cookies, alice(), UserDecision::Allow);
            let (outcome, failed) = world.run_failing(decide(), number, performed);
            // Whoever was told that the server cannot answer now answers again, and nothing is lost.
            let code = match code_of(outcome) {
                Some(code) => code,
                None => code_of(world.run(decide())).unwrap_or_else(|| panic!("{number} {performed}")),
            };
            assert_eq!(world.token(&exchanging(&code)).status, 200, "{number} {performed}");
            let again = code_of(world.run(decide()));
            let second = again.map(|code| world.token(&exchanging(&code)).status);
            assert_ne!(second, Some(200), "one page has one code: {number} {performed}");
            if !failed {
                assert!(number > 3);
                break;
            }
        }
    }
}

#[test]
fn a_store_that_fails_while_the_user_says_no_gives_nothing() {
    for performed in [false, true] {
        for number in 0..8 {
            let world = World::plain();
            let (request, cookies) = world.consent_page(&asking(&[]));
            let decide = || world.deciding(&request, &cookies, alice(), UserDecision::Deny);
            let (outcome, _) = world.run_failing(decide(), number, performed);
            assert_eq!(code_of(outcome), None);
            assert_eq!(code_of(world.run(decide())), None);
        }
    }
}

#[test]
fn a_store_that_fails_while_the_user_answers_for_a_device_loses_no_consent() {
    let web = [("client_id", "web"), ("client_secret", "s3cret")];
    for performed in [false, true] {
        for number in 0.. {
            let world = World::plain();
            let form = [web[0], web[1], ("scope", "files:read")];
            let body = json(&world.post("/device_authorization", &form));
            let provider = world.provider.borrow().clone();
            let user_code = body["user_code"].as_str().unwrap();
            let entered =
                world.run(provider.enter_user_code(world.now(), world.entropy(), user_code, alice()));
            let (shown, cookies) = page(entered);
            let PageContent::Consent(request) = shown.content else { panic!() };
            let decide = || world.deciding(&request, &cookies, alice(), UserDecision::Allow);
            let (outcome, failed) = world.run_failing(decide(), number, performed);
            let is_done =
                |outcome| matches!(page(outcome).0.content, PageContent::DeviceDone { allowed: true });
            if !is_done(outcome) {
                assert!(is_done(world.run(decide())), "{number} {performed}");
            }
            let device_code = body["device_code"].as_str().unwrap();
            let grant = "urn:ietf:params:oauth:grant-type:device_code";
            let poll = [web[0], web[1], ("grant_type", grant), ("device_code", device_code)];
            assert_eq!(world.token(&poll).status, 200, "{number} {performed}");
            assert_ne!(world.token(&poll).status, 200, "once");
            if !failed {
                break;
            }
        }
    }
}

#[test]
fn a_store_that_fails_while_a_code_is_exchanged_issues_nothing_twice() {
    for performed in [false, true] {
        for number in 0.. {
            let world = World::plain();
            let code = world.code(&asking(&[]));
            let exchange = || world.handling(post("/token", &exchanging(&code)));
            let (outcome, failed) = world.run_failing(exchange(), number, performed);
            let first = answered(outcome);
            let second = answered(world.run(exchange()));
            assert!(first.status != 200 || second.status != 200, "{number} {performed}");
            if first.status != 200 {
                assert_eq!(error(&first), (503, "temporarily_unavailable".into()));
            }
            // Where nothing was kept, the code is good still.
            assert!(performed || first.status == 200 || second.status == 200, "{number}");
            if !failed {
                break;
            }
        }
    }
}

#[test]
fn a_store_that_fails_while_a_token_is_refreshed_signs_nobody_out() {
    for performed in [false, true] {
        for number in 0.. {
            let world = World::plain();
            let token = world.tokens()["refresh_token"].as_str().unwrap().to_owned();
            let form = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &*token)];
            let (outcome, failed) =
                world.run_failing(world.handling(post("/token", &form)), number, performed);
            let first = answered(outcome);
            let second = world.refresh(&token);
            assert_eq!(second.status, 200, "{number} {performed}");
            if first.status == 200 {
                assert_eq!(json(&first)["refresh_token"], json(&second)["refresh_token"]);
            }
            if !failed {
                break;
            }
        }
    }
}

#[test]
fn no_grant_is_good_that_is_not_listed_whichever_write_fails() {
    for performed in [false, true] {
        for number in 0..8 {
            let world = World::plain();
            let (request, cookies) = world.consent_page(&asking(&[]));
            let decide = world.deciding(&request, &cookies, alice(), UserDecision::Allow);
            let (outcome, _) = world.run_failing(decide, number, performed);
            let Some(code) = code_of(outcome) else { continue };
            let tokens = json(&world.token(&exchanging(&code)));
            let provider = world.provider.borrow().clone();
            let listed = world.run(provider.grants_of(world.now(), world.entropy(), "alice"));
            let Outcome::Grants(listed) = listed else { panic!() };
            assert_eq!(
                listed.len(),
                usize::from(tokens["refresh_token"].is_string()),
                "{number} {performed}"
            );
        }
    }
}

/// Plays two requests in every order of their effects, and gives what came of them to `check`.
fn in_every_order(
    prepare: impl Fn()
        -> (World, Box<dyn Fn(&World) -> (Exchange, Step)>, Box<dyn Fn(&World) -> (Exchange, Step)>),
    check: impl Fn(&World, Outcome, Outcome),
) {
    let mut orders = 0;
    for order in 0u32..1 << 10 {
        let (world, a, b) = prepare();
        let (a, b) = (a(&world), b(&world));
        let mut left = order;
        let (a, b) = world.interleave(a, b, || {
            let first = left & 1 == 1;
            left >>= 1;
            first
        });
        check(&world, a, b);
        orders += 1;
    }
    assert_eq!(orders, 1 << 10);
}

type Prepared = (World, Box<dyn Fn(&World) -> (Exchange, Step)>, Box<dyn Fn(&World) -> (Exchange, Step)>);

fn two(world: World, request: impl Fn(&World) -> (Exchange, Step) + Clone + 'static) -> Prepared {
    (world, Box::new(request.clone()), Box::new(request))
}

#[test]
fn rfc6749_10_5_of_two_exchanges_of_a_code_one_succeeds_and_nothing_stays() {
    let prepare = || {
        let world = World::plain();
        let code = world.code(&asking(&[]));
        two(world, move |world| world.handling(post("/token", &exchanging(&code))))
    };
    in_every_order(prepare, |world, a, b| {
        let all = [answered(a), answered(b)];
        let won: Vec<_> = all.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(won.len(), 1);
        let tokens = json(won[0]);
        assert_eq!(error(&world.refresh(tokens["refresh_token"].as_str().unwrap())).1, "invalid_grant");
        assert_eq!(world.introspect(tokens["access_token"].as_str().unwrap())["active"], false);
    });
}

#[test]
fn a_page_that_is_answered_twice_at_once_has_one_code() {
    let prepare = || {
        let world = World::plain();
        let (request, cookies) = world.consent_page(&asking(&[]));
        two(world, move |world| world.deciding(&request, &cookies, alice(), UserDecision::Allow))
    };
    in_every_order(prepare, |world, a, b| {
        let mut codes: Vec<_> = [a, b].into_iter().filter_map(code_of).collect();
        codes.dedup();
        assert_eq!(codes.len(), 1);
        assert_eq!(world.token(&exchanging(&codes[0])).status, 200);
    });
}

#[test]
fn what_a_user_takes_back_while_it_is_used_is_not_good_afterwards() {
    for what in ["code", "refresh_token"] {
        let prepare = || {
            let world = World::plain();
            let credential = match what {
                "code" => world.code(&asking(&[])),
                _ => world.tokens()["refresh_token"].as_str().unwrap().to_owned(),
            };
            let provider = world.provider.borrow().clone();
            let listed = world.run(provider.grants_of(world.now(), world.entropy(), "alice"));
            let Outcome::Grants(listed) = listed else { panic!() };
            let id = listed[0].id.clone();
            let ask = move |world: &World| {
                let refreshing =
                    [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &*credential)];
                let form = if what == "code" { &exchanging(&credential)[..] } else { &refreshing };
                world.handling(post("/token", form))
            };
            let take_back =
                move |world: &World| provider.revoke_grant(world.now(), world.entropy(), "alice", &id);
            let prepared: Prepared = (world, Box::new(ask), Box::new(take_back));
            prepared
        };
        in_every_order(prepare, |world, asked, _| {
            let answer = answered(asked);
            if answer.status == 200 {
                let token = json(&answer)["refresh_token"].as_str().unwrap().to_owned();
                assert_eq!(error(&world.refresh(&token)).1, "invalid_grant", "{what}");
            }
        });
    }
}
