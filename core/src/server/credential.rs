//! Codes, refresh tokens and whatever else the provider hands out to be handed back.
//!
//! Each is an id, a number, a secret and a tag over all of them. The tag is checked before anything is loaded,
//! so a guess costs a hash, and what is genuine but old can be told from what never was. The store has a hash
//! of the secret, and cannot make the tag: a copy of it gives no credential.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, Zeroizing};

use crate::jose::{MacKey, decode_base64url, encode_base64url, open, seal};
use crate::secret::Secret;

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Purpose {
    AccessToken = 1,
    Code = 2,
    DeviceCode = 3,
    Interaction = 4,
    PushedRequest = 5,
    RefreshToken = 6,
}

/// The other uses of the host's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Use {
    Next = 64,
    Seal = 65,
    ClientId = 66,
    ClientSecret = 67,
    Cookie = 68,
    UserCode = 69,
    Subject = 70,
    Nonce = 71,
    Session = 72,
    Code = 73,
    Shown = 74,
    Registrations = 76,
    KnownBrowser = 77,
}

/// The host's secrets: the current one, and those before it, which are still accepted.
pub(super) struct Secrets(Vec<MacKey>);

impl Secrets {
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(secrets.into_iter().map(MacKey::new).collect())
    }

    /// A value that only the holder of the current secret can make; parts are told apart by their lengths.
    pub(super) fn mac(&self, what: Use, parts: &[&[u8]]) -> [u8; 32] {
        self.0.first().map_or([0; 32], |key| mac(key, what, parts))
    }

    /// Whether `tag` was made by the current or a former secret.
    pub(super) fn made(&self, what: Use, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.0.iter().any(|key| {
            let own = mac(key, what, parts);
            own.get(..tag.len()).is_some_and(|own| tag.len() >= 16 && own.ct_eq(tag).into())
        })
    }
}

fn mac(key: &MacKey, what: Use, parts: &[&[u8]]) -> [u8; 32] {
    let head = [what as u8];
    let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
    let mut row: Vec<&[u8]> = Vec::with_capacity(1 + 2 * parts.len());
    row.push(&head);
    for (length, part) in lengths.iter().zip(parts) {
        row.push(length);
        row.push(part);
    }
    key.tag(&row)
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

pub(super) type Id = [u8; 16];

/// A credential of one purpose.
pub(super) struct Credential {
    pub(super) id: Id,
    /// Of refresh tokens the generation, from 1.
    pub(super) number: u32,
    secret: [u8; 16],
}

const LEN: usize = 16 + 4 + 16;
const TAG: usize = 16;

impl Credential {
    pub(super) fn new(id: Id, number: u32, secret: [u8; 16]) -> Self {
        Self { id, number, secret }
    }

    fn bytes(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let parts =
            self.id.iter().chain(&self.number.to_be_bytes()).chain(&self.secret).copied().collect::<Vec<_>>();
        bytes.copy_from_slice(&parts);
        bytes
    }

    /// The text that is handed out.
    pub(super) fn text(&self, purpose: Purpose, secrets: &Secrets) -> Secret {
        let bytes = Zeroizing::new(self.bytes());
        let tag = secrets.0.first().map_or([0; 32], |key| tag(key, purpose, &*bytes));
        let mut whole = Zeroizing::new([0; LEN + TAG]);
        whole.iter_mut().zip(bytes.iter().chain(&tag)).for_each(|(own, byte)| *own = *byte);
        Secret::from(encode_base64url(*whole))
    }

    /// Reads what somebody handed back; `None` for what was never handed out.
    pub(super) fn read(text: &str, purpose: Purpose, secrets: &Secrets) -> Option<Self> {
        if text.len() != (LEN + TAG).div_ceil(3) * 4 - 2 && text.len() != ((LEN + TAG) * 8).div_ceil(6) {
            return None;
        }
        let bytes = Zeroizing::new(decode_base64url(text)?);
        let (own, made) = bytes.split_at_checked(LEN)?;
        let genuine = |key| tag(key, purpose, own).get(..TAG).is_some_and(|tag| tag.ct_eq(made).into());
        if !secrets.0.iter().any(genuine) {
            return None;
        }
        let (id, rest) = own.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (secret, _) = rest.split_first_chunk()?;
        Some(Self { id: *id, number: u32::from_be_bytes(*number), secret: *secret })
    }

    /// What the store has of it.
    pub(super) fn hash(&self) -> String {
        let hash = Sha256::digest(self.bytes());
        encode_base64url(hash.get(..16).unwrap_or_default())
    }

    pub(super) fn has_hash(&self, hash: &str) -> bool {
        self.hash().as_bytes().ct_eq(hash.as_bytes()).into()
    }

    /// The one that takes its place. It depends on this one, so that the same token always has the same successor,
    /// and on the host's secret, so that nobody else can make it.
    pub(super) fn next(&self, secrets: &Secrets) -> Self {
        self.next_by(secrets.mac(Use::Next, &[&self.bytes()]))
    }

    /// The one that took its place, as the store has it: made with this secret of the host's, or with one before.
    pub(super) fn next_of(&self, secrets: &Secrets, number: u32, hash: &str) -> Option<Self> {
        let all = secrets.0.iter().map(|key| self.next_by(mac(key, Use::Next, &[&self.bytes()])));
        all.into_iter().find(|next| next.number == number && next.has_hash(hash))
    }

    fn next_by(&self, made: [u8; 32]) -> Self {
        let mut secret = [0; 16];
        secret.iter_mut().zip(made).for_each(|(own, byte)| *own = byte);
        Self { id: self.id, number: self.number.saturating_add(1), secret }
    }

    /// A credential that follows from this one, of another id: the same each time.
    pub(super) fn derived(&self, what: Use, secrets: &Secrets) -> Self {
        let made = secrets.mac(what, &[&self.bytes()]);
        let (mut id, mut secret) = ([0; 16], [0; 16]);
        id.iter_mut().chain(&mut secret).zip(made).for_each(|(own, byte)| *own = byte);
        Self { id, number: 0, secret }
    }

    /// The same with another number.
    pub(super) fn numbered(&self, number: u32) -> Self {
        Self { id: self.id, number, secret: self.secret }
    }

    /// Encrypts something for whoever hands back this credential.
    pub(super) fn seal(&self, secrets: &Secrets, text: &[u8]) -> Option<String> {
        let key = Zeroizing::new(secrets.mac(Use::Seal, &[&self.bytes()]));
        seal(&key, &self.id, text).map(encode_base64url)
    }

    pub(super) fn open(&self, secrets: &Secrets, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = decode_base64url(sealed)?;
        secrets.0.iter().find_map(|key| {
            let key = Zeroizing::new(mac(key, Use::Seal, &[&self.bytes()]));
            open(&key, &self.id, &sealed)
        })
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

fn tag(key: &MacKey, purpose: Purpose, bytes: &[u8]) -> [u8; 32] {
    key.tag(&[&[purpose as u8], bytes])
}

/// An id as it stands in keys of records.
pub(super) fn id_text(id: &Id) -> String {
    encode_base64url(id)
}
