//! Challenges as servers write them: read where they can be understood, and nothing taken from the caller where
//! they cannot.

use grantor::client::{Notice, RequestHead};
use grantor::error::{Exchange, PeerMisbehaved, Refused};
use grantor::finding::Problem;
use grantor::wire::challenge::Challenges;
use grantor::{Effect, Interaction, UrlProblem};
use grantor_world::player::{Outcome, Player, config};
use grantor_world::{Answered, text};
use http::StatusCode;

fn refusal(status: StatusCode, lines: &[&str]) -> Answered {
    lines.iter().fold(text(status, "the resource's own words"), |answer, line| {
        let mut answer = answer;
        answer.headers_mut().append("www-authenticate", line.parse().unwrap());
        answer
    })
}

/// A player whose resource challenges so as long as no token comes, and whose metadata is at `metadata` alone.
fn challenged(lines: &'static [&'static str], metadata: Option<&'static str>) -> Player {
    let mut player = Player::new(config());
    player.world.intercept = Some(Box::new(move |request| {
        let uri = request.uri().to_string();
        if request.uri().path() == "/mcp" && request.headers().get("authorization").is_none() {
            return Some(refusal(StatusCode::UNAUTHORIZED, lines));
        }
        let metadata = metadata?;
        if uri == metadata {
            let document = r#"{"resource":"https://mcp.example.com/mcp","authorization_servers":["https://as.example.com"]}"#;
            return Some(grantor_world::respond(StatusCode::OK, "application/json", document.into()));
        }
        uri.contains("oauth-protected-resource").then(|| text(StatusCode::NOT_FOUND, ""))
    }));
    player
}

const ELSEWHERE: &str = "https://mcp.example.com/metadata.json";

