//! Machines: what is done to every kind of them.

use std::fmt;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use grantor::client::Engine;
use grantor::resource::Guard;
use grantor::{ApiMisuse, Completion, Now, OpId};
use grantor_bindings::Kind;

use crate::border::{self, Out, Refused, border, boxed, boxed_or_null, handle};
use crate::config::grantor_config;
use crate::output::grantor_output;
use crate::result::grantor_result::{
    self, GRANTOR_RESULT_FORKED, GRANTOR_RESULT_PANIC, GRANTOR_RESULT_WRONG_KIND,
};
use crate::system::grantor_now;
use crate::text::grantor_bytes;

/// A machine: a client, or a guard. Several threads may use one at a time; each input and each output takes a lock for
/// as long as it takes.
pub struct grantor_machine {
    machine: Mutex<Machine>,
    last: Mutex<Option<Refused>>,
    /// The process that made it: a fork shares its random bytes.
    process: u32,
}

pub(crate) enum Machine {
    Client(Box<Engine>),
    Guard(Box<Guard>),
}

impl fmt::Debug for grantor_machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("grantor_machine").finish_non_exhaustive()
    }
}

impl grantor_machine {
    fn lock(&self) -> Result<MutexGuard<'_, Machine>, Refused> {
        if process::id() != self.process {
            return Err(GRANTOR_RESULT_FORKED.into());
        }
        // Poisoned by a panic: what it was about may be half done.
        self.machine.lock().map_err(|_| GRANTOR_RESULT_PANIC.into())
    }

    /// Does something to the machine, and remembers why if it fails.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Machine) -> Result<T, Refused>) -> Result<T, Refused> {
        let outcome = self.lock().and_then(|mut machine| act(&mut machine));
        outcome.map_err(|refused| {
            let result = refused.result;
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
            result.into()
        })
    }

    /// The same for a client.
    pub(crate) fn client<T>(
        &self,
        act: impl FnOnce(&mut Engine) -> Result<T, ApiMisuse>,
    ) -> Result<T, Refused> {
        self.with(|machine| match machine {
            Machine::Client(engine) => Ok(act(engine)?),
            Machine::Guard(_) => Err(Refused::told(GRANTOR_RESULT_WRONG_KIND, "this is for clients")),
        })
    }

    /// The same for a guard.
    pub(crate) fn guard<T>(&self, act: impl FnOnce(&mut Guard) -> T) -> Result<T, Refused> {
        self.with(|machine| match machine {
            Machine::Guard(guard) => Ok(act(guard)),
            Machine::Client(_) => Err(Refused::told(GRANTOR_RESULT_WRONG_KIND, "this is for guards")),
        })
    }

    pub(crate) fn complete(&self, now: Now, op: u64, with: Completion<'_>) -> Result<(), Refused> {
        let op = OpId::from_u64(op);
        self.with(|machine| {
            match machine {
                Machine::Client(engine) => engine.complete(now, op, with)?,
                Machine::Guard(guard) => guard.complete(now, op, with)?,
            }
            Ok(())
        })
    }
}

/// A machine from settings: a client from those of `GRANTOR_CONFIG_CLIENT`, a guard from those of
/// `GRANTOR_CONFIG_GUARD`. The settings can be freed. Free the machine with `grantor_machine_free`.
///
/// `GRANTOR_RESULT_UNUSABLE` when they cannot work; `grantor_config_last_error` says why.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_machine_new(
    config: *mut grantor_config,
    machine: *mut *mut grantor_machine,
) -> grantor_result {
    border(|| {
        let out = Out::new(machine)?;
        // SAFETY: a handle, as the header says.
        let config = unsafe { handle(config) }?;
        let machine = config.noting(make(config))?;
        let made =
            grantor_machine { machine: Mutex::new(machine), last: Mutex::new(None), process: process::id() };
        // SAFETY: `machine` is good for writing.
        unsafe { out.put(boxed(made)) };
        Ok(())
    })
}

fn make(config: &grantor_config) -> Result<Machine, Refused> {
    let settings = config.settings();
    match settings.kind() {
        Kind::Client => {
            let engine = Engine::new(grantor_bindings::client(&settings)?);
            let engine =
                engine.map_err(|error| Refused::told(grantor_result::GRANTOR_RESULT_UNUSABLE, error))?;
            Ok(Machine::Client(Box::new(engine)))
        }
        Kind::Guard => Ok(Machine::Guard(Box::new(grantor_bindings::guard(&settings)?))),
        kind => Err(Refused::told(
            GRANTOR_RESULT_WRONG_KIND,
            format_args!("the settings of a {kind} make no machine"),
        )),
    }
}

