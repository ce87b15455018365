//! Fields of outputs, read in place.

use grantor::{Effect, Interaction, Summary};
use http::header::AUTHORIZATION;

use crate::output::grantor_field::*;
use crate::output::{Lines, grantor_output};

/// A field that is a text.
pub(crate) fn text(output: &grantor_output, field: u32) -> Option<&str> {
    let made = output.texts.iter().find(|(own, _)| *own as u32 == field);
    made.map(|(_, text)| text.as_str()).or_else(|| of_effect(output.effect.as_ref()?, field))
}

/// A field that is a number.
pub(crate) fn number(output: &grantor_output, field: u32) -> Option<u64> {
    output.numbers.iter().find(|(own, _)| *own as u32 == field).map(|(_, number)| *number)
}

/// A field that is bytes.
pub(crate) fn bytes(output: &grantor_output, field: u32) -> Option<&[u8]> {
    let is = |wanted: crate::output::grantor_field| wanted as u32 == field;
    match output.effect.as_ref() {
        Some(Effect::Delete { expect, .. }) if is(GRANTOR_FIELD_EXPECT) => Some(&expect.0),
        Some(Effect::Http { request, .. }) if is(GRANTOR_FIELD_BODY) => {
            Some(request.body.expose().as_bytes())
        }
        Some(Effect::Save { expect: Some(expect), .. }) if is(GRANTOR_FIELD_EXPECT) => Some(&expect.0),
        Some(Effect::Save { record, .. }) if is(GRANTOR_FIELD_RECORD) => Some(record.expose().as_bytes()),
        Some(Effect::Sign { input, .. }) if is(GRANTOR_FIELD_INPUT) => Some(input),
        None if is(GRANTOR_FIELD_BODY) && number(output, GRANTOR_FIELD_STATUS as u32).is_some() => {
            output.body().into()
        }
        _ => None,
    }
}

/// A header line, by its place.
pub(crate) fn line(output: &grantor_output, place: usize) -> Option<(&str, &[u8])> {
    if let Some(Effect::Http { request, .. }) = &output.effect {
        return request.headers.iter().nth(place).map(crate::output::line);
    }
    match &output.lines {
        // The names are constants, but what names them is not: these two are all.
        Lines::Credentials(credentials) => credentials.iter().nth(place).map(|(name, value)| {
            let name = if name == AUTHORIZATION { "authorization" } else { "dpop" };
            (name, value.as_bytes())
        }),
        Lines::Map(headers) => headers.iter().nth(place).map(crate::output::line),
        Lines::None => None,
        Lines::Pairs(pairs) => pairs.get(place).map(|(name, value)| (&**name, value.as_bytes())),
    }
}

fn of_effect(effect: &Effect, field: u32) -> Option<&str> {
    let is = |wanted: crate::output::grantor_field| wanted as u32 == field;
    match effect {
        Effect::Assert(asked) if is(GRANTOR_FIELD_AUDIENCE) => Some(&asked.audience),
        Effect::Assert(asked) if is(GRANTOR_FIELD_RESOURCE) => Some(&asked.resource),
        Effect::CheckToken { token } if is(GRANTOR_FIELD_TOKEN) => Some(token.expose()),
        Effect::Delete { key, .. } | Effect::Load { key } | Effect::Save { key, .. }
            if is(GRANTOR_FIELD_KEY_KIND) =>
        {
            Some(key.kind.name())
        }
        Effect::Http { request, .. } if is(GRANTOR_FIELD_METHOD) => Some(request.method.as_str()),
        Effect::Http { request, .. } if is(GRANTOR_FIELD_URL) => Some(request.url.as_str()),
        Effect::Interact(interaction) => of_interaction(interaction, field),
        Effect::Sign { key, .. } if is(GRANTOR_FIELD_KEY_REFERENCE) => Some(key),
        _ => None,
    }
}

fn of_interaction(interaction: &Interaction, field: u32) -> Option<&str> {
    let is = |wanted: crate::output::grantor_field| wanted as u32 == field;
    match interaction {
        Interaction::Approve(summary) => of_summary(summary, field),
        Interaction::Authorize(prompt) if is(GRANTOR_FIELD_URL) => Some(prompt.url.as_str()),
        Interaction::Authorize(prompt) if is(GRANTOR_FIELD_REDIRECT_URI) => Some(&prompt.redirect_uri),
        Interaction::Authorize(prompt) => of_summary(&prompt.summary, field),
        Interaction::Device(prompt) if is(GRANTOR_FIELD_USER_CODE) => Some(&prompt.user_code),
        Interaction::Device(prompt) if is(GRANTOR_FIELD_VERIFICATION_URI) => {
            Some(prompt.verification_uri.as_str())
        }
        Interaction::Device(prompt) if is(GRANTOR_FIELD_VERIFICATION_URI_COMPLETE) => {
            prompt.verification_uri_complete.as_ref().map(|url| url.as_str())
        }
        Interaction::Device(prompt) => of_summary(&prompt.summary, field),
        Interaction::Listen { preferred } if is(GRANTOR_FIELD_REDIRECT_URI) => preferred.as_deref(),
        _ => None,
    }
}

fn of_summary(summary: &Summary, field: u32) -> Option<&str> {
    let is = |wanted: crate::output::grantor_field| wanted as u32 == field;
    match summary {
        _ if is(GRANTOR_FIELD_RESOURCE) => Some(&summary.resource),
        _ if is(GRANTOR_FIELD_ISSUER) => Some(summary.issuer.as_str()),
        _ if is(GRANTOR_FIELD_ACCOUNT) => Some(&summary.account),
        _ if is(GRANTOR_FIELD_CLIENT_NAME) => summary.client_name.as_deref(),
        _ => None,
    }
}
