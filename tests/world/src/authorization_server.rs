//! A strict authorization server.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use grantor::jose::{PublicKey, SigningKey};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

use crate::grants::{Offers, proven};
use crate::{Answered, Asked, header, pages, text, with};

/// What the user decides at the consent page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// Nothing: a page is shown, with a form that decides.
    AskInPage,
    /// No.
    Deny,
    /// All that was asked for.
    #[default]
    Grant,
    /// Only these.
    Only(String),
    /// No, with this error.
    Refuse(String),
}

/// An authorization server with its options and all that it has issued.
#[derive(Debug, Default)]
pub struct AuthorizationServer {
    /// Its identifier; its endpoints are below.
    pub issuer: String,
    /// Members of its metadata that replace the usual ones; `null` removes.
    pub metadata: Value,
    /// Where it serves its metadata; by itself where RFC 8414 says.
    pub metadata_path: Option<String>,
    /// How long access tokens are valid, in seconds.
    pub lifetime_s: u64,
    /// What it says about that, if not the truth.
    pub expires_in: Option<u64>,
    /// When the secrets of clients expire, as it says; 0 for never.
    pub secret_expires_at: u64,
    /// Whether clients get only the scopes that they have registered, as at the MCP Python SDK's.
    pub limits_scopes: bool,
    /// Where its token endpoint is, below the issuer.
    pub token_path: String,
    /// Whether `iss` is in callbacks, and promised.
    pub iss: bool,
    /// Whether refresh tokens are issued.
    pub refresh_tokens: bool,
    /// Whether refresh tokens are used once, and their reuse revokes the grant.
    pub rotation: bool,
    /// How clients authenticate.
    pub auth_method: String,
    /// What the user decides.
    pub consent: Consent,
    /// Signs access tokens as JWTs (RFC 9068); without it they are opaque.
    pub signs: Option<SigningKey>,
    /// Its clients, by their ids.
    pub clients: BTreeMap<String, RegisteredClient>,
    /// What it offers beyond codes and refresh tokens.
    pub offers: Offers,
    /// Whether it has device codes.
    pub devices: bool,
    /// What its scopes allow, in words for the consent page.
    pub scope_notes: BTreeMap<String, String>,
    codes: BTreeMap<String, Code>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
    revoked: BTreeSet<u64>,
    /// When the user of each grant signed in.
    pub(crate) signed_in: BTreeMap<u64, u64>,
    counter: u64,
    /// Nonce and `acr` of the authorization whose code is exchanged.
    user: Option<(Option<String>, Option<String>)>,
    /// How many token requests were answered with a token.
    pub issued: u64,
    /// How often a refresh token was used twice.
    pub reuses: u64,
}

/// A client.
#[derive(Clone, Debug, Default)]
pub struct RegisteredClient {
    /// The name that it gave itself.
    pub name: String,
    /// Its secret, if it has one.
    pub secret: Option<String>,
    /// Where browsers may be sent.
    pub redirect_uris: Vec<String>,
    /// The key that verifies its assertions, if it has one.
    pub key: Option<PublicKey>,
    /// Whether it may ask for tokens of its own.
    pub for_itself: bool,
    /// The scopes that it has registered.
    pub scope: String,
}

#[derive(Clone, Debug)]
struct Code {
    client: String,
    redirect_uri: String,
    challenge: String,
    scope: String,
    resource: String,
    nonce: Option<String>,
    acr: Option<String>,
    signed_in: u64,
}

/// An access token as the resource sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its scopes, separated by spaces.
    pub scope: String,
    /// For whom it was issued.
    pub resource: String,
    /// The key that it is bound to.
    pub jkt: Option<String>,
    /// How the user proved themselves.
    pub acr: Option<String>,
    expires_at: u64,
    family: u64,
}

#[derive(Clone, Debug)]
struct Refresh {
    client: String,
    scope: String,
    resource: String,
    family: u64,
    jkt: Option<String>,
    used: bool,
}

