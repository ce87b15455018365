//! Reading token answers, with the bends that real servers put into them.

use http::header::HeaderValue;
use zeroize::Zeroizing;

use super::{Exchanged, Issued, TokenRequest, TokenType, TokenTypeUri};
use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, PeerText, RedirectProblem, Refused};
use crate::finding::{Findings, Handling, JsonType, Problem};
use crate::limits;
use crate::quirks::Quirks;
use crate::secret::Secret;
use crate::wire::document::{Member, Members, Reader, Use, members};
use crate::wire::form;
use crate::wire::http::HttpResponse;
use crate::wire::json;

/// Reads the answer to a token request.
///
/// # Errors
/// [`Refused::Token`] with the server's code (RFC 6749 5.2); [`Refused::Unavailable`] when it failed;
/// [`PeerMisbehaved`] and [`PeerIncompatible`] when the answer breaks a rule or cannot be used.
pub fn read(
    request: &TokenRequest<'_>,
    response: &HttpResponse<'_>,
    quirks: &Quirks,
    findings: &mut Findings,
) -> Result<Issued, Error> {
    let secrets = request.secrets();
    let mut reader = Reader::new(request.grant.exchange(), findings);
    reader.secrets = &secrets;
    let mut form = Zeroizing::default();
    let fields = good(response, &mut form, &mut reader, quirks)?;
    fields.into_issued(&mut reader, request.proof.is_some(), quirks)
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
    findings: &mut Findings,
) -> Result<Exchanged, Error> {
    let secrets = request.secrets();
    let mut reader = Reader::new(request.grant.exchange(), findings);
    reader.secrets = &secrets;
    let mut form = Zeroizing::default();
    good(response, &mut form, &mut reader, quirks)?.into_exchanged(&mut reader, requested, quirks)
}

/// The token in an answer to somebody's request, if there is one.
pub(crate) fn issued_in(
    exchange: Exchange,
    response: &HttpResponse<'_>,
    findings: &mut Findings,
) -> Option<Issued> {
    let mut reader = Reader::new(exchange, findings);
    let (mut form, quirks) = (Zeroizing::default(), Quirks::none());
    let fields = good(response, &mut form, &mut reader, &quirks).ok()?;
    fields.into_issued(&mut reader, false, &quirks).ok()
}

/// Reads the members of an answer that is none of the server's errors (RFC 6749 5.2).
fn good<'a>(
    response: &HttpResponse<'a>,
    form: &'a mut Zeroizing<String>,
    reader: &mut Reader<'_>,
    quirks: &Quirks,
) -> Result<Fields<'a>, Error> {
    if !response.is_success() {
        return Err(refused(response, reader, quirks));
    }
    reader.note_status(response.status, &[200], "RFC 6749 section 5.1");
    let fields = read_fields(response, form, reader, quirks)?;
    // Some servers say 200 to everything. An error beside a token has two readings.
    let failed = fields.error.has_value() && !fields.access_token.has_value();
    let quirk = || fields.error.has_value() || fields.ok.flag().into_value() == Some(false);
    if failed || quirks.errors_with_status_200 && quirk() {
        return Err(refusal(&fields, reader).into());
    }
    Ok(fields)
}

/// What an answer that brings nothing means, of the token endpoint or one that answers like it.
pub(crate) fn refused(response: &HttpResponse<'_>, reader: &mut Reader<'_>, quirks: &Quirks) -> Error {
    let exchange = reader.exchange;
    if response.is_redirect() {
        return PeerMisbehaved::Redirect { exchange, problem: RedirectProblem::Unexpected }.into();
    }
    if response.is_unavailable() {
        let retry_after_s = response.retry_after_s();
        return Refused::Unavailable { exchange, status: response.status, retry_after_s }.into();
    }
    // RFC 6749 5.2 says 400, and 401 for invalid_client; servers use others as well.
    let mut form = Zeroizing::default();
    if (400..500).contains(&response.status)
        && let Ok(fields) = read_fields(response, &mut form, reader, quirks)
        && fields.error.has_value()
    {
        return refusal(&fields, reader).into();
    }
    PeerMisbehaved::Status { exchange, status: response.status }.into()
}

/// What an answer says that has a good status and nothing in it: its error, if it is one.
pub(crate) fn error_in(
    response: &HttpResponse<'_>,
    reader: &mut Reader<'_>,
    quirks: &Quirks,
) -> Option<Refused> {
    let mut form = Zeroizing::default();
    let fields = read_fields(response, &mut form, reader, quirks).ok()?;
    fields.error.has_value().then(|| refusal(&fields, reader))
}

