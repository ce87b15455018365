//! Every document, every member, everything that can be wrong with it: what must fail names the member, all
//! else goes on and leaves a finding that names it.

mod documents;
mod values;

use crate::error::Error;
use crate::finding::{Findings, Problem};

use self::documents::{DOCUMENTS, Document};
use self::values::{Fate, VALUES};

/// How a member is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// An array, handed on as it is written.
    Array,
    /// A code that people or forms carry: a string without control characters.
    Code,
    /// `true` or `false`, also written otherwise.
    Flag,
    /// A string of visible ASCII characters.
    HeaderText,
    /// An array of keys, each looked at for itself.
    Keys,
    /// An array of strings.
    List,
    /// The same, or one string.
    ListOrOne,
    /// A URL for the browser.
    Page,
    /// Scopes in an array.
    ScopeList,
    /// Scopes in a string.
    ScopeText,
    /// A number of seconds.
    Seconds,
    /// `true` or `false` and nothing else.
    StrictFlag,
    /// A string.
    Text,
    /// A URL that the policy allows.
    Url,
}

fn read(document: &Document, json: &str) -> (Result<(), Error>, Findings) {
    let mut findings = Findings::new();
    let read = (document.read)(json, &mut findings);
    (read, findings)
}

/// The good document with one member written so, or more than once.
fn with(document: &Document, member: &str, values: &[&str]) -> String {
    let good: serde_json::Map<String, serde_json::Value> = serde_json::from_str(document.good).unwrap();
    let others =
        good.iter().filter(|(name, _)| *name != member).map(|(name, value)| format!("{name:?}:{value}"));
    let own = values.iter().map(|value| format!("{member:?}:{value}"));
    format!("{{{}}}", others.chain(own).collect::<Vec<_>>().join(","))
}

fn good_value(document: &Document, member: &str) -> String {
    let good: serde_json::Value = serde_json::from_str(document.good).unwrap();
    good[member].to_string()
}

fn names(findings: &Findings, member: &str) -> bool {
    findings.iter().any(|finding| finding.member.as_deref() == Some(member))
}

/// Whether the error says which member it is about.
#[track_caller]
fn assert_named(error: &Error, member: &str, context: &str) {
    let text = error.to_string();
    assert!(text.contains(&format!("`{member}")), "{context}: {text}");
}

#[test]
fn the_table_has_the_members_that_the_readers_know() {
    for document in DOCUMENTS {
        let mut table: Vec<&str> = document.members.iter().map(|(name, ..)| *name).collect();
        table.extend(document.unread);
        let mut known = document.known.to_vec();
        table.sort_unstable();
        known.sort_unstable();
        assert_eq!(table, known, "{}", document.name);
        known.dedup();
        assert_eq!(known.len(), document.known.len(), "{}: each once", document.name);
    }
}

#[test]
fn good_documents_leave_no_finding() {
    for document in DOCUMENTS {
        let (read, findings) = read(document, document.good);
        assert_eq!(read, Ok(()), "{}", document.name);
        assert_eq!(findings, Findings::new(), "{}", document.name);
    }
}

#[test]
fn every_member_with_every_value() {
    for document in DOCUMENTS {
        for (member, uses, required) in document.members {
            for value in VALUES {
                let json = with(document, member, &[&value.json()]);
                let context = format!("{}: `{member}` {}", document.name, value.name);
                let (read, findings) = read(document, &json);
                match (value.fate(*uses), read) {
                    (Fate::None, Ok(())) if *required => panic!("{context}: goes on without"),
                    (Fate::None, Err(error)) if *required => assert_named(&error, member, &context),
                    (Fate::None, read) => {
                        assert_eq!(read, Ok(()), "{context}: nobody needs it");
                        assert!(names(&findings, member), "{context}: no finding");
                    }
                    // What can be read may still be what does not fit.
                    (Fate::Clean | Fate::Noted, Err(error)) => assert_named(&error, member, &context),
                    (Fate::Noted, Ok(())) => assert!(names(&findings, member), "{context}: no finding"),
                    (Fate::Clean, Ok(())) => assert!(!names(&findings, member), "{context}: {findings:?}"),
                }
                for finding in &findings {
                    assert_eq!(finding.member.as_deref(), Some(*member), "{context}: {finding}");
                    assert!(!finding.section.is_empty() && !finding.to_string().contains('\n'));
                }
            }
        }
    }
}

