//! Audience and scopes where a server puts them into claims of its own.

use std::borrow::Cow;

use super::{Claims, ClaimsError, Object, Value};
use crate::limits;
use crate::scope::ScopeSet;

impl<'a> Claims<'a> {
    /// Whether a token without `aud` names one of these values in this claim. Where there is an `aud`, it
    /// decides, and this says no.
    pub(crate) fn has_audience_in(&self, (claim, values): (&str, &[Box<str>])) -> Result<bool, ClaimsError> {
        if !self.audiences()?.is_empty() {
            return Ok(false);
        }
        let missing = ClaimsError::Missing { claim: "aud" };
        let own = self.named(claim).ok_or(missing)?;
        let own = own.texts(limits::AUDIENCES).ok_or(ClaimsError::WrongType { claim: "aud" })?;
        if own.iter().any(|name| values.iter().any(|value| **value == **name)) {
            Ok(true)
        } else {
            Err(ClaimsError::Audience)
        }
    }

    /// The scopes that these claims hold together, each a string of tokens or an array of them. Elements that
    /// are no scope tokens, as names of roles may be, grant nothing.
    ///
    /// # Errors
    /// [`ClaimsError::Scope`] for a claim of another type, or too many.
    pub(crate) fn scopes_in(&self, claims: &[Box<str>]) -> Result<ScopeSet, ClaimsError> {
        let mut all: Vec<Cow<'a, str>> = Vec::new();
        for value in claims.iter().filter_map(|claim| self.named(claim)) {
            match value.text() {
                Some(text) => all.extend(text.split_ascii_whitespace().map(|token| token.to_owned().into())),
                None => all.extend(value.texts(limits::SCOPES_READ).ok_or(ClaimsError::Scope)?),
            }
        }
        let good = all.iter().map(|token| &**token).filter(|token| ScopeSet::is_token(token));
        ScopeSet::from_tokens(good).map_err(|_| ClaimsError::Scope)
    }

    /// The claim of this name, or what a JSON Pointer (RFC 6901) leads to: `/realm_access/roles`.
    fn named(&self, name: &str) -> Option<Value<'a>> {
        let Some(path) = name.strip_prefix('/') else { return self.value(name) };
        let mut steps = path.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
        let mut value = self.value(&steps.next()?)?;
        for step in steps {
            let inner: Object<'a> = value.object().ok()?;
            value = inner.get(&step)?;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims<'_> {
        Claims::parse(json.as_bytes()).unwrap()
    }

    fn scopes(json: &str, names: &[&str]) -> Result<String, ClaimsError> {
        let names: Vec<Box<str>> = names.iter().map(|name| (*name).into()).collect();
        claims(json).scopes_in(&names).map(|scopes| scopes.to_string())
    }

    #[test]
    fn scopes_by_name() {
        let json = r#"{"scope":"openid a","permissions":["b","a"],"roles":["Site Admin","c",""],
            "realm_access":{"roles":["d"]},"https://x/y":"e  f","n":1,"o":{"x/y":{"~":["g"]}}}"#;
        for (names, expected) in [
            (&["permissions"][..], Ok("b a")),
            (&["scope", "permissions"], Ok("openid a b")),
            (&["roles"], Ok("c")),
            (&["/realm_access/roles"], Ok("d")),
            (&["https://x/y"], Ok("e f")),
            (&["/o/x~1y/~0"], Ok("g")),
            (&["none", "/none/x", "/realm_access/none", "/scope/x"], Ok("")),
            (&["n"], Err(ClaimsError::Scope)),
            (&["realm_access"], Err(ClaimsError::Scope)),
        ] {
            assert_eq!(scopes(json, names), expected.map(str::to_owned), "{names:?}");
        }
        let many: Vec<String> = (0..5000).map(|n| format!("\"s{n}\"")).collect();
        assert_eq!(
            scopes(&format!(r#"{{"groups":[{}]}}"#, many.join(",")), &["groups"]),
            Err(ClaimsError::Scope)
        );
    }

    #[test]
    fn audience_by_another_claim() {
        let values: &[Box<str>] = &["c1".into(), "c2".into()];
        let check = |json: &str| claims(json).has_audience_in(("client_id", values));
        assert_eq!(check(r#"{"client_id":"c2"}"#), Ok(true));
        assert_eq!(check(r#"{"client_id":"c1","aud":[]}"#), Ok(true));
        assert_eq!(check(r#"{"client_id":["x","c1"],"aud":null}"#), Ok(true));
        assert_eq!(check(r#"{"client_id":"c1","aud":"x"}"#), Ok(false), "aud decides");
        assert_eq!(check(r#"{"client_id":"C1"}"#), Err(ClaimsError::Audience));
        assert_eq!(check(r#"{"client_id":""}"#), Err(ClaimsError::Audience));
        assert_eq!(check("{}"), Err(ClaimsError::Missing { claim: "aud" }));
        assert_eq!(check(r#"{"client_id":1}"#), Err(ClaimsError::WrongType { claim: "aud" }));
    }
}
