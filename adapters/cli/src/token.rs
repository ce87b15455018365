//! A token for other programs.

use std::convert::Infallible;
use std::process::ExitCode;

use grantor_ureq::driver::Wait;
use grantor_ureq::grantor::client::{Credentials, RequestHead, ResponseHead};
use grantor_ureq::grantor::{AuthorizationPrompt, Summary};
use grantor_ureq::{Answer, InteractionFailure, UserAgent};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::Failure;
use crate::arguments::Options;
use crate::client::{self, PlainHttp};
use crate::terminal::print;

/// For commands that other programs run: nobody is there to be asked.
pub(crate) struct NobodyThere;

impl UserAgent for NobodyThere {
    fn listen(&self, _: Option<&str>) -> Result<String, InteractionFailure> {
        Err(InteractionFailure::impossible("nobody is asked by this command; run `grantor login` first"))
    }

    fn approve(&self, _: &Summary) -> bool {
        false
    }

    fn authorize(&self, _: &AuthorizationPrompt, _: &Wait) -> Result<Answer, InteractionFailure> {
        Ok(Answer::Declined)
    }
}

pub(crate) fn show(options: &Options, server: &str, header: bool) -> Result<ExitCode, Failure> {
    let store = client::store(options)?;
    let config = client::config(options, server, PlainHttp::Refused)?;
    let resource = config.resource().to_string();
    let agent = client::agent(options, store, config, NobodyThere)?;
    let call = agent.session().call(RequestHead::new("POST", &resource))?;
    let mut headers = HeaderMap::new();
    // Nothing is sent: the credentials are all that is wanted.
    let take = |credentials: Credentials| {
        credentials.apply(&mut headers);
        Some(Ok::<_, Infallible>(HeaderMap::new()))
    };
    call.run(take, |headers| ResponseHead { status: 200, headers })
        .map_err(|error| client::words(server, error))?;
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, token)) = value.and_then(|value| value.split_once(' ')) else {
        return Err(format!("not logged in to {resource}; run: grantor login {resource}").into());
    };
    match header {
        true => print(&format!("Authorization: {scheme} {token}"))?,
        false => print(token)?,
    }
    Ok(ExitCode::SUCCESS)
}
