//! base64url as RFC 7515 2 wants it: no padding, no white space, no bits left over.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeSliceError, Engine as _};

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn encode_onto(bytes: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// `None` for anything that [`encode`] would not have written.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The same into a buffer; how many octets there are.
pub(crate) fn decode_onto(text: &str, octets: &mut [u8]) -> Result<usize, DecodeSliceError> {
    URL_SAFE_NO_PAD.decode_slice(text, octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7515_2_one_text_for_each_octets() {
        assert_eq!(decode("AQAB"), Some(vec![1, 0, 1]));
        assert_eq!(decode(""), Some(vec![]));
        for bad in ["AQ==", "AR", "A", "A+AB", "A/AB", "AQ AB", "AQAB\n", "AQÄB"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn rfc7515_appendix_c() {
        assert_eq!(encode([3, 236, 255, 224, 193]), "A-z_4ME");
    }
}
