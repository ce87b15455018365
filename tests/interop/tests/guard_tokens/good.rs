//! Tokens that are let through.

use grantor::jose::{ClaimsError, Confirmation, JwsError};
use grantor::resource::AuthorizationServer;
use grantor_interop::jose::Counterpart;
use serde_json::json;

use crate::issuer::Issuer;
use crate::resource::{KEYS, METADATA, Resource};
use crate::{ISSUER, NOW, each};

each!(
    rfc7518_3_3_rs256,
    rfc7518_3_3_rs384,
    rfc7518_3_3_rs512,
    rfc7518_3_4_es256,
    rfc7518_3_4_es384,
    rfc7518_3_5_ps256,
    rfc8037_3_1_eddsa,
    rfc9864_2_2_ed25519,
    rfc7515_4_1_4_a_kid_beyond_ascii,
    rfc9068_2_1_typ_in_any_case,
    rfc9068_2_2_claims,
    rfc8725_3_11_tokens_without_a_type_where_that_is_configured,
);

fn rfc7518_3_3_rs256(other: Counterpart) {
    is_let_through(other, "RS256");
}

fn rfc7518_3_3_rs384(other: Counterpart) {
    is_let_through(other, "RS384");
}

fn rfc7518_3_3_rs512(other: Counterpart) {
    is_let_through(other, "RS512");
}

fn rfc7518_3_4_es256(other: Counterpart) {
    is_let_through(other, "ES256");
}

fn rfc7518_3_4_es384(other: Counterpart) {
    is_let_through(other, "ES384");
}

fn rfc7518_3_5_ps256(other: Counterpart) {
    is_let_through(other, "PS256");
}

fn rfc8037_3_1_eddsa(other: Counterpart) {
    is_let_through(other, "EdDSA");
}

fn rfc9864_2_2_ed25519(other: Counterpart) {
    is_let_through(other, "Ed25519");
}

fn is_let_through(other: Counterpart, algorithm: &'static str) {
    let mut issuer = Issuer::new(other, algorithm);
    let bare = issuer.keys();
    let key = issuer.key.clone();
    let full = issuer.publish(&key, &json!({ "use": "sig", "alg": algorithm, "key_ops": ["verify"] }));
    for keys in [bare, full] {
        let mut resource = Resource::trusting(&keys);
        let grant = resource.allow(&issuer.good());
        assert_eq!(&*grant.issuer, ISSUER);
        assert_eq!(grant.subject.as_deref(), Some("alice"));
        assert_eq!(grant.client_id.as_deref(), Some("c1"));
        assert_eq!(grant.scopes.to_string(), "mcp:use files:read");
        assert_eq!(grant.expires_at_s, Some(NOW + 3600));
        assert_eq!(grant.confirmation, Confirmation::None);
        assert_eq!((grant.auth_time_s, grant.acr.as_deref()), (None, None));
        resource.allow(&issuer.with_header(&json!({ "kid": null })));
        assert_eq!(resource.fetched, [METADATA, KEYS], "once");
    }
}

/// One library writes the letter itself into the header, the other escapes it.
fn rfc7515_4_1_4_a_kid_beyond_ascii(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    issuer.key["kid"] = json!("clé \"1\"");
    let mut resource = Resource::trusting(&issuer.keys());
    let named = issuer.with_header(&json!({ "kid": "clé \"1\"" }));
    resource.tell(&issuer.good(), &named, JwsError::UnknownKey);
}

fn rfc9068_2_1_typ_in_any_case(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        resource.allow(&issuer.with_header(&json!({ "typ": typ })));
    }
}

fn rfc9068_2_2_claims(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    let grant = resource.allow(&issuer.with_claims(&json!({
        "aud": ["https://x.example.com", "https://mcp.example.com/mcp"], "sub": "Ålice \"✓\" 😀",
        "auth_time": NOW - 9, "acr": "mfa", "scope": null, "scp": ["mcp:use", "a"],
        "roles": ["r"], "nothing": {},
    })));
    assert_eq!(grant.subject.as_deref(), Some("Ålice \"✓\" 😀"));
    assert_eq!((grant.auth_time_s, grant.acr.as_deref()), (Some(NOW - 9), Some("mfa")));
    assert_eq!(grant.scopes.to_string(), "mcp:use a");
    assert_eq!(grant.claims().expect("claims").raw("roles"), Some(r#"["r"]"#));
}

/// The profile is demanded unless configured otherwise; what has a type of another kind never passes.
fn rfc8725_3_11_tokens_without_a_type_where_that_is_configured(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let keys = issuer.keys();
    let untyped = issuer.with_header(&json!({ "typ": null }));
    let typed = issuer.with_header(&json!({ "typ": "dpop+jwt" }));
    let error = ClaimsError::Type;
    Resource::with(AuthorizationServer::jwt_without_profile(ISSUER), &keys).tell(&typed, &untyped, error);
    Resource::trusting(&keys).tell(&untyped, &issuer.good(), error);
}
