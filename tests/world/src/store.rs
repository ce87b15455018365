//! A store in memory, with compare-and-swap and a way to fail.

use std::collections::BTreeMap;

use grantor::{RecordKind, RecordRevision, Secret, StoreKey};

/// Records by key.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    records: BTreeMap<StoreKey, (Vec<u8>, RecordRevision)>,
    writes: u128,
    /// Whether every operation fails.
    pub broken: bool,
}

/// The access token in a record, if it is a grant's.
pub(crate) fn access_token(record: &[u8]) -> Option<String> {
    let record: serde_json::Value = serde_json::from_slice(record).ok()?;
    record["record"]["access_token"].as_str().map(Into::into)
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Another revision is stored.
    Conflict,
    /// It is stored, and of this revision.
    Saved(RecordRevision),
}

impl MemoryStore {
    /// The record and its revision.
    pub fn load(&self, key: &StoreKey) -> Option<(Vec<u8>, RecordRevision)> {
        self.records.get(key).cloned()
    }

    /// Stores a record, if the stored one is the expected one.
    pub fn save(&mut self, key: &StoreKey, record: &Secret, expect: Option<RecordRevision>) -> Written {
        if self.records.get(key).map(|(_, revision)| *revision) != expect {
            return Written::Conflict;
        }
        self.writes += 1;
        let revision = RecordRevision::from_counter(self.writes);
        self.records.insert(key.clone(), (record.expose().as_bytes().to_vec(), revision));
        Written::Saved(revision)
    }

    /// Deletes a record, if the stored one is the expected one; whether it was.
    pub fn delete(&mut self, key: &StoreKey, expect: RecordRevision) -> bool {
        match self.records.get(key) {
            Some((_, revision)) if *revision != expect => false,
            _ => {
                self.records.remove(key);
                true
            }
        }
    }

    /// The keys and contents.
    pub fn records(&self) -> impl Iterator<Item = (&StoreKey, &[u8])> {
        self.records.iter().map(|(key, (record, _))| (key, record.as_slice()))
    }

    /// All records as text, to look for what should not be there.
    pub fn dump(&self) -> String {
        self.records().map(|(key, record)| format!("{key}\n{}\n", String::from_utf8_lossy(record))).collect()
    }

    /// Writes the records of this kind again, as another process would.
    pub fn touch(&mut self, kind: RecordKind) {
        for (_, (_, revision)) in self.records.iter_mut().filter(|(key, _)| key.kind == kind) {
            self.writes += 1;
            *revision = RecordRevision::from_counter(self.writes);
        }
    }

    /// Changes text in the records of a kind as Grantor would have written it, with the right checksum.
    ///
    /// # Panics
    /// When no record of this kind holds it.
    pub fn edit(&mut self, kind: RecordKind, from: &str, to: &str) {
        let changed = self.rewrite(kind, |record| record.replace(from, to));
        assert!(changed, "no {kind} record holds {from}");
    }

    /// Claims the refresh token until then, as another process would.
    ///
    /// # Panics
    /// When the record is not Grantor's.
    pub fn claim(&mut self, until_s: u64) {
        self.rewrite(RecordKind::Grant, |record| {
            let mut record: serde_json::Value = serde_json::from_str(record).expect("records are JSON");
            record["claimed_until"] = until_s.into();
            record.to_string()
        });
    }

    /// Whether a record changed.
    fn rewrite(&mut self, kind: RecordKind, change: impl Fn(&str) -> String) -> bool {
        let mut found = false;
        for (record, revision) in
            self.records.iter_mut().filter(|(key, _)| key.kind == kind).map(|(_, stored)| stored)
        {
            let text = String::from_utf8_lossy(record);
            let (start, end) = (text.find("\"record\":").map(|at| at + 9), text.rfind(",\"sum\""));
            let (Some(start), Some(end)) = (start, end) else { continue };
            let changed = change(&text[start..end]);
            found |= changed != text[start..end];
            let sum = crc32fast::hash(changed.as_bytes());
            *record = format!("{}{changed},\"sum\":\"{sum:08x}\"}}", &text[..start]).into_bytes();
            self.writes += 1;
            *revision = RecordRevision::from_counter(self.writes);
        }
        found
    }

    /// Changes a record behind everybody's back.
    pub fn tamper(&mut self, change: impl Fn(&StoreKey, &mut Vec<u8>)) {
        for (key, (record, revision)) in &mut self.records {
            let before = record.clone();
            change(key, record);
            if *record != before {
                self.writes += 1;
                *revision = RecordRevision::from_counter(self.writes);
            }
        }
    }
}
