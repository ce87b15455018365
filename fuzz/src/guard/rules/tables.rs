//! The policies.

use super::{Rule, Table, What};

const fn rule(kind: &'static str, name: &'static str, any_of: &'static [&'static str]) -> Rule {
    Rule { kind, name, what: What::AnyOf(any_of), max_age_s: None, acr: "" }
}

const fn public(kind: &'static str, name: &'static str) -> Rule {
    Rule { kind, name, what: What::Public, max_age_s: None, acr: "" }
}

/// All that a policy can say.
pub(in crate::guard) static FULL: Table = Table {
    every: "mcp:use",
    otherwise: rule("", "", &[]),
    rules: &[
        public("method", "ping"),
        public("method", "notifications/*"),
        public("tool", "pub_*"),
        rule("tool", "read_*", &["files:read"]),
        rule("tool", "read_*_all", &["files:read audit", "root"]),
        rule("tool", "write", &["files:write"]),
        rule("tool", "either", &["files:write", "audit", "db:x"]),
        rule("tool", "offline", &["offline_access files:read"]),
        Rule {
            kind: "tool",
            name: "pay",
            what: What::AnyOf(&["pay"]),
            max_age_s: Some(300),
            acr: "mfa gold",
        },
        Rule { acr: "gold hsm", ..rule("tool", "vault", &["files:read"]) },
        Rule { max_age_s: Some(100), acr: "hsm", ..rule("tool", "seal", &["root"]) },
        Rule { kind: "tool", name: "query*", what: What::Computed, max_age_s: None, acr: "" },
        public("resource", "file:///pub/*"),
        rule("resource", "file:///*", &["files:read"]),
        rule("resource", "file:///etc/*", &["root"]),
        rule("prompt", "*", &["prompts"]),
        rule("http", "GET", &["listen"]),
        public("http", "HEAD"),
    ],
    implies: &[
        ("files:write", "files:read"),
        ("admin", "files:* root"),
        ("db:*", "audit"),
        ("owner", "admin"),
    ],
    wildcards: &["files:*"],
};

/// One in which nobody has to know the operation.
pub(in crate::guard) static UNIFORM: Table = Table {
    every: "mcp:use",
    otherwise: rule("", "", &["all"]),
    rules: &[rule("http", "GET", &["listen"])],
    implies: &[],
    wildcards: &[],
};

/// One in which no operation is public.
pub(in crate::guard) static CLOSED: Table = Table {
    every: "",
    otherwise: rule("", "", &["rest"]),
    rules: &[rule("tool", "any", &[]), rule("tool", "write", &["files:write"])],
    implies: &[("rest", "files:write")],
    wildcards: &[],
};

/// One in which most are.
pub(in crate::guard) static OPEN: Table = Table {
    every: "mcp:use offline_access",
    otherwise: public("", ""),
    rules: &[rule("tool", "write", &["files:write"]), rule("resource", "file:///etc/*", &["root", "admin"])],
    implies: &[],
    wildcards: &[],
};
