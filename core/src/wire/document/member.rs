//! One member, and what it can be used as.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use url::Url;

use crate::address::UrlPolicy;
use crate::finding::{Handling, JsonType, Problem};
use crate::limits;
use crate::scope::{ScopeError, ScopeSet};

/// A member as it was written. What it is, shows when it is used.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    name: &'static str,
    section: &'static str,
    json: Option<&'a str>,
    repeated: bool,
    contradictory: bool,
}

/// What came of using a member: a value, perhaps with a deviation beside, or why there is none.
pub(crate) struct Use<T> {
    pub(super) name: &'static str,
    pub(super) section: &'static str,
    pub(super) repeated: bool,
    pub(super) deviation: Option<(Problem, Handling)>,
    pub(super) value: Result<T, Problem>,
}

impl<T> Use<T> {
    /// Whether there is a value, and if not, why.
    pub(crate) fn value(&self) -> Result<(), &Problem> {
        self.value.as_ref().map(drop)
    }

    /// The value alone.
    pub(crate) fn into_value(self) -> Option<T> {
        self.value.ok()
    }

    /// The same with the value converted.
    pub(crate) fn map<U>(self, then: impl FnOnce(T) -> U) -> Use<U> {
        self.and_then(|value| Ok(then(value)))
    }

    /// The same with a further check or conversion.
    pub(crate) fn and_then<U>(self, then: impl FnOnce(T) -> Result<U, Problem>) -> Use<U> {
        let Self { name, section, repeated, deviation, value } = self;
        Use { name, section, repeated, deviation, value: value.and_then(then) }
    }

    /// The same with what is wrong with it beside.
    fn but(mut self, problem: Problem, handling: Handling) -> Self {
        self.deviation = Some((problem, handling));
        self
    }
}

impl<'a> Member<'a> {
    pub(crate) const fn absent(name: &'static str, section: &'static str) -> Self {
        Self { name, section, json: None, repeated: false, contradictory: false }
    }

    pub(super) fn write(&mut self, json: &'a str) {
        match self.json {
            None => self.json = Some(json),
            Some(first) if first == json => self.repeated = true,
            Some(_) => self.contradictory = true,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is there, whatever its value.
    pub(crate) const fn is_there(&self) -> bool {
        self.json.is_some()
    }

    /// Whether it is there and neither `null` nor an empty string.
    pub(crate) fn has_value(&self) -> bool {
        self.json.is_some_and(|json| json != "null" && json != "\"\"")
    }

    fn with<T>(&self, value: Result<T, Problem>) -> Use<T> {
        let Self { name, section, repeated, .. } = *self;
        Use { name, section, repeated, deviation: None, value }
    }

    /// The value as it is written and its type.
    fn value(&self) -> Result<(&'a str, JsonType), Problem> {
        if self.contradictory {
            return Err(Problem::Contradictory);
        }
        let json = self.json.ok_or(Problem::Missing)?;
        match JsonType::of(json).ok_or(Problem::Malformed)? {
            JsonType::Null => Err(Problem::Null),
            kind => Ok((json, kind)),
        }
    }

    fn value_of(&self, expected: JsonType) -> Result<&'a str, Problem> {
        match self.value()? {
            (json, got) if got == expected => Ok(json),
            (_, got) => Err(Problem::Type { expected, got }),
        }
    }

    /// As a string of at most `most` bytes.
    pub(crate) fn text(&self, most: usize) -> Use<Cow<'a, str>> {
        self.with(self.value_of(JsonType::String).and_then(|json| string(json, most)))
    }

    /// As a URL from outside (see [`UrlPolicy`]).
    pub(crate) fn url(&self, policy: &UrlPolicy, resource: &Url) -> Use<Url> {
        self.text(limits::URL).and_then(|text| policy.parse(&text, resource).map_err(Problem::Url))
    }

