//! The `WWW-Authenticate` header.

use grantor::limits;
use grantor::wire::challenge::{ChallengeError, Challenges};

/// Lines of `WWW-Authenticate`: parsed, built again, parsed again.
pub fn challenge(data: &[u8]) {
    let lines = || data.split(|byte| *byte == b'\n');
    let (kept, error) = Challenges::parse_leniently(lines());
    match (Challenges::parse(lines()), error) {
        (Ok(all), None) => assert_eq!(all, kept),
        (Err(strict), Some(first)) => assert_eq!(strict, first),
        (strict, lenient) => panic!("{strict:?} but {lenient:?}"),
    }
    if let Some(ChallengeError::Syntax { line, at }) = error {
        assert!(lines().nth(line).is_some_and(|bytes| at <= bytes.len()), "the place is in the header");
    }
    assert!(kept.iter().count() <= limits::CHALLENGES);
    assert!(kept.iter().all(|one| one.params().count() <= limits::CHALLENGE_PARAMS));
    let built = kept.to_string();
    assert!(!built.contains(['\r', '\n', '\0']), "{built:?}");
    if built.len() <= limits::CHALLENGE_HEADER {
        assert_eq!(Challenges::parse([&built]), Ok(kept.clone()), "{built}");
    }
    // The whole is also that of its challenges one by one, and as a header line each.
    let single = kept.iter().map(ToString::to_string);
    if built.len() <= limits::CHALLENGE_HEADER / 2 {
        assert_eq!(Challenges::parse(single), Ok(kept.clone()), "{built}");
    }
    attributes(&kept);
}

fn attributes(challenges: &Challenges) {
    for challenge in challenges.iter() {
        for (name, value) in challenge.params() {
            assert!(challenge.get(name).is_none_or(|got| challenge.params().any(|(_, own)| own == got)));
            assert!(!value.contains(['\r', '\n', '\0']));
        }
        assert!(challenge.token68().is_none() || challenge.params().next().is_none());
    }
    let Some(bearer) = challenges.bearer() else {
        assert!(!challenges.iter().any(|challenge| challenge.is("bearer")));
        return;
    };
    if let Ok(Some(scope)) = bearer.scope() {
        assert!(!scope.is_empty() && scope.len() <= limits::SCOPES);
    }
    assert!(bearer.resource_metadata().is_none_or(|url| url.len() <= limits::URL));
    if let Some(text) = bearer.error_description() {
        assert!(text.as_str().chars().count() <= limits::PEER_TEXT_CHARS + 1);
    }
}