fn refusal(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Refused {
    let code = reader.optional(fields.error.text(limits::TOKEN_BODY));
    let description = reader.optional(fields.error_description.text(limits::TOKEN_BODY));
    Refused::Token {
        code: PeerText::without(code.as_deref().unwrap_or("unspecified"), reader.secrets),
        description: description.map(|text| PeerText::without(&text, reader.secrets)),
    }
}

members! {
    /// The members of an answer, good or bad.
    pub(crate) struct Fields {
        "RFC 6749 section 5.1": access_token, token_type, expires_in, refresh_token, scope, ok;
        "RFC 6749 section 5.2": error, error_description;
        "RFC 8693 section 2.2.1": issued_token_type;
        "RFC 9396 section 7": authorization_details;
        "OpenID Connect Core section 3.1.3.3": id_token;
    }
}

/// Reads the members of an answer; one that is a form becomes JSON in `form` first.
fn read_fields<'a>(
    response: &HttpResponse<'a>,
    form: &'a mut Zeroizing<String>,
    reader: &mut Reader<'_>,
    quirks: &Quirks,
) -> Result<Fields<'a>, PeerMisbehaved> {
    let exchange = reader.exchange;
    if json::media_type(response).is_some_and(|kind| kind.eq_ignore_ascii_case(form::CONTENT_TYPE)) {
        let text = reader.text(response, limits::TOKEN_BODY)?;
        let got = PeerText::new(form::CONTENT_TYPE);
        reader.note(None, Problem::ContentType(got), "RFC 6749 section 5.1", Handling::Read);
        form_to_json(text, form).map_err(|_| PeerMisbehaved::Form { exchange })?;
        return reader.parse(form.as_bytes());
    }
    let body = reader.body(response, limits::TOKEN_BODY)?;
    if let Some(name) = &quirks.nested_token {
        let mut outer = Nesting { name, member: Member::absent("", "") };
        reader.parse_into(body, &mut outer)?;
        if let Some(nested) = outer.member.json(JsonType::Object, limits::TOKEN_BODY).into_value() {
            let nested: Fields<'a> = reader.parse(nested.as_bytes())?;
            if nested.access_token.has_value() {
                return Ok(nested);
            }
        }
    }
    reader.parse(body)
}

/// Writes the pairs of a form as the members of an object: the lifetime as a number, all else as strings.
fn form_to_json(text: &str, json: &mut String) -> Result<(), form::FormError> {
    let pairs = form::read(text)?;
    json.reserve(2 * text.len() + 2);
    for (index, (name, value)) in pairs.iter().enumerate() {
        json.push(if index == 0 { '{' } else { ',' });
        let is_number =
            name == "expires_in" && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        push_quoted(name, json);
        json.push(':');
        if is_number { json.push_str(value) } else { push_quoted(value, json) }
    }
    json.push_str(if pairs.is_empty() { "{}" } else { "}" });
    Ok(())
}

fn push_quoted(text: &str, json: &mut String) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\0'..='\u{1f}' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => json.push(c),
        }
    }
    json.push('"');
}

impl Fields<'_> {
    fn into_issued(
        self,
        reader: &mut Reader<'_>,
        with_proof: bool,
        quirks: &Quirks,
    ) -> Result<Issued, Error> {
        let access_token = reader.required(
            self.access_token
                .text(limits::CREDENTIAL)
                .and_then(|token| if fits_header(&token) { Ok(token) } else { Err(Problem::Malformed) }),
        )?;
        let named = self.token_type.text(limits::STRING);
        let named = match quirks.token_type_absent {
            true => reader.expected(named, "Bearer".into()),
            false => reader.required(named)?,
        };
        let also_bearer = |name: &str| quirks.bearer_names.iter().any(|own| name.eq_ignore_ascii_case(own));
        let token_type = match &*named {
            name if name.eq_ignore_ascii_case("bearer") || also_bearer(name) => TokenType::Bearer,
            name if name.eq_ignore_ascii_case("dpop") && with_proof => TokenType::Dpop,
            name => {
                return Err(
                    PeerIncompatible::TokenType { got: PeerText::without(name, reader.secrets) }.into()
                );
            }
        };
        let details = self.authorization_details.json(JsonType::Array, limits::AUTHORIZATION_DETAILS);
        Ok(Issued {
            access_token: Secret::from(access_token.into_owned()),
            token_type,
            id_token: reader.optional(credential(&self.id_token)),
            authorization_details: reader.optional(details).map(Into::into),
            expires_in_s: reader.optional(self.expires_in.seconds(limits::LIFETIME_S)),
            refresh_token: reader.optional(credential(&self.refresh_token)),
            scope: reader.optional(self.scope.scopes(JsonType::String, quirks.scope_with_commas)),
        })
    }

    /// RFC 8693 2.2.1. `token_type` says `N_A` for a token that is none for a resource; nothing hangs on it.
    fn into_exchanged(
        self,
        reader: &mut Reader<'_>,
        requested: TokenTypeUri,
        quirks: &Quirks,
    ) -> Result<Exchanged, Error> {
        let issued = reader.required(self.issued_token_type.text(limits::URL))?;
        if issued != requested.uri() {
            return Err(PeerMisbehaved::IssuedTokenType { got: PeerText::new(&issued) }.into());
        }
        Ok(Exchanged {
            token: reader.required(credential(&self.access_token))?,
            expires_in_s: reader.optional(self.expires_in.seconds(limits::LIFETIME_S)),
            refresh_token: reader.optional(credential(&self.refresh_token)),
            scope: reader.optional(self.scope.scopes(JsonType::String, quirks.scope_with_commas)),
        })
    }
}

/// A token that is no header.
fn credential(member: &Member<'_>) -> Use<Secret> {
    member.text(limits::CREDENTIAL).map(|token| Secret::from(token.into_owned()))
}

/// What goes into a header must fit there: `b64token` or at least visible ASCII (RFC 6750 2.1).
fn fits_header(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_graphic()) && HeaderValue::from_str(token).is_ok()
}

/// An object of which one member is wanted.
struct Nesting<'a, 'n> {
    name: &'n str,
    member: Member<'a>,
}

impl<'a> Members<'a> for Nesting<'a, '_> {
    #[cfg(test)]
    const NAMES: &'static [&'static str] = &[];

    fn member(&mut self, name: &str) -> Option<&mut Member<'a>> {
        (name == self.name).then_some(&mut self.member)
    }
}

#[cfg(test)]
mod tests;
