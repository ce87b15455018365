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

/// Reads the members of an object as they are written; which of those that are not in its table it repeats. A value
/// is looked at only to find its end.
pub(super) fn object<'a, T: Members<'a>, R: Read<'a>>(
    mut deserializer: serde_json::Deserializer<R>,
    into: &mut T,
) -> serde_json::Result<Vec<&'a str>> {
    let repeated = deserializer.deserialize_map(ObjectVisitor(into))?;
    deserializer.end()?;
    Ok(repeated)
}

/// Documents are large, and filled where they stand.
struct ObjectVisitor<'t, T>(&'t mut T);

impl<'a, T: Members<'a>> Visitor<'a> for ObjectVisitor<'_, T> {
    type Value = Vec<&'a str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let members = self.0;
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
        Ok(others.repeated)
    }
}

/// The names that no table has, as many as are compared.
#[derive(Default)]
struct Others<'a> {
    names: Vec<&'a str>,
    repeated: Vec<&'a str>,
}

impl<'a> Others<'a> {
    fn note(&mut self, name: &'a str) {
        if self.names.contains(&name) {
            if !self.repeated.contains(&name) {
                self.repeated.push(name);
            }
        } else if self.names.len() < limits::NAMES_COMPARED {
            self.names.push(name);
        }
    }
}
