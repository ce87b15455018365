//! Signed tokens: keys, JWS, the claims of JWTs, and the profiles that OAuth makes of them.
//!
//! | what | specification | where |
//! |---|---|---|
//! | keys, sets of keys, thumbprints | RFC 7517, 7518, 7638, 8037 | [`PublicKey`], [`KeySet`], [`SigningKey`] |
//! | compact JWS | RFC 7515, 8725 | [`Jws`], [`Unsigned`] |
//! | claims | RFC 7519 | [`Claims`] |
//! | access tokens | RFC 9068 | [`AccessToken`] |
//! | ID tokens | `OpenID` Connect Core | [`IdToken`] |
//! | ID-JAG | draft-ietf-oauth-identity-assertion-authz-grant | [`IdJag`] |
//! | client assertions | RFC 7523 | [`ClientAssertion`] |
//! | `DPoP` proofs | RFC 9449 | [`dpop`] |
//!
//! # Reading a token
//!
//! Three steps, each with a type of its own, so that none can be left out: [`Jws::parse`] takes it apart,
//! [`Jws::verify_with`] checks the signature and gives a [`Trusted`], and a profile checks what it says.
//!
//! ```
//! # #[cfg(feature = "crypto")] {
//! use grantor::jose::{AccessToken, AccessTokenRules, Algorithm, Jws, JwsError, KeySet};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeySet::parse(br#"{"keys":[]}"#)?;
//! let token = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AA";
//! let jws = Jws::parse(token)?;
//! let rules = AccessTokenRules::new("https://as.example.com", &["https://mcp.example.com/mcp"]);
//! match jws.verify_with(&keys, &[Algorithm::Es256]) {
//!     Ok(trusted) => drop(AccessToken::check(trusted, &rules, 1_700_000_000)?),
//!     Err(error) => assert_eq!(error, JwsError::UnknownKey), // fetch the keys again
//! }
//! # Ok(())
//! # }
//! # main().unwrap();
//! # }
//! ```
//!
//! # Making a token
//!
//! What is to be signed is an [`Unsigned`]. A [`SigningKey`] signs it at once; for a key in a KMS or an HSM
//! its [`signing_input`](Unsigned::signing_input) goes out and the signature comes back into
//! [`assemble`](Unsigned::assemble), as r and s of fixed length for ECDSA ([`ecdsa_from_der`] converts).
//!
//! # Without the feature `crypto`
//!
//! Everything is there but [`SigningKey`] and the checking of signatures.
#![cfg_attr(not(feature = "crypto"), allow(rustdoc::broken_intra_doc_links))] // to what the feature adds
#![cfg_attr(
    feature = "crypto",
    doc = "",
    doc = "# The crypto library",
    doc = "",
    doc = "`aws-lc-rs`, for speed: signing ES256 takes a tenth, and verifying ES256 a third of the time of the",
    doc = "pure Rust `p256`; verifying RS256 an eleventh of that of `rsa`. It adds two packages where the others",
    doc = "add more than twenty. The price: `ES256`, `ES384` and `PS256` signatures made by a [`SigningKey`]",
    doc = "contain randomness that the library draws from the system by itself, so the same inputs do not give",
    doc = "the same signature. `EdDSA`, `RS256`, `RS384` and `RS512` signatures, and all else, depend on the",
    doc = "inputs alone; and a key held elsewhere leaves the choice to the host.",
    doc = "",
    doc = "A whole check of an access token with fifteen claims, from text to [`AccessToken`], takes 1.03 times",
    doc = "(ES256) and 1.14 times (RS256) the library's bare signature check with a parsed key; the crate",
    doc = "`jsonwebtoken` on the same library takes 1.07 and 1.36 times. Making a `DPoP` proof takes 1.04 times",
    doc = "its signature."
)]

mod access_token;
mod algorithm;
mod assertion;
pub(crate) mod base64url;
mod claims;
mod client_assertion;
#[cfg(feature = "crypto")]
mod crypto;
mod der;
pub mod dpop;
mod id_jag;
mod id_token;
mod jws;
mod key;
mod object;

pub use access_token::{AccessToken, AccessTokenRules};
pub use algorithm::Algorithm;
pub use assertion::{Assertion, AssertionRules};
#[cfg(feature = "crypto")]
pub(crate) use base64url::{decode as decode_base64url, encode as encode_base64url};
pub use claims::{Claims, ClaimsError, Confirmation, NumericDate};
pub use client_assertion::ClientAssertion;
#[cfg(feature = "crypto")]
pub use client_assertion::SecretTooShort;
#[cfg(feature = "crypto")]
pub(crate) use crypto::{MacKey, open, seal};
pub use der::ecdsa_from_der;
pub use id_jag::{IdJag, IdJagRules};
#[cfg(feature = "crypto")]
pub(crate) use id_token::half_hash;
pub use id_token::{IdToken, IdTokenRules};
#[cfg(feature = "crypto")]
pub(crate) use jws::encoded;
pub use jws::{Header, Jws, JwsError, Part, SignatureFormat, Trusted, Unsigned};
#[cfg(test)]
pub(crate) use key::KeySetDocument;
pub use key::{KeyError, KeyKind, KeySet, KeySetError, PublicKey};
#[cfg(feature = "crypto")]
pub use key::{SigningFailed, SigningKey};

#[cfg(test)]
#[cfg(feature = "crypto")]
mod testing;
