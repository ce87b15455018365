//! Web pages of other origins: what they may send and read (Fetch, "CORS protocol").
//!
//! By hand, since it holds for hosts without tower, too; and since the layer of tower-http allows either a list of headers
//! or whatever is asked for, and not those that begin with `Mcp-Param-`.

use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use url::Url;

use crate::limits;
use crate::resource::config::{Cors, GuardConfig, GuardConfigError};
use crate::resource::output::Answer;
use crate::resource::request::RequestHead;

const ALLOWED: &str = "authorization, content-type, dpop, last-event-id, mcp-method, mcp-name, \
                       mcp-protocol-version, mcp-session-id";
const EXPOSED: &str = "www-authenticate, dpop-nonce, mcp-session-id, retry-after";

const PARAM_PREFIX: &[u8] = b"mcp-param-";

/// What pages of which origins may send and read.
#[derive(Debug)]
pub(super) struct Pages {
    cors: Cors,
    /// The names of the request headers that are allowed whatever the preflight asks for.
    allowed: String,
    exposed: HeaderValue,
}

impl Pages {
    pub(super) fn new(config: &GuardConfig) -> Result<Self, GuardConfigError> {
        if let Cors::Origins(origins) = &config.cors
            && let Some(origin) = origins.iter().find(|origin| !is_origin(origin))
        {
            return Err(GuardConfigError::Origin(origin.clone()));
        }
        let exposed = list(EXPOSED, &config.cors_exposed_headers);
        Ok(Self {
            cors: config.cors.clone(),
            allowed: list(ALLOWED, &config.cors_allowed_headers),
            exposed: value(&exposed, EXPOSED),
        })
    }

    pub(super) fn is_off(&self) -> bool {
        self.cors == Cors::Off
    }

    pub(super) fn preflight(&self, request: &RequestHead<'_>) -> Option<Answer> {
        if *request.method != Method::OPTIONS || !request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        let mut headers = HeaderMap::with_capacity(8);
        self.add(request, &mut headers);
        if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return None;
        }
        headers.append(VARY, HeaderValue::from_static("access-control-request-headers"));
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
        let params: Vec<HeaderName> = requested_params(request.headers).collect();
        let allowed = list(&self.allowed, &params);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, value(&allowed, ALLOWED));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        Some(Answer { status: 204, headers, body: Vec::new(), refusal: None, report: None })
    }

    pub(super) fn add(&self, request: &RequestHead<'_>, headers: &mut HeaderMap) {
        if self.cors == Cors::Off {
            return;
        }
        // Also of an answer without the others: a cache must not hand that one to a page.
        headers.append(VARY, HeaderValue::from_static("origin"));
        let Some(origin) = request.headers.get(ORIGIN) else { return };
        let allowed = match &self.cors {
            Cors::Origins(origins) if origins.iter().any(|own| own.as_bytes() == origin.as_bytes()) => {
                origin.clone()
            }
            Cors::Any => HeaderValue::from_static("*"),
            _ => return,
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed.clone());
    }
}

/// The `Mcp-Param-` headers that a page wants to send (MCP 2026-07-28 "Custom Headers from Tool Parameters").
/// The tools' schemas name them, which the Guard does not know.
fn requested_params(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let lines = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let is_param = |name: &&[u8]| {
        let prefix = name.split_at_checked(PARAM_PREFIX.len());
        prefix.is_some_and(|(prefix, rest)| prefix.eq_ignore_ascii_case(PARAM_PREFIX) && !rest.is_empty())
            && name.len() <= limits::PARAM_HEADER
    };
    names.filter(is_param).filter_map(|name| HeaderName::from_bytes(name).ok()).take(limits::PARAM_HEADERS)
}

fn list(first: &str, more: &[HeaderName]) -> String {
    more.iter().fold(first.to_owned(), |list, name| list + ", " + name.as_str())
}

/// Names of headers are always fit for the value of one.
fn value(list: &str, otherwise: &'static str) -> HeaderValue {
    HeaderValue::from_str(list).unwrap_or(HeaderValue::from_static(otherwise))
}

/// Whether a browser sends an origin in just these letters (RFC 6454 6.2). Extensions and apps have schemes of
/// their own.
fn is_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let origin = url.origin();
    let same = if origin.is_tuple() {
        origin.ascii_serialization() == text
    } else {
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        !host.is_empty() && format!("{}://{host}{port}", url.scheme()) == text
    };
    same && !text.contains('*') && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}
