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

#[cfg(test)]
mod tests {
    use super::*;
    use grantor_ureq::grantor::UrlPolicy;
    use grantor_ureq::grantor::diagnosis::Examination;

    #[test]
    fn the_report_is_exact_and_xml_whatever_was_seen() {
        let server = "https://mcp.example.com/mcp?a=1&b='2'";
        let mut examination = Examination::new(server, UrlPolicy::default()).unwrap();
        examination.next_request().unwrap();
        examination.answer(Err("<refused> & \"closed\"\u{1b}[2J"));
        let report = write(server, examination.checks());
        let seen = examination.checks()[0].seen.rsplit('"').next().unwrap();
        assert!(!seen.contains('\u{1b}'));
        let expected = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"https://mcp.example.com/mcp?a=1&amp;b='2'\" tests=\"1\" failures=\"1\">\n  \
             <testcase classname=\"reachable\" name=\"The server answers\">\n    \
             <failure type=\"error\" message=\"https://mcp.example.com/mcp: &lt;refused&gt; &amp; &quot;closed&quot;{seen}\">\
             Look whether the URL is right, the server runs, and its certificate is valid for this name. \
             (MCP &quot;Streamable HTTP&quot;)</failure>\n  </testcase>\n</testsuite>\n"
        );
        assert_eq!(report, expected);
    }
}
