//! What the server keeps beside its records: its secret and its key, in files that nobody else reads.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;

use grantor::jose::{Algorithm, SigningKey};

/// The secret with which codes and tokens are made, from a file that is made the first time.
///
/// # Errors
/// When the file cannot be read or made.
pub fn secret(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    made_once(path, || Ok(random()?.to_vec()))
}

/// The key that signs access tokens, from a file that is made the first time.
///
/// # Errors
/// When the file cannot be read or made, or holds no key.
pub fn key(path: &Path) -> Result<SigningKey, Box<dyn Error>> {
    let jwk = made_once(path, || {
        let key = SigningKey::generate(Algorithm::Es256, &random()?)?;
        Ok(key.to_jwk()?.expose().as_bytes().to_vec())
    })?;
    Ok(SigningKey::from_jwk(std::str::from_utf8(&jwk)?, Algorithm::Es256)?)
}

fn random() -> Result<[u8; 32], Box<dyn Error>> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn made_once(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, Box<dyn Error>>,
) -> Result<Vec<u8>, Box<dyn Error>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = make()?;
            write_private(path, &bytes)?;
            Ok(bytes)
        }
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

/// Writes a file that only its owner reads, in one piece.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}
