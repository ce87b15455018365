//! Clients whose HTTP stacks add headers of the caller's to everything, each in its own way.

use std::error::Error;

use grantor_driver::Setup;
use grantor_driver::grantor::client::ConfigError;
use grantor_driver::nonblocking::{Host, Session};
use http::{HeaderMap, HeaderName, HeaderValue};
use isahc::HttpClient;

use crate::asynchronous::{Async, Client, Smol, Tokio};
use crate::blocking::Ureq;
use crate::{Adapter, Answered, Failed, open};

/// The adapter of this name with this setup, on a stack that adds these headers.
///
/// # Errors
/// As of [`open`].
pub fn open_adding(
    name: &str,
    setup: Setup,
    added: &[(&'static str, &'static str)],
) -> Result<Box<dyn Adapter>, Box<dyn Error>> {
    let headers: HeaderMap = added
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    Ok(match name {
        "hyper" => {
            let client = Adding(grantor_hyper::AuthorizedClient::new(setup)?, headers);
            Box::new(Async(client, Tokio::start()?))
        }
        "reqwest" => {
            let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
            let http = builder.default_headers(headers).build()?;
            Box::new(Async(grantor_reqwest::AuthorizedClient::with_client(setup, http)?, Tokio::start()?))
        }
        "smol" => {
            let settings = move || HttpClient::builder().default_headers(&headers);
            Box::new(Async(grantor_smol::AuthorizedClient::with_builder(setup, settings)?, Smol))
        }
        "ureq" => {
            let add = move |mut request: http::Request<ureq::SendBody<'_>>,
                            next: ureq::middleware::MiddlewareNext<'_>| {
                request.headers_mut().extend(headers.clone());
                next.handle(request)
            };
            let config = ureq::Agent::config_builder().http_status_as_error(false).middleware(add);
            let agent = config.build().new_agent();
            Box::new(Ureq(grantor_ureq::AuthorizedAgent::with_agent(setup, agent)?))
        }
        other => return open(other, setup),
    })
}

/// hyper's client adds nothing, a layer around the service does.
#[derive(Clone)]
struct Adding(grantor_hyper::AuthorizedClient<grantor_hyper::Https>, HeaderMap);

impl Client for Adding {
    async fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed> {
        let mut headers = headers.clone();
        headers.extend(self.1.clone());
        Client::post(&self.0, url, &headers, body).await
    }

    fn session(&self) -> &Session<impl Host> {
        self.0.session()
    }

    fn account(&self, name: &str) -> Result<Self, ConfigError> {
        Ok(Self(self.0.account(name)?, self.1.clone()))
    }
}
