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

use std::borrow::Cow;
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
    /// Whether a value that is read is not UTF-8.
    garbled: bool,
}

/// A request that reached the redirect URI, with what tells how it came.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Returned<'a> {
    /// Its target, such as `/callback?code=…`, or its URL; of a form post the target, `?` and the body.
    pub target: &'a str,
    /// Its `Sec-Fetch-Mode` header.
    pub fetch_mode: Option<&'a str>,
    /// Its `Sec-Fetch-Dest` header.
    pub fetch_dest: Option<&'a str>,
}

impl<'a> Returned<'a> {
    /// A request to this target, of which nothing else is known.
    pub const fn to(target: &'a str) -> Self {
        Self { target, fetch_mode: None, fetch_dest: None }
    }

    /// Whether the user's browser went there, visibly and as a whole. Browsers write these headers themselves: a
    /// page cannot, and reaches the redirect URI unseen only by requests for its parts (Fetch Metadata).
    fn is_navigation(&self) -> bool {
        self.fetch_mode == Some("navigate") && self.fetch_dest == Some("document")
    }
}

/// What a request to the redirect URI is to an authorization that waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arrival {
    /// The answer.
    Answer,
    /// Nothing that an answer has. Some servers put it behind a `#`, where only the browser sees it.
    Empty,
    /// Another authorization's, an old page's, or a guess.
    OtherState,
    /// A code or an error without `state`, which the user's browser brought: the server has lost it, or refuses
    /// by its own rules. It ends the wait, since nothing better will come.
    Refusal,
    /// A code or an error without `state`, which may be anybody's on this machine: it ends nothing.
    WithoutState,
    /// Not to be read.
    Unreadable,
}

impl Arrival {
    /// Judges a request by the `state` that was sent.
    pub(crate) fn of(returned: Returned<'_>, state: &Secret) -> Self {
        let Ok(callback) = Callback::read_answer(returned.target) else { return Self::Unreadable };
        match &callback.state {
            Some(own) if own == state => Self::Answer,
            Some(_) => Self::OtherState,
            None if callback.repeated == Some("state") => Self::OtherState,
            None if callback.code.is_none() && callback.error.is_none() => Self::Empty,
            None if returned.is_navigation() => Self::Refusal,
            None => Self::WithoutState,
        }
    }
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
    /// Where the query has no `state`, what stands behind a `#` is read, and what was put to the path without a
    /// question mark: some servers do so, and it is the `state` that tells whether it is an answer.
    ///
    /// # Errors
    /// [`PeerMisbehaved::CallbackSyntax`] when it is too large or malformed.
    pub fn read(url_or_query: &str) -> Result<Self, PeerMisbehaved> {
        let callback = Self::read_answer(url_or_query)?;
        if callback.garbled { Err(PeerMisbehaved::CallbackSyntax) } else { Ok(callback) }
    }

    /// As [`read`](Self::read), but with the right `state` a garbled value is for [`validate`](Self::validate) to
    /// refuse: nothing better will come.
    pub(crate) fn read_answer(text: &str) -> Result<Self, PeerMisbehaved> {
        if text.len() > limits::CALLBACK_QUERY + limits::URL {
            return Err(PeerMisbehaved::CallbackSyntax);
        }
        let places = places_of(text);
        let mut callback = Self::read_form(places.query)?;
        for elsewhere in [places.fragment, places.path] {
            if callback.state.is_none()
                && callback.repeated.is_none()
                && let Ok(found) = Self::read_form(elsewhere)
                && found.state.is_some()
            {
                callback = found;
            }
        }
        if callback.garbled && callback.state.is_none() {
            return Err(PeerMisbehaved::CallbackSyntax);
        }
        Ok(callback)
    }

