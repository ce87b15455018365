//! That a token is an access token, where its header does not say so.

use super::{Claims, ClaimsError};

impl Claims<'_> {
    /// Refuses what only other kinds of tokens say: ID tokens (`OpenID` Connect Core 2, 3.3.2.11), log-out tokens and
    /// other security events (RFC 8417 2.2), refresh tokens. Servers sign them all with the same keys, and one
    /// that names this resource, or its client's id where that is the audience, must not pass for an access
    /// token (RFC 8725 2.8, 3.12).
    pub(crate) fn check_access_token(&self) -> Result<(), ClaimsError> {
        const OTHERS: [&str; 5] = ["at_hash", "c_hash", "events", "s_hash", "token_introspection"];
        // `typ` as Keycloak writes it, `token_use` as Cognito and Hydra do.
        let typ = self.kind("typ", &["Bearer", "DPoP", "JWT", "at+jwt", "access", "access_token"])?;
        self.kind("token_use", &["access", "access_token"])?;
        // Keycloak put the nonce of the request into every token before version 24.
        let is_nonce_known = typ.is_some_and(|typ| typ == Kind::Bearer);
        if OTHERS.into_iter().any(|claim| self.has(claim)) || self.has("nonce") && !is_nonce_known {
            return Err(ClaimsError::Type);
        }
        Ok(())
    }

    /// What a claim says of the token's kind, which must be one of these.
    fn kind(&self, claim: &'static str, access: &[&str]) -> Result<Option<Kind>, ClaimsError> {
        let Some(kind) = self.text(claim)? else { return Ok(None) };
        let is = |name: &&str| kind.eq_ignore_ascii_case(name);
        match access.iter().position(is) {
            Some(0 | 1) => Ok(Some(Kind::Bearer)),
            Some(_) => Ok(Some(Kind::Other)),
            None => Err(ClaimsError::Type),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An access token without doubt.
    Bearer,
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<(), ClaimsError> {
        Claims::parse(json.as_bytes()).unwrap().check_access_token()
    }

    #[test]
    fn rfc8725_3_12_other_kinds_of_tokens() {
        for other in [
            r#"{"nonce":"n"}"#,
            r#"{"nonce":null}"#,
            r#"{"at_hash":"x"}"#,
            r#"{"c_hash":"x"}"#,
            r#"{"events":{"http://schemas.openid.net/event/backchannel-logout":{}}}"#,
            r#"{"token_use":"id"}"#,
            r#"{"token_use":"refresh_token"}"#,
            r#"{"typ":"ID"}"#,
            r#"{"typ":"Refresh"}"#,
            r#"{"typ":"Offline"}"#,
            r#"{"typ":"Logout"}"#,
            r#"{"typ":"Serialized-ID"}"#,
            r#"{"typ":"Bearer","at_hash":"x"}"#,
            r#"{"token_use":"access","nonce":"n"}"#,
        ] {
            assert_eq!(check(other), Err(ClaimsError::Type), "{other}");
        }
        assert_eq!(check(r#"{"typ":["Bearer"]}"#), Err(ClaimsError::WrongType { claim: "typ" }));
        assert_eq!(check(r#"{"token_use":1}"#), Err(ClaimsError::WrongType { claim: "token_use" }));
    }

    #[test]
    fn access_tokens_of_keycloak_cognito_hydra_and_others() {
        for access in [
            "{}",
            r#"{"typ":"Bearer"}"#,
            r#"{"typ":"DPoP"}"#,
            r#"{"typ":"Bearer","nonce":"of Keycloak before 24"}"#,
            r#"{"token_use":"access"}"#,
            r#"{"token_use":"access_token"}"#,
        ] {
            assert_eq!(check(access), Ok(()), "{access}");
        }
    }
}
