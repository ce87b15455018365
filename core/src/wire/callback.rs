//! The callback: what the browser brings back (RFC 6749 4.1.2, RFC 9207).
//!
//! ```
//! use grantor::wire::callback::{Callback, Expected};
//! use grantor::wire::server_metadata::Issuer;
//! use grantor::{Secret, UrlPolicy};
//!
//! let resource = "https://mcp.example.com/mcp".parse()?;
//! let issuer = Issuer::read("https://as.example.com", &UrlPolicy::default(), &resource)?;
//! let (state, iss_parameter_supported) = (Secret::from("unguessable"), true);
//! let expected = || Expected { state: &state, issuer: &issuer, iss_parameter_supported };
//!
//! let callback = Callback::read("/callback?code=1234&state=unguessable&iss=https%3A%2F%2Fas.example.com")?;
//! let code = callback.validate(expected()).expect("it answers this request")?;
//! assert_eq!(code.expose(), "1234");
//!
//! let mixed_up = Callback::read("/callback?code=1234&state=unguessable&iss=https%3A%2F%2Fevil.example")?;
//! assert!(mixed_up.validate(expected()).expect("it answers this request").is_err());
//!
//! let guess = Callback::read("/callback?code=1234&state=guess")?;
//! assert!(guess.validate(expected()).is_none(), "ignored");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use url::Url;

use crate::error::{Error, PeerMisbehaved, PeerText, Refused};
use crate::limits;
use crate::secret::Secret;
use crate::wire::form;
use crate::wire::server_metadata::Issuer;

/// The parameters of a callback, nothing of it checked yet.
///
/// There is no way to the code past [`validate`](Self::validate).
#[derive(Clone)]
pub struct Callback {
    state: Option<Secret>,
    iss: Option<String>,
    code: Option<Secret>,
    error: Option<String>,
    error_description: Option<String>,
    repeated: Option<&'static str>,
}

/// What was recorded before the browser left, to hold the callback against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The `state` that was sent.
    pub state: &'a Secret,
    /// The issuer from the validated metadata.
    pub issuer: &'a Issuer,
    /// Whether the metadata promises `iss` in every callback.
    pub iss_parameter_supported: bool,
}

impl Callback {
    /// Reads the URL, or only the query, with which the browser came back.
    ///
    /// # Errors
    /// [`PeerMisbehaved::CallbackSyntax`] when it is too large or malformed.
    pub fn read(url_or_query: &str) -> Result<Self, PeerMisbehaved> {
        let query = query_of(url_or_query);
        if query.len() > limits::CALLBACK_QUERY {
            return Err(PeerMisbehaved::CallbackSyntax);
        }
        let mut callback =
            Self { state: None, iss: None, code: None, error: None, error_description: None, repeated: None };
        for (name, value) in form::read(&query).map_err(|_| PeerMisbehaved::CallbackSyntax)? {
            let repeated = match name.as_str() {
                "state" => callback.state.replace(Secret::from(value)).map(|_| "state"),
                "iss" => callback.iss.replace(value).map(|_| "iss"),
                "code" => callback.code.replace(Secret::from(value)).map(|_| "code"),
                "error" => callback.error.replace(value).map(|_| "error"),
                "error_description" => callback.error_description.replace(value).map(|_| "error_description"),
                _ => None, // RFC 6749 4.1.2: unrecognized parameters are ignored
            };
            callback.repeated = callback.repeated.or(repeated);
            if repeated == Some("state") {
                callback.state = None; // with two of them, it carries none
                break;
            }
        }
        Ok(callback)
    }

    /// Whether it carries this `state`, compared in constant time. Without, it is not the answer to the
    /// request, whatever else it says.
    pub fn has_state(&self, state: &Secret) -> bool {
        self.state.as_ref() == Some(state)
    }

