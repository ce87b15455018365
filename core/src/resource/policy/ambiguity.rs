//! Rules that would not do what they seem to say.

use http::Method;

use super::pattern::Pattern;
use super::{Kind, PolicyError, Rule, uri};
use crate::resource::operation::Operation;

/// Refuses a rule that no request comes to: what it should guard would stay open.
pub(super) fn refuse_idle(rule: &Rule) -> Result<(), PolicyError> {
    let instead = match rule.kind {
        Kind::Http => instead_of_http(&rule.name),
        Kind::Method => instead_of_method(&rule.name),
        Kind::Resource => instead_of_resource(&rule.name),
        Kind::Prompt | Kind::Tool => None,
    };
    match instead {
        Some(instead) => Err(PolicyError::NeverApplies { rule: rule.kind.title(&rule.name), instead }),
        None => Ok(()),
    }
}

fn instead_of_http(method: &str) -> Option<&'static str> {
    if method.eq_ignore_ascii_case(Method::POST.as_str()) {
        return Some("POSTs are messages, which `method`, `tool`, `resource` and `prompt` are about");
    }
    // A star is among the letters of methods.
    if Method::from_bytes(method.as_bytes()).is_err() {
        return Some("it must be the name of one HTTP method, such as `GET`");
    }
    let small = method.bytes().any(|byte| byte.is_ascii_lowercase());
    small.then_some("HTTP methods are case-sensitive; write it in capitals, such as `GET`")
}

/// A rule to which only URIs come that are refused, since servers may read them in two ways.
fn instead_of_resource(name: &str) -> Option<&'static str> {
    // What a star can stand for: a scheme where it is the first, and else a name or nothing.
    const FIRST: [&str; 8] = ["xx", "", "xx:", "xx://x", "xx://x/x", "/x", "//x", "///x"];
    let stars = |first: &str, other: &str| name.replacen('*', first, 1).replace('*', other);
    let mut can_be = FIRST.iter().flat_map(|first| [stars(first, "x"), stars(first, "")]);
    let applies = name.contains('{') || can_be.any(|text| uri::is_legible(&text));
    (!applies).then_some("servers read such a URI in two ways, so it is refused; write it without")
}

fn instead_of_method(method: &str) -> Option<&'static str> {
    Some(match Operation::new(method.into(), Some("".into()))? {
        Operation::Tool(_) => "calls go by the tool; use `tool`, with `*` for every tool",
        Operation::Prompt(_) => "it goes by the prompt; use `prompt`, with `*` for every prompt",
        Operation::Resource(_) => "it goes by the URI; use `resource`, with `*` for every resource",
        Operation::Http(_) | Operation::Method(_) => return None,
    })
}

