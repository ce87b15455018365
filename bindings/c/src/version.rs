//! The version.

use std::ffi::c_char;

/// The version of the library that runs, such as `0.1.0`. It ends with a NUL and is good for ever.
#[unsafe(no_mangle)]
pub extern "C" fn grantor_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Whether the library that runs has everything that a program compiled with this version of the header may use.
/// `GRANTOR_VERSION_IS_COMPATIBLE()` asks it with the header's own numbers.
#[unsafe(no_mangle)]
pub extern "C" fn grantor_version_is_compatible(major: u32, minor: u32, patch: u32) -> bool {
    let mut own = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || own.next().unwrap_or(0);
    let (own_major, own_minor, own_patch) = (next(), next(), next());
    // Before 1.0 a minor version may change anything (Semantic Versioning 4).
    let same_line = if own_major == 0 { own_minor == minor } else { own_minor >= minor };
    own_major == major && same_line && (own_minor > minor || own_patch >= patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_header_is_refused() {
        assert!(grantor_version_is_compatible(0, 1, 0));
        assert!(!grantor_version_is_compatible(0, 1, 1));
        assert!(!grantor_version_is_compatible(0, 2, 0));
        assert!(!grantor_version_is_compatible(1, 1, 0));
    }
}