    /// The authorization code, if everything that protects it holds: state, then issuer, and only then
    /// what the server says. `None` when the state is another one, so that this is not the answer.
    ///
    /// # Errors
    /// [`PeerMisbehaved::CallbackRepeated`] when a parameter appears twice (RFC 6749 3.1);
    /// [`PeerMisbehaved::IssMissing`] and [`IssMismatch`](PeerMisbehaved::IssMismatch) by the four rows
    /// of RFC 9207 2.4 as MCP reads them, [`Refused::Authorization`] for an error of the server.
    pub fn validate(self, expected: Expected<'_>) -> Option<Result<Secret, Error>> {
        self.has_state(expected.state).then(|| {
            if let Some(name) = self.repeated {
                return Err(PeerMisbehaved::CallbackRepeated { name }.into());
            }
            self.check_issuer(expected)?;
            match (self.code, self.error) {
                (Some(code), None) if !code.is_empty() && code.expose().len() <= limits::CREDENTIAL => {
                    Ok(code)
                }
                (None, Some(error)) => Err(Refused::Authorization {
                    code: PeerText::without(&error, &[expected.state]),
                    description: self
                        .error_description
                        .map(|text| PeerText::without(&text, &[expected.state])),
                }
                .into()),
                _ => Err(PeerMisbehaved::CallbackIncomplete.into()),
            }
        })
    }

