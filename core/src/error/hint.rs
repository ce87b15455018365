//! What a caller can do about an error: one place, so that every hint names options that exist.

use crate::address::UrlProblem;

use super::{
    EffectError, Error, ErrorReport, FailureKind, PeerIncompatible, PeerMisbehaved, PeerText, Refused, Work,
};

impl ErrorReport {
    /// What can be done about it, where there is something to do: an option, a quirk, another way. It is part
    /// of what the report displays.
    pub fn hint(&self) -> Option<&'static str> {
        match &self.error {
            Error::Refused(error) => refused(error),
            Error::PeerIncompatible(error) => incompatible(error),
            Error::PeerMisbehaved(error) => misbehaved(error),
            Error::Effect(error) => effect(error, self.asked.is_some()),
        }
    }
}

fn effect(error: &EffectError, asked: bool) -> Option<&'static str> {
    match (error.what, error.kind) {
        (Work::Exchange(_), FailureKind::Unreachable) => Some(
            "check that address, the network and the certificates; a proxy or roots of your own have to be set for \
             Grantor's requests, too: `with_clients` of reqwest and smol, `with_connector`, `with_agent`",
        ),
        (Work::Exchange(_), FailureKind::TimedOut) => {
            Some("if that server needs longer, say so: `Config::timeouts`")
        }
        // A host that has words of its own knows better what its user can do.
        (Work::Interaction, FailureKind::TimedOut) if error.detail.is_none() => Some(
            "nobody came back from the page in time (`Config::interaction_ms`); where no browser opens, show the \
             page's URL with `Browser::open_with`, take what the user pastes with `Browser::pasted`, or use `Flow::Device`",
        ),
        (Work::Interaction, FailureKind::Impossible) if !asked => Some(
            "for another place that the browser can come back to, choose a port with `Browser::port`; without any, \
             use `Flow::Device`, or a `UserAgent` of your own",
        ),
        (Work::Interaction, FailureKind::Impossible) => Some(
            "where there is no browser, take what the user pastes with `Browser::pasted`, forward a port \
             (`Browser::port` with `ssh -L`), show the page's URL with `Browser::open_with`, or use `Flow::Device`",
        ),
        (Work::Store, FailureKind::Unreadable) => {
            Some("look at it, then remove it, or have it quarantined: `Config::unreadable_records`")
        }
        _ => None,
    }
}

const INVALID_SCOPE: &str = "ask for the scopes that it knows: `Config::only_scopes`; where a client is granted only \
     what it has registered, register them: `Config::registration_scopes`";

fn refused(error: &Refused) -> Option<&'static str> {
    match error {
        Refused::Authorization { code, .. } if *code == "invalid_scope" => Some(INVALID_SCOPE),
        Refused::DeviceCodeExpired => Some("try again, and enter the code while it is good"),
        Refused::InsufficientAuthentication => Some("if the user may be asked, allow it: `Config::step_up`"),
        Refused::Token { code, .. } if *code == "invalid_client" => Some(
            "if the client was registered by hand, check its secret and how it is sent: `Preregistered::secret`, \
             `method`",
        ),
        Refused::Token { code, .. } if *code == "invalid_scope" => Some(INVALID_SCOPE),
        Refused::Token { code, .. } if *code == "invalid_target" => Some(
            "the server does not know the resource by this name; state its own: `Config::resource_identifier`, or \
             `Quirks::resource_parameter`",
        ),
        Refused::TokenRejected => Some(
            "the resource and its authorization server disagree, most often about the audience: ask who runs the \
             resource, or state its identifier: `Config::resource_identifier`",
        ),
        Refused::Untrusted { .. } => Some(
            "if you trust it, say so: `Config::trusted_issuer`, `Config::trust`, or agree when you are asked; if the \
             resource has moved, `Session::forget` forgets the old server",
        ),
        Refused::Registration { code, .. } => Some(registration(code)),
        _ => None,
    }
}

/// RFC 7591 3.2.2.
fn registration(code: &PeerText) -> &'static str {
    match code.as_str() {
        "invalid_redirect_uri" => {
            "the server does not accept the redirect URI for this application_type; configure another \
             redirect URI or application_type, or register by hand (`Config::preregistered`)"
        }
        "invalid_client_metadata" => {
            "the server does not accept what the client says about itself; its own words tell which part"
        }
        "invalid_software_statement" | "unapproved_software_statement" => {
            "the server registers approved software only; register by hand with its operator \
             (`Config::preregistered`)"
        }
        "status 401" | "status 403" => {
            "the server lets nobody register without permission; configure an initial access token \
             (`Config::initial_access_token`), or register by hand (`Config::preregistered`)"
        }
        "status 404" | "status 405" => {
            "the server does not offer registration where its metadata says; register by hand \
             (`Config::preregistered`)"
        }
        _ => "register by hand and configure the client as pre-registered (`Config::preregistered`)",
    }
}

