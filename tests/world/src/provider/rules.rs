//! Histories of authorizations, devices, codes, tokens and users against a model of the rules, which knows nothing of how
//! they are kept: what is used once is used once, a token that is used when it is old takes down all that came of its
//! grant, no scope widens, nothing is issued that its user has not consented to, and whatever is good is listed.

use std::iter;

use grantor::ScopeSet;
use grantor::server::{
    Answer, ConsentRequest, Outcome, PageContent, ProtectedResource, Request, User, UserDecision,
};
use http::HeaderMap;

use super::*;
use crate::sim::Choices;

/// A resource without scopes.
const BARE: &str = "https://bare.example.com/";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SCOPES: [&str; 3] = ["files:read", "files:write", "files:read files:write"];
const CODE_S: u64 = 60;
const ACCESS_S: u64 = 600;
const RETRY_S: u64 = 30;
const IDLE_S: u64 = 30 * 86_400;
const WHOLE_S: u64 = 365 * 86_400;
/// Fewer than a user can have, so that none is taken back for another.
const MOST_GRANTS: usize = grantor::limits::USER_GRANTS - 1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    App,
    Web,
}

impl Client {
    fn id(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Web => "web",
        }
    }

    fn redirect_uri(self) -> &'static str {
        match self {
            Self::App => REDIRECT,
            Self::Web => "https://web.example.com/cb",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::App => Self::Web,
            Self::Web => Self::App,
        }
    }

    /// A request of its own.
    fn request(self, path: &'static str, form: &[(&str, &str)]) -> Request {
        let secret = (self == Self::Web).then_some(("client_secret", "s3cret"));
        let all = form.iter().copied().chain([("client_id", self.id())]).chain(secret);
        post(path, &all.collect::<Vec<_>>())
    }
}

/// What the model knows of a grant.
struct Grant {
    client: Client,
    user: &'static str,
    resource: &'static str,
    scope: ScopeSet,
    code: String,
    made_at: u64,
    /// Whether its code was exchanged; a device has none.
    used: bool,
    alive: bool,
    /// All refresh tokens, the newest last, and when that was made.
    tokens: Vec<String>,
    rotated_at: u64,
}

impl Grant {
    fn is_listed(&self, now: u64) -> bool {
        self.alive && now < self.made_at + WHOLE_S && (self.used || now < self.made_at + CODE_S)
    }

    /// Whether its refresh tokens are good.
    fn refreshes(&self, now: u64) -> bool {
        self.alive && self.used && now < self.rotated_at + IDLE_S && now < self.made_at + WHOLE_S
    }
}

struct Access {
    token: String,
    grant: usize,
    until: u64,
}

struct Consent {
    user: &'static str,
    client: Client,
    resource: &'static str,
    scope: ScopeSet,
}

/// A page that waits for its user.
struct Asked {
    request: ConsentRequest,
    cookies: HeaderMap,
    user: &'static str,
    scope: ScopeSet,
}

struct History<'a> {
    world: World,
    choices: &'a mut dyn Choices,
    grants: Vec<Grant>,
    access: Vec<Access>,
    consents: Vec<Consent>,
}

/// Plays a history until there are no more choices, and gives how many tokens came of it.
pub fn play(choices: &mut dyn Choices) -> usize {
    let world = World::new(config().resource(ProtectedResource::new(BARE)));
    let mut history =
        History { world, choices, grants: Vec::new(), access: Vec::new(), consents: Vec::new() };
    while let Some(operation) = history.choices.below(16) {
        match operation {
            0..=2 => history.authorize(),
            3 | 4 => history.exchange(),
            5..=8 => history.refresh(),
            9 => history.revoke(),
            10 => history.account(),
            11 => history.introspect(),
            12 => history.device(),
            13 => history.race(),
            _ => {
                let seconds = [1, 20, 31, 61, 601, 86_400][history.below(6)];
                history.world.pass(seconds);
            }
        }
    }
    history.access.len()
}

