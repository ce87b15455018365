//! The settings, by number.

use grantor_bindings::Kind;

/// What settings are for.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum grantor_config_kind {
    /// A client of one MCP server, for one account.
    GRANTOR_CONFIG_CLIENT = 1,
    /// A guard of one MCP server.
    GRANTOR_CONFIG_GUARD = 2,
    /// A client that is registered beforehand; for `GRANTOR_OPTION_PREREGISTERED`.
    GRANTOR_CONFIG_PREREGISTERED = 3,
    /// The identity provider of an enterprise; for `GRANTOR_OPTION_ENTERPRISE`.
    GRANTOR_CONFIG_ENTERPRISE = 4,
    /// A private key; for `GRANTOR_OPTION_KEY` and `GRANTOR_OPTION_DPOP_KEY`.
    GRANTOR_CONFIG_KEY = 5,
    /// An authorization server whose tokens a guard accepts; for `GRANTOR_OPTION_AUTHORIZATION_SERVER`.
    GRANTOR_CONFIG_AUTHORIZATION_SERVER = 6,
    /// What an operation needs of a token; for rules and `GRANTOR_OPTION_OTHERWISE`.
    GRANTOR_CONFIG_NEED = 7,
}

/// The kinds by number.
pub(crate) const KINDS: [(u32, Kind); 7] = [
    (grantor_config_kind::GRANTOR_CONFIG_CLIENT as u32, Kind::Client),
    (grantor_config_kind::GRANTOR_CONFIG_GUARD as u32, Kind::Guard),
    (grantor_config_kind::GRANTOR_CONFIG_PREREGISTERED as u32, Kind::Preregistered),
    (grantor_config_kind::GRANTOR_CONFIG_ENTERPRISE as u32, Kind::Enterprise),
    (grantor_config_kind::GRANTOR_CONFIG_KEY as u32, Kind::Key),
    (grantor_config_kind::GRANTOR_CONFIG_AUTHORIZATION_SERVER as u32, Kind::AuthorizationServer),
    (grantor_config_kind::GRANTOR_CONFIG_NEED as u32, Kind::Need),
];

