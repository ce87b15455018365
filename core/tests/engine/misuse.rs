//! Wrong use of the API changes nothing.

use grantor::client::{Output, RequestHead, ResponseHead};
use grantor::{ApiMisuse, Completion, Effect, Interaction};
use grantor_world::player::{Player, config};
use http::HeaderMap;

#[test]
fn tokens_stay_within_the_resource() {
    let mut player = Player::new(config());
    for url in [
        "https://evil.example.com/mcp",
        "https://mcp.example.com/other",
        "https://mcp.example.com/mcp/../admin",
        "http://mcp.example.com/mcp",
        "/mcp",
    ] {
        let refused = player.engine.authorize(player.now, RequestHead::new("POST", url));
        assert_eq!(refused, Err(ApiMisuse::OutsideResource), "{url}");
    }
    for url in
        ["https://mcp.example.com/mcp?access_token=x", "https://mcp.example.com/mcp?a&access%5Ftoken=x"]
    {
        let refused = player.engine.authorize(player.now, RequestHead::new("GET", url));
        assert_eq!(refused, Err(ApiMisuse::TokenInQuery), "OAuth 2.1 5.1");
    }
    assert!(player.engine.poll_output().is_none());
    assert!(
        player
            .engine
            .authorize(player.now, RequestHead::new("GET", "https://mcp.example.com/mcp/x?y"))
            .is_ok()
    );
}

#[test]
fn an_id_never_issued() {
    let mut player = Player::new(config());
    player.holding = Some(|_| true);
    player.begin("ping");
    player.run();
    let (op, _) = player.held[0].clone();
    let mut other = Player::new(config());
    assert_eq!(other.engine.complete(other.now, op, Completion::Deleted), Err(ApiMisuse::UnknownOp));
    let call = player.begin("ping");
    player.run();
    let headers = HeaderMap::new();
    let head = ResponseHead { status: 200, headers: &headers };
    assert_eq!(other.engine.report(other.now, call, head), Err(ApiMisuse::UnknownCall));
}

#[test]
fn a_completion_of_the_wrong_kind() {
    let mut player = Player::new(config());
    player.holding = Some(|_| true);
    let call = player.begin("ping");
    player.run();
    let (op, effect) = player.held[0].clone();
    assert!(matches!(effect, Effect::Load { .. }));
    for wrong in [
        Completion::Deleted,
        Completion::Approved,
        Completion::Declined,
        Completion::Conflict,
        Completion::Callback { url: "x" },
        Completion::Listening { redirect_uri: "x" },
    ] {
        assert_eq!(
            player.engine.complete(player.now, op, wrong),
            Err(ApiMisuse::WrongCompletion),
            "{wrong:?}"
        );
    }
    player.release();
    player.outcome(call).unwrap().delivered();
}

#[test]
fn an_answer_to_a_settled_effect_is_ignored() {
    let mut player = Player::new(config());
    player.holding = Some(|_| true);
    let call = player.begin("ping");
    player.run();
    let (op, _) = player.held[0].clone();
    player.release();
    player.outcome(call).unwrap().delivered();
    let before = format!("{:?}", player.engine);
    assert_eq!(player.engine.complete(player.now, op, Completion::Loaded(None)), Ok(()));
    assert_eq!(player.engine.complete(player.now, op, Completion::Approved), Ok(()));
    assert_eq!(format!("{:?}", player.engine), before);
}

#[test]
fn reports_for_calls_that_were_not_sent() {
    let mut player = Player::new(config());
    player.holding = Some(|_| true);
    let call = player.begin("ping");
    let headers = HeaderMap::new();
    let head = ResponseHead { status: 200, headers: &headers };
    assert_eq!(player.engine.report(player.now, call, head), Err(ApiMisuse::UnknownCall), "it waits");
    player.engine.cancel(call);
    assert_eq!(player.engine.report(player.now, call, head), Err(ApiMisuse::UnknownCall), "it is gone");
    player.engine.cancel(call);
}

#[test]
fn undrained_outputs_break_nothing() {
    let mut player = Player::new(config());
    let calls: Vec<_> = (0..10).map(|_| player.begin("ping")).collect();
    player.engine.handle_timeout(player.now);
    player.engine.add_entropy(player.now, &[1; 64]);
    player.run();
    for call in calls {
        player.outcome(call).unwrap().delivered();
    }
}

#[test]
fn a_callback_that_does_not_answer_leaves_the_prompt_open() {
    let mut player = Player::new(config());
    player.user = grantor_world::player::User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, url) = player.open.remove(0);
    for wrong in
        ["/favicon.ico", "/callback?code=x&state=wrong", "/callback?error=access_denied", "", "\u{0}"]
    {
        player.engine.complete(player.now, op, Completion::Callback { url: wrong }).unwrap();
        player.run();
        assert!(player.outcome(call).is_none(), "{wrong}");
    }
    let back = player.visit(&url).unwrap();
    player.engine.complete(player.now, op, Completion::Callback { url: &back }).unwrap();
    player.run();
    player.outcome(call).unwrap().delivered();
}

#[test]
fn prompts_know_their_answers() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    let Some(Interaction::Authorize(prompt)) = player.prompts.last() else { panic!() };
    let state = url::Url::parse(prompt.url.as_str()).unwrap();
    let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    assert!(prompt.is_answered_by(&format!("/callback?state={state}&code=x")));
    assert!(prompt.is_answered_by(&format!("http://127.0.0.1:49152/callback?error=x&state={state}")));
    assert!(!prompt.is_answered_by("/callback?code=x"));
    assert!(!prompt.is_answered_by(&format!("/callback?state={state}x&code=x")));
}

#[test]
fn outputs_are_the_same_for_the_same_inputs() {
    let record = || {
        let mut player = Player::new(config());
        for tool in ["ping", "read", "write"] {
            player.call(tool).delivered();
        }
        player.wait_s(3600);
        player.call("ping").delivered();
        (player.said, player.world.asked)
    };
    assert_eq!(record(), record());
}

#[test]
fn output_is_small() {
    assert!(size_of::<Output>() <= 192, "{}", size_of::<Output>());
}
