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

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("error sending request")]
    struct Stack(#[source] io::Error);

    fn chain(error: &dyn Error) -> Vec<String> {
        let (mut texts, mut next) = (Vec::new(), Some(error));
        while let Some(error) = next {
            texts.push(error.to_string());
            next = error.source();
        }
        texts
    }

    #[test]
    fn chains_say_each_thing_once() {
        let http = CallError::Http(Stack(io::Error::other("connection reset")));
        assert_eq!(chain(&http), ["error sending request", "connection reset"]);
        let report = ErrorReport::from(grantor::error::Refused::Declined);
        let refused = CallError::<Stack>::from(Box::new(report));
        assert_eq!(chain(&refused), ["the authorization was declined"]);
        assert_eq!(chain(&CallError::<Stack>::from(ApiMisuse::Method)), ["the method is none of HTTP"]);
        assert_eq!(chain(&CallError::<Stack>::NotReplayable).len(), 1);
    }
}
