//! The members of a JSON object as they stand, those that are there twice included.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

#[derive(Default)]
pub(super) struct Members(pub(super) Vec<(String, Box<RawValue>)>);

impl Members {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, raw)| raw.get())
    }

    /// Whether every reader finds the same under these names.
    pub(super) fn are_clear(&self, names: &[&str]) -> bool {
        let count = |name: &&str| self.0.iter().filter(|(own, _)| folded(own) == folded(name)).count();
        names.iter().all(|name| count(name) == usize::from(self.get(name).is_some()))
    }
}

/// As readers that do not mind the case of letters take it.
fn folded(name: &str) -> String {
    name.replace('\u{17f}', "s").replace('\u{212a}', "k").to_ascii_lowercase()
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some(pair) = map.next_entry()? {
                    members.0.push(pair);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}