/// Frees a machine; nothing is sent or stored any more. NULL is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_machine_free(machine: *mut grantor_machine) {
    // SAFETY: it came from `grantor_machine_new`.
    unsafe { border::free(machine) };
}

/// The next output, or NULL when there is none before the next input. Ask until it is NULL after every input. Free each
/// with `grantor_output_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_machine_poll_output(
    machine: *mut grantor_machine,
    output: *mut *mut grantor_output,
) -> grantor_result {
    border(|| {
        let out = Out::new(output)?;
        // SAFETY: a handle, as the header says.
        let machine = unsafe { handle(machine) }?;
        let output = machine.with(|machine| {
            Ok(match machine {
                // What this binding does not know needs no reaction.
                Machine::Client(engine) => next(|| engine.poll_output(), grantor_output::of_client),
                Machine::Guard(guard) => next(|| guard.poll_output(), grantor_output::of_guard),
            })
        })?;
        // SAFETY: `output` is good for writing.
        unsafe { out.put(boxed_or_null(output)) };
        Ok(())
    })
}

fn next<T>(
    mut poll: impl FnMut() -> Option<T>,
    read: impl Fn(T) -> Option<grantor_output>,
) -> Option<grantor_output> {
    loop {
        if let Some(output) = read(poll()?) {
            return Some(output);
        }
    }
}

/// When to call `grantor_machine_handle_timeout`, on the monotonic clock, if no input comes before; `UINT64_MAX` for
/// never. Every input can change it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_machine_poll_timeout(
    machine: *mut grantor_machine,
    mono_ms: *mut u64,
) -> grantor_result {
    border(|| {
        let out = Out::new(mono_ms)?;
        // SAFETY: a handle, as the header says.
        let machine = unsafe { handle(machine) }?;
        let at = machine.with(|machine| {
            Ok(match machine {
                Machine::Client(engine) => engine.poll_timeout(),
                Machine::Guard(guard) => guard.poll_timeout(),
            })
        })?;
        // SAFETY: `mono_ms` is good for writing.
        unsafe { out.put(at.unwrap_or(u64::MAX)) };
        Ok(())
    })
}

/// Tells a machine that time has passed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_machine_handle_timeout(
    machine: *mut grantor_machine,
    now: grantor_now,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle, as the header says.
        unsafe { handle(machine) }?.with(|machine| {
            match machine {
                Machine::Client(engine) => engine.handle_timeout(now.into()),
                Machine::Guard(guard) => guard.handle_timeout(now.into()),
            }
            Ok(())
        })
    })
}

/// Gives a client random bytes, as `GRANTOR_OUTPUT_NEED_ENTROPY` asks for. They must be of a source that is good for
/// keys, such as `grantor_entropy_read`, and are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_machine_add_entropy(
    machine: *mut grantor_machine,
    now: grantor_now,
    bytes: grantor_bytes,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and bytes, as the header says.
        let (machine, bytes) = unsafe { (handle(machine)?, bytes.read()?) };
        machine.client(|engine| {
            engine.add_entropy(now.into(), bytes);
            Ok(())
        })
    })
}

/// Why the last call on this machine failed, as an output of kind `GRANTOR_OUTPUT_ERROR`; NULL if none did since it was
/// asked last. Free it with `grantor_output_free`. What went wrong between a client and the servers is no such error: it
/// comes with `GRANTOR_OUTPUT_CALL_FAIL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_machine_last_error(
    machine: *mut grantor_machine,
    error: *mut *mut grantor_output,
) -> grantor_result {
    border(|| {
        let out = Out::new(error)?;
        // SAFETY: a handle, as the header says.
        let machine = unsafe { handle(machine) }?;
        let last = machine.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        // SAFETY: `error` is good for writing.
        unsafe { out.put(boxed_or_null(last.as_ref().map(grantor_output::refused))) };
        Ok(())
    })
}

/// Handles may be used from several threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<grantor_machine>();
    shared::<grantor_config>();
    shared::<grantor_output>();
};
