//! What a call of a host can end with.

use grantor::ApiMisuse;
use grantor::error::ErrorReport;

/// Why a call has no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// Authorization failed, for this reason.
    #[error(transparent)]
    Authorization(#[from] Box<ErrorReport>),
    /// The HTTP stack failed to send the request or to receive the response.
    #[error(transparent)]
    Http(E),
    /// The request is not one for this client.
    #[error(transparent)]
    Misuse(#[from] ApiMisuse),
    /// The request has to be sent again, but its body can be read only once. The authorization is done;
    /// the caller may send it anew.
    #[error("the request must be sent again, now with a token, but its body can be read only once")]
    NotReplayable,
}
