//! What a user granted: listed in one record, which is written before any grant.

use super::answer::Answer;
use super::client::Client;
use super::context::Cx;
use super::credential::Use;
use super::exchange::{Unavailable, Written};
use super::outcome::{GrantShown, Outcome};
use super::records::{Consent, Grant, GrantEntry, GrantState, User, UserGrants, VERSION};
use super::store::Stored;
use super::target::Target;
use super::wire::OAuthError;
use crate::effect::{RecordKind, RecordRevision};
use crate::jose::encode_base64url;
use crate::limits;
use crate::scope::ScopeSet;

/// A grant to be.
pub(super) struct NewGrant<'a> {
    pub(super) client: &'a Client,
    pub(super) user: &'a User,
    pub(super) target: &'a Target,
    pub(super) jkt: Option<Box<str>>,
    pub(super) state: GrantState,
}

impl NewGrant<'_> {
    pub(super) fn record(self, cx: &Cx) -> Grant {
        let now = cx.io.now_s();
        Grant {
            v: VERSION,
            client: self.client.id.clone(),
            user: Some(self.user.clone()),
            scope: self.target.scope.clone(),
            resources: self.target.resources.clone(),
            created_at: now,
            ends_at: now.saturating_add(cx.provider.config.lifetimes.refresh.as_secs()),
            jkt: self.jkt,
            parent: None,
            state: self.state,
            opaque: Vec::new(),
        }
    }
}

/// The name of a user's record. Whoever reads the store learns no subjects from its keys.
fn record_name(cx: &Cx, subject: &str) -> String {
    encode_base64url(cx.provider.secrets.mac(Use::Subject, &[subject.as_bytes()]))
}

/// Stores a new grant, after its entry in the user's record. The consent goes with it.
pub(super) async fn save_new(
    cx: &Cx,
    name: &str,
    grant: &Grant,
    client: &Client,
    until: u64,
) -> Result<Written, OAuthError> {
    if let Some(user) = &grant.user {
        let removed = change(cx, &user.subject, "a grant is listed before it is made", |all| {
            all.remember_consent(grant);
            if all.grants.iter().any(|entry| *entry.id == *name) {
                return Vec::new(); // the page was answered before
            }
            all.grants.push(GrantEntry {
                id: name.into(),
                client: grant.client.clone(),
                client_name: client.description.client_name.clone(),
                scope: grant.scope.clone(),
                resources: grant.resources.clone(),
                created_at: grant.created_at,
                ends_at: grant.ends_at,
                code_until: matches!(grant.state, GrantState::Issued { .. }).then_some(until),
            });
            all.over()
        })
        .await?;
        for oldest in removed {
            delete_grant(cx, &oldest).await?;
        }
    }
    cx.renew(client).await;
    let why = "the user agreed";
    Ok(cx.save(RecordKind::IssuedGrant, name, grant, None, until, why).await?)
}

/// Keeps the entry of a grant whose code is exchanged; whether there is one. Without it the user has taken the grant back,
/// or so many codes were asked for that nobody can have meant this one.
pub(super) async fn keep(cx: &Cx, subject: &str, name: &str) -> Result<bool, Unavailable> {
    change(cx, subject, "a grant stays listed while it is good", |all| {
        let entry = all.grants.iter_mut().find(|entry| *entry.id == *name);
        entry.map(|entry| entry.code_until = None).is_some()
    })
    .await
}

/// Whether the user ever consented to anything of this client.
pub(super) async fn has_consented(cx: &Cx, subject: &str, client: &str) -> Result<bool, Unavailable> {
    let why = "who is trusted by the user";
    let stored = cx.load::<UserGrants>(RecordKind::UserGrants, &record_name(cx, subject), why).await?;
    Ok(stored.is_some_and(|stored| stored.value.consents.iter().any(|own| *own.client == *client)))
}

/// What the user consented to of this client, for these resources; `None` if they never did, which is not the same as
/// to no scope: a resource may have none.
pub(super) async fn consented(
    cx: &Cx,
    subject: &str,
    client: &str,
    resources: &[Box<str>],
) -> Result<Option<ScopeSet>, Unavailable> {
    let why = "what a user consented to is not asked again";
    let stored = cx.load::<UserGrants>(RecordKind::UserGrants, &record_name(cx, subject), why).await?;
    let all = stored.map(|stored| stored.value.consents).unwrap_or_default();
    let one = all.into_iter().find(|consent| *consent.client == *client && *consent.resources == *resources);
    Ok(one.map(|consent| consent.scope))
}

/// Takes back a grant: its codes and tokens are good no more.
pub(super) async fn forget(
    cx: &Cx,
    name: &str,
    grant: &Grant,
    revision: RecordRevision,
) -> Result<(), OAuthError> {
    let why = "the grant is revoked";
    if cx.delete(RecordKind::IssuedGrant, name, revision, why).await? == Written::Conflict {
        delete_grant(cx, name).await?;
    }
    if let Some(user) = &grant.user {
        // An entry without its grant does no harm, and goes with its time.
        let _ = change(cx, &user.subject, "what is revoked is listed no more", |all| {
            all.grants.retain(|entry| *entry.id != *name);
        })
        .await;
    }
    Ok(())
}

