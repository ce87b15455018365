//! Sequences of calls, read from bytes: what a fuzzer drives the ABI with. Not part of the library.

#![allow(clippy::undocumented_unsafe_blocks)] // stated once, at `Calls`

use std::ptr;

use crate::challenge::*;
use crate::client::*;
use crate::complete::*;
use crate::config::*;
use crate::guard::*;
use crate::machine::*;
use crate::output::*;
use crate::result::grantor_result::{self, GRANTOR_RESULT_OK, GRANTOR_RESULT_PANIC};
use crate::store::*;
use crate::system::grantor_now;
use crate::text::{grantor_bytes, grantor_header, grantor_str};

/// Texts that mean something to somebody.
const WORDS: [&str; 20] = [
    "",
    "http://127.0.0.1:9/mcp",
    "https://mcp.example.com/mcp",
    "https://as.example.com",
    "ask",
    "accept",
    "required",
    "host",
    "files:read",
    "GET",
    "POST",
    "/mcp",
    "authorization",
    "Bearer t1",
    "Bearer scope=\"a\", DPoP abc==",
    "content-type",
    "application/json",
    "{\"resource\":\"http://127.0.0.1:9/mcp\",\"authorization_servers\":[\"http://127.0.0.1:9\"]}",
    "{\"issuer\":\"http://127.0.0.1:9\",\"authorization_endpoint\":\"http://127.0.0.1:9/a\",\
     \"token_endpoint\":\"http://127.0.0.1:9/t\",\"registration_endpoint\":\"http://127.0.0.1:9/r\",\
     \"response_types_supported\":[\"code\"],\"code_challenge_methods_supported\":[\"S256\"]}",
    "{\"access_token\":\"t1\",\"token_type\":\"Bearer\",\"client_id\":\"c\",\"token_endpoint_auth_method\":\"none\"}",
];

/// At most so many handles of a kind are kept.
const MOST: usize = 8;

/// Calls functions as the bytes say: in any order, with handles that are there or NULL, with texts that mean something
/// or nothing. No call may find a fault in Grantor, and nothing may leak or be used after it was freed.
///
/// # Panics
/// When a call does find one.
pub fn run(bytes: &[u8]) {
    let mut calls = Calls::default();
    (calls.bytes, calls.now) = (bytes, 1_000);
    while !calls.bytes.is_empty() {
        let result = calls.one();
        assert_ne!(result, GRANTOR_RESULT_PANIC, "a fault in Grantor");
    }
}

/// Every handle in it is alive. That, and texts that point into the input or to constants, is what makes every call below
/// a safe one; what is written goes to the stack.
#[derive(Default)]
struct Calls<'a> {
    bytes: &'a [u8],
    now: u64,
    configs: Vec<*mut grantor_config>,
    machines: Vec<*mut grantor_machine>,
    outputs: Vec<*mut grantor_output>,
    stores: Vec<*mut grantor_store>,
    challenges: Vec<*mut grantor_challenges>,
}