    /// As `true` or `false`. Written as a string or as 1 or 0 there is one way to read it, too.
    pub(crate) fn flag(&self) -> Use<bool> {
        let (json, got) = match self.value() {
            Ok(value) => value,
            Err(problem) => return self.with(Err(problem)),
        };
        let deviation = Problem::Type { expected: JsonType::Boolean, got };
        match (json, got) {
            (_, JsonType::Boolean) => self.with(Ok(json == "true")),
            ("1", _) => self.with(Ok(true)).but(deviation, Handling::Read),
            ("0", _) => self.with(Ok(false)).but(deviation, Handling::Read),
            (_, JsonType::String) if json.eq_ignore_ascii_case("\"true\"") => {
                self.with(Ok(true)).but(deviation, Handling::Read)
            }
            (_, JsonType::String) if json.eq_ignore_ascii_case("\"false\"") => {
                self.with(Ok(false)).but(deviation, Handling::Read)
            }
            _ => self.with(Err(deviation)),
        }
    }

    /// As `true` or `false` and nothing that only looks like it.
    pub(crate) fn strict_flag(&self) -> Use<bool> {
        self.with(self.value_of(JsonType::Boolean).map(|json| json == "true"))
    }

    /// As a number of seconds, cut to whole ones, at most `most`. A string that holds a number is read, too.
    pub(crate) fn seconds(&self, most: u64) -> Use<u64> {
        let (json, got) = match self.value() {
            Ok(value) => value,
            Err(problem) => return self.with(Err(problem)),
        };
        let expected = JsonType::Number;
        let number = match got {
            JsonType::Number => number(json),
            JsonType::String => match string(json, limits::STRING) {
                Ok(text) => number(text.trim()).map_err(|_| Problem::Type { expected, got }),
                Err(problem) => Err(problem),
            },
            _ => Err(Problem::Type { expected, got }),
        };
        match number {
            Ok(seconds) if seconds > most => self.with(Ok(most)).but(Problem::TooLarge, Handling::Limited),
            Ok(seconds) if got == expected => self.with(Ok(seconds)),
            Ok(seconds) => self.with(Ok(seconds)).but(Problem::Type { expected, got }, Handling::Read),
            Err(problem) => self.with(Err(problem)),
        }
    }

    /// As a list of strings, each handed to `take`. Entries that are none, empty ones and those over
    /// [`limits::URL`] are lost, and what is beyond [`limits::LIST`]. A list that has lost all is no list.
    pub(crate) fn list(&self, take: impl FnMut(Cow<'a, str>)) -> Use<()> {
        match self.value_of(JsonType::Array) {
            Ok(json) => self.entries(json, take),
            Err(problem) => self.with(Err(problem)),
        }
    }

    /// As [`list`](Self::list); one string in its place is a list of one.
    pub(crate) fn list_or_one(&self, mut take: impl FnMut(Cow<'a, str>)) -> Use<()> {
        match self.value() {
            Ok((json, JsonType::Array)) => self.entries(json, take),
            Ok((json, got @ JsonType::String)) => {
                let deviation = Problem::Type { expected: JsonType::Array, got };
                let value = string(json, limits::URL).map(&mut take);
                self.with(value).but(deviation, Handling::Read)
            }
            Ok((_, got)) => self.with(Err(Problem::Type { expected: JsonType::Array, got })),
            Err(problem) => self.with(Err(problem)),
        }
    }

    fn entries(&self, json: &'a str, mut take: impl FnMut(Cow<'a, str>)) -> Use<()> {
        let (mut all, mut unusable) = (0, 0);
        let each = |json: &'a str| {
            all += 1;
            match string(json, limits::URL).ok().filter(|_| all - unusable <= limits::LIST) {
                Some(text) => take(text),
                None => unusable += 1,
            }
        };
        let read = Elements(each).deserialize(&mut serde_json::Deserializer::from_str(json));
        match (read, all) {
            (Err(_), _) => self.with(Err(Problem::Malformed)),
            (_, 0) => self.with(Err(Problem::Empty)),
            _ if unusable == all => self.with(Err(Problem::Entries(unusable))),
            _ if unusable > 0 => self.with(Ok(())).but(Problem::Entries(unusable), Handling::OthersUsed),
            _ => self.with(Ok(())),
        }
    }

