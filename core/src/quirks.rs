//! Known bends of the rules by real servers, each a named option, all off by default.

/// What to let a server get away with.
///
/// Every value weakens or changes one rule, and says which. Start from [`Quirks::none`] or a preset,
/// and set what the server at hand needs:
///
/// ```
/// use grantor::Quirks;
/// let mut quirks = Quirks::github();
/// quirks.any_content_type = true;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// Metadata and registration answers are read whatever their content type says (against RFC 9728
    /// 3.2, RFC 8414 3.2). For documents on static file hosts.
    pub any_content_type: bool,
    /// `client_secret_basic` without form-encoding id and secret first (against RFC 6749 2.3.1). For
    /// servers that compare the raw values.
    pub basic_unencoded: bool,
    /// Without any metadata, the endpoints are `/authorize`, `/token` and `/register` at the resource's
    /// origin (MCP 2025-03-26 "Fallbacks for Servers without Metadata Discovery"). On by itself for
    /// [`Revision::V2025_03_26`](crate::Revision::V2025_03_26).
    pub endpoint_fallback: bool,
    /// Token answers with status 200 that carry `error`, or `"ok": false`, are errors (against RFC 6749
    /// 5.2). For Slack.
    pub errors_with_status_200: bool,
    /// Token answers may be form-encoded (against RFC 6749 5.1). For GitHub.
    pub form_encoded_tokens: bool,
    /// Server metadata without `issuer` is read as if it named the one asked for (against RFC 8414 2).
    pub issuer_absent: bool,
    /// `issuer` may differ from the one asked for by a slash at the end (against RFC 8414 3.3). For
    /// Google.
    pub issuer_trailing_slash: bool,
    /// The token answer proper is in this member of the JSON, when there is one: `authed_user` for
    /// Slack.
    pub nested_token: Option<Box<str>>,
    /// Numbers may be written as strings (against RFC 6749 5.1).
    pub numbers_as_strings: bool,
    /// S256 is used though the metadata does not list it (against MCP "Authorization Code Protection").
    /// For Entra, which supports it and does not say so.
    pub pkce_unadvertised: bool,
    /// The resource metadata may name a resource that covers the requested one: same origin, a path
    /// above it (against RFC 9728 3.3, along draft-mcguinness-oauth-rfc9728bis).
    pub resource_covers: bool,
    /// What is sent as `resource`.
    pub resource_parameter: ResourceParameter,
    /// Scopes of a token answer may be a JSON array (against RFC 6749 5.1).
    pub scope_as_array: bool,
    /// Scopes of a token answer may be separated by commas (against RFC 6749 3.3).
    pub scope_with_commas: bool,
}

/// What is sent as the `resource` parameter (RFC 8707).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceParameter {
    /// Nothing (against MCP "Resource Parameter Implementation"). For Entra, which takes the audience
    /// from the scopes and refuses the parameter.
    Omit,
    /// Another value than the resource's own identifier.
    Override(Box<str>),
    /// The identifier of the resource, exactly as its metadata writes it.
    #[default]
    Send,
}

impl Quirks {
    /// No bends: every rule as it is written.
    pub fn none() -> Self {
        Self::default()
    }

    /// Microsoft Entra ID: no `resource`, S256 unadvertised.
    pub fn entra() -> Self {
        Self { pkce_unadvertised: true, resource_parameter: ResourceParameter::Omit, ..Self::none() }
    }

    /// GitHub: form-encoded token answers, scopes with commas.
    pub fn github() -> Self {
        Self { form_encoded_tokens: true, scope_with_commas: true, ..Self::none() }
    }

    /// Google: an issuer that some resources write with a slash at the end.
    pub fn google() -> Self {
        Self { issuer_trailing_slash: true, ..Self::none() }
    }

    /// Slack: errors with status 200, the user's token nested, scopes with commas.
    pub fn slack() -> Self {
        Self {
            errors_with_status_200: true,
            nested_token: Some("authed_user".into()),
            scope_with_commas: true,
            ..Self::none()
        }
    }
}
