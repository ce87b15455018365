//! What goes wrong, and what of that may pass.

use deadpool_postgres::PoolError;
use grantor_driver::store::Trouble;
use tokio_postgres::error::SqlState;

/// What went wrong with one attempt.
pub(crate) enum Failed {
    /// Of the server, the network, or the pool.
    Pool(PoolError),
    Postgres(tokio_postgres::Error),
}

impl From<PoolError> for Failed {
    fn from(error: PoolError) -> Self {
        Self::Pool(error)
    }
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl Failed {
    /// Whether another attempt may go better: the connection ended, the server comes or goes, or others were in the way.
    fn may_pass(&self) -> bool {
        let error = match self {
            Self::Pool(
                PoolError::Backend(error)
                | PoolError::PostCreateHook(deadpool_postgres::HookError::Backend(error)),
            ) => error,
            Self::Pool(PoolError::Timeout(_)) => return true,
            Self::Pool(_) => return false,
            Self::Postgres(error) => error,
        };
        match error.code() {
            Some(code) => {
                let class = &code.code()[..2.min(code.code().len())];
                // Connections (08), too many of them (53300), serialization (40), the operator (57P0x), read-only
                // after a hand-over.
                class == "08"
                    || class == "40"
                    || *code == SqlState::TOO_MANY_CONNECTIONS
                    || *code == SqlState::ADMIN_SHUTDOWN
                    || *code == SqlState::CRASH_SHUTDOWN
                    || *code == SqlState::CANNOT_CONNECT_NOW
                    || *code == SqlState::READ_ONLY_SQL_TRANSACTION
            }
            // No answer of the server's: the connection failed, or could not be made; but a certificate stays bad.
            None => std::error::Error::source(error)
                .and_then(|source| source.downcast_ref::<std::io::Error>())
                .is_none_or(|source| source.kind() != std::io::ErrorKind::InvalidData),
        }
    }

    /// Words without what was sent: those of the server's main line, no details.
    fn words(&self) -> String {
        let error = match self {
            Self::Pool(PoolError::Backend(error)) | Self::Postgres(error) => error,
            Self::Pool(PoolError::PostCreateHook(deadpool_postgres::HookError::Backend(error))) => error,
            Self::Pool(PoolError::Timeout(_)) => return "no connection within the time".into(),
            Self::Pool(other) => return other.to_string(),
        };
        match error.as_db_error() {
            Some(said) => format!("{} ({})", said.message(), said.code().code()),
            None => match std::error::Error::source(error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
        }
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        Self::new(failed.words(), failed.may_pass())
    }
}
