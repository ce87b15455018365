//! Records as values.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Cx;
use super::exchange::{Unavailable, Written};
use super::records::{Attempts, Record, VERSION};
use super::wire::{ErrorCode, OAuthError};
use crate::effect::{RecordKind, RecordRevision};
use crate::limits;

/// A record as it was loaded.
#[derive(Clone, Debug)]
pub(super) struct Stored<T> {
    pub(super) value: T,
    pub(super) revision: RecordRevision,
}

impl From<Unavailable> for OAuthError {
    fn from(Unavailable: Unavailable) -> Self {
        Self::new(ErrorCode::TemporarilyUnavailable, "the server cannot answer now; try again")
    }
}

impl Cx {
    /// Loads a record. One that cannot be read, such as one of a later version, is not there for anybody to use, and
    /// not free to be written.
    pub(super) async fn load<T: DeserializeOwned + Record>(
        &self,
        kind: RecordKind,
        name: &str,
        why: &'static str,
    ) -> Result<Option<Stored<T>>, Unavailable> {
        let Some(loaded) = self.io.load(self.key(kind, name), why).await? else { return Ok(None) };
        let value: T = serde_json::from_str(loaded.text.expose()).map_err(|_| Unavailable)?;
        if value.version() != VERSION {
            return Err(Unavailable);
        }
        Ok(Some(Stored { value, revision: loaded.revision }))
    }

    /// Writes a record that nobody needs after `until`.
    pub(super) async fn save(
        &self,
        kind: RecordKind,
        name: &str,
        record: &impl Serialize,
        expect: Option<RecordRevision>,
        until: u64,
        why: &'static str,
    ) -> Result<Written, Unavailable> {
        let text = serde_json::to_string(record).map_err(|_| Unavailable)?;
        self.io.save(self.key(kind, name), text, expect, until, why).await
    }

    /// Deletes a record, if it is still as it was loaded.
    pub(super) async fn delete(
        &self,
        kind: RecordKind,
        name: &str,
        expect: RecordRevision,
        why: &'static str,
    ) -> Result<Written, Unavailable> {
        self.io.delete(self.key(kind, name), expect, why).await
    }

    /// Counts something that may happen so often in so many seconds, before it happens: whether it may.
    pub(super) async fn count(
        &self,
        name: &str,
        most: u32,
        seconds: u64,
        why: &'static str,
    ) -> Result<bool, Unavailable> {
        for _ in 0..limits::STORE_ROUNDS {
            let stored = self.load::<Attempts>(RecordKind::Attempts, name, why).await?;
            let now = self.io.now_s();
            let ends = now.saturating_add(seconds);
            let (count, until) = match &stored {
                // A clock that was set back makes no time longer.
                Some(Stored { value, .. }) if value.until > now && value.until <= ends => {
                    (value.count, value.until)
                }
                _ => (0, ends),
            };
            if count >= most {
                return Ok(false);
            }
            let record = Attempts { v: VERSION, count: count + 1, until };
            let expect = stored.map(|stored| stored.revision);
            if self.save(RecordKind::Attempts, name, &record, expect, until, why).await? == Written::Saved {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Uses up something that can be used once, until which time: whether this is the first use.
    pub(super) async fn use_once(
        &self,
        kind: RecordKind,
        name: &str,
        until: u64,
        why: &'static str,
    ) -> Result<bool, Unavailable> {
        let written = self.io.save(self.key(kind, name), until.to_string(), None, until, why).await?;
        Ok(written == Written::Saved)
    }
}
