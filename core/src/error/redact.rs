//! Hiding what was sent, should a server repeat it in the words that are shown.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::limits;
use crate::secret::Secret;
use crate::wire::form;
use crate::wire::http::HttpRequest;

/// Of a secret, half is hidden wherever it stands, or so many bytes in a row: a part of a token is too much, too.
const PART: usize = 16;
/// No fewer than these: any text has that much in common with any secret.
const LEAST: usize = 8;

/// What a request carried that must not be shown.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    body: Secret,
    authorization: Option<HeaderValue>,
    proof: Option<HeaderValue>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sent(…)")
    }
}

impl Sent {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let is_form = request.headers.get(CONTENT_TYPE).is_some_and(|kind| *kind == form::CONTENT_TYPE);
        Self {
            // A registration holds no secret, and is long.
            body: if is_form { request.body.clone() } else { Secret::default() },
            authorization: request.headers.get(AUTHORIZATION).cloned(),
            proof: request.headers.get(HeaderName::from_static("dpop")).cloned(),
        }
    }

    /// The secrets, each as the client knows it.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let mut secrets = Vec::new();
        for (name, value) in form::read(self.body.expose()).unwrap_or_default() {
            let value = Secret::from(value);
            if !is_public(&name) {
                secrets.push(value);
            }
        }
        let text = |header: &Option<HeaderValue>| {
            header.as_ref().and_then(|value| value.to_str().ok()).map(Secret::from)
        };
        if let Some(value) = text(&self.authorization) {
            secrets.extend(of_authorization(value.expose()));
        }
        secrets.extend(text(&self.proof));
        secrets
    }
}

/// Parameters of a form that a server may quote: a person has to know them to find what is wrong. All others
/// are hidden, also those that are not known here.
fn is_public(name: &str) -> bool {
    matches!(
        name,
        "access_type"
            | "acr_values"
            | "audience"
            | "authorization_details"
            | "client_assertion_type"
            | "client_id"
            | "code_challenge"
            | "code_challenge_method"
            | "grant_type"
            | "max_age"
            | "prompt"
            | "redirect_uri"
            | "requested_token_type"
            | "resource"
            | "response_mode"
            | "response_type"
            | "scope"
            | "subject_token_type"
            | "token_type_hint"
    )
}

/// The credentials of an `Authorization` header: as they stand there, and for `Basic` the secret inside.
fn of_authorization(value: &str) -> Vec<Secret> {
    let credentials = value.split_once(' ').map_or(value, |(_, credentials)| credentials.trim());
    let mut secrets = vec![Secret::from(credentials)];
    if let Ok(pair) = STANDARD.decode(credentials).map(Zeroizing::new)
        && let Ok(pair) = std::str::from_utf8(&pair)
        && let Some((_, secret)) = pair.split_once(':')
    {
        secrets.push(Secret::from(secret));
        let decoded = form::read(&Zeroizing::new(format!("={secret}"))).unwrap_or_default();
        secrets.extend(decoded.into_iter().map(|(_, value)| Secret::from(value)));
    }
    secrets
}

/// The text with every secret replaced: as it is, in part, percent-encoded, or in base64. What looks like a
/// signed token goes as well, whoever it belongs to.
///
/// No more than [`limits::WORDS`] bytes are looked at; the rest is cut off.
pub(crate) fn hide<'a>(text: &str, secrets: impl IntoIterator<Item = &'a Secret>) -> String {
    let end = (0..=text.len().min(limits::WORDS)).rev().find(|at| text.is_char_boundary(*at));
    let text = end.and_then(|end| text.get(..end)).unwrap_or_default();
    let mut page = Page::new(text);
    for secret in secrets {
        let secret = secret.expose().as_bytes();
        page.hide(secret);
        for form in base64_forms(secret) {
            page.hide(form.as_bytes());
        }
    }
    page.hide_signed();
    page.show()
}

/// How a secret appears within base64 of something longer: by where in it the secret begins. In both
/// alphabets.
fn base64_forms(secret: &[u8]) -> Vec<Zeroizing<String>> {
    let mut forms = Vec::new();
    if secret.len() < 4 {
        return forms; // too short to be told from any other text
    }
    for lead in 0..3 {
        let mut bytes = Zeroizing::new(vec![0; lead]);
        bytes.extend_from_slice(secret);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Zeroizing::new(engine.encode(&*bytes));
            // The characters at both ends hold bits of what stands beside it.
            let (skip, whole) = ((lead * 8).div_ceil(6), bytes.len() * 8 / 6);
            if let Some(form) = encoded.get(skip..whole) {
                forms.push(Zeroizing::new(form.to_owned()));
            }
        }
    }
    forms
}

/// A text on which places are blackened.
struct Page<'a> {
    text: &'a str,
    hidden: Vec<bool>,
    /// The text without percent-encoding, and where each byte of it stands in the text.
    decoded: Option<(Vec<u8>, Vec<usize>)>,
}

impl<'a> Page<'a> {
    fn new(text: &'a str) -> Self {
        let decoded = text.bytes().any(|byte| matches!(byte, b'%' | b'+')).then(|| decode(text.as_bytes()));
        Self { text, hidden: vec![false; text.len()], decoded }
    }

