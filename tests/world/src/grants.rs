//! The authorization server's other grants, pushed requests, proofs, revocation.

use std::collections::{BTreeMap, BTreeSet};

use grantor::jose::dpop::{self, ProofRules};
use grantor::jose::{Algorithm, Jws, PublicKey, SigningKey, Trusted};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::authorization_server::{AuthorizationServer, pairs, refuse};
use crate::{Answered, Asked, header, pages, text, with};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What the server offers beyond codes and refresh tokens.
#[derive(Debug, Default)]
pub struct Offers {
    /// Whether it issues tokens that are bound to keys (RFC 9449).
    pub dpop: bool,
    /// The nonce that proofs have to carry.
    pub dpop_nonce: Option<String>,
    /// Whether authorization requests have to be pushed (RFC 9126).
    pub pushed_only: bool,
    /// Assertions that are good for a token (RFC 7523 2.1), each once.
    pub assertions: BTreeSet<String>,
    /// ID tokens of users who are signed on, for the identity provider's part.
    pub signed_on: BTreeSet<String>,
    /// Who this server is to identity providers: the client that they issue ID-JAGs for.
    pub jag_client: String,
    /// What the user does with a device code.
    pub device: Device,
    /// Whether tokens can be given back (RFC 7009).
    pub revocation: bool,
    /// Whether ID tokens are issued to whoever asks for `openid`.
    pub id_tokens: bool,
    pub(crate) proofs_seen: BTreeSet<String>,
    pub(crate) pushed: BTreeMap<String, BTreeMap<String, String>>,
    devices: BTreeMap<String, DeviceCode>,
    /// How many seconds apart polls have to be; 0 for what the specification has.
    pub device_interval_s: u64,
    /// How often a device code was polled.
    pub polls: u64,
}

/// What becomes of device codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The user agrees at once.
    #[default]
    Agreed,
    /// The user refuses.
    Denied,
    /// Nobody types the code in.
    Ignored,
    /// Nobody has yet, and the client is to ask less often.
    TooFast,
    /// The page for codes decides.
    AskInPage,
}

#[derive(Clone, Debug)]
struct DeviceCode {
    client: String,
    scope: String,
    resource: String,
    expires_at: u64,
    user_code: String,
    decision: Option<bool>,
}

/// The key by which the worlds' servers sign ID tokens and ID-JAGs.
///
/// # Panics
/// Never.
pub fn signing_key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, &[42; 32]).expect("32 bytes are a key")
}

/// A JWT by that key.
///
/// # Panics
/// Never.
pub fn jwt(typ: &str, claims: &Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = json!({ "alg": "EdDSA", "typ": typ }).to_string();
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = signing_key().sign(input.as_bytes()).expect("a signature");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The proof that came with a request, if it is good: the thumbprint of its key. `Ok(None)` when there is
/// none; otherwise the error code.
pub(crate) fn proven(
    request: &Asked,
    unix_s: u64,
    token: Option<(&str, &str)>,
    nonce: Option<&str>,
    seen: &mut BTreeSet<String>,
) -> Result<Option<String>, &'static str> {
    let Some(proof) = dpop::single_proof(request.headers()).map_err(|_| "invalid_dpop_proof")? else {
        return Ok(None);
    };
    let url = Url::parse(&request.uri().to_string()).map_err(|_| "invalid_dpop_proof")?;
    let nonces: Vec<&str> = nonce.into_iter().collect();
    let mut rules = ProofRules::new(request.method(), &url);
    rules.nonces = &nonces;
    if let Some((access_token, jkt)) = token {
        rules.access_token = Some(access_token);
        rules.jkt = Some(jkt);
    }
    let proof = dpop::verify(proof, &rules, unix_s).map_err(|error| match error {
        dpop::DpopError::Nonce => "use_dpop_nonce",
        _ => "invalid_dpop_proof",
    })?;
    if !seen.insert(format!("{} {}", proof.thumbprint, proof.id)) {
        return Err("invalid_dpop_proof");
    }
    Ok(Some(proof.thumbprint))
}

