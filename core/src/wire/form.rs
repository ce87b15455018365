//! `application/x-www-form-urlencoded`: bodies written, queries read.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use crate::limits;
use crate::scope::ScopeSet;
use crate::secret::Secret;

pub(crate) const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// A form body to be written. Room for it is taken once, so that growing leaves no copies of secrets
/// behind, and wiping it costs no more than it must.
pub(crate) struct Form<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Form<'a> {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(8))
    }

    pub(crate) fn add(mut self, name: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    pub(crate) fn add_some(self, name: &'a str, value: Option<&'a str>) -> Self {
        match value {
            Some(value) => self.add(name, value),
            None => self,
        }
    }

    /// `scope`, unless it is empty (MCP "Scope Selection Strategy": omitted when undefined).
    pub(crate) fn add_scope(self, scope: &ScopeSet) -> Self {
        if scope.is_empty() { self } else { self.add("scope", scope.to_string()) }
    }

    pub(crate) fn finish(self) -> Secret {
        let room = self.0.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        let mut body = form_urlencoded::Serializer::new(String::with_capacity(room));
        body.extend_pairs(&self.0);
        Secret::from(body.finish())
    }
}

/// Encodes one value (RFC 6749 2.3.1, appendix B).
pub(crate) fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// Why a form could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormError {
    TooLarge,
    NotUtf8,
}

/// Reads name-value pairs; refuses too many, and bytes that are not UTF-8.
///
/// Decoding is strict: where a lossy one puts a replacement character, two readers could see two values.
pub(crate) fn read(text: &str) -> Result<Vec<(String, String)>, FormError> {
    pairs(text)?.map(|(name, value)| Ok((decode(name)?.into_owned(), decode(value)?.into_owned()))).collect()
}

/// Name-value pairs as they are written; refuses too many.
pub(crate) fn pairs(text: &str) -> Result<impl Iterator<Item = (&str, &str)>, FormError> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    if pairs.clone().count() > limits::FORM_PARAMS {
        return Err(FormError::TooLarge);
    }
    Ok(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))))
}

/// Decodes a name or a value, strictly as [`read`] does.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, FormError> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8().map_err(|_| FormError::NotUtf8);
    }
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned().into()),
        Err(_) => Err(FormError::NotUtf8),
    }
}

/// Decodes words for people; what is not UTF-8 becomes replacement characters.
pub(crate) fn decode_lossy(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_appendix_b_example() {
        // The example of RFC 6749 appendix B: space, %, &, +, £, €.
        assert_eq!(encode(" %&+£€"), "+%25%26%2B%C2%A3%E2%82%AC");
    }

    #[test]
    fn a_body_never_outgrows_its_room() {
        let values = ["%&+£€", "", "abc", "ü"].map(|value| value.repeat(1000));
        let form = values.iter().fold(Form::new(), |form, value| form.add("£", value));
        let room = values.iter().map(|value| 3 * ("£".len() + value.len()) + 2).sum::<usize>();
        let body = form.finish();
        assert!(body.expose().len() <= room);
        assert_eq!(read(body.expose()).unwrap(), values.map(|value| ("£".into(), value)));
    }

    #[test]
    fn reads_within_bounds() {
        assert_eq!(read("a=b+c&d").unwrap(), vec![("a".into(), "b c".into()), ("d".into(), "".into())]);
        assert_eq!(read(&"a=b&".repeat(limits::FORM_PARAMS + 1)), Err(FormError::TooLarge));
        assert_eq!(read("a=%ff"), Err(FormError::NotUtf8));
    }
}