    /// As scopes, which `expected` says how to write: as a list of strings or as one string with blanks. The
    /// other is read, too. Bad ones are lost, and what is beyond [`limits::SCOPES`].
    pub(crate) fn scopes(&self, expected: JsonType, commas: bool) -> Use<ScopeSet> {
        let mut set = ScopeSet::new();
        let used = self.scope_tokens(expected, commas, |token| set.insert(token));
        used.map(|()| set)
    }

    /// As [`scopes`](Self::scopes), each handed to `take`, which says whether it is good.
    pub(crate) fn scope_tokens(
        &self,
        expected: JsonType,
        commas: bool,
        mut take: impl FnMut(&str) -> Result<(), ScopeError>,
    ) -> Use<()> {
        let (mut all, mut bad) = (0, 0);
        let mut take = |token: &str| {
            all += 1;
            let taken = if all > limits::SCOPES_READ { Err(ScopeError::TooLarge) } else { take(token) };
            bad += usize::from(taken.is_err());
        };
        let mut split = |text: &str| {
            let tokens = text.split(|c| c == ' ' || c == ',' && commas);
            tokens.filter(|token| !token.is_empty()).for_each(&mut take);
        };
        let (used, got) = match self.value() {
            Ok((json, JsonType::String)) => {
                let text = string(json, usize::MAX);
                (self.with(text.map(|text| split(&text))), JsonType::String)
            }
            // A list of scopes has no blanks in its entries; one in place of a string may.
            Ok((json, JsonType::Array)) if expected == JsonType::Array => {
                (self.entries(json, |text| take(&text)), expected)
            }
            Ok((json, JsonType::Array)) => (self.entries(json, |text| split(&text)), JsonType::Array),
            Ok((_, got)) => return self.with(Err(Problem::Type { expected, got })),
            Err(problem) => return self.with(Err(problem)),
        };
        let lost = bad + if let Some((Problem::Entries(count), _)) = used.deviation { count } else { 0 };
        let deviation = match lost {
            0 if got == expected => None,
            0 => Some((Problem::Type { expected, got }, Handling::Read)),
            lost => Some((Problem::Entries(lost), Handling::OthersUsed)),
        };
        let used = used.and_then(|()| match (all > bad, lost) {
            (true, _) => Ok(()),
            (false, 0) => Err(Problem::Empty),
            (false, lost) => Err(Problem::Entries(lost)),
        });
        Use { deviation, ..used }
    }

    /// As a value of this type, as it is written, of at most `most` bytes.
    pub(crate) fn json(&self, expected: JsonType, most: usize) -> Use<&'a str> {
        let fits = |json: &'a str| if json.len() > most { Err(Problem::TooLarge) } else { Ok(json) };
        self.with(self.value_of(expected).and_then(fits))
    }
}

/// The content of a string, borrowed where it is written without escapes.
fn string(json: &str, most: usize) -> Result<Cow<'_, str>, Problem> {
    let type_of = || {
        let got = JsonType::of(json)?;
        Some(Problem::Type { expected: JsonType::String, got })
    };
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.ok_or_else(|| type_of().unwrap_or(Problem::Malformed))?;
    // An escape takes six characters at most for one.
    if inner.len() > most.saturating_mul(6) {
        return Err(Problem::TooLarge);
    }
    let text = match inner.contains('\\') {
        true => Cow::Owned(serde_json::from_str(json).map_err(|_| Problem::Malformed)?),
        false => Cow::Borrowed(inner),
    };
    match text.len() {
        _ if text.trim_start().is_empty() => Err(Problem::Empty),
        len if len > most => Err(Problem::TooLarge),
        _ => Ok(text),
    }
}

/// A number that is not negative, cut to a whole one. The cast saturates.
fn number(text: &str) -> Result<u64, Problem> {
    if let Ok(whole) = text.parse() {
        return Ok(whole);
    }
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match text.parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        Ok(number) if is_number && number >= 0.0 => Ok(number as u64),
        _ => Err(Problem::Malformed),
    }
}

/// Hands on the elements of an array as they are written.
struct Elements<F>(F);

impl<'a, F: FnMut(&'a str)> DeserializeSeed<'a> for Elements<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a, F: FnMut(&'a str)> Visitor<'a> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&'a RawValue>()? {
            (self.0)(element.get());
        }
        Ok(())
    }
}