impl AuthorizationServer {
    /// A server with dynamic registration, `iss`, rotation and tokens valid for an hour.
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.into(),
            lifetime_s: 3600,
            expires_in: None,
            secret_expires_at: 0,
            limits_scopes: false,
            token_path: "/token".into(),
            iss: true,
            refresh_tokens: true,
            rotation: true,
            auth_method: "none".into(),
            ..Self::default()
        }
    }

    /// Looks up a token.
    pub fn check(&self, token: &str, unix_s: u64) -> Option<Access> {
        let access = self.access.get(token)?;
        (access.expires_at > unix_s && !self.revoked.contains(&access.family)).then(|| access.clone())
    }

    /// Makes every access token invalid; refresh tokens stay.
    pub fn expire_access_tokens(&mut self) {
        self.access.clear();
    }

    /// Takes every grant back.
    pub fn revoke_all(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    /// Forgets every client.
    pub fn forget_clients(&mut self) {
        self.clients.clear();
    }

    /// Answers a request, if it is for this server.
    pub fn answer(&mut self, unix_s: u64, request: &Asked) -> Option<Answered> {
        let base = Url::parse(&self.issuer).ok()?;
        let prefix = base.path().trim_end_matches('/').to_owned();
        let metadata_path = self
            .metadata_path
            .clone()
            .unwrap_or_else(|| format!("/.well-known/oauth-authorization-server{prefix}"));
        let path = request.uri().path();
        if *request.method() == Method::GET && path == metadata_path {
            return Some(crate::json(StatusCode::OK, &self.document()));
        }
        match (request.method().as_str(), path.strip_prefix(&prefix)?) {
            ("POST", "/register") => Some(self.register(request)),
            ("GET", "/jwks") => Some(crate::json(StatusCode::OK, &self.keys())),
            ("GET" | "POST", "/authorize") => Some(self.authorize(unix_s, request)),
            ("POST", path) if path == self.token_path => {
                let answer = self.token(unix_s, request);
                Some(self.with_nonce(answer))
            }
            (_, path) => {
                let path = path.to_owned();
                self.answer_more(unix_s, &path, request)
            }
        }
    }

    fn document(&self) -> Value {
        let issuer = &self.issuer;
        let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "registration_endpoint": at("/register"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [self.auth_method],
        });
        if self.signs.is_some() {
            document["jwks_uri"] = json!(at("/jwks"));
        }
        self.offered(&mut document);
        if self.devices {
            self.offers_devices(&mut document);
        }
        if self.iss {
            document["authorization_response_iss_parameter_supported"] = json!(true);
        }
        for (name, value) in self.metadata.as_object().into_iter().flatten() {
            if value.is_null() {
                document.as_object_mut().map(|document| document.remove(name));
            } else {
                document[name] = value.clone();
            }
        }
        document
    }

    fn keys(&self) -> Value {
        let jwk = |key: &SigningKey| {
            let mut jwk: Value = serde_json::from_str(&key.public().to_jwk()).unwrap_or_default();
            jwk["kid"] = json!(key.public().kid());
            jwk
        };
        json!({ "keys": self.signs.iter().map(jwk).collect::<Vec<_>>() })
    }

    /// An access token: opaque, or a JWT when there is a key.
    fn access_token(
        &self,
        unix_s: u64,
        client: &str,
        scope: &str,
        resource: &str,
        family: u64,
        n: u64,
    ) -> String {
        let Some(key) = &self.signs else { return self.name("planted-access", n) };
        let header = json!({ "alg": key.algorithm().name(), "typ": "at+jwt", "kid": key.public().kid() });
        let mut claims = json!({
            "iss": self.issuer, "aud": resource, "sub": "planted-user", "client_id": client, "scope": scope,
            "jti": n.to_string(), "iat": unix_s, "exp": unix_s + self.lifetime_s,
        });
        // RFC 9470 6.1: what the resource needs to know of the user's authentication.
        if let Some(signed_in) = self.signed_in.get(&family) {
            claims["auth_time"] = json!(signed_in);
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let signature = key.sign(input.as_bytes()).expect("a signature");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A name that tells where it comes from, so that tests see when it goes elsewhere.
    pub(crate) fn name(&self, kind: &str, n: u64) -> String {
        let host = Url::parse(&self.issuer).ok().and_then(|url| Some(url.host_str()?.to_owned()));
        format!("{kind}-{n}-of-{}", host.unwrap_or_default())
    }

    fn register(&mut self, request: &Asked) -> Answered {
        let Ok(mut body) = serde_json::from_slice::<Value>(request.body()) else {
            return refuse(StatusCode::BAD_REQUEST, "invalid_client_metadata");
        };
        let uris: Vec<String> = body["redirect_uris"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(Into::into)
            .collect();
        let native = body["application_type"] == "native";
        let by_code = body["grant_types"]
            .as_array()
            .is_none_or(|grants| grants.iter().any(|grant| grant == "authorization_code"));
        if uris.is_empty() && by_code || uris.iter().any(|uri| uri.starts_with("http://") && !native) {
            return refuse(StatusCode::BAD_REQUEST, "invalid_redirect_uri");
        }
        let n = self.next();
        let scope = body["scope"].as_str().unwrap_or_default().to_owned();
        let id = self.name("client", n);
        let secret = (self.auth_method != "none").then(|| self.name("planted client/secret", n));
        let client = RegisteredClient {
            name: body["client_name"].as_str().unwrap_or_default().to_owned(),
            secret: secret.clone(),
            redirect_uris: uris,
            scope,
            ..RegisteredClient::default()
        };
        self.clients.insert(id.clone(), client);
        body["client_id"] = json!(id);
        body["token_endpoint_auth_method"] = json!(self.auth_method);
        if let Some(secret) = secret {
            body["client_secret"] = json!(secret);
            body["client_secret_expires_at"] = json!(self.secret_expires_at);
        }
        crate::json(StatusCode::CREATED, &body)
    }

    fn authorize(&mut self, unix_s: u64, request: &Asked) -> Answered {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let mut asked = pairs(&query);
        if let Some(reference) = asked.get("request_uri") {
            // RFC 9126 4: once.
            let client = asked.get("client_id").cloned();
            match self.offers.pushed.remove(reference) {
                Some(pushed) if pushed.get("client_id") == client.as_ref() => asked = pushed,
                _ => return text(StatusCode::BAD_REQUEST, "unknown request"),
            }
        } else if self.offers.pushed_only {
            return text(StatusCode::BAD_REQUEST, "requests have to be pushed");
        }
        let get = |name: &str| asked.get(name).cloned().unwrap_or_default();
        let (client, redirect_uri) = (get("client_id"), get("redirect_uri"));
        let known = match self.clients.get(&client) {
            Some(known) => known.redirect_uris.contains(&redirect_uri),
            None => client.starts_with("https://"), // a document that this server believes
        };
        if !known {
            return text(StatusCode::BAD_REQUEST, "unknown client or redirect URI");
        }
        if self.consent == Consent::AskInPage && *request.method() == Method::GET {
            return self.consent_page(&asked);
        }
        let decision = pairs(&String::from_utf8_lossy(request.body()));
        let mut back =
            Url::parse(&redirect_uri).unwrap_or_else(|_| Url::parse("https://invalid").expect("a URL"));
        let registered = self.clients.get(&client).map(|known| known.scope.clone()).unwrap_or_default();
        let scopes = get("scope");
        let unregistered = self.limits_scopes
            && scopes.split(' ').any(|scope| !registered.split(' ').any(|own| own == scope));
        let error = if get("response_type") != "code" {
            Some("unsupported_response_type".to_owned())
        } else if get("code_challenge_method") != "S256" || get("code_challenge").len() != 43 {
            Some("invalid_request".to_owned())
        } else if self.consent == Consent::Deny || decision.get("decision").is_some_and(|d| d == "deny") {
            Some("access_denied".to_owned())
        } else if unregistered {
            Some("invalid_scope".to_owned())
        } else if let Consent::Refuse(error) = &self.consent {
            Some(error.clone())
        } else {
            None
        };
        if let Some(error) = error {
            back.query_pairs_mut().append_pair("error", &error);
        } else {
            let scope = match &self.consent {
                Consent::Only(scope) => scope.clone(),
                _ => get("scope"),
            };
            let n = self.next();
            let code = self.name("planted-code", n);
            back.query_pairs_mut().append_pair("code", &code);
            let challenge = get("code_challenge");
            let code_for = Code {
                client,
                redirect_uri,
                challenge,
                scope,
                resource: get("resource"),
                nonce: asked.get("nonce").cloned(),
                acr: asked.get("acr_values").cloned(),
                signed_in: unix_s,
            };
            self.codes.insert(code, code_for);
        }
        if let Some(state) = asked.get("state") {
            back.query_pairs_mut().append_pair("state", state);
        }
        if self.iss {
            back.query_pairs_mut().append_pair("iss", &self.issuer);
        }
        with(text(StatusCode::FOUND, ""), "location", back.as_str())
    }

    fn consent_page(&self, asked: &BTreeMap<String, String>) -> Answered {
        let get = |name: &str| asked.get(name).map_or("", String::as_str);
        let page = pages::Asked {
            client_name: self.clients.get(get("client_id")).map_or("", |client| &client.name),
            client_id: get("client_id"),
            resource: get("resource"),
            scope: get("scope"),
            redirect_uri: Some(get("redirect_uri")),
            scopes: &self.scope_notes,
            sign_in: asked.contains_key("max_age"),
        };
        pages::consent(&page, &[])
    }

    fn token(&mut self, unix_s: u64, request: &Asked) -> Answered {
        let form = pairs(&String::from_utf8_lossy(request.body()));
        let Some(client) = self.authenticate(request, &form, unix_s) else {
            return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
        };
        let nonce = self.offers.dpop_nonce.clone();
        let jkt = match proven(request, unix_s, None, nonce.as_deref(), &mut self.offers.proofs_seen) {
            Ok(jkt) => jkt.filter(|_| self.offers.dpop),
            Err(error) => return refuse(StatusCode::BAD_REQUEST, error),
        };
        let get = |name: &str| form.get(name).cloned().unwrap_or_default();
        match get("grant_type").as_str() {
            "authorization_code" => {
                let Some(code) = self.codes.remove(&get("code")) else {
                    return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
                };
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(get("code_verifier")));
                if code.client != client
                    || code.redirect_uri != get("redirect_uri")
                    || code.challenge != challenge
                    || code.resource != get("resource")
                {
                    return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
                }
                let family = self.next();
                self.user = Some((code.nonce, code.acr));
                self.signed_in.insert(family, code.signed_in);
                self.issue(unix_s, &client, &code.scope, &code.resource, family, jkt)
            }
            "refresh_token" => {
                let token = get("refresh_token");
                let Some(refresh) = self.refresh.get_mut(&token) else {
                    return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
                };
                if refresh.used && self.rotation {
                    let family = refresh.family;
                    self.reuses += 1;
                    self.revoked.insert(family);
                    return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
                }
                if refresh.client != client || self.revoked.contains(&refresh.family) || refresh.jkt != jkt {
                    return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
                }
                refresh.used = true;
                let Refresh { client, scope, resource, family, .. } = refresh.clone();
                self.issue(unix_s, &client, &scope, &resource, family, jkt)
            }
            other => self.other_grant(unix_s, &client, other, &form, jkt),
        }
    }

    pub(crate) fn holds_refresh_token(&self, token: &str, client: &str) -> bool {
        self.refresh.get(token).is_some_and(|refresh| {
            refresh.client == client && !refresh.used && !self.revoked.contains(&refresh.family)
        })
    }

    /// Takes a token back, and with a refresh token its whole family.
    pub(crate) fn revoke_token(&mut self, client: &str, token: &str) {
        if let Some(refresh) = self.refresh.get(token).filter(|refresh| refresh.client == client) {
            self.revoked.insert(refresh.family);
        }
        self.access.remove(token);
    }

    pub(crate) fn issue(
        &mut self,
        unix_s: u64,
        client: &str,
        scope: &str,
        resource: &str,
        family: u64,
        jkt: Option<String>,
    ) -> Answered {
        let (nonce, acr) = self.user.take().unwrap_or_default();
        self.issued += 1;
        let n = self.next();
        let token = self.access_token(unix_s, client, scope, resource, family, n);
        let access = Access {
            scope: scope.into(),
            resource: resource.into(),
            jkt: jkt.clone(),
            acr: acr.clone(),
            expires_at: unix_s + self.lifetime_s,
            family,
        };
        self.access.insert(token.clone(), access);
        let mut body = json!({
            "access_token": token,
            "token_type": if jkt.is_some() { "DPoP" } else { "Bearer" },
            "expires_in": self.expires_in.unwrap_or(self.lifetime_s),
            "scope": scope,
        });
        if self.offers.id_tokens && scope.split(' ').any(|scope| scope == "openid") {
            let mut claims = json!({
                "iss": self.issuer, "sub": "user-1", "aud": client, "iat": unix_s, "exp": unix_s + 300,
                "auth_time": unix_s, "preferred_username": "ada",
            });
            for (claim, value) in [("nonce", nonce), ("acr", acr)] {
                if let Some(value) = value {
                    claims[claim] = json!(value);
                }
            }
            body["id_token"] = json!(crate::grants::jwt("JWT", &claims));
        }
        if self.refresh_tokens {
            let token = self.name("planted-refresh", n);
            let (client, scope, resource) = (client.into(), scope.into(), resource.into());
            self.refresh.insert(token.clone(), Refresh { client, scope, resource, family, jkt, used: false });
            body["refresh_token"] = json!(token);
        }
        with(crate::json(StatusCode::OK, &body), "cache-control", "no-store")
    }

    pub(crate) fn authenticate(
        &self,
        request: &Asked,
        form: &BTreeMap<String, String>,
        unix_s: u64,
    ) -> Option<String> {
        if let Some(assertion) = form.get("client_assertion") {
            return self.asserted(assertion, unix_s);
        }
        let basic = header(request.headers(), "authorization").and_then(|value| value.strip_prefix("Basic "));
        let (id, secret) = match basic {
            Some(basic) => {
                let decoded = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
                let (id, secret) = decoded.split_once(':')?;
                let decode = |text: &str| {
                    form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned())
                };
                (decode(id)?, decode(secret))
            }
            None => (form.get("client_id")?.clone(), form.get("client_secret").cloned()),
        };
        let method = match (&basic, &secret) {
            (Some(_), _) => "client_secret_basic",
            (None, Some(_)) => "client_secret_post",
            (None, None) => "none",
        };
        match self.clients.get(&id) {
            Some(client) if client.key.is_some() => None,
            Some(client) if client.secret == secret && method == self.auth_method => Some(id),
            None if id.starts_with("https://") && secret.is_none() => Some(id),
            _ => None,
        }
    }
}

pub(crate) fn refuse(status: StatusCode, error: &str) -> Answered {
    crate::json(status, &json!({ "error": error, "error_description": "as the specification says" }))
}

pub(crate) fn pairs(text: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}
