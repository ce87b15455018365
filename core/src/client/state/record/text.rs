//! Records as text: JSON with a version and a checksum around it.

use std::fmt::Write as _;

use crate::scope::ScopeSet;
use crate::secret::Secret;

/// JSON that is being written. It holds secrets, so what it outgrows is wiped, which `serde_json` cannot see to; and
/// records are a good part of a flow's time, which flattened and nested serializers double.
pub(crate) struct Text(String);

/// Enough for nearly every record, and for allocators no large piece.
const ROOM: usize = 1000;

impl Text {
    pub(super) fn new() -> Self {
        Self(String::with_capacity(ROOM))
    }

    pub(super) fn finish(mut self) -> Secret {
        Secret::from(std::mem::take(&mut self.0))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn push(&mut self, part: &str) {
        self.make_room(part.len());
        self.0.push_str(part);
    }

    fn make_room(&mut self, more: usize) {
        if more > self.0.capacity() - self.0.len() {
            let mut larger = String::with_capacity((self.0.len() + more).max(2 * self.0.capacity()));
            larger.push_str(&self.0);
            drop(Secret::from(std::mem::replace(&mut self.0, larger)));
        }
    }

    /// Begins another element.
    fn separate(&mut self) {
        if !matches!(self.0.as_bytes().last(), Some(b'{' | b'[')) {
            self.push(",");
        }
    }

    /// The name of the member whose value is written next. Names need no escapes.
    fn name(&mut self, name: &str) {
        self.separate();
        self.make_room(name.len() + 3);
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn string(&mut self, text: &str) {
        // Of all bytes, so that they are compared several at once.
        let is_odd = |odd, byte: u8| odd | (byte < b' ') | (byte == b'"') | (byte == b'\\');
        if !text.bytes().fold(false, is_odd) {
            self.make_room(text.len() + 2);
            self.0.push('"');
            self.0.push_str(text);
            return self.0.push('"');
        }
        // A string can always be written.
        let escaped = Secret::from(serde_json::to_string(text).unwrap_or_default());
        self.push(escaped.expose());
    }

    /// A string.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    /// A string, if there is one.
    pub(crate) fn some_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A number, if there is one.
    pub(crate) fn some_number(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.name(name);
            // Twenty digits at most, and nothing secret.
            let mut digits = String::with_capacity(20);
            let _ = write!(digits, "{value}");
            self.push(&digits);
        }
    }

    /// Whether something is so.
    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.push(if value { "true" } else { "false" });
    }

    /// That something is so, if it is.
    pub(crate) fn set_flag(&mut self, name: &str, value: bool) {
        if value {
            self.flag(name, true);
        }
    }

    /// A list of strings.
    pub(crate) fn texts<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        self.list(name, values, |text, value| {
            text.separate();
            text.string(value);
        });
    }

    pub(crate) fn scopes(&mut self, name: &str, scopes: &ScopeSet) {
        self.texts(name, scopes.iter());
    }

    /// An object.
    pub(crate) fn object(&mut self, name: &str, members: impl FnOnce(&mut Self)) {
        self.name(name);
        self.push("{");
        members(self);
        self.push("}");
    }

    /// A list of objects.
    pub(crate) fn objects<T>(
        &mut self,
        name: &str,
        items: impl Iterator<Item = T>,
        mut members: impl FnMut(&mut Self, T),
    ) {
        self.list(name, items, |text, item| {
            text.separate();
            text.push("{");
            members(text, item);
            text.push("}");
        });
    }

    fn list<T>(&mut self, name: &str, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.name(name);
        self.push("[");
        items.for_each(|item| write(self, item));
        self.push("]");
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        drop(Secret::from(std::mem::take(&mut self.0)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let mut text = Text::new();
        let odd = "\u{0}\u{1f} \"\\/\u{7f}\u{2028}ü\u{1f600}";
        text.push("{");
        text.text("plain", "https://as.example.com/?a=b&c=%20");
        text.text("odd", odd);
        text.text("empty", "");
        text.some_text("none", None);
        text.some_number("least", Some(0));
        text.some_number("most", Some(u64::MAX));
        text.some_number("none", None);
        text.flag("no", false);
        text.set_flag("unset", false);
        text.set_flag("set", true);
        text.texts("texts", ["a", odd, "{", "["].into_iter());
        text.scopes("scopes", &ScopeSet::new());
        text.object("object", |text| text.object("inner", |_| {}));
        text.objects("objects", 1..=2, |text, n| text.some_number("n", Some(n)));
        text.push("}");
        let read: Value = serde_json::from_str(text.as_str()).unwrap();
        let expected = json!({
            "plain": "https://as.example.com/?a=b&c=%20", "odd": odd, "empty": "", "least": 0, "most": u64::MAX,
            "no": false, "set": true, "texts": ["a", odd, "{", "["], "scopes": [], "object": {"inner": {}},
            "objects": [{"n": 1}, {"n": 2}],
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn text_of_any_length_is_written_whole() {
        for length in [0, 1, ROOM - 3, ROOM - 1, ROOM, ROOM + 1, 10 * ROOM] {
            let long = "x".repeat(length);
            let mut text = Text::new();
            text.push("{");
            text.text("a", &long);
            text.text("b", &long);
            text.push("}");
            let read: Value = serde_json::from_str(text.as_str()).unwrap();
            assert_eq!(read, json!({"a": long, "b": long}));
            assert_eq!(text.finish().expose().len(), 2 * length + 15);
        }
    }
}
