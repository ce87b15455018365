//! Stores of this library, which perform the effects on records.

use std::fmt;

use grantor_driver::{FileStore, MemoryStore, Store};

use crate::border::{self, Out, Refused, border, boxed, handle};
use crate::machine::grantor_machine;
use crate::output::grantor_output;
use crate::result::grantor_result::{self, GRANTOR_RESULT_NOT_PERFORMED, GRANTOR_RESULT_STORE};
use crate::system::grantor_now;
use crate::text::grantor_str;

/// A store. Any number of threads, and machines, may use one at a time.
pub struct grantor_store(Box<dyn Store>);

impl fmt::Debug for grantor_store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("grantor_store").finish_non_exhaustive()
    }
}

/// A store in this directory, which is made if it does not exist: a file for each record, readable for this user alone,
/// and shared with every program that uses Grantor's file store. Give an absolute path.
///
/// `GRANTOR_RESULT_STORE` when the directory cannot be made or used, or others may write or replace it; `error` then gets
/// an output of kind `GRANTOR_OUTPUT_ERROR`, unless it is NULL. Free the store with `grantor_store_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_store_new_file(
    directory: grantor_str,
    store: *mut *mut grantor_store,
    error: *mut *mut grantor_output,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { opened(directory, store, error, |directory| FileStore::new(directory)) }
}

/// The same in the platform's directory for the state of the application of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_store_new_application(
    name: grantor_str,
    store: *mut *mut grantor_store,
    error: *mut *mut grantor_output,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { opened(name, store, error, FileStore::for_application) }
}

/// A store that is gone with the process. Free it with `grantor_store_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_store_new_memory(store: *mut *mut grantor_store) -> grantor_result {
    border(|| {
        let out = Out::new(store)?;
        // SAFETY: `store` is good for writing.
        unsafe { out.put(boxed(grantor_store(Box::new(MemoryStore::default())))) };
        Ok(())
    })
}

/// Performs a `GRANTOR_OUTPUT_LOAD`, `_SAVE` or `_DELETE`, and answers it; `GRANTOR_RESULT_NOT_PERFORMED` for any other
/// output. It may block: on a disk, and while another process writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_store_perform(
    store: *const grantor_store,
    machine: *mut grantor_machine,
    now: grantor_now,
    output: *const grantor_output,
) -> grantor_result {
    border(|| {
        // SAFETY: handles, as the header says.
        let (store, machine, output) = unsafe { (handle(store)?, handle(machine)?, handle(output)?) };
        let performed = output.effect.as_ref().and_then(|effect| grantor_driver::on_store(&*store.0, effect));
        let performed = performed.ok_or(GRANTOR_RESULT_NOT_PERFORMED)?;
        machine.complete(now.into(), output.op()?, performed.completion())
    })
}

/// Frees a store. NULL is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_store_free(store: *mut grantor_store) {
    // SAFETY: it came from this library.
    unsafe { border::free(store) };
}

/// Opens a store of files.
///
/// # Safety
/// As of every function.
unsafe fn opened(
    place: grantor_str,
    store: *mut *mut grantor_store,
    error: *mut *mut grantor_output,
    open: impl FnOnce(&str) -> Result<FileStore, grantor_driver::store::StoreError>,
) -> grantor_result {
    border(|| {
        let out = Out::new(store)?;
        // SAFETY: a text, as the header says.
        let opened = open(unsafe { place.read() }?);
        match opened {
            Ok(opened) => {
                // SAFETY: `store` is good for writing.
                unsafe { out.put(boxed(grantor_store(Box::new(opened)))) };
                Ok(())
            }
            Err(problem) => {
                let refused = Refused::told(GRANTOR_RESULT_STORE, problem);
                if let Ok(error) = Out::new(error) {
                    // SAFETY: `error` is good for writing.
                    unsafe { error.put(boxed(grantor_output::refused(&refused))) };
                }
                Err(refused)
            }
        }
    })
}
