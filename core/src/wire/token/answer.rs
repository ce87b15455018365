//! Reading token answers, with the bends that real servers put into them.

use std::borrow::Cow;
use std::fmt;

use http::header::HeaderValue;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Exchanged, Issued, TokenRequest, TokenType, TokenTypeUri};
use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, PeerText, RedirectProblem, Refused};
use crate::limits;
use crate::quirks::Quirks;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::form;
use crate::wire::http::HttpResponse;
use crate::wire::json::{self, Expect};

/// Reads the answer to a token request.
///
/// # Errors
/// [`Refused::Token`] with the server's code (RFC 6749 5.2); [`Refused::Unavailable`] when it failed;
/// [`PeerMisbehaved`] and [`PeerIncompatible`] when the answer breaks a rule or cannot be used.
pub fn read(
    request: &TokenRequest<'_>,
    response: &HttpResponse<'_>,
    quirks: &Quirks,
) -> Result<Issued, Error> {
    let exchange = request.grant.exchange();
    let secrets = request.secrets();
    let fields = good(response, exchange, &secrets, quirks)?;
    fields.into_issued(exchange, &secrets, request.proof.is_some(), quirks)
}

/// Reads the answer to a request with [`Grant::TokenExchange`](super::Grant::TokenExchange): the token must
/// be of the kind that was asked for (RFC 8693 2.2.1).
///
/// # Errors
/// As [`read`]; [`PeerMisbehaved::IssuedTokenType`] for another kind.
pub fn read_exchange(
    request: &TokenRequest<'_>,
    requested: TokenTypeUri,
    response: &HttpResponse<'_>,
    quirks: &Quirks,
) -> Result<Exchanged, Error> {
    let exchange = request.grant.exchange();
    good(response, exchange, &request.secrets(), quirks)?.into_exchanged(exchange, requested, quirks)
}

/// Reads the members of an answer that is none of the server's errors (RFC 6749 5.2).
fn good<'a>(
    response: &HttpResponse<'a>,
    exchange: Exchange,
    secrets: &[&Secret],
    quirks: &Quirks,
) -> Result<Fields<'a>, Error> {
    if response.status != 200 {
        return Err(refused(response, exchange, secrets, quirks));
    }
    let fields = Fields::read(response, exchange, secrets, quirks)?;
    let brings_nothing = fields.access_token.is_none() && fields.error.is_some();
    if brings_nothing || quirks.errors_with_status_200 && (fields.error.is_some() || fields.ok == Some(false))
    {
        return Err(refusal(&fields, secrets).into());
    }
    Ok(fields)
}

/// What an answer that brings nothing means, of the token endpoint or one that answers like it.
pub(crate) fn refused(
    response: &HttpResponse<'_>,
    exchange: Exchange,
    secrets: &[&Secret],
    quirks: &Quirks,
) -> Error {
    if response.is_redirect() {
        return PeerMisbehaved::Redirect { exchange, problem: RedirectProblem::Unexpected }.into();
    }
    if response.is_unavailable() {
        let retry_after_s = response.retry_after_s();
        return Refused::Unavailable { exchange, status: response.status, retry_after_s }.into();
    }
    // RFC 6749 5.2 says 400, and 401 for invalid_client; servers use others as well.
    if (400..500).contains(&response.status)
        && let Ok(fields) = Fields::read(response, exchange, secrets, quirks)
        && fields.error.is_some()
    {
        return refusal(&fields, secrets).into();
    }
    PeerMisbehaved::Status { exchange, status: response.status }.into()
}

fn refusal(fields: &Fields<'_>, secrets: &[&Secret]) -> Refused {
    Refused::Token {
        code: PeerText::without(fields.error.as_deref().unwrap_or("unspecified"), secrets),
        description: fields.error_description.as_deref().map(|text| PeerText::without(text, secrets)),
    }
}

/// The members of an answer, good or bad.
#[derive(Default, Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    access_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    token_type: Option<Cow<'a, str>>,
    expires_in: Option<Seconds>,
    #[serde(borrow)]
    refresh_token: Option<Cow<'a, str>>,
    scope: Option<Scopes>,
    #[serde(borrow)]
    id_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    issued_token_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    authorization_details: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_description: Option<Cow<'a, str>>,
    ok: Option<bool>,
}

