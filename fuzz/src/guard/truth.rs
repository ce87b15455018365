//! What was really signed and said, and what may be allowed by that.

use std::collections::{BTreeMap, BTreeSet};

use grantor::Now;
use grantor::jose::Confirmation;
use grantor::resource::{Answer, Grant};
use http::header::AUTHORIZATION;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::made::{self, Jwt, Proof};
use super::request::Request;
use super::rules::Op;
use super::setup::{ALIAS, CLIENT, ISSUERS, Kind, LEEWAY_S, OTHER_NAME, PUBLIC_PATH, RESOURCE, START, Setup};

#[derive(Default)]
pub(super) struct Truth {
    pub(super) jwts: Vec<Jwt>,
    /// The keys in the last set of each server.
    pub(super) keys: [Vec<usize>; 2],
    /// When any such set came last.
    pub(super) keys_at_ms: Option<u64>,
    /// What was said last of a token, and when.
    pub(super) said: BTreeMap<String, (Option<String>, u64)>,
    pub(super) proofs: Vec<Proof>,
    /// When each nonce was handed out, in units of its lifetime.
    pub(super) nonces: BTreeMap<String, u64>,
    /// Proofs that were accepted: by key, `jti`, and when they were made.
    used: BTreeSet<(usize, String, u64)>,
    /// The latest time there was: clocks may go back.
    pub(super) latest_s: u64,
}

/// How long a nonce is handed out.
pub(super) const NONCE_S: u64 = 300;

impl Truth {
    pub(super) fn new() -> Self {
        Self { latest_s: START, ..Self::default() }
    }

    /// Without a token: only what is public.
    pub(super) fn allowed_without(&self, request: &Request, ops: Option<&[Op]>, setup: &Setup) {
        if request.target.path() == PUBLIC_PATH {
            return;
        }
        assert!(request.credentials().is_empty(), "a token that is sent is checked");
        assert!(!request.has_token_in_query());
        let ops = ops.expect("a request that is read");
        assert!(ops.iter().all(|op| setup.table.is_public(op)), "public: {ops:?}");
    }

    /// With one: all that must be so.
    pub(super) fn allowed(
        &mut self,
        grant: &Grant,
        request: &Request,
        ops: Option<&[Op]>,
        setup: &Setup,
        now: Now,
    ) {
        assert!(!request.has_token_in_query());
        assert_eq!(request.headers.get_all(AUTHORIZATION).iter().count(), 1);
        let credentials = request.credentials();
        let [(scheme, token)] = &credentials[..] else { panic!("a token") };
        let token = std::str::from_utf8(token).expect("text");
        let server = ISSUERS.iter().position(|issuer| **issuer == *grant.issuer).expect("a server");
        let members = match setup.kinds[server] {
            Kind::Jwt => self.signed(token, server, setup, now),
            Kind::Introspection | Kind::Host => self.told(token, server, setup, now),
        };
        agrees(grant, &members, server, setup);
        let scopes: BTreeSet<String> = grant.scopes.iter().map(str::to_owned).collect();
        for op in ops.expect("a request that is read") {
            assert!(setup.table.is_met(&scopes, op), "{op:?} with {scopes:?}");
        }
        let ops = ops.expect("a request that is read");
        assert!(is_authenticated(&members, ops, setup, now), "{ops:?} by {members:?}");
        match &grant.confirmation {
            Confirmation::None => assert!(scheme == "bearer" && !setup.bound_only),
            Confirmation::Jkt(jkt) => {
                assert_eq!(scheme, "dpop");
                self.proven(jkt, token, request, setup, now);
            }
            other => panic!("{other:?} is checked by nobody"),
        }
    }

