//! JSON answers, read within bounds and without their content in any error.

use std::borrow::Cow;
use std::fmt;

use http::header::CONTENT_TYPE;
use serde::de::{Deserialize, Deserializer, Visitor};

use crate::error::{Exchange, PeerMisbehaved, PeerText};
use crate::limits;
use crate::secret::Secret;
use crate::wire::http::HttpResponse;

/// How an answer is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expect<'a> {
    pub(crate) exchange: Exchange,
    pub(crate) max_body: usize,
    pub(crate) any_content_type: bool,
    /// What was sent and must not be shown, should the server echo it.
    pub(crate) secrets: &'a [&'a Secret],
}

/// Reads a body as JSON.
///
/// `serde_json` bounds the depth at 128 and does not look at what it skips otherwise. Its messages quote
/// the input, so only the place of an error is kept.
pub(crate) fn read<'a, T: Deserialize<'a>>(
    response: &HttpResponse<'a>,
    expect: Expect<'_>,
) -> Result<T, PeerMisbehaved> {
    let Expect { exchange, max_body, any_content_type, secrets } = expect;
    if response.body.len() > max_body {
        return Err(PeerMisbehaved::BodyTooLarge { exchange, limit: max_body });
    }
    if !any_content_type && !is_json(response) {
        return Err(PeerMisbehaved::ContentType { exchange, got: content_type(response, secrets) });
    }
    let text = std::str::from_utf8(response.body).map_err(|_| PeerMisbehaved::Utf8 { exchange })?;
    parse(text, exchange)
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str, exchange: Exchange) -> Result<T, PeerMisbehaved> {
    serde_json::from_str(text).map_err(|error| PeerMisbehaved::Json {
        exchange,
        line: error.line(),
        column: error.column(),
    })
}

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

fn content_type(response: &HttpResponse<'_>, secrets: &[&Secret]) -> PeerText {
    PeerText::without(media_type(response).unwrap_or_default(), secrets)
}

/// Refuses a list over [`limits::LIST`] or one with a string over [`limits::URL`].
pub(crate) fn bounded_list(
    list: &[String],
    exchange: Exchange,
    field: &'static str,
) -> Result<(), PeerMisbehaved> {
    if list.len() > limits::LIST || list.iter().any(|text| text.len() > limits::URL) {
        return Err(PeerMisbehaved::Unacceptable { exchange, field });
    }
    Ok(())
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
