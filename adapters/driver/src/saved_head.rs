//! What is kept of a request that has been sent, until its response is the caller's.

use http::{Extensions, HeaderName, HeaderValue, Method, Request, Uri, Version};
use smallvec::SmallVec;

/// As many headers as a request of MCP has; more are kept, too.
const USUAL_HEADERS: usize = 8;

/// The head of a request, for the case that authorization needs it to be sent again. That is rare, and
/// keeping it is done for every call: it allocates nothing, and a request is made of it only then.
#[derive(Default)]
pub struct SavedHead {
    method: Method,
    version: Version,
    headers: SmallVec<[(HeaderName, HeaderValue); USUAL_HEADERS]>,
    extensions: Extensions,
}

impl SavedHead {
    /// Keeps the head of this request, without its URL, which the caller has as text
    /// ([`Setup::url_of`](crate::Setup::url_of)).
    pub fn keep<B>(&mut self, request: &Request<B>) {
        self.method.clone_from(request.method());
        self.version = request.version();
        self.headers.clear();
        self.headers.extend(request.headers().iter().map(|(name, value)| (name.clone(), value.clone())));
        self.extensions.clone_from(request.extensions());
    }

    /// The request once more; `None` when the URL is none.
    pub fn request<B>(&self, url: &str, body: B) -> Option<Request<B>> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = url.parse::<Uri>().ok()?;
        *request.version_mut() = self.version;
        request.headers_mut().reserve(self.headers.len() + 1);
        for (name, value) in &self.headers {
            request.headers_mut().append(name, value.clone());
        }
        *request.extensions_mut() = self.extensions.clone();
        Some(request)
    }
}

impl std::fmt::Debug for SavedHead {
    /// The headers are the caller's, and no business of a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SavedHead").field("method", &self.method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_kept_whole() {
        let request = Request::put("https://mcp.example.com/a?b=c")
            .version(Version::HTTP_2)
            .header("accept", "application/json")
            .header("x-planted", "one")
            .header("x-planted", "two")
            .extension(7_u8)
            .body("first")
            .unwrap();
        let mut kept = SavedHead::default();
        for turn in 0..3 {
            kept.keep(&request);
            let again = kept.request("https://mcp.example.com/a?b=c", turn).unwrap();
            assert_eq!(
                (again.method(), again.uri(), again.version()),
                (request.method(), request.uri(), request.version())
            );
            assert_eq!(again.headers(), request.headers());
            assert_eq!((again.extensions().get::<u8>(), again.body()), (Some(&7), &turn));
        }
        assert!(kept.request("no URL", ()).is_none());
        assert!(!format!("{kept:?}").contains("one"), "the headers are the caller's");
    }

    #[test]
    fn many_headers() {
        let mut request = Request::new(());
        for n in 0..3 * USUAL_HEADERS {
            let name = HeaderName::try_from(format!("x-{n}")).unwrap();
            request.headers_mut().insert(name, HeaderValue::from(n));
        }
        let mut kept = SavedHead::default();
        kept.keep(&request);
        assert_eq!(kept.request("/", ()).unwrap().headers(), request.headers());
    }
}