    /// A JWT by a key that its issuer has, which says what it must.
    fn signed(&self, token: &str, server: usize, setup: &Setup, now: Now) -> BTreeMap<String, Value> {
        let jwt = self.jwts.iter().find(|jwt| jwt.text == token).expect("made here");
        assert!(self.keys[server].contains(&jwt.key), "signed by a key of the issuer");
        let (header, claims) = (members(&jwt.header), members(&jwt.claims));
        assert!(is_named(&claims["iss"], server, setup));
        assert!(number(claims.get("exp")).is_some(), "it expires");
        self.holds(&claims, setup, now, number);
        if setup.strict {
            let typ = header["typ"].as_str().expect("text").to_ascii_lowercase();
            assert_eq!(typ.strip_prefix("application/").unwrap_or(&typ), "at+jwt");
            for name in ["sub", "client_id", "jti"] {
                assert!(claims[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
            }
            assert!(number(claims.get("iat")).is_some());
        } else {
            is_access_token(&header, &claims);
        }
        assert!(!audiences(&claims).is_empty() || is_by_client(&claims, server, setup));
        claims
    }

    /// A token that its server, or the host, says is active.
    fn told(&self, token: &str, server: usize, setup: &Setup, now: Now) -> BTreeMap<String, Value> {
        let (json, at_ms) = &self.said[token];
        let facts = members(json.as_ref().expect("active"));
        assert!(now.mono_ms < at_ms + setup.cache_s.max(1) * 1000, "it is believed for a bounded time");
        assert!(facts.get("iss").is_none_or(|issuer| issuer.is_null() || is_named(issuer, server, setup)));
        if setup.kinds[server] == Kind::Introspection || facts.contains_key("active") {
            assert_eq!(facts["active"], true);
        }
        is_access_token(&BTreeMap::new(), &facts);
        let by_claims = setup.by_claims && server == 0;
        let by_client = is_by_client(&facts, server, setup);
        assert!(!(setup.strict || by_claims) || !audiences(&facts).is_empty() || by_client);
        self.holds(&facts, setup, now, number_or_digits);
        if let Some(kind) = facts.get("token_type").filter(|kind| !kind.is_null()) {
            let kind = kind.as_str().expect("text").to_ascii_lowercase();
            assert!(matches!(&*kind, "bearer" | "dpop" | "access_token"), "{kind}");
            assert!(kind != "dpop" || facts.get("cnf").is_some_and(|cnf| !cnf.is_null()));
        }
        facts
    }

    fn holds(
        &self,
        claims: &BTreeMap<String, Value>,
        setup: &Setup,
        now: Now,
        number: fn(Option<&Value>) -> Option<f64>,
    ) {
        let audiences = audiences(claims);
        let ours = |audience: &&str| {
            *audience == RESOURCE
                || setup.alias && *audience == ALIAS
                || Url::parse(audience).is_ok_and(|url| url.as_str() == RESOURCE)
        };
        assert!(audiences.is_empty() || audiences.iter().any(|audience| ours(&audience.as_str())));
        let leeway = LEEWAY_S as f64;
        // Fractions of a second count for nothing.
        let expires = number(claims.get("exp"));
        assert!(expires.is_none_or(|at| at + leeway > now.unix_s as f64), "{expires:?} at {}", now.unix_s);
        let begins = number(claims.get("nbf"));
        assert!(begins.is_none_or(|at| at <= self.latest_s as f64 + leeway), "{begins:?}");
        let issued = number(claims.get("iat"));
        assert!(issued.is_none_or(|at| at.floor() <= self.latest_s as f64 + leeway), "{issued:?}");
    }

    /// RFC 9449 4.3, 11.1: a proof that was made for this request, by the key, and never used.
    fn proven(&mut self, jkt: &str, token: &str, request: &Request, setup: &Setup, now: Now) {
        let mut lines = request.headers.get_all("dpop").iter();
        let sent = lines.next().expect("a proof").as_bytes();
        assert_eq!(lines.next(), None);
        let proof = self.proofs.iter().find(|proof| proof.text.as_bytes() == sent).expect("made here");
        assert_eq!(made::thumbprint(proof.key), jkt);
        assert_eq!(proof.method, request.method.as_str());
        let url = Url::parse(proof.url).expect("a URL");
        assert_eq!((url.host_str(), url.path()), (Some("mcp.example.com"), request.target.path()));
        assert_eq!(proof.token.as_deref(), Some(token));
        assert!(proof.issued_at_s <= now.unix_s + LEEWAY_S && now.unix_s <= proof.issued_at_s + 300);
        if setup.nonces {
            let at = self.nonces[proof.nonce.as_ref().expect("a nonce")];
            assert!(at == now.unix_s / NONCE_S || at + 1 == now.unix_s / NONCE_S, "{at}");
        }
        let good_still = |at: u64| at + 300 >= self.latest_s;
        // Where there is room for few, another proof with the same `jti` may pass, which only the key makes.
        let same = |(key, id, at): &&(usize, String, u64)| {
            *key == proof.key && *id == proof.id && (*at == proof.issued_at_s || setup.has_room_for_proofs())
        };
        let before = self.used.iter().find(same);
        assert!(before.is_none_or(|(_, _, at)| !good_still(*at)), "each proof once: {proof:?}");
        self.used.insert((proof.key, proof.id.clone(), proof.issued_at_s));
    }

    /// What a token says that was made or told of here, if that is easily said.
    pub(super) fn members_of(&self, request: &Request) -> Option<BTreeMap<String, Value>> {
        let credentials = request.credentials();
        let [(_, token)] = &credentials[..] else { return None };
        let token = std::str::from_utf8(token).ok()?;
        Some(match self.jwts.iter().find(|jwt| jwt.text == token) {
            Some(jwt) if !self.said.contains_key(token) => members(&jwt.claims),
            _ => members(self.said.get(token)?.0.as_ref()?),
        })
    }
}

/// RFC 9470: whether the user authenticated as all these demand.
pub(super) fn is_authenticated(
    members: &BTreeMap<String, Value>,
    ops: &[Op],
    setup: &Setup,
    now: Now,
) -> bool {
    let (max_age_s, acr) = setup.table.authentication(ops);
    let auth_time_s = number(members.get("auth_time"));
    let fresh = |age: u64| auth_time_s.is_some_and(|at| at + (age + LEEWAY_S) as f64 >= now.unix_s as f64);
    let own = members.get("acr").and_then(Value::as_str);
    max_age_s.is_none_or(fresh) && acr.is_none_or(|acr| own.is_some_and(|own| acr.contains(&own)))
}

/// What the host is told of the token is what the token says.
fn agrees(grant: &Grant, members: &BTreeMap<String, Value>, server: usize, setup: &Setup) {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    assert_eq!(grant.subject.as_deref(), text("sub"));
    assert!(grant.client_id.as_deref() == text("client_id").or(text("azp")) || text("client_id").is_none());
    assert_eq!(grant.acr.as_deref(), text("acr"));
    assert_eq!(
        grant.scopes.iter().map(str::to_owned).collect::<BTreeSet<_>>(),
        scopes(members, server, setup)
    );
    let seconds = number_or_digits(members.get("exp")).map(|at| at.floor().max(0.0));
    assert!(match (grant.expires_at_s, seconds) {
        (Some(own), Some(at)) => (own as f64 - at).abs() <= 1.0,
        (own, at) => own.is_none() && at.is_none(),
    });
    let bound = members.get("cnf").is_some_and(|cnf| !cnf.is_null());
    assert_eq!(grant.confirmation != Confirmation::None, bound);
    if let Confirmation::Jkt(jkt) = &grant.confirmation {
        assert_eq!(members["cnf"]["jkt"], **jkt);
    }
    let claims = grant.claims().expect("read before");
    assert_eq!(claims.raw("sub").is_some(), text("sub").is_some());
}

/// The members of an object; those that `serde_json` has no value for are `null`.
fn members(json: &str) -> BTreeMap<String, Value> {
    let raw: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).expect("an object");
    raw.into_iter().map(|(name, raw)| (name, serde_json::from_str(raw.get()).unwrap_or_default())).collect()
}

fn number(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64)
}

