//! Checks as SARIF 2.1.0, which code scanning shows.

use std::collections::BTreeMap;

use grantor_ureq::grantor::diagnosis::{Check, Outcome, Severity};
use serde_json::{Value, json};

/// The log: a result for each broken rule, at the URL whose answer broke it.
pub(crate) fn log(checks: &[Check]) -> Value {
    let rules: BTreeMap<&str, Value> = checks.iter().map(|check| (check.rule.code, rule(check))).collect();
    let results: Vec<Value> =
        checks.iter().filter(|check| check.outcome == Outcome::Failed).map(result).collect();
    let rules: Vec<Value> = rules.into_values().collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "grantor", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        _ => "note",
    }
}

fn rule(check: &Check) -> Value {
    let rule = check.rule;
    json!({
        "id": rule.code,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": format!("{} ({})", rule.who, rule.section) },
        "help": { "text": rule.mend },
        "defaultConfiguration": { "level": level(rule.severity) },
    })
}

fn result(check: &Check) -> Value {
    let expected = format!("Expected: {}", check.rule.title);
    let message = match check.seen.is_empty() {
        true => expected,
        false => format!("{expected}. Seen: {}", check.seen),
    };
    json!({
        "ruleId": check.rule.code,
        "level": level(check.rule.severity),
        "message": { "text": message },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": &*check.at } } }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use grantor_ureq::grantor::UrlPolicy;
    use grantor_ureq::grantor::diagnosis::Examination;

    #[test]
    fn what_is_broken_is_a_result_and_every_result_has_its_rule() {
        let server = "https://mcp.example.com/mcp?key=planted";
        let mut examination = Examination::new(server, UrlPolicy::default()).unwrap();
        examination.next_request().unwrap();
        examination.answer(Err("refused"));
        let log = log(examination.checks());
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["name"], "grantor");
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "reachable");
        assert_eq!(run["tool"]["driver"]["rules"][0]["defaultConfiguration"]["level"], "error");
        let expected = json!([{
            "ruleId": "reachable",
            "level": "error",
            "message": { "text": "Expected: The server answers. Seen: refused" },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": "https://mcp.example.com/mcp" } } }],
        }]);
        assert_eq!(run["results"], expected);
    }
}
