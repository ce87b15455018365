//! One line on standard error for whatever an operator wants to know. None quotes a token.

use axum::response::Response;
use grantor::resource::{Notice, Refusal};

/// What the Guard notices of the authorization servers.
pub(crate) fn notice(notice: &Notice) {
    match notice {
        Notice::KeysFetched { issuer, usable, refused, .. } => {
            eprintln!("keys of {issuer}: {usable} can be used, {refused} cannot");
        }
        Notice::ServerFailed { issuer, error } => eprintln!("{issuer} failed: {error}"),
        other => eprintln!("{other:?}"),
    }
}

/// Why the Guard refused a request.
pub(crate) async fn refusal(response: Response) -> Response {
    if let Some(refusal) = response.extensions().get::<Refusal>() {
        eprintln!("refused with {}: {refusal}", response.status().as_u16());
    }
    response
}