/// In what servers and hosts say, seconds may be a string.
fn number_or_digits(value: Option<&Value>) -> Option<f64> {
    match value {
        Some(Value::String(text)) => Some(text.parse::<u64>().expect("digits") as f64),
        value => number(value),
    }
}

/// Nothing that only ID tokens, log-out tokens and refresh tokens say (RFC 8725 3.11, 3.12).
fn is_access_token(header: &BTreeMap<String, Value>, claims: &BTreeMap<String, Value>) {
    if let Some(typ) = header.get("typ").filter(|typ| !typ.is_null()) {
        let typ = typ.as_str().expect("text").to_ascii_lowercase();
        let known = ["", "at+jwt", "jwt", "jose", "bearer", "access_token"];
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        assert!(known.contains(&typ) || typ.ends_with("-at+jwt"), "{typ}");
    }
    for name in ["at_hash", "c_hash", "s_hash", "events", "token_introspection"] {
        assert!(!claims.contains_key(name), "{name}");
    }
    let kind = |name: &str| {
        let kind = claims.get(name).filter(|kind| !kind.is_null())?;
        Some(kind.as_str().expect("text").to_ascii_lowercase())
    };
    let bearer = matches!(kind("typ").as_deref(), Some("bearer" | "dpop"));
    assert!(bearer || !claims.contains_key("nonce"));
    let known = ["bearer", "dpop", "jwt", "at+jwt", "access", "access_token"];
    assert!(kind("typ").is_none_or(|kind| known.contains(&&*kind)));
    assert!(kind("token_use").is_none_or(|kind| ["access", "access_token"].contains(&&*kind)));
}

