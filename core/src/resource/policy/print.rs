//! The table for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::pattern::Pattern;
use super::{Need, Policy, Rule};

impl Policy {
    /// The table as Markdown: operations and what they need, then scopes and what they include.
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("| operation | needs |\n|---|---|\n");
        for rule in self.sorted() {
            let needs = match &rule.computed {
                Some((_, described)) => {
                    let every = self.with_every(&Need::any_token());
                    if self.every.is_empty() {
                        cell(described)
                    } else {
                        format!("{every} and {}", cell(described))
                    }
                }
                None => self.with_every(&rule.need).to_string(),
            };
            let _ = writeln!(text, "| {} `{}` | {needs} |", rule.kind.name(), cell(&rule.name));
        }
        let _ = writeln!(text, "| any other | {} |", self.with_every(&self.otherwise));
        let includes = self.hierarchy.rows();
        let mut about: Vec<(&str, String)> = Vec::new();
        for (scope, text) in &self.notes {
            about.push((scope, cell(text)));
        }
        for (scope, included) in includes {
            let named: Vec<String> = included.iter().map(|scope| format!("`{scope}`")).collect();
            let included = format!("includes {}", named.join(", "));
            match about.iter_mut().find(|(known, _)| *known == scope) {
                Some((_, text)) => {
                    let _ = write!(text, "; {included}");
                }
                None => about.push((scope, included)),
            }
        }
        if !about.is_empty() {
            text.push_str("\n| scope | |\n|---|---|\n");
            for (scope, what) in about {
                let _ = writeln!(text, "| `{scope}` | {what} |");
            }
        }
        text
    }

    /// The table as JSON, for documentation that is generated.
    pub fn to_json(&self) -> Value {
        let operations: Vec<Map<String, Value>> = self
            .sorted()
            .map(|rule| {
                let mut row = self.row(&rule.need);
                row.insert("kind".to_owned(), json!(rule.kind.name()));
                row.insert("name".to_owned(), json!(rule.name));
                if let Some((_, described)) = &rule.computed {
                    row.insert("by_arguments".to_owned(), json!(described));
                }
                row
            })
            .collect();
        let mut implies = Map::new();
        for (scope, included) in self.hierarchy.rows() {
            implies.insert(scope.to_owned(), json!(included));
        }
        let notes = self.notes.iter().map(|(scope, text)| (scope.to_string(), json!(text)));
        json!({
            "operations": operations,
            "otherwise": self.row(&self.otherwise),
            "implies": implies,
            "notes": notes.collect::<Map<_, _>>(),
            "scopes_supported": self.minimal(),
        })
    }

    fn row(&self, need: &Need) -> Map<String, Value> {
        let need = self.with_every(need);
        let mut row = Map::new();
        row.insert("public".to_owned(), json!(need.public));
        row.insert("any_of".to_owned(), json!(need.alternatives));
        if let Some(seconds) = need.max_age_s {
            row.insert("max_age".to_owned(), json!(seconds));
        }
        if !need.acr_values.is_empty() {
            row.insert("acr_values".to_owned(), json!(need.acr_values));
        }
        row
    }

    /// Sorted by kind and name, exact names before patterns.
    fn sorted(&self) -> impl Iterator<Item = &Rule> {
        let mut rules: Vec<&Rule> = self.rules.iter().collect();
        rules.sort_by_key(|rule| {
            let pattern = Pattern::read(&rule.name);
            let text = pattern.as_ref().map_or(&*rule.name, Pattern::as_str).to_owned();
            (rule.kind, pattern.is_some(), text)
        });
        rules.into_iter()
    }

    fn with_every(&self, need: &Need) -> Need {
        let mut need = need.clone();
        if !need.public && !self.every.is_empty() {
            for set in &mut need.alternatives {
                *set = self.every.union(set);
            }
        }
        need
    }
}

/// A text that stays within a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
