//! The target of a request as the client sent it. Routers cut off what they have matched.

use std::borrow::Cow;
use std::sync::Arc;

use http::Extensions;
use http::uri::{PathAndQuery, Uri};

/// What a router in front cuts off, without a slash at its end.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(Arc<str>);

/// A text that is no prefix of paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a prefix is a path that begins with a slash, without a query: /api")]
pub struct PrefixError;

impl Prefix {
    pub(crate) fn new(path: &str) -> Result<Self, PrefixError> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let parsed: PathAndQuery = path.parse().map_err(|_| PrefixError)?;
        if !path.starts_with('/') || parsed.as_str() != path || path.contains(['?', '#']) {
            return Err(PrefixError);
        }
        Ok(Self(path.into()))
    }

    /// The whole target; what cannot be one stays as it is, and fits no path that anybody has configured.
    fn before(&self, uri: &Uri) -> Option<Uri> {
        let rest = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let mut parts = uri.clone().into_parts();
        // A router that has matched all of the path leaves a slash.
        let whole = match rest.strip_prefix('/') {
            Some(query) if query.is_empty() || query.starts_with('?') => format!("{}{query}", self.0),
            _ => format!("{}{rest}", self.0),
        };
        parts.path_and_query = Some(whole.parse().ok()?);
        Uri::from_parts(parts).ok()
    }
}

/// As the client sent it.
pub(crate) fn whole<'r>(uri: &'r Uri, extensions: &'r Extensions, prefix: Option<&Prefix>) -> Cow<'r, Uri> {
    if let Some(uri) = prefix.and_then(|prefix| prefix.before(uri)) {
        return Cow::Owned(uri);
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(whole)) = extensions.get() {
        return Cow::Borrowed(whole);
    }
    #[cfg(not(feature = "axum"))]
    let _ = extensions;
    Cow::Borrowed(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let whole = |prefix: &str, uri: &str| {
            let prefix = Prefix::new(prefix).unwrap();
            whole(&uri.parse().unwrap(), &Extensions::new(), Some(&prefix)).to_string()
        };
        assert_eq!(whole("/api", "/mcp?a=b"), "/api/mcp?a=b");
        assert_eq!(whole("/api/", "/mcp"), "/api/mcp");
        assert_eq!(whole("/api/v1", "https://h/mcp/"), "https://h/api/v1/mcp/");
        assert_eq!(whole("/mcp", "/"), "/mcp");
        assert_eq!(whole("/mcp", "/?a"), "/mcp?a");
        for bad in ["", "/", "api", "/a?b", "/a#b", "/a b", "https://h/a"] {
            assert!(Prefix::new(bad).is_err(), "{bad}");
        }
    }
}