/// The settings. Each says of what it is one and what it takes: a *text* (`grantor_config_set_text`), *texts* (the same,
/// several times), a *number* (`_set_number`), a *flag* (`_set_flag`), *pairs* (`_set_pair`, several times), *settings*
/// (`_set_config`), or a *rule*: the name or pattern of what it is about with scopes (`_set_pair`) or with a need
/// (`_set_config`). The crate `grantor` documents them at length.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum grantor_option {
    /// client: text. The program's name for the account; `default` by default.
    GRANTOR_OPTION_ACCOUNT = 1,
    /// need: text. How the user must have authenticated, separated by blanks (RFC 9470).
    GRANTOR_OPTION_ACR_VALUES = 2,
    /// authorization server: flag. Whether the metadata names it to clients; yes by default.
    GRANTOR_OPTION_ADVERTISED = 3,
    /// key: text; authorization server: texts. Of RFC 7518, `ES256` by default for keys, all that are known for
    /// tokens.
    GRANTOR_OPTION_ALGORITHM = 4,
    /// need: text. All of these scopes, separated by blanks.
    GRANTOR_OPTION_ALL = 5,
    /// client, guard: flag. Lets metadata of a public resource point to private hosts.
    GRANTOR_OPTION_ALLOW_PRIVATE_HOSTS = 6,
    /// need: text. One of these scopes.
    GRANTOR_OPTION_ANY = 7,
    /// need: flag. A token of whatever scope.
    GRANTOR_OPTION_ANY_TOKEN = 8,
    /// client: text, `issuer` or `token_endpoint`. Whom a client's assertion names as audience.
    GRANTOR_OPTION_ASSERTION_AUDIENCE = 9,
    /// guard, authorization server: texts. Other names of the resource that tokens may carry as `aud`.
    GRANTOR_OPTION_AUDIENCE = 10,
    /// authorization server: pairs. In tokens without `aud`, the claim that stands for it, and a value that means
    /// this resource.
    GRANTOR_OPTION_AUDIENCE_CLAIM = 11,
    /// authorization server: flag. Whether answers about tokens need an `aud`; yes by default.
    GRANTOR_OPTION_AUDIENCE_DEMANDED = 12,
    /// client: text. A JSON array (RFC 9396).
    GRANTOR_OPTION_AUTHORIZATION_DETAILS = 13,
    /// client: pairs. A parameter of your own for the authorization request.
    GRANTOR_OPTION_AUTHORIZATION_PARAMETER = 14,
    /// client: text, the issuer to use where the resource names none; guard: settings of an authorization server.
    GRANTOR_OPTION_AUTHORIZATION_SERVER = 15,
    /// authorization server: number. Seconds for which an answer about a token is believed.
    GRANTOR_OPTION_CACHE_S = 16,
    /// guard: text, `minimal` or `plus_granted`. Which scopes a challenge names.
    GRANTOR_OPTION_CHALLENGE = 17,
    /// guard: text. These scopes are named by every challenge, besides what the operation needs.
    GRANTOR_OPTION_CHALLENGE_SCOPES = 18,
    /// enterprise: settings of a pre-registered client, at the identity provider.
    GRANTOR_OPTION_CLIENT = 19,
    /// pre-registered client, authorization server (introspection): text.
    GRANTOR_OPTION_CLIENT_ID = 20,
    /// client: text. The https URL of the client's own metadata document, its `client_id`.
    GRANTOR_OPTION_CLIENT_ID_METADATA_DOCUMENT = 21,
    /// client: text. The application's name, shown to users.
    GRANTOR_OPTION_CLIENT_NAME = 22,
    /// authorization server (introspection): text.
    GRANTOR_OPTION_CLIENT_SECRET = 23,
    /// client: text. The application's home page.
    GRANTOR_OPTION_CLIENT_URI = 24,
    /// guard: flag. Web pages of any origin may read the answers.
    GRANTOR_OPTION_CORS_ANY = 25,
    /// guard: texts. Web pages of this origin may.
    GRANTOR_OPTION_CORS_ORIGIN = 26,
    /// client, guard: texts. A host to which plain http is allowed.
    GRANTOR_OPTION_DEVELOPMENT_HOST = 27,
    /// client: text, `off`, `when_supported` or `required`. Tokens bound to a key (RFC 9449).
    GRANTOR_OPTION_DPOP = 28,
    /// guard: texts. Accepted for proofs; all that are known by default.
    GRANTOR_OPTION_DPOP_ALGORITHM = 29,
    /// client: settings of a key. What tokens are bound to; made by Grantor by default.
    GRANTOR_OPTION_DPOP_KEY = 30,
    /// guard: text. 32 random bytes as text, from which nonces are made; none are demanded without.
    GRANTOR_OPTION_DPOP_NONCE_SEED = 31,
    /// guard: flag. Whether tokens that are bound to no key are refused.
    GRANTOR_OPTION_DPOP_REQUIRED = 32,
    /// guard: flag. Whether each proof's use is recorded in the program's store.
    GRANTOR_OPTION_DPOP_STORED = 33,
    /// client: flag. Whether the client may register itself (RFC 7591); yes by default.
    GRANTOR_OPTION_DYNAMIC_REGISTRATION = 34,
    /// client: settings of an enterprise. The identity provider that vouches for the user.
    GRANTOR_OPTION_ENTERPRISE = 35,
    /// guard: text. Scopes that every operation needs.
    GRANTOR_OPTION_EVERY = 36,
    /// client: text, `authorization_code`, `client_credentials`, `device` or `workload`.
    GRANTOR_OPTION_FLOW = 37,
    /// guard: rule. What an HTTP method other than POST needs.
    GRANTOR_OPTION_HTTP = 38,
    /// guard: pairs. Whoever has the first scope has the second ones, too.
    GRANTOR_OPTION_IMPLIES = 39,
    /// client: pairs of issuer and token. For servers that demand one to register.
    GRANTOR_OPTION_INITIAL_ACCESS_TOKEN = 40,
    /// client: number. Seconds that the user has for a page; 600 by default.
    GRANTOR_OPTION_INTERACTION_S = 41,
    /// authorization server: text. Where to ask about tokens, if its metadata does not say it.
    GRANTOR_OPTION_INTROSPECTION_ENDPOINT = 42,
    /// pre-registered client, enterprise, authorization server: text. The issuer identifier.
    GRANTOR_OPTION_ISSUER = 43,
    /// client: pairs. An issuer that the resource names, and what its metadata says instead.
    GRANTOR_OPTION_ISSUER_DIFFERS = 44,
    /// authorization server: text. Where its keys are, if its metadata does not say it.
    GRANTOR_OPTION_JWKS_URI = 45,
    /// pre-registered client: settings of a key, for private_key_jwt.
    GRANTOR_OPTION_KEY = 46,
    /// authorization server: texts. Other names under which its tokens and metadata call it.
    GRANTOR_OPTION_KNOWN_AS = 47,
    /// guard: number. How far clocks may be apart.
    GRANTOR_OPTION_LEEWAY_S = 48,
    /// client: flag. Whether the account is listed among those of the resource.
    GRANTOR_OPTION_LIST_ACCOUNT = 49,
    /// need: number. At most so many seconds since the user authenticated (RFC 9470).
    GRANTOR_OPTION_MAX_AGE_S = 50,
    /// guard: number. How large a body may be that has to be read, in bytes.
    GRANTOR_OPTION_MAX_BODY = 51,
    /// guard: text, an object in JSON. More members of the metadata (RFC 9728 2).
    GRANTOR_OPTION_METADATA = 52,
    /// guard: text. Where else the metadata is.
    GRANTOR_OPTION_METADATA_URL = 53,
    /// pre-registered client, authorization server (introspection): text, how the client authenticates; guard: rule,
    /// what a JSON-RPC method needs.
    GRANTOR_OPTION_METHOD = 54,
    /// guard: text. A name of the resource for people.
    GRANTOR_OPTION_NAME = 55,
    /// need: flag. What nobody has.
    GRANTOR_OPTION_NOBODY = 56,
    /// guard: pairs. What a scope is for, in the printed table.
    GRANTOR_OPTION_NOTE = 57,
    /// client: flag. Whether to ask for a refresh token; yes by default.
    GRANTOR_OPTION_OFFLINE_ACCESS = 58,
    /// client: text. Asks for these scopes and no others, whatever the resource names.
    GRANTOR_OPTION_ONLY_SCOPES = 59,
    /// need: texts. Or all of these scopes instead.
    GRANTOR_OPTION_OR = 60,
    /// guard: settings of a need. What operations without a rule need.
    GRANTOR_OPTION_OTHERWISE = 61,
    /// key: text. The private key, PKCS#8 in PEM.
    GRANTOR_OPTION_PEM = 62,
    /// client: settings of a pre-registered client; several for several issuers.
    GRANTOR_OPTION_PREREGISTERED = 63,
    /// guard: rule. What a prompt needs.
    GRANTOR_OPTION_PROMPT = 64,
    /// need: flag. No token at all.
    GRANTOR_OPTION_PUBLIC = 65,
    /// key: text. The public half of a key that the program keeps, as a JWK.
    GRANTOR_OPTION_PUBLIC_JWK = 66,
    /// guard: texts. A path that needs no token.
    GRANTOR_OPTION_PUBLIC_PATH = 67,
    /// client: flag. Whether authorization requests are pushed (RFC 9126) where that is supported.
    GRANTOR_OPTION_PUSHED_REQUESTS = 68,
    /// client: text, `auth0`, `cognito`, `entra`, `github`, `google`, `slack` or `slack_bot`. What this provider
    /// needs.
    GRANTOR_OPTION_QUIRKS = 69,
    /// guard: text. Of the challenges.
    GRANTOR_OPTION_REALM = 70,
    /// guard: number. After so many seconds a token that was seen before is checked again.
    GRANTOR_OPTION_RECHECK_S = 71,
    /// client: text. A fixed redirect URI; a loopback port by default.
    GRANTOR_OPTION_REDIRECT_URI = 72,
    /// key: text. The program's name for a key that it keeps; signatures come as outputs.
    GRANTOR_OPTION_REFERENCE = 73,
    /// client: number. So many seconds before it expires a token is renewed.
    GRANTOR_OPTION_REFRESH_EARLY_S = 74,
    /// client: text. Scopes to register for.
    GRANTOR_OPTION_REGISTRATION_SCOPES = 75,
    /// guard: number. The most that remembered proofs may take.
    GRANTOR_OPTION_REPLAY_CACHE_BYTES = 76,
    /// client, guard: text. The URL of the MCP server.
    GRANTOR_OPTION_RESOURCE = 77,
    /// client: text. How the resource names itself, where that is not its URL.
    GRANTOR_OPTION_RESOURCE_IDENTIFIER = 78,
    /// guard: rule. What a resource of MCP needs, by its URI.
    GRANTOR_OPTION_RESOURCE_URI = 79,
    /// client: text. The revision of MCP: `2025-03-26`, `2025-06-18`, `2025-11-25` or `2026-07-28`.
    GRANTOR_OPTION_REVISION = 80,
    /// authorization server: texts. Claims that hold scopes.
    GRANTOR_OPTION_SCOPE_CLAIM = 81,
    /// client: text. Scopes to ask for besides those that the resource names.
    GRANTOR_OPTION_SCOPES = 82,
    /// guard: text. Of the metadata; what the rules need by default.
    GRANTOR_OPTION_SCOPES_SUPPORTED = 83,
    /// pre-registered client: text.
    GRANTOR_OPTION_SECRET = 84,
    /// client: flag. Whether other processes use the same store; yes by default.
    GRANTOR_OPTION_SHARED_STORE = 85,
    /// enterprise: flag. Signs the user on in the browser, instead of asking for an assertion.
    GRANTOR_OPTION_SIGN_ON = 86,
    /// client: text (RFC 7591 2).
    GRANTOR_OPTION_SOFTWARE_ID = 87,
    /// client: text (RFC 7591 2).
    GRANTOR_OPTION_SOFTWARE_VERSION = 88,
    /// client: text, `ask` or `abort`. Whether the user is asked for more scopes.
    GRANTOR_OPTION_STEP_UP = 89,
    /// authorization server: texts. Tenants whose tokens are accepted, where the issuer is a template.
    GRANTOR_OPTION_TENANT = 90,
    /// guard: number. The most that remembered tokens may take.
    GRANTOR_OPTION_TOKEN_CACHE_BYTES = 91,
    /// enterprise: text. For providers that publish no metadata.
    GRANTOR_OPTION_TOKEN_ENDPOINT = 92,
    /// client: pairs. A parameter of your own for token requests.
    GRANTOR_OPTION_TOKEN_PARAMETER = 93,
    /// authorization server: text, `jwt` by default, `jwt_without_profile`, `introspection` or `host`.
    GRANTOR_OPTION_TOKENS = 94,
    /// guard: rule. What a tool needs, by name or pattern.
    GRANTOR_OPTION_TOOL = 95,
    /// client: text, `ask` by default, `accept`, `pinned_only` or `same_origin`. Which authorization servers are
    /// trusted.
    GRANTOR_OPTION_TRUST = 96,
    /// guard: flag. Whether the server behind refuses requests whose Mcp headers contradict the body.
    GRANTOR_OPTION_TRUST_HEADERS = 97,
    /// client: texts. An issuer that is trusted without a question.
    GRANTOR_OPTION_TRUSTED_ISSUER = 98,
    /// client: text, `start_anew` or `fail`.
    GRANTOR_OPTION_UNREADABLE_RECORDS = 99,
    /// client: text. Of the requests to authorization servers.
    GRANTOR_OPTION_USER_AGENT = 100,
    /// guard: texts. Lets a token carry this pattern for every scope that it fits.
    GRANTOR_OPTION_WILDCARD = 101,
}

