//! The async clients, each on its runtime.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::{AsyncReadExt as _, future};
use grantor_driver::grantor::client::{ConfigError, RequestHead};
use grantor_driver::grantor::wire::challenge::Challenges;
use grantor_driver::nonblocking::{Host, Session};
use grantor_hyper::Https;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;

use crate::{Adapter, Answered, Failed, Patience, other};

/// A client on a runtime.
pub(crate) struct Async<C, R>(pub(crate) C, pub(crate) R);

pub(crate) trait Client: Clone + Send + Sync + 'static {
    fn post(
        &self,
        url: &str,
        headers: &HeaderMap,
        body: &str,
    ) -> impl Future<Output = Result<Answered, Failed>> + Send;

    fn session(&self) -> &Session<impl Host>;

    fn account(&self, name: &str) -> Result<Self, ConfigError>;
}

pub(crate) trait Runtime: Clone + Send + Sync + 'static {
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    fn spawn<F: Future<Output: Send> + Send + 'static>(
        &self,
        future: F,
    ) -> impl Future<Output = F::Output> + Send + 'static;

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;

    fn tasks(&self) -> Option<usize>;
}

impl<C: Client, R: Runtime> Adapter for Async<C, R> {
    fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed> {
        self.1.block_on(self.0.post(url, headers, body))
    }

    fn callback(&self, url: &str) -> Result<(), Failed> {
        Ok(self.1.block_on(self.0.session().callback(url))?)
    }

    fn log_in(&self) -> Result<(), Failed> {
        Ok(self.1.block_on(self.0.session().log_in())?)
    }

    fn log_out(&self) -> Result<(), Failed> {
        Ok(self.1.block_on(self.0.session().log_out())?)
    }

    fn step_up(&self, request: RequestHead<'_>, challenges: &Challenges) -> Result<(), Failed> {
        Ok(self.1.block_on(self.0.session().step_up(request, challenges))?)
    }

    fn account_label(&self) -> Option<String> {
        self.0.session().account_label()
    }

    fn account(&self, name: &str) -> Result<Box<dyn Adapter>, ConfigError> {
        Ok(Box::new(Self(self.0.account(name)?, self.1.clone())))
    }

    fn burst(&self, url: &str, body: &str, calls: &[Patience]) -> Vec<Result<Option<u16>, Failed>> {
        let begin = |patience: &Patience| {
            let (client, patience) = (self.0.clone(), *patience);
            let (url, body) = (url.to_owned(), body.to_owned());
            self.1.spawn(async move {
                let headers = HeaderMap::new();
                let call = async { client.post(&url, &headers, &body).await.map(|it| Some(it.status)) };
                match patience {
                    Patience::Endless => call.await,
                    Patience::Polls(polls) => until_polled(call, polls).await,
                    Patience::Until(time) => {
                        let late = async {
                            R::sleep(time).await;
                            Ok(None)
                        };
                        future::or(call, late).await
                    }
                }
            })
        };
        self.1.block_on(async {
            // All run, whoever is waited for first.
            let running: Vec<_> = calls.iter().map(begin).collect();
            let mut ended = Vec::with_capacity(running.len());
            for call in running {
                ended.push(call.await);
            }
            ended
        })
    }

    fn tasks(&self) -> Option<usize> {
        self.1.tasks()
    }
}

/// Polls a call as often as this, then drops it.
async fn until_polled<T>(
    call: impl Future<Output = Result<Option<T>, Failed>>,
    mut polls: u32,
) -> Result<Option<T>, Failed> {
    let mut call = pin!(call);
    future::poll_fn(move |cx| {
        if polls == 0 {
            return Poll::Ready(Ok(None));
        }
        polls -= 1;
        match call.as_mut().poll(cx) {
            Poll::Pending if polls == 0 => Poll::Ready(Ok(None)),
            polled => polled,
        }
    })
    .await
}

#[derive(Clone)]
pub(crate) struct Tokio(Arc<tokio::runtime::Runtime>);

impl Tokio {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Self(Arc::new(runtime)))
    }
}

impl Runtime for Tokio {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn<F: Future<Output: Send> + Send + 'static>(
        &self,
        future: F,
    ) -> impl Future<Output = F::Output> + Send + 'static {
        let task = self.0.spawn(future);
        async { task.await.expect("a task that does not panic") }
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn tasks(&self) -> Option<usize> {
        Some(self.0.metrics().num_alive_tasks())
    }
}

#[derive(Clone)]
pub(crate) struct Smol;

impl Runtime for Smol {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        smol::block_on(future)
    }

    fn spawn<F: Future<Output: Send> + Send + 'static>(
        &self,
        future: F,
    ) -> impl Future<Output = F::Output> + Send + 'static {
        smol::spawn(future)
    }

    async fn sleep(duration: Duration) {
        smol::Timer::after(duration).await;
    }

    fn tasks(&self) -> Option<usize> {
        None
    }
}

fn request(url: &str, headers: &HeaderMap, body: &str) -> Result<Request<String>, Failed> {
    let mut request = Request::post(url).body(body.to_owned()).map_err(other)?;
    request.headers_mut().extend(headers.clone());
    Ok(request)
}

fn answered(head: http::response::Parts, body: Vec<u8>) -> Result<Answered, Failed> {
    let body = String::from_utf8(body).map_err(other)?;
    Ok(Answered { status: head.status.as_u16(), headers: head.headers, body })
}

impl Client for grantor_hyper::AuthorizedClient<Https> {
    async fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed> {
        let (head, body) = self.send(request(url, headers, body)?).await?.into_parts();
        answered(head, body.collect().await.map_err(other)?.to_bytes().into())
    }

    fn session(&self) -> &Session<impl Host> {
        self.session()
    }

    fn account(&self, name: &str) -> Result<Self, ConfigError> {
        self.account(name)
    }
}

impl Client for grantor_reqwest::AuthorizedClient {
    async fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed> {
        let request = self.http().post(url).headers(headers.clone()).body(body.to_owned());
        let response = self.send(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answered { status, headers, body: response.text().await.map_err(other)? })
    }

    fn session(&self) -> &Session<impl Host> {
        self.session()
    }

    fn account(&self, name: &str) -> Result<Self, ConfigError> {
        self.account(name)
    }
}

impl Client for grantor_smol::AuthorizedClient {
    async fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed> {
        let (head, mut body) = self.send(request(url, headers, body)?).await?.into_parts();
        let mut read = Vec::new();
        body.read_to_end(&mut read).await.map_err(other)?;
        answered(head, read)
    }

    fn session(&self) -> &Session<impl Host> {
        self.session()
    }

    fn account(&self, name: &str) -> Result<Self, ConfigError> {
        self.account(name)
    }
}
