//! The documents: a good one of each, its members and their uses.

use url::Url;

use super::Use;
use crate::address::UrlPolicy;
use crate::error::Error;
use crate::finding::Findings;
use crate::jose::{KeySet, KeySetDocument};
use crate::quirks::Quirks;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::authorization::{AuthorizationRequest, Extras};
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::client_metadata::ClientMetadata;
use crate::wire::device::{self, DeviceRequest};
use crate::wire::document::{Members as _, Reader};
use crate::wire::introspection;
use crate::wire::pushed::{self, PushedRequest};
use crate::wire::registration::{self, RegistrationRequest};
use crate::wire::resource_metadata::{self, Found};
use crate::wire::server_metadata::{self, Issuer, Rules};
use crate::wire::testing::{Answer, url};
use crate::wire::token::{self, Grant, GrantType, TokenRequest, TokenTypeUri};

pub(super) struct Document {
    pub(super) name: &'static str,
    /// The members that the reader knows.
    pub(super) known: &'static [&'static str],
    /// Each member that is read, how it is used, and whether nothing goes on without it.
    pub(super) members: &'static [(&'static str, Use, bool)],
    /// Members of the table that this reading does not look at.
    pub(super) unread: &'static [&'static str],
    pub(super) good: &'static str,
    pub(super) read: fn(&str, &mut Findings) -> Result<(), Error>,
}

