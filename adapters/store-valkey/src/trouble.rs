//! What goes wrong, and what of that may pass.

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
            ErrorKind::Io => true,
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
    fn what_was_sent_is_not_told() {
        let said = "unknown command 'EVALSHA', with args beginning with: 'planted'";
        let error = RedisError::from((ServerErrorKind::ResponseError.into(), "said", said.to_owned()));
        let told = words(&error);
        assert!(told.contains("unknown command") && !told.contains("planted"), "{told}");
    }
}
