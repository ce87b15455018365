//! What a call of the ABI costs over the same call in Rust: a request with a valid token, from `authorize` to `deliver`,
//! by both in turns. Prints nanoseconds, of the least disturbed rounds.

use std::hint::black_box;
use std::ptr;
use std::time::Instant;

use grantor::client::{Engine, Output, RequestHead, ResponseHead, Verdict};
use grantor::wire::HttpResponse;
use grantor::{Completion, Effect, Now, RecordRevision};
use grantor_c::client::{grantor_client_authorize, grantor_client_report};
use grantor_c::complete::{
    grantor_complete_http, grantor_complete_not_stored, grantor_complete_saved, grantor_revision,
};
use grantor_c::config::{
    grantor_config, grantor_config_new, grantor_config_set_config, grantor_config_set_text,
};
use grantor_c::machine::{
    grantor_machine, grantor_machine_add_entropy, grantor_machine_new, grantor_machine_poll_output,
};
use grantor_c::option::{grantor_config_kind, grantor_option};
use grantor_c::output::{
    grantor_field, grantor_output, grantor_output_free, grantor_output_header, grantor_output_kind,
    grantor_output_kind_of, grantor_output_number, grantor_output_text,
};
use grantor_c::result::grantor_result::GRANTOR_RESULT_OK;
use grantor_c::system::grantor_now;
use grantor_c::text::{grantor_bytes, grantor_header, grantor_str};
use http::HeaderMap;

const URL: &str = "http://127.0.0.1:9/mcp";
const NOW: grantor_now = grantor_now { mono_ms: 1_000, unix_s: 1_700_000_000 };
const ROUNDS: usize = 300;
const REQUESTS: u32 = 1_000;
/// Functions of the ABI that a request takes here.
const FUNCTIONS: f64 = 11.0;

fn answer(url: &str) -> &'static str {
    if url.contains("protected-resource") {
        r#"{"resource":"http://127.0.0.1:9/mcp","authorization_servers":["http://127.0.0.1:9"]}"#
    } else if url.contains("well-known") {
        r#"{"issuer":"http://127.0.0.1:9","authorization_endpoint":"http://127.0.0.1:9/a",
            "token_endpoint":"http://127.0.0.1:9/t","response_types_supported":["code"]}"#
    } else {
        r#"{"access_token":"t1","token_type":"Bearer","expires_in":3600}"#
    }
}

fn engine() -> Engine {
    use grantor_bindings::{Kind, Settings, Value};
    let mut client = Settings::new(Kind::Preregistered);
    client.set("client_id", Value::Text("c".into())).expect("a setting");
    client.set("secret", Value::Text("s".into())).expect("a setting");
    let mut settings = Settings::new(Kind::Client);
    settings.set("resource", Value::Text(URL.into())).expect("a setting");
    settings.set("flow", Value::Text("client_credentials".into())).expect("a setting");
    settings.set("preregistered", Value::Settings("".into(), client)).expect("a setting");
    Engine::new(grantor_bindings::client(&settings).expect("a configuration")).expect("an engine")
}

/// One request by the engine, with whatever it asks for.
fn by_rust(engine: &mut Engine) -> bool {
    let now = Now::new(NOW.mono_ms, NOW.unix_s);
    let call = engine.authorize(now, RequestHead::new("POST", URL)).expect("a call");
    let headers = HeaderMap::new();
    let mut has_token = false;
    while let Some(output) = engine.poll_output() {
        match output {
            Output::Call { verdict: Verdict::Send(credentials), .. } => {
                for line in credentials.iter() {
                    has_token = true;
                    black_box(line);
                }
                let status = if has_token { 200 } else { 401 };
                engine.report(now, call, ResponseHead { status, headers: &headers }).expect("a report");
            }
            Output::Call { verdict: Verdict::Deliver, .. } => {}
            Output::Call { verdict, .. } => panic!("{verdict:?}"),
            Output::NeedEntropy { .. } => engine.add_entropy(now, &[7; 512]),
            Output::Perform { op, effect, .. } => {
                let with = match &effect {
                    Effect::Load { .. } => Completion::Loaded(None),
                    Effect::Save { .. } => Completion::Saved(RecordRevision([1; 16])),
                    Effect::Http { request, .. } => Completion::Http(HttpResponse {
                        status: 200,
                        headers: &headers,
                        body: answer(request.url.as_str()).as_bytes(),
                    }),
                    other => panic!("{other:?}"),
                };
                engine.complete(now, op, with).expect("an answer");
            }
            _ => {}
        }
    }
    has_token
}

fn text(text: &str) -> grantor_str {
    grantor_str { data: text.as_ptr().cast(), len: text.len() }
}

fn settings(kind: grantor_config_kind, texts: &[(grantor_option, &str)]) -> *mut grantor_config {
    let mut config = ptr::null_mut();
    // SAFETY: a place on the stack, and a handle from it.
    unsafe {
        assert_eq!(grantor_config_new(kind as u32, &mut config), GRANTOR_RESULT_OK);
        for (option, value) in texts {
            assert_eq!(grantor_config_set_text(config, *option as u32, text(value)), GRANTOR_RESULT_OK);
        }
    }
    config
}

