//! The few ASN.1 structures that JOSE knows otherwise: ECDSA signatures and RSA public keys.

use super::algorithm::Algorithm;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Takes one element off the front: its content and what follows. Lengths must be minimal (DER).
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&own, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&len, rest) = rest.split_first()?;
            (usize::from(len), rest)
        }
        0x82 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        }
        _ => return None,
    };
    let minimal = match first {
        0x81 => len > 0x7f,
        0x82 => len > 0xff,
        _ => true,
    };
    if own != tag || !minimal { None } else { rest.split_at_checked(len) }
}

/// A positive integer without leading zeros, and what follows.
fn positive(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, rest) = element(INTEGER, bytes)?;
    let number = match content {
        [0, next, ..] if *next >= 0x80 => content.get(1..)?,
        [1..=0x7f, ..] => content,
        _ => return None,
    };
    Some((number, rest))
}

fn two_integers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, after) = element(SEQUENCE, der)?;
    let (first, rest) = positive(content)?;
    let (second, rest) = positive(rest)?;
    (rest.is_empty() && after.is_empty()).then_some((first, second))
}

/// n and e of a PKCS#1 `RSAPublicKey`.
#[cfg(feature = "crypto")]
pub(super) fn rsa_public_key(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (n, e) = two_integers(der)?;
    Some((n.to_vec(), e.to_vec()))
}

/// Turns an ECDSA signature from ASN.1 DER, as most key services and HSMs make it, into r and s of fixed
/// length, as JWS wants it (RFC 7518 3.4). `None` when it is no such signature, or the algorithm no ECDSA.
///
/// ```
/// use grantor::jose::{Algorithm, ecdsa_from_der};
/// let fixed = ecdsa_from_der(&[0x30, 6, 2, 1, 5, 2, 1, 7], Algorithm::Es256).unwrap();
/// assert_eq!((fixed.len(), fixed[31], fixed[63]), (64, 5, 7));
/// ```
pub fn ecdsa_from_der(der: &[u8], algorithm: Algorithm) -> Option<Vec<u8>> {
    let half = match algorithm {
        Algorithm::Es256 | Algorithm::Es384 => algorithm.signature_len()? / 2,
        _ => return None,
    };
    let (r, s) = two_integers(der)?;
    let mut fixed = vec![0; half.checked_sub(r.len())?];
    fixed.extend(r);
    fixed.resize(fixed.len() + half.checked_sub(s.len())?, 0);
    fixed.extend(s);
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7518_3_4_fixed_length() {
        let mut der = vec![0x30, 0x46, 2, 0x21, 0];
        der.extend([0xff; 32]);
        der.extend([2, 0x21, 0]);
        der.extend([0x80; 32]);
        let fixed = ecdsa_from_der(&der, Algorithm::Es256).unwrap();
        assert_eq!(fixed, [[0xff; 32], [0x80; 32]].concat());
        assert_eq!(ecdsa_from_der(&der, Algorithm::Es384).unwrap().len(), 96);
        assert_eq!(ecdsa_from_der(&der, Algorithm::Rs256), None);
    }

    #[test]
    fn what_is_no_signature() {
        let good = [0x30, 6, 2, 1, 5, 2, 1, 7];
        assert!(ecdsa_from_der(&good, Algorithm::Es256).is_some());
        for cut in 0..good.len() {
            assert_eq!(ecdsa_from_der(&good[..cut], Algorithm::Es256), None, "{cut}");
        }
        for bad in [
            &[0x30, 6, 2, 1, 5, 2, 1, 7, 0][..],
            &[0x30, 7, 2, 1, 5, 2, 1, 7, 0],
            &[0x31, 6, 2, 1, 5, 2, 1, 7],
            &[0x30, 6, 2, 1, 0x85, 2, 1, 7],
            &[0x30, 6, 2, 1, 0, 2, 1, 7],
            &[0x30, 7, 2, 2, 0, 5, 2, 1, 7],
            &[0x30, 0x81, 6, 2, 1, 5, 2, 1, 7],
            &[0x30, 0x84, 0, 0, 0, 6, 2, 1, 5, 2, 1, 7],
        ] {
            assert_eq!(ecdsa_from_der(bad, Algorithm::Es256), None, "{bad:x?}");
        }
        let mut long = vec![0x30, 0x26, 2, 0x21];
        long.extend([1; 33]);
        long.extend([2, 1, 1]);
        assert_eq!(ecdsa_from_der(&long, Algorithm::Es256), None, "r too long");
    }
}
