//! Answers to effects, as the input wants them.

use grantor::error::{Failure, FailureKind};
use grantor::wire::{HttpRequest, HttpResponse};
use grantor::{Completion, Effect};
use http::Method;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::json;

use super::made;
use super::setup::ISSUERS;
use crate::input::Input;

/// What a peer or the host says.
pub(super) enum Reply {
    Http { status: u16, headers: HeaderMap, body: Vec<u8> },
    Checked(Option<String>),
    Failed(FailureKind),
}

impl Reply {
    /// A letter for the manner, then what depends on that.
    pub(super) fn read(input: &mut Input<'_>, effect: &Effect) -> Self {
        let manner = input.one_of(*b"gkbrfehn");
        let text = String::from_utf8_lossy(input.0);
        let request = match effect {
            _ if manner == b'f' => return Self::Failed(FailureKind::Unreachable),
            Effect::CheckToken { .. } => {
                return Self::Checked(match manner {
                    b'n' | b'b' => None,
                    b'r' => Some(text.into_owned()),
                    _ => Some(made::claims(&text, json!({}))),
                });
            }
            Effect::Http { request, .. } => request,
            other => panic!("{other:?} is none of the Guard's"),
        };
        match manner {
            b'g' => Self::good(request, &text, &[0]),
            b'k' => Self::good(request, &text, &[1]),
            b'b' => Self::good(request, &text, &[0, 1]),
            b'r' => {
                let answer = input.answer();
                let response = answer.response();
                Self::Http {
                    status: response.status,
                    headers: response.headers.clone(),
                    body: answer.body.to_vec(),
                }
            }
            b'e' => Self::echo(request, input),
            b'h' => {
                let mut reply = Self::good(request, "", &[0]);
                if let (Self::Http { headers, .. }, Ok(value)) =
                    (&mut reply, HeaderValue::from_bytes(input.0))
                {
                    headers.insert(CACHE_CONTROL, value);
                }
                reply
            }
            _ => Self::json(200, json!({ "active": false }).to_string()),
        }
    }

    /// What is asked for, by an issuer with these keys.
    fn good(request: &HttpRequest, text: &str, keys: &[usize]) -> Self {
        let issuer = ISSUERS[usize::from(request.url.host_str() == Some("bs.example.com"))];
        let body = if request.method == Method::POST {
            made::claims(text, json!({ "active": true, "iss": issuer }))
        } else if request.url.path().starts_with("/.well-known/") {
            json!({
                "issuer": issuer,
                "jwks_uri": format!("{issuer}/jwks"),
                "introspection_endpoint": format!("{issuer}/introspect"),
            })
            .to_string()
        } else {
            made::key_set(keys)
        };
        Self::json(200, body)
    }

    /// A server that shows all it was sent, wherever it can.
    fn echo(request: &HttpRequest, input: &mut Input<'_>) -> Self {
        let status = input.letter([400, 401, 200, 500, 503, 302, 200]);
        let authorization = request.headers.get("authorization");
        let sent = format!("{} {:?}", request.body.expose(), authorization.map(HeaderValue::as_bytes));
        let sent =
            sent + &String::from_utf8_lossy(authorization.map(HeaderValue::as_bytes).unwrap_or_default());
        let body = if input.letter([true, false]) {
            json!({ "error": sent, "error_description": sent, "active": sent, "issuer": sent, "keys": sent })
                .to_string()
        } else {
            sent.clone()
        };
        let mut reply = Self::json(status, body);
        if let (Self::Http { headers, .. }, Ok(value)) = (&mut reply, HeaderValue::from_str(&sent)) {
            headers.insert("location", value.clone());
            headers.insert(RETRY_AFTER, value);
        }
        reply
    }

    fn json(status: u16, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self::Http { status, headers, body: body.into_bytes() }
    }

    pub(super) fn completion(&self) -> Completion<'_> {
        match self {
            Self::Http { status, headers, body } => {
                Completion::Http(HttpResponse { status: *status, headers, body })
            }
            Self::Checked(said) => Completion::TokenChecked(said.as_deref()),
            Self::Failed(kind) => Completion::Failed(Failure::new(*kind, "")),
        }
    }
}
