//! The loop over the members of an object.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::de::Read;
use serde_json::value::RawValue;

use super::Member;
use crate::limits;
use crate::wire::json::Name;

/// The members of one kind of document; made by `members!`.
pub(crate) trait Members<'a> {
    /// The names of all members.
    #[cfg(test)]
    const NAMES: &'static [&'static str];

    /// The member of this name, if the document has one.
    fn member(&mut self, name: &str) -> Option<&mut Member<'a>>;
}

/// An object, and which of the members that are not in its table it repeats.
pub(crate) struct Object<'a, T> {
    pub(crate) members: T,
    pub(super) repeated: Vec<&'a str>,
}

/// Reads the members of an object as they are written. A value is looked at only to find its end.
pub(super) fn object<'a, T: Members<'a>, R: Read<'a>>(
    mut deserializer: serde_json::Deserializer<R>,
    into: T,
) -> serde_json::Result<Object<'a, T>> {
    let object = deserializer.deserialize_map(ObjectVisitor(into))?;
    deserializer.end()?;
    Ok(object)
}

struct ObjectVisitor<T>(T);

impl<'a, T: Members<'a>> Visitor<'a> for ObjectVisitor<T> {
    type Value = Object<'a, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = self.0;
        let mut others = Others::default();
        while let Some(name) = map.next_key::<Name<'a>>()? {
            match members.member(&name.0) {
                Some(member) => member.write(map.next_value::<&'a RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                    if let std::borrow::Cow::Borrowed(name) = name.0 {
                        others.note(name);
                    }
                }
            }
        }
        Ok(Object { members, repeated: others.repeated })
    }
}

/// The names that no table has, as many as are compared.
struct Others<'a> {
    names: [&'a str; limits::NAMES_COMPARED],
    len: usize,
    repeated: Vec<&'a str>,
}

impl Default for Others<'_> {
    fn default() -> Self {
        Self { names: [""; limits::NAMES_COMPARED], len: 0, repeated: Vec::new() }
    }
}

impl<'a> Others<'a> {
    fn note(&mut self, name: &'a str) {
        if self.names.iter().take(self.len).any(|known| *known == name) {
            if !self.repeated.contains(&name) {
                self.repeated.push(name);
            }
        } else if let Some(place) = self.names.get_mut(self.len) {
            *place = name;
            self.len += 1;
        }
    }
}