pub(super) const DOCUMENTS: &[Document] = &[
    Document {
        name: "device authorization",
        known: device::Answer::NAMES,
        members: &[
            ("device_code", Use::Code, true),
            ("user_code", Use::Code, true),
            ("verification_uri", Use::Page, true),
            ("verification_uri_complete", Use::Page, false),
            ("expires_in", Use::Seconds, false),
            ("interval", Use::Seconds, false),
        ],
        unread: &["verification_url"],
        good: r#"{"device_code":"d","user_code":"U","verification_uri":"https://as.example.com/d",
            "verification_uri_complete":"https://as.example.com/d?U","expires_in":60,"interval":5}"#,
        read: |json, findings| {
            let (endpoint, client) = (url("https://as.example.com/device"), Client::public("c"));
            let request = DeviceRequest {
                endpoint: &endpoint,
                client: &client,
                scope: &ScopeSet::new(),
                resource: None,
                assertion: None,
            };
            device::read(&request, &Answer::json(json).response(), &Quirks::none(), findings).map(drop)
        },
    },
    Document {
        name: "introspection",
        known: introspection::Answer::NAMES,
        members: &[("active", Use::StrictFlag, true)],
        unread: &[],
        good: r#"{"active":true}"#,
        read: |json, findings| {
            introspection::read(&Answer::json(json).response(), &Secret::from("t"), findings).map(drop)
        },
    },
    Document {
        name: "key set",
        known: KeySetDocument::NAMES,
        members: &[("keys", Use::Keys, true)],
        unread: &[],
        good: r#"{"keys":[]}"#,
        read: |json, findings| {
            let answer = Answer::json(json);
            let mut reader = Reader::new(crate::error::Exchange::KeySet, findings);
            let text = reader.text(&answer.response(), crate::limits::KEY_SET_BODY)?;
            Ok(KeySet::read(text, &mut reader).map(drop)?)
        },
    },
    Document {
        name: "pushed authorization",
        known: pushed::Answer::NAMES,
        members: &[("request_uri", Use::Text, true), ("expires_in", Use::Seconds, false)],
        unread: &[],
        good: r#"{"request_uri":"urn:x","expires_in":60}"#,
        read: |json, findings| {
            let (endpoint, client) = (url("https://as.example.com/par"), Client::public("c"));
            let request = PushedRequest {
                endpoint: &endpoint,
                client: &client,
                authorization: AuthorizationRequest {
                    redirect_uri: "http://127.0.0.1:1/",
                    state: "s",
                    code_challenge: "c",
                    scope: &ScopeSet::new(),
                    resource: None,
                    endpoint: &endpoint,
                    client_id: "c",
                    extras: Extras::default(),
                },
                assertion: None,
                proof: None,
            };
            pushed::read(&request, &Answer::json(json).response(), &Quirks::none(), findings).map(drop)
        },
    },
    Document {
        name: "registration",
        known: registration::Answer::NAMES,
        members: &[
            ("client_id", Use::Text, true),
            ("client_secret", Use::Text, true),
            ("client_secret_expires_at", Use::Seconds, false),
            ("token_endpoint_auth_method", Use::Text, false),
        ],
        unread: &["error"],
        good: r#"{"client_id":"c","client_secret":"s","client_secret_expires_at":0,
            "token_endpoint_auth_method":"client_secret_post"}"#,
        read: |json, findings| {
            let request = RegistrationRequest {
                endpoint: &url("https://as.example.com/register"),
                metadata: &ClientMetadata::named("Example"),
                grant: GrantType::AuthorizationCode,
                redirect_uri: Some("http://127.0.0.1:1/"),
                method: ClientAuthMethod::SecretPost,
                scope: &ScopeSet::new(),
                initial_access_token: None,
            };
            registration::read(&request, &Answer::json(json).response(), findings).map(drop)
        },
    },
    Document {
        name: "resource metadata",
        known: resource_metadata::Document::NAMES,
        members: &[
            ("resource", Use::Text, true),
            ("authorization_servers", Use::ListOrOne, true),
            ("scopes_supported", Use::ScopeList, false),
            ("resource_name", Use::Text, false),
        ],
        unread: &[],
        good: r#"{"resource":"https://mcp.example.com/mcp","authorization_servers":["https://as.example.com"],
            "scopes_supported":["a"],"resource_name":"Files"}"#,
        read: |json, findings| {
            let candidate = resource_metadata::candidates(&resource(), None).remove(0);
            let (answer, quirks) = (Answer::json(json), Quirks::none());
            found(resource_metadata::read(
                &candidate,
                &candidate.url,
                0,
                &answer.response(),
                &quirks,
                findings,
            ))
        },
    },
    Document {
        name: "server metadata",
        known: server_metadata::Document::NAMES,
        members: &[
            ("issuer", Use::Text, true),
            ("authorization_endpoint", Use::Url, true),
            ("token_endpoint", Use::Url, true),
            ("code_challenge_methods_supported", Use::List, true),
            ("jwks_uri", Use::Url, false),
            ("registration_endpoint", Use::Url, false),
            ("revocation_endpoint", Use::Url, false),
            ("introspection_endpoint", Use::Url, false),
            ("device_authorization_endpoint", Use::Url, false),
            ("pushed_authorization_request_endpoint", Use::Url, false),
            ("require_pushed_authorization_requests", Use::Flag, false),
            ("authorization_response_iss_parameter_supported", Use::Flag, false),
            ("client_id_metadata_document_supported", Use::Flag, false),
            ("scopes_supported", Use::ScopeList, false),
            ("response_types_supported", Use::List, false),
            ("grant_types_supported", Use::List, false),
            ("authorization_grant_profiles_supported", Use::List, false),
            ("token_endpoint_auth_methods_supported", Use::ListOrOne, false),
            ("token_endpoint_auth_signing_alg_values_supported", Use::List, false),
            ("dpop_signing_alg_values_supported", Use::List, false),
        ],
        unread: &[],
        good: r#"{"issuer":"https://as.example.com","authorization_endpoint":"https://as.example.com/a",
            "token_endpoint":"https://as.example.com/t","code_challenge_methods_supported":["S256"],
            "jwks_uri":"https://as.example.com/j","registration_endpoint":"https://as.example.com/r",
            "revocation_endpoint":"https://as.example.com/v","introspection_endpoint":"https://as.example.com/i",
            "device_authorization_endpoint":"https://as.example.com/d",
            "pushed_authorization_request_endpoint":"https://as.example.com/p",
            "require_pushed_authorization_requests":false,
            "authorization_response_iss_parameter_supported":true,
            "client_id_metadata_document_supported":true,"scopes_supported":["a"],
            "response_types_supported":["code"],"grant_types_supported":["authorization_code"],
            "authorization_grant_profiles_supported":["x"],
            "token_endpoint_auth_methods_supported":["none"],
            "token_endpoint_auth_signing_alg_values_supported":["ES256"],
            "dpop_signing_alg_values_supported":["ES256"]}"#,
        read: |json, findings| {
            let (resource, urls, quirks) = (resource(), UrlPolicy::default(), Quirks::none());
            let issuer = Issuer::trusted("https://as.example.com");
            let asked = server_metadata::candidates(&issuer)?.remove(0);
            let grant = GrantType::AuthorizationCode;
            let rules = Rules { urls: &urls, resource: &resource, quirks: &quirks, grant };
            let answer = Answer::json(json);
            found(server_metadata::read(&issuer, &asked, 0, &answer.response(), rules, findings))
        },
    },
    Document {
        name: "token",
        known: token::Fields::NAMES,
        members: &[
            ("access_token", Use::HeaderText, true),
            ("token_type", Use::Text, true),
            ("expires_in", Use::Seconds, false),
            ("refresh_token", Use::Text, false),
            ("scope", Use::ScopeText, false),
            ("id_token", Use::Text, false),
            ("authorization_details", Use::Array, false),
        ],
        unread: &["error", "error_description", "issued_token_type", "ok"],
        good: r#"{"access_token":"t","token_type":"Bearer","expires_in":60,"refresh_token":"r","scope":"a b",
            "id_token":"i","authorization_details":[{"type":"x"}]}"#,
        read: |json, findings| {
            with_token_request(|request, quirks| {
                token::read(request, &Answer::json(json).response(), quirks, findings).map(drop)
            })
        },
    },
    Document {
        name: "token exchange",
        known: token::Fields::NAMES,
        members: &[
            ("access_token", Use::Text, true),
            ("issued_token_type", Use::Text, true),
            ("expires_in", Use::Seconds, false),
            ("refresh_token", Use::Text, false),
            ("scope", Use::ScopeText, false),
        ],
        unread: &["authorization_details", "error", "error_description", "id_token", "ok", "token_type"],
        good: r#"{"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:id-jag",
            "expires_in":60,"refresh_token":"r","scope":"a b"}"#,
        read: |json, findings| {
            with_token_request(|request, quirks| {
                let answer = Answer::json(json);
                token::read_exchange(request, TokenTypeUri::IdJag, &answer.response(), quirks, findings)
                    .map(drop)
            })
        },
    },
];

fn resource() -> Url {
    url("https://mcp.example.com/mcp")
}

/// A URL that does not have the document gives its reason.
fn found<T>(read: Result<Found<T>, Error>) -> Result<(), Error> {
    match read? {
        Found::Document(_) => Ok(()),
        Found::Nothing(why) => Err(why),
        Found::Redirected(url) => panic!("{url}"),
    }
}

fn with_token_request<T>(then: impl FnOnce(&TokenRequest<'_>, &Quirks) -> T) -> T {
    let (endpoint, client) = (url("https://as.example.com/token"), Client::public("c"));
    let grant = Grant::ClientCredentials { scope: &ScopeSet::new() };
    let request = TokenRequest {
        endpoint: &endpoint,
        client: &client,
        grant,
        resource: None,
        assertion: None,
        proof: None,
    };
    then(&request, &Quirks::none())
}