impl AuthorizationServer {
    /// The members of the metadata that say what is offered.
    pub(crate) fn offered(&self, document: &mut Value) {
        let at = |path: &str| format!("{}{path}", self.issuer.trim_end_matches('/'));
        if self.offers.revocation {
            document["revocation_endpoint"] = json!(at("/revoke"));
        }
        if self.offers.dpop {
            document["dpop_signing_alg_values_supported"] = json!(["ES256", "EdDSA"]);
        }
        if self.offers.pushed_only {
            document["pushed_authorization_request_endpoint"] = json!(at("/par"));
            document["require_pushed_authorization_requests"] = json!(true);
        }
        for (grant, offered) in [
            ("client_credentials", self.clients.values().any(|client| client.for_itself)),
            (JWT_BEARER, !self.offers.assertions.is_empty() || !self.offers.jag_client.is_empty()),
            (TOKEN_EXCHANGE, !self.offers.signed_on.is_empty() || self.offers.id_tokens),
        ] {
            if offered && let Some(grants) = document["grant_types_supported"].as_array_mut() {
                grants.push(json!(grant));
            }
        }
    }

    pub(crate) fn offers_devices(&self, document: &mut Value) {
        document["device_authorization_endpoint"] =
            json!(format!("{}/device", self.issuer.trim_end_matches('/')));
        if let Some(grants) = document["grant_types_supported"].as_array_mut() {
            grants.push(json!(DEVICE_CODE));
        }
    }

    /// Answers what is beyond `/authorize`, `/token` and `/register`.
    pub(crate) fn answer_more(&mut self, unix_s: u64, path: &str, request: &Asked) -> Option<Answered> {
        if path == "/activate" && self.devices {
            return Some(self.activate(request));
        }
        if *request.method() != Method::POST {
            return None;
        }
        let form = pairs(&String::from_utf8_lossy(request.body()));
        if !matches!(path, "/device" | "/par" | "/revoke") {
            return None;
        }
        let Some(client) = self.authenticate(request, &form, unix_s) else {
            return Some(refuse(StatusCode::UNAUTHORIZED, "invalid_client"));
        };
        Some(match path {
            "/device" => self.device(unix_s, &client, &form),
            "/par" => self.push(request, unix_s, &client, form),
            _ => self.revoke(&client, &form),
        })
    }

    fn push(
        &mut self,
        request: &Asked,
        unix_s: u64,
        client: &str,
        mut form: BTreeMap<String, String>,
    ) -> Answered {
        let nonce = self.offers.dpop_nonce.clone();
        if let Err(error) = proven(request, unix_s, None, nonce.as_deref(), &mut self.offers.proofs_seen) {
            return self.with_nonce(refuse(StatusCode::BAD_REQUEST, error));
        }
        form.insert("client_id".into(), client.into());
        let n = self.next();
        let reference = format!("urn:ietf:params:oauth:request_uri:{n}");
        self.offers.pushed.insert(reference.clone(), form);
        crate::json(StatusCode::CREATED, &json!({ "request_uri": reference, "expires_in": 60 }))
    }