impl Calls<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            small => small.into(),
        }
    }

    fn word(&mut self) -> grantor_str {
        let byte = usize::from(self.byte());
        match WORDS.get(byte % 32) {
            Some(word) => grantor_str::of(word),
            // What comes next in the input, or nothing at all.
            None if byte % 32 == 31 => grantor_str { data: ptr::null(), len: byte },
            None => grantor_str::of_bytes(&self.bytes[..self.bytes.len().min(byte / 8)]),
        }
    }

    fn time(&mut self) -> grantor_now {
        self.now = self.now.saturating_add(self.number().saturating_mul(50));
        grantor_now { mono_ms: self.now, unix_s: 1_700_000_000 + self.now / 1_000 }
    }

    /// One of these, or NULL.
    fn pick<T>(&mut self, of: impl Fn(&Self) -> &Vec<*mut T>) -> *mut T {
        let place = usize::from(self.byte());
        of(self).get(place % (MOST + 1)).or(of(self).first()).copied().unwrap_or(ptr::null_mut())
    }

    /// The effect that an output asks for, if it does.
    fn op(&mut self) -> u64 {
        let (output, mut op) = (self.pick(|calls| &calls.outputs), 0);
        // SAFETY: a live handle or NULL, and a place on the stack.
        unsafe { grantor_output_number(output, grantor_field::GRANTOR_FIELD_OP as u32, &mut op) };
        if op == 0 { self.number() } else { op }
    }

    fn one(&mut self) -> grantor_result {
        match self.byte() % 12 {
            0 => self.make(),
            1 => self.set(),
            2 => self.free(),
            3 => self.begin(),
            4..=6 => self.poll(),
            7 => self.complete_record(),
            8 => self.complete_http(),
            9 => self.complete_user(),
            10 => self.read(),
            _ => self.guard(),
        }
    }

    fn make(&mut self) -> grantor_result {
        match self.byte() % 4 {
            0 => {
                let (mut config, kind) = (ptr::null_mut(), u32::from(self.byte() % 9));
                let result = unsafe { grantor_config_new(kind, &mut config) };
                keep(&mut self.configs, config, grantor_config_free);
                result
            }
            1 => {
                let (mut machine, config) = (ptr::null_mut(), self.pick(|calls| &calls.configs));
                let result = unsafe { grantor_machine_new(config, &mut machine) };
                keep(&mut self.machines, machine, grantor_machine_free);
                result
            }
            2 => {
                let mut store = ptr::null_mut();
                let result = unsafe { grantor_store_new_memory(&mut store) };
                keep(&mut self.stores, store, grantor_store_free);
                result
            }
            _ => {
                let (mut challenges, line) = (ptr::null_mut(), self.word());
                let result = unsafe { grantor_challenges_parse(&line, 1, &mut challenges) };
                keep(&mut self.challenges, challenges, grantor_challenges_free);
                result
            }
        }
    }

    fn set(&mut self) -> grantor_result {
        let (config, option) = (self.pick(|calls| &calls.configs), u32::from(self.byte()));
        match self.byte() % 5 {
            0 | 1 => {
                let text = self.word();
                unsafe { grantor_config_set_text(config, option, text) }
            }
            2 => {
                let number = self.number();
                unsafe { grantor_config_set_number(config, option, number) }
            }
            3 => {
                let (name, value) = (self.word(), self.word());
                unsafe { grantor_config_set_pair(config, option, name, value) }
            }
            _ => {
                let (name, value) = (self.word(), self.pick(|calls| &calls.configs));
                unsafe { grantor_config_set_config(config, option, name, value) }
            }
        }
    }

    fn free(&mut self) -> grantor_result {
        let place = usize::from(self.byte()) % MOST;
        match self.byte() % 5 {
            0 => drop_one(&mut self.configs, place, grantor_config_free),
            1 => drop_one(&mut self.machines, place, grantor_machine_free),
            2 => drop_one(&mut self.stores, place, grantor_store_free),
            3 => drop_one(&mut self.challenges, place, grantor_challenges_free),
            _ => drop_one(&mut self.outputs, place, grantor_output_free),
        }
        GRANTOR_RESULT_OK
    }

    fn begin(&mut self) -> grantor_result {
        let (machine, now, mut call) = (self.pick(|calls| &calls.machines), self.time(), 0);
        let kind = self.byte() % 9;
        let (name, value) = (self.word(), self.word());
        let line = grantor_header { name, value };
        unsafe {
            match kind {
                0 => grantor_client_log_in(machine, now, &mut call),
                1 => grantor_client_log_out(machine, now, &mut call),
                2 => grantor_client_forget(machine, now, &mut call),
                3 => grantor_client_callback(machine, now, value, &mut call),
                4 => grantor_client_cancel(machine, self.number()),
                5 => grantor_client_step_up(machine, now, name, value, &self.word(), 1, &mut call),
                6 => {
                    let status = [200, 401, 403, 500][usize::from(self.byte() % 4)];
                    grantor_client_report(machine, now, self.number(), status, &line, 1)
                }
                _ => grantor_client_authorize(
                    machine,
                    now,
                    name,
                    value,
                    &line,
                    usize::from(kind == 8),
                    &mut call,
                ),
            }
        }
    }

    fn poll(&mut self) -> grantor_result {
        let (machine, mut output) = (self.pick(|calls| &calls.machines), ptr::null_mut());
        let result = unsafe { grantor_machine_poll_output(machine, &mut output) };
        // SAFETY: a live handle or NULL.
        if unsafe { grantor_output_kind_of(output) } == grantor_output_kind::GRANTOR_OUTPUT_NEED_ENTROPY {
            let now = self.time();
            unsafe { grantor_machine_add_entropy(machine, now, grantor_bytes::of(&[7; 512])) };
        }
        keep(&mut self.outputs, output, grantor_output_free);
        result
    }

    fn complete_record(&mut self) -> grantor_result {
        let (machine, now, op) = (self.pick(|calls| &calls.machines), self.time(), self.op());
        let revision = grantor_revision { bytes: [self.byte(); 16] };
        let record = self.word();
        unsafe {
            match self.byte() % 8 {
                0 => grantor_complete_not_stored(machine, now, op),
                1 => grantor_complete_saved(machine, now, op, revision),
                2 => grantor_complete_conflict(machine, now, op),
                3 => grantor_complete_deleted(machine, now, op),
                4 => {
                    let record = grantor_bytes { data: record.data.cast(), len: record.len };
                    grantor_complete_loaded(machine, now, op, record, revision)
                }
                _ => {
                    let (store, output) =
                        (self.pick(|calls| &calls.stores), self.pick(|calls| &calls.outputs));
                    grantor_store_perform(store, machine, now, output)
                }
            }
        }
    }

    fn complete_http(&mut self) -> grantor_result {
        let (machine, now, op) = (self.pick(|calls| &calls.machines), self.time(), self.op());
        let status = [200, 201, 302, 400, 401, 404, 429, 500][usize::from(self.byte() % 8)];
        let (name, value, body) = (self.word(), self.word(), self.word());
        let line = grantor_header { name, value };
        let body = grantor_bytes { data: body.data.cast(), len: body.len };
        unsafe {
            match self.byte() % 4 {
                0 => grantor_complete_failed(machine, now, op, u32::from(self.byte() % 8), name),
                with => grantor_complete_http(machine, now, op, status, &line, usize::from(with == 1), body),
            }
        }
    }

    fn complete_user(&mut self) -> grantor_result {
        let (machine, now, op) = (self.pick(|calls| &calls.machines), self.time(), self.op());
        let text = self.word();
        unsafe {
            match self.byte() % 9 {
                0 => grantor_complete_approved(machine, now, op),
                1 => grantor_complete_declined(machine, now, op),
                2 => grantor_complete_listening(machine, now, op, text),
                3 => grantor_complete_callback(machine, now, op, text),
                4 => grantor_complete_assertion(machine, now, op, u32::from(self.byte() % 6), text),
                5 => {
                    let signature = grantor_bytes { data: text.data.cast(), len: text.len };
                    grantor_complete_signed(machine, now, op, signature)
                }
                6 => grantor_complete_token_checked(machine, now, op, text),
                7 => grantor_complete_token_not_valid(machine, now, op),
                _ => grantor_machine_handle_timeout(machine, now),
            }
        }
    }

    fn read(&mut self) -> grantor_result {
        let (output, field) = (self.pick(|calls| &calls.outputs), u32::from(self.byte() % 64));
        let (mut name, mut value) = (grantor_str::of(""), grantor_str::of(""));
        let (mut bytes, mut number, mut answered) = (grantor_bytes::of(&[]), 0, false);
        let mut more = ptr::null_mut();
        unsafe {
            let result = match self.byte() % 8 {
                0 => grantor_output_text(output, field, &mut value),
                1 => grantor_output_bytes(output, field, &mut bytes),
                2 => grantor_output_number(output, field, &mut number),
                3 => grantor_output_header(output, field as usize, &mut name, &mut value),
                4 => grantor_output_is_answered_by(output, self.word(), &mut answered),
                5 => grantor_output_check_address(output, [127, 0, 0, 1].as_ptr(), 4),
                6 => {
                    let challenges = self.pick(|calls| &calls.challenges);
                    grantor_challenges_get(challenges, field as usize, &mut more)
                }
                _ => grantor_machine_last_error(self.pick(|calls| &calls.machines), &mut more),
            };
            // What was borrowed can be read.
            let read = [(value.data.cast::<u8>(), value.len), (bytes.data, bytes.len)];
            for (data, len) in read {
                std::hint::black_box(
                    std::slice::from_raw_parts(data, len).iter().map(|byte| u64::from(*byte)).sum::<u64>(),
                );
            }
            keep(&mut self.outputs, more, grantor_output_free);
            result
        }
    }

    fn guard(&mut self) -> grantor_result {
        let (machine, now) = (self.pick(|calls| &calls.machines), self.time());
        let (method, target, name, value, body) =
            (self.word(), self.word(), self.word(), self.word(), self.word());
        let line = grantor_header { name, value };
        let request = grantor_request { method, target, headers: &line, headers_len: 1 };
        let body = grantor_bytes { data: body.data.cast(), len: body.len };
        let mut decision = ptr::null_mut();
        let result = unsafe {
            match self.byte() % 4 {
                0 => grantor_guard_too_large(machine, request, &mut decision),
                1 => grantor_guard_answer_headers(machine, now, request, &mut decision),
                2 => grantor_guard_check(machine, now, request, &body, &mut decision),
                _ => grantor_guard_check(machine, now, request, ptr::null(), &mut decision),
            }
        };
        keep(&mut self.outputs, decision, grantor_output_free);
        result
    }
}

type Free<T> = unsafe extern "C" fn(*mut T);

/// Keeps a handle; the oldest goes when there are too many.
fn keep<T>(all: &mut Vec<*mut T>, handle: *mut T, free: Free<T>) {
    if handle.is_null() {
        return;
    }
    if all.len() == MOST {
        drop_one(all, 0, free);
    }
    all.push(handle);
}

fn drop_one<T>(all: &mut Vec<*mut T>, place: usize, free: Free<T>) {
    if place < all.len() {
        // SAFETY: a live handle that nobody has any more.
        unsafe { free(all.remove(place)) };
    }
}

impl Drop for Calls<'_> {
    fn drop(&mut self) {
        while !self.outputs.is_empty() {
            drop_one(&mut self.outputs, 0, grantor_output_free);
        }
        while !self.machines.is_empty() {
            drop_one(&mut self.machines, 0, grantor_machine_free);
        }
        while !self.configs.is_empty() {
            drop_one(&mut self.configs, 0, grantor_config_free);
        }
        while !self.stores.is_empty() {
            drop_one(&mut self.stores, 0, grantor_store_free);
        }
        while !self.challenges.is_empty() {
            drop_one(&mut self.challenges, 0, grantor_challenges_free);
        }
    }
}
