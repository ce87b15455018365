//! Challenges: the `WWW-Authenticate` header (RFC 9110 11.6.1) and what OAuth says in it.
//!
//! The header is read by its grammar, in one pass. A comma separates challenges as well as parameters,
//! so what follows one is a parameter exactly when a name and `=` follow. What servers write otherwise is
//! read as far as it can mean one thing only ([`Challenges::parse_leniently`]).

mod parse;

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::PeerText;
use crate::limits;
use crate::scope::{ScopeError, ScopeSet};

/// The challenges of a response, in order.
///
/// ```
/// use grantor::wire::challenge::Challenges;
/// let challenges = Challenges::parse([r#"Basic realm="a, b", bearer scope="x y""#])?;
/// let bearer = challenges.bearer().expect("any case, any order");
/// assert_eq!(bearer.scope()?.expect("a scope").to_string(), "x y");
/// assert_eq!(Challenges::parse([challenges.to_string()])?, challenges);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenges(Vec<Challenge>);

/// One challenge: a scheme, and a token68 or parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: Box<str>,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Token68(Box<str>),
    Params(Vec<(Box<str>, Box<str>)>),
}

/// Why a header is not a list of challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeError {
    /// It breaks the grammar of RFC 9110 11.6.1 at this byte of the line.
    #[error("malformed challenge at byte {at} of line {line} (RFC 9110 section 11.6.1)")]
    Syntax {
        /// The header line, from 0.
        line: usize,
        /// The byte in that line, from 0.
        at: usize,
    },
    /// More bytes, challenges or parameters than [`limits`] allow.
    #[error("too large a challenge")]
    TooLarge,
}

impl Challenges {
    /// Reads header lines; several lines are one list, as RFC 9110 5.3 has it.
    ///
    /// # Errors
    /// [`ChallengeError`] for the first thing that breaks the grammar or a bound.
    pub fn parse<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Result<Self, ChallengeError> {
        let (challenges, error) = Self::parse_leniently(lines);
        error.map_or(Ok(challenges), Err)
    }

    /// Reads header lines and keeps what can be understood; also returns the first place that breaks the
    /// grammar, whether it was understood or not.
    ///
    /// Understood are values without quotes (`scope=files:read files:write`), in single quotes or in escaped
    /// ones; parameters that blanks or, behind a quoted value, a semicolon separate; and parameters without any
    /// scheme, which are taken for `Bearer`'s. Anything else costs the challenge that it stands in and what
    /// follows in its line, not the other lines.
    ///
    /// ```
    /// use grantor::wire::challenge::Challenges;
    /// let line = "Bearer error='invalid_token' resource_metadata=https://mcp.example.com/metadata";
    /// let (challenges, error) = Challenges::parse_leniently([line]);
    /// let bearer = challenges.bearer().expect("a challenge");
    /// assert_eq!(bearer.error(), Some("invalid_token"));
    /// assert_eq!(bearer.resource_metadata(), Some("https://mcp.example.com/metadata"));
    /// assert!(error.is_some() && Challenges::parse([line]).is_err());
    /// ```
    pub fn parse_leniently<L: AsRef<[u8]>>(
        lines: impl IntoIterator<Item = L>,
    ) -> (Self, Option<ChallengeError>) {
        parse::parse(lines)
    }

    /// Those of a response's headers, read leniently.
    pub fn of(headers: &HeaderMap) -> (Self, Option<ChallengeError>) {
        Self::parse_leniently(headers.get_all(WWW_AUTHENTICATE).iter().map(http::HeaderValue::as_bytes))
    }

    /// All challenges, also those of unknown schemes.
    pub fn iter(&self) -> impl Iterator<Item = &Challenge> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a challenge, for building a header.
    pub fn push(&mut self, challenge: Challenge) {
        self.0.push(challenge);
    }

