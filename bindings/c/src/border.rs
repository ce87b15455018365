//! The border: nothing but a result crosses it, whatever happens behind.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use grantor::ApiMisuse;
use grantor_bindings::Problem;

use crate::result::grantor_result::{
    self, GRANTOR_RESULT_NULL_POINTER, GRANTOR_RESULT_OK, GRANTOR_RESULT_PANIC,
};

/// Why a function did not do it.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) result: grantor_result,
    /// More than the result says.
    pub(crate) detail: Option<Box<str>>,
}

impl Refused {
    pub(crate) fn told(result: grantor_result, detail: impl fmt::Display) -> Self {
        Self { result, detail: Some(detail.to_string().into()) }
    }
}

impl From<grantor_result> for Refused {
    fn from(result: grantor_result) -> Self {
        Self { result, detail: None }
    }
}

impl From<ApiMisuse> for Refused {
    fn from(misuse: ApiMisuse) -> Self {
        Self::told(grantor_result::from(&misuse), misuse)
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::told(grantor_result::from(&problem), problem)
    }
}

/// Runs what a function does.
pub(crate) fn border(body: impl FnOnce() -> Result<(), Refused>) -> grantor_result {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => GRANTOR_RESULT_OK,
        Ok(Err(refused)) => refused.result,
        Err(_) => GRANTOR_RESULT_PANIC,
    }
}

/// What a handle points to.
///
/// # Safety
/// The pointer is NULL, or came from this library and was not freed.
pub(crate) unsafe fn handle<'a, T>(pointer: *const T) -> Result<&'a T, Refused> {
    if !pointer.is_aligned() {
        return Err(GRANTOR_RESULT_NULL_POINTER.into());
    }
    // SAFETY: aligned, and the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| GRANTOR_RESULT_NULL_POINTER.into())
}

/// Where a result is written; only when there is one.
#[derive(Debug)]
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Refuses NULL before anything is done.
    pub(crate) fn new(pointer: *mut T) -> Result<Self, Refused> {
        if pointer.is_null() || !pointer.is_aligned() {
            return Err(GRANTOR_RESULT_NULL_POINTER.into());
        }
        Ok(Self(pointer))
    }

    /// Writes it.
    ///
    /// # Safety
    /// The pointer is good for writing.
    pub(crate) unsafe fn put(self, value: T) {
        // SAFETY: not NULL, aligned, and the caller's promise.
        unsafe { self.0.write(value) };
    }
}

/// A value behind a handle that its holder frees.
pub(crate) fn boxed<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// The same, or NULL for nothing.
pub(crate) fn boxed_or_null<T>(value: Option<T>) -> *mut T {
    value.map_or(std::ptr::null_mut(), boxed)
}

/// Frees what a handle points to; NULL is nothing.
///
/// # Safety
/// The pointer is NULL, or came from [`boxed`] and was not freed.
pub(crate) unsafe fn free<T>(pointer: *mut T) {
    if pointer.is_null() {
        return;
    }
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(pointer) });
    }));
}
