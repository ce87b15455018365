//! Patterns for names of operations.

/// A name in which `*` stands for any text, also for none and for one with slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Box<str>);

impl Pattern {
    /// `None` for a name without `*`.
    pub(super) fn read(text: &str) -> Option<Self> {
        text.contains('*').then(|| Self(text.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// How much of the name it fixes: of two patterns that match, the one that says more wins.
    pub(super) fn weight(&self) -> usize {
        self.0.bytes().filter(|byte| *byte != b'*').count()
    }

    /// Whether it matches all of `name`. The parts between the stars are found from left to right, so the
    /// time is that of reading `name` once for each part.
    pub(super) fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return *self.0 == *name };
        let Some(mut name) = name.strip_prefix(first) else { return false };
        let Some((middle, last)) = rest.rsplit_once('*') else { return name.ends_with(rest) };
        for part in middle.split('*').filter(|part| !part.is_empty()) {
            let Some((_, after)) = name.split_once(part) else { return false };
            name = after;
        }
        name.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_text() {
        let matches = |pattern: &str, name: &str| Pattern::read(pattern).unwrap().matches(name);
        for (pattern, name) in [
            ("*", ""),
            ("*", "anything/at:all"),
            ("read_*", "read_"),
            ("read_*", "read_file"),
            ("*_file", "read_file"),
            ("a*c", "abc"),
            ("a*b*c", "abbc"),
            ("a**c", "ac"),
            ("*a*a", "aa"),
            ("file:///p/*", "file:///p/x/y"),
            ("日*", "日本"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("read_*", "Read_x"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
            ("*a*a", "a"),
            ("file:///p/*", "file:///q/"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert_eq!(Pattern::read("plain"), None);
    }

    #[test]
    fn the_longer_text_weighs_more() {
        let weight = |pattern| Pattern::read(pattern).unwrap().weight();
        assert!(weight("read_file*") > weight("read_*"));
        assert!(weight("*") < weight("a*"));
    }
}
