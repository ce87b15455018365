//! The suite's user.

use grantor::{AuthorizationPrompt, Summary};
use grantor_driver::{Answer, InteractionFailure, UserAgent, Wait};

/// The suite's authorization servers redirect at once, so a GET of the page is the answer.
pub(crate) struct Suite;

impl UserAgent for Suite {
    fn listen(&self, _: Option<&str>) -> Result<String, InteractionFailure> {
        Err(InteractionFailure::impossible("the redirect URI is fixed"))
    }

    fn approve(&self, _: &Summary) -> bool {
        true
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, _: &Wait) -> Result<Answer, InteractionFailure> {
        let browser =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent();
        let response = browser.get(prompt.url.as_str()).call().map_err(InteractionFailure::impossible)?;
        match response.headers().get("location").and_then(|location| location.to_str().ok()) {
            Some(location) => Ok(Answer::Callback(location.to_owned())),
            None => Err(InteractionFailure::impossible("the page does not redirect")),
        }
    }
}
