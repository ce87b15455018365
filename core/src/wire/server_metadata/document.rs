//! The document as it is written, and what it has to say.

use serde::Deserialize;

use super::{EXCHANGE, Issuer, Rules, ServerMetadata};
use crate::error::{Error, PeerIncompatible, PeerMisbehaved, PeerText};
use crate::quirks::Quirks;
use crate::scope::ScopeSet;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::json;
use crate::wire::token::GrantType;

#[derive(Deserialize)]
pub(super) struct Document {
    pub(super) issuer: Option<String>,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    pushed_authorization_request_endpoint: Option<String>,
    require_pushed_authorization_requests: Option<bool>,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    jwks_uri: Option<String>,
    scopes_supported: Option<Vec<String>>,
    response_types_supported: Option<Vec<String>>,
    grant_types_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    dpop_signing_alg_values_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
    client_id_metadata_document_supported: Option<bool>,
}

impl Document {
    pub(super) fn validate(self, asked: &Issuer, rules: Rules<'_>) -> Result<ServerMetadata, Error> {
        let issuer = self.checked_issuer(asked, rules.quirks)?;
        self.check_bounds()?;
        self.check_abilities(&issuer, rules)?;
        let endpoint = |text: &Option<String>, field| {
            text.as_deref().map(|text| rules.urls.read(text, field, rules.resource)).transpose()
        };
        let missing = |field| PeerMisbehaved::MissingField { exchange: EXCHANGE, field };
        let authorization_endpoint = endpoint(&self.authorization_endpoint, "authorization_endpoint")?;
        if rules.grant == GrantType::AuthorizationCode && authorization_endpoint.is_none() {
            return Err(missing("authorization_endpoint").into());
        }
        let names = |list: Option<Vec<String>>| list.into_iter().flatten().map(Into::into).collect();
        Ok(ServerMetadata {
            authorization_endpoint,
            token_endpoint: endpoint(&self.token_endpoint, "token_endpoint")?
                .ok_or(missing("token_endpoint"))?,
            registration_endpoint: endpoint(&self.registration_endpoint, "registration_endpoint")?,
            pushed_authorization_request_endpoint: endpoint(
                &self.pushed_authorization_request_endpoint,
                "pushed_authorization_request_endpoint",
            )?
            .map(Box::new),
            require_pushed_authorization_requests: self.require_pushed_authorization_requests == Some(true),
            device_authorization_endpoint: endpoint(
                &self.device_authorization_endpoint,
                "device_authorization_endpoint",
            )?
            .map(Box::new),
            revocation_endpoint: endpoint(&self.revocation_endpoint, "revocation_endpoint")?.map(Box::new),
            introspection_endpoint: endpoint(&self.introspection_endpoint, "introspection_endpoint")?
                .map(Box::new),
            jwks_uri: endpoint(&self.jwks_uri, "jwks_uri")?.map(Box::new),
            scopes_supported: scopes(self.scopes_supported.as_deref()),
            offers_offline_access: lists(self.scopes_supported.as_deref(), "offline_access"),
            token_endpoint_auth_methods: match self.token_endpoint_auth_methods_supported {
                Some(names) => names.iter().filter_map(|name| ClientAuthMethod::from_name(name)).collect(),
                None => vec![ClientAuthMethod::SecretBasic],
            },
            assertion_algorithms: names(self.token_endpoint_auth_signing_alg_values_supported),
            dpop_algorithms: names(self.dpop_signing_alg_values_supported),
            iss_parameter_supported: self.authorization_response_iss_parameter_supported == Some(true),
            client_id_metadata_document_supported: self.client_id_metadata_document_supported == Some(true),
            issuer,
        })
    }

    /// RFC 8414 3.3: identical to the issuer whose well-known URL was asked.
    fn checked_issuer(&self, asked: &Issuer, quirks: &Quirks) -> Result<Issuer, PeerMisbehaved> {
        match self.issuer.as_deref() {
            Some(own) if own == asked.as_str() => Ok(asked.clone()),
            Some(own) if quirks.issuer_trailing_slash && asked.equals_but_for_slash(own) => {
                Ok(Issuer(own.into()))
            }
            Some(own) => {
                Err(PeerMisbehaved::IssuerMismatch { expected: asked.into(), got: PeerText::new(own) })
            }
            None if quirks.issuer_absent => Ok(asked.clone()),
            None => Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "issuer" }),
        }
    }

    fn check_bounds(&self) -> Result<(), PeerMisbehaved> {
        for (list, field) in [
            (&self.scopes_supported, "scopes_supported"),
            (&self.response_types_supported, "response_types_supported"),
            (&self.grant_types_supported, "grant_types_supported"),
            (&self.token_endpoint_auth_methods_supported, "token_endpoint_auth_methods_supported"),
            (
                &self.token_endpoint_auth_signing_alg_values_supported,
                "token_endpoint_auth_signing_alg_values_supported",
            ),
            (&self.dpop_signing_alg_values_supported, "dpop_signing_alg_values_supported"),
            (&self.code_challenge_methods_supported, "code_challenge_methods_supported"),
        ] {
            json::bounded_list(list.as_deref().unwrap_or_default(), EXCHANGE, field)?;
        }
        Ok(())
    }

    fn check_abilities(&self, issuer: &Issuer, rules: Rules<'_>) -> Result<(), PeerIncompatible> {
        let by_code = rules.grant == GrantType::AuthorizationCode;
        if by_code
            && !rules.quirks.pkce_unadvertised
            && !lists(self.code_challenge_methods_supported.as_deref(), "S256")
        {
            return Err(PeerIncompatible::NoPkce { issuer: issuer.into() });
        }
        let lacks = |list: &Option<Vec<String>>, name| list.is_some() && !lists(list.as_deref(), name);
        if by_code && lacks(&self.response_types_supported, "code")
            || lacks(&self.grant_types_supported, rules.grant.name())
        {
            return Err(PeerIncompatible::NoGrant { issuer: issuer.into(), grant: rules.grant });
        }
        Ok(())
    }
}

/// The scopes of a list, as far as they are any and fit.
fn scopes(list: Option<&[String]>) -> ScopeSet {
    let mut scopes = ScopeSet::new();
    for one in list.unwrap_or_default().iter().filter_map(|text| ScopeSet::from_tokens([text.as_str()]).ok())
    {
        if scopes.extend(&one).is_err() {
            break;
        }
    }
    scopes
}

fn lists(list: Option<&[String]>, name: &str) -> bool {
    list.unwrap_or_default().iter().any(|entry| entry == name)
}
