//! Content codings (RFC 9110 8.4). None is asked for, but some servers and the proxies before them code all
//! the same.

use std::io::{ErrorKind, Read};

use ::http::HeaderMap;
use ::http::header::CONTENT_ENCODING;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use grantor::error::FailureKind;
use zeroize::Zeroizing;

use crate::http::{HttpFailure, append};

/// So many codings one upon the other are removed.
const CODINGS: usize = 3;

/// The codings of a body, in the order in which they were applied.
#[derive(Debug, Default)]
pub(crate) struct Codings(Vec<Coding>);

#[derive(Clone, Copy, Debug)]
enum Coding {
    Deflate,
    Gzip,
}

impl Codings {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, HttpFailure> {
        let mut codings = Vec::new();
        for line in headers.get_all(CONTENT_ENCODING) {
            for name in line.as_bytes().split(|byte| *byte == b',') {
                match name.trim_ascii().to_ascii_lowercase().as_slice() {
                    b"" | b"identity" => {}
                    b"deflate" => codings.push(Coding::Deflate),
                    b"gzip" | b"x-gzip" => codings.push(Coding::Gzip),
                    _ => return Err(unknown()),
                }
            }
        }
        if codings.len() > CODINGS { Err(unknown()) } else { Ok(Self(codings)) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes them, the last one first. No step makes more than `max` bytes.
    pub(crate) fn decode(
        &self,
        mut body: Zeroizing<Vec<u8>>,
        max: usize,
    ) -> Result<Zeroizing<Vec<u8>>, HttpFailure> {
        for coding in self.0.iter().rev() {
            body = match coding {
                _ if body.is_empty() => return Ok(body),
                Coding::Deflate if is_zlib(&body) => read(ZlibDecoder::new(&**body), max)?,
                // Some servers leave the frame away that RFC 9110 8.4.1.2 demands.
                Coding::Deflate => read(DeflateDecoder::new(&**body), max)?,
                Coding::Gzip => read(MultiGzDecoder::new(&**body), max)?,
            };
        }
        Ok(body)
    }
}

/// Whether this begins as RFC 1950 2.2 says.
fn is_zlib(body: &[u8]) -> bool {
    matches!(*body, [cmf, flags, ..] if cmf & 0x0f == 8 && u16::from_be_bytes([cmf, flags]) % 31 == 0)
}

fn read(mut decoder: impl Read, max: usize) -> Result<Zeroizing<Vec<u8>>, HttpFailure> {
    let (mut body, mut part) = (Zeroizing::default(), Zeroizing::new([0; 8 * 1024]));
    loop {
        match decoder.read(&mut *part) {
            Ok(0) => return Ok(body),
            Ok(len) => append(&mut body, &part[..len], max)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => {
                let detail = "the body is not what its Content-Encoding says, or is cut off";
                return Err(HttpFailure::new(FailureKind::Broken, detail));
            }
        }
    }
}

fn unknown() -> HttpFailure {
    let detail =
        "the body has a Content-Encoding that was not asked for, and that is neither gzip nor deflate";
    HttpFailure::new(FailureKind::Other, detail)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;
    use crate::HttpAnswer;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(coding: &str, body: &[u8], max: usize) -> Result<Vec<u8>, HttpFailure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, coding.parse().unwrap());
        headers.insert("content-length", body.len().into());
        let mut arriving = HttpAnswer::arriving(200, headers, max)?;
        for part in body.chunks(3) {
            arriving.push(part)?;
        }
        let answer = arriving.whole()?;
        let coded = answer.headers.contains_key(CONTENT_ENCODING);
        assert_eq!(coded, coding.eq_ignore_ascii_case("identity"), "what is gone is not named");
        Ok(answer.body.to_vec())
    }

    #[test]
    fn rfc9110_8_4_codings_are_removed() {
        let content = br#"{"issuer":"https://as.example.com"}"#;
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(content).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(content).unwrap();
        let (zlib, deflate) = (zlib.finish().unwrap(), deflate.finish().unwrap());
        let members = [gzip(&content[..9]), gzip(&content[9..])].concat();
        for (coding, body) in [
            ("gzip", gzip(content)),
            ("GZip", gzip(content)),
            ("x-gzip", gzip(content)),
            ("identity, gzip", gzip(content)),
            ("gzip, gzip", gzip(&gzip(content))),
            ("deflate, gzip", gzip(&zlib)),
            ("deflate", zlib),
            ("deflate", deflate),
            ("gzip", members),
            ("Identity", content.to_vec()),
        ] {
            assert_eq!(decoded(coding, &body, 1000).unwrap(), content, "{coding}");
        }
        assert_eq!(decoded("gzip", b"", 1000).unwrap(), b"", "204 and the like");
    }

    #[test]
    fn what_is_no_such_coding_is_an_error_in_clear_words() {
        for coding in ["br", "zstd", "gzip, br", "gzip, gzip, gzip, gzip", "\u{e9}"] {
            let failure = decoded(coding, b"x", 1000).unwrap_err();
            assert!(failure.detail.contains("Content-Encoding"), "{coding}: {failure:?}");
        }
        let whole = gzip(b"something");
        for damaged in [&whole[..whole.len() - 4], b"{}", &[&whole[..], b"more"].concat()] {
            assert_eq!(decoded("gzip", damaged, 1000).unwrap_err().kind, FailureKind::Broken);
        }
        assert_eq!(decoded("deflate", b"{}", 1000).unwrap_err().kind, FailureKind::Broken);
    }

    #[test]
    fn a_body_that_grows_ends_at_the_bound() {
        let bomb = gzip(&vec![0; 10_000_000]);
        assert!(bomb.len() < 100_000);
        assert_eq!(decoded("gzip", &bomb, 100_000), Err(HttpFailure::too_large()));
        assert_eq!(decoded("gzip, gzip", &gzip(&bomb), 100_000), Err(HttpFailure::too_large()));
        assert_eq!(decoded("gzip", &gzip(&[0; 1000]), 1000).unwrap().len(), 1000);
        // Much that comes to nothing is bounded, too.
        let nothing = gzip(b"").repeat(10_000);
        assert_eq!(decoded("gzip", &nothing, 100_000), Err(HttpFailure::too_large()));
    }
}
