//! JSON objects of tokens: every name once, values looked at only when asked for, nothing copied.
//!
//! A member that appears twice is refused: two readers that keep different ones disagree about what was
//! signed (RFC 7515 4, RFC 7519 4).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits;
use crate::wire::json::Name;

/// Why a text is not an object as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectError {
    /// A name twice.
    Repeated,
    /// No JSON object, or no UTF-8.
    Syntax,
    /// More than [`limits::JSON_MEMBERS`].
    TooLarge,
}

/// Members in the order in which they were written.
#[derive(Clone, Debug)]
pub(super) struct Object<'a>(Vec<Member<'a>>);

#[derive(Clone, Debug)]
struct Member<'a> {
    /// Most names of tokens are short, and of few lengths: as numbers they are told apart at once.
    start: u64,
    name: Cow<'a, str>,
    value: &'a RawValue,
}

impl Member<'_> {
    fn is(&self, start: u64, name: &str) -> bool {
        self.start == start && self.name == name
    }
}

/// The first bytes of a name. Names that differ may have the same.
fn start_of(name: &str) -> u64 {
    name.bytes().take(8).fold(0, |start, byte| start << 8 | u64::from(byte))
}

impl<'a> Object<'a> {
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, ObjectError> {
        let text = std::str::from_utf8(json).map_err(|_| ObjectError::Syntax)?;
        let Members(members) = serde_json::from_str(text).map_err(|_| ObjectError::Syntax)?;
        let object = Self(members?);
        if object.has_repetition() { Err(ObjectError::Repeated) } else { Ok(object) }
    }

    fn has_repetition(&self) -> bool {
        const FEW: usize = 24;
        if self.0.len() <= FEW {
            let mut rest = self.0.iter();
            while let Some(Member { start, name, .. }) = rest.next() {
                if rest.clone().any(|other| other.is(*start, name)) {
                    return true;
                }
            }
            return false;
        }
        let mut names: Vec<&str> = self.0.iter().map(|member| &*member.name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
    }

    fn member(&self, name: &str) -> Option<&Member<'a>> {
        let start = start_of(name);
        self.0.iter().find(|member| member.is(start, name))
    }

    /// Whether there is a member of this name, be it `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// The value of this name; `null` counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        let raw = self.member(name)?.value.get();
        (raw != "null").then_some(Value(raw))
    }

    /// The string of this name: absent, malformed or there.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, WrongType> {
        self.get(name).map(|value| value.text().ok_or(WrongType)).transpose()
    }
}

/// A value of another type than it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongType;

/// A value as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    pub(super) fn raw(self) -> &'a str {
        self.0
    }

    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            return serde_json::from_str(self.0).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(inner))
    }

    /// A string, or an array of strings.
    pub(super) fn texts(self, most: usize) -> Option<Vec<Cow<'a, str>>> {
        if let Some(text) = self.text() {
            return Some(vec![text]);
        }
        let Elements(elements) = serde_json::from_str(self.0).ok()?;
        (elements.len() <= most).then_some(())?;
        elements.into_iter().map(|raw| Value(raw.get()).text()).collect()
    }

    /// A number as whole seconds and whether a fraction follows; `None` for what is no number, and for
    /// numbers beyond those of a double.
    pub(super) fn number(self) -> Option<(i64, bool)> {
        if !self.0.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return None;
        }
        if let Ok(whole) = self.0.parse::<i64>() {
            return Some((whole, false));
        }
        let number: f64 = self.0.parse().ok().filter(|number: &f64| number.is_finite())?;
        let whole = number.floor();
        #[expect(clippy::cast_possible_truncation, reason = "saturates, and huge times are refused")]
        Some((whole as i64, number > whole))
    }

    pub(super) fn object(self) -> Result<Object<'a>, ObjectError> {
        Object::parse(self.0.as_bytes())
    }
}

struct Members<'a>(Result<Vec<Member<'a>>, ObjectError>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(Name(name)) = map.next_key()? {
                    if members.len() >= limits::JSON_MEMBERS {
                        map.next_value::<IgnoredAny>()?;
                        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                        return Ok(Members(Err(ObjectError::TooLarge)));
                    }
                    members.push(Member { start: start_of(&name), name, value: map.next_value()? });
                }
                Ok(Members(Ok(members)))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// The elements of an array; at most one more than [`limits::SCOPES_READ`], the longest list that anybody