impl<'a> Fields<'a> {
    fn read(
        response: &HttpResponse<'a>,
        exchange: Exchange,
        secrets: &[&Secret],
        quirks: &Quirks,
    ) -> Result<Self, PeerMisbehaved> {
        if quirks.form_encoded_tokens && json::media_type(response) == Some(form::CONTENT_TYPE) {
            return Self::from_form(response, exchange);
        }
        let max_body = limits::TOKEN_BODY;
        let expect = Expect { exchange, max_body, any_content_type: quirks.any_content_type, secrets };
        if let Some(member) = &quirks.nested_token {
            let outer: Nesting<'a> = json::read(response, expect)?;
            if let Some(nested) = outer.member(member) {
                let nested: Self = json::parse(nested, exchange)?;
                if nested.access_token.is_some() {
                    return Ok(nested);
                }
            }
        }
        json::read(response, expect)
    }

    fn from_form(response: &HttpResponse<'a>, exchange: Exchange) -> Result<Self, PeerMisbehaved> {
        if response.body.len() > limits::TOKEN_BODY {
            return Err(PeerMisbehaved::BodyTooLarge { exchange, limit: limits::TOKEN_BODY });
        }
        let text = std::str::from_utf8(response.body).map_err(|_| PeerMisbehaved::Utf8 { exchange })?;
        let pairs = form::read(text).map_err(|_| PeerMisbehaved::Json { exchange, line: 1, column: 1 })?;
        let mut fields = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "access_token" => fields.access_token = Some(value.into()),
                "token_type" => fields.token_type = Some(value.into()),
                "expires_in" => fields.expires_in = value.parse().ok().map(|n| Seconds { n, text: false }),
                "refresh_token" => fields.refresh_token = Some(value.into()),
                "scope" => fields.scope = Some(Scopes { list: vec![value], array: false }),
                "error" => fields.error = Some(value.into()),
                "error_description" => fields.error_description = Some(value.into()),
                _ => {}
            }
        }
        Ok(fields)
    }

    fn into_issued(
        mut self,
        exchange: Exchange,
        secrets: &[&Secret],
        with_proof: bool,
        quirks: &Quirks,
    ) -> Result<Issued, Error> {
        let missing = |field| PeerMisbehaved::MissingField { exchange, field };
        let access_token = self.access_token.take().ok_or(missing("access_token"))?;
        let named = self.token_type.take().or_else(|| quirks.token_type_absent.then(|| "Bearer".into()));
        let named = named.ok_or(missing("token_type"))?;
        let also_bearer = |name: &str| quirks.bearer_names.iter().any(|own| name.eq_ignore_ascii_case(own));
        let token_type = match &*named {
            name if name.eq_ignore_ascii_case("bearer") || also_bearer(name) => TokenType::Bearer,
            name if name.eq_ignore_ascii_case("dpop") && with_proof => TokenType::Dpop,
            name => return Err(PeerIncompatible::TokenType { got: PeerText::without(name, secrets) }.into()),
        };
        check_header_text(&access_token, exchange, "access_token")?;
        let id_token = bounded(self.id_token.take(), exchange, "id_token")?;
        let details = self.authorization_details.map(RawValue::get);
        if details.is_some_and(|details| details.len() > limits::AUTHORIZATION_DETAILS) {
            return Err(PeerMisbehaved::Unacceptable { exchange, field: "authorization_details" }.into());
        }
        Ok(Issued {
            access_token: Secret::from(access_token.into_owned()),
            token_type,
            id_token,
            authorization_details: details.map(Into::into),
            expires_in_s: self.lifetime(exchange, quirks)?,
            refresh_token: bounded(self.refresh_token.take(), exchange, "refresh_token")?,
            scope: self.scope.map(|scopes| scopes.read(exchange, quirks)).transpose()?,
        })
    }

    /// RFC 8693 2.2.1. `token_type` says `N_A` for a token that is none for a resource; nothing hangs on it.
    fn into_exchanged(
        mut self,
        exchange: Exchange,
        requested: TokenTypeUri,
        quirks: &Quirks,
    ) -> Result<Exchanged, Error> {
        let missing = |field| PeerMisbehaved::MissingField { exchange, field };
        let token = self.access_token.take().filter(|token| !token.is_empty());
        let issued = self.issued_token_type.take().ok_or(missing("issued_token_type"))?;
        if issued != requested.uri() {
            return Err(PeerMisbehaved::IssuedTokenType { got: PeerText::new(&issued) }.into());
        }
        Ok(Exchanged {
            token: bounded(token, exchange, "access_token")?.ok_or(missing("access_token"))?,
            expires_in_s: self.lifetime(exchange, quirks)?,
            refresh_token: bounded(self.refresh_token.take(), exchange, "refresh_token")?,
            scope: self.scope.map(|scopes| scopes.read(exchange, quirks)).transpose()?,
        })
    }

    fn lifetime(&self, exchange: Exchange, quirks: &Quirks) -> Result<Option<u64>, PeerMisbehaved> {
        match &self.expires_in {
            Some(seconds) if seconds.text && !quirks.numbers_as_strings => {
                Err(PeerMisbehaved::Unacceptable { exchange, field: "expires_in" })
            }
            Some(seconds) => Ok(Some(seconds.n.min(limits::LIFETIME_S))),
            None => Ok(None),
        }
    }
}

