//! Tokens and metadata of the shape that providers document, with the configuration that the manual's table names.
//!
//! All are signed with ES256 here; most providers use RS256. Each test also shows a token of the provider that
//! is not for this resource: an ID token, one of another client or tenant.

use crate::bench::*;
use grantor::jose::ClaimsError;
use grantor::resource::*;
use grantor::wire::HttpRequest;
use grantor::wire::client_auth::{Client, ClientAuthMethod};
use serde_json::{Value, json};

/// A Guard for tokens of this server, and what the server serves.
struct Provider {
    bench: Bench,
}

impl Provider {
    /// One with keys, whose metadata is at this URL alone.
    fn with_keys(server: AuthorizationServer, metadata_at: &'static str, issuer: &'static str) -> Self {
        let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy()).server(server));
        bench.peer = Box::new(move |request: &HttpRequest| match request.url.as_str() {
            url if url == metadata_at => ok(json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}authorize"),
                "jwks_uri": "https://keys.example.com/jwks",
                "scopes_supported": ["openid", "profile"],
                "claims_supported": ["sub", "iss"],
            })
            .to_string()),
            "https://keys.example.com/jwks" => ok(jwks(&[&key(1)])),
            _ => Ok((404, vec![("content-type", "text/html".into())], "<h1>Not found</h1>".into())),
        });
        Self { bench }
    }

    fn allow(&mut self, header: Value, claims: Value) -> std::sync::Arc<Grant> {
        self.bench.allow(&Request::list().bearer(&signed(header, claims))).expect("a grant")
    }

    fn refuse(&mut self, header: Value, claims: Value) -> TokenProblem {
        match self.bench.why(&Request::list().bearer(&signed(header, claims))) {
            (401, Refusal::Token(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }
}

/// These claims and no others but for the times.
fn signed(mut header: Value, mut claims: Value) -> String {
    header["alg"] = json!("ES256");
    header["kid"] = json!("k1");
    claims["iat"] = json!(START);
    claims["exp"] = json!(START + 3600);
    sign(&header.to_string(), &claims.to_string(), &key(1))
}

/// Good claims with these changed; `null` removes.
fn but(claims: &Value, changes: Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

const TYPE: TokenProblem = TokenProblem::Claims(ClaimsError::Type);
const AUDIENCE: TokenProblem = TokenProblem::Claims(ClaimsError::Audience);

/// An audience mapper puts the resource into `aud`; scopes are client scopes, roles are in an object.
#[test]
fn keycloak() {
    let issuer = "https://sso.example.com/realms/acme";
    let own = || AuthorizationServer::jwt_without_profile(issuer);
    let at = "https://sso.example.com/realms/acme/.well-known/openid-configuration";
    let jwt = json!({ "typ": "JWT" });
    let access = json!({
        "jti": "onrtac:0dd0", "iss": issuer, "aud": [RESOURCE, "account"], "sub": "f1", "typ": "Bearer",
        "azp": "mcp-client", "sid": "s1", "acr": "1", "allowed-origins": ["https://app.example.com"],
        "realm_access": { "roles": ["mcp:use", "offline_access"] }, "scope": "openid mcp:use",
        "preferred_username": "alice",
    });
    let mut keycloak = Provider::with_keys(own(), at, issuer);
    let grant = keycloak.allow(jwt.clone(), access.clone());
    assert_eq!(grant.client_id.as_deref(), Some("mcp-client"));
    // Before version 24 the nonce of the request was in all tokens.
    keycloak.allow(jwt.clone(), but(&access, json!({ "nonce": "n" })));
    for (typ, aud) in [("ID", RESOURCE), ("Refresh", RESOURCE), ("Offline", RESOURCE), ("Logout", RESOURCE)] {
        let other = but(&access, json!({ "typ": typ, "aud": aud }));
        assert_eq!(keycloak.refuse(jwt.clone(), other), TYPE, "{typ}");
    }
    let event = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let log_out = but(&access, json!({ "typ": null, "events": event }));
    assert_eq!(keycloak.refuse(json!({ "typ": "logout+jwt" }), log_out.clone()), TYPE);
    assert_eq!(keycloak.refuse(jwt.clone(), log_out), TYPE);
    assert_eq!(keycloak.refuse(jwt.clone(), but(&access, json!({ "aud": "account" }))), AUDIENCE);
    // Realm roles as scopes.
    let mut by_role = Provider::with_keys(own().scopes_in(["/realm_access/roles"]), at, issuer);
    by_role.allow(jwt, but(&access, json!({ "scope": "openid" })));
}

/// The issuer ends in a slash. Permissions of RBAC are in a claim of their own.
#[test]
fn auth0_both_profiles() {
    let issuer = "https://acme.eu.auth0.com/";
    let at = "https://acme.eu.auth0.com/.well-known/openid-configuration";
    let api = json!([RESOURCE, "https://acme.eu.auth0.com/userinfo"]);
    let rfc9068 = json!({
        "iss": issuer, "sub": "auth0|1", "aud": api, "client_id": "c1", "jti": "73Wak",
        "scope": "openid mcp:use", "permissions": ["mcp:use", "files:read"],
    });
    let mut auth0 = Provider::with_keys(AuthorizationServer::jwt(issuer), at, issuer);
    auth0.allow(json!({ "typ": "at+jwt" }), rfc9068.clone());
    assert_eq!(auth0.refuse(json!({ "typ": "JWT" }), rfc9068.clone()), TYPE);
    let default = json!({
        "iss": issuer, "sub": "auth0|1", "aud": api, "azp": "c1", "scope": "openid", "gty": "password",
        "permissions": ["mcp:use", "files:read"],
    });
    let server = AuthorizationServer::jwt_without_profile(issuer).scopes_in(["permissions"]);
    let mut auth0 = Provider::with_keys(server, at, issuer);
    let grant = auth0.allow(json!({ "typ": "JWT" }), default.clone());
    assert_eq!(
        (grant.client_id.as_deref(), grant.scopes.to_string()),
        (Some("c1"), "mcp:use files:read".into())
    );
    let id = json!({ "iss": issuer, "sub": "auth0|1", "aud": RESOURCE, "sid": "s", "nonce": "n" });
    assert_eq!(auth0.refuse(json!({ "typ": "JWT" }), id), TYPE);
    let without = but(&default, json!({ "aud": "https://acme.eu.auth0.com/userinfo" }));
    assert_eq!(auth0.refuse(json!({ "typ": "JWT" }), without), AUDIENCE);
}

/// Written without the slash, the tokens' issuer is another name of the server.
#[test]
fn auth0_written_without_its_slash() {
    let at = "https://acme.eu.auth0.com/.well-known/openid-configuration";
    let token = json!({
        "iss": "https://acme.eu.auth0.com/", "sub": "auth0|1", "aud": RESOURCE, "azp": "c1", "scope": "mcp:use",
    });
    let plain = AuthorizationServer::jwt_without_profile("https://acme.eu.auth0.com");
    let mut strict = Provider::with_keys(plain.clone(), at, "https://acme.eu.auth0.com/");
    assert_eq!(strict.refuse(json!({ "typ": "JWT" }), token.clone()), TokenProblem::UnknownIssuer);
    let known = plain.known_as("https://acme.eu.auth0.com/");
    let mut auth0 = Provider::with_keys(known, at, "https://acme.eu.auth0.com/");
    let grant = auth0.allow(json!({ "typ": "JWT" }), token);
    assert_eq!(&*grant.issuer, "https://acme.eu.auth0.com", "as it is configured");
}

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
const APP: &str = "6731de76-14a6-49ae-97bc-6eba6914391e";

/// `aud` is the id of the application that stands for the resource, scopes are in `scp`, application roles in
/// `roles`.
#[test]
fn entra_v2() {
    let issuer = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
    let at = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0/.well-known/openid-configuration";
    let server = || AuthorizationServer::jwt_without_profile(issuer).audience(APP);
    let access = json!({
        "aud": APP, "iss": issuer, "nbf": START, "azp": "a4e1", "azpacr": "0", "oid": "690222be", "tid": TENANT,
        "scp": "mcp:use files:read", "sub": "HKZpfaHyWadeOouYlitjrI", "uti": "fqiBqXLP", "ver": "2.0",
        "rh": "I", "preferred_username": "abeli@microsoft.com",
    });
    let jwt = json!({ "typ": "JWT" });
    let mut entra = Provider::with_keys(server(), at, issuer);
    assert_eq!(entra.allow(jwt.clone(), access.clone()).scopes.to_string(), "mcp:use files:read");
    let id = but(&access, json!({ "scp": null, "azp": null, "nonce": "12345" }));
    assert_eq!(entra.refuse(jwt.clone(), id), TYPE);
    let graph = but(&access, json!({ "aud": "00000003-0000-0000-c000-000000000000" }));
    assert_eq!(entra.refuse(jwt.clone(), graph), AUDIENCE);
    // An application acts for itself.
    let mut both = Provider::with_keys(server().scopes_in(["scp", "roles"]), at, issuer);
    both.allow(jwt.clone(), but(&access, json!({ "scp": null, "roles": ["mcp:use", "Files Reader"] })));
    both.allow(jwt, access);
}

/// The application accepts tokens of version 1, though clients use the endpoints of version 2.
#[test]
fn entra_v1() {
    let issuer = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
    let at = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0/.well-known/openid-configuration";
    let old = format!("https://sts.windows.net/{TENANT}/");
    let server = AuthorizationServer::jwt_without_profile(issuer).known_as(&old).audience("api://mcp");
    let access = json!({
        "aud": "api://mcp", "iss": old, "nbf": START, "acr": "1", "amr": ["pwd"], "appid": "75dbe77f", "appidacr": "1",
        "oid": "690222be", "scp": "mcp:use", "sub": "l3_roISQ", "tid": TENANT, "uti": "s", "ver": "1.0",
        "upn": "abeli@microsoft.com",
    });
    let jwt = json!({ "typ": "JWT" });
    let mut entra = Provider::with_keys(server, at, issuer);
    assert_eq!(&*entra.allow(jwt.clone(), access.clone()).issuer, issuer);
    let other = but(&access, json!({ "iss": format!("https://sts.windows.net/{OTHER_TENANT}/") }));
    assert_eq!(entra.refuse(jwt, other), TokenProblem::UnknownIssuer);
    // Its own metadata, for those who know it by that name alone.
    let at = "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/.well-known/openid-configuration";
    let sts = "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/";
    let server = AuthorizationServer::jwt_without_profile(sts).audience("api://mcp");
    Provider::with_keys(server, at, sts).allow(json!({ "typ": "JWT" }), access);
}

#[test]
fn entra_several_tenants() {
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let server = AuthorizationServer::jwt_without_profile(template)
        .known_as("https://sts.windows.net/{tenantid}/")
        .tenants([TENANT, OTHER_TENANT])
        .audience(APP);
    let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy()).server(server));
    // Each tenant has its own document, and here its own key.
    bench.peer = Box::new(|request| {
        let (host, path) = (request.url.host_str().unwrap(), request.url.path());
        assert_eq!(host, "login.microsoftonline.com");
        let tenant = path.split('/').find(|part| [TENANT, OTHER_TENANT].contains(part));
        let Some(tenant) = tenant else { return Ok((404, Vec::new(), String::new())) };
        if path.ends_with("/v2.0/.well-known/openid-configuration")
            && path.starts_with(&format!("/{tenant}/"))
        {
            let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
            let keys = format!("https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys");
            return ok(json!({ "issuer": issuer, "jwks_uri": keys }).to_string());
        }
        match path.ends_with("/discovery/v2.0/keys") {
            true => ok(jwks(&[&key(if tenant == TENANT { 1 } else { 2 }).with_kid("k1")])),
            false => Ok((404, Vec::new(), String::new())),
        }
    });
    let claims = |tenant: &str, issuer: &str| {
        let issuer = issuer.replace("{tenantid}", tenant);
        json!({ "aud": APP, "iss": issuer, "tid": tenant, "scp": "mcp:use", "sub": "s", "exp": START + 60 })
    };
    let header = r#"{"alg":"ES256","kid":"k1","typ":"JWT"}"#;
    let by = |n: u8, claims: &Value| Request::list().bearer(&sign(header, &claims.to_string(), &key(n)));
    for issuer in [template, "https://sts.windows.net/{tenantid}/"] {
        for (n, tenant) in [(1, TENANT), (2, OTHER_TENANT)] {
            let grant = bench.allow(&by(n, &claims(tenant, issuer))).unwrap();
            assert_eq!(*grant.issuer, template.replace("{tenantid}", tenant));
        }
        // One tenant's key signs for no other.
        assert_eq!(bench.refuse(&by(1, &claims(OTHER_TENANT, issuer))).status, 401);
        for stranger in ["common", "{tenantid}", "11111111-2222-3333-4444-555555555555", ""] {
            let unknown = (401, Refusal::Token(TokenProblem::UnknownIssuer));
            assert_eq!(bench.why(&by(1, &claims(stranger, issuer))), unknown, "{stranger}");
        }
    }
    let document = bench.refuse(&Request::get("/.well-known/oauth-protected-resource/mcp")).json();
    let issuers = [TENANT, OTHER_TENANT].map(|tenant| template.replace("{tenantid}", tenant));
    assert_eq!(document["authorization_servers"], json!(issuers));
}

/// A custom authorization server: its audience is configured there, scopes are an array in `scp`.
#[test]
fn okta() {
    let issuer = "https://acme.okta.com/oauth2/default";
    let at = "https://acme.okta.com/.well-known/oauth-authorization-server/oauth2/default";
    let access = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": issuer, "aud": RESOURCE,
        "sub": "alice@acme.com", "cid": "nmdP1fcyvdVO11AL7ECm", "uid": "00ujmkLgag", "scp": ["openid", "mcp:use"],
        "auth_time": START,
    });
    let mut okta = Provider::with_keys(AuthorizationServer::jwt_without_profile(issuer), at, issuer);
    okta.allow(json!({}), access.clone());
    okta.allow(json!({ "typ": "application/okta-internal-at+jwt" }), access.clone());
    let id = but(&access, json!({ "cid": null, "scp": null, "at_hash": "preview_at_hash", "amr": ["pwd"] }));
    assert_eq!(okta.refuse(json!({}), id), TYPE);
    assert_eq!(okta.refuse(json!({}), but(&access, json!({ "aud": "api://default" }))), AUDIENCE);
}

