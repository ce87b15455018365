//! Planted secrets appear nowhere but where they are meant to be.

use grantor::{Completion, DpopPolicy};
use grantor_world::player::{Player, User, config};
use grantor_world::{World, json as json_answer};
use http::StatusCode;
use serde_json::json;

use crate::{device, enterprise, grants};

/// Nothing that the engine has said, nor the engine itself, shows a secret: those of the world are all
/// called `planted`, and `state` and verifier are made of known entropy.
fn check(player: &Player) {
    let engine = format!("{:?} {:#?}", player.engine, player.engine);
    let mut secrets = vec!["planted".to_owned()];
    for page in player.world.asked.iter().filter(|asked| asked.contains("/authorize")) {
        let url = url::Url::parse(page.split(' ').nth(1).unwrap()).unwrap();
        secrets.extend(
            url.query_pairs().filter(|(name, _)| name == "state").map(|(_, state)| state.into_owned()),
        );
    }
    for said in player.said.iter().chain([&engine]) {
        for secret in &secrets {
            assert!(!said.contains(secret.as_str()), "{secret} in: {said}");
        }
    }
    assert!(player.said.len() > 10);
}

#[test]
fn a_whole_life() {
    for method in ["none", "client_secret_basic", "client_secret_post"] {
        let mut player = Player::new(config());
        player.world.server().auth_method = method.into();
        for tool in ["ping", "read", "write"] {
            player.call(tool).delivered();
            check(&player);
        }
        player.wait_s(3600);
        player.call("ping").delivered();
        check(&player);
        player.restart();
        player.call("ping").delivered();
        player.world.server().revoke_all();
        player.call("ping").delivered();
        check(&player);
    }
}

#[test]
fn every_grant() {
    let by_itself = grants::by_itself(grants::with_secret());
    for mut player in [
        grants::machine(by_itself, Some("planted-secret"), "client_secret_basic"),
        grants::workload(),
        enterprise::enterprise(),
        enterprise::with_sign_on(),
    ] {
        player.call("ping").delivered();
        check(&player);
        player.log_out();
        check(&player);
    }
    let mut player = device::device();
    let call = player.begin("ping");
    player.run();
    check(&player);
    player.wait_s(5);
    player.outcome(call).unwrap().delivered();
    check(&player);
}

#[test]
fn keys_and_proofs() {
    let mut player = Player::new(config().dpop(DpopPolicy::Required));
    player.world.server().offers.dpop = true;
    player.call("ping").delivered();
    let stored = player.store.dump();
    let (_, key) = stored.split_once(r#"\"d\":\""#).expect("the private key is stored with the tokens");
    let (key, _) = key.split_once(r#"\""#).unwrap();
    assert_eq!(key.len(), 43);
    player.wait_s(3600);
    player.call("ping").delivered();
    check(&player);
    assert!(!player.said.iter().any(|said| said.contains(key)));
    assert!(!format!("{:?}", player.engine).contains(key));
}

#[test]
fn at_every_step() {
    let mut player = Player::new(config());
    player.world.server().auth_method = "client_secret_post".into();
    let call = player.begin("write");
    player.holding = Some(|_| true);
    player.run();
    while !player.held.is_empty() {
        let shown = format!("{:?}", player.held);
        assert!(!shown.contains("planted"), "{shown}");
        let (op, effect) = player.held.remove(0);
        player.perform(op, effect);
        player.run();
        let engine = format!("{:?}", player.engine);
        assert!(!engine.contains("planted"), "{engine}");
    }
    player.outcome(call).unwrap().delivered();
    check(&player);
}

#[test]
fn servers_that_echo_secrets() {
    let mut world = World::new();
    world.server().auth_method = "client_secret_post".into();
    world.intercept = Some(Box::new(|request| {
        (request.uri().path() == "/token").then(|| {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let decoded: String = url::form_urlencoded::parse(body.as_bytes())
                .map(|(name, value)| format!("{name} is {value}; "))
                .collect();
            let error = json!({ "error": "invalid_request", "error_description": decoded });
            json_answer(StatusCode::BAD_REQUEST, &error)
        })
    }));
    let mut player = Player::in_world(world, config()).unwrap();
    let error = player.call("ping").failed();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("code is …") && shown.contains("client_secret is …"), "{shown}");
    assert!(shown.contains("code_verifier is …"), "{shown}");
    check(&player);
}

#[test]
fn callbacks_that_carry_secrets() {
    let mut player = Player::new(config());
    player.user = User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    let denied = back.replace("code=", "error=access_denied&error_description=");
    player.engine.complete(player.now, op, Completion::Callback { url: &denied }).unwrap();
    player.run();
    let error = player.outcome(call).unwrap().failed();
    // What the server itself writes into its words is the server's; our own state never is.
    let state = url::Url::parse(&back).unwrap();
    let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    assert!(!format!("{error:?}").contains(&state));
}
