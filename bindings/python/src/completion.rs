//! Completions out of their dataclasses.

use grantor::error::Failure;
use grantor::wire::token::TokenTypeUri;
use grantor::{ApiMisuse, Completion, RecordRevision};
use grantor_bindings::failure_kind;
use pyo3::prelude::*;

use crate::errors;
use crate::headers;

/// A completion that was taken out of its dataclass.
pub(crate) enum Answer {
    Approved,
    Assertion(String, TokenTypeUri),
    Callback(String),
    CallbackWithoutState(String),
    Conflict,
    Declined,
    Deleted,
    Failed(String, String),
    Http(u16, http::HeaderMap, Vec<u8>),
    Listening(String),
    Loaded(Option<(Vec<u8>, [u8; 16])>),
    Saved([u8; 16]),
    Signed(Vec<u8>),
    TokenChecked(Option<String>),
}

impl Answer {
    pub(crate) fn of(completion: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = completion.py();
        let name: String = completion.get_type().name()?.extract()?;
        let field = |field: &str| completion.getattr(field);
        Ok(match name.as_str() {
            "Approved" => Self::Approved,
            "Assertion" => {
                let kinds = [
                    ("id_token", TokenTypeUri::IdToken),
                    ("jwt", TokenTypeUri::Jwt),
                    ("refresh_token", TokenTypeUri::RefreshToken),
                    ("saml2", TokenTypeUri::Saml2),
                ];
                let name: String = field("kind")?.extract()?;
                let kind = kinds.into_iter().find(|(one, _)| *one == name);
                let (_, kind) =
                    kind.ok_or_else(|| errors::unusable(py, "there is no such kind of assertion"))?;
                Self::Assertion(field("token")?.extract()?, kind)
            }
            "Callback" => Self::Callback(field("url")?.extract()?),
            "CallbackWithoutState" => Self::CallbackWithoutState(field("url")?.extract()?),
            "Conflict" => Self::Conflict,
            "Declined" => Self::Declined,
            "Deleted" => Self::Deleted,
            "Failed" => Self::Failed(field("kind")?.extract()?, field("detail")?.extract()?),
            "HttpAnswer" => Self::Http(
                field("status")?.extract()?,
                headers::map(field("headers")?.extract()?)?,
                field("body")?.extract()?,
            ),
            "Listening" => Self::Listening(field("redirect_uri")?.extract()?),
            "Loaded" => {
                let stored = field("stored")?;
                Self::Loaded(match stored.is_none() {
                    true => None,
                    false => {
                        Some((stored.getattr("record")?.extract()?, stored.getattr("revision")?.extract()?))
                    }
                })
            }
            "Saved" => Self::Saved(field("revision")?.extract()?),
            "Signed" => Self::Signed(field("signature")?.extract()?),
            "TokenChecked" => Self::TokenChecked(field("claims")?.extract()?),
            _ => return Err(errors::misuse(py, ApiMisuse::WrongCompletion)),
        })
    }

    pub(crate) fn completion(&self) -> Completion<'_> {
        match self {
            Self::Approved => Completion::Approved,
            Self::Assertion(token, kind) => Completion::Assertion { token, kind: *kind },
            Self::Callback(url) => Completion::Callback { url },
            Self::CallbackWithoutState(url) => Completion::CallbackWithoutState { url },
            Self::Conflict => Completion::Conflict,
            Self::Declined => Completion::Declined,
            Self::Deleted => Completion::Deleted,
            Self::Failed(kind, detail) => Completion::Failed(Failure::new(failure_kind(kind), detail)),
            Self::Http(status, headers, body) => {
                Completion::Http(grantor::wire::HttpResponse { status: *status, headers, body })
            }
            Self::Listening(redirect_uri) => Completion::Listening { redirect_uri },
            Self::Loaded(stored) => {
                Completion::Loaded(stored.as_ref().map(|(record, revision)| grantor::Stored {
                    record,
                    revision: RecordRevision(*revision),
                }))
            }
            Self::Saved(revision) => Completion::Saved(RecordRevision(*revision)),
            Self::Signed(signature) => Completion::Signed { signature },
            Self::TokenChecked(claims) => Completion::TokenChecked(claims.as_deref()),
        }
    }
}
