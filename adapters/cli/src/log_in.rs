//! Logging in and out.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use grantor_ureq::Browser;
use grantor_ureq::grantor::ScopeSet;
use grantor_ureq::grantor::client::{Flow, StoredGrant};

use crate::arguments::Options;
use crate::client::{self, PlainHttp};
use crate::status;
use crate::terminal::clean;
use crate::token::NobodyThere;
use crate::{Failure, servers};

/// How the user is reached, and what is asked for.
pub(crate) struct How {
    pub(crate) device: bool,
    pub(crate) no_browser: bool,
    pub(crate) port: u16,
    pub(crate) scope: Vec<String>,
}

pub(crate) fn log_in(options: &Options, server: &str, how: &How) -> Result<ExitCode, Failure> {
    let store = client::store(options)?;
    let mut config = client::config(options, server, PlainHttp::Refused)?;
    if how.device {
        config = config.flow(Flow::Device);
    }
    if !how.scope.is_empty() {
        config = config.scopes(ScopeSet::parse(&how.scope.join(" "))?);
    }
    let resource = config.resource().to_string();
    let browser = if how.no_browser { Browser::pasted() } else { Browser::default() };
    let agent = client::agent(options, store.clone(), config, browser.port(how.port))?;
    agent.session().log_in().map_err(|error| client::words(server, error))?;
    servers::add(&*store, &resource)?;
    let grant = status::grant(&*store, &resource, &options.account)?;
    let words = match (agent.session().account_label(), grant) {
        (Some(label), Some(grant)) => format!("{label}, {}", said(&grant)),
        (None, Some(grant)) => said(&grant),
        (_, None) => "the server asked for no token".to_owned(),
    };
    eprintln!("Logged in to {}: {}", clean(&resource), clean(&words));
    Ok(ExitCode::SUCCESS)
}

fn said(grant: &StoredGrant) -> String {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let scopes = grant.scopes.to_string();
    let scopes = if scopes.is_empty() { "no scopes" } else { &scopes };
    format!("{scopes}, {}", status::validity(grant, now_s))
}

pub(crate) fn log_out(options: &Options, server: &str, forget: bool) -> Result<ExitCode, Failure> {
    let store = client::store(options)?;
    let config = client::config(options, server, PlainHttp::Refused)?;
    let resource = config.resource().to_string();
    let agent = client::agent(options, store.clone(), config, NobodyThere)?;
    let session = agent.session();
    // What could not be told to the authorization server is forgotten here all the same.
    let done = if forget { session.forget() } else { session.log_out() };
    if session.accounts()?.is_empty() {
        servers::remove(&*store, &resource)?;
    }
    done.map_err(|error| format!("the tokens are forgotten here, but: {}", client::words(server, error)))?;
    eprintln!("Logged out of {}", clean(&resource));
    Ok(ExitCode::SUCCESS)
}