/// No `aud` in access tokens, unless the client binds them to a resource.
#[test]
fn cognito() {
    let issuer = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE";
    let at = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE/.well-known/openid-configuration";
    let plain = AuthorizationServer::jwt_without_profile(issuer);
    let access = json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "cognito:groups": ["testgroup"], "iss": issuer, "version": 2,
        "client_id": "xxxxxxxxxxxxexample", "origin_jti": "o", "event_id": "e", "token_use": "access",
        "scope": "phone openid mcp:use", "auth_time": START, "jti": "j", "username": "my-test-user",
    });
    let missing = TokenProblem::Claims(ClaimsError::Missing { claim: "aud" });
    let mut closed = Provider::with_keys(plain.clone(), at, issuer);
    assert_eq!(closed.refuse(json!({}), access.clone()), missing);
    let mut cognito =
        Provider::with_keys(plain.audience_by("client_id", ["xxxxxxxxxxxxexample"]), at, issuer);
    cognito.allow(json!({}), access.clone());
    cognito.allow(json!({}), but(&access, json!({ "aud": RESOURCE, "client_id": "any" })));
    let other = but(&access, json!({ "client_id": "another" }));
    assert_eq!(cognito.refuse(json!({}), other), AUDIENCE);
    let elsewhere = but(&access, json!({ "aud": "https://other.example.com" }));
    assert_eq!(cognito.refuse(json!({}), elsewhere), AUDIENCE, "aud decides");
    let id = but(&access, json!({ "token_use": "id", "client_id": null, "aud": "xxxxxxxxxxxxexample" }));
    assert_eq!(cognito.refuse(json!({}), id), AUDIENCE);
    let id = but(&access, json!({ "token_use": "id" }));
    assert_eq!(cognito.refuse(json!({}), id), TYPE);
    assert_eq!(cognito.refuse(json!({}), but(&access, json!({ "client_id": null }))), missing);
}