/// A token that is no header: within its bound; an empty one is none.
fn bounded(
    token: Option<Cow<'_, str>>,
    exchange: Exchange,
    field: &'static str,
) -> Result<Option<Secret>, PeerMisbehaved> {
    match token.filter(|token| !token.is_empty()) {
        Some(token) if token.len() > limits::CREDENTIAL => {
            Err(PeerMisbehaved::Unacceptable { exchange, field })
        }
        token => Ok(token.map(|token| Secret::from(token.into_owned()))),
    }
}

/// What goes into a header must fit there: `b64token` or at least visible ASCII (RFC 6750 2.1).
fn check_header_text(token: &str, exchange: Exchange, field: &'static str) -> Result<(), PeerMisbehaved> {
    let fits = !token.is_empty()
        && token.len() <= limits::CREDENTIAL
        && token.bytes().all(|byte| byte.is_ascii_graphic())
        && HeaderValue::from_str(token).is_ok();
    if fits { Ok(()) } else { Err(PeerMisbehaved::Unacceptable { exchange, field }) }
}

/// A JSON object of which one member is wanted as text.
#[derive(Deserialize)]
struct Nesting<'a>(#[serde(borrow)] std::collections::BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Nesting<'a> {
    /// The member, if it is an object with an access token in it.
    fn member(&self, name: &str) -> Option<&'a str> {
        let text = self.0.get(name)?.get();
        text.starts_with('{').then_some(text)
    }
}

/// A number of seconds; remembers whether it was written as a string.
struct Seconds {
    n: u64,
    text: bool,
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds")
            }

            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Seconds, E> {
                Ok(Seconds { n, text: false })
            }

            fn visit_i64<E: de::Error>(self, _negative: i64) -> Result<Seconds, E> {
                Ok(Seconds { n: 0, text: false })
            }

            fn visit_f64<E: de::Error>(self, n: f64) -> Result<Seconds, E> {
                // JSON has one kind of number: 3600.0 is 3600. The cast saturates.
                Ok(Seconds { n: n as u64, text: false })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                let n = text.trim().parse().map_err(|_| E::custom("not a number"))?;
                Ok(Seconds { n, text: true })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Scopes as they were written.
struct Scopes {
    list: Vec<String>,
    array: bool,
}

impl Scopes {
    fn read(self, exchange: Exchange, quirks: &Quirks) -> Result<ScopeSet, PeerMisbehaved> {
        if self.array && !quirks.scope_as_array {
            return Err(PeerMisbehaved::Scope { exchange });
        }
        let is_separator = |c| c == ' ' || c == ',' && quirks.scope_with_commas;
        let tokens =
            self.list.iter().flat_map(|text| text.split(is_separator)).filter(|token| !token.is_empty());
        ScopeSet::from_tokens(tokens).map_err(|_| PeerMisbehaved::Scope { exchange })
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Scopes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("scopes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scopes, E> {
                Ok(Scopes { list: vec![text.to_owned()], array: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scopes, A::Error> {
                let mut list = Vec::new();
                while let Some(token) = seq.next_element::<String>()? {
                    if list.len() == limits::SCOPES {
                        return Err(de::Error::custom("too many"));
                    }
                    list.push(token);
                }
                Ok(Scopes { list, array: true })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests;
