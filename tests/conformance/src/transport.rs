//! One request of the MCP client, through each adapter.

use std::error::Error;

use grantor_reqwest::AuthorizedClient;
use grantor_ureq::grantor::{AuthorizationPrompt, Summary};
use grantor_ureq::{Answer, AuthorizedAgent, Config, Setup, UserAgent};
use http::{HeaderMap, Request};

/// A response with its body.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Sends a POST, authorized.
pub(crate) trait Transport {
    fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Box<dyn Error>>;
}

/// The transport of this name.
pub(crate) fn open(adapter: &str, config: Config) -> Result<Box<dyn Transport>, Box<dyn Error>> {
    let setup = Setup::new(config).user_agent(Suite);
    Ok(match adapter {
        "reqwest" => {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            let client = AuthorizedClient::new(setup)?;
            Box::new(Tokio { runtime, client })
        }
        "ureq" => Box::new(Ureq(AuthorizedAgent::with_agent(setup, agent())?)),
        other => return Err(format!("unknown adapter {other}").into()),
    })
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent()
}

struct Tokio {
    runtime: tokio::runtime::Runtime,
    client: AuthorizedClient,
}

impl Transport for Tokio {
    fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Box<dyn Error>> {
        let request = self.client.http().post(url).headers(headers.clone()).body(body.to_owned());
        self.runtime.block_on(async {
            let response = self.client.send(request).await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok(Answered { status, headers, body: response.text().await? })
        })
    }
}

struct Ureq(AuthorizedAgent);

impl Transport for Ureq {
    fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Box<dyn Error>> {
        let mut request = Request::post(url).body(body)?;
        request.headers_mut().extend(headers.clone());
        let mut response = self.0.run(request)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answered { status, headers, body: response.body_mut().read_to_string()? })
    }
}

/// The suite's user: its authorization servers redirect at once, so a GET of the page is the answer.
struct Suite;

impl UserAgent for Suite {
    fn listen(&self, _: Option<&str>) -> Result<String, grantor_ureq::InteractionFailure> {
        Err(grantor_ureq::InteractionFailure::impossible("the redirect URI is fixed"))
    }

    fn approve(&self, _: &Summary) -> bool {
        true
    }

    fn authorize(
        &self,
        prompt: &AuthorizationPrompt,
        _: &grantor_ureq::Wait,
    ) -> Result<Answer, grantor_ureq::InteractionFailure> {
        let response = agent().get(prompt.url.as_str()).call();
        let response = response.map_err(grantor_ureq::InteractionFailure::impossible)?;
        match response.headers().get("location").and_then(|location| location.to_str().ok()) {
            Some(location) => Ok(Answer::Callback(location.to_owned())),
            None => Err(grantor_ureq::InteractionFailure::impossible("the page does not redirect")),
        }
    }
}
