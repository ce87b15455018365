//! Texts and bytes, by pointer and length.

use std::ffi::c_char;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::border::Refused;
use crate::result::grantor_result::{
    GRANTOR_RESULT_NOT_HTTP, GRANTOR_RESULT_NOT_UTF8, GRANTOR_RESULT_NULL_POINTER, GRANTOR_RESULT_TOO_LONG,
};

/// A text in UTF-8, by pointer and length. It need not end with a NUL. Where Grantor hands one out it is borrowed:
/// the function that does says for how long. `data` may be NULL where `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct grantor_str {
    /// The first byte.
    pub data: *const c_char,
    /// How many bytes there are.
    pub len: usize,
}

/// Bytes, by pointer and length. Where Grantor hands some out they are borrowed: the function that does says for how
/// long. `data` may be NULL where `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct grantor_bytes {
    /// The first byte.
    pub data: *const u8,
    /// How many bytes there are.
    pub len: usize,
}

/// A header line: name and value. The value may have any bytes that HTTP allows; it need not be UTF-8.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct grantor_header {
    /// The name.
    pub name: grantor_str,
    /// The value, without the blanks around it.
    pub value: grantor_str,
}

impl grantor_str {
    pub(crate) fn of(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr().cast(), len: bytes.len() }
    }

    /// The text.
    ///
    /// # Safety
    /// `data` is NULL or points to `len` bytes that outlive `'a`.
    pub(crate) unsafe fn read<'a>(self) -> Result<&'a str, Refused> {
        // SAFETY: the caller's promise.
        let bytes = unsafe { slice(self.data.cast::<u8>(), self.len) }?;
        std::str::from_utf8(bytes).map_err(|_| GRANTOR_RESULT_NOT_UTF8.into())
    }
}

impl grantor_bytes {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes.
    ///
    /// # Safety
    /// `data` is NULL or points to `len` bytes that outlive `'a`.
    pub(crate) unsafe fn read<'a>(self) -> Result<&'a [u8], Refused> {
        // SAFETY: the caller's promise.
        unsafe { slice(self.data, self.len) }
    }
}

/// Elements by pointer and length; NULL stands for none.
///
/// # Safety
/// `data` is NULL or points to `len` elements that outlive `'a`.
pub(crate) unsafe fn slice<'a, T>(data: *const T, len: usize) -> Result<&'a [T], Refused> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(GRANTOR_RESULT_NULL_POINTER.into());
    }
    if len > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(GRANTOR_RESULT_TOO_LONG.into());
    }
    if !data.is_aligned() {
        return Err(GRANTOR_RESULT_NULL_POINTER.into());
    }
    // SAFETY: not NULL, aligned, no longer than an object can be, and the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// Header lines as a map. What HTTP does not allow is refused.
///
/// # Safety
/// As of [`slice`], for the lines and for each name and value.
pub(crate) unsafe fn headers(lines: *const grantor_header, len: usize) -> Result<HeaderMap, Refused> {
    // SAFETY: the caller's promise.
    let lines = unsafe { slice(lines, len) }?;
    let mut headers = HeaderMap::with_capacity(lines.len().min(100));
    for line in lines {
        // SAFETY: the caller's promise.
        let (name, value) = unsafe {
            (
                slice(line.name.data.cast::<u8>(), line.name.len)?,
                slice(line.value.data.cast::<u8>(), line.value.len)?,
            )
        };
        let wrong = |what| Refused::told(GRANTOR_RESULT_NOT_HTTP, what);
        let name = HeaderName::from_bytes(name).map_err(|_| wrong("a header's name is none of HTTP"))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| wrong("a header's value is none of HTTP"))?;
        headers.try_append(name, value).map_err(|_| wrong("there are too many headers"))?;
    }
    Ok(headers)
}
