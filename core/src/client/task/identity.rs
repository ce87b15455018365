//! Who the user of an account is, as their ID token says (`OpenID` Connect Core 3.1.3.7).

use crate::client::engine::Engine;
use crate::client::state::acquisition::Acquisition;
use crate::client::state::exchange::TokenExchange;
use crate::client::state::user::{User, label};
use crate::error::{PeerMisbehaved, PeerText};
use crate::finding::{Finding, Findings, Handling, Problem};
use crate::jose::{Algorithm, IdToken, IdTokenRules, Jws};
use crate::time::Now;
use crate::wire::token::Issued;

impl Engine {
    /// The account's user as the token of this account says: what to show in a list of accounts. `None`
    /// without `openid` among the scopes granted, and before there is a token.
    ///
    /// The text is the authorization server's: bounded, without control characters.
    pub fn account_label(&self) -> Option<PeerText> {
        let user = self.grant.grant.as_ref()?.user.as_deref()?;
        Some(PeerText::new(&user.label))
    }

    /// Checks the ID token that came with a token, and what was demanded of the user's authentication
    /// (RFC 9470 5).
    ///
    /// It came from the token endpoint over TLS, in answer to a request of this client, which is as good as
    /// a signature (`OpenID` Connect Core 3.1.3.7, 6).
    pub(crate) fn identify(
        &mut self,
        now: Now,
        acquisition: &Acquisition,
        exchange: &TokenExchange,
        issued: &Issued,
    ) -> Result<Option<Box<User>>, PeerMisbehaved> {
        let Some(id_token) = &issued.id_token else { return Ok(None) };
        let asked = acquisition.asked.as_deref();
        let trusted = Jws::parse(id_token.expose()).and_then(|jws| jws.received_from_issuer(&Algorithm::ALL));
        // Nothing hangs on it but a label, unless a certain authentication was demanded.
        let is_needed = asked
            .is_some_and(|asked| asked.sign_on || asked.acr_values.is_some() || asked.max_age_s.is_some());
        let trusted = match trusted {
            Ok(trusted) => trusted,
            Err(problem) if is_needed => return Err(PeerMisbehaved::IdTokenSyntax(problem)),
            Err(problem) => {
                self.pass_over(exchange, Problem::Signed(problem));
                return Ok(None);
            }
        };
        let acr_values: Vec<&str> = asked
            .and_then(|asked| asked.acr_values.as_deref())
            .map(|values| values.split(' ').filter(|value| !value.is_empty()).collect())
            .unwrap_or_default();
        let claims = trusted.claims().ok();
        let tenant: Option<String> = claims.and_then(|claims| Some(claims.text("tid").ok()??.into()));
        let issuer = exchange.server.issuer().of_tenant(tenant.as_deref());
        let mut rules = IdTokenRules::new(&issuer, &exchange.server.client().id);
        rules.nonce = asked.and_then(|asked| asked.nonce.as_deref());
        rules.max_age_s = asked.and_then(|asked| asked.max_age_s);
        rules.acr_values = &acr_values;
        rules.access_token = Some(issued.access_token.expose());
        let was_asked_for = is_needed || rules.nonce.is_some();
        let id_token = match IdToken::check(trusted, &rules, now.unix_s) {
            Ok(id_token) => id_token,
            Err(problem) if was_asked_for => return Err(PeerMisbehaved::IdToken(problem)),
            Err(problem) => {
                self.pass_over(exchange, Problem::Claims(problem));
                return Ok(None);
            }
        };
        let label = id_token.claims().ok().and_then(|claims| label(&claims));
        let label = label.unwrap_or_else(|| id_token.subject.clone());
        Ok(Some(Box::new(User { subject: id_token.subject, label })))
    }

    /// An ID token that nobody needs cannot be used: the access token can.
    fn pass_over(&mut self, exchange: &TokenExchange, problem: Problem) {
        let mut findings = Findings::new();
        findings.add(&Finding {
            document: exchange.exchange(),
            member: Some("id_token".into()),
            problem,
            section: "OpenID Connect Core section 3.1.3.7",
            handling: Handling::Absent,
        });
        self.keep(findings);
    }
}