fn user(name: &str) -> User {
    User::new(name, START - 60)
}

impl History<'_> {
    fn below(&mut self, n: u32) -> usize {
        self.choices.below(n).map_or(0, |chosen| chosen as usize)
    }

    fn pick(&mut self) -> Option<usize> {
        let count = u32::try_from(self.grants.len()).ok().filter(|count| *count > 0)?;
        Some(self.below(count))
    }

    fn now(&self) -> u64 {
        self.world.now.get()
    }

    fn answer(&self, request: Request) -> Answer {
        self.world.answer(request)
    }

    fn consented(&self, user: &str, client: Client, resource: &str) -> Option<&ScopeSet> {
        let same = |own: &&Consent| own.user == user && own.client == client && own.resource == resource;
        self.consents.iter().find(same).map(|own| &own.scope)
    }

    fn consent(&mut self, user: &'static str, client: Client, resource: &'static str, scope: &ScopeSet) {
        let same = |own: &&mut Consent| own.user == user && own.client == client && own.resource == resource;
        match self.consents.iter_mut().find(same) {
            Some(own) => own.scope = own.scope.union(scope),
            None => self.consents.push(Consent { user, client, resource, scope: scope.clone() }),
        }
    }

    fn grant(
        &mut self,
        client: Client,
        user: &'static str,
        resource: &'static str,
        scope: ScopeSet,
        code: String,
    ) {
        let now = self.now();
        let (used, tokens) = (false, Vec::new());
        self.consent(user, client, resource, &scope);
        self.grants.push(Grant {
            client,
            user,
            resource,
            scope,
            code,
            made_at: now,
            used,
            alive: true,
            tokens,
            rotated_at: now,
        });
    }

    fn authorize(&mut self) {
        if self.grants.len() >= MOST_GRANTS {
            return;
        }
        let name = ["alice", "bob"][self.below(2)];
        let client = [Client::App, Client::Web][self.below(2)];
        let (resource, asked) = match self.below(4) {
            0 => (BARE, ""),
            _ => (RESOURCE, SCOPES[self.below(3)]),
        };
        let parameters = asking(&[
            ("client_id", client.id()),
            ("redirect_uri", client.redirect_uri()),
            ("resource", resource),
            ("scope", asked),
        ]);
        let scope = scopes(asked);
        // A program on the user's own machine is asked about each time.
        let known = client == Client::Web
            && self.consented(name, client, resource).is_some_and(|known| known.covers(&scope));
        match self.world.authorize(&parameters, Some(user(name))) {
            Outcome::Answer(answer) => {
                let code = parameter(answer.header("location"), "code").expect("a code");
                assert!(known, "no token without consent");
                self.grant(client, name, resource, scope, code);
            }
            outcome => {
                assert!(!known, "consent is remembered");
                let (page, cookies) = page(outcome);
                let PageContent::Consent(request) = page.content else { panic!("{:?}", page.content) };
                self.answer_page(client, resource, Asked { request, cookies, user: name, scope });
            }
        }
    }

    fn answer_page(&mut self, client: Client, resource: &'static str, asked: Asked) {
        let decide = |cookies: &HeaderMap, name: &str, decision: UserDecision| {
            self.world.run(self.world.deciding(&asked.request, cookies, user(name), decision))
        };
        let only = scopes(SCOPES[self.choices.below(3).unwrap_or_default() as usize]);
        let decision = match self.choices.below(8).unwrap_or_default() {
            0 => UserDecision::Deny,
            1 => {
                let outcome = decide(&HeaderMap::new(), asked.user, UserDecision::Allow);
                assert_eq!(shown_error(outcome).0, 400, "another browser answers nothing");
                UserDecision::Allow
            }
            2 => {
                let other = if asked.user == "alice" { "bob" } else { "alice" };
                let (page, _) = page(decide(&asked.cookies, other, UserDecision::Allow));
                assert!(matches!(page.content, PageContent::Consent(_)), "another user has seen nothing");
                UserDecision::Allow
            }
            3 | 4 => UserDecision::AllowOnly(only.clone()),
            5 => return, // nobody answers
            _ => UserDecision::Allow,
        };
        let allowed = match &decision {
            UserDecision::Deny => None,
            UserDecision::AllowOnly(only) => {
                let both = asked.scope.iter().filter(|token| only.contains(token));
                Some(ScopeSet::from_tokens(both).unwrap())
                    .filter(|both| !both.is_empty() || asked.scope.is_empty())
            }
            _ => Some(asked.scope.clone()),
        };
        let outcome = answered(decide(&asked.cookies, asked.user, decision));
        let location = outcome.header("location");
        assert!(location.starts_with(client.redirect_uri()));
        assert_eq!(parameter(location, "iss").as_deref(), Some(ISSUER));
        let again = decide(&asked.cookies, asked.user, UserDecision::Allow);
        assert_eq!(shown_error(again).0, 400, "a page is answered once");
        match allowed {
            Some(scope) => {
                let code = parameter(location, "code").expect("a code");
                self.grant(client, asked.user, resource, scope, code);
            }
            None => assert_eq!(parameter(location, "error").as_deref(), Some("access_denied")),
        }
    }

    fn exchange(&mut self) {
        let Some(index) = self.pick() else { return };
        let variant = self.below(8);
        let now = self.now();
        let grant = &self.grants[index];
        if grant.code.is_empty() {
            return; // of a device
        }
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", &*grant.code),
            ("redirect_uri", grant.client.redirect_uri()),
            ("code_verifier", VERIFIER),
        ];
        let mut client = grant.client;
        match variant {
            0 => form[3].1 = "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong",
            1 => client = client.other(),
            2 => form[2].1 = "http://127.0.0.1:7001/other",
            3 => form.push(("scope", "files:read files:write other")),
            4 => form.push(("resource", "https://other.example.com/")),
            _ => {}
        }
        let answer = self.world.answer(client.request("/token", &form));
        let fits = grant.alive && now < grant.made_at + CODE_S;
        if fits && !grant.used && variant > 4 {
            assert_eq!(answer.status, 200, "{}", answer.body.expose());
            self.first_tokens(index, &answer);
            return;
        }
        let expected = match variant {
            3 if fits && !grant.used => "invalid_scope",
            4 if fits && !grant.used => "invalid_target",
            _ => "invalid_grant",
        };
        assert_eq!(error(&answer), (400, expected.into()));
        // A second use of a code takes everything back; another client's is none.
        let grant = &mut self.grants[index];
        grant.alive &= !grant.used || client != grant.client;
    }

    fn first_tokens(&mut self, index: usize, answer: &Answer) {
        let now = self.now();
        let body = json(answer);
        assert_eq!(scopes(body["scope"].as_str().unwrap()), self.grants[index].scope);
        let grant = &mut self.grants[index];
        grant.used = true;
        grant.rotated_at = now;
        grant.tokens.push(body["refresh_token"].as_str().unwrap().into());
        self.token(index, &body["access_token"], now + ACCESS_S);
    }

    fn token(&mut self, grant: usize, token: &Value, until: u64) {
        let token = token.as_str().expect("a token").to_owned();
        let said = claims(&token);
        assert_eq!(said["sub"], self.grants[grant].user);
        assert_eq!(said["aud"], self.grants[grant].resource);
        let scope = scopes(said["scope"].as_str().unwrap_or_default());
        assert!(self.grants[grant].scope.covers(&scope), "no scope widens");
        self.access.push(Access { token, grant, until });
    }

    fn refresh(&mut self) {
        let Some(index) = self.pick() else { return };
        let asked = SCOPES.get(self.below(6));
        let old = self.below(4).min(2);
        let other = self.below(8) == 0;
        let now = self.now();
        let grant = &mut self.grants[index];
        let Some(place) = grant.tokens.len().checked_sub(1 + old) else { return };
        let token = grant.tokens[place].clone();
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", &*token)];
        form.extend(asked.map(|scope| ("scope", *scope)));
        let client = if other { grant.client.other() } else { grant.client };
        let answer = self.world.answer(client.request("/token", &form));
        let wanted = asked.map_or_else(|| grant.scope.clone(), |scope| scopes(scope));
        if other || !grant.refreshes(now) {
            assert_eq!(error(&answer), (400, "invalid_grant".into()));
        } else if !grant.scope.covers(&wanted) {
            assert_eq!(error(&answer), (400, "invalid_scope".into()), "never more than the user allowed");
        } else if place + 1 == grant.tokens.len() {
            let body = json(&answer);
            let next = body["refresh_token"].as_str().expect("a successor").to_owned();
            assert!(!grant.tokens.contains(&next), "each token has one successor");
            assert_eq!(scopes(body["scope"].as_str().unwrap()), wanted);
            grant.tokens.push(next);
            grant.rotated_at = now;
            self.token(index, &body["access_token"], now + ACCESS_S);
        } else if place + 2 == grant.tokens.len() && now < grant.rotated_at + RETRY_S {
            let body = json(&answer);
            assert_eq!(body["refresh_token"].as_str(), grant.tokens.last().map(String::as_str));
            let until = grant.rotated_at + ACCESS_S;
            self.token(index, &body["access_token"], until);
        } else {
            assert_eq!(error(&answer), (400, "invalid_grant".into()));
            grant.alive = false;
        }
    }

    /// Whether an access token is good.
    fn is_good(&self, access: &Access) -> bool {
        self.grants[access.grant].alive && self.now() < access.until
    }

    fn revoke(&mut self) {
        let Some(index) = self.pick() else { return };
        let (by_access, other, which) = (self.below(2) == 0, self.below(4) == 0, self.below(4));
        let grant = &self.grants[index];
        let client = if other { grant.client.other() } else { grant.client };
        let access = self.access.iter().rfind(|access| access.grant == index);
        let (token, counts) = match access {
            Some(access) if by_access => (access.token.clone(), self.is_good(access)),
            _ => {
                let Some(token) = grant.tokens.iter().rev().nth(which) else { return };
                // The grant is there for as long as its record is.
                (token.clone(), grant.refreshes(self.now()))
            }
        };
        let answer = self.answer(client.request("/revoke", &[("token", &token)]));
        if counts && other {
            assert_eq!(error(&answer), (400, "unauthorized_client".into()));
        } else {
            assert_eq!(answer.status, 200);
            self.grants[index].alive &= !counts;
        }
    }

    fn account(&mut self) {
        let name = ["alice", "bob"][self.below(2)];
        let now = self.now();
        let provider = self.world.provider.borrow().clone();
        let entropy = self.world.entropy();
        let Outcome::Grants(listed) = self.world.run(provider.grants_of(self.world.now(), entropy, name))
        else {
            panic!("no list")
        };
        let own: Vec<usize> = (0..self.grants.len())
            .filter(|index| self.grants[*index].user == name && self.grants[*index].is_listed(now))
            .collect();
        let shown: Vec<_> = listed.iter().map(|grant| (&*grant.client_id, grant.scope.clone())).collect();
        let right: Vec<_> = own
            .iter()
            .map(|index| (self.grants[*index].client.id(), self.grants[*index].scope.clone()))
            .collect();
        assert_eq!(shown, right, "whatever is good is listed");
        let Some(chosen) = u32::try_from(own.len()).ok().filter(|count| *count > 0) else { return };
        if self.below(2) == 0 {
            return;
        }
        let chosen = self.below(chosen);
        let other = if name == "alice" { "bob" } else { "alice" };
        for (by, ends) in [(other, false), (name, true)] {
            let entropy = self.world.entropy();
            self.world.run(provider.revoke_grant(self.world.now(), entropy, by, &listed[chosen].id));
            let grant = &mut self.grants[own[chosen]];
            grant.alive &= !ends;
        }
        let Grant { client, resource, .. } = self.grants[own[chosen]];
        self.consents.retain(|own| own.user != name || own.client != client || own.resource != resource);
    }

    fn introspect(&mut self) {
        let Some(count) = u32::try_from(self.access.len()).ok().filter(|count| *count > 0) else { return };
        let chosen = self.below(count);
        let access = &self.access[chosen];
        assert_eq!(self.world.introspect(&access.token)["active"], self.is_good(access));
    }

    fn device(&mut self) {
        if self.grants.len() >= MOST_GRANTS {
            return;
        }
        let name = ["alice", "bob"][self.below(2)];
        let asked = SCOPES[self.below(3)];
        let form = [("scope", asked), ("resource", RESOURCE)];
        let body = json(&self.answer(Client::Web.request("/device_authorization", &form)));
        let device_code = body["device_code"].as_str().unwrap().to_owned();
        let poll = [("grant_type", DEVICE), ("device_code", &*device_code)];
        assert_eq!(error(&self.answer(Client::Web.request("/token", &poll))).1, "authorization_pending");
        let provider = self.world.provider.borrow().clone();
        let (now, entropy) = (self.world.now(), self.world.entropy());
        let entered = provider.enter_user_code(now, entropy, body["user_code"].as_str().unwrap(), user(name));
        let (page, cookies) = page(self.world.run(entered));
        // A user types in so many codes in a time, and no more.
        let PageContent::Consent(request) = page.content else {
            assert_eq!(page.status, 429);
            return;
        };
        let denied = self.below(4) == 0;
        let decision = if denied { UserDecision::Deny } else { UserDecision::Allow };
        self.world.run(self.world.deciding(&request, &cookies, user(name), decision));
        self.world.pass(10);
        let answer = self.answer(Client::Web.request("/token", &poll));
        assert_ne!(self.answer(Client::Web.request("/token", &poll)).status, 200, "once");
        if denied {
            assert_eq!(error(&answer), (400, "access_denied".into()));
            return;
        }
        self.grant(Client::Web, name, RESOURCE, scopes(asked), String::new());
        self.first_tokens(self.grants.len() - 1, &answer);
    }

    /// Two requests at once, in whatever order their effects come.
    fn race(&mut self) {
        let Some(index) = self.pick() else { return };
        let now = self.now();
        let grant = &self.grants[index];
        let form = match grant.tokens.last() {
            Some(token) if grant.refreshes(now) => {
                vec![("grant_type", "refresh_token"), ("refresh_token", &**token)]
            }
            None if grant.alive && !grant.used && now < grant.made_at + CODE_S => {
                vec![
                    ("grant_type", "authorization_code"),
                    ("code", &*grant.code),
                    ("code_verifier", VERIFIER),
                ]
            }
            _ => return,
        };
        let two = || self.world.handling(grant.client.request("/token", &form));
        let (a, b) = (two(), two());
        let (a, b) = self.world.interleave(a, b, || self.choices.below(2) == Some(1));
        let (a, b) = (answered(a), answered(b));
        if grant.used {
            assert_eq!((a.status, b.status), (200, 200), "both learn of the one successor");
            let body = json(&a);
            let next = body["refresh_token"].as_str().unwrap().to_owned();
            assert_eq!(json(&b)["refresh_token"], *next);
            let grant = &mut self.grants[index];
            grant.tokens.push(next);
            grant.rotated_at = now;
            for answer in [body, json(&b)] {
                self.token(index, &answer["access_token"], now + ACCESS_S);
            }
        } else {
            let won: Vec<_> = iter::once(a).chain([b]).filter(|answer| answer.status == 200).collect();
            let [won] = &*won else { panic!("{} of two exchanges of one code", won.len()) };
            self.first_tokens(index, won);
            self.grants[index].alive = false;
        }
    }
}
