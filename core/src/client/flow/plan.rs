//! The plan of an acquisition: what it needs next, by what is there.
//!
//! It is a function of [`Facts`] alone, so it can be tried with every one of them. Who carries it out is
//! `Engine::next_step`; the chapter `architecture` has its table, which a test makes from this file.

/// What is there by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one question that the plan asks")]
pub(crate) struct Facts {
    pub(crate) grant: GrantKind,
    /// The records were loaded just now, or nobody else writes them.
    pub(crate) records_current: bool,
    /// The record of pending authorizations.
    pub(crate) pending_loaded: bool,
    /// New tokens are in the store.
    pub(crate) stored: bool,
    /// New tokens, to be stored.
    pub(crate) obtained: bool,
    /// All that a token request needs.
    pub(crate) exchange: bool,
    /// A callback that came by itself.
    pub(crate) callback: bool,
    /// A call that waits for tokens.
    pub(crate) wanted: bool,
    /// Nothing from before a restart is to be taken up.
    pub(crate) restart_settled: bool,
    /// What the resource says about itself.
    pub(crate) resource: bool,
    pub(crate) issuer: bool,
    /// The host trusts the issuer, with these scopes.
    pub(crate) approved: bool,
    /// The server's metadata.
    pub(crate) server: bool,
    pub(crate) client: bool,
    pub(crate) redirect_uri: bool,
    /// The client belongs to this server and no other.
    pub(crate) bound: bool,
    /// The authorization request.
    pub(crate) request: bool,
    /// The request is at the server, if it has to be.
    pub(crate) pushed: bool,
    /// The request is in the store.
    pub(crate) recorded: bool,
}

/// How the user takes part in the grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantKind {
    Browser,
    Device,
    WithoutUser,
}

/// What an acquisition needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// The records as they are now: another process may have been faster.
    CurrentRecords,
    /// The authorizations that are pending.
    PendingRecord,
    /// A decision about what was pending before a restart.
    RestartSettled,
    /// The resource's metadata.
    Resource,
    /// One of the servers that the resource names.
    Issuer,
    /// The host's approval.
    Approval,
    /// The authorization server's metadata.
    Server,
    /// Being a client there.
    Client,
    /// A place for the browser to come back to.
    RedirectUri,
    /// The record that the client is this server's.
    BoundClient,
    /// An authorization request.
    Request,
    /// A reference to it from the server.
    PushedRequest,
    /// The record of it.
    RecordedRequest,
    /// The user, in the browser.
    User,
    /// The user, on another device, and the device's code.
    UserElsewhere,
    /// What the grant gives for the token: an assertion, or nothing.
    Credential,
    /// The code of the callback.
    Callback,
    /// The tokens.
    Token,
    /// The tokens in the store.
    StoredToken,
    /// The binding to their issuer, and nothing pending any more.
    Settled,
    /// Nothing: nobody waits.
    Nothing,
}

