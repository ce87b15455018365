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

    /// Whether there is a name that both match. Both have a star, so what one has between its first and
    /// its last can follow what the other has there: only beginnings and ends can contradict each other.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let ((first, last), (other_first, other_last)) = (self.ends(), other.ends());
        (first.starts_with(other_first) || other_first.starts_with(first))
            && (last.ends_with(other_last) || other_last.ends_with(last))
    }

    /// What is before the first star, and after the last.
    fn ends(&self) -> (&str, &str) {
        let first = self.0.split_once('*').map_or(&*self.0, |(first, _)| first);
        let last = self.0.rsplit_once('*').map_or(&*self.0, |(_, last)| last);
        (first, last)
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
    fn patterns_meet_where_a_name_fits_both() {
        let texts = |letters: &str, longest: u32| -> Vec<String> {
            let longer = |text: &String| letters.chars().map(|letter| format!("{text}{letter}")).collect();
            let mut all = vec![String::new()];
            let mut last = all.clone();
            for _ in 0..longest {
                last = last.iter().flat_map::<Vec<_>, _>(longer).collect();
                all.extend(last.iter().cloned());
            }
            all
        };
        let patterns: Vec<Pattern> = texts("ab*", 4).iter().filter_map(|text| Pattern::read(text)).collect();
        let names = texts("ab", 6);
        for one in &patterns {
            let fitting: Vec<&String> = names.iter().filter(|name| one.matches(name)).collect();
            for other in &patterns {
                let meet = fitting.iter().any(|name| other.matches(name));
                assert_eq!(one.meets(other), meet, "{one:?} {other:?}");
            }
        }
        let meets = |one, other| Pattern::read(one).unwrap().meets(&Pattern::read(other).unwrap());
        assert!(meets("日*", "日本*"));
        assert!(!meets("日*", "本*"));
    }

    #[test]
    fn the_longer_text_weighs_more() {
        let weight = |pattern| Pattern::read(pattern).unwrap().weight();
        assert!(weight("read_file*") > weight("read_*"));
        assert!(weight("*") < weight("a*"));
    }
}