/// Deletes a grant, whatever becomes of it meanwhile.
pub(super) async fn delete_grant(cx: &Cx, name: &str) -> Result<(), Unavailable> {
    for _ in 0..limits::STORE_ROUNDS {
        let why = "the grant is revoked";
        let Some(loaded) = cx.io.load(cx.key(RecordKind::IssuedGrant, name), why).await? else {
            return Ok(());
        };
        if cx.delete(RecordKind::IssuedGrant, name, loaded.revision, why).await? == Written::Saved {
            return Ok(());
        }
    }
    Err(Unavailable)
}

/// Changes a user's record, however many others do.
async fn change<T>(
    cx: &Cx,
    subject: &str,
    why: &'static str,
    mut with: impl FnMut(&mut UserGrants) -> T,
) -> Result<T, Unavailable> {
    let name = record_name(cx, subject);
    for _ in 0..limits::STORE_ROUNDS {
        let stored = cx.load::<UserGrants>(RecordKind::UserGrants, &name, why).await?;
        let (mut all, revision) = match stored {
            Some(Stored { value, revision }) => (value, Some(revision)),
            None => (UserGrants { v: VERSION, ..UserGrants::default() }, None),
        };
        let now = cx.io.now_s();
        all.grants.retain(|entry| entry.is_good(now));
        let result = with(&mut all);
        let lifetime = cx.provider.config.lifetimes.refresh.as_secs();
        let until = now.saturating_add(2 * lifetime);
        if cx.save(RecordKind::UserGrants, &name, &all, revision, until, why).await? == Written::Saved {
            return Ok(result);
        }
    }
    Err(Unavailable)
}

impl GrantEntry {
    fn is_good(&self, now: u64) -> bool {
        self.ends_at > now && self.code_until.is_none_or(|until| until > now)
    }
}

impl UserGrants {
    /// Removes what is too many: codes that nobody has exchanged before grants that are in use, so that whoever makes a
    /// browser ask for codes signs nobody out. The newest stays.
    fn over(&mut self) -> Vec<Box<str>> {
        let mut removed = Vec::new();
        while self.grants.len() > limits::USER_GRANTS {
            let others = self.grants.len().saturating_sub(1);
            let unused = self.grants.iter().take(others).position(|entry| entry.code_until.is_some());
            removed.push(self.grants.remove(unused.unwrap_or(0)).id);
        }
        removed
    }

    fn remember_consent(&mut self, grant: &Grant) {
        let same = |own: &&mut Consent| own.client == grant.client && own.resources == grant.resources;
        if let Some(consent) = self.consents.iter_mut().find(same) {
            consent.scope = consent.scope.union(&grant.scope);
            return;
        }
        if self.consents.len() >= limits::USER_GRANTS {
            self.consents.remove(0);
        }
        self.consents.push(Consent {
            client: grant.client.clone(),
            resources: grant.resources.clone(),
            scope: grant.scope.clone(),
        });
    }

    fn shown(self, now: u64) -> Vec<GrantShown> {
        let current = self.grants.into_iter().filter(|entry| entry.is_good(now));
        current
            .map(|entry| GrantShown {
                id: entry.id,
                client_id: entry.client,
                client_name: entry.client_name,
                scope: entry.scope,
                resources: entry.resources,
                created_at_s: entry.created_at,
                ends_at_s: entry.ends_at,
            })
            .collect()
    }
}

pub(super) async fn list(cx: Cx, subject: String) -> Outcome {
    let why = "a user looks at what they granted";
    match cx.load::<UserGrants>(RecordKind::UserGrants, &record_name(&cx, &subject), why).await {
        Ok(stored) => {
            let all = stored.map(|stored| stored.value).unwrap_or_default();
            Outcome::Grants(all.shown(cx.io.now_s()))
        }
        Err(unavailable) => Outcome::Answer(unavailable_answer(&cx, unavailable)),
    }
}

pub(super) async fn revoke(cx: Cx, subject: String, grant: String) -> Outcome {
    match take_back(&cx, &subject, &grant).await {
        Ok(()) => list(cx, subject).await,
        Err(unavailable) => Outcome::Answer(unavailable_answer(&cx, unavailable)),
    }
}

/// Only what is listed for this user: an id that somebody guessed takes nothing back.
async fn take_back(cx: &Cx, subject: &str, grant: &str) -> Result<(), Unavailable> {
    let why = "a user takes back what they granted";
    let stored = cx.load::<UserGrants>(RecordKind::UserGrants, &record_name(cx, subject), why).await?;
    let Some(entry) = stored.into_iter().flat_map(|stored| stored.value.grants).find(|own| *own.id == *grant)
    else {
        return Ok(());
    };
    delete_grant(cx, grant).await?;
    change(cx, subject, why, |all| {
        all.grants.retain(|own| *own.id != *grant);
        all.consents.retain(|consent| consent.client != entry.client || consent.resources != entry.resources);
    })
    .await
}

fn unavailable_answer(cx: &Cx, unavailable: Unavailable) -> Answer {
    cx.refuse(&unavailable.into())
}
