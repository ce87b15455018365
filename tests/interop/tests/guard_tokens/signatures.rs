//! Signatures that are none: the counterpart's own, altered in precisely one part.

use grantor::jose::{JwsError, Part};
use grantor_interop::jose::Counterpart;
use serde_json::json;

use crate::each;
use crate::issuer::Issuer;
use crate::resource::Resource;

/// The orders of the groups (SEC 2): r and s are below.
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const P384_ORDER: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf\
                          581a0db248b0a77aecec196accc52973";

each!(
    rfc7518_3_4_es256_r_and_s_out_of_range,
    rfc7518_3_4_es384_r_and_s_out_of_range,
    rfc7518_3_4_es256_r_and_s_of_another_length,
    rfc7518_3_4_es384_r_and_s_of_another_length,
    rfc7518_3_4_es256_r_and_s_in_der,
    rfc7518_3_4_r_and_s_keep_their_leading_zeros,
    rfc7518_3_3_rs256_signatures_of_another_length,
    rfc7518_3_5_ps256_signatures_of_another_length,
    rfc6750_2_1_letters_that_no_token_has,
    rfc7515_2_base64url_in_one_way,
    rfc8725_3_3_signed_by_a_stranger,
);

fn rfc7518_3_4_es256_r_and_s_out_of_range(other: Counterpart) {
    are_in_range(other, "ES256", P256_ORDER);
}

fn rfc7518_3_4_es384_r_and_s_out_of_range(other: Counterpart) {
    are_in_range(other, "ES384", P384_ORDER);
}

fn are_in_range(other: Counterpart, algorithm: &'static str, order: &str) {
    let mut bench = Bench::new(other, algorithm);
    let (r, s) = bench.halves();
    let order = hex(order);
    let zero = vec![0; order.len()];
    let ones = vec![0xff; order.len()];
    let mut one = zero.clone();
    one[order.len() - 1] = 1;
    // Zeros for both are what a verifier accepts that divides without looking.
    for (r, s) in [
        (&zero, &zero),
        (&zero, &s),
        (&r, &zero),
        (&order, &s),
        (&r, &order),
        (&order, &order),
        (&order, &zero),
        (&zero, &order),
        (&ones, &s),
        (&r, &ones),
        (&ones, &ones),
        (&one, &one),
        (&one, &s),
        (&s, &r),
    ] {
        bench.refuse(&[&r[..], s].concat());
    }
}

fn rfc7518_3_4_es256_r_and_s_of_another_length(other: Counterpart) {
    are_of_one_length(other, "ES256");
}

fn rfc7518_3_4_es384_r_and_s_of_another_length(other: Counterpart) {
    are_of_one_length(other, "ES384");
}

fn are_of_one_length(other: Counterpart, algorithm: &'static str) {
    let mut bench = Bench::new(other, algorithm);
    let (r, s) = bench.halves();
    let len = r.len();
    for bad in [
        [&r[..], &s[..len - 1]].concat(),
        [&r[1..], &s].concat(),
        [&r[..], &s, &[0]].concat(),
        [&[0], &r[..], &s].concat(),
        [&[0], &r[..], &[0], &s].concat(),
        [&r[..], &s, &r, &s].concat(),
        r.clone(),
        vec![0],
        Vec::new(),
    ] {
        bench.refuse(&bad);
    }
}

/// As X.509 has it, and JWS not.
fn rfc7518_3_4_es256_r_and_s_in_der(other: Counterpart) {
    let mut bench = Bench::new(other, "ES256");
    let header = bench.issuer.header().to_string();
    let der = bench.issuer.with_raw_header(&header);
    let (input, signature) = der.rsplit_once('.').expect("a signature");
    let same = raw_of(&bench.issuer.decode(signature));
    let same = bench.issuer.encode(&same);
    bench.resource.tell(&der, &format!("{input}.{same}"), JwsError::Signature);
}

/// r and s of an `ECDSA-Sig-Value` for P-256 (RFC 3279 2.2.3).
fn raw_of(der: &[u8]) -> Vec<u8> {
    let (r, s) = der[4..].split_at(usize::from(der[3]));
    let halves = [r, &s[2..]].map(|number| {
        let padded = [&[0; 32], number].concat();
        padded[padded.len() - 32..].to_vec()
    });
    halves.concat()
}

