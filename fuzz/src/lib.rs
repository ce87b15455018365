//! Fuzz targets: what comes from outside, read by the core, with what must hold asserted.
//!
//! `cargo +nightly fuzz run NAME` searches; `cargo test -p grantor-fuzz` replays the corpora in
//! `fuzz/corpus/NAME` on any toolchain. Inputs of all targets but `challenge` begin with bytes that pick
//! circumstances (`Input::pick`); letters do, so that seeds can be written and read by people.

mod callback;
mod challenge;
mod engine;
mod guard;
mod input;
mod jose;
mod provider;
mod registration;
mod resource_metadata;
mod resource_uri;
mod server_metadata;
mod token;

pub use self::callback::callback;
pub use self::challenge::challenge;
pub use self::engine::engine;
pub use self::guard::guard;
pub use self::jose::jose;
pub use self::provider::provider;
pub use self::registration::registration;
pub use self::resource_metadata::resource_metadata;
pub use self::resource_uri::resource_uri;
pub use self::server_metadata::server_metadata;
pub use self::token::token;

/// Sequences of calls of the C ABI.
pub fn c_abi(data: &[u8]) {
    grantor_c::sequences::run(data);
}

/// A target: its name, which is also that of its corpus, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 12] = [
    ("c_abi", c_abi),
    ("callback", callback),
    ("challenge", challenge),
    ("engine", engine),
    ("guard", guard),
    ("jose", jose),
    ("provider", provider),
    ("registration", registration),
    ("resource_metadata", resource_metadata),
    ("resource_uri", resource_uri),
    ("server_metadata", server_metadata),
    ("token", token),
];