    fn read_form(form: &str) -> Result<Self, PeerMisbehaved> {
        if form.len() > limits::CALLBACK_QUERY {
            return Err(PeerMisbehaved::CallbackSyntax);
        }
        let mut callback = Self {
            state: None,
            iss: None,
            code: None,
            error: None,
            error_description: None,
            repeated: None,
            garbled: false,
        };
        for (name, value) in form::pairs(form).map_err(|_| PeerMisbehaved::CallbackSyntax)? {
            // RFC 6749 4.1.2: unrecognized parameters are ignored, whatever is in them.
            let Some(name) = form::decode(name).ok().filter(|name| is_read(name)) else { continue };
            // Nothing hangs on the words but the words.
            if name == "error_description" {
                callback.error_description = Some(form::decode_lossy(value)).filter(|text| !text.is_empty());
                continue;
            }
            // What cannot be read is an answer all the same, if the `state` is right.
            let Ok(value) = form::decode(value).map(Cow::into_owned) else {
                callback.garbled = true;
                continue;
            };
            // An empty parameter is none (RFC 6749 3.1), but an empty `iss` is no issuer.
            if value.is_empty() && name != "iss" {
                continue;
            }
            let repeated = match &*name {
                "state" => callback.state.replace(Secret::from(value)).map(|_| "state"),
                "iss" => callback.iss.replace(value).map(|_| "iss"),
                "code" => callback.code.replace(Secret::from(value)).map(|_| "code"),
                "error" => callback.error.replace(value).map(|_| "error"),
                _ => None,
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

    /// What it means to an authorization that it brings no `state` for, as far as that may be told: a text of it
    /// is not, since it may be anybody's.
    pub(crate) fn without_state(&self) -> Option<PeerMisbehaved> {
        let said = self.code.is_some() || self.error.is_some();
        if self.state.is_some() || self.repeated == Some("state") || !said {
            return None;
        }
        let error = self.error.as_deref();
        let error = CODES.iter().find(|code| error == Some(**code)).copied();
        Some(PeerMisbehaved::StateMissing { error })
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
            if self.garbled {
                return Err(PeerMisbehaved::CallbackSyntax.into());
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

impl fmt::Debug for Returned<'_> {
    /// How it came. The target holds the code and the state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned").field("is_navigation", &self.is_navigation()).finish_non_exhaustive()
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

fn is_read(name: &str) -> bool {
    matches!(name, "code" | "error" | "error_description" | "iss" | "state")
}

/// The codes of RFC 6749 4.1.2.1 and `OpenID` Connect Core 3.1.2.6.
const CODES: [&str; 11] = [
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_request",
    "invalid_scope",
    "login_required",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_response_type",
];

/// Where in a URL parameters can stand.
struct Places<'a> {
    query: &'a str,
    fragment: &'a str,
    path: &'a str,
}

/// The places of a URL, of a request target (`/callback?…`); or the text itself as the query.
fn places_of(text: &str) -> Places<'_> {
    // What stands before the query decides whether it is a URL; most begin like one.
    let beginning = || text.split(['?', '#']).next().unwrap_or_default();
    let is_web = text.starts_with("http://") || text.starts_with("https://");
    let is_target = text.starts_with(['/', '?', '#']) || is_web || Url::parse(beginning()).is_ok();
    if !is_target {
        return Places { query: text, fragment: "", path: "" };
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let parameters = ["state=", "code=", "error="];
    let starts = parameters.iter().filter_map(|name| {
        let at = path.find(name)?;
        path.get(..at)?.ends_with(['&', ';', '/']).then_some(at)
    });
    let path = starts.min().and_then(|at| path.get(at..)).unwrap_or_default();
    Places { query, fragment, path }
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
        for name in ["iss", "code", "error"] {
            let repeated = misbehaved(PeerMisbehaved::CallbackRepeated { name });
            assert_eq!(validate(&format!("state=st&{name}=a&x=y&{name}=a"), false), repeated);
        }
        assert_eq!(validate("code=a&state=st&state=st", false), None, "it is no answer to anything");
        assert_eq!(validate("code=a&state=st&state=x&state=st", false), None);
    }

    #[test]
    fn rfc6749_3_1_parameters_without_a_value_count_as_left_out() {
        for query in [
            "code=co+de&error=&state=st",
            "error=&code=co+de&error_description=&state=st",
            "code=co+de&state=st&error&error_description",
            "code=&code=co+de&state=st",
        ] {
            assert_eq!(validate(query, false), code(), "{query}");
        }
        let refused =
            Some(Err(
                Refused::Authorization { code: PeerText::new("access_denied"), description: None }.into()
            ));
        assert_eq!(validate("code=&error=access_denied&error_description=&state=st", false), refused);
        // The issuer is compared as it is: an empty one is another one.
        assert_eq!(validate("code=c&state=st&iss=", false), misbehaved(PeerMisbehaved::IssMismatch));
        assert_eq!(validate("code=c&state=", false), None);
    }

    #[test]
    fn what_nobody_needs_is_not_decoded() {
        for query in
            ["code=co+de&state=st&x=%ff", "code=co+de&state=st&%ff=x", "x=%ff&x=%ff&code=co+de&state=st"]
        {
            assert_eq!(validate(query, false), code(), "{query}");
        }
        let denied = "error=access_denied&error_description=abgelehnt:+%fc&error_description=twice&state=st";
        let Some(Err(Error::Refused(Refused::Authorization { code, description }))) = validate(denied, false)
        else {
            panic!()
        };
        assert_eq!((code, description.unwrap()), (PeerText::new("access_denied"), PeerText::new("twice")));
        for query in ["code=%ff&state=st", "error=%ff&state=st", "state=%ff", "iss=%ff&state=st"] {
            assert_eq!(Callback::read(query).unwrap_err(), PeerMisbehaved::CallbackSyntax, "{query}");
        }
    }

    #[test]
    fn neither_code_nor_error_or_both() {
        for query in ["state=st", "state=st&code=", "state=st&code=c&error=e"] {
            assert_eq!(validate(query, false), misbehaved(PeerMisbehaved::CallbackIncomplete), "{query}");
        }
    }

    #[test]
    fn an_empty_parameter_is_none() {
        assert_eq!(validate("code=co+de&error=&state=st&error_description=", false), code());
        let refused = Refused::Authorization { code: PeerText::new("access_denied"), description: None };
        assert_eq!(validate("error=access_denied&code=&state=st", false), Some(Err(refused.into())));
        assert_eq!(validate("code=co+de&state=st&iss=", false), misbehaved(PeerMisbehaved::IssMismatch));
    }

    #[test]
    fn unusual_places_are_read_by_the_state_that_stands_there() {
        for text in [
            "http://127.0.0.1:1/callback#code=co%20de&state=st",
            "/callback#state=st&code=co%20de",
            "/callback?session=1#state=st&code=co%20de",
            "/callback&code=co%20de&state=st",
            "/callback/code=co%20de&state=st",
            "/callback;state=st&code=co%20de",
            "http://127.0.0.1:1/callback&state=st&code=co%20de",
            "/callback?code=co%20de&state=st#code=other&state=other",
            "/callback/state=other&code=other?code=co%20de&state=st",
        ] {
            assert_eq!(validate(text, false), code(), "{text}");
        }
        for text in [
            "/callback?code=a#state=st",
            "/callback?state=st&state=st#state=st&code=a",
            "/callback?state=other&code=a#state=st&code=a",
            "/callback/xcode=a&state=st",
            "/callback/state=st/code=a",
        ] {
            let read = validate(text, false);
            assert!(!matches!(read, Some(Ok(_))), "{text}: places are not mixed");
        }
    }

    #[test]
    fn rfc6749_10_12_only_the_users_own_navigation_ends_a_wait_without_state() {
        let state = Secret::from("st");
        let judge =
            |target, mode, dest| Arrival::of(Returned { target, fetch_mode: mode, fetch_dest: dest }, &state);
        let navigated = |target| judge(target, Some("navigate"), Some("document"));
        for target in ["/callback?error=access_denied", "/callback?code=c", "/callback?error=x&state="] {
            assert_eq!(navigated(target), Arrival::Refusal, "{target}");
            // A program without such headers, an image of a page, a frame, a script.
            for (mode, dest) in [
                (None, None),
                (Some("no-cors"), Some("image")),
                (Some("navigate"), Some("iframe")),
                (Some("cors"), Some("empty")),
                (Some("navigate"), None),
            ] {
                assert_eq!(judge(target, mode, dest), Arrival::WithoutState, "{target} {mode:?} {dest:?}");
            }
        }
        assert_eq!(navigated("/callback?error=access_denied&state=st"), Arrival::Answer);
        assert_eq!(judge("/callback?code=c&state=st", None, None), Arrival::Answer);
        for other in ["/callback?code=c&state=guess", "/callback?error=x&state=st&state=st"] {
            assert_eq!(navigated(other), Arrival::OtherState, "{other}");
        }
        for empty in ["/callback", "/callback?", "/callback?x=y", "/favicon.ico"] {
            assert_eq!(navigated(empty), Arrival::Empty, "{empty}");
        }
        assert_eq!(navigated("/callback?code=%ff"), Arrival::Unreadable);
    }

    #[test]
    fn what_comes_without_state_is_told_by_known_codes_alone() {
        let missing = |query| Callback::read(query).unwrap().without_state();
        let known = PeerMisbehaved::StateMissing { error: Some("access_denied") };
        assert_eq!(missing("error=access_denied&error_description=call+0900"), Some(known));
        let none = Some(PeerMisbehaved::StateMissing { error: None });
        assert_eq!(missing("error=call_0900"), none);
        assert_eq!(missing("code=c"), none);
        assert_eq!(missing("code=c&state=x"), None);
        assert_eq!(missing("x=y"), None);
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
        let target = format!("/callback?{query}");
        for (mode, dest) in
            [(None, None), (Some("navigate"), Some("document")), (Some("planted"), Some("planted"))]
        {
            let returned = Returned { target: &target, fetch_mode: mode, fetch_dest: dest };
            assert!(!format!("{returned:?} {returned:#?}").contains("planted"), "{mode:?}");
        }
    }
}
