//! Random histories of codes and refresh tokens against a model of the rules, which knows nothing of how they are kept.

use crate::world::*;
use grantor::ScopeSet;
use grantor::server::UserDecision;

/// What the model knows of a grant.
struct Grant {
    code: String,
    issued_at: u64,
    scope: ScopeSet,
    /// Whether its code was exchanged.
    used: bool,
    alive: bool,
    /// All refresh tokens, the newest last, and when that was made.
    tokens: Vec<String>,
    rotated_at: u64,
}

/// xorshift64: the same histories each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }
}

const SCOPES: [&str; 3] = ["files:read", "files:write", "files:read files:write"];

struct History {
    world: World,
    dice: Dice,
    grants: Vec<Grant>,
    issued: usize,
}

impl History {
    fn step(&mut self) {
        match self.dice.below(10) {
            0 | 1 => self.authorize(),
            2 | 3 => self.exchange(),
            4..=7 => self.refresh(),
            8 => self.revoke(),
            _ => {
                let seconds = [1, 20, 31, 61][self.dice.below(4)];
                self.world.pass(seconds);
            }
        }
    }

    fn pick(&mut self) -> Option<usize> {
        (!self.grants.is_empty()).then(|| self.dice.below(self.grants.len()))
    }

    fn authorize(&mut self) {
        let asked = SCOPES[self.dice.below(3)];
        let (request, cookies) = self.world.consent_page(&asking(&[("scope", asked)]));
        if self.dice.below(4) == 0 {
            assert_eq!(
                redirected_error(self.world.decide(&request, &cookies, UserDecision::Deny)),
                "access_denied"
            );
            return;
        }
        let only = scopes(SCOPES[self.dice.below(3)]);
        let scope = ScopeSet::from_tokens(scopes(asked).iter().filter(|token| only.contains(token))).unwrap();
        let outcome = self.world.decide(&request, &cookies, UserDecision::AllowOnly(only));
        if scope.is_empty() {
            assert_eq!(redirected_error(outcome), "access_denied");
            return;
        }
        let code = parameter(answered(outcome).header("location"), "code").expect("a code");
        let now = self.world.now.get();
        self.grants.push(Grant {
            code,
            issued_at: now,
            scope,
            used: false,
            alive: true,
            tokens: Vec::new(),
            rotated_at: now,
        });
    }

    fn exchange(&mut self) {
        let Some(index) = self.pick() else { return };
        let right = self.dice.below(4) > 0;
        let now = self.world.now.get();
        let grant = &mut self.grants[index];
        let mut form = exchanging(&grant.code);
        if !right {
            form[4] = ("code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong");
        }
        let answer = self.world.token(&form);
        let good = grant.alive && !grant.used && right && now <= grant.issued_at + 60;
        if good {
            assert_eq!(answer.status, 200);
            let body = json(&answer);
            assert_eq!(scopes(body["scope"].as_str().unwrap()), grant.scope);
            grant.used = true;
            grant.rotated_at = now;
            grant.tokens.push(body["refresh_token"].as_str().unwrap().into());
            self.issued += 1;
        } else {
            assert_eq!(error(&answer), (400, "invalid_grant".into()));
            // A second use of a code that was exchanged, by whomever, takes everything back.
            grant.alive &= !grant.used;
        }
    }

    fn refresh(&mut self) {
        let Some(index) = self.pick() else { return };
        let asked = self.dice.below(5);
        let old = self.dice.below(4);
        let now = self.world.now.get();
        let grant = &mut self.grants[index];
        let Some(place) = grant.tokens.len().checked_sub(1 + old.min(2)) else { return };
        let token = grant.tokens[place].clone();
        let mut form =
            vec![("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &*token)];
        if let Some(scope) = SCOPES.get(asked) {
            form.push(("scope", scope));
        }
        let answer = self.world.token(&form);
        let wanted = SCOPES.get(asked).map(|scope| scopes(scope));
        if !grant.alive {
            assert_eq!(error(&answer), (400, "invalid_grant".into()));
        } else if wanted.as_ref().is_some_and(|wanted| !grant.scope.covers(wanted)) {
            assert_eq!(error(&answer), (400, "invalid_scope".into()), "never more than the user allowed");
        } else if place + 1 == grant.tokens.len() {
            let next = json(&answer)["refresh_token"].as_str().expect("a successor").to_owned();
            assert!(!grant.tokens.contains(&next));
            grant.tokens.push(next);
            grant.rotated_at = now;
            self.issued += 1;
        } else if place + 2 == grant.tokens.len() && now < grant.rotated_at + 30 {
            assert_eq!(json(&answer)["refresh_token"].as_str(), grant.tokens.last().map(String::as_str));
        } else {
            assert_eq!(error(&answer), (400, "invalid_grant".into()));
            grant.alive = false;
        }
    }

    fn revoke(&mut self) {
        let Some(index) = self.pick() else { return };
        let grant = &mut self.grants[index];
        let Some(token) = grant.tokens.last() else { return };
        assert_eq!(self.world.post("/revoke", &[("token", token), ("client_id", "app")]).status, 200);
        grant.alive = false;
    }
}

#[test]
fn no_history_breaks_the_rules() {
    let mut issued = 0;
    for seed in 1..=60 {
        let mut history =
            History { world: World::plain(), dice: Dice(seed * 0x9e37_79b9), grants: Vec::new(), issued: 0 };
        for _ in 0..80 {
            history.step();
        }
        issued += history.issued;
    }
    assert!(issued > 200, "{issued}");
}
