//! Several tenants under one issuer template, and what else a configured server must be.

use super::config::{AuthorizationServer, GuardConfigError};

/// The servers of all tenants.
pub(super) fn expand(
    servers: Vec<AuthorizationServer>,
) -> Result<Vec<AuthorizationServer>, GuardConfigError> {
    let mut all = Vec::with_capacity(servers.len());
    for server in servers {
        check(&server)?;
        let problem = |problem| GuardConfigError::Tenants { issuer: server.issuer.clone(), problem };
        if server.tenants.is_empty() {
            if server.issuer.contains(['{', '}']) {
                return Err(problem("none is named, and the issuer is a template"));
            }
            all.push(server);
            continue;
        }
        for tenant in &server.tenants {
            if !is_segment(tenant) {
                return Err(problem("one is no segment of a URL"));
            }
            let template = |text: &str| fill(text, tenant);
            let issuer =
                template(&server.issuer).ok_or_else(|| problem("the issuer has no place for them"))?;
            let known_as = server.known_as.iter().map(|name| template(name));
            let known_as = known_as.collect::<Option<Vec<_>>>();
            let known_as =
                known_as.ok_or_else(|| problem("another name of the issuer has no place for them"))?;
            all.push(AuthorizationServer { issuer, known_as, tenants: Vec::new(), ..server.clone() });
        }
    }
    Ok(all)
}

/// Puts the tenant where the one pair of braces is.
fn fill(template: &str, tenant: &str) -> Option<Box<str>> {
    let (before, rest) = template.split_once('{')?;
    let (_, after) = rest.split_once('}')?;
    (!before.contains('}') && !rest.contains('{') && !after.contains('}')).then_some(())?;
    Some(format!("{before}{tenant}{after}").into())
}

fn is_segment(tenant: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    tenant.bytes().any(|byte| byte != b'.') && tenant.bytes().all(is_plain)
}

fn check(server: &AuthorizationServer) -> Result<(), GuardConfigError> {
    let has_empty = |texts: &[Box<str>]| texts.iter().any(|text| text.is_empty());
    let can_never_be = server.audience_claim.as_ref().is_some_and(|audience| {
        let says_nothing = matches!(&*audience.claim, "" | "aud" | "iss");
        says_nothing || audience.values.is_empty() || has_empty(&audience.values)
    });
    if can_never_be || has_empty(&server.audiences) {
        return Err(GuardConfigError::Audience(server.issuer.clone()));
    }
    if server.scope_claims.iter().any(|claim| matches!(&**claim, "" | "/")) {
        return Err(GuardConfigError::ScopeClaim(server.issuer.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        assert_eq!(fill("https://h/{tenantid}/v2.0", "a-1").as_deref(), Some("https://h/a-1/v2.0"));
        assert_eq!(fill("https://{t}.h", "a").as_deref(), Some("https://a.h"));
        for bad in ["https://h", "https://h/{a}/{b}", "https://h/{a", "https://h/}a{", "https://h/{{a}}"] {
            assert_eq!(fill(bad, "x"), None, "{bad}");
        }
        for bad in ["", ".", "..", "a/b", "a%2fb", "a b", "{x}", "a?b", "ü", "a@b"] {
            assert!(!is_segment(bad), "{bad}");
        }
        assert!(is_segment("72f988bf-86f1-41af-91ab-2d7cd011db47") && is_segment("contoso.onmicrosoft.com"));
    }
}
