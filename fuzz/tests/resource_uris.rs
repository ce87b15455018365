//! Resource URIs made of hostile pieces, for the target that compares readers.

/// What URIs are made of: marks in every spelling, and the names that policies know.
const PIECES: [&str; 96] = [
    "file:",
    "FILE:",
    "note:",
    "Note:",
    "notes:",
    "https:",
    "HTTP:",
    "db:",
    "urn:doc:",
    "url:",
    "x:",
    "skill:",
    "//",
    "///",
    "/",
    "/",
    "/",
    "\\",
    "%2f",
    "%5C",
    "%252F",
    ":",
    "%3A",
    "@",
    "%40",
    "?",
    "%3F",
    "#",
    "%23",
    ";",
    "%3B",
    ".",
    "..",
    "%2e",
    "%2E%2E",
    "%252e",
    "...",
    " ",
    "%20",
    "+",
    "%00",
    "\0",
    "\t",
    "%",
    "%zz",
    "%c0%af",
    "pub",
    "private",
    "PRIVATE",
    "%70rivate",
    "priv%61te",
    "ｐrivate",
    "pri\u{200b}vate",
    "Public",
    "public",
    "C:",
    "c%3A",
    "C|",
    "open",
    "a.md",
    ".md",
    "etc",
    "passwd",
    "Passwd",
    "var",
    "log",
    "list",
    "secret",
    "docs.example",
    "DOCS.EXAMPLE",
    "docs%2eexample",
    "127.0.0.1",
    "0x7f.1",
    "2130706433",
    "[::1]",
    "localhost",
    "localhost:5432",
    ":80",
    ":443",
    "me@",
    "user:pw@",
    "host",
    "t",
    "x=secret1",
    "café",
    "cafe\u{301}",
    "caf%C3%A9",
    "a b",
    "a%20b",
    "Straße",
    "STRASSE",
    "SKILL.md",
    "/SKILL.md",
    "::$DATA",
    "~1",
    "／",
];

/// Seeded, so that a failure comes again.
#[test]
fn every_reader_is_held_to_its_rule() {
    let inputs = std::env::var("INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(3000_u64);
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_u64);
    for input in 0..inputs {
        // SplitMix64.
        let mut state = (seed << 40) + (input << 8);
        let mut next = |below: usize| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((mixed ^ mixed >> 31) % below as u64).unwrap()
        };
        let mut text = String::new();
        text.push(char::from(b'a' + next(6) as u8));
        text.push(char::from(b'a' + next(5) as u8));
        let start =
            ["", "file:///", "note://", "file:///pub/", "https://docs.example/", "note://private", "db://"];
        text.push_str(start[next(start.len())]);
        for _ in 0..next(7) {
            text.push_str(PIECES[next(PIECES.len())]);
        }
        let outcome = std::panic::catch_unwind(|| grantor_fuzz::resource_uri(text.as_bytes()));
        assert!(outcome.is_ok(), "{text:?}");
    }
}