    fn device(&mut self, unix_s: u64, client: &str, form: &BTreeMap<String, String>) -> Answered {
        let get = |name: &str| form.get(name).cloned().unwrap_or_default();
        let n = self.next();
        let code = self.name("planted-device", n);
        let page = format!("{}/activate", self.issuer.trim_end_matches('/'));
        let (scope, resource) = (get("scope"), get("resource"));
        let user_code = format!("WXYZ-{n:04}");
        let entry = DeviceCode {
            client: client.into(),
            scope,
            resource,
            expires_at: unix_s + 605,
            user_code: user_code.clone(),
            decision: None,
        };
        self.offers.devices.insert(code.clone(), entry);
        let mut body = json!({
            "device_code": code, "user_code": user_code, "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={user_code}"),
            "expires_in": 600,
        });
        if self.offers.device_interval_s > 0 {
            body["interval"] = json!(self.offers.device_interval_s);
        }
        crate::json(StatusCode::OK, &body)
    }

    /// The page for the codes of other devices: the code, then the consent.
    fn activate(&mut self, request: &Asked) -> Answered {
        let mut asked = pairs(request.uri().query().unwrap_or_default());
        asked.extend(pairs(&String::from_utf8_lossy(request.body())));
        let Some(code) = asked.get("user_code").filter(|code| !code.is_empty()) else {
            return pages::code_of_a_device("");
        };
        let typed = code.trim().to_uppercase();
        let Some(entry) = self.offers.devices.values_mut().find(|entry| entry.user_code == typed) else {
            return pages::code_of_a_device("No device shows this code. Compare it, and try again.");
        };
        if *request.method() == Method::POST {
            let agreed = asked.get("decision").is_some_and(|decision| decision == "allow");
            entry.decision = Some(agreed);
            return pages::done(if agreed { "The device is connected" } else { "The device was refused" });
        }
        let page = pages::Asked {
            client_name: self.clients.get(&entry.client).map_or("", |client| &client.name),
            client_id: &entry.client,
            resource: &entry.resource,
            scope: &entry.scope,
            redirect_uri: None,
            scopes: &self.scope_notes,
            sign_in: false,
        };
        pages::consent(&page, &[("user_code", &entry.user_code)])
    }

    fn revoke(&mut self, client: &str, form: &BTreeMap<String, String>) -> Answered {
        let token = form.get("token").cloned().unwrap_or_default();
        self.revoke_token(client, &token);
        text(StatusCode::OK, "")
    }

    /// Any other grant.
    pub(crate) fn other_grant(
        &mut self,
        unix_s: u64,
        client: &str,
        grant: &str,
        form: &BTreeMap<String, String>,
        jkt: Option<String>,
    ) -> Answered {
        let get = |name: &str| form.get(name).cloned().unwrap_or_default();
        let refused = |error| refuse(StatusCode::BAD_REQUEST, error);
        let (scope, resource) = (get("scope"), get("resource"));
        match grant {
            "client_credentials" => {
                if !self.clients.get(client).is_some_and(|client| client.for_itself) {
                    return refused("unauthorized_client");
                }
                self.issue_alone(unix_s, client, &scope, &resource, jkt)
            }
            JWT_BEARER => {
                let assertion = get("assertion");
                if !self.offers.assertions.remove(&assertion) && !self.is_good_jag(&assertion, client, unix_s)
                {
                    return refused("invalid_grant");
                }
                self.issue_alone(unix_s, client, &scope, &resource, jkt)
            }
            TOKEN_EXCHANGE => {
                if !self.is_signed_on(&get("subject_token"), client, unix_s) {
                    return refused("invalid_grant");
                }
                let n = self.next();
                let claims = json!({
                    "iss": self.issuer, "sub": "ada", "aud": get("audience"), "resource": resource,
                    "client_id": self.offers.jag_client, "jti": n.to_string(), "iat": unix_s,
                    "exp": unix_s + 300, "scope": scope,
                });
                let body = json!({
                    "access_token": jwt("oauth-id-jag+jwt", &claims), "token_type": "N_A", "expires_in": 300,
                    "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
                });
                crate::json(StatusCode::OK, &body)
            }
            DEVICE_CODE => {
                self.offers.polls += 1;
                let code = get("device_code");
                let Some(entry) = self.offers.devices.get(&code).cloned() else {
                    return refused("invalid_grant");
                };
                if entry.client != client {
                    return refused("invalid_grant");
                }
                let device = match (self.offers.device, entry.decision) {
                    (Device::AskInPage, Some(true)) => Device::Agreed,
                    (Device::AskInPage, Some(false)) => Device::Denied,
                    (Device::AskInPage, None) => Device::Ignored,
                    (device, _) => device,
                };
                match device {
                    _ if entry.expires_at <= unix_s => refused("expired_token"),
                    Device::Ignored | Device::AskInPage => refused("authorization_pending"),
                    Device::TooFast => refused("slow_down"),
                    Device::Denied => refused("access_denied"),
                    Device::Agreed => {
                        self.offers.devices.remove(&code);
                        let family = self.next();
                        self.signed_in.insert(family, unix_s);
                        self.issue(unix_s, client, &entry.scope, &entry.resource, family, jkt)
                    }
                }
            }
            _ => refused("unsupported_grant_type"),
        }
    }

    /// A token without a refresh token: whoever has it can get another in the same way.
    fn issue_alone(
        &mut self,
        unix_s: u64,
        client: &str,
        scope: &str,
        resource: &str,
        jkt: Option<String>,
    ) -> Answered {
        let family = self.next();
        let refresh_tokens = std::mem::replace(&mut self.refresh_tokens, false);
        let answer = self.issue(unix_s, client, scope, resource, family, jkt);
        self.refresh_tokens = refresh_tokens;
        answer
    }

    /// Whether a subject token stands for a user who is signed on with this client.
    fn is_signed_on(&self, token: &str, client: &str, unix_s: u64) -> bool {
        if self.offers.signed_on.contains(token) || self.holds_refresh_token(token, client) {
            return true;
        }
        let key = signing_key().public().clone();
        let Some(trusted) = Jws::parse(token).ok().and_then(|jws| jws.verify(&key, &[Algorithm::EdDsa]).ok())
        else {
            return false;
        };
        let claims: Value = serde_json::from_slice(trusted.payload()).unwrap_or_default();
        claims["iss"] == self.issuer.as_str()
            && claims["aud"] == client
            && claims["exp"].as_u64().is_some_and(|exp| exp > unix_s)
    }

    fn is_good_jag(&self, assertion: &str, client: &str, unix_s: u64) -> bool {
        let key: PublicKey = signing_key().public().clone();
        let Ok(jws) = Jws::parse(assertion) else { return false };
        if !jws.header().is_type("oauth-id-jag+jwt") {
            return false;
        }
        let Ok(trusted): Result<Trusted, _> = jws.verify(&key, &[Algorithm::EdDsa]) else { return false };
        let claims: Value = serde_json::from_slice(trusted.payload()).unwrap_or_default();
        claims["aud"] == self.issuer.as_str()
            && claims["client_id"] == client
            && claims["exp"].as_u64().is_some_and(|exp| exp > unix_s)
    }

    pub(crate) fn with_nonce(&self, answer: Answered) -> Answered {
        match &self.offers.dpop_nonce {
            Some(nonce) => with(answer, "dpop-nonce", nonce),
            None => answer,
        }
    }

    /// The client of an assertion (RFC 7523 3): its key verifies it, and it is for this server.
    pub(crate) fn asserted(&self, assertion: &str, unix_s: u64) -> Option<String> {
        let unverified: Value = {
            use base64::Engine as _;
            let payload = assertion.split('.').nth(1)?;
            let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
            serde_json::from_slice(&decoded).ok()?
        };
        let id = unverified["sub"].as_str()?;
        let key = self.clients.get(id)?.key.as_ref()?;
        Jws::parse(assertion).ok()?.verify(key, &Algorithm::ALL).ok()?;
        let good = unverified["iss"] == id
            && unverified["aud"] == self.issuer.as_str()
            && unverified["exp"].as_u64()? > unix_s
            && unverified["jti"].as_str().is_some_and(|jti| jti.len() >= 16);
        good.then(|| id.to_owned())
    }
}

/// The scheme and token of an `Authorization` header.
pub(crate) fn presented(request: &Asked) -> Option<(bool, &str)> {
    let value = header(request.headers(), "authorization")?;
    match value.split_once(' ')? {
        ("Bearer", token) => Some((false, token)),
        ("DPoP", token) => Some((true, token)),
        _ => None,
    }
}
