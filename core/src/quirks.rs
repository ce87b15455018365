//! Known bends of the rules by real servers, each a named option, all off by default.

/// What to let a server get away with.
///
/// Every value weakens or changes one rule, and says which. Start from [`Quirks::none`] or a preset,
/// and set what the server at hand needs:
///
/// ```
/// use grantor::Quirks;
/// let mut quirks = Quirks::github();
/// quirks.issuer_absent = true;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// Names of token types that mean Bearer (against RFC 6749 7.1): `user` and `bot` for Slack. Such tokens are
    /// sent as Bearer tokens all the same.
    pub bearer_names: Vec<Box<str>>,
    /// `client_secret_basic` without form-encoding id and secret first (against RFC 6749 2.3.1). For
    /// servers that compare the raw values.
    pub basic_unencoded: bool,
    /// Without any metadata, the endpoints are `/authorize`, `/token` and `/register` at the resource's
    /// origin (MCP 2025-03-26 "Fallbacks for Servers without Metadata Discovery"). On by itself for
    /// [`Revision::V2025_03_26`](crate::Revision::V2025_03_26).
    pub endpoint_fallback: bool,
    /// Token answers with status 200 that carry `error` beside a token, or `"ok": false`, are errors (against RFC
    /// 6749 5.2); those with `error` and no token are in any case. For Slack and GitHub.
    pub errors_with_status_200: bool,
    /// Server metadata without `issuer` is read as if it named the one asked for (against RFC 8414 2).
    pub issuer_absent: bool,
    /// `issuer` may differ from the one asked for by a slash at the end (against RFC 8414 3.3). For
    /// Google.
    pub issuer_trailing_slash: bool,
    /// The token answer proper is in this member of the JSON, when that has an `access_token`: `authed_user`
    /// for Slack.
    pub nested_token: Option<Box<str>>,
    /// S256 is used though the metadata does not list it (against MCP "Authorization Code Protection").
    /// For Entra, which supports it and does not say so.
    pub pkce_unadvertised: bool,
    /// The resource metadata may name the requested resource with or without a slash at its end (against RFC
    /// 9728 3.3). For GitHub.
    pub resource_trailing_slash: bool,
    /// The resource metadata may name a resource that covers the requested one: same origin, a path
    /// above it (against RFC 9728 3.3, along draft-mcguinness-oauth-rfc9728bis).
    pub resource_covers: bool,
    /// What is sent as `resource`.
    pub resource_parameter: ResourceParameter,
    /// Scopes of a token answer may be separated by commas (against RFC 6749 3.3).
    pub scope_with_commas: bool,
    /// A token answer without `token_type` brings a Bearer token (against RFC 6749 5.1).
    pub token_type_absent: bool,
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

    /// Auth0, for clients: an issuer that ends with a slash, while many resources name it without.
    ///
    /// Unless the tenant has the Resource Parameter Compatibility Profile, the resource is said with
    /// [`authorization_parameter("audience", …)`](crate::client::Config::authorization_parameter), too.
    pub fn auth0() -> Self {
        Self { issuer_trailing_slash: true, ..Self::none() }
    }

    /// Amazon Cognito: S256 unadvertised.
    pub fn cognito() -> Self {
        Self { pkce_unadvertised: true, ..Self::none() }
    }

    /// Microsoft Entra ID: no `resource`, S256 unadvertised.
    pub fn entra() -> Self {
        Self { pkce_unadvertised: true, resource_parameter: ResourceParameter::Omit, ..Self::none() }
    }

    /// GitHub: errors with status 200, scopes with commas, slashes at the end of issuer and resource.
    pub fn github() -> Self {
        Self {
            errors_with_status_200: true,
            issuer_trailing_slash: true,
            resource_trailing_slash: true,
            scope_with_commas: true,
            ..Self::none()
        }
    }

    /// Google: an issuer that resources write with a slash at the end.
    ///
    /// Refresh tokens come with
    /// [`authorization_parameter("access_type", "offline")`](crate::client::Config::authorization_parameter).
    pub fn google() -> Self {
        Self { issuer_trailing_slash: true, ..Self::none() }
    }

    /// Slack, for a user's token: errors with status 200, token types by names of its own, and the token in
    /// `authed_user` where it is installed together with a bot (`oauth.v2.access`); at the top with
    /// `oauth.v2.user.access`, which Slack's own MCP server uses, and when it is renewed.
    pub fn slack() -> Self {
        Self { nested_token: Some("authed_user".into()), ..Self::slack_bot() }
    }

    /// Slack, for the token of a bot: as [`slack`](Self::slack), with the token that is at the top.
    pub fn slack_bot() -> Self {
        Self {
            bearer_names: ["user", "bot"].map(Into::into).to_vec(),
            errors_with_status_200: true,
            issuer_trailing_slash: true,
            scope_with_commas: true,
            token_type_absent: true,
            ..Self::none()
        }
    }
}
