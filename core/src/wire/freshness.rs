//! How long an answer counts (RFC 9111).
//!
//! Read by hand: the crate `headers` does it as well, and brings twelve crates for it, a SHA-1 among them.

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

use crate::limits;

/// How long an answer is fresh by its headers (RFC 9111 4.2, 5.2.2), within bounds.
pub(crate) fn fresh_ms(headers: &HeaderMap) -> u64 {
    let text =
        |name| headers.get_all(name).iter().filter_map(|value: &http::HeaderValue| value.to_str().ok());
    let mut fresh_s = None;
    for directive in text(CACHE_CONTROL).flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => fresh_s = Some(0),
            "max-age" if fresh_s != Some(0) => fresh_s = value.trim().trim_matches('"').parse::<u64>().ok(),
            _ => {}
        }
    }
    let age_s = text(AGE).next().and_then(|age| age.trim().parse::<u64>().ok()).unwrap_or(0);
    let fresh_ms =
        fresh_s.map_or(limits::KEYS_FRESH_MS, |fresh| fresh.saturating_sub(age_s).saturating_mul(1000));
    fresh_ms.clamp(limits::KEYS_FRESH_MIN_MS, limits::KEYS_FRESH_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9111_4_2_freshness_within_bounds() {
        let fresh = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, http::HeaderValue::from_static(value));
            }
            fresh_ms(&headers)
        };
        assert_eq!(fresh(&[]), limits::KEYS_FRESH_MS);
        assert_eq!(fresh(&[("cache-control", "public, Max-Age=3600")]), 3_600_000);
        assert_eq!(fresh(&[("cache-control", "max-age=3600"), ("age", "600")]), 3_000_000);
        assert_eq!(fresh(&[("cache-control", "max-age=99999999999999999999")]), limits::KEYS_FRESH_MS);
        assert_eq!(fresh(&[("cache-control", "max-age=999999999")]), limits::KEYS_FRESH_MAX_MS);
        assert_eq!(fresh(&[("cache-control", "max-age=3600, no-cache")]), limits::KEYS_FRESH_MIN_MS);
        assert_eq!(
            fresh(&[("cache-control", "no-store"), ("cache-control", "max-age=9")]),
            limits::KEYS_FRESH_MIN_MS
        );
        assert_eq!(fresh(&[("cache-control", "max-age=0")]), limits::KEYS_FRESH_MIN_MS);
    }
}