fn rfc7518_3_4_r_and_s_keep_their_leading_zeros(other: Counterpart) {
    let mut bench = Bench::new(other, "ES256");
    // One signature in 256 has an r that begins with a zero: `AA` to `AP`.
    let begins_with_zero = |token: &str| {
        let signature = token.rsplit_once('.').expect("a signature").1.as_bytes();
        signature[0] == b'A' && (b'A'..=b'P').contains(&signature[1])
    };
    let mut signatures = (0..20_000).map(|n| bench.issuer.with_claims(&json!({ "jti": n.to_string() })));
    bench.good = signatures.find(|token| begins_with_zero(token)).expect("one in 256");
    let (r, s) = bench.halves();
    assert_eq!(r[0], 0);
    bench.refuse(&[&r[1..], &s].concat());
    bench.refuse(&[&r[1..], &[0], &s].concat());
}

fn rfc7518_3_3_rs256_signatures_of_another_length(other: Counterpart) {
    are_as_long_as_the_modulus(other, "RS256");
}

fn rfc7518_3_5_ps256_signatures_of_another_length(other: Counterpart) {
    are_as_long_as_the_modulus(other, "PS256");
}

fn are_as_long_as_the_modulus(other: Counterpart, algorithm: &'static str) {
    let mut bench = Bench::new(other, algorithm);
    let (first, second) = bench.halves();
    let whole = [first, second].concat();
    assert_eq!(whole.len(), 256);
    for bad in [
        [&whole[..], &[0]].concat(),
        [&[0], &whole[..]].concat(),
        whole[..255].to_vec(),
        whole[1..].to_vec(),
        vec![0; 256],
        vec![0xff; 256],
        [&[0; 255][..], &[1]].concat(),
        Vec::new(),
    ] {
        bench.refuse(&bad);
    }
}

/// Without padding, in one alphabet, and with no bits left over: a token has one text.
fn rfc7515_2_base64url_in_one_way(other: Counterpart) {
    let mut bench = Bench::new(other, "ES256");
    let good = bench.good.clone();
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("{good}") };
    // 64 octets leave four bits of the last letter unused: zeros.
    let (rest, last) = signature.split_at(signature.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    for (bad, part) in [
        (format!("{header}+.{payload}.{signature}"), Part::Header),
        (format!("{header}.{payload}/.{signature}"), Part::Payload),
        (format!("{good}+"), Part::Signature),
        (format!("{good}=="), Part::Signature),
        (format!("{header}.{payload}.{rest}{next}"), Part::Signature),
    ] {
        bench.resource.tell(&bad, &good, JwsError::Base64 { part });
    }
}

/// What is no token by its letters is a malformed request, not a bad token.
fn rfc6750_2_1_letters_that_no_token_has(other: Counterpart) {
    let mut bench = Bench::new(other, "ES256");
    let good = bench.good.clone();
    let padded = good.replacen('.', "==.", 1);
    for malformed in [padded, format!("{good} {good}"), format!("{good},x"), format!("\"{good}\"")] {
        bench.resource.malformed(&malformed);
        bench.resource.allow(&good);
    }
}

fn rfc8725_3_3_signed_by_a_stranger(other: Counterpart) {
    let mut bench = Bench::new(other, "ES256");
    let stranger = bench.issuer.new_key(&json!({ "alg": "ES256" }));
    let bad = bench.issuer.signed_by(&stranger, &json!({}));
    bench.resource.tell(&bad, &bench.good, JwsError::Signature);
}

struct Bench {
    issuer: Issuer,
    resource: Resource,
    good: String,
}

impl Bench {
    fn new(other: Counterpart, algorithm: &'static str) -> Self {
        let mut issuer = Issuer::new(other, algorithm);
        let resource = Resource::trusting(&issuer.keys());
        let good = issuer.good();
        Self { issuer, resource, good }
    }

    /// The signature's: r and s, where it is one of ECDSA.
    fn halves(&mut self) -> (Vec<u8>, Vec<u8>) {
        let (_, text) = self.good.rsplit_once('.').expect("a signature");
        let octets = self.issuer.decode(text);
        let (first, second) = octets.split_at(octets.len() / 2);
        (first.to_vec(), second.to_vec())
    }

    /// With this signature the good token is refused, and with its own let through.
    fn refuse(&mut self, signature: &[u8]) {
        let encoded = self.issuer.encode(signature);
        let (input, _) = self.good.rsplit_once('.').expect("a signature");
        self.resource.tell(&format!("{input}.{encoded}"), &self.good, JwsError::Signature);
    }
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}