/// Refuses patterns of which neither is more specific, but which may fit one name and need different
/// things. They come sorted by weight.
pub(super) fn refuse_ambiguous(
    kind: Kind,
    patterns: &[(Pattern, usize)],
    same: impl Fn(usize, usize) -> bool,
) -> Result<(), PolicyError> {
    for equals in patterns.chunk_by(|(one, _), (next, _)| one.weight() == next.weight()) {
        for (index, (second, need)) in equals.iter().enumerate() {
            let mut before = equals.iter().take(index);
            let clash = before.find(|(first, other)| first.meets(second) && !same(*other, *need));
            if let Some((first, _)) = clash {
                let [first, second] = [first, second].map(|pattern| kind.title(pattern.as_str()));
                return Err(PolicyError::Ambiguous { first, second });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Need, Policy, Table};
    use super::*;

    fn need(scope: &str) -> Need {
        Need::all(scope).unwrap()
    }

    fn error(policy: Policy) -> PolicyError {
        Table::new(policy).unwrap_err()
    }

    fn instead(policy: Policy) -> (Box<str>, &'static str) {
        let error = error(policy);
        let PolicyError::NeverApplies { rule, instead } = error else { panic!("{error}") };
        (rule, instead)
    }

    fn clash(policy: Policy) -> (Box<str>, Box<str>) {
        let error = error(policy);
        let PolicyError::Ambiguous { first, second } = error else { panic!("{error}") };
        (first, second)
    }

    #[test]
    fn rules_for_methods_that_go_by_their_subject_never_apply() {
        for (method, kind) in [
            ("tools/call", "`tool`"),
            ("resources/read", "`resource`"),
            ("resources/subscribe", "`resource`"),
            ("resources/unsubscribe", "`resource`"),
            ("prompts/get", "`prompt`"),
        ] {
            let (rule, instead) = instead(Policy::new().method(method, need("a")));
            assert_eq!(*rule, format!("method {method}"));
            assert!(instead.contains(kind), "{method}: {instead}");
        }
        let error = error(Policy::new().method("tools/call", need("a")));
        let expected = "the rule for method tools/call never applies: \
            calls go by the tool; use `tool`, with `*` for every tool";
        assert_eq!(error.to_string(), expected);
        for method in ["tools/list", "tools/*", "Tools/Call", "response", "*", "ping"] {
            Table::new(Policy::new().method(method, need("a"))).unwrap();
        }
    }

    #[test]
    fn rules_for_what_is_no_http_method_or_is_a_message_never_apply() {
        let text = |method| instead(Policy::new().http(method, need("a"))).1;
        for method in ["get", "Get", "g*", "*d", "delete"] {
            assert!(text(method).contains("in capitals"), "{method}");
        }
        for method in ["POST", "post"] {
            assert!(text(method).contains("messages"), "{method}");
        }
        for method in ["", "GET, DELETE", "GET /mcp", "GÉT"] {
            assert!(text(method).contains("one HTTP method"), "{method}");
        }
        for method in ["GET", "DELETE", "HEAD", "OPTIONS", "M-SEARCH", "*", "P*"] {
            Table::new(Policy::new().http(method, need("a"))).unwrap();
        }
    }

    #[test]
    fn patterns_of_equal_weight_that_meet_are_ambiguous() {
        let notes = || Policy::new().resource("note://*", need("low"));
        let error = error(notes().resource("*private*", need("high")));
        let expected = "resource note://* and resource *private* can fit the same name, and neither is more \
            specific: make one so, or let both need the same";
        assert_eq!(error.to_string(), expected);
        let tools = |one: &str, other: &str| Policy::new().tool(one, need("a")).tool(other, need("b"));
        assert_eq!(clash(tools("*_x", "x_*")), ("tool *_x".into(), "tool x_*".into()), "as they were given");
        clash(tools("a*", "a**"));
        clash(tools("a*b", "*ab"));
        clash(tools("x*", "*y").tool("longer*", need("c")));
        clash(Policy::new().prompt("a*", need("a")).prompt("*b", need("b")));
        clash(Policy::new().method("a/*", need("a")).method("*/b", need("b")));
        clash(Policy::new().http("G*", need("a")).http("*T", need("b")));
    }

    #[test]
    fn whatever_differs_in_two_needs_makes_them_ambiguous() {
        let tools = |one, other| Policy::new().tool("x*", one).tool("*y", other);
        clash(tools(need("a"), Need::public()));
        clash(tools(need("a"), need("a").max_age_s(60)));
        clash(tools(need("a"), need("a").acr("mfa")));
        clash(tools(need("a"), need("a").or("b").unwrap()));
        clash(tools(Need::any_token(), Need::public()));
        // Of functions nobody knows whether they say the same.
        let by_arguments = Policy::new().tool_by_arguments("x*", "", |_| Need::any_token());
        clash(by_arguments.clone().tool("*y", Need::any_token()));
        clash(by_arguments.tool_by_arguments("*y", "", |_| Need::any_token()));
    }

    #[test]
    fn patterns_that_leave_no_doubt_are_accepted() {
        let tools = |one: &str, other: &str| Policy::new().tool(one, need("a")).tool(other, need("b"));
        for (one, other) in [
            ("x*", "y*"),
            ("*x", "*y"),
            ("x*", "*longer"),
            ("a*b", "ab*c"),
            ("note://private/*", "note://*"),
            ("query*", "*read_a"),
        ] {
            Table::new(tools(one, other)).unwrap();
        }
        Table::new(Policy::new().tool("x*", need("a b")).tool("*y", need("b a"))).unwrap();
        Table::new(Policy::new().tool("x*", need("a")).prompt("*y", need("b"))).unwrap();
    }
}
