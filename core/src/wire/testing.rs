//! Answers for the tests of the exchanges.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use url::Url;

use super::http::HttpResponse;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: &str) -> Self {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        Self { status, headers, body: body.as_bytes().to_vec() }
    }

    pub(crate) fn json(body: &str) -> Self {
        Self::new(200, "application/json", body)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    pub(crate) fn response(&self) -> HttpResponse<'_> {
        HttpResponse { status: self.status, headers: &self.headers, body: &self.body }
    }
}

pub(crate) fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}
