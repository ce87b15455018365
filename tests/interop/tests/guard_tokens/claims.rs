//! From whom, for whom, and each claim once.

use grantor::jose::{ClaimsError, JwsError};
use grantor::resource::TokenProblem;
use grantor_interop::jose::Counterpart;
use serde_json::{Value, json};

use crate::each;
use crate::issuer::{Issuer, changed, claims};
use crate::resource::Resource;

each!(
    rfc7519_4_claims_that_are_there_twice,
    rfc7519_4_1_3_audiences_of_another_type,
    rfc7519_7_2_payloads_that_are_no_object,
    rfc8725_3_3_claims_changed_after_signing,
    rfc8725_3_7_utf8_and_no_other_encoding,
    rfc8725_3_8_another_issuer,
    rfc8725_3_9_wrong_aud_that_is_a_prefix_or_goes_on,
    rfc8725_3_9_wrong_aud_of_a_subdomain_or_a_parent,
    rfc8725_3_9_wrong_aud_that_only_looks_alike,
    rfc9068_2_2_claims_that_are_missing,
);

fn rfc7519_4_claims_that_are_there_twice(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    let text = claims().to_string();
    let good = issuer.with_payload(text.clone());
    for twice in [
        r#""aud":"https://other.example.com""#,
        r#""aud":"https://mcp.example.com/mcp""#,
        r#""iss":"https://evil.example.com""#,
        r#""sub":"mallory""#,
        r#""exp":1900000000"#,
        r#""scope":"mcp:use files:write""#,
        r#""\u0061ud":"https://other.example.com""#,
        r#""x":1,"x":1"#,
    ] {
        let first = text.replacen('{', &format!("{{{twice},"), 1);
        let last = text.replacen('}', &format!(",{twice}}}"), 1);
        for payload in [first, last] {
            resource.tell(&issuer.with_payload(payload), &good, ClaimsError::Repeated);
        }
    }
}

fn rfc7519_4_1_3_audiences_of_another_type(other: Counterpart) {
    let resource = "https://mcp.example.com/mcp";
    let wrong = [json!(1), json!(true), json!({ resource: 1 }), json!([resource, 1]), json!([[resource]])];
    are_refused(other, "aud", &wrong, ClaimsError::WrongType { claim: "aud" });
}

fn rfc7519_7_2_payloads_that_are_no_object(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    let text = claims().to_string();
    let good = issuer.with_payload(text.clone());
    for payload in [format!("[{text}]"), json!(text).to_string(), format!("{text}{text}"), String::new()] {
        resource.tell(&issuer.with_payload(payload), &good, ClaimsError::Syntax);
    }
}

fn rfc8725_3_3_claims_changed_after_signing(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    let good = issuer.good();
    let more = issuer.with_claims(&json!({ "scope": "mcp:use files:write" }));
    let payload = |token: &str| token.split('.').nth(1).expect("a payload").to_owned();
    let forged = good.replace(&payload(&good), &payload(&more));
    resource.tell(&forged, &good, JwsError::Signature);
}

fn rfc8725_3_7_utf8_and_no_other_encoding(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    let text = changed(&claims(), &json!({ "sub": "é" })).to_string();
    let good = issuer.with_payload(text.as_bytes().to_vec());
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1: Vec<u8> = text.chars().map(|char| u8::try_from(char).expect("Latin-1")).collect();
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for payload in [utf16, latin1, marked] {
        resource.tell(&issuer.with_payload(payload), &good, ClaimsError::Syntax);
    }
}

fn rfc8725_3_8_another_issuer(other: Counterpart) {
    let others = [
        json!("https://as.example.com/"),
        json!("https://as.example.com.evil.example"),
        json!("https://as.example"),
        json!("https://x.as.example.com"),
        json!("https://AS.example.com"),
        json!("http://as.example.com"),
        json!(" https://as.example.com"),
        json!(""),
    ];
    are_refused(other, "iss", &others, TokenProblem::UnknownIssuer);
}

fn rfc8725_3_9_wrong_aud_that_is_a_prefix_or_goes_on(other: Counterpart) {
    let others = [
        json!("https://mcp.example.com"),
        json!("https://mcp.example.com/"),
        json!("https://mcp.example.com/m"),
        json!("https://mcp.example.com/mcp2"),
        json!("https://mcp.example.com/mcp/"),
        json!("https://mcp.example.com/mcp/x"),
        json!("https://mcp.example.com/mcp?x"),
        json!("https://mcp.example.com/mcp#x"),
        json!("https://mcp.example.com/mcp https://x.example.com"),
        json!(["https://mcp.example.com", "/mcp"]),
    ];
    are_refused(other, "aud", &others, ClaimsError::Audience);
}

fn rfc8725_3_9_wrong_aud_of_a_subdomain_or_a_parent(other: Counterpart) {
    let others = [
        json!("https://x.mcp.example.com/mcp"),
        json!("https://example.com/mcp"),
        json!("https://*.example.com/mcp"),
        json!("https://evilmcp.example.com/mcp"),
        json!("https://mcp.example.com.evil.example/mcp"),
        json!("https://mcp.example.com@evil.example/mcp"),
        json!("https://evil.example/https://mcp.example.com/mcp"),
    ];
    are_refused(other, "aud", &others, ClaimsError::Audience);
}

fn rfc8725_3_9_wrong_aud_that_only_looks_alike(other: Counterpart) {
    let others = [
        json!("http://mcp.example.com/mcp"),
        json!("https://mcp.example.com:8443/mcp"),
        json!("https://mcp.example.com/MCP"),
        json!("https://mcp.example.com/%6Dcp"),
        json!("https://user@mcp.example.com/mcp"),
        json!("https://mcp.example.com./mcp"),
        json!("mcp.example.com/mcp"),
        json!("*"),
        json!(""),
        json!("c1"),
    ];
    are_refused(other, "aud", &others, ClaimsError::Audience);
}

fn rfc9068_2_2_claims_that_are_missing(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        let bad = issuer.with_claims(&json!({ claim: null }));
        resource.tell(&bad, &issuer.good(), ClaimsError::Missing { claim });
        // There, and `null`.
        let without = changed(&claims(), &json!({ claim: null })).to_string();
        let null = without.replacen('{', &format!("{{\"{claim}\":null,"), 1);
        resource.tell(&issuer.with_payload(null), &issuer.good(), ClaimsError::Missing { claim });
    }
}

/// Good tokens but for these values of this claim.
fn are_refused(other: Counterpart, claim: &str, values: &[Value], problem: impl Into<TokenProblem>) {
    let problem = problem.into();
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    for value in values {
        let bad = issuer.with_claims(&json!({ claim: value }));
        resource.tell(&bad, &issuer.good(), problem);
    }
}