/// here reads. Whoever reads a shorter one checks the length.
pub(super) struct Elements<'a>(pub(super) Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementsVisitor;

        impl<'de> Visitor<'de> for ElementsVisitor {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while elements.len() <= limits::SCOPES_READ {
                    let Some(element) = seq.next_element()? else { return Ok(Elements(elements)) };
                    elements.push(element);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Elements(elements))
            }
        }

        deserializer.deserialize_seq(ElementsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> Option<ObjectError> {
        Object::parse(json.as_bytes()).err()
    }

    #[test]
    fn rfc7519_4_names_once() {
        assert_eq!(error(r#"{"a":1,"b":2}"#), None);
        assert_eq!(error(r#"{"a":1,"a":1}"#), Some(ObjectError::Repeated));
        assert_eq!(error(r#"{"a":1,"\u0061":1}"#), Some(ObjectError::Repeated), "escaped");
        assert_eq!(error(r#"{"a name that is long":1,"a name that is also long":1}"#), None);
        assert_eq!(
            error(r#"{"a name that is long":1,"b":2,"a name that is long":1}"#),
            Some(ObjectError::Repeated)
        );
        assert_eq!(error(r#"{"":1,"\u0000":1,"\u0000a":1,"a":1}"#), None);
        let mut many: Vec<String> = (0..100).map(|n| format!(r#""m{n}":{n}"#)).collect();
        assert_eq!(error(&format!("{{{}}}", many.join(","))), None);
        many.push(r#""m7":0"#.into());
        assert_eq!(error(&format!("{{{}}}", many.join(","))), Some(ObjectError::Repeated));
    }

    #[test]
    fn what_is_no_object() {
        for bad in ["", "[]", "1", "null", "{", "{}x", r#"{"a"}"#, "{\"a\":\"\n\"}", r#"{a:1}"#] {
            assert_eq!(error(bad), Some(ObjectError::Syntax), "{bad}");
        }
        assert_eq!(Object::parse(b"{\"a\":\"\xff\"}").err(), Some(ObjectError::Syntax));
        let many: Vec<String> = (0..=limits::JSON_MEMBERS).map(|n| format!(r#""m{n}":{n}"#)).collect();
        assert_eq!(error(&format!("{{{}}}", many.join(","))), Some(ObjectError::TooLarge));
        assert_eq!(error(&format!(r#"{{"a":{}1{}}}"#, "[".repeat(100), "]".repeat(100))), None);
    }

    #[test]
    fn values() {
        let json = br#"{"t":"x","e":"a\"\u00fc","s":"\ud800","n":null,"l":["a","b"],"m":["a",1],"o":{}}"#;
        let object = Object::parse(json).unwrap();
        assert_eq!(object.text("t"), Ok(Some("x".into())));
        assert_eq!(object.text("e"), Ok(Some("a\"ü".into())));
        assert_eq!(object.text("s"), Err(WrongType));
        assert_eq!(object.text("o"), Err(WrongType));
        assert_eq!(object.text("n"), Ok(None));
        assert!(object.has("n"));
        let texts = |name| object.get(name).unwrap().texts(2);
        assert_eq!(texts("t"), Some(vec!["x".into()]));
        assert_eq!(texts("l"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(texts("m"), None);
        assert_eq!(object.get("l").unwrap().texts(1), None);
    }

    #[test]
    fn rfc7519_2_numeric_dates() {
        let number = |text| Value(text).number();
        assert_eq!(number("12"), Some((12, false)));
        assert_eq!(number("12.5"), Some((12, true)));
        assert_eq!(number("1.2e1"), Some((12, false)));
        assert_eq!(number("-0.5"), Some((-1, true)));
        assert_eq!(number("1e300"), Some((i64::MAX, false)));
        assert_eq!(number("99999999999999999999"), Some((i64::MAX, false)));
        assert_eq!(number("1e999"), None);
        for bad in ["\"12\"", "true", "[12]", "{}"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
