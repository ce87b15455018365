//! What says that an answer is JSON, and the names of members.

use std::borrow::Cow;
use std::fmt;

use http::header::CONTENT_TYPE;
use serde::de::{Deserialize, Deserializer, Visitor};

use crate::wire::http::HttpResponse;

/// `application/json`, or any type with the suffix `+json`; parameters do not count.
pub(crate) fn is_json(response: &HttpResponse<'_>) -> bool {
    media_type(response).is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json")
            || kind.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
    })
}

/// The media type without parameters.
pub(crate) fn media_type<'a>(response: &HttpResponse<'a>) -> Option<&'a str> {
    let value = response.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

/// The name of a member, borrowed where it is written without escapes. `Cow` alone would always copy.
pub(crate) struct Name<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}