    /// The `Bearer` challenge (RFC 6750 3) to act on: the first that says what is wrong, else the first that
    /// names its resource metadata, else the first. What it lacks is taken from the others, which are of the
    /// same resource.
    pub fn bearer(&self) -> Option<Bearer<'_>> {
        self.of_oauth(&["Bearer"])
    }

    /// The same of all challenges of OAuth, `Bearer` and `DPoP` (RFC 9449 7.1), which have the same parameters.
    pub fn oauth(&self) -> Option<Bearer<'_>> {
        self.of_oauth(&["Bearer", "DPoP"])
    }

    fn of_oauth(&self, schemes: &'static [&'static str]) -> Option<Bearer<'_>> {
        let all = || self.0.iter().filter(move |challenge| schemes.iter().any(|scheme| challenge.is(scheme)));
        let with = |name| all().find(|challenge| challenge.oauth_param(name).is_some());
        let acting = with("error").or_else(|| with("resource_metadata")).or_else(|| all().next())?;
        Some(Bearer { acting, all: &self.0, schemes })
    }

    /// The challenges in the `_meta` of a JSON-RPC result, such as a tool's: `mcp/www_authenticate`, a list of
    /// header values or one. Empty when there are none.
    ///
    /// ```
    /// use grantor::wire::challenge::Challenges;
    /// let body = r#"{"jsonrpc": "2.0", "id": 1, "result": {"isError": true, "content": [], "_meta": {
    ///     "mcp/www_authenticate": ["Bearer error=\"insufficient_scope\", scope=\"files:write\""]}}}"#;
    /// let challenges = Challenges::of_result(body.as_bytes())?;
    /// assert!(challenges.bearer().expect("a challenge").is_insufficient_scope());
    /// # Ok::<(), grantor::wire::challenge::ChallengeError>(())
    /// ```
    ///
    /// # Errors
    /// [`ChallengeError`] when nothing of it can be understood, or the bounds are broken.
    pub fn of_result(body: &[u8]) -> Result<Self, ChallengeError> {
        if body.len() > limits::RESULT_BODY {
            return Err(ChallengeError::TooLarge);
        }
        let answer: Answer<'_> = serde_json::from_slice(body).unwrap_or_default();
        let (challenges, error) =
            match answer.result.and_then(|result| result.meta).and_then(|meta| meta.challenges) {
                Some(Lines::One(line)) => Self::parse_leniently([&*line]),
                Some(Lines::Several(lines)) => {
                    let texts = lines.iter().filter_map(|line| match line {
                        Line::Text(text) => Some(text.as_bytes()),
                        Line::Other(_) => None,
                    });
                    Self::parse_leniently(texts)
                }
                None => return Ok(Self::default()),
            };
        match error {
            Some(error) if challenges.is_empty() => Err(error),
            _ => Ok(challenges),
        }
    }
}

/// A JSON-RPC answer, as far as challenges are in it.
#[derive(Default, Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Option<ResultWithMeta<'a>>,
}

#[derive(Deserialize)]
struct ResultWithMeta<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "mcp/www_authenticate")]
    challenges: Option<Lines<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lines<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Several(#[serde(borrow)] Vec<Line<'a>>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Other(IgnoredAny),
}

impl FromIterator<Challenge> for Challenges {
    fn from_iter<I: IntoIterator<Item = Challenge>>(challenges: I) -> Self {
        Self(challenges.into_iter().collect())
    }
}

impl fmt::Display for Challenges {
    /// The header's value: quoted strings throughout, so that parsing it gives the same challenges.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, challenge) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            challenge.fmt(f)?;
        }
        Ok(())
    }
}

impl Challenge {
    /// A challenge of this scheme, without parameters so far.
    ///
    /// # Errors
    /// [`NotAToken`] when the scheme is not a token of RFC 9110 5.6.2.
    pub fn new(scheme: &str) -> Result<Self, NotAToken> {
        token(scheme)?;
        Ok(Self { scheme: scheme.into(), content: Content::Params(Vec::new()) })
    }

    /// A challenge with a token68 instead of parameters.
    ///
    /// # Errors
    /// [`NotAToken`] when either breaks the grammar.
    pub fn with_token68(scheme: &str, token68: &str) -> Result<Self, NotAToken> {
        let body = token68.trim_end_matches('=');
        if body.is_empty() || !body.bytes().all(parse::is_token68_char) {
            return Err(NotAToken);
        }
        Ok(Self { content: Content::Token68(token68.into()), ..Self::new(scheme)? })
    }

    /// Adds a parameter. One with the same name stays beside it.
    ///
    /// # Errors
    /// [`NotAToken`] when the name is no token, the value has control characters, or the challenge holds
    /// a token68.
    pub fn param(mut self, name: &str, value: &str) -> Result<Self, NotAToken> {
        token(name)?;
        let Content::Params(params) = &mut self.content else { return Err(NotAToken) };
        if value.bytes().any(|byte| byte != b'\t' && (byte < 0x20 || byte == 0x7f)) {
            return Err(NotAToken);
        }
        params.push((name.into(), value.into()));
        Ok(self)
    }

    /// The scheme as the peer wrote it; compare with [`is`](Self::is).
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the scheme is `scheme`, in any case (RFC 9110 11.1).
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The token68, when the challenge has one.
    pub fn token68(&self) -> Option<&str> {
        match &self.content {
            Content::Token68(token) => Some(token),
            Content::Params(_) => None,
        }
    }

