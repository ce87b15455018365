//! What the header says of keys, types and extensions.

use grantor::jose::{ClaimsError, JwsError};
use grantor_interop::jose::Counterpart;
use serde_json::json;

use crate::each;
use crate::issuer::Issuer;
use crate::resource::{KEYS, METADATA, Resource};

const EVIL: &str = "https://evil.example.com/keys";

each!(
    rfc8725_3_10_embedded_jwk,
    rfc8725_3_10_jku_is_never_followed,
    rfc8725_3_10_x5u_is_never_followed,
    rfc8725_3_10_kid_is_a_name_and_nothing_else,
    rfc8725_3_11_wrong_typ,
    rfc7515_4_members_that_are_there_twice,
    rfc7515_4_members_of_another_type,
    rfc7515_4_1_11_critical_extensions,
    rfc7797_3_payloads_that_are_not_encoded,
);

fn rfc8725_3_10_embedded_jwk(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let keys = issuer.keys();
    let mut resource = Resource::trusting(&keys);
    let stranger = issuer.new_key(&json!({ "alg": "ES256" }));
    let theirs = issuer.publish(&stranger, &json!({}))["keys"][0].take();
    // Signed with the key that the token brings: a stranger's, and the issuer's own.
    for (key, jwk) in [(&stranger, &theirs), (&issuer.key.clone(), &keys["keys"][0])] {
        let bad = issuer.signed_by(key, &json!({ "jwk": jwk }));
        resource.tell(&bad, &issuer.good(), JwsError::EmbeddedKey);
    }
    assert_eq!(resource.fetched, [METADATA, KEYS]);
}

fn rfc8725_3_10_jku_is_never_followed(other: Counterpart) {
    is_never_followed(other, "jku");
}

fn rfc8725_3_10_x5u_is_never_followed(other: Counterpart) {
    is_never_followed(other, "x5u");
}

/// Where the URL leads, a stranger's keys are waiting.
fn is_never_followed(other: Counterpart, member: &str) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    let stranger = issuer.new_key(&json!({ "alg": "ES256" }));
    for url in [EVIL, "https://as.example.com/other", "https://169.254.169.254/latest"] {
        resource.serve(url, &issuer.publish(&stranger, &json!({})));
        resource.serve(url, &issuer.publish(&stranger, &json!({ "kid": "k2" })));
        let known = issuer.signed_by(&stranger, &json!({ member: url }));
        let unknown = issuer.signed_by(&stranger, &json!({ member: url, "kid": "k2" }));
        let nameless = issuer.signed_by(&stranger, &json!({ member: url, "kid": null }));
        // The same with the issuer's signature: the URL is passed over.
        let good = issuer.with_header(&json!({ member: url }));
        resource.tell(&known, &good, JwsError::Signature);
        resource.tell(&unknown, &good, JwsError::UnknownKey);
        resource.tell(&nameless, &good, JwsError::Signature);
    }
    // An unknown key has the issuer's keys fetched again, once in a while: theirs, from where they were.
    assert_eq!(resource.fetched, [METADATA, KEYS, KEYS]);
    resource.pass_s(31);
    resource
        .refuse(&issuer.signed_by(&stranger, &json!({ member: EVIL, "kid": "k2" })), JwsError::UnknownKey);
    assert_eq!(resource.fetched, [METADATA, KEYS, KEYS, KEYS]);
}

fn rfc8725_3_10_kid_is_a_name_and_nothing_else(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    for kid in ["../../dev/null", "k1' OR '1'='1", "k1\0", "K1", " k1", "", EVIL] {
        let bad = issuer.with_header(&json!({ "kid": kid }));
        resource.tell(&bad, &issuer.good(), JwsError::UnknownKey);
        resource.pass_s(31);
    }
}

fn rfc8725_3_11_wrong_typ(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    for typ in [
        json!(null),
        json!("JWT"),
        json!("jwt"),
        json!("id_token+jwt"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("oauth-id-jag+jwt"),
        json!("client-authentication+jwt"),
        json!("application/jwt"),
        json!("text/at+jwt"),
        json!("at+jwt "),
        json!("at-jwt"),
        json!(""),
    ] {
        let bad = issuer.with_header(&json!({ "typ": typ }));
        resource.tell(&bad, &issuer.good(), ClaimsError::Type);
    }
}

fn rfc7515_4_members_that_are_there_twice(other: Counterpart) {
    let twice = [
        r#"{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","alg":"none"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","\u0061lg":"HS256"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","typ":"JWT"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","kid":"k1"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","x":1,"x":1}"#,
    ];
    are_refused(other, &twice, JwsError::HeaderRepeated);
}

fn rfc7515_4_members_of_another_type(other: Counterpart) {
    let malformed = [
        r#"{"alg":["RS256"],"typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"RS256","typ":["at+jwt"],"kid":"k1"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":1}"#,
        r#"["RS256"]"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1"}{}"#,
    ];
    are_refused(other, &malformed, JwsError::Header);
}

fn rfc7515_4_1_11_critical_extensions(other: Counterpart) {
    let critical = [
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","crit":["exp"],"exp":1900000000}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","crit":["b64"],"b64":true}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","crit":[]}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","crit":null}"#,
    ];
    are_refused(other, &critical, JwsError::Critical);
}

fn rfc7797_3_payloads_that_are_not_encoded(other: Counterpart) {
    let unencoded = [r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","b64":false}"#];
    are_refused(other, &unencoded, JwsError::Unencoded);
}

/// Headers that the libraries would not write, under good signatures.
fn are_refused(other: Counterpart, headers: &[&str], error: JwsError) {
    let mut issuer = Issuer::new(other, "RS256");
    let mut resource = Resource::trusting(&issuer.keys());
    let good = issuer.with_raw_header(r#"{"alg":"RS256","typ":"at+jwt","kid":"k1","x":1}"#);
    for header in headers {
        resource.tell(&issuer.with_raw_header(header), &good, error);
    }
}
