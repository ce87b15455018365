//! The rules, in the order in which they are looked at.

use super::check::Rule;
use super::check::Severity::{Error, Note, Warning};

impl Rule {
    /// The rule of this name.
    pub fn find(code: &str) -> Option<&'static Self> {
        RULES.iter().chain(LOG_IN_RULES).copied().find(|rule| rule.code == code)
    }
}

macro_rules! rules {
    ($(#[$about:meta])* $all:ident; $($name:ident: $code:literal, $severity:ident, $title:literal, $section:literal, $who:literal, $mend:literal;)*) => {
        $(pub(super) static $name: Rule = Rule {
            code: $code, severity: $severity, title: $title, section: $section, who: $who, mend: $mend,
        };)*
        $(#[$about])*
        pub static $all: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    /// What an [`Examination`](super::Examination) looks at.
    RULES;
    REACHABLE: "reachable", Error, "The server answers",
        "MCP \"Streamable HTTP\"",
        "everybody",
        "Look whether the URL is right, the server runs, and its certificate is valid for this name.";
    HTTPS: "https", Error, "Everything is asked over https",
        "MCP \"Communication Security\"; OAuth 2.1 section 1.5",
        "Users: whoever is on the way reads tokens and codes. Clients refuse such URLs, except on loopback.",
        "Serve the MCP endpoint, the metadata and every endpoint of the authorization server over https.";
    ENDPOINT: "endpoint", Error, "It is an MCP endpoint",
        "MCP \"Streamable HTTP\"",
        "everybody: clients are given a URL at which no MCP server answers.",
        "Look at the path, which is often /mcp, and whether the server takes POST there.";
    PROTECTED: "protected", Note, "A request without a token is refused with 401",
        "RFC 6750 section 3; MCP \"Error Handling\"",
        "Nobody, if the server is meant to be open. If it is not, anybody can use it.",
        "Answer 401 to every request without a valid token, `initialize` and `server/discover` included.";
    CHALLENGE: "challenge", Error, "The 401 has a Bearer challenge",
        "RFC 6750 section 3; RFC 9728 section 5.1",
        "Clients that start from the challenge: they do not learn that a token would help.",
        "Send `WWW-Authenticate: Bearer resource_metadata=\"...\"` with every 401.";
    CHALLENGE_SYNTAX: "challenge-syntax", Warning, "The challenge keeps to the grammar",
        "RFC 9110 section 11.6.1",
        "Clients with a strict parser, which see no challenge at all.",
        "Put each value in double quotes, separate parameters by commas, and escape quotes by a backslash.";
    CHALLENGE_METADATA: "challenge-metadata", Warning, "The challenge names the resource's metadata",
        "RFC 9728 section 5.1; MCP \"Protected Resource Metadata Discovery Requirements\"",
        "Clients that do not try the well-known URLs, and all others for one request more.",
        "Add `resource_metadata` with the absolute URL of the protected resource metadata.";
    CHALLENGE_SCOPE: "challenge-scope", Note, "The challenge names the scopes that are needed",
        "MCP \"Scope Selection Strategy\"; RFC 6750 section 3",
        "Users: clients ask for every scope of the metadata instead of those that are needed.",
        "Add `scope` with what this request needs.";
    BAD_TOKEN: "bad-token", Error, "A token that is none is refused with 401",
        "RFC 6750 section 3.1; MCP \"Token Handling\"",
        "Everybody: a server that accepts any token protects nothing. One that answers otherwise leaves clients with an expired token no way on.",
        "Check every token, and answer 401 to those that are unknown, expired or for somebody else.";
    INVALID_TOKEN: "invalid-token", Warning, "It is refused with `error=\"invalid_token\"`",
        "RFC 6750 section 3.1",
        "Clients that tell by this whether to renew their token.",
        "Add `error=\"invalid_token\"` to the challenge where a token came with the request, and leave it out where none did.";
    QUERY_TOKEN: "query-token", Error, "A token in the query does not count",
        "OAuth 2.1 section 5.1; MCP \"Token Requirements\"",
        "Users: URLs are logged, and their tokens with them.",
        "Take tokens from the `Authorization` header alone.";
    CORS: "cors", Warning, "Browsers may send requests with a token",
        "Fetch, \"CORS protocol\"",
        "Clients in browsers, such as the MCP Inspector in its direct mode.",
        "Answer the preflight with `Access-Control-Allow-Origin`, and name `authorization`, `content-type` and `mcp-protocol-version` in `Access-Control-Allow-Headers`.";
    CORS_CHALLENGE: "cors-challenge", Warning, "Browsers may read the challenge",
        "Fetch, \"CORS protocol\"",
        "Clients in browsers: they get the 401 and cannot see what it asks for.",
        "Add `Access-Control-Allow-Origin`, and `Access-Control-Expose-Headers: WWW-Authenticate, Mcp-Session-Id`, to answers of the MCP endpoint.";
    RESOURCE_METADATA: "resource-metadata", Error, "The resource publishes its metadata",
        "RFC 9728 section 3; MCP \"Authorization Server Location\"",
        "All clients of 2025-06-18 and later: they do not find the authorization server.",
        "Serve the document at /.well-known/oauth-protected-resource followed by the path of the MCP endpoint.";
    WELL_KNOWN: "well-known", Warning, "It is at the well-known URL of the MCP endpoint",
        "RFC 9728 section 3.1",
        "Clients that look there without reading the challenge.",
        "Serve the same document at /.well-known/oauth-protected-resource followed by the path of the MCP endpoint.";
    RESOURCE_IDENTITY: "resource-identity", Error, "It names the URL that was asked for as its `resource`",
        "RFC 9728 section 3.3",
        "Clients that check it, as they must: they refuse the document, so that no server can pose as another.",
        "Set `resource` to the MCP endpoint's URL, exactly as clients are given it.";
    AUTHORIZATION_SERVERS: "authorization-servers", Error, "It names an authorization server",
        "MCP \"Authorization Server Location\"",
        "All clients: they do not know where to ask for a token.",
        "List the issuer of at least one authorization server in `authorization_servers`.";
    RESOURCE_DOCUMENT: "resource-document", Warning, "The document is as the specification has it",
        "RFC 9728 section 2",
        "Clients whose JSON types are strict.",
        "Give each member the type that RFC 9728 gives it, and serve the document as application/json.";
    RESOURCE_CORS: "resource-cors", Warning, "Browsers may read the document",
        "Fetch, \"CORS protocol\"",
        "Clients in browsers.",
        "Add `Access-Control-Allow-Origin: *`: the document is public.";
    SERVER_METADATA: "server-metadata", Error, "The authorization server publishes its metadata",
        "RFC 8414 section 3; MCP \"Authorization Server Metadata Discovery\"",
        "All clients: they do not find the endpoints.",
        "Serve the document at /.well-known/oauth-authorization-server, followed by the issuer's path if it has one.";
    SERVER_IDENTITY: "server-identity", Error, "It names the issuer that was asked for",
        "RFC 8414 section 3.3",
        "Clients that check it, as they must: they refuse the document. A slash at the end counts.",
        "Write the issuer in `issuer`, in `authorization_servers` and in `iss` in one way.";
    SERVER_USABLE: "server-usable", Error, "The document has what the authorization code grant needs",
        "RFC 8414 section 2",
        "All clients that use a browser.",
        "Name `authorization_endpoint`, `token_endpoint`, and `code` in `response_types_supported`.";
    PKCE: "pkce", Error, "It says that PKCE with S256 is supported",
        "MCP \"Authorization Code Protection\"; RFC 7636",
        "Clients that keep to MCP: they must refuse a server that does not say so.",
        "Add `\"code_challenge_methods_supported\": [\"S256\"]`, and check the verifier.";
    SERVER_DOCUMENT: "server-document", Warning, "The document is as the specification has it",
        "RFC 8414 section 2",
        "Clients whose JSON types are strict.",
        "Give each member the type that RFC 8414 gives it, leave out what is empty, and serve the document as application/json.";
    ISS: "iss", Warning, "Callbacks say which server they are from",
        "RFC 9207; MCP \"Mix-Up Attacks\"",
        "Users of clients that know several servers: one server's code could be sent to another.",
        "Add `iss` to every authorization response, and `\"authorization_response_iss_parameter_supported\": true` to the metadata.";
    REGISTRATION: "registration", Warning, "Clients can introduce themselves",
        "MCP \"Client Registration Approaches\"",
        "Every client that nobody has registered by hand.",
        "Support Client ID Metadata Documents (`client_id_metadata_document_supported`), or dynamic registration (`registration_endpoint`).";
    CLIENT_DOCUMENT: "client-document", Note, "Client ID Metadata Documents are understood",
        "MCP \"Client ID Metadata Documents\"",
        "Operators: every installation of a client registers another one.",
        "Support them, and say `\"client_id_metadata_document_supported\": true`.";
    REFRESH: "refresh", Note, "Tokens can be renewed without the user",
        "RFC 8414 section 2, `grant_types_supported`",
        "Users: they are asked again whenever a token has expired.",
        "Issue refresh tokens, and name `refresh_token` in `grant_types_supported`.";
    REVOCATION: "revocation", Note, "Tokens can be given back",
        "RFC 7009",
        "Users: logging out ends nothing at the server.",
        "Offer a `revocation_endpoint`.";
    SERVER_CORS: "server-cors", Warning, "Browsers may read the document",
        "Fetch, \"CORS protocol\"",
        "Clients in browsers.",
        "Add `Access-Control-Allow-Origin: *` to the metadata, the token and the registration endpoint.";
    TOKEN_ERROR: "token-error", Warning, "The token endpoint refuses in JSON",
        "RFC 6749 section 5.2",
        "Clients and their users: they cannot tell why no token came.",
        "Answer 400, or 401 for `invalid_client`, with a JSON body that has `error`.";
}

rules! {
    /// What a [`LogInExamination`](super::LogInExamination) looks at.
    LOG_IN_RULES;
    LOG_IN: "log-in", Error, "The user can log in",
        "MCP \"Authorization Flow Steps\"; OAuth 2.1 section 4.1",
        "All clients and their users.",
        "Read what was seen: it names the exchange that failed, and what the server answered.";
    TOKEN_DOCUMENT: "token-document", Warning, "The token's answer is as the specification has it",
        "RFC 6749 section 5.1",
        "Clients whose JSON types are strict.",
        "Answer 200 with application/json, give each member the type that RFC 6749 gives it, and name `token_type`.";
    TOKEN_CACHE: "token-cache", Warning, "The token's answer is stored nowhere on the way",
        "RFC 6749 section 5.1",
        "Users: a cache keeps their token.",
        "Add `Cache-Control: no-store` to each answer of the token endpoint.";
    TOKEN_EXPIRY: "token-expiry", Note, "The token says when it expires",
        "RFC 6749 section 5.1",
        "Clients: they learn from a refused request alone that it is time to renew.",
        "Add `expires_in`, in seconds.";
    TOKEN_AUDIENCE: "token-audience", Warning, "The token is for this server",
        "RFC 8707 section 2; MCP \"Access Token Privilege Restriction\"",
        "Users: whoever runs one server can use its tokens at the others.",
        "Take the `resource` parameter as the token's audience, and check it at the MCP server.";
    TOKEN_ACCEPTED: "token-accepted", Error, "The server accepts the token",
        "RFC 6750 section 3.1; MCP \"Token Handling\"",
        "All clients: they log in again and again.",
        "Compare what the MCP server demands of a token (issuer, audience, keys, lifetime) with what the authorization server issues.";
    INSUFFICIENT_SCOPE: "insufficient-scope", Warning, "A refusal for want of scopes says which",
        "RFC 6750 section 3.1; MCP \"Runtime Insufficient Scope Errors\"",
        "Users: clients cannot ask for what is missing.",
        "Answer 403 with `WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"...\"`.";
    REFRESH_TOKEN: "refresh-token", Note, "A refresh token comes with the token",
        "RFC 6749 section 5.1; MCP \"Refresh Tokens\"",
        "Users: they are asked again whenever a token has expired.",
        "Issue refresh tokens to clients that have registered the grant, and bind them to scopes and resource.";
    REFRESHED: "refreshed", Error, "The refresh token gets a new token",
        "RFC 6749 section 6",
        "Users: they are asked again though a refresh token was issued.",
        "Accept the refresh token from the client that it was issued to, with the `resource` that it is for.";
    ROTATION: "refresh-rotation", Warning, "A refresh token is replaced when it is used",
        "OAuth 2.1 section 4.3.1; MCP \"Token Theft\"",
        "Users: a stolen refresh token stays good, and nobody notices.",
        "Issue another refresh token with each refresh to a public client, and revoke all when an old one comes.";
    STEP_UP: "step-up", Error, "More scopes can be asked for afterwards",
        "MCP \"Step-Up Authorization Flow\"",
        "Users of operations that need more than the log-in gave.",
        "Grant to clients what the MCP server demands of them, `scopes_supported` of its metadata included, beside what was granted before.";
    STEP_UP_SCOPES: "step-up-scopes", Warning, "Scopes that were granted stay when more are asked for",
        "MCP \"Step-Up Authorization Flow\"",
        "Users: they are asked for the same scopes in turn.",
        "Grant all scopes of the request that the user has agreed to, those from before included.";
    REVOKED: "revoked", Warning, "Tokens that are given back are taken",
        "RFC 7009 section 2.2",
        "Users: logging out ends nothing at the server.",
        "Answer 200 at the revocation endpoint, whether the token is known or not.";
}
