//! The doctor: examines a server as a client meets it.

mod log_in;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use grantor_ureq::driver::{HttpAnswer, HttpFailure};
use grantor_ureq::grantor::diagnosis::{Check, Examination, LOG_IN_RULES, Outcome, RULES, Rule, Severity};
use grantor_ureq::grantor::wire::HttpResponse;
use grantor_ureq::grantor::{ScopeSet, UrlPolicy, limits};
use serde_json::{Value, json};

use crate::arguments::Options;
use crate::client::{self, PlainHttp};
use crate::terminal::print;
use crate::token::NobodyThere;
use crate::{Failure, junit, sarif};

/// How long a server may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// What the exit status says when there are warnings alone.
const WARNINGS: u8 = 3;

/// How the result is shown.
pub(crate) struct Report {
    pub(crate) json: bool,
    pub(crate) junit: Option<PathBuf>,
    pub(crate) sarif: Option<PathBuf>,
    pub(crate) all: bool,
    /// Whether the user logs in for it.
    pub(crate) login: bool,
    /// What else is asked for then.
    pub(crate) scope: Vec<String>,
}

pub(crate) fn examine(options: &Options, server: &str, report: &Report) -> Result<ExitCode, Failure> {
    let mut examination = Examination::new(server, UrlPolicy::default())?;
    // What is wrong with plain http is told by the doctor.
    let config = client::config(options, server, PlainHttp::Allowed)?;
    let agent = client::agent(options, client::store(options)?, config, NobodyThere)?;
    while let Some(request) = examination.next_request() {
        let sent = agent.session().exchange(&request, limits::DOCUMENT_BODY, TIMEOUT);
        match &sent {
            Ok(HttpAnswer { status, headers, body, .. }) => {
                examination.answer(Ok(HttpResponse { status: *status, headers, body }));
            }
            Err(failure) => examination.answer(Err(&words(failure))),
        }
    }
    let mut checks = examination.checks().to_vec();
    if report.login {
        match examination.log_in() {
            Some(log_in) => {
                let log_in = log_in.step_up_for(ScopeSet::parse(&report.scope.join(" "))?);
                checks.extend(log_in::examine(options, server, log_in)?);
            }
            None => eprintln!("The server asks for no token, so there is nothing to log in to."),
        }
    }
    let checks = &checks;
    if let Some(file) = &report.junit {
        write(file, &junit::write(server, checks))?;
    }
    if let Some(file) = &report.sarif {
        write(file, &format!("{:#}\n", sarif::log(checks)))?;
    }
    match report.json {
        true => print(&serde_json::to_string_pretty(&to_json(server, checks))?)?,
        false => show(server, checks, report.all)?,
    }
    Ok(match worst(checks) {
        Some(Severity::Error) => ExitCode::FAILURE,
        Some(Severity::Warning) => ExitCode::from(WARNINGS),
        _ => ExitCode::SUCCESS,
    })
}

fn write(file: &Path, report: &str) -> Result<(), Failure> {
    std::fs::write(file, report).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn words(failure: &HttpFailure) -> String {
    match failure.detail.is_empty() {
        true => failure.kind.to_string(),
        false => format!("{}: {}", failure.kind, failure.detail),
    }
}

fn worst(checks: &[Check]) -> Option<Severity> {
    broken(checks).map(|check| check.rule.severity).max()
}

fn broken(checks: &[Check]) -> impl Iterator<Item = &Check> {
    checks.iter().filter(|check| check.outcome == Outcome::Failed)
}

fn show(server: &str, checks: &[Check], all: bool) -> Result<(), Failure> {
    print(&format!("{server}\n"))?;
    for check in checks.iter().filter(|check| all || check.outcome == Outcome::Failed) {
        let Rule { code, severity, title, section, who, mend, .. } = check.rule;
        if check.outcome == Outcome::Passed {
            print(&wrapped(&format!("ok       {code}"), title))?;
            continue;
        }
        print(&wrapped(&format!("{:<8} {code}", severity.to_string()), ""))?;
        for (name, text) in [
            ("expected", *title),
            ("at", &check.at),
            ("seen", &check.seen),
            ("rule", *section),
            ("suffers", *who),
            ("to do", *mend),
        ] {
            if !text.is_empty() {
                print(&wrapped(&format!("         {name}"), text))?;
            }
        }
        print("")?;
    }
    let count = |severity| broken(checks).filter(|check| check.rule.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let kept = checks.len() - errors - warnings - notes;
    let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let counts = [many(errors, "error"), many(warnings, "warning"), many(notes, "note")];
    print(&format!("{kept} ok, {}", counts.join(", ")))?;
    Ok(())
}

/// Where text begins, behind what is named.
const INDENT: usize = 19;
/// The width of the narrowest terminal that people use.
const WIDTH: usize = 80;

fn wrapped(name: &str, text: &str) -> String {
    wrapped_at(INDENT, name, text)
}

/// A name and its text, in lines of a terminal; a word that is longer than a line stays whole, as URLs must.
fn wrapped_at(indent: usize, name: &str, text: &str) -> String {
    let mut lines = vec![format!("{name:<indent$}")];
    if name.len() >= indent && !text.is_empty() {
        lines.push(" ".repeat(indent));
    }
    for word in text.split_whitespace() {
        let line = lines.last_mut().map_or(0, |line| line.chars().count());
        if line > indent && line + word.chars().count() >= WIDTH {
            lines.push(" ".repeat(indent));
        }
        if let Some(line) = lines.last_mut() {
            if line.chars().count() > indent {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

fn to_json(server: &str, checks: &[Check]) -> Value {
    let results: Vec<Value> = checks
        .iter()
        .map(|check| {
            json!({
                "code": check.rule.code,
                "outcome": if check.outcome == Outcome::Passed { "passed" } else { "failed" },
                "severity": check.rule.severity.to_string(),
                "title": check.rule.title,
                "at": check.at,
                "seen": check.seen,
                "section": check.rule.section,
                "who": check.rule.who,
                "mend": check.rule.mend,
            })
        })
        .collect();
    json!({ "server": server, "checks": results })
}

pub(crate) fn explain(code: Option<&str>) -> Result<ExitCode, Failure> {
    let Some(code) = code else {
        for rule in RULES.iter().chain(LOG_IN_RULES) {
            let name = format!("{:<22} {:<8}", rule.code, rule.severity.to_string());
            print(&wrapped_at(32, &name, rule.title))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(Rule { code, severity, title, section, who, mend, .. }) = Rule::find(code) else {
        return Err(format!("there is no code `{code}`; `grantor explain` lists all").into());
    };
    print(&format!("{code} ({severity}): {title}\n"))?;
    for (name, text) in [("demanded by", section), ("suffers", who), ("to do", mend)] {
        print(&wrapped(name, text))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_a_narrow_terminal() {
        let text = "word ".repeat(60);
        let long = format!("https://mcp.example.com/{}", "x".repeat(100));
        assert!(
            wrapped("         seen", &text).lines().all(|line| line.len() < WIDTH && !line.ends_with(' '))
        );
        assert_eq!(wrapped("         at", &long), format!("{:<19}{long}", "         at"));
        assert_eq!(
            wrapped("ok       challenge-metadata", "a b"),
            "ok       challenge-metadata\n                   a b"
        );
        assert_eq!(wrapped("error    pkce", ""), "error    pkce");
    }
}