/// Opaque tokens; the host asks `https://oauth2.googleapis.com/tokeninfo` and passes the answer on.
#[test]
fn google() {
    let client = "123-abc.apps.googleusercontent.com";
    let scope = "https://www.googleapis.com/auth/userinfo.email openid mcp:use";
    let info = json!({
        "azp": client, "aud": client, "sub": "110248495921238986420", "scope": scope,
        "exp": (START + 3595).to_string(), "expires_in": "3595", "email": "alice@example.com",
        "email_verified": "true", "access_type": "online",
    });
    let server = AuthorizationServer::verified_by_host("https://accounts.google.com").audience(client);
    let ask = |says: Value, config: GuardConfig| {
        let mut bench = Bench::with(config);
        bench.host = Box::new(move |token| {
            assert_eq!(token, "ya29.a0AfH6SMB");
            Some(says.to_string())
        });
        bench
    };
    let config = || GuardConfig::new(RESOURCE, policy()).server(server.clone());
    let request = Request::list().bearer("ya29.a0AfH6SMB");
    let mut google = ask(info.clone(), config());
    let grant = google.allow(&request).unwrap();
    assert_eq!(grant.expires_at_s, Some(START + 3595));
    assert_eq!(grant.subject.as_deref(), Some("110248495921238986420"));
    google.pass_s(3595 + 60);
    let expired = TokenProblem::Claims(ClaimsError::Expired);
    assert_eq!(google.why(&request), (401, Refusal::Token(expired)));
    let another = but(&info, json!({ "aud": "another.apps.googleusercontent.com" }));
    assert_eq!(ask(another, config()).why(&request), (401, Refusal::Token(AUDIENCE)));
    let error = json!({ "error": "invalid_token", "error_description": "Invalid Value" });
    assert_eq!(ask(error, config()).why(&request), (401, Refusal::Token(TokenProblem::Inactive)));
    for exp in ["soon", "-5", "+5", "1e9", "", "99999999999999999999999"] {
        let odd = but(&info, json!({ "exp": exp }));
        assert_eq!(ask(odd, config()).refuse(&request).status, 401, "{exp}");
    }
}

