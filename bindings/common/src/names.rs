//! Names for kinds.

use std::fmt::Debug;

use grantor::client::Notice;
use grantor::error::FailureKind;

/// The kinds of failures by name.
const FAILURES: [(&str, FailureKind); 7] = [
    ("body_too_large", FailureKind::BodyTooLarge),
    ("broken", FailureKind::Broken),
    ("impossible", FailureKind::Impossible),
    ("other", FailureKind::Other),
    ("timed_out", FailureKind::TimedOut),
    ("unreachable", FailureKind::Unreachable),
    ("unreadable", FailureKind::Unreadable),
];

/// The name of a failure's kind.
pub fn failure_name(kind: FailureKind) -> &'static str {
    FAILURES.iter().find(|(_, one)| *one == kind).map_or("other", |(name, _)| name)
}

/// The kind of failure by this name; any other is `Other`.
pub fn failure_kind(name: &str) -> FailureKind {
    FAILURES.iter().find(|(one, _)| *one == name).map_or(FailureKind::Other, |(_, kind)| *kind)
}

/// The name of an enum's variant, as its `Debug` begins: `TokenIssued`.
pub fn variant(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// `TokenIssued` as `token_issued`.
pub fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// The name of a notice: `token_issued`.
pub fn notice_name(notice: &Notice) -> String {
    snake(&variant(notice))
}
