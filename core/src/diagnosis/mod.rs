//! Diagnosis: what a client will meet at an MCP server, and which sentences of the specifications the server breaks.
//!
//! An [`Examination`] is a pure plan of requests. The host sends each and hands in what came back; in the end there is a
//! list of [`Check`]s, each of a [`Rule`] with its severity, what was seen, who suffers, and how to mend it. It reads
//! documents as the client does, so its tolerance and its refusals are the client's.
//!
//! ```
//! use grantor::UrlPolicy;
//! use grantor::diagnosis::{Examination, Outcome};
//!
//! let mut examination = Examination::new("https://mcp.example.com/mcp", UrlPolicy::default())?;
//! while let Some(request) = examination.next_request() {
//!     // Send it; here nobody answers.
//!     assert_eq!(request.url.host_str(), Some("mcp.example.com"));
//!     examination.answer(Err("connection refused"));
//! }
//! let failed: Vec<_> = examination.checks().iter().filter(|check| check.outcome == Outcome::Failed).collect();
//! assert_eq!(failed[0].rule.code, "reachable");
//! # Ok::<(), grantor::Error>(())
//! ```
//!
//! A [`LogInExamination`] goes on from there, with a user: through consent, token, refresh and step-up.
//!
//! An `Examination` asks without a token, with one that is none, and with one in the query; it registers no client and asks for no
//! token that could be issued.

mod check;
mod examine;
mod log_in;
mod rules;

pub use self::check::{Check, Outcome, Rule, Severity};
pub use self::examine::Examination;
pub use self::log_in::{LogInExamination, LogInStep};
pub use self::rules::{LOG_IN_RULES, RULES};
