//! The doctor's log-in: a client with a store of its own goes through consent, token, refresh and step-up.

use std::convert::Infallible;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grantor_ureq::driver::{CallError, Wait};
use grantor_ureq::grantor::client::{Credentials, RequestHead, ResponseHead};
use grantor_ureq::grantor::diagnosis::{Check, LogInExamination, LogInStep};
use grantor_ureq::grantor::wire::HttpResponse;
use grantor_ureq::grantor::{AuthorizationPrompt, DevicePrompt, Summary};
use grantor_ureq::{Answer, AuthorizedAgent, Browser, Event, InteractionFailure, MemoryStore, UserAgent};
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request};

use crate::Failure;
use crate::arguments::Options;
use crate::client::{self, PlainHttp};

/// The largest answer of the server that is read.
const ANSWER: u64 = 256 * 1024;

/// Takes the steps of an examination; what was found.
pub(super) fn examine(
    options: &Options,
    server: &str,
    examination: LogInExamination,
) -> Result<Vec<Check>, Failure> {
    let config = client::config(options, server, PlainHttp::Allowed)?;
    let seen = Arc::new(Mutex::new(examination));
    let (watching, asking) = (Arc::clone(&seen), Arc::new(AtomicBool::new(true)));
    let watch = move |event: &Event<'_>| {
        if let Event::Exchanged { request, answer: Ok(answer), .. } = event {
            let response =
                HttpResponse { status: answer.status, headers: &answer.headers, body: &answer.body };
            lock(&watching).exchanged(request.exchange, &request.url, &response);
        }
    };
    let user = Sometimes { browser: Browser::default(), asking: Arc::clone(&asking) };
    // What is stored already stays as it is.
    let agent = client::watched(options, Arc::new(MemoryStore::default()), config, user, watch)?;
    loop {
        let Some(step) = lock(&seen).next_step().cloned() else { break };
        asking.store(step != LogInStep::Refresh, Ordering::Relaxed);
        let took = take(&agent, &step, &seen);
        let mut seen = lock(&seen);
        match &took {
            Ok(Some(answer)) => {
                let Answered { status, headers, body } = answer;
                seen.done(Ok(Some(HttpResponse { status: *status, headers, body })));
            }
            Ok(None) => seen.done(Ok(None)),
            Err(words) => seen.done(Err(words)),
        }
    }
    let checks = lock(&seen).checks().to_vec();
    Ok(checks)
}

fn lock(examination: &Mutex<LogInExamination>) -> MutexGuard<'_, LogInExamination> {
    examination.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Takes a step; the server's answer where it is a request, or why it came to nothing.
fn take(
    agent: &AuthorizedAgent,
    step: &LogInStep,
    seen: &Mutex<LogInExamination>,
) -> Result<Option<Answered>, String> {
    let session = agent.session();
    let request = lock(seen).request();
    let head = RequestHead::new("POST", request.url.as_str());
    match step {
        LogInStep::LogIn => session.log_in().map(|()| None).map_err(words),
        LogInStep::StepUp(challenges) => session.step_up(head, challenges).map(|()| None).map_err(words),
        LogInStep::LogOut => session.log_out().map(|()| None).map_err(words),
        LogInStep::Ask => {
            let mut answer = Err("there is no token".to_owned());
            let send = |credentials: Credentials| {
                let mut asked =
                    Request::post(request.url.as_str()).body(request.body.expose().as_bytes()).ok()?;
                *asked.headers_mut() = request.headers.clone();
                credentials.apply(asked.headers_mut());
                answer = ask(agent, asked);
                Some(Ok::<_, Infallible>(HeaderMap::new()))
            };
            let call = session.call(head).map_err(|error| error.to_string())?;
            // Whatever the server says is the doctor's to judge; the engine is content.
            call.run(send, |headers| ResponseHead { status: 200, headers }).map_err(words)?;
            answer.map(Some)
        }
        LogInStep::Refresh => {
            // A token that a server calls invalid is renewed. Nothing is sent, and the second one is not refused.
            let mut challenge = Some(HeaderValue::from_static("Bearer error=\"invalid_token\""));
            let send = |_| {
                let refused = challenge.take().map(|challenge| (WWW_AUTHENTICATE, challenge));
                Some(Ok::<HeaderMap, Infallible>(refused.into_iter().collect()))
            };
            let call = session.call(head).map_err(|error| error.to_string())?;
            call.run(send, refused_once).map(|_| None).map_err(words)
        }
        _ => Ok(None),
    }
}

fn refused_once(headers: &HeaderMap) -> ResponseHead<'_> {
    ResponseHead { status: if headers.is_empty() { 200 } else { 401 }, headers }
}

fn ask(agent: &AuthorizedAgent, request: Request<&[u8]>) -> Result<Answered, String> {
    let response = agent.agent().run(request).map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let mut answer = Answered { status: head.status.as_u16(), headers: head.headers, body: Vec::new() };
    // An answer that is a stream need not end; its head is what is looked at.
    let is_stream = answer
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_stream {
        let _ = body.into_reader().take(ANSWER).read_to_end(&mut answer.body);
    }
    Ok(answer)
}

fn words(error: CallError<Infallible>) -> String {
    match error {
        CallError::Authorization(report) => report.without_hint().to_string(),
        other => other.to_string(),
    }
}

/// A user who is there for some steps.
struct Sometimes {
    browser: Browser,
    asking: Arc<AtomicBool>,
}

impl UserAgent for Sometimes {
    fn listen(&self, preferred: Option<&str>) -> Result<String, InteractionFailure> {
        match self.asking.load(Ordering::Relaxed) {
            true => self.browser.listen(preferred),
            false => Err(InteractionFailure::impossible("the user would have been asked")),
        }
    }

    fn approve(&self, summary: &Summary) -> bool {
        self.browser.approve(summary)
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        self.browser.authorize(prompt, wait)
    }

    fn show_code(&self, prompt: &DevicePrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        self.browser.show_code(prompt, wait)
    }
}
