//! The authorization endpoint (RFC 6749 4.1.1, RFC 7636 4.3, RFC 8707 2, RFC 9207, OAuth 2.1 4.1.1).

use std::fmt;

use url::Url;

use super::error::{ErrorCode, OAuthError};
use super::parameters::RequestParameters;
use super::redirect_uri::is_registered;
use crate::limits;
use crate::scope::ScopeSet;

/// The parameters of an authorization request, before anybody knows where an error may be sent.
///
/// They are read in steps. Until client and redirect URI are known to be good, errors are shown to the user and never
/// sent on (RFC 6749 4.1.2.1).
#[derive(Debug)]
pub struct AuthorizationParameters(RequestParameters);

const fn bad(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, description)
}

impl AuthorizationParameters {
    /// Reads a query, or the form of a POST.
    ///
    /// # Errors
    /// To be shown: what cannot be read.
    pub fn read(text: &str) -> Result<Self, OAuthError> {
        RequestParameters::read(text).map(Self)
    }

    /// Those that were pushed before (RFC 9126).
    pub(in crate::server) fn of(parameters: RequestParameters) -> Self {
        Self(parameters)
    }

    pub(in crate::server) fn all(&self) -> &RequestParameters {
        &self.0
    }

    /// The client.
    ///
    /// # Errors
    /// To be shown: it is missing or repeated.
    pub fn client_id(&self) -> Result<&str, OAuthError> {
        let client_id = self.0.get("client_id")?.filter(|client_id| client_id.len() <= limits::URL);
        client_id.ok_or(bad("the client_id is missing"))
    }

    /// `request_uri`: the request was pushed before (RFC 9126 4).
    ///
    /// # Errors
    /// To be shown: it is repeated.
    pub fn request_uri(&self) -> Result<Option<&str>, OAuthError> {
        self.0.get("request_uri")
    }

    /// Where the browser goes back to. A client with one redirect URI may leave the parameter out.
    ///
    /// # Errors
    /// To be shown: it is missing, repeated, or none of those registered.
    pub fn redirect_uri<'a>(
        &self,
        registered: impl IntoIterator<Item = &'a str>,
    ) -> Result<String, OAuthError> {
        let registered: Vec<&str> = registered.into_iter().collect();
        match (self.0.get("redirect_uri")?, &*registered) {
            (Some(uri), _) if is_registered(uri, registered.iter().copied()) => Ok(uri.to_owned()),
            (Some(_), _) => Err(bad("the redirect_uri is none of those that the client registered")),
            (None, [only]) => Ok((*only).to_owned()),
            (None, _) => Err(bad("the redirect_uri is missing")),
        }
    }

    /// All else. OAuth 2.1 demands PKCE of every client, here with S256.
    ///
    /// # Errors
    /// To be sent to the redirect URI.
    pub fn request(&self) -> Result<AuthorizationRequest<'_>, OAuthError> {
        self.0.check()?;
        if self.0.pairs().map(|(name, value)| name.len() + value.len()).sum::<usize>()
            > limits::AUTHORIZATION_REQUEST
        {
            return Err(bad("the request is larger than 16 KiB"));
        }
        if self.0.get("request")?.is_some() {
            return Err(bad("request objects are not supported; push the request instead"));
        }
        match self.0.get("response_type")? {
            Some("code") => {}
            Some(_) => {
                let description = "the only response_type is code";
                return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, description));
            }
            None => return Err(bad("the response_type is missing")),
        }
        if self.response_mode().is_none() {
            return Err(bad("the response_mode is neither query nor fragment"));
        }
        let code_challenge =
            self.0.get("code_challenge")?.ok_or(bad("the code_challenge is missing (PKCE)"))?;
        // OAuth 2.1 4.1.1: without a method it is "plain", which shows the verifier to whoever sees the request.
        if self.0.get("code_challenge_method")? != Some("S256") {
            return Err(bad("the code_challenge_method is not S256"));
        }
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if code_challenge.len() != 43 || !code_challenge.bytes().all(is_base64url) {
            return Err(bad("the code_challenge is no SHA-256 hash in base64url"));
        }
        let scope = scope(&self.0)?;
        let prompts = self.0.get("prompt")?.map_or(Ok(Vec::new()), Prompt::read)?;
        let max_age_s = self.0.get("max_age")?.map(str::parse).transpose();
        Ok(AuthorizationRequest {
            scope,
            code_challenge,
            resources: resources(&self.0)?,
            prompts,
            max_age_s: max_age_s.map_err(|_| bad("the max_age is no number of seconds"))?,
            acr_values: self
                .0
                .get("acr_values")?
                .unwrap_or_default()
                .split(' ')
                .filter(|v| !v.is_empty())
                .collect(),
            login_hint: self.0.get("login_hint")?.filter(|hint| hint.len() <= limits::STRING),
            nonce: self.0.get("nonce")?.filter(|nonce| nonce.len() <= limits::STRING),
            dpop_jkt: self.0.get("dpop_jkt")?.filter(|jkt| jkt.len() <= 64),
            state: self.state(),
        })
    }

    fn state(&self) -> Option<&str> {
        self.0.all("state").next()
    }

    fn response_mode(&self) -> Option<ResponseMode> {
        match self.0.all("response_mode").next() {
            None | Some("query") => Some(ResponseMode::Query),
            Some("fragment") => Some(ResponseMode::Fragment),
            Some(_) => None,
        }
    }
}

