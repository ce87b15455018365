//! The Guard's headers beside those of the server.

use http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, HeaderMap, HeaderName, HeaderValue, VARY};

/// Adds headers to those of the server's answer. Lists of both become one, of other headers the Guard's counts.
pub(crate) fn merge(headers: &mut HeaderMap, more: Option<HeaderMap>) {
    let Some(more) = more else { return };
    for name in more.keys() {
        if *name == VARY || *name == ACCESS_CONTROL_EXPOSE_HEADERS {
            join(headers, &more, name);
        } else if let Some(value) = more.get(name) {
            headers.insert(name, value.clone());
        }
    }
}

/// All that is in either list, each once.
fn join(headers: &mut HeaderMap, more: &HeaderMap, name: &HeaderName) {
    let lines = headers.get_all(name).iter().chain(more.get_all(name));
    let mut names: Vec<&str> = Vec::new();
    for name in lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim) {
        if !name.is_empty() && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    if let Ok(joined) = HeaderValue::from_str(&names.join(", ")) {
        headers.insert(name, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(own: &[(&'static str, &'static str)], more: &[(&'static str, &'static str)]) -> HeaderMap {
        let map = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            headers
        };
        let mut headers = map(own);
        merge(&mut headers, Some(map(more)));
        headers
    }

    #[test]
    fn lists_become_one() {
        let headers = merged(
            &[("vary", "accept-encoding, Origin"), ("vary", "accept"), ("etag", "x")],
            &[("vary", "origin"), ("access-control-expose-headers", "a, b")],
        );
        assert_eq!(headers["vary"], "accept-encoding, Origin, accept");
        assert_eq!(headers.get_all("vary").iter().count(), 1);
        assert_eq!(headers["access-control-expose-headers"], "a, b");
        assert_eq!(headers["etag"], "x");
    }

    #[test]
    fn whose_pages_may_read_is_said_once() {
        let own = [("access-control-allow-origin", "*"), ("access-control-allow-origin", "https://other")];
        let headers = merged(&own, &[("access-control-allow-origin", "https://app")]);
        assert!(headers.get_all("access-control-allow-origin").iter().eq(["https://app"]));
    }
}