    /// All parameters in order, also repeated and unknown ones.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        let params = match &self.content {
            Content::Token68(_) => &[][..],
            Content::Params(params) => params,
        };
        params.iter().map(|(name, value)| (&**name, &**value))
    }

    /// A parameter of OAuth. None of them is ever meant to have single quotes around it, or to be empty.
    fn oauth_param(&self, name: &str) -> Option<&str> {
        let value = self.get(name)?;
        let unquoted = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        Some(unquoted.unwrap_or(value)).filter(|value| !value.is_empty())
    }

    /// The value of the parameter `name`, in any case. `None` also when it is there several times with
    /// different values: RFC 9110 11.2 allows each name once, and choosing would be guessing.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.params().filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        let first = values.next()?;
        values.all(|other| other == first).then_some(first)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        match &self.content {
            Content::Token68(token) => write!(f, " {token}"),
            Content::Params(params) => {
                for (index, (name, value)) in params.iter().enumerate() {
                    f.write_str(if index == 0 { " " } else { ", " })?;
                    write!(f, "{name}=\"")?;
                    for c in value.chars() {
                        if matches!(c, '"' | '\\') {
                            f.write_char('\\')?;
                        }
                        f.write_char(c)?;
                    }
                    f.write_char('"')?;
                }
                Ok(())
            }
        }
    }
}

/// A text that the grammar does not allow where it was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not allowed there by RFC 9110 section 11.6.1")]
pub struct NotAToken;

fn token(text: &str) -> Result<(), NotAToken> {
    if !text.is_empty() && text.bytes().all(parse::is_token_char) { Ok(()) } else { Err(NotAToken) }
}

/// A challenge as OAuth reads it (RFC 6750 3, RFC 9728 5.1), completed by the others of the response.
#[derive(Clone, Copy, Debug)]
pub struct Bearer<'a> {
    acting: &'a Challenge,
    all: &'a [Challenge],
    schemes: &'static [&'static str],
}

impl<'a> Bearer<'a> {
    /// The challenge to act on, as it stands there.
    pub fn challenge(&self) -> &'a Challenge {
        self.acting
    }

    /// A parameter: of the challenge itself, or of the first other one that has it.
    fn get(&self, name: &str) -> Option<&'a str> {
        if self.acting.params().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
            return self.acting.oauth_param(name);
        }
        let mut others = self.all.iter().filter(|other| self.schemes.iter().any(|scheme| other.is(scheme)));
        others.find_map(|other| other.oauth_param(name))
    }

    /// `error`, such as `invalid_token` or `insufficient_scope` (RFC 6750 3.1).
    pub fn error(&self) -> Option<&'a str> {
        self.get("error")
    }

    /// `error_description`, made safe to show.
    pub fn error_description(&self) -> Option<PeerText> {
        self.get("error_description").map(PeerText::new)
    }

    /// `resource_metadata`: where the resource's metadata is (RFC 9728 5.1).
    pub fn resource_metadata(&self) -> Option<&'a str> {
        self.get("resource_metadata").filter(|url| url.len() <= limits::URL)
    }

    /// `scope`: what the request needs. `None` when there is no such parameter, or an empty one.
    ///
    /// # Errors
    /// [`ScopeError`] when it is malformed or too long.
    pub fn scope(&self) -> Result<Option<ScopeSet>, ScopeError> {
        let scope = self.get("scope").map(ScopeSet::parse).transpose()?;
        Ok(scope.filter(|set| !set.is_empty()))
    }

    /// Those of `scope` that are well-formed, and whether that is all of them.
    pub(crate) fn readable_scope(&self) -> (ScopeSet, bool) {
        ScopeSet::readable(self.get("scope").unwrap_or_default())
    }

    /// `acr_values`: how the user is to prove themselves (RFC 9470 3).
    pub fn acr_values(&self) -> Option<&'a str> {
        self.get("acr_values").filter(|values| values.len() <= limits::STRING)
    }

    /// `max_age`: how long ago the user may have proved themselves, in seconds (RFC 9470 3).
    pub fn max_age_s(&self) -> Option<u64> {
        self.get("max_age").and_then(|age| age.parse().ok())
    }

    /// Whether the token lacks scope, rather than being wrong altogether (RFC 6750 3.1).
    pub fn is_insufficient_scope(&self) -> bool {
        self.error() == Some("insufficient_scope")
    }
}

#[cfg(test)]
mod tests;
