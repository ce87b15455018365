//! Circumstances and an HTTP answer from bytes.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};

use grantor::wire::HttpResponse;
use grantor::{Error, Findings, Quirks, limits};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};

/// What has not been read yet.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    /// One of these; the first when there is no byte left.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, from: [T; N]) -> T {
        let byte = self.0.split_off_first().copied().unwrap_or_default();
        from[usize::from(byte) % N]
    }

    /// One of these by a letter, `a` for the first; the first also when there is no byte left.
    pub(crate) fn letter<T: Copy, const N: usize>(&mut self, from: [T; N]) -> T {
        let byte = self.0.split_off_first().copied().unwrap_or(b'a');
        from[usize::from(byte.wrapping_sub(b'a')) % N]
    }

    /// One of these letters, itself or in place of another; the first also when there is no byte left.
    pub(crate) fn one_of<const N: usize>(&mut self, letters: [u8; N]) -> u8 {
        let byte = self.0.split_off_first().copied().unwrap_or(letters[0]);
        if letters.contains(&byte) { byte } else { letters[usize::from(byte) % N] }
    }

    /// Whether the next letter is in the second half of sixteen: `h` to `o`, `x` to `z`.
    pub(crate) fn flag(&mut self) -> bool {
        self.pick([
            false, false, false, false, false, false, false, false, true, true, true, true, true, true, true,
            true,
        ])
    }

    /// An answer: a letter for the status, one for the content type, and the body. A redirect's body is
    /// its `Location`, an overloaded server's its `Retry-After`.
    pub(crate) fn answer(&mut self) -> Answer<'a> {
        // `a` is 97, which is 1 of 16.
        let status =
            self.pick([204, 200, 201, 302, 400, 401, 403, 404, 429, 500, 503, 200, 200, 307, 599, 100]);
        let content_type = self.pick([
            "",
            "application/json",
            "application/x-www-form-urlencoded",
            "text/html; charset=utf-8",
            "Application/Problem+JSON; a=b",
            "json",
            "application/json;",
            "+json",
        ]);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, given) in [(LOCATION, matches!(status, 302 | 307)), (RETRY_AFTER, status >= 429)] {
            insert(&mut headers, name, self.0, given);
        }
        Answer { status, headers, body: self.0 }
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &[u8], given: bool) {
    if let Ok(value) = HeaderValue::from_bytes(value)
        && given
    {
        headers.insert(name, value);
    }
}

/// An HTTP answer.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    pub(crate) fn response(&self) -> HttpResponse<'_> {
        HttpResponse { status: self.status, headers: &self.headers, body: self.body }
    }
}

/// Rules as they are written, or one way in which they may bend.
pub(crate) fn quirks(input: &mut Input<'_>) -> Quirks {
    let mut all = Quirks::slack();
    all.issuer_absent = true;
    all.issuer_trailing_slash = true;
    all.pkce_unadvertised = true;
    all.resource_covers = true;
    // `a` is 97, which is 1 of 6.
    match input.pick([5, 0, 1, 2, 3, 4]) {
        0 => Quirks::none(),
        1 => Quirks::entra(),
        2 => Quirks::github(),
        3 => Quirks::google(),
        4 => Quirks::slack(),
        _ => all,
    }
}

/// A secret that the input cannot hold, so that it is shown only by who was given it. A constant would not
/// do: libFuzzer reads it off the comparisons and writes it into the input, which may then rightly be shown.
pub(crate) fn planted(data: &[u8], what: &str) -> String {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    format!("planted-{what}-{:016x}", hasher.finish())
}

/// What must hold of every result: nobody learns the secrets from it, and reading again gives the same.
pub(crate) fn check<T: Debug + PartialEq>(
    read: impl Fn(&mut Findings) -> Result<T, Error>,
    secrets: &[&str],
) -> Result<T, Error> {
    let mut findings = Findings::new();
    let result = read(&mut findings);
    let mut shown = match &result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error:?} {error}"),
    };
    assert!(findings.len() <= limits::FINDINGS);
    for finding in &findings {
        shown.push_str(&format!("{finding:?} {finding}"));
    }
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
    assert!(!shown.contains(|c: char| c.is_control()), "control characters are shown: {shown:?}");
    let mut again = Findings::new();
    assert_eq!(read(&mut again), result, "reading has no memory");
    assert_eq!(again, findings, "reading has no memory");
    result
}
