//! What can stand where a member's value should, and what becomes of it by use.

use super::Use;

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is used, and nothing is said.
    Clean,
    /// It cannot be used.
    None,
    /// It is used, or some of it, with a finding.
    Noted,
}

pub(super) struct Value {
    pub(super) name: &'static str,
    json: fn() -> String,
    clean: &'static [Use],
    noted: &'static [Use],
}

impl Value {
    pub(super) fn json(&self) -> String {
        (self.json)()
    }

    pub(super) fn fate(&self, uses: Use) -> Fate {
        match (self.clean.contains(&uses), self.noted.contains(&uses)) {
            (true, _) => Fate::Clean,
            (_, true) => Fate::Noted,
            _ => Fate::None,
        }
    }
}

/// Uses for which any short string of letters does.
const STRINGS: &[Use] = &[Use::Code, Use::HeaderText, Use::ScopeText, Use::Text];

pub(super) const VALUES: &[Value] = &[
    Value { name: "null", json: || "null".into(), clean: &[], noted: &[] },
    Value { name: "true", json: || "true".into(), clean: &[Use::Flag, Use::StrictFlag], noted: &[] },
    Value { name: "false", json: || "false".into(), clean: &[Use::Flag, Use::StrictFlag], noted: &[] },
    Value { name: "zero", json: || "0".into(), clean: &[Use::Seconds], noted: &[Use::Flag] },
    Value { name: "one", json: || "1".into(), clean: &[Use::Seconds], noted: &[Use::Flag] },
    Value { name: "number", json: || "7".into(), clean: &[Use::Seconds], noted: &[] },
    Value { name: "fraction", json: || "7.5".into(), clean: &[Use::Seconds], noted: &[] },
    Value { name: "whole fraction", json: || "70.0".into(), clean: &[Use::Seconds], noted: &[] },
    Value { name: "negative", json: || "-1".into(), clean: &[], noted: &[] },
    Value { name: "large", json: || "99999999999999999999".into(), clean: &[], noted: &[Use::Seconds] },
    Value { name: "larger than any", json: || "1e999".into(), clean: &[], noted: &[Use::Seconds] },
    Value { name: "empty string", json: || "\"\"".into(), clean: &[], noted: &[] },
    Value {
        name: "letter",
        json: || "\"x\"".into(),
        clean: STRINGS,
        noted: &[Use::ListOrOne, Use::ScopeList],
    },
    Value {
        name: "number in a string",
        json: || "\"7\"".into(),
        clean: STRINGS,
        noted: &[Use::ListOrOne, Use::ScopeList, Use::Seconds],
    },
    Value {
        name: "number and unit",
        json: || "\"7s\"".into(),
        clean: STRINGS,
        noted: &[Use::ListOrOne, Use::ScopeList],
    },
    Value {
        name: "true in a string",
        json: || "\"True\"".into(),
        clean: STRINGS,
        noted: &[Use::Flag, Use::ListOrOne, Use::ScopeList],
    },
    Value {
        name: "words",
        json: || "\"a b\"".into(),
        clean: &[Use::Code, Use::ScopeText, Use::Text],
        noted: &[Use::ListOrOne, Use::ScopeList],
    },
    Value {
        name: "umlaut and word",
        json: || "\"\u{fc} b\"".into(),
        clean: &[Use::Code, Use::Text],
        noted: &[Use::ListOrOne, Use::ScopeList, Use::ScopeText],
    },
    Value {
        name: "control character",
        json: || "\"\\u001b\"".into(),
        clean: &[Use::Text],
        noted: &[Use::ListOrOne],
    },
    Value { name: "half of a pair", json: || "\"\\ud800\"".into(), clean: &[], noted: &[] },
    Value {
        name: "URL",
        json: || "\"https://as.example.com/x\"".into(),
        clean: &[Use::Code, Use::HeaderText, Use::Page, Use::ScopeText, Use::Text, Use::Url],
        noted: &[Use::ListOrOne, Use::ScopeList],
    },
    Value {
        name: "plain URL",
        json: || "\"http://as.example.com/x\"".into(),
        clean: &[Use::Code, Use::HeaderText, Use::Page, Use::ScopeText, Use::Text],
        noted: &[Use::ListOrOne, Use::ScopeList],
    },
    Value { name: "huge string", json: || format!("\"{}\"", "x".repeat(70_000)), clean: &[], noted: &[] },
    Value {
        name: "huge string of escapes",
        json: || format!("\"{}\"", "\\/".repeat(40_000)),
        clean: &[],
        noted: &[],
    },
    Value { name: "empty array", json: || "[]".into(), clean: &[Use::Array, Use::Keys], noted: &[] },
    Value { name: "array of a number", json: || "[7]".into(), clean: &[Use::Array, Use::Keys], noted: &[] },
    Value {
        name: "array of an empty string",
        json: || "[\"\"]".into(),
        clean: &[Use::Array, Use::Keys],
        noted: &[],
    },
    Value {
        name: "array of a string",
        json: || "[\"x\"]".into(),
        clean: &[Use::Array, Use::Keys, Use::List, Use::ListOrOne, Use::ScopeList],
        noted: &[Use::ScopeText],
    },
    Value {
        name: "array of all sorts",
        json: || "[\"x\",7,null,\"\",[\"y\"],{},\"\\ud800\"]".into(),
        clean: &[Use::Array, Use::Keys],
        noted: &[Use::List, Use::ListOrOne, Use::ScopeList, Use::ScopeText],
    },
    Value {
        name: "huge array",
        json: || format!("[{}]", (0..3000).map(|n| format!("\"x{n}\"")).collect::<Vec<_>>().join(",")),
        clean: &[],
        noted: &[Use::List, Use::ListOrOne, Use::ScopeList, Use::ScopeText],
    },
    Value { name: "empty object", json: || "{}".into(), clean: &[], noted: &[] },
    Value { name: "object", json: || "{\"x\":[true]}".into(), clean: &[], noted: &[] },
    Value {
        name: "deep array",
        json: || format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000)),
        clean: &[Use::Keys],
        noted: &[],
    },
];