fn incompatible(error: &PeerIncompatible) -> Option<&'static str> {
    match error {
        PeerIncompatible::NoRegistration { .. } => Some(
            "register a client there by hand and configure it (`Config::preregistered`), or configure what it takes \
             (`Config::client_id_metadata_document`, `Config::dynamic_registration`)",
        ),
        PeerIncompatible::RegisteredElsewhere { .. } => Some(
            "if it is registered there as well, say so: `Preregistered::new` names the issuer; or allow \
             `Config::dynamic_registration`",
        ),
        PeerIncompatible::NoEndpoint { .. } => Some(
            "if you know the endpoint, state it: `KnownServer::with_endpoints`; otherwise use another `Flow`",
        ),
        PeerIncompatible::NoGrant { .. } => Some(
            "if it does all the same, state its endpoints: `KnownServer::with_endpoints`; otherwise use another `Flow`",
        ),
        PeerIncompatible::NoPkce { .. } => {
            Some("if it does all the same, as Entra ID does, set `Quirks::pkce_unadvertised`")
        }
        PeerIncompatible::NoResourceMetadata => Some(
            "if the server needs one, name its authorization server yourself: `Config::authorization_server`",
        ),
        PeerIncompatible::NoServerMetadata { .. } => {
            Some("if you know its endpoints, state them: `KnownServer::with_endpoints`")
        }
        PeerIncompatible::TokenType { .. } => {
            Some("if its tokens are Bearer tokens, as Slack's are, name the type in `Quirks::bearer_names`")
        }
        _ => None,
    }
}

fn misbehaved(error: &PeerMisbehaved) -> Option<&'static str> {
    match error {
        PeerMisbehaved::IssuerMismatch { expected, got } if differ_by_slash(expected, got) => {
            Some("they differ by a slash alone: set `Quirks::issuer_trailing_slash` if you trust it")
        }
        PeerMisbehaved::IssuerMismatch { .. } => {
            Some("if you know that both are this server, state the two: `Config::issuer_differs`")
        }
        PeerMisbehaved::ResourceMismatch { expected, got } if differ_by_slash(expected, got) => {
            Some("they differ by a slash alone: set `Quirks::resource_trailing_slash`")
        }
        PeerMisbehaved::ResourceMismatch { .. } => {
            Some("if that identifier is meant, state it: `Config::resource_identifier`")
        }
        PeerMisbehaved::ContentType { got, .. } if *got == "text/html" => Some(
            "a web page came in its place: most often a proxy, a login page or a protection against bots stands \
             before that address",
        ),
        PeerMisbehaved::Endless { .. } => Some(
            "its answers lead in a circle; try again later, or tell who runs it: what it answered is in \
             `Engine::findings` and the notices",
        ),
        PeerMisbehaved::TooManyScopes { .. } => Some("ask for those that you need: `Config::only_scopes`"),
        PeerMisbehaved::StateMissing { .. } => {
            Some("if it was not you who ended it there, try again: without `state`, it may be anybody's word")
        }
        PeerMisbehaved::MissingField { field: "token_type", .. } => {
            Some("if its tokens are Bearer tokens, set `Quirks::token_type_absent`")
        }
        PeerMisbehaved::Url { problem: UrlProblem::Insecure, .. } => {
            Some("in development, name the host: `UrlPolicy::development_host`")
        }
        PeerMisbehaved::Url { problem: UrlProblem::PrivateHost, .. } => {
            Some("if it is meant to be there, set `UrlPolicy::allow_private_hosts`")
        }
        _ => None,
    }
}

fn differ_by_slash(a: &PeerText, b: &PeerText) -> bool {
    let plain = |text: &PeerText| text.as_str().trim_end_matches('/').to_owned();
    a != b && plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exchange;
    use crate::limits;

    #[test]
    fn hints_name_the_way_on() {
        let (issuer, code) = (PeerText::new("https://as.example.com"), PeerText::new("invalid_scope"));
        let endpoint = "device_authorization_endpoint";
        let grant = crate::client::Flow::Device.grant_type();
        let errors: [(Error, &str); 6] = [
            (PeerIncompatible::NoEndpoint { issuer: issuer.clone(), endpoint }.into(), "with_endpoints"),
            (PeerIncompatible::NoGrant { issuer, grant }.into(), "another `Flow`"),
            (Refused::Token { code: code.clone(), description: None }.into(), "registration_scopes"),
            (Refused::Authorization { code, description: None }.into(), "registration_scopes"),
            (PeerMisbehaved::TooManyScopes { limit: limits::SCOPES }.into(), "only_scopes"),
            (
                PeerMisbehaved::Endless { what: Work::Exchange(Exchange::CodeToken), times: 9 }.into(),
                "findings",
            ),
        ];
        for (error, way) in errors {
            let hint = ErrorReport::from(error).hint().unwrap_or_default();
            assert!(hint.contains(way), "{hint}");
        }
    }
}