#[test]
fn rfc9728_5_1_the_url_is_found_however_the_challenge_is_written() {
    for lines in [
        &[r#"Bearer resource_metadata="https://mcp.example.com/metadata.json""#][..],
        &["Bearer resource_metadata=https://mcp.example.com/metadata.json"],
        &["Bearer resource_metadata='https://mcp.example.com/metadata.json', error='invalid_token'"],
        &[
            r#"Bearer realm="x" error="invalid_token" resource_metadata="https://mcp.example.com/metadata.json""#,
        ],
        &[r#"Bearer realm="x"; resource_metadata="https://mcp.example.com/metadata.json""#],
        &[r#"Bearer error=\"invalid_token\", resource_metadata=\"https://mcp.example.com/metadata.json\""#],
        &[r#"resource_metadata="https://mcp.example.com/metadata.json""#],
        &[
            r#"DPoP error="invalid_token""#,
            r#"Bearer resource_metadata="https://mcp.example.com/metadata.json""#,
        ],
        &[
            r#"Bearer error="invalid_token""#,
            r#"Bearer resource_metadata="https://mcp.example.com/metadata.json""#,
        ],
        &[r#"Bearer realm="x""#, r#"resource_metadata="https://mcp.example.com/metadata.json""#],
        &[r#"Basic realm="x""#, r#"Bearer resource_metadata="https://mcp.example.com/metadata.json""#],
        &[r#"Bearer realm="unclosed"#, r#"Bearer resource_metadata="https://mcp.example.com/metadata.json""#],
        &[
            r#"Bearer error="invalid_token", DPoP algs="ES256", resource_metadata=https://mcp.example.com/metadata.json"#,
        ],
    ] {
        let mut player = challenged(lines, Some(ELSEWHERE));
        assert_eq!(player.call("ping").delivered().status(), 200, "{lines:?}");
        assert_eq!(player.count("oauth-protected-resource"), 0, "{lines:?}");
        player.call("ping").delivered();
    }
}

#[test]
fn rfc9728_5_1_a_url_that_cannot_be_used_is_told_and_the_well_known_ones_are_asked() {
    for (line, problem) in [
        (r#"Bearer resource_metadata="http://mcp.example.com/.well-known/x""#, UrlProblem::Insecure),
        (r#"Bearer resource_metadata="/.well-known/oauth-protected-resource""#, UrlProblem::Syntax),
        (r#"Bearer resource_metadata="mcp.example.com/metadata""#, UrlProblem::Syntax),
        (r#"Bearer resource_metadata="https://""#, UrlProblem::Syntax),
        (r#"Bearer resource_metadata="https://127.0.0.1/x""#, UrlProblem::PrivateHost),
        (r#"Bearer resource_metadata="https://[::ffff:169.254.169.254]/latest""#, UrlProblem::PrivateHost),
        (r#"Bearer resource_metadata="file:///etc/passwd""#, UrlProblem::Scheme),
        (r#"Bearer resource_metadata="javascript:alert(1)""#, UrlProblem::Scheme),
        (r#"Bearer resource_metadata="https://u:p@mcp.example.com/x""#, UrlProblem::UserInfo),
    ] {
        let lines: &'static [&'static str] = Vec::leak(vec![line]);
        let mut player = challenged(lines, None);
        assert_eq!(player.call("ping").delivered().status(), 200, "{line}");
        let found = player.engine.findings().iter().find(|finding| finding.problem == Problem::Url(problem));
        let found = found.unwrap_or_else(|| panic!("{line}: {:?}", player.notices)).clone();
        assert_eq!(
            (found.document, found.member.as_deref()),
            (Exchange::Challenge, Some("resource_metadata"))
        );
        assert!(player.notices.contains(&Notice::Finding(found)), "{line}: {:?}", player.notices);
        let fine = |asked: &String| asked.contains("mcp.example.com") || asked.contains("as.example.com");
        assert!(player.world.asked.iter().all(fine), "{:?}", player.world.asked);
    }
}

#[test]
fn rfc6749_3_3_scopes_that_are_none_are_left_out_and_told() {
    let mut player = challenged(&[r#"Bearer scope="mcp:use a\"b files:read""#], None);
    player.call("ping").delivered();
    let found = player.engine.findings().iter().any(|finding| finding.member.as_deref() == Some("scope"));
    assert!(found, "{:?}", player.notices);
    let page = player.world.asked.iter().find(|asked| asked.contains("/authorize?")).unwrap();
    assert!(page.contains("scope=mcp%3Ause+files%3Aread&"), "{page}");
}

/// Only a challenge that is understood takes a response away from the caller.
#[test]
fn rfc6750_3_1_a_403_that_is_the_resources_own_business_reaches_the_caller() {
    for lines in [
        &[][..],
        &[r#"Basic realm="x", Bearer scope="a\"b""#],
        &[r#"Bearer scope="a\"b""#],
        &[r#"Bearer error="insufficient_scope", scope="a\"b""#],
        &[r#"Bearer realm="unclosed"#],
        &[r#"Bearer error="insufficient_scope, scope="x""#],
        &[r#"Bearer resource_metadata="http://mcp.example.com/x""#],
        &[r#"Bearer error="something_else", resource_metadata="nonsense""#],
        &[r#"Basic error="insufficient_scope", scope="admin""#],
        &["Negotiate"],
        &["=,;'"],
    ] {
        let mut player = Player::new(config());
        player.call("ping").delivered();
        let asked = player.world.asked.len();
        player.world.intercept = Some(Box::new(move |request| {
            (request.uri().path() == "/mcp").then(|| refusal(StatusCode::FORBIDDEN, lines))
        }));
        let answer = player.call("ping").delivered();
        assert_eq!(answer.status(), 403, "{lines:?}");
        assert_eq!(answer.body(), b"the resource's own words");
        assert_eq!(player.world.asked.len(), asked + 1, "{lines:?}: nobody else is asked");
        player.world.intercept = None;
        assert_eq!(player.call("ping").delivered().status(), 200);
    }
}

#[test]
fn rfc6750_3_1_a_403_that_demands_scopes_is_understood_however_it_is_written() {
    for line in [
        r#"Bearer error="insufficient_scope", scope="files:write""#,
        "Bearer error='insufficient_scope' scope='files:write mcp:use'",
        "Bearer error=insufficient_scope, scope=files:write mcp:use, realm=x",
        r#"DPoP error="insufficient_scope", Bearer scope="files:write""#,
    ] {
        let mut player = Player::new(config());
        player.call("ping").delivered();
        player.world.intercept = Some(Box::new(move |request| {
            let first = request.uri().path() == "/mcp" && !request.body().is_empty();
            first.then(|| refusal(StatusCode::FORBIDDEN, &[line]))
        }));
        let pages = player.count("/authorize?");
        let error = player.call("write").failed();
        assert!(
            matches!(error, grantor::Error::Refused(Refused::InsufficientScope { .. })),
            "{line}: {error}"
        );
        assert_eq!(player.count("/authorize?"), pages + 1, "{line}");
        player.world.intercept = None;
        player.call("write").delivered();
        assert_eq!(player.count("/authorize?"), pages + 1, "{line}: the scope was asked for");
    }
}

#[test]
fn mcp_a_challenge_in_meta_that_names_metadata_elsewhere_is_refused() {
    for elsewhere in ["https://evil.example.com/metadata", "https://mcp.example.com:8443/metadata"] {
        let mut player = Player::new(config());
        player.call("ping").delivered();
        let asked = player.world.asked.len();
        let line = format!(
            r#"Bearer error="insufficient_scope", scope="files:write", resource_metadata="{elsewhere}""#
        );
        let challenges = Challenges::parse([&line]).unwrap();
        let url = player.world.mcp.resource.clone();
        let call = player.engine.step_up(player.now, RequestHead::new("POST", &url), &challenges);
        player.run();
        let problem = UrlProblem::OtherOrigin;
        let refused = PeerMisbehaved::Url { field: "resource_metadata", problem };
        assert_eq!(player.outcome(call).unwrap().failed(), refused.into());
        assert_eq!(player.world.asked.len(), asked, "nothing was asked");
        player.call("ping").delivered();
        // One at the resource is followed.
        let own = line.replace(elsewhere, "https://mcp.example.com/metadata");
        let challenges = Challenges::parse([&own]).unwrap();
        let call = player.engine.step_up(player.now, RequestHead::new("POST", &url), &challenges);
        player.run();
        assert!(matches!(player.outcome(call), Some(Outcome::Done)));
        player.call("write").delivered();
    }
}

#[test]
fn hostile_lines_cost_no_more_than_their_length() {
    let long = grantor::limits::CHALLENGE_HEADER - 1;
    for part in [
        "a='x ,",
        "a='x y,",
        "a='x', ",
        "a=\\\"x,",
        "Bearer a=' ",
        "a= ",
        "a b ",
        "a=x y ",
        "Bearer ",
        "' ",
        "a=/ /,",
    ] {
        for end in ["", "'", "\u{1}", "\u{1}'"] {
            let line = format!("Bearer {}{end}", part.repeat((long - 10) / part.len()));
            let started = std::time::Instant::now();
            drop(Challenges::parse_leniently([&line]));
            // Far above what one pass takes, far below what a pass for each byte does.
            assert!(started.elapsed() < std::time::Duration::from_millis(500), "{part}{end:?}");
        }
    }
}

#[test]
fn mcp_step_up_is_one_attempt_for_calls_at_once() {
    // A client runs a tool many times at once with a token that lacks scope.
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.holding = Some(|effect| matches!(effect, Effect::Interact(Interaction::Authorize(_))));
    let calls: Vec<_> = (0..20).map(|_| player.begin("write")).collect();
    player.run();
    // Some come when the page is open already.
    let late: Vec<_> = (0..20).map(|_| player.begin("write")).collect();
    player.run();
    assert_eq!(player.held.len(), 1, "one page for all");
    player.holding = None;
    player.release();
    player.run();
    for call in calls.into_iter().chain(late) {
        player.outcome(call).unwrap().delivered();
    }
    assert_eq!(player.count("/authorize"), 2, "the log-in, and one step-up");
}