/// Opaque tokens; the host asks `POST /applications/{client_id}/token` and says what the answer says.
#[test]
fn github() {
    let answer = json!({
        "id": 1, "app": { "client_id": "Iv1.8a61f9b3a7aba766", "name": "MCP" }, "scopes": ["repo", "mcp:use"],
        "user": { "login": "octocat", "id": 583_231 }, "expires_at": null,
    });
    let server = AuthorizationServer::verified_by_host("https://github.com/login/oauth")
        .audience_by("/app/client_id", ["Iv1.8a61f9b3a7aba766"])
        .scopes_in(["scopes"]);
    let says = |facts: Value| {
        let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy()).server(server.clone()));
        bench.host = Box::new(move |_| Some(facts.to_string()));
        bench
    };
    let request = Request::list().bearer("gho_16C7e42F292c6912E7710c838347Ae178B4a");
    let grant = says(answer.clone()).allow(&request).unwrap();
    assert_eq!(grant.scopes.to_string(), "repo mcp:use");
    assert!(grant.claims().unwrap().raw("user").unwrap().contains("octocat"));
    let other = but(&answer, json!({ "app": { "client_id": "Iv1.another" } }));
    assert_eq!(says(other).why(&request), (401, Refusal::Token(AUDIENCE)));
    let missing = TokenProblem::Claims(ClaimsError::Missing { claim: "aud" });
    assert_eq!(says(but(&answer, json!({ "app": null }))).why(&request), (401, Refusal::Token(missing)));
}

