//! Settings, one after the other, from which machines are made.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use grantor::Secret;
use grantor_bindings::{Settings, Value};

use crate::border::{self, Out, Refused, border, boxed, boxed_or_null, handle};
use crate::option;
use crate::output::grantor_output;
use crate::result::grantor_result::{self, GRANTOR_RESULT_UNKNOWN_VALUE};
use crate::text::grantor_str;

/// Settings of a client, a guard, or something that one of them needs. Several threads may use one at a time.
pub struct grantor_config(Mutex<Inner>);

struct Inner {
    settings: Settings,
    last: Option<Refused>,
}

impl fmt::Debug for grantor_config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("grantor_config").field(&self.lock().settings).finish()
    }
}

impl grantor_config {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the settings.
    pub(crate) fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    /// Remembers why something failed, for `grantor_config_last_error`.
    pub(crate) fn noting<T>(&self, outcome: Result<T, Refused>) -> Result<T, Refused> {
        outcome.map_err(|refused| {
            let result = refused.result;
            self.lock().last = Some(refused);
            result.into()
        })
    }

    fn set(&self, option: u32, value: Value) -> Result<(), Refused> {
        let set = || {
            let name = option::name(option).ok_or_else(|| {
                Refused::told(GRANTOR_RESULT_UNKNOWN_VALUE, format_args!("there is no option {option}"))
            })?;
            Ok(self.lock().settings.set(name, value)?)
        };
        self.noting(set())
    }
}

/// Empty settings of this kind, a `grantor_config_kind`. Free them with `grantor_config_free`; machines keep none of
/// them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_config_new(kind: u32, config: *mut *mut grantor_config) -> grantor_result {
    border(|| {
        let out = Out::new(config)?;
        let kind = option::KINDS.iter().find(|(number, _)| *number == kind);
        let (_, kind) = kind.ok_or(GRANTOR_RESULT_UNKNOWN_VALUE)?;
        let inner = Inner { settings: Settings::new(*kind), last: None };
        // SAFETY: `config` is good for writing.
        unsafe { out.put(boxed(grantor_config(Mutex::new(inner)))) };
        Ok(())
    })
}

/// Frees settings. NULL is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_config_free(config: *mut grantor_config) {
    // SAFETY: it came from `grantor_config_new`.
    unsafe { border::free(config) };
}

/// Sets a text, or adds one. The text is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_config_set_text(
    config: *mut grantor_config,
    option: u32,
    text: grantor_str,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and a text, as the header says.
        let (config, text) = unsafe { (handle(config)?, text.read()?) };
        config.set(option, Value::Text(Secret::from(text)))
    })
}

/// Sets a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_config_set_number(
    config: *mut grantor_config,
    option: u32,
    number: u64,
) -> grantor_result {
    // SAFETY: a handle, as the header says.
    border(|| unsafe { handle(config)? }.set(option, Value::Number(number)))
}

/// Sets a flag.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_config_set_flag(
    config: *mut grantor_config,
    option: u32,
    on: bool,
) -> grantor_result {
    // SAFETY: a handle, as the header says.
    border(|| unsafe { handle(config)? }.set(option, Value::Flag(on)))
}

/// Adds a pair: a name and its value, both copied. For rules, what it is about and the scopes that it needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_config_set_pair(
    config: *mut grantor_config,
    option: u32,
    name: grantor_str,
    value: grantor_str,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and texts, as the header says.
        let (config, name, value) = unsafe { (handle(config)?, name.read()?, value.read()?) };
        config.set(option, Value::Pair(name.into(), Secret::from(value)))
    })
}

/// Adds other settings, of something by this name where it has one. They are copied: free them afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_config_set_config(
    config: *mut grantor_config,
    option: u32,
    name: grantor_str,
    value: *const grantor_config,
) -> grantor_result {
    border(|| {
        // SAFETY: handles and a text, as the header says.
        let (config, name, value) = unsafe { (handle(config)?, name.read()?, handle(value)?) };
        let settings = value.settings();
        config.set(option, Value::Settings(name.into(), settings))
    })
}

/// Why the last call on these settings failed, `grantor_machine_new` included, as an output of kind
/// `GRANTOR_OUTPUT_ERROR`; NULL if none did since it was asked last. Free it with `grantor_output_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_config_last_error(
    config: *mut grantor_config,
    error: *mut *mut grantor_output,
) -> grantor_result {
    border(|| {
        let out = Out::new(error)?;
        // SAFETY: a handle, as the header says.
        let last = unsafe { handle(config)? }.lock().last.take();
        // SAFETY: `error` is good for writing.
        unsafe { out.put(boxed_or_null(last.as_ref().map(grantor_output::refused))) };
        Ok(())
    })
}