/// The plan: the first thing that is missing. What is closest to the tokens comes first, so that whatever is there
/// already, from another process or from before a restart, saves its steps.
pub(crate) fn plan(facts: &Facts) -> Need {
    use GrantKind::{Browser, Device, WithoutUser};
    match (facts, facts.grant) {
        (Facts { records_current: false, .. }, _) => Need::CurrentRecords,
        (Facts { pending_loaded: false, .. }, _) => Need::PendingRecord,
        (Facts { stored: true, .. }, _) => Need::Settled,
        (Facts { obtained: true, .. }, _) => Need::StoredToken,
        (Facts { exchange: true, .. }, _) => Need::Token,
        (Facts { callback: true, .. }, _) => Need::Callback,
        (Facts { wanted: false, .. }, _) => Need::Nothing,
        (Facts { restart_settled: false, .. }, _) => Need::RestartSettled,
        (Facts { resource: false, .. }, _) => Need::Resource,
        (Facts { issuer: false, .. }, _) => Need::Issuer,
        (Facts { approved: false, .. }, _) => Need::Approval,
        (Facts { server: false, .. }, _) => Need::Server,
        (Facts { client: false, .. }, _) => Need::Client,
        (Facts { redirect_uri: false, .. }, Browser) => Need::RedirectUri,
        (Facts { bound: false, .. }, _) => Need::BoundClient,
        (_, Device) => Need::UserElsewhere,
        (_, WithoutUser) => Need::Credential,
        (Facts { request: false, .. }, Browser) => Need::Request,
        (Facts { pushed: false, .. }, Browser) => Need::PushedRequest,
        (Facts { recorded: false, .. }, Browser) => Need::RecordedRequest,
        (_, Browser) => Need::User,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const NOTHING: Facts = Facts {
        grant: GrantKind::Browser,
        records_current: false,
        pending_loaded: false,
        stored: false,
        obtained: false,
        exchange: false,
        callback: false,
        wanted: true,
        restart_settled: false,
        resource: false,
        issuer: false,
        approved: false,
        server: false,
        client: false,
        redirect_uri: false,
        bound: false,
        request: false,
        pushed: false,
        recorded: false,
    };

    /// What is there once a need is met; none if that ends the acquisition.
    fn meet(need: Need, facts: Facts) -> Option<Facts> {
        Some(match need {
            Need::CurrentRecords => Facts { records_current: true, ..facts },
            Need::PendingRecord => Facts { pending_loaded: true, ..facts },
            Need::RestartSettled => Facts { restart_settled: true, ..facts },
            Need::Resource => Facts { resource: true, ..facts },
            Need::Issuer => Facts { issuer: true, ..facts },
            Need::Approval => Facts { approved: true, ..facts },
            Need::Server => Facts { server: true, ..facts },
            Need::Client => Facts { client: true, ..facts },
            Need::RedirectUri => Facts { redirect_uri: true, ..facts },
            Need::BoundClient => Facts { bound: true, ..facts },
            Need::Request => Facts { request: true, ..facts },
            Need::PushedRequest => Facts { pushed: true, ..facts },
            Need::RecordedRequest => Facts { recorded: true, ..facts },
            Need::User | Need::UserElsewhere | Need::Credential => Facts { exchange: true, ..facts },
            Need::Callback => Facts { callback: false, exchange: true, ..facts },
            Need::Token => Facts { exchange: false, obtained: true, ..facts },
            Need::StoredToken => Facts { obtained: false, stored: true, ..facts },
            Need::Settled | Need::Nothing => return None,
        })
    }

    fn walk(mut facts: Facts) -> Vec<Need> {
        let mut needs = Vec::new();
        loop {
            let need = plan(&facts);
            assert!(!needs.contains(&need), "{need:?} is needed again after {needs:?}");
            needs.push(need);
            match meet(need, facts) {
                Some(more) => facts = more,
                None => return needs,
            }
        }
    }

    fn all(bits: u32, grant: GrantKind) -> Facts {
        let is = |bit: u32| bits >> bit & 1 == 1;
        Facts {
            grant,
            records_current: is(0),
            pending_loaded: is(1),
            stored: is(2),
            obtained: is(3),
            exchange: is(4),
            callback: is(5),
            wanted: is(6),
            restart_settled: is(7),
            resource: is(8),
            issuer: is(9),
            approved: is(10),
            server: is(11),
            client: is(12),
            redirect_uri: is(13),
            bound: is(14),
            request: is(15),
            pushed: is(16),
            recorded: is(17),
        }
    }

    const GRANTS: [GrantKind; 3] = [GrantKind::Browser, GrantKind::Device, GrantKind::WithoutUser];

    #[test]
    fn from_whatever_is_there_the_plan_ends_and_asks_for_nothing_twice() {
        for grant in GRANTS {
            for bits in 0..1 << 18 {
                let facts = all(bits, grant);
                let needs = walk(facts);
                let ends_well = needs.last() == Some(&Need::Settled);
                let has_reason =
                    facts.wanted || facts.callback || facts.exchange || facts.obtained || facts.stored;
                assert_eq!(ends_well, has_reason, "{facts:?} leads to {needs:?}");
            }
        }
    }

    #[test]
    fn nobody_is_asked_before_the_host_has_approved_the_issuer() {
        let contacts = [Need::Server, Need::Client, Need::Request, Need::PushedRequest, Need::User];
        let elsewhere = [Need::UserElsewhere, Need::Credential, Need::BoundClient, Need::RecordedRequest];
        for grant in GRANTS {
            for bits in 0..1 << 18 {
                let facts = all(bits, grant);
                let need = plan(&facts);
                if contacts.contains(&need) || elsewhere.contains(&need) {
                    assert!(facts.wanted && facts.approved, "{facts:?} leads to {need:?}");
                }
                if need == Need::User {
                    assert!(
                        facts.recorded && facts.bound,
                        "a page opens that a restart would lose: {facts:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn tokens_are_stored_before_anything_else_is_done() {
        for bits in 0..1 << 18 {
            let facts = Facts {
                records_current: true,
                pending_loaded: true,
                obtained: true,
                ..all(bits, GrantKind::Browser)
            };
            let wants = if facts.stored { Need::Settled } else { Need::StoredToken };
            assert_eq!(plan(&facts), wants, "{facts:?}");
        }
    }

    #[test]
    fn the_chapter_shows_the_plan() {
        let walks = GRANTS.map(|grant| walk(Facts { grant, ..NOTHING }));
        let mut needs: Vec<Need> = walks.concat();
        needs.sort_unstable();
        needs.dedup();
        let mut table = String::from(
            "| needed, in this order | browser | device | without a user |\n|---|---|---|---|\n",
        );
        for need in needs {
            let marks = walks.each_ref().map(|walk| if walk.contains(&need) { "x" } else { "" });
            let _ = writeln!(table, "| `{need:?}` | {} |", marks.join(" | "));
        }
        let chapter = include_str!("../../manual/architecture.md").replace("\r\n", "\n");
        assert!(chapter.contains(&table), "the chapter `architecture` should have this table:\n{table}");
    }
}
