//! Every adapter behind one trait, for tests that hold for all of them.

use std::error::Error;

use grantor_driver::grantor;
use grantor_driver::{CallError, Setup};
use grantor_reqwest::AuthorizedClient;
use grantor_ureq::AuthorizedAgent;
use http::{HeaderMap, Request};

/// The adapters' names.
pub const ADAPTERS: [&str; 2] = ["reqwest", "ureq"];

/// A response with its body.
#[derive(Debug)]
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// Why there is no response.
#[derive(Debug)]
pub enum Failed {
    /// Authorization failed.
    Authorization(grantor::Error),
    /// Anything else.
    Other(Box<dyn Error + Send + Sync>),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Authorization(error) => error.fmt(f),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl Error for Failed {}

impl<E: Error + Send + Sync + 'static> From<CallError<E>> for Failed {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Authorization(error) => Self::Authorization(error),
            other => Self::Other(other.into()),
        }
    }
}

/// An authorized client of some HTTP stack.
pub trait Adapter: Send + Sync {
    /// Sends a POST and reads the whole response.
    ///
    /// # Errors
    /// [`Failed`].
    fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed>;

    /// Takes in a callback that comes without its prompt.
    ///
    /// # Errors
    /// [`Failed`].
    fn callback(&self, url: &str) -> Result<(), Failed>;
}

/// The adapter of this name with this setup.
///
/// # Errors
/// When there is none of that name, or the setup is refused.
pub fn open(name: &str, setup: Setup) -> Result<Box<dyn Adapter>, Box<dyn Error>> {
    Ok(match name {
        "reqwest" => {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            Box::new(Reqwest { runtime, client: AuthorizedClient::new(setup)? })
        }
        "ureq" => {
            let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
            Box::new(Ureq(AuthorizedAgent::with_agent(setup, agent)?))
        }
        other => return Err(format!("unknown adapter {other}").into()),
    })
}

struct Reqwest {
    runtime: tokio::runtime::Runtime,
    client: AuthorizedClient,
}

impl Adapter for Reqwest {
    fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed> {
        let request = self.client.http().post(url).headers(headers.clone()).body(body.to_owned());
        self.runtime.block_on(async {
            let response = self.client.send(request).await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = response.text().await.map_err(|error| Failed::Other(error.into()))?;
            Ok(Answered { status, headers, body })
        })
    }

    fn callback(&self, url: &str) -> Result<(), Failed> {
        Ok(self.runtime.block_on(self.client.callback(url))?)
    }
}

struct Ureq(AuthorizedAgent);

impl Adapter for Ureq {
    fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed> {
        let request = Request::post(url).body(body.to_owned());
        let mut request = request.map_err(|error| Failed::Other(error.into()))?;
        request.headers_mut().extend(headers.clone());
        let mut response = self.0.run(request)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.body_mut().read_to_string().map_err(|error| Failed::Other(error.into()))?;
        Ok(Answered { status, headers, body })
    }

    fn callback(&self, url: &str) -> Result<(), Failed> {
        Ok(self.0.callback(url)?)
    }
}

/// The README's programs are compiled with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
