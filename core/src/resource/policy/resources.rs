//! The rules for resources, found by whatever way a server may read a URI.

use std::borrow::Cow;

use super::pattern::Pattern;
use super::uri::{Part, Parts, fold};
use crate::limits;

/// The rules for resources as other readers take their names.
#[derive(Debug, Default)]
pub(super) struct Resources {
    rules: Vec<Readable>,
    /// The schemes that rules name.
    schemes: Vec<Box<str>>,
}

/// One rule.
#[derive(Debug)]
struct Readable {
    own: Fit,
    scheme: Option<Box<str>>,
    /// Its place, which is compared with places.
    place: Fit,
    has_host: bool,
    /// The same without its query, where it has one: queries are written in many ways.
    bare: Option<Fit>,
    demand: usize,
}

/// A name, or a pattern for some.
#[derive(Debug)]
enum Fit {
    Exact(Box<str>),
    Pattern(Pattern),
}

impl Fit {
    fn new(text: &str) -> Self {
        Pattern::read(text).map_or_else(|| Self::Exact(text.into()), Self::Pattern)
    }

    /// Whether it takes any text.
    fn is_all(&self) -> bool {
        matches!(self, Self::Pattern(pattern) if pattern.weight() == 0)
    }

    fn takes(&self, text: &str) -> bool {
        match self {
            Self::Exact(own) => **own == *text,
            Self::Pattern(pattern) => pattern.matches(text),
        }
    }
}

/// What a URI is for some readers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    place: String,
    /// The place without the query, where there is one.
    bare: Option<String>,
    whole: String,
    /// Whether the host is there, if there is one.
    has_host: bool,
}

impl Resources {
    pub(super) fn push(&mut self, name: &str, demand: usize) {
        let parts = Parts::split(name);
        let scheme: Option<Box<str>> = parts.scheme.map(|scheme| scheme.to_ascii_lowercase().into());
        if let Some(scheme) = &scheme
            && !self.schemes.contains(scheme)
        {
            self.schemes.push(scheme.clone());
        }
        let asks = parts.query.is_some() || parts.fragment.is_some();
        // A star before the colon leaves the scheme open, and what follows with it.
        let place = |parts: Parts<'_>| match scheme {
            Some(_) => Fit::new(&parts.place()),
            None => Fit::new(&fold(name)),
        };
        let readable = |parts: Parts<'_>| Readable {
            own: Fit::new(name),
            place: place(parts),
            has_host: parts.has_host(),
            bare: asks.then(|| place(parts.bare())),
            scheme: scheme.clone(),
            demand,
        };
        self.rules.push(readable(parts));
        if parts.has(Part::Host) {
            self.rules.push(readable(Parts::split(&parts.without(&[Part::Host]))));
        }
    }

    /// The demands of the rules to which a legible URI comes for any reader, and `None` for each reading that
    /// no rule is for. `rule_of` finds the name and the demand of the rule for a text as it stands.
    pub(super) fn each<'n>(
        &self,
        uri: &str,
        rule_of: impl Fn(&str) -> Option<(Cow<'n, str>, usize)>,
        see: &mut dyn FnMut(Option<usize>),
    ) {
        let parts = Parts::split(uri);
        let own = rule_of(uri);
        see(own.as_ref().map(|(_, demand)| *demand));
        let present: Vec<Part> = Part::ALL.into_iter().filter(|part| parts.has(*part)).collect();
        if present.len() > limits::URI_PARTS {
            return; // it is refused
        }
        let mut texts = vec![uri.to_owned()];
        for chosen in 1..1_u32 << present.len() {
            let bits = present.iter().enumerate();
            let left_out: Vec<Part> =
                bits.filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, part)| *part).collect();
            let text = parts.without(&left_out);
            match rule_of(&text) {
                Some((_, demand)) => see(Some(demand)),
                // A rule that names the part itself is for servers that look at it.
                None if own
                    .as_ref()
                    .is_some_and(|(name, _)| left_out.iter().all(|part| names(name, *part))) => {}
                None => see(None),
            }
            texts.push(text);
        }
        self.each_alike(&parts, &texts, own.is_some_and(|(name, _)| *name == *uri), see);
    }

    /// The rules to which only other spellings of these texts come.
    fn each_alike(
        &self,
        parts: &Parts<'_>,
        texts: &[String],
        is_named: bool,
        see: &mut dyn FnMut(Option<usize>),
    ) {
        let scheme = parts.scheme.map(str::to_ascii_lowercase);
        let known = scheme.as_deref().filter(|scheme| self.schemes.iter().any(|own| **own == **scheme));
        let is_web = matches!(scheme.as_deref(), Some("http" | "https"));
        let asks = parts.query.is_some() || parts.fragment.is_some();
        let mut readings: Vec<Reading> = Vec::new();
        for text in texts {
            let parts = Parts::split(text);
            let mut add = |place: String, bare: String, has_host: bool| {
                let whole = fold(text);
                // With and without a slash at the end; a name that has a rule of its own is no folder.
                if !is_named || text.ends_with('/') {
                    let slash = |place: &str| format!("{place}/");
                    let bare = asks.then(|| slash(&bare));
                    readings.push(Reading { place: slash(&place), bare, whole: slash(&whole), has_host });
                }
                readings.push(Reading { place, bare: asks.then_some(bare), whole, has_host });
            };
            add(parts.place(), parts.bare().place(), true);
            // `url:file:/a`: Java takes such a scheme off.
            if let Some(inner) = parts.inner() {
                add(inner.place(), inner.bare().place(), true);
            }
            // A server may look at the path alone.
            let bare = parts.bare().place_without_host();
            if let Some((place, bare)) = parts.place_without_host().zip(bare) {
                add(place, bare, false);
            }
        }
        readings.sort_unstable();
        readings.dedup();
        // Without scheme and host, the rest may be no resource of any rule.
        let is_rest = |reading: &&Reading| !reading.has_host && known.is_none();
        let is_taken = |reading: &Reading| self.rules.iter().any(|rule| rule.takes(reading));
        if readings.iter().filter(is_rest).any(|reading| !is_taken(reading)) {
            see(None);
        }
        for rule in &self.rules {
            let is_open = match known {
                Some(_) => rule.scheme.is_none() || rule.scheme.as_deref() == known,
                // A page of the web is no file or note, but it may be the one that a rule names.
                None => !is_web || rule.scheme.is_none() || !rule.place.is_all(),
            };
            // A server looks at no host where rules have none, and if it does not look at the scheme either.
            let is_seen = |reading: &&Reading| reading.has_host || !rule.has_host || known.is_none();
            let takes = || readings.iter().filter(is_seen).any(|reading| rule.takes(reading));
            if is_open && takes() && !texts.iter().any(|text| rule.own.takes(text)) {
                see(Some(rule.demand));
            }
        }
    }
}

impl Readable {
    fn takes(&self, reading: &Reading) -> bool {
        let bare = self.bare.as_ref().zip(reading.bare.as_ref());
        self.place.takes(&reading.place)
            || self.scheme.is_none() && self.place.takes(&reading.whole)
            || bare.is_some_and(|(own, bare)| own.takes(bare))
    }
}

/// Whether the name of a rule says something about a part.
fn names(rule: &str, part: Part) -> bool {
    let parts = Parts::split(rule);
    parts.scheme.is_some() && part != Part::Host && parts.has(part)
}
