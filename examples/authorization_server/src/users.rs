//! Users in a file: a line for each, `name:hash`, by argon2id.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use grantor_tower::grantor::server::User;
use grantor_tower::{Users, unix_s};
use tokio::sync::Semaphore;

/// The users, and what it costs to try a password.
pub struct UserFile {
    hashes: BTreeMap<String, String>,
    /// Checked in place of a hash that is not there: whoever guesses names learns nothing from the time it takes.
    decoy: String,
    /// So many passwords are checked at once. Guessing is as slow as that, whoever it is about, and locks nobody out.
    at_once: Arc<Semaphore>,
}

/// What is wrong with a user file.
#[derive(Debug)]
pub enum UserFileError {
    /// It cannot be read or written.
    Io(io::Error),
    /// A line is not `name:hash`.
    Line(usize),
    /// No hash could be made.
    Hash,
}

impl std::fmt::Display for UserFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the user file cannot be used: {error}"),
            Self::Line(line) => {
                write!(f, "line {line} of the user file is not name:hash, as --add-user writes it")
            }
            Self::Hash => f.write_str("the password could not be hashed"),
        }
    }
}

impl std::error::Error for UserFileError {}

impl From<io::Error> for UserFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Without names and hashes.
impl std::fmt::Debug for UserFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserFile({} users)", self.hashes.len())
    }
}

impl UserFile {
    /// The users of a file; none when there is no file.
    ///
    /// # Errors
    /// [`UserFileError`].
    pub fn read(path: &Path) -> Result<Self, UserFileError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let mut hashes = BTreeMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (name, hash) = line.split_once(':').ok_or(UserFileError::Line(index + 1))?;
            PasswordHash::new(hash.trim()).map_err(|_| UserFileError::Line(index + 1))?;
            hashes.insert(name.to_owned(), hash.trim().to_owned());
        }
        Ok(Self { hashes, decoy: hash("nobody's")?, at_once: Arc::new(Semaphore::new(2)) })
    }

    /// Whether there is any user.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

/// Adds a user to a file, or gives one another password.
///
/// # Errors
/// [`UserFileError`].
pub fn add_user(path: &Path, name: &str, password: &str) -> Result<(), UserFileError> {
    let mut users = UserFile::read(path)?.hashes;
    users.insert(name.to_owned(), hash(password)?);
    let text: String = users.iter().map(|(name, hash)| format!("{name}:{hash}\n")).collect();
    Ok(crate::state::write_private(path, text.as_bytes())?)
}

fn hash(password: &str) -> Result<String, UserFileError> {
    let hash: PasswordHash =
        Argon2::default().hash_password(password.as_bytes()).map_err(|_| UserFileError::Hash)?;
    Ok(hash.to_string())
}

impl Users for UserFile {
    async fn sign_in(&self, name: &str, password: &str) -> Option<User> {
        let permit = Arc::clone(&self.at_once).acquire_owned().await.ok()?;
        let known = self.hashes.get(name);
        let hash = known.unwrap_or(&self.decoy).clone();
        let password = password.to_owned();
        let right = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let parsed = PasswordHash::new(&hash);
            parsed.is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
        });
        (right.await.ok()? && known.is_some()).then(|| User::new(name, unix_s()))
    }
}
