#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| grantor_fuzz::provider(data));

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("cargo +nightly fuzz run provider");
}
