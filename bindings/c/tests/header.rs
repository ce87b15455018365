//! `include/grantor.h` is what cbindgen makes of the crate. `GRANTOR_BLESS=1 cargo test -p grantor-c --test header`
//! writes it anew.

use std::fs;
use std::path::Path;

/// The header as the crate has it now.
fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("a configuration");
    let version = [
        ("", format!("\"{}\"", env!("CARGO_PKG_VERSION"))),
        ("_MAJOR", env!("CARGO_PKG_VERSION_MAJOR").to_owned()),
        ("_MINOR", env!("CARGO_PKG_VERSION_MINOR").to_owned()),
        ("_PATCH", env!("CARGO_PKG_VERSION_PATCH").to_owned()),
    ];
    let macros = version.map(|(part, value)| format!("#define GRANTOR_VERSION{part} {value}\n")).concat();
    config.after_includes = Some(macros);
    config.no_includes = true;
    let bindings =
        cbindgen::Builder::new().with_crate(root).with_config(config).generate().expect("a header");
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).expect("UTF-8")
}

#[test]
fn the_header_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/grantor.h");
    let generated = generated();
    if std::env::var_os("GRANTOR_BLESS").is_some() {
        fs::write(&path, &generated).expect("written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "run `GRANTOR_BLESS=1 cargo test -p grantor-c --test header`");
}
