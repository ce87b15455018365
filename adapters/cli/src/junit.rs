//! Checks as `junit.xml`, which build pipelines show.

use std::fmt::Write as _;

use grantor_ureq::grantor::diagnosis::{Check, Outcome, Severity};

/// The report. Notes are not failures.
pub(crate) fn write(server: &str, checks: &[Check]) -> String {
    let fails = |check: &&Check| check.outcome == Outcome::Failed && check.rule.severity != Severity::Note;
    let failures = checks.iter().filter(fails).count();
    let mut report = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let name = escape(server);
    let _ =
        writeln!(report, "<testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\">", checks.len());
    for check in checks {
        let (code, title) = (check.rule.code, escape(check.rule.title));
        let _ = write!(report, "  <testcase classname=\"{code}\" name=\"{title}\"");
        if !fails(&check) {
            report.push_str("/>\n");
            continue;
        }
        let seen = escape(&format!("{}: {}", check.at, check.seen));
        let _ = writeln!(
            report,
            ">\n    <failure type=\"{}\" message=\"{seen}\">{} ({})</failure>\n  </testcase>",
            check.rule.severity,
            escape(check.rule.mend),
            escape(check.rule.section),
        );
    }
    report.push_str("</testsuite>\n");
    report
}

/// Text as XML takes it. What was seen has no control characters.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