/// `scope`; empty when it was left out.
pub(super) fn scope(parameters: &RequestParameters) -> Result<ScopeSet, OAuthError> {
    let text = parameters.get("scope")?.unwrap_or_default();
    ScopeSet::parse(text)
        .map_err(|_| OAuthError::new(ErrorCode::InvalidScope, "the scope is malformed or too long"))
}

/// `resource`, as often as it is there: absolute URIs without fragment (RFC 8707 2).
pub(super) fn resources(parameters: &RequestParameters) -> Result<Vec<&str>, OAuthError> {
    let invalid = |description| OAuthError::new(ErrorCode::InvalidTarget, description);
    let resources: Vec<&str> = parameters.all("resource").collect();
    if resources.len() > limits::RESOURCES {
        return Err(invalid("there are too many resources"));
    }
    let is_resource =
        |text: &&str| text.len() <= limits::URL && Url::parse(text).is_ok_and(|url| url.fragment().is_none());
    if resources.iter().all(is_resource) {
        Ok(resources)
    } else {
        Err(invalid("a resource is no absolute URI without fragment (RFC 8707 section 2)"))
    }
}

/// An authorization request that can be answered.
#[derive(Clone)]
#[non_exhaustive]
pub struct AuthorizationRequest<'a> {
    /// `scope`; empty when it was left out.
    pub scope: ScopeSet,
    /// `code_challenge`, by S256.
    pub code_challenge: &'a str,
    /// `resource`.
    pub resources: Vec<&'a str>,
    /// `prompt`.
    pub prompts: Vec<Prompt>,
    /// `max_age` in seconds.
    pub max_age_s: Option<u64>,
    /// `acr_values`.
    pub acr_values: Vec<&'a str>,
    /// `login_hint`.
    pub login_hint: Option<&'a str>,
    /// `nonce`, of an ID token.
    pub nonce: Option<&'a str>,
    /// `dpop_jkt`: the key that the code is for (RFC 9449 10).
    pub dpop_jkt: Option<&'a str>,
    /// `state`.
    pub state: Option<&'a str>,
}

impl fmt::Debug for AuthorizationRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("scope", &self.scope)
            .field("resources", &self.resources)
            .finish_non_exhaustive()
    }
}

/// What the client wants the user to be asked (`OpenID` Connect Core 3.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// Nothing: answer at once, or with an error.
    None,
    /// To sign in, be they signed in or not.
    Login,
    /// To consent, have they consented or not.
    Consent,
    /// Which account.
    SelectAccount,
}

impl Prompt {
    fn read(text: &str) -> Result<Vec<Self>, OAuthError> {
        let prompts: Vec<Self> = text
            .split(' ')
            .filter_map(|prompt| match prompt {
                "none" => Some(Self::None),
                "login" => Some(Self::Login),
                "consent" => Some(Self::Consent),
                "select_account" => Some(Self::SelectAccount),
                _ => None, // of other specifications
            })
            .collect();
        if prompts.contains(&Self::None) && prompts.len() > 1 {
            return Err(bad("the prompt none stands alone"));
        }
        Ok(prompts)
    }
}

/// Where the parameters of the response go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseMode {
    /// Into the query of the redirect URI.
    Query,
    /// Into its fragment.
    Fragment,
}

/// An answer by way of the browser (RFC 6749 4.1.2, RFC 9207).
#[derive(Clone)]
pub struct AuthorizationResponse {
    redirect_uri: String,
    mode: ResponseMode,
    state: Option<String>,
    issuer: String,
}

impl AuthorizationResponse {
    /// To a redirect URI that was checked. A repeated `state` goes back as it came first.
    pub fn new(redirect_uri: &str, parameters: &AuthorizationParameters, issuer: &str) -> Self {
        Self {
            redirect_uri: redirect_uri.into(),
            mode: parameters.response_mode().unwrap_or(ResponseMode::Query),
            state: parameters.state().map(Into::into),
            issuer: issuer.into(),
        }
    }

    /// The URL that carries the code.
    pub fn code(&self, code: &str) -> String {
        self.url(&[("code", Some(code))])
    }

    /// The URL that carries an error.
    pub fn error(&self, error: &OAuthError) -> String {
        self.error_with(error, None)
    }

    pub(in crate::server) fn error_with(&self, error: &OAuthError, error_uri: Option<&str>) -> String {
        self.url(&[
            ("error", Some(error.code.name())),
            ("error_description", Some(error.description)),
            ("error_uri", error_uri),
        ])
    }

    fn url(&self, parameters: &[(&str, Option<&str>)]) -> String {
        // As text: a URL that was read and written again may not be the one that was registered.
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        if let Some(state) = &self.state {
            form.append_pair("state", state);
        }
        form.append_pair("iss", &self.issuer);
        let separator = match self.mode {
            ResponseMode::Fragment => '#',
            ResponseMode::Query if !self.redirect_uri.contains('?') => '?',
            ResponseMode::Query if self.redirect_uri.ends_with(['?', '&']) => {
                return format!("{}{}", self.redirect_uri, form.finish());
            }
            ResponseMode::Query => '&',
        };
        format!("{}{separator}{}", self.redirect_uri, form.finish())
    }
}

/// Without `state`.
impl fmt::Debug for AuthorizationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationResponse")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}