/// The names of the settings, in the order of their numbers, the first of which is 1.
pub(crate) const OPTIONS: [&str; 101] = [
    "account",
    "acr_values",
    "advertised",
    "algorithm",
    "all",
    "allow_private_hosts",
    "any",
    "any_token",
    "assertion_audience",
    "audience",
    "audience_claim",
    "audience_demanded",
    "authorization_details",
    "authorization_parameter",
    "authorization_server",
    "cache_s",
    "challenge",
    "challenge_scopes",
    "client",
    "client_id",
    "client_id_metadata_document",
    "client_name",
    "client_secret",
    "client_uri",
    "cors_any",
    "cors_origin",
    "development_host",
    "dpop",
    "dpop_algorithm",
    "dpop_key",
    "dpop_nonce_seed",
    "dpop_required",
    "dpop_stored",
    "dynamic_registration",
    "enterprise",
    "every",
    "flow",
    "http",
    "implies",
    "initial_access_token",
    "interaction_s",
    "introspection_endpoint",
    "issuer",
    "issuer_differs",
    "jwks_uri",
    "key",
    "known_as",
    "leeway_s",
    "list_account",
    "max_age_s",
    "max_body",
    "metadata",
    "metadata_url",
    "method",
    "name",
    "nobody",
    "note",
    "offline_access",
    "only_scopes",
    "or",
    "otherwise",
    "pem",
    "preregistered",
    "prompt",
    "public",
    "public_jwk",
    "public_path",
    "pushed_requests",
    "quirks",
    "realm",
    "recheck_s",
    "redirect_uri",
    "reference",
    "refresh_early_s",
    "registration_scopes",
    "replay_cache_bytes",
    "resource",
    "resource_identifier",
    "resource_uri",
    "revision",
    "scope_claim",
    "scopes",
    "scopes_supported",
    "secret",
    "shared_store",
    "sign_on",
    "software_id",
    "software_version",
    "step_up",
    "tenant",
    "token_cache_bytes",
    "token_endpoint",
    "token_parameter",
    "tokens",
    "tool",
    "trust",
    "trust_headers",
    "trusted_issuer",
    "unreadable_records",
    "user_agent",
    "wildcard",
];

/// The name of a setting.
pub(crate) fn name(option: u32) -> Option<&'static str> {
    OPTIONS.get(usize::try_from(option).ok()?.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_number() {
        for kind in Kind::ALL {
            for (name, _) in kind.settings() {
                assert!(OPTIONS.contains(name), "give {name} a number, at the end");
            }
        }
        let is_known =
            |name| Kind::ALL.iter().any(|kind| kind.settings().iter().any(|(known, _)| *known == name));
        assert!(OPTIONS.iter().all(|name| is_known(*name)));
    }

    #[test]
    fn numbers_are_the_places_of_the_table() {
        assert_eq!(name(grantor_option::GRANTOR_OPTION_ACCOUNT as u32), Some("account"));
        assert_eq!(name(grantor_option::GRANTOR_OPTION_WILDCARD as u32), Some("wildcard"));
        assert_eq!(name(0), None);
        assert_eq!(name(OPTIONS.len() as u32 + 1), None);
    }
}