fn texts(value: &Value) -> Vec<String> {
    let many = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    many.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn audiences(claims: &BTreeMap<String, Value>) -> Vec<String> {
    claims.get("aud").map(texts).unwrap_or_default()
}

/// Whether a server goes by this name.
fn is_named(issuer: &Value, server: usize, setup: &Setup) -> bool {
    *issuer == ISSUERS[server] || setup.by_claims && server == 0 && *issuer == OTHER_NAME
}

/// Whether the client stands for the resource.
fn is_by_client(claims: &BTreeMap<String, Value>, server: usize, setup: &Setup) -> bool {
    setup.by_claims
        && server == 0
        && claims.get("client_id").is_some_and(|client| texts(client).contains(&CLIENT.into()))
}

/// What a scope can be made of (RFC 6749 3.3); other words are names of something else.
fn is_scope(word: &str) -> bool {
    let is_char = |byte: u8| matches!(byte, 0x21..=0x7e) && byte != b'"' && byte != b'\\';
    (1..=256).contains(&word.len()) && word.bytes().all(is_char)
}

/// Which server a good token is from, by the report of its refusal.
pub(super) fn server_of(answer: &Answer) -> usize {
    let issuer = answer.report.as_ref().and_then(|report| report.issuer.as_ref()).expect("a good token");
    ISSUERS.iter().position(|own| issuer == own).expect("a server")
}

/// What a token of this server grants.
pub(super) fn scopes(claims: &BTreeMap<String, Value>, server: usize, setup: &Setup) -> BTreeSet<String> {
    if setup.by_claims && server == 0 {
        let named = [claims.get("roles"), claims.get("scope")];
        let words = |value: &Value| match value {
            Value::String(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
            value => texts(value),
        };
        return named.into_iter().flatten().flat_map(words).filter(|word| is_scope(word)).collect();
    }
    let value = claims.get("scope").filter(|value| !value.is_null()).or(claims.get("scp"));
    let all = match value {
        Some(Value::String(text)) => text.split(' ').map(str::to_owned).collect(),
        Some(value) => texts(value),
        None => Vec::new(),
    };
    all.into_iter().filter(|scope| !scope.is_empty()).collect()
}
