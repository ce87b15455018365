//! base64url as RFC 7515 2 wants it: no padding, no white space, no bits left over.

use base64::Engine as _;
use engine::ENGINE;

/// Decodes and encodes many letters at once, where the processor can.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
mod engine {
    use std::sync::LazyLock;

    use base64::engine::Simd;
    use base64::engine::general_purpose::NO_PAD;

    pub(super) static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(NO_PAD));
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
mod engine {
    pub(super) use base64::engine::general_purpose::URL_SAFE_NO_PAD as ENGINE;
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    ENGINE.encode(bytes)
}

pub(crate) fn encode_onto(bytes: impl AsRef<[u8]>, text: &mut String) {
    ENGINE.encode_string(bytes, text);
}

/// `None` for anything that [`encode`] would not have written.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    ENGINE.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn rfc7515_2_one_text_for_each_octets() {
        assert_eq!(decode("AQAB"), Some(vec![1, 0, 1]));
        assert_eq!(decode(""), Some(vec![]));
        for bad in ["AQ==", "AR", "A", "A+AB", "A/AB", "AQ AB", "AQAB\n", "AQÄB"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    /// Of texts of all lengths, wherever the wrong letter stands.
    #[test]
    fn rfc7515_2_no_other_letters_in_long_texts() {
        for length in 0..200_u8 {
            let octets: Vec<u8> = (0..length).map(|octet| octet.wrapping_mul(89)).collect();
            let text = encode(&octets);
            assert_eq!(text, URL_SAFE_NO_PAD.encode(&octets));
            assert_eq!(decode(&text), Some(octets));
            for at in 0..text.len() {
                for wrong in ["+", "/", "=", ".", " ", "\n", "\0", "\x7f"] {
                    let mut text = text.clone();
                    text.replace_range(at..=at, wrong);
                    assert_eq!(decode(&text), None, "{text:?}");
                }
            }
            for last in ('A'..='Z').chain('a'..='z') {
                let mut text = text.clone();
                text.pop();
                text.push(last);
                assert_eq!(decode(&text), URL_SAFE_NO_PAD.decode(&text).ok(), "{text:?}");
            }
        }
    }

    #[test]
    fn rfc7515_appendix_c() {
        assert_eq!(encode([3, 236, 255, 224, 193]), "A-z_4ME");
    }
}