/// `aud` is `authenticated` in all tokens of the project; the role stands for scopes. Projects of before sign with
/// a secret (HS256): the host checks those.
#[test]
fn supabase_both_key_kinds() {
    let issuer = "https://abcdefgh.supabase.co/auth/v1";
    let at = "https://abcdefgh.supabase.co/.well-known/oauth-authorization-server/auth/v1";
    let claims = json!({
        "iss": issuer, "aud": "authenticated", "sub": "123e4567", "role": "authenticated", "aal": "aal1",
        "session_id": "s", "email": "alice@example.com", "phone": "", "is_anonymous": false, "client_id": "c1",
    });
    let policy = || Policy::new().every("authenticated").unwrap();
    let named = |server: AuthorizationServer| server.audience("authenticated").scopes_in(["role"]);
    let mut bench =
        Provider::with_keys(named(AuthorizationServer::jwt_without_profile(issuer)), at, issuer).bench;
    let config = GuardConfig::new(RESOURCE, policy())
        .server(named(AuthorizationServer::jwt_without_profile(issuer)))
        .server(named(AuthorizationServer::verified_by_host(issuer)));
    bench.guard = Guard::new(config).unwrap();
    let legacy = |claims: &Value| {
        let header = json!({ "alg": "HS256", "typ": "JWT" }).to_string();
        format!("{}.{}.{}", b64(header), b64(claims.to_string()), b64("of the secret"))
    };
    let mut shown = claims.clone();
    shown["exp"] = json!(START + 3600);
    let by_secret = legacy(&shown);
    let expected = by_secret.clone();
    bench.host = Box::new(move |token| {
        // The host's library verifies it with the secret; what it says are the claims.
        (token == expected).then(|| shown.to_string())
    });
    for token in [signed(json!({ "typ": "JWT" }), claims.clone()), by_secret] {
        let grant = bench.allow(&Request::list().bearer(&token)).unwrap();
        assert_eq!((&*grant.issuer, grant.scopes.to_string()), (issuer, "authenticated".into()));
    }
    let forged = legacy(&but(&claims, json!({ "sub": "mallory" })));
    assert_eq!(bench.why(&Request::list().bearer(&forged)), (401, Refusal::Token(TokenProblem::Inactive)));
    let anonymous = signed(json!({ "typ": "JWT" }), but(&claims, json!({ "aud": "anon", "role": "anon" })));
    assert_eq!(bench.why(&Request::list().bearer(&anonymous)), (401, Refusal::Token(AUDIENCE)));
}