#[test]
fn every_member_absent() {
    for document in DOCUMENTS {
        for (member, _, required) in document.members {
            let (read, findings) = read(document, &with(document, member, &[]));
            let context = format!("{}: no `{member}`", document.name);
            match read {
                Ok(()) => assert!(!required, "{context}: goes on without"),
                Err(error) if *required => assert_named(&error, member, &context),
                Err(error) => panic!("{context}: {error}"),
            }
            let assumed = |finding: &crate::Finding| finding.problem == Problem::Missing;
            assert!(findings.iter().all(assumed), "{context}: {findings:?}");
        }
    }
}

#[test]
fn every_member_twice() {
    for document in DOCUMENTS {
        for (member, _, required) in document.members {
            let good = good_value(document, member);
            let context = format!("{}: `{member}` twice", document.name);
            let (same, findings) = read(document, &with(document, member, &[&good, &good]));
            assert_eq!(same, Ok(()), "{context}");
            assert!(names(&findings, member), "{context}: no finding");
            for other in ["null", "\"other\"", "{}"] {
                let (read, findings) = read(document, &with(document, member, &[&good, other]));
                match read {
                    Err(error) if *required => assert_named(&error, member, &context),
                    read => {
                        assert!(!required, "{context}: one of two is taken");
                        assert_eq!(read, Ok(()), "{context}");
                        assert!(names(&findings, member), "{context}: no finding");
                    }
                }
            }
        }
        let (read, findings) = read(document, &with(document, "unknown", &["1", "2"]));
        assert_eq!(read, Ok(()), "{}", document.name);
        assert!(names(&findings, "unknown"), "{}: {findings:?}", document.name);
    }
}

#[test]
fn what_no_table_has_is_skipped() {
    for document in DOCUMENTS {
        for value in VALUES.iter().filter(|value| value.name != "half of a pair") {
            let (read, findings) = read(document, &with(document, "unknown", &[&value.json()]));
            assert_eq!(read, Ok(()), "{}: {}", document.name, value.name);
            assert_eq!(findings, Findings::new(), "{}: {}", document.name, value.name);
        }
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    for document in DOCUMENTS {
        let (read, findings) = read(document, &format!("\u{feff}{}", document.good));
        assert_eq!(read, Ok(()), "{}", document.name);
        let problems: Vec<_> = findings.iter().map(|finding| &finding.problem).collect();
        assert_eq!(problems, [&Problem::ByteOrderMark], "{}", document.name);
    }
}

#[test]
fn what_is_no_object_says_so() {
    for document in DOCUMENTS {
        for (json, said) in [
            ("[]", "expected a JSON object, got an array"),
            ("[1, {}]", "expected a JSON object, got an array"),
            ("null", "expected a JSON object, got null"),
            ("true", "expected a JSON object, got a boolean"),
            ("7", "expected a JSON object, got a number"),
            ("\"x\"", "expected a JSON object, got a string"),
            ("<html>", "not JSON (line 1, column 1)"),
            ("", "not JSON (line 1, column 0)"),
            ("{} {}", "not JSON (line 1, column 4)"),
            ("{\"a\":1,}", "not JSON (line 1, column 8)"),
        ] {
            let (read, _) = read(document, json);
            let text = read.unwrap_err().to_string();
            assert!(text.ends_with(said), "{}: {json}: {text}", document.name);
        }
        for cut in 0..document.good.len() {
            let (read, _) = read(document, &document.good[..cut]);
            assert!(read.unwrap_err().to_string().contains("not JSON"), "{}: cut at {cut}", document.name);
        }
    }
}
