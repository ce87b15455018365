//! `exp`, `nbf` and `iat`, with a minute's leeway for clocks.

use grantor::jose::ClaimsError;
use grantor::resource::TokenProblem;
use grantor_interop::jose::Counterpart;
use serde_json::{Value, json};

use crate::issuer::{Issuer, claims};
use crate::resource::Resource;
use crate::{NOW, each};

const TIMES: [&str; 3] = ["exp", "nbf", "iat"];

each!(
    rfc7519_2_huge_times,
    rfc7519_2_numbers_beyond_json_and_doubles,
    rfc7519_2_strings_instead_of_times,
    rfc7519_2_fractions_of_seconds,
    rfc7519_4_1_4_negative_exp,
    rfc7519_4_1_4_exp_that_is_over,
    rfc7519_4_1_5_nbf_still_to_come,
    rfc7519_4_1_6_iat_in_the_future,
);

/// In milliseconds, or such that a sum overflows.
fn rfc7519_2_huge_times(other: Counterpart) {
    let mut bench = Bench::new(other);
    for claim in TIMES {
        for huge in [
            json!((NOW + 3600) * 1000),
            json!(253_402_300_800_u64), // the year 10000
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1e19),
            json!(1e300),
            json!(f64::MAX),
        ] {
            bench.refuse(&json!({ claim: huge }), ClaimsError::TimeRange { claim });
        }
    }
    bench.allow(&json!({ "exp": 253_402_300_799_u64 }), 253_402_300_799);
}

fn rfc7519_2_numbers_beyond_json_and_doubles(other: Counterpart) {
    let mut bench = Bench::new(other);
    let exp = format!("\"exp\":{}", NOW + 3600);
    let with = |number: &str| claims().to_string().replacen(&exp, &format!("\"exp\":{number}"), 1);
    let good = bench.issuer.with_payload(with("1.80000360e9"));
    for (number, error) in [
        ("1e999", ClaimsError::WrongType { claim: "exp" }),
        ("Infinity", ClaimsError::Syntax),
        ("NaN", ClaimsError::Syntax),
        ("0x6b49d200", ClaimsError::Syntax),
        ("01800003600", ClaimsError::Syntax),
        ("+1800003600", ClaimsError::Syntax),
        ("18446744073709551616", ClaimsError::TimeRange { claim: "exp" }),
        ("-18446744073709551616", ClaimsError::Expired),
    ] {
        let bad = bench.issuer.with_payload(with(number));
        bench.resource.tell(&bad, &good, error);
    }
}

fn rfc7519_2_strings_instead_of_times(other: Counterpart) {
    let mut bench = Bench::new(other);
    for claim in TIMES {
        for wrong in [
            json!((NOW - 1).to_string()),
            json!((NOW + 3600).to_string()),
            json!("2030-01-01T00:00:00Z"),
            json!("1h"),
            json!(""),
            json!(true),
            json!(false),
            json!([NOW]),
            json!({}),
        ] {
            bench.refuse(&json!({ claim: wrong }), ClaimsError::WrongType { claim });
        }
    }
}

/// They are numbers like others: before `exp`, it is early; before `nbf`, it is too early.
fn rfc7519_2_fractions_of_seconds(other: Counterpart) {
    let mut bench = Bench::new(other);
    bench.allow(&json!({ "exp": 1_800_003_600.0 }), NOW + 3600);
    bench.allow(&json!({ "exp": 1_799_999_941.5 }), NOW - 59);
    bench.refuse(&json!({ "exp": 1_799_999_940.5 }), ClaimsError::Expired);
    bench.allow(&json!({ "nbf": 1_800_000_059.5 }), NOW + 3600);
    bench.refuse(&json!({ "nbf": 1_800_000_060.5 }), ClaimsError::NotYetValid);
    bench.allow(&json!({ "iat": 1_799_999_999.999 }), NOW + 3600);
    bench.refuse(&json!({ "iat": 1_800_000_061.5 }), ClaimsError::IssuedInFuture);
}

fn rfc7519_4_1_4_negative_exp(other: Counterpart) {
    let mut bench = Bench::new(other);
    for negative in [json!(-1), json!(-0.5), json!(i64::MIN), json!(-1e300), json!(-1_800_003_600)] {
        bench.refuse(&json!({ "exp": negative }), ClaimsError::Expired);
        // Long ago is a good time for the others.
        bench.allow(&json!({ "nbf": negative, "iat": negative }), NOW + 3600);
    }
}

fn rfc7519_4_1_4_exp_that_is_over(other: Counterpart) {
    let mut bench = Bench::new(other);
    for over in [0, 1, NOW - 3600, NOW - 60] {
        bench.refuse(&json!({ "exp": over }), ClaimsError::Expired);
    }
    bench.allow(&json!({ "exp": NOW - 59 }), NOW - 59);
}

fn rfc7519_4_1_5_nbf_still_to_come(other: Counterpart) {
    let mut bench = Bench::new(other);
    bench.refuse(&json!({ "nbf": NOW + 61 }), ClaimsError::NotYetValid);
    bench.allow(&json!({ "nbf": NOW + 60 }), NOW + 3600);
}

fn rfc7519_4_1_6_iat_in_the_future(other: Counterpart) {
    let mut bench = Bench::new(other);
    bench.refuse(&json!({ "iat": NOW + 61 }), ClaimsError::IssuedInFuture);
    bench.allow(&json!({ "iat": NOW + 60 }), NOW + 3600);
}

struct Bench {
    issuer: Issuer,
    resource: Resource,
}

impl Bench {
    fn new(other: Counterpart) -> Self {
        let mut issuer = Issuer::new(other, "ES256");
        let resource = Resource::trusting(&issuer.keys());
        Self { issuer, resource }
    }

    /// With these claims the token is refused, and without them let through.
    fn refuse(&mut self, changes: &Value, problem: impl Into<TokenProblem>) {
        let bad = self.issuer.with_claims(changes);
        self.resource.tell(&bad, &self.issuer.good(), problem);
    }

    /// With these claims the token is let through, and expires then.
    fn allow(&mut self, changes: &Value, expires_at_s: u64) {
        let grant = self.resource.allow(&self.issuer.with_claims(changes));
        assert_eq!(grant.expires_at_s, Some(expires_at_s), "{changes}");
    }
}