/// `PingOne`: the audience is that of the custom resource; `typ` is `at+jwt` or absent.
#[test]
fn ping() {
    let issuer = "https://auth.pingone.com/5caa81af-ec05-41ff-a709-c7378007a99c/as";
    let at =
        "https://auth.pingone.com/5caa81af-ec05-41ff-a709-c7378007a99c/as/.well-known/openid-configuration";
    let access = json!({
        "client_id": "3bf1c2", "iss": issuer, "jti": "j", "aud": [RESOURCE], "scope": "openid mcp:use", "sub": "f5",
        "sid": "s", "org": "o", "env": "5caa81af", "p1.rid": "r",
    });
    let mut ping = Provider::with_keys(AuthorizationServer::jwt_without_profile(issuer), at, issuer);
    ping.allow(json!({}), access.clone());
    ping.allow(json!({ "typ": "at+jwt", "x5t": "NkJCRjE" }), access.clone());
    let id = but(&access, json!({ "at_hash": "h", "scope": null, "client_id": null }));
    assert_eq!(ping.refuse(json!({}), id), TYPE);
    assert_eq!(ping.refuse(json!({}), but(&access, json!({ "aud": ["https://api.pingone.com"] }))), AUDIENCE);
}

/// Opaque tokens by introspection, or JWTs; without a requested audience `aud` is empty.
#[test]
fn hydra() {
    let issuer = "https://hydra.example.com/";
    let at = "https://hydra.example.com/.well-known/openid-configuration";
    let access = json!({
        "aud": [], "client_id": "a1b2", "ext": {}, "iss": issuer, "jti": "j", "nbf": START, "scp": ["mcp:use"],
        "sub": "foo@bar.com",
    });
    let server = AuthorizationServer::jwt_without_profile(issuer).audience_by("client_id", ["a1b2"]);
    let mut hydra = Provider::with_keys(server, at, issuer);
    hydra.allow(json!({ "typ": "JWT" }), access.clone());
    assert_eq!(hydra.refuse(json!({ "typ": "JWT" }), but(&access, json!({ "client_id": "x" }))), AUDIENCE);
    let id =
        json!({ "aud": ["a1b2"], "iss": issuer, "sub": "foo", "rat": START, "at_hash": "x", "sid": "s" });
    assert_eq!(hydra.refuse(json!({ "typ": "JWT" }), id), AUDIENCE);

    let client = Client::confidential("mcp", "s3cr3t".into(), ClientAuthMethod::SecretBasic);
    let mut server = AuthorizationServer::introspection(issuer, client).audience_by("client_id", ["a1b2"]);
    let Tokens::Introspection { endpoint, .. } = &mut server.tokens else { panic!() };
    *endpoint = Some("https://hydra.example.com/admin/oauth2/introspect".parse().unwrap());
    let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy()).server(server));
    let facts = json!({
        "active": true, "scope": "mcp:use", "client_id": "a1b2", "sub": "foo@bar.com", "exp": START + 3600,
        "iat": START, "nbf": START, "aud": [], "iss": issuer, "token_type": "Bearer", "token_use": "access_token",
    });
    let answers = [
        ("ory_at_1", facts.clone()),
        ("ory_rt_1", but(&facts, json!({ "token_use": "refresh_token" }))),
        ("ory_at_2", but(&facts, json!({ "client_id": "another" }))),
        ("ory_at_3", json!({ "active": false })),
    ];
    bench.peer = Box::new(move |request| {
        let body = request.body.expose();
        ok(answers.iter().find(|(token, _)| body.contains(token)).expect("known").1.to_string())
    });
    bench.allow(&Request::list().bearer("ory_at_1")).unwrap();
    for (token, problem) in [("ory_rt_1", TYPE), ("ory_at_2", AUDIENCE), ("ory_at_3", TokenProblem::Inactive)]
    {
        assert_eq!(bench.why(&Request::list().bearer(token)), (401, Refusal::Token(problem)), "{token}");
    }
}
