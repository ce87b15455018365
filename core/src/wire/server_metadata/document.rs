//! The document as it is written, and what it has to say.

use url::Url;

use super::{ID_JAG, Issuer, Rules, ServerMetadata, equal_but_for_slash};
use crate::error::{Error, PeerIncompatible, PeerMisbehaved, PeerText};
use crate::finding::JsonType;
use crate::limits;
use crate::quirks::Quirks;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::document::{Member, Reader, members};
use crate::wire::token::GrantType;

members! {
    pub(crate) struct Document {
        "RFC 8414 section 2":
            issuer, authorization_endpoint, token_endpoint, jwks_uri, registration_endpoint,
            scopes_supported, response_types_supported, grant_types_supported,
            token_endpoint_auth_methods_supported, token_endpoint_auth_signing_alg_values_supported,
            revocation_endpoint, introspection_endpoint, code_challenge_methods_supported;
        "RFC 8628 section 4": device_authorization_endpoint;
        "RFC 9126 section 5":
            pushed_authorization_request_endpoint, require_pushed_authorization_requests;
        "RFC 9207 section 3": authorization_response_iss_parameter_supported;
        "RFC 9449 section 5.1": dpop_signing_alg_values_supported;
        "OAuth Client ID Metadata Document section 5": client_id_metadata_document_supported;
        "Identity Assertion JWT Authorization Grant": authorization_grant_profiles_supported;
    }
}

impl Document<'_> {
    /// What shows that this is some other JSON (rust-sdk#1204), or the stub of a document.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        let endpoints = [&self.token_endpoint, &self.authorization_endpoint];
        match endpoints.iter().any(|endpoint| endpoint.is_there()) {
            true => None,
            false if self.issuer.is_there() => Some(self.token_endpoint.name()),
            false => Some(self.issuer.name()),
        }
    }

    pub(super) fn validate(
        &self,
        asked: &Issuer,
        rules: Rules<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<ServerMetadata, Error> {
        let issuer = self.checked_issuer(asked, rules.quirks, reader)?;
        let renews_tokens = self.check_abilities(&issuer, rules, reader)?;
        let url = |member: &Member<'_>| member.url(rules.urls, rules.resource);
        let authorization_endpoint = match rules.grant {
            GrantType::AuthorizationCode => Some(reader.required(url(&self.authorization_endpoint))?),
            _ => reader.optional(url(&self.authorization_endpoint)),
        };
        let token_endpoint = reader.required(url(&self.token_endpoint))?;
        let mut endpoint = |member| reader.optional(url(member)).map(Box::new);
        let (pushed, device) = (
            endpoint(&self.pushed_authorization_request_endpoint),
            endpoint(&self.device_authorization_endpoint),
        );
        let (revocation, introspection) =
            (endpoint(&self.revocation_endpoint), endpoint(&self.introspection_endpoint));
        let jwks_uri = endpoint(&self.jwks_uri);
        let registration_endpoint: Option<Url> = reader.optional(url(&self.registration_endpoint));
        let mut is_set = |member: &Member<'_>| reader.optional(member.flag()) == Some(true);
        let require_pushed = is_set(&self.require_pushed_authorization_requests);
        let iss_parameter_supported = is_set(&self.authorization_response_iss_parameter_supported);
        let client_id_metadata_document_supported = is_set(&self.client_id_metadata_document_supported);
        let scopes =
            reader.optional(self.scopes_supported.scopes(JsonType::Array, false)).unwrap_or_default();
        Ok(ServerMetadata {
            authorization_endpoint,
            token_endpoint,
            registration_endpoint,
            pushed_authorization_request_endpoint: pushed,
            require_pushed_authorization_requests: require_pushed,
            device_authorization_endpoint: device,
            revocation_endpoint: revocation,
            introspection_endpoint: introspection,
            jwks_uri,
            renews_tokens,
            offers_offline_access: scopes.contains("offline_access"),
            scopes_supported: scopes,
            token_endpoint_auth_methods: self.auth_methods(reader),
            assertion_algorithms: names(&self.token_endpoint_auth_signing_alg_values_supported, reader),
            dpop_algorithms: names(&self.dpop_signing_alg_values_supported, reader),
            grant_profiles: names(&self.authorization_grant_profiles_supported, reader),
            iss_parameter_supported,
            client_id_metadata_document_supported,
            issuer,
        })
    }

    /// RFC 8414 3.3: identical to the issuer whose well-known URL was asked.
    fn checked_issuer(
        &self,
        asked: &Issuer,
        quirks: &Quirks,
        reader: &mut Reader<'_>,
    ) -> Result<Issuer, PeerMisbehaved> {
        match reader.required(self.issuer.text(limits::URL)) {
            Ok(own) if own == asked.as_str() => Ok(asked.clone()),
            Ok(own) if quirks.issuer_trailing_slash && equal_but_for_slash(asked.as_str(), &own) => {
                Ok(Issuer(own.into()))
            }
            Ok(own) => {
                Err(PeerMisbehaved::IssuerMismatch { expected: asked.into(), got: PeerText::new(&own) })
            }
            Err(PeerMisbehaved::MissingField { .. }) if quirks.issuer_absent => Ok(asked.clone()),
            Err(error) => Err(error),
        }
    }

    /// Only a list that names S256 promises it (MCP "Authorization Code Protection"). Returns whether the server says
    /// that it renews tokens.
    fn check_abilities(
        &self,
        issuer: &Issuer,
        rules: Rules<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<bool, PeerIncompatible> {
        let by_code = rules.grant == GrantType::AuthorizationCode;
        if by_code
            && lists(&self.code_challenge_methods_supported, "S256", reader) != Some(true)
            && !rules.quirks.pkce_unadvertised
        {
            return Err(PeerIncompatible::NoPkce { issuer: issuer.into() });
        }
        // Who names the profile implements its grant, too.
        let by_profile = rules.grant == GrantType::JwtBearer
            && lists(&self.authorization_grant_profiles_supported, ID_JAG, reader) == Some(true);
        let (mut offers_grant, mut renews_tokens) = (false, false);
        let grants = self.grant_types_supported.list(|name| {
            offers_grant |= name == rules.grant.name();
            renews_tokens |= name == GrantType::RefreshToken.name();
        });
        let excludes_grant = reader.optional(grants).is_some() && !offers_grant && !by_profile;
        if by_code && lists(&self.response_types_supported, "code", reader) == Some(false) || excludes_grant {
            return Err(PeerIncompatible::NoGrant { issuer: issuer.into(), grant: rules.grant });
        }
        Ok(renews_tokens)
    }

    fn auth_methods(&self, reader: &mut Reader<'_>) -> Vec<ClientAuthMethod> {
        let mut methods = Vec::new();
        let list = self.token_endpoint_auth_methods_supported.list_or_one(|names| {
            for name in names.split([' ', ',']) {
                methods.extend(ClientAuthMethod::from_name(name).filter(|method| !methods.contains(method)));
            }
        });
        match reader.optional(list) {
            Some(()) => methods,
            None => vec![ClientAuthMethod::SecretBasic],
        }
    }
}

/// Whether the list has this entry; `None` where there is no list.
fn lists(member: &Member<'_>, name: &str, reader: &mut Reader<'_>) -> Option<bool> {
    let mut found = false;
    reader.optional(member.list(|entry| found |= entry == name))?;
    Some(found)
}

fn names(member: &Member<'_>, reader: &mut Reader<'_>) -> Vec<Box<str>> {
    let mut names = Vec::new();
    let list = member.list(|name| names.push(name.into()));
    reader.optional(list).map_or_else(Vec::new, |()| names)
}
