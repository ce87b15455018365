//! Access tokens that npm `jose` and Python `joserfc` made, good and bad, before the Guard: the checks of
//! RFC 8725, each for itself. Every bad token differs from one that is let through in one thing.
//!
//! A check is a function; `each!` makes a test of it for each counterpart: `rfc8725_2_1_alg_none::npm_jose`.

mod algorithms;
mod claims;
mod good;
mod headers;
mod issuer;
mod keys;
mod resource;
mod signatures;
mod times;

const ISSUER: &str = "https://as.example.com";
const RESOURCE: &str = "https://mcp.example.com/mcp";
const NOW: u64 = 1_800_000_000;

/// Tests of these checks, with each counterpart.
macro_rules! each {
    ($($check:ident),+ $(,)?) => {
        $(mod $check {
            #[test]
            fn npm_jose() {
                super::$check(grantor_interop::jose::Counterpart::npm_jose());
            }

            #[test]
            fn joserfc() {
                super::$check(grantor_interop::jose::Counterpart::joserfc());
            }
        })+
    };
}
use each;
