//! What goes wrong, and what of that may pass.

use std::error::Error;
use std::io;
use std::sync::Arc;

use grantor_driver::store::Trouble;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// What went wrong with one attempt.
pub(crate) struct Failed(pub(crate) RedisError);

impl From<RedisError> for Failed {
    fn from(error: RedisError) -> Self {
        Self(error)
    }
}

impl From<Failed> for Trouble {
    fn from(Failed(error): Failed) -> Self {
        let may_pass = match error.kind() {
            // A certificate that is refused stays bad.
            ErrorKind::Io => !is_invalid_data(&error),
            ErrorKind::Server(kind) => matches!(
                kind,
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly
            ),
            _ => error.is_connection_dropped() || error.is_timeout() || error.code() == Some("BUSY"),
        };
        Self::new(words(&error), may_pass)
    }
}

fn is_invalid_data(error: &RedisError) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>())
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|source| source.kind() == io::ErrorKind::InvalidData)
}

/// Words without what was sent: a server that does not know a command says what it was given.
fn words(error: &RedisError) -> String {
    let Some(code) = error.code() else { return error.to_string() };
    let detail = error.detail().unwrap_or_default();
    let detail = detail.split(", with args").next().unwrap_or_default();
    format!("{code} {detail}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_are_refused_stay_refused() {
        let may_pass = |kind: io::ErrorKind| {
            let error = RedisError::from(io::Error::new(kind, "planted"));
            format!("{:?}", Trouble::from(Failed(error))).contains("may_pass: true")
        };
        assert!(may_pass(io::ErrorKind::ConnectionReset) && !may_pass(io::ErrorKind::InvalidData));
    }

    #[test]
    fn what_was_sent_is_not_told() {
        let said = "unknown command 'EVALSHA', with args beginning with: 'planted'";
        let error = RedisError::from((ServerErrorKind::ResponseError.into(), "said", said.to_owned()));
        let told = words(&error);
        assert!(told.contains("unknown command") && !told.contains("planted"), "{told}");
    }
}