fn machine() -> *mut grantor_machine {
    use grantor_option::*;
    let client = settings(
        grantor_config_kind::GRANTOR_CONFIG_PREREGISTERED,
        &[(GRANTOR_OPTION_CLIENT_ID, "c"), (GRANTOR_OPTION_SECRET, "s")],
    );
    let config = settings(
        grantor_config_kind::GRANTOR_CONFIG_CLIENT,
        &[(GRANTOR_OPTION_RESOURCE, URL), (GRANTOR_OPTION_FLOW, "client_credentials")],
    );
    let mut machine = ptr::null_mut();
    // SAFETY: handles that are alive, and a place on the stack.
    unsafe {
        let option = GRANTOR_OPTION_PREREGISTERED as u32;
        assert_eq!(grantor_config_set_config(config, option, text(""), client), GRANTOR_RESULT_OK);
        assert_eq!(grantor_machine_new(config, &mut machine), GRANTOR_RESULT_OK);
    }
    machine
}

/// The same request by the ABI, as a program in C makes it.
fn by_abi(machine: *mut grantor_machine) -> bool {
    let (mut call, mut has_token) = (0, false);
    // SAFETY: handles that are alive, and places on the stack.
    unsafe {
        let begun =
            grantor_client_authorize(machine, NOW, text("POST"), text(URL), ptr::null(), 0, &mut call);
        assert_eq!(begun, GRANTOR_RESULT_OK);
        loop {
            let mut output = ptr::null_mut();
            assert_eq!(grantor_machine_poll_output(machine, &mut output), GRANTOR_RESULT_OK);
            if output.is_null() {
                return has_token;
            }
            match grantor_output_kind_of(output) {
                grantor_output_kind::GRANTOR_OUTPUT_CALL_SEND => {
                    let (mut name, mut value, mut lines) = (text(""), text(""), 0);
                    while grantor_output_header(output, lines, &mut name, &mut value) == GRANTOR_RESULT_OK {
                        lines += 1;
                        black_box((name, value));
                    }
                    has_token = lines > 0;
                    let status = if has_token { 200 } else { 401 };
                    let none: *const grantor_header = ptr::null();
                    let told = grantor_client_report(machine, NOW, call, status, none, 0);
                    assert_eq!(told, GRANTOR_RESULT_OK);
                }
                grantor_output_kind::GRANTOR_OUTPUT_CALL_DELIVER => {}
                _ => perform(machine, output),
            }
            grantor_output_free(output);
        }
    }
}

fn perform(machine: *mut grantor_machine, output: *mut grantor_output) {
    let (mut op, mut url) = (0, text(""));
    let revision = grantor_revision { bytes: [1; 16] };
    // SAFETY: handles that are alive, and places on the stack.
    unsafe {
        grantor_output_number(output, grantor_field::GRANTOR_FIELD_OP as u32, &mut op);
        match grantor_output_kind_of(output) {
            grantor_output_kind::GRANTOR_OUTPUT_NEED_ENTROPY => {
                grantor_machine_add_entropy(
                    machine,
                    NOW,
                    grantor_bytes { data: [7; 512].as_ptr(), len: 512 },
                );
            }
            grantor_output_kind::GRANTOR_OUTPUT_LOAD => drop(grantor_complete_not_stored(machine, NOW, op)),
            grantor_output_kind::GRANTOR_OUTPUT_SAVE => {
                grantor_complete_saved(machine, NOW, op, revision);
            }
            grantor_output_kind::GRANTOR_OUTPUT_HTTP => {
                grantor_output_text(output, grantor_field::GRANTOR_FIELD_URL as u32, &mut url);
                let url = std::slice::from_raw_parts(url.data.cast::<u8>(), url.len);
                let body = answer(std::str::from_utf8(url).expect("a URL"));
                let body = grantor_bytes { data: body.as_ptr(), len: body.len() };
                grantor_complete_http(machine, NOW, op, 200, ptr::null(), 0, body);
            }
            _ => {}
        }
    }
}

/// Nanoseconds of a request in a round.
fn round(mut request: impl FnMut() -> bool) -> f64 {
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        assert!(request(), "with a token");
    }
    begun.elapsed().as_nanos() as f64 / f64::from(REQUESTS)
}

fn least(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 10]
}

fn main() {
    let (mut engine, machine) = (engine(), machine());
    assert!(by_rust(&mut engine) && by_abi(machine), "both have a token now");
    let (mut rust, mut abi) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        rust.push(round(|| by_rust(&mut engine)));
        abi.push(round(|| by_abi(machine)));
    }
    let (rust, abi) = (least(rust), least(abi));
    println!("request in Rust: {rust:.0} ns");
    println!("request by the ABI: {abi:.0} ns");
    println!("more for a function of the ABI: {:.1} ns", (abi - rust) / FUNCTIONS);
}