    fn hide(&mut self, secret: &[u8]) {
        let len = (secret.len() / 2).clamp(LEAST, PART).min(secret.len());
        if len == 0 {
            return;
        }
        let mut parts: Vec<&[u8]> = secret.windows(len).collect();
        parts.sort_unstable();
        let is_part = |window: &[u8]| parts.binary_search(&window).is_ok();
        for (at, window) in self.text.as_bytes().windows(len).enumerate() {
            if is_part(window) {
                blacken(&mut self.hidden, at, at + len);
            }
        }
        let Some((decoded, places)) = &self.decoded else { return };
        for (at, window) in decoded.windows(len).enumerate() {
            if is_part(window) {
                let place = |at: usize| places.get(at).copied().unwrap_or(self.text.len());
                blacken(&mut self.hidden, place(at), place(at + len));
            }
        }
    }

    /// JWTs begin with an object in base64url, which is `eyJ`.
    fn hide_signed(&mut self) {
        let bytes = self.text.as_bytes();
        let of_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let mut at = 0;
        while let Some(found) = self.text.get(at..).and_then(|rest| rest.find("eyJ")) {
            let start = at + found;
            let rest = bytes.get(start..).unwrap_or_default();
            let len = rest.iter().take_while(|byte| of_token(byte)).count();
            if len >= PART {
                blacken(&mut self.hidden, start, start + len);
            }
            at = start + len.max(3);
        }
    }

    fn show(&self) -> String {
        let mut shown = String::with_capacity(self.text.len());
        let mut before = false;
        for (at, c) in self.text.char_indices() {
            let hidden = self.hidden.get(at..at + c.len_utf8()).is_some_and(|bytes| bytes.contains(&true));
            match (hidden, before) {
                (true, false) => shown.push('…'),
                (true, true) => {}
                (false, _) => shown.push(c),
            }
            before = hidden;
        }
        shown
    }
}

fn blacken(hidden: &mut [bool], from: usize, to: usize) {
    if let Some(place) = hidden.get_mut(from..to) {
        place.fill(true);
    }
}

/// Removes percent-encoding, and says where each byte came from, one place beyond the end included.
fn decode(text: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        places.push(at);
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            (b'+', ..) => {
                bytes.push(b' ');
                at += 1;
            }
            _ => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
    places.push(text.len());
    (bytes, places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirks::Quirks;
    use crate::wire::client_auth::{Client, ClientAuthMethod};
    use crate::wire::testing::url;
    use crate::wire::token::{Grant, TokenRequest};

    fn hidden(text: &str, secret: &str) -> String {
        hide(text, [&Secret::from(secret)])
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_that_a_server_may_give_it() {
        let secret = "s3cr3t/+ grüße?&=%~planted";
        let encoded = form::encode(secret);
        let all = secret.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let spaced = encoded.replace('+', "%20");
        let mut forms = vec![secret.into(), encoded.to_lowercase(), encoded, all, spaced];
        for before in ["", "a", "ab", "abc", "client:"] {
            for after in ["", "z", "zz"] {
                let pair = format!("{before}{secret}{after}");
                forms.extend([STANDARD.encode(&pair), URL_SAFE_NO_PAD.encode(&pair)]);
            }
        }
        for form in forms {
            let shown = hidden(&format!("before {form} after"), secret);
            let left = shown.trim_start_matches("before ").trim_end_matches(" after");
            assert!(shown.contains('…') && left.len() < 24, "{form}: {shown}");
            assert!(!shown.contains("planted") && !shown.contains("s3cr3t"), "{shown}");
        }
    }

    #[test]
    fn a_part_of_a_secret_is_hidden_and_a_short_one_wherever_it_stands() {
        assert_eq!(hidden("token abcdefgh… unknown", "abcdefghijklmnop"), "token …… unknown");
        let long = "0123456789abcdef".repeat(4);
        assert_eq!(hidden("token 0123456789abcdef", &long), "token …");
        assert_eq!(hidden("at example.com", "secret-of-example.com-0123456789"), "at example.com");
        assert_eq!(hidden("code c0d3 (c0d3)", "c0d3"), "code … (…)");
        assert_eq!(hidden("nothing of it", ""), "nothing of it");
        assert_eq!(hidden("ü secret ü", "secret"), "ü … ü");
        assert_eq!(hidden("100% + 5%2 %zz", "x"), "100% + 5%2 %zz");
    }

    #[test]
    fn signed_tokens_are_hidden_whoever_they_belong_to() {
        assert_eq!(hidden("got eyJhbGciOiJub25lIn0.eyJ4Ijox.c2ln, sorry", "x"), "got …, sorry");
        assert_eq!(hidden("an eyJ alone", "y"), "an e…J alone");
    }

    #[test]
    fn what_is_read_is_bounded() {
        let shown = hidden(&"ü".repeat(limits::WORDS), "secret");
        assert!(shown.len() <= limits::WORDS);
    }

    #[test]
    fn what_a_request_carries_is_known_from_the_request() {
        let secret = Secret::from("planted secret");
        for method in [ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost] {
            let client = Client::confidential("client", secret.clone(), method);
            let request = TokenRequest {
                endpoint: &url("https://as.example.com/token"),
                client: &client,
                grant: Grant::RefreshToken { refresh_token: &Secret::from("planted refresh") },
                resource: Some("https://mcp.example.com"),
                assertion: None,
                proof: Some(&HeaderValue::from_static("planted.proof.signature")),
            };
            let request = request.request(&Quirks::none());
            let sent = Sent::of(&request).secrets();
            let has = |text: &str| sent.iter().any(|secret| secret.matches(text));
            assert!(has("planted refresh") && has("planted secret") && has("planted.proof.signature"));
            assert!(!has("https://mcp.example.com") && !has("client") && !has("refresh_token"));
        }
    }
}
