//! The blocking client, on threads.

use std::sync::Mutex;
use std::thread;

use grantor_driver::CallError;
use grantor_driver::grantor::client::ConfigError;
use grantor_ureq::AuthorizedAgent;
use http::{HeaderMap, Request};

use crate::{Adapter, Answered, Failed, Patience, other};

/// So many calls are under way at a time.
const THREADS: usize = 200;

pub(crate) struct Ureq(pub(crate) AuthorizedAgent);

impl Adapter for Ureq {
    fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed> {
        let mut request = Request::post(url).body(body.to_owned()).map_err(other)?;
        request.headers_mut().extend(headers.clone());
        let mut response = self.0.run(request)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.body_mut().read_to_string().map_err(other)?;
        Ok(Answered { status, headers, body })
    }

    fn callback(&self, url: &str) -> Result<(), Failed> {
        Ok(self.0.callback(url)?)
    }

    fn account(&self, name: &str) -> Result<Box<dyn Adapter>, ConfigError> {
        Ok(Box::new(Self(self.0.account(name)?)))
    }

    fn burst(&self, url: &str, body: &str, calls: &[Patience]) -> Vec<Result<Option<u16>, Failed>> {
        let waiting = Mutex::new(calls.iter());
        thread::scope(|scope| {
            let work = || {
                let mut ended = Vec::new();
                loop {
                    let next = waiting.lock().expect("no panic").next();
                    let Some(patience) = next else { return ended };
                    ended.push(self.call(url, body, *patience));
                }
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        })
    }

    fn tasks(&self) -> Option<usize> {
        None
    }
}

impl Ureq {
    fn call(&self, url: &str, body: &str, patience: Patience) -> Result<Option<u16>, Failed> {
        let request = Request::post(url).body(body.to_owned()).map_err(other)?;
        let request = match patience {
            Patience::Until(time) => {
                self.0.agent().configure_request(request).timeout_global(Some(time)).build()
            }
            _ => request,
        };
        match self.0.run(request) {
            Ok(response) => Ok(Some(response.status().as_u16())),
            Err(CallError::Http(ureq::Error::Timeout(_))) if patience != Patience::Endless => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
