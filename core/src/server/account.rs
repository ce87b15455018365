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
) -> Result<(), OAuthError> {
    if let Some(user) = &grant.user {
        let removed = change(cx, &user.subject, "a grant is listed before it is made", |all| {
            all.remember_consent(grant);
            all.grants.push(GrantEntry {
                id: name.into(),
                client: grant.client.clone(),
                client_name: client.description.client_name.clone(),
                scope: grant.scope.clone(),
                resources: grant.resources.clone(),
                created_at: grant.created_at,
                ends_at: grant.ends_at,
            });
            let over = all.grants.len().saturating_sub(limits::USER_GRANTS);
            all.grants.drain(..over).map(|entry| entry.id).collect::<Vec<_>>()
        })
        .await?;
        for oldest in removed {
            delete_grant(cx, &oldest).await?;
        }
    }
    let why = "the user agreed";
    cx.save(RecordKind::IssuedGrant, name, grant, None, until, why).await?;
    Ok(())
}

/// What the user consented to of this client, for these resources.
pub(super) async fn consented(
    cx: &Cx,
    subject: &str,
    client: &str,
    resources: &[Box<str>],
) -> Result<ScopeSet, Unavailable> {
    let why = "what a user consented to is not asked again";
    let stored = cx.load::<UserGrants>(RecordKind::UserGrants, &record_name(cx, subject), why).await?;
    let all = stored.map(|stored| stored.value.consents).unwrap_or_default();
    let one = all.into_iter().find(|consent| *consent.client == *client && *consent.resources == *resources);
    Ok(one.map(|consent| consent.scope).unwrap_or_default())
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
        all.grants.retain(|entry| entry.ends_at > now);
        let result = with(&mut all);
        let lifetime = cx.provider.config.lifetimes.refresh.as_secs();
        let until = now.saturating_add(2 * lifetime);
        if cx.save(RecordKind::UserGrants, &name, &all, revision, until, why).await? == Written::Saved {
            return Ok(result);
        }
    }
    Err(Unavailable)
}

impl UserGrants {
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
        let current = self.grants.into_iter().filter(|entry| entry.ends_at > now);
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
