//! Where somebody is logged in.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use grantor_ureq::Store;
use grantor_ureq::grantor::client::{Account, StoredGrant, accounts, stored_grant};
use grantor_ureq::grantor::error::RecordProblem;
use grantor_ureq::grantor::{RecordKind, StoreKey};
use serde_json::{Value, json};

use crate::arguments::Options;
use crate::client;
use crate::terminal::print;
use crate::{Failure, servers};

pub(crate) fn show(options: &Options, as_json: bool) -> Result<ExitCode, Failure> {
    let store = client::store(options)?;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut found = Vec::new();
    for server in servers::all(&*store)? {
        for account in listed(&*store, &server)? {
            if let Some(grant) = stored(&*store, &server, &account)? {
                found.push((server.clone(), account, grant));
            }
        }
    }
    if as_json {
        let all: Vec<Value> =
            found.iter().map(|(server, account, grant)| to_json(server, account, grant)).collect();
        print(&serde_json::to_string_pretty(&all)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        eprintln!("You are not logged in anywhere; run: grantor login URL");
    }
    for (server, account, grant) in &found {
        let mut text = server.clone();
        if let Some(label) = &account.label {
            let _ = write!(text, "\n  user     {label}");
        }
        let _ = write!(text, "\n  account  {}", account.name);
        let _ = write!(text, "\n  issuer   {}", grant.issuer);
        let _ = write!(text, "\n  scopes   {}", grant.scopes);
        let _ = write!(text, "\n  token    {}", validity(grant, now_s));
        print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn to_json(server: &str, account: &Account, grant: &StoredGrant) -> Value {
    json!({
        "server": server,
        "account": account.name,
        "user": account.label,
        "issuer": grant.issuer,
        "scopes": grant.scopes.iter().collect::<Vec<_>>(),
        "expires_at": grant.expires_at_s,
        "usable": grant.usable,
        "renewable": grant.renewable,
    })
}

/// For how long the token is good, in words.
pub(crate) fn validity(grant: &StoredGrant, now_s: u64) -> String {
    let left_s = grant.expires_at_s.map(|at_s| at_s.saturating_sub(now_s));
    words(left_s, grant.usable, grant.renewable)
}

fn words(left_s: Option<u64>, usable: bool, renewable: bool) -> String {
    let renewal = if renewable { "renewed by itself" } else { "then log in again" };
    match left_s {
        _ if !usable && !renewable => "worthless, log in again".to_owned(),
        None => "valid until the server refuses it".to_owned(),
        Some(0) if renewable => "expired, renewed with the next call".to_owned(),
        Some(0) => "expired, log in again".to_owned(),
        Some(left_s) if left_s < 120 => format!("valid for {left_s} s, {renewal}"),
        Some(left_s) if left_s < 7200 => format!("valid for {} min, {renewal}", left_s / 60),
        Some(left_s) if left_s < 172_800 => format!("valid for {} h, {renewal}", left_s / 3600),
        Some(left_s) => format!("valid for {} days, {renewal}", left_s / 86_400),
    }
}

/// The grant of an account at a server.
pub(crate) fn grant(store: &dyn Store, server: &str, account: &str) -> Result<Option<StoredGrant>, Failure> {
    match listed(store, server)?.into_iter().find(|listed| *listed.name == *account) {
        Some(account) => stored(store, server, &account),
        None => Ok(None),
    }
}

fn listed(store: &dyn Store, server: &str) -> Result<Vec<Account>, Failure> {
    match store.load(&StoreKey::accounts(server))? {
        Some(record) => accounts(&record.content).map_err(|problem| unreadable(server, problem)),
        None => Ok(Vec::new()),
    }
}

fn stored(store: &dyn Store, server: &str, account: &Account) -> Result<Option<StoredGrant>, Failure> {
    let key = StoreKey::new(RecordKind::Grant, server, &account.name, Some(&account.issuer));
    match store.load(&key)? {
        Some(record) => {
            stored_grant(&record.content).map(Some).map_err(|problem| unreadable(server, problem))
        }
        None => Ok(None),
    }
}

fn unreadable(server: &str, problem: RecordProblem) -> Failure {
    format!(
        "the credentials for {server} cannot be read: the record is {problem}; run: grantor login {server}"
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_in_words() {
        assert_eq!(words(Some(90), true, true), "valid for 90 s, renewed by itself");
        assert_eq!(words(Some(3_600), true, false), "valid for 60 min, then log in again");
        assert_eq!(words(Some(10_800), true, true), "valid for 3 h, renewed by itself");
        assert_eq!(words(Some(1_000_000), true, true), "valid for 11 days, renewed by itself");
        assert_eq!(words(Some(0), true, true), "expired, renewed with the next call");
        assert_eq!(words(Some(0), true, false), "expired, log in again");
        assert_eq!(words(None, true, false), "valid until the server refuses it");
        assert_eq!(words(None, false, false), "worthless, log in again");
    }
}