    /// RFC 9207 2.4. A present `iss` counts also when it was not promised; it is compared as text, with
    /// nothing normalized.
    fn check_issuer(&self, expected: Expected<'_>) -> Result<(), PeerMisbehaved> {
        match (expected.iss_parameter_supported, self.iss.as_deref()) {
            (_, Some(iss)) if expected.issuer.names(iss) => Ok(()),
            (_, Some(_)) => Err(PeerMisbehaved::IssMismatch),
            (true, None) => Err(PeerMisbehaved::IssMissing),
            (false, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Callback {
    /// Which parameters there are. Their text is not shown before the issuer is checked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("state", &self.state)
            .field("iss", &self.iss.is_some())
            .field("code", &self.code)
            .field("error", &self.error.is_some())
            .finish_non_exhaustive()
    }
}

/// The query of a URL, of a request target (`/callback?…`), or the text itself.
fn query_of(text: &str) -> String {
    if let Ok(url) = Url::parse(text) {
        return url.query().unwrap_or_default().to_owned();
    }
    let query = match text.split_once('?') {
        Some((path, query)) if path.is_empty() || path.starts_with('/') => query,
        _ => text,
    };
    query.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://as.example.com";

    fn validate(query: &str, promised: bool) -> Option<Result<Secret, Error>> {
        let (state, issuer) = (Secret::from("st"), Issuer::trusted(ISSUER));
        let expected = Expected { state: &state, issuer: &issuer, iss_parameter_supported: promised };
        Callback::read(query).unwrap().validate(expected)
    }

    fn misbehaved(error: PeerMisbehaved) -> Option<Result<Secret, Error>> {
        Some(Err(error.into()))
    }

    fn code() -> Option<Result<Secret, Error>> {
        Some(Ok(Secret::from("co de")))
    }

    #[test]
    fn rfc6749_4_1_2_code() {
        assert_eq!(validate("code=co+de&state=st&unknown=1&unknown=2", false), code());
        assert_eq!(validate("?code=co+de&state=st", false), code());
        assert_eq!(validate("code=co+de&state=st&x=https://h?y", false), code());
        assert_eq!(validate("http://127.0.0.1:1/callback?state=st&code=co%20de#x", false), code());
        assert_eq!(validate("/callback?state=st&code=co%20de", false), code());
    }

    #[test]
    fn rfc6749_10_12_other_state_is_no_answer() {
        for query in ["code=c", "code=c&state=", "code=c&state=s", "code=c&state=stt", "error=x&state=x", ""]
        {
            assert_eq!(validate(query, false), None, "{query}");
        }
    }

    #[test]
    fn rfc9207_2_4_row_1_promised_and_present() {
        assert_eq!(validate("code=co+de&state=st&iss=https%3A%2F%2Fas.example.com", true), code());
        assert_eq!(
            validate("code=c&state=st&iss=https://evil.example.com", true),
            misbehaved(PeerMisbehaved::IssMismatch)
        );
    }

    #[test]
    fn rfc9207_2_4_row_2_promised_and_absent() {
        assert_eq!(validate("code=c&state=st", true), misbehaved(PeerMisbehaved::IssMissing));
    }

    #[test]
    fn rfc9207_2_4_row_3_present_though_not_promised() {
        // go-sdk#1152.
        assert_eq!(validate("code=co+de&state=st&iss=https://as.example.com", false), code());
        assert_eq!(
            validate("code=c&state=st&iss=https://evil.example.com", false),
            misbehaved(PeerMisbehaved::IssMismatch)
        );
    }

    #[test]
    fn rfc9207_2_4_row_4_neither() {
        assert_eq!(validate("code=co+de&state=st", false), code());
    }

    #[test]
    fn rfc3986_6_2_1_no_normalization() {
        for iss in [
            "https://as.example.com/",
            "https://AS.example.com",
            "https://as.example.com:443",
            "HTTPS://as.example.com",
            "https://as.example.co%6D",
            "",
        ] {
            let query = format!("code=c&state=st&iss={}", form::encode(iss));
            assert_eq!(validate(&query, true), misbehaved(PeerMisbehaved::IssMismatch), "{iss}");
        }
    }

    #[test]
    fn errors_are_not_shown_before_iss_is_checked() {
        let query = "error=access_denied&error_description=call+0900&state=st";
        assert_eq!(
            validate(&format!("{query}&iss=https://evil"), true),
            misbehaved(PeerMisbehaved::IssMismatch)
        );
        assert_eq!(validate(query, true), misbehaved(PeerMisbehaved::IssMissing));
        assert_eq!(
            validate(&format!("{query}&iss=https://as.example.com"), true),
            Some(Err(Refused::Authorization {
                code: PeerText::new("access_denied"),
                description: Some(PeerText::new("call 0900"))
            }
            .into()))
        );
    }

    #[test]
    fn rfc6749_3_1_no_parameter_twice() {
        for name in ["iss", "code", "error", "error_description"] {
            let repeated = misbehaved(PeerMisbehaved::CallbackRepeated { name });
            assert_eq!(validate(&format!("state=st&{name}=a&x=y&{name}=a"), false), repeated);
        }
        assert_eq!(validate("code=a&state=st&state=st", false), None, "it is no answer to anything");
        assert_eq!(validate("code=a&state=st&state=x&state=st", false), None);
    }

    #[test]
    fn neither_code_nor_error_or_both() {
        for query in ["state=st", "state=st&code=", "state=st&code=c&error=e"] {
            assert_eq!(validate(query, false), misbehaved(PeerMisbehaved::CallbackIncomplete), "{query}");
        }
    }

    #[test]
    fn hostile_callbacks() {
        let syntax = PeerMisbehaved::CallbackSyntax;
        assert_eq!(Callback::read("code=%ff").unwrap_err(), syntax);
        assert_eq!(Callback::read(&"a=b&".repeat(limits::FORM_PARAMS + 1)).unwrap_err(), syntax);
        assert_eq!(
            Callback::read(&format!("code={}", "x".repeat(limits::CALLBACK_QUERY))).unwrap_err(),
            syntax
        );
        assert!(Callback::read("javascript:alert(1)").is_ok_and(|c| !c.has_state(&Secret::from("st"))));
    }

    #[test]
    fn debug_shows_no_text() {
        let query = "code=planted&state=planted&error=planted&error_description=planted&iss=planted";
        let callback = Callback::read(query).unwrap();
        assert!(!format!("{callback:?}").contains("planted"));
    }
}
