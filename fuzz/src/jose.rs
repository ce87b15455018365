//! Tokens, keys and proofs.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::dpop::{self, ProofRules};
use grantor::jose::{
    AccessToken, AccessTokenRules, Algorithm, IdJag, IdJagRules, IdToken, IdTokenRules, Jws, KeySet,
    PublicKey, SigningKey, ecdsa_from_der,
};
use grantor::limits;
use http::Method;
use url::Url;

use crate::input::Input;

const NOW: u64 = 1_800_000_000;
const ALL: &[Algorithm] = &Algorithm::ALL;

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::EdDsa, &[7; 32]).expect("a key").with_kid("k"));

/// A letter for what it is, and the bytes: a token as it stands, a header and claims to be signed with a line
/// break between, claims of each profile to be signed, a key, a set, PEM, DER.
pub fn jose(data: &[u8]) {
    let mut input = Input(data);
    let what = input.pick(['t', 'h', 'a', 'i', 'j', 'p', 'k', 's', 'm', 'd']);
    let text = String::from_utf8_lossy(input.0);
    match what {
        't' => {
            token(&text);
            proof(&text);
        }
        'h' => {
            let (header, claims) = text.split_once('\n').unwrap_or((&text, "{}"));
            let token = signed(header, claims);
            self::token(&token);
            proof(&token);
        }
        'a' => token(&signed(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#, &text)),
        'i' => token(&signed(r#"{"alg":"EdDSA","typ":"JWT"}"#, &text)),
        'j' => token(&signed(r#"{"alg":"EdDSA","typ":"oauth-id-jag+jwt"}"#, &text)),
        'p' => {
            let jwk = KEY.public().to_jwk();
            proof(&signed(&format!(r#"{{"alg":"EdDSA","typ":"dpop+jwt","jwk":{jwk}}}"#), &text));
        }
        'k' => key(&text),
        's' => {
            if let Ok(set) = KeySet::parse(input.0) {
                assert!(set.keys().len() + set.refused().len() <= limits::KEY_SET_KEYS);
                for algorithm in Algorithm::ALL {
                    assert!(set.candidates(None, algorithm).count() <= limits::KEYS_TRIED);
                }
            }
        }
        'm' => {
            for algorithm in Algorithm::ALL {
                if let Ok(key) = SigningKey::from_pem(&text, algorithm) {
                    assert!(key.public().allows(algorithm));
                }
            }
        }
        _ => {
            assert!(ecdsa_from_der(input.0, Algorithm::Es256).is_none_or(|fixed| fixed.len() == 64));
            assert!(ecdsa_from_der(input.0, Algorithm::Es384).is_none_or(|fixed| fixed.len() == 96));
        }
    }
}

fn signed(header: &str, claims: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = KEY.sign(input.as_bytes()).expect("signed");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// All that a token can be accepted as, which is one thing at most.
fn token(token: &str) {
    let trusted = || {
        let by_key = Jws::parse(token)?.verify(KEY.public(), ALL);
        let by_set = Jws::parse(token)?.verify_with(&KeySet::of([KEY.public().clone()]), ALL);
        assert!(by_key.is_ok() || by_set.is_err(), "a set is no weaker than its keys");
        by_key
    };
    let Ok(first) = trusted() else { return };
    assert_eq!(first.header().algorithm(), Algorithm::EdDsa);
    let audiences = ["https://mcp.example.com/mcp"];
    let mut rules = AccessTokenRules::new("https://as.example.com", &audiences);
    let strict = AccessToken::check(first, &rules, NOW);
    rules.rfc9068 = false;
    let loose = trusted().map(|again| AccessToken::check(again, &rules, NOW));
    if let Ok(access) = &strict {
        assert!(matches!(loose, Ok(Ok(_))), "the profile only adds rules");
        assert!(access.expires_at_s + limits::CLOCK_LEEWAY_S > NOW);
        assert!(access.claims().is_ok());
    }
    let rules = IdTokenRules::new("https://as.example.com", "c");
    let id = trusted().map(|again| IdToken::check(again, &rules, NOW));
    let rules = IdJagRules::new("https://as.example.com", "https://mcp.example.com/mcp", "c");
    let jag = trusted().map(|again| IdJag::check(again, &rules, NOW));
    let accepted = [strict.is_ok(), matches!(id, Ok(Ok(_))), matches!(jag, Ok(Ok(_)))];
    assert!(accepted.into_iter().filter(|accepted| *accepted).count() <= 1, "one kind of token");
}

fn proof(token: &str) {
    let url = Url::parse("https://mcp.example.com/mcp").expect("a URL");
    if let Ok(proof) = dpop::verify(token, &ProofRules::new(&Method::POST, &url), NOW) {
        assert!(proof.id.len() <= limits::DPOP_JTI && !proof.id.is_empty());
        assert!(proof.accepted_until_s >= NOW && proof.issued_at_s <= NOW + limits::CLOCK_LEEWAY_S);
        assert!(Jws::parse(token).is_err(), "a proof is no token");
    }
}

fn key(json: &str) {
    if let Ok(key) = PublicKey::from_jwk(json) {
        let again = PublicKey::from_jwk(&key.to_jwk()).expect("what is written is read");
        assert_eq!((again.thumbprint(), &again), (key.thumbprint(), &key));
        assert!(Algorithm::ALL.into_iter().any(|algorithm| key.allows(algorithm)));
    }
    for algorithm in Algorithm::ALL {
        let Ok(key) = SigningKey::from_jwk(json, algorithm) else { continue };
        assert!(PublicKey::from_jwk(json).is_err(), "a private key is no public one");
        if let Ok(jwk) = key.to_jwk() {
            let again = SigningKey::from_jwk(jwk.expose(), algorithm).expect("what is written is read");
            assert_eq!(again.public(), key.public());
        }
    }
}
