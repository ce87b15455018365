//! What the browser brings back, in whatever shape: answered at once, or left alone.

use grantor::client::Notice;
use grantor::error::{ErrorReport, Exchange, PeerMisbehaved, Refused};
use grantor::wire::callback::{Arrival, Returned};
use grantor::{AuthorizationPrompt, Completion, Interaction, OpId};
use grantor_world::player::{Outcome, Player, User, config};

/// A player whose user has the page open.
fn before_the_page() -> (Player, grantor::client::CallId, OpId, AuthorizationPrompt) {
    let mut player = Player::new(config());
    player.user = User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, _) = player.open.remove(0);
    let prompt = player.prompts.iter().find_map(|prompt| match prompt {
        Interaction::Authorize(prompt) => Some((**prompt).clone()),
        _ => None,
    });
    (player, call, op, prompt.expect("a prompt"))
}

fn navigation(target: &str) -> Returned<'_> {
    let mut returned = Returned::to(target);
    returned.fetch_mode = Some("navigate");
    returned.fetch_dest = Some("document");
    returned
}

/// The next call with a user who agrees succeeds, and nothing is left over.
fn goes_on(mut player: Player) {
    player.user = User::Agrees;
    player.call("ping").delivered();
}

fn report(player: &mut Player, call: grantor::client::CallId) -> ErrorReport {
    match player.outcome(call) {
        Some(Outcome::Failed(report)) => *report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc6749_4_1_2_1_a_refusal_without_state_ends_the_wait_at_once() {
    let (mut player, call, op, prompt) = before_the_page();
    let target = "/callback?error=access_denied&error_description=planted+words";
    assert_eq!(prompt.judge(navigation(target)), Arrival::Refusal);
    player.engine.complete(player.now, op, Completion::CallbackWithoutState { url: target }).unwrap();
    player.run();
    let report = report(&mut player, call);
    assert_eq!(report.error, PeerMisbehaved::StateMissing { error: Some("access_denied") }.into());
    let asked = report.asked.as_ref().expect("the page");
    assert_eq!(
        (asked.exchange, asked.url.as_str()),
        (Exchange::Authorization, "https://as.example.com/authorize")
    );
    let text = report.to_string();
    assert!(
        text.contains("access_denied") && text.contains("try again") && !text.contains("planted"),
        "{text}"
    );
    goes_on(player);
}

#[test]
fn rfc6749_10_12_what_others_send_to_the_redirect_uri_ends_nothing() {
    let (mut player, call, op, prompt) = before_the_page();
    for target in
        ["/callback?error=access_denied", "/callback?code=c", "/callback?code=c&state=guess", "/callback"]
    {
        assert_ne!(prompt.judge(Returned::to(target)), Arrival::Answer);
        assert_ne!(prompt.judge(Returned::to(target)), Arrival::Refusal);
        // A host that hands it on all the same does no harm.
        player.engine.complete(player.now, op, Completion::Callback { url: target }).unwrap();
        player.run();
        assert!(player.outcome(call).is_none(), "{target}");
    }
    for target in ["/callback?code=c&state=guess", "/callback", "/callback?code=%ff"] {
        player.engine.complete(player.now, op, Completion::CallbackWithoutState { url: target }).unwrap();
        player.run();
        assert!(player.outcome(call).is_none(), "{target}");
    }
    assert!(player.notices.contains(&Notice::CallbackIgnored));
    let back = player.visit(prompt.url.as_str()).unwrap();
    player.engine.complete(player.now, op, Completion::Callback { url: &back }).unwrap();
    player.run();
    player.outcome(call).unwrap().delivered();
}

#[test]
fn a_code_in_an_unusual_place_is_taken_at_once() {
    for place in ["#", "&", "/", ";"] {
        let (mut player, call, op, prompt) = before_the_page();
        let back = player.visit(prompt.url.as_str()).unwrap().replacen('?', place, 1);
        let target = back.strip_prefix("http://127.0.0.1:49152").unwrap_or(&back).to_owned();
        assert_eq!(prompt.judge(Returned::to(&target)), Arrival::Answer, "{target}");
        player.engine.complete(player.now, op, Completion::Callback { url: &target }).unwrap();
        player.run();
        player.outcome(call).unwrap().delivered();
    }
}

#[test]
fn an_answer_that_is_none_is_told_at_once() {
    let (mut player, call, op, prompt) = before_the_page();
    let back = player.visit(prompt.url.as_str()).unwrap();
    let broken = back.replace("code=", "cod=");
    player.engine.complete(player.now, op, Completion::Callback { url: &broken }).unwrap();
    player.run();
    assert_eq!(report(&mut player, call).error, PeerMisbehaved::CallbackIncomplete.into());
    goes_on(player);
}

#[test]
fn the_servers_own_words_of_a_refusal_reach_the_caller() {
    let (mut player, call, op, prompt) = before_the_page();
    let back = player.visit(prompt.url.as_str()).unwrap();
    let mut url = url::Url::parse(&back).unwrap();
    let kept: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "code").collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair("error", "access_denied");
    url.query_pairs_mut().append_pair("error_description", "the administrator has to approve");
    player.engine.complete(player.now, op, Completion::Callback { url: url.as_str() }).unwrap();
    player.run();
    let report = report(&mut player, call);
    assert!(matches!(report.error, grantor::Error::Refused(Refused::Authorization { .. })));
    assert_eq!(
        report.to_string(),
        "authorization at https://as.example.com/authorize: the authorization server refused: access_denied: \
         the administrator has to approve"
    );
    goes_on(player);
}

#[test]
fn an_answer_that_cannot_be_read_is_told_at_once() {
    for (from, to) in [("code=", "code=%ff"), ("iss=", "iss=%ff"), ("code=", "error=acc%e8s&x=")] {
        let (mut player, call, op, prompt) = before_the_page();
        let back = player.visit(prompt.url.as_str()).unwrap();
        // With the state of another, it is nobody's answer.
        let guess = back.replace(from, to).replace("state=", "state=x");
        player.engine.complete(player.now, op, Completion::Callback { url: &guess }).unwrap();
        player.run();
        assert!(player.outcome(call).is_none(), "{to}");
        let garbled = back.replace(from, to);
        let target = garbled.strip_prefix("http://127.0.0.1:49152").unwrap();
        assert_eq!(prompt.judge(Returned::to(target)), Arrival::Answer, "{to}");
        player.engine.complete(player.now, op, Completion::Callback { url: &garbled }).unwrap();
        player.run();
        assert_eq!(report(&mut player, call).error, PeerMisbehaved::CallbackSyntax.into(), "{to}");
        assert_eq!(player.count("/token"), 0);
        goes_on(player);
    }
}
