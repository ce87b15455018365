//! Words of others.

use std::fmt;

use url::{Position, Url};

use super::redact;
use crate::address;
use crate::limits;
use crate::secret::Secret;

/// A peer's or host's words, safe to show: at most [`limits::PEER_TEXT_CHARS`] characters, control and
/// formatting characters replaced, secrets of the exchange removed.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerText(Box<str>);

impl PeerText {
    /// Makes `text` safe to show.
    pub fn new(text: &str) -> Self {
        let mut shown = String::with_capacity(text.len().min(limits::PEER_TEXT_CHARS * 4));
        for (index, c) in text.chars().enumerate() {
            if index == limits::PEER_TEXT_CHARS {
                shown.push('…');
                break;
            }
            shown.push(if c.is_control() || is_formatting(c) { '\u{fffd}' } else { c });
        }
        Self(shown.into())
    }

    /// A URL without user, query and fragment. Every request is noted so: what is short has nothing to replace,
    /// since URLs are written in ASCII, and is copied once.
    pub(crate) fn of_url(url: &Url) -> Self {
        let plain = url.username().is_empty() && url.password().is_none();
        match &url[..Position::AfterPath] {
            text if plain && text.len() <= limits::PEER_TEXT_CHARS && text.is_ascii() => Self(text.into()),
            _ => Self::new(&address::without_query(url)),
        }
    }

    /// As [`new`](Self::new), with every occurrence of the secrets replaced: a server that echoes what
    /// it was sent must not bring it into a log.
    pub(crate) fn without(text: &str, secrets: &[&Secret]) -> Self {
        // A reader of the text must not learn even half a secret, so this comes before the cut.
        Self::new(&redact::hide(text, secrets.iter().copied()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that change how the text around them is shown: joiners, marks of direction, tags.
fn is_formatting(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for PeerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PeerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl PartialEq<str> for PeerText {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for PeerText {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_text_is_safe_to_show() {
        assert_eq!(PeerText::new("a\u{1b}[31mb\nc\u{202e}d").as_str(), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d");
        let long = PeerText::new(&"ü".repeat(10_000));
        assert_eq!(long.as_str().chars().count(), limits::PEER_TEXT_CHARS + 1);
    }

    #[test]
    fn urls_are_shown_without_user_query_and_fragment() {
        let shown = |url: &str| PeerText::of_url(&Url::parse(url).unwrap()).to_string();
        assert_eq!(
            shown("https://as.example.com/token?code=planted#planted"),
            "https://as.example.com/token"
        );
        assert_eq!(shown("https://planted:planted@as.example.com"), "https://as.example.com/");
        let long = format!("https://as.example.com/{}?planted", "x".repeat(5000));
        assert!(shown(&long).chars().count() <= limits::PEER_TEXT_CHARS + 1);
        assert_eq!(
            shown("https://m\u{fc}nchen.example/\u{202e}"),
            "https://xn--mnchen-3ya.example/%E2%80%AE"
        );
    }

    #[test]
    fn peer_text_hides_secrets_even_at_the_cut() {
        let secret = Secret::from("TOP-SECRET-VALUE");
        let text = format!("{}TOP-SECRET-VALUE!", "x".repeat(limits::PEER_TEXT_CHARS - 4));
        let shown = PeerText::without(&text, &[&secret]);
        assert!(!shown.as_str().contains("TOP"), "{shown}");
    }
}
