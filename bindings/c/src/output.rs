//! Outputs: what a machine says, read by accessors.

use std::fmt;
use std::net::IpAddr;

use grantor::client::{self, Credentials, Verdict};
use grantor::error::ErrorReport;
use grantor::resource::{self, Answer, Decision, Grant};
use grantor::wire::challenge::Challenge;
use grantor::{Effect, Interaction, Summary};
use grantor_bindings::{Blame, Fault, notice_name, snake, variant};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::border::{self, Out, Refused, border, handle};
use crate::read;
use crate::result::grantor_result::{
    self, GRANTOR_RESULT_ADDRESS_REFUSED, GRANTOR_RESULT_NO_SUCH_FIELD, GRANTOR_RESULT_WRONG_KIND,
};
use crate::text::{grantor_bytes, grantor_str};
use grantor_field::*;

/// What an output is. The fields that it has stand in brackets, each a `GRANTOR_FIELD_`; those with a question mark may
/// be absent. Answer every effect once (those with `OP`), by `DEADLINE_MS` on the monotonic clock; `WHY` says in words
/// what it is for.
///
/// Later versions may add kinds. Answer one that you do not know and that has `OP` with
/// `grantor_complete_failed(.., GRANTOR_FAILURE_IMPOSSIBLE, ..)`, and pass over the others.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum grantor_output_kind {
    /// Not an output.
    GRANTOR_OUTPUT_NONE = 0,
    /// Client. Send the request of `[CALL]` with the output's headers, in place of any of these names, and without
    /// `Authorization` and `DPoP` if they are not among them; then report the response, or cancel.
    GRANTOR_OUTPUT_CALL_SEND = 1,
    /// Client. The response that was reported is the one for the caller; `[CALL]` is over.
    GRANTOR_OUTPUT_CALL_DELIVER = 2,
    /// Client. `[CALL]` is over and did what it should.
    GRANTOR_OUTPUT_CALL_DONE = 3,
    /// Client. `[CALL]` is over, for the reason that `[MESSAGE, BLAME, NAME, ERROR_CODE?, EXCHANGE?, URL?, STATUS?,
    /// WORDS?]` tell.
    GRANTOR_OUTPUT_CALL_FAIL = 4,
    /// Client. `grantor_machine_add_entropy` with at least `[LENGTH]` random bytes.
    GRANTOR_OUTPUT_NEED_ENTROPY = 5,
    /// For logs: `[MESSAGE, NAME, WARNING]`.
    GRANTOR_OUTPUT_NOTICE = 6,
    /// The answer to the effect `[OP]` is not needed any more; stop performing it if that is possible.
    GRANTOR_OUTPUT_ABANDON = 7,
    /// Send a request: `[OP, DEADLINE_MS, WHY, EXCHANGE, METHOD, URL, BODY, MAX_BODY]` and the output's headers. Follow no
    /// redirect, add no cookies or credentials, connect only to addresses for which `grantor_output_check_address` says
    /// so, and read at most `MAX_BODY` bytes of the body. Answer: `grantor_complete_http` for any response.
    GRANTOR_OUTPUT_HTTP = 8,
    /// Load a record: `[OP, DEADLINE_MS, WHY, KEY, KEY_KIND]`. Answer: `grantor_complete_loaded` or
    /// `grantor_complete_not_stored`.
    GRANTOR_OUTPUT_LOAD = 9,
    /// Store a record if the stored one is of revision `EXPECT`, or there is none and `EXPECT` is absent: `[OP,
    /// DEADLINE_MS, WHY, KEY, KEY_KIND, RECORD, EXPECT?, EXPIRES_AT_S?]`. It must be durable before the answer:
    /// `grantor_complete_saved` or `grantor_complete_conflict`.
    GRANTOR_OUTPUT_SAVE = 10,
    /// Delete a record if it is of revision `EXPECT`: `[OP, DEADLINE_MS, WHY, KEY, KEY_KIND, EXPECT]`. Answer:
    /// `grantor_complete_deleted`, also when there is none, or `grantor_complete_conflict`.
    GRANTOR_OUTPUT_DELETE = 11,
    /// Ask the user whether to go on, before any browser opens: `[OP, DEADLINE_MS, WHY]` and the summary `[RESOURCE,
    /// ISSUER, ACCOUNT, SCOPES, NEW_SCOPES, REASON, CLIENT_NAME?, EARLIER_ISSUER?]`. Answer: `grantor_complete_approved` or
    /// `grantor_complete_declined`.
    GRANTOR_OUTPUT_APPROVE = 12,
    /// Prepare the place that the browser comes back to: `[OP, DEADLINE_MS, WHY, REDIRECT_URI?]`, the one of an earlier
    /// authorization if possible. Answer: `grantor_complete_listening`.
    GRANTOR_OUTPUT_LISTEN = 13,
    /// Open a page in the browser and wait for it to come back: `[OP, DEADLINE_MS, WHY, URL, REDIRECT_URI, RESUMED]` and
    /// the summary. Answer: `grantor_complete_callback` with what `grantor_output_is_answered_by` says so of, or
    /// `grantor_complete_declined`.
    GRANTOR_OUTPUT_AUTHORIZE = 14,
    /// Show a code to be typed in on another device: `[OP, DEADLINE_MS, WHY, USER_CODE, VERIFICATION_URI,
    /// VERIFICATION_URI_COMPLETE?, EXPIRES_IN_S]` and the summary. It needs no answer, and is abandoned at the end;
    /// `grantor_complete_declined` when the user gave up.
    GRANTOR_OUTPUT_SHOW_CODE = 15,
    /// Provide an assertion: `[OP, DEADLINE_MS, WHY, ASSERTION_KIND, AUDIENCE, RESOURCE, SCOPES]`. Answer:
    /// `grantor_complete_assertion`.
    GRANTOR_OUTPUT_ASSERT = 16,
    /// Sign `INPUT`, all of it, with a key that the program keeps: `[OP, DEADLINE_MS, WHY, KEY_REFERENCE, ALGORITHM,
    /// INPUT]`. Answer: `grantor_complete_signed`.
    GRANTOR_OUTPUT_SIGN = 17,
    /// Guard. Find out what a token is: `[OP, DEADLINE_MS, WHY, TOKEN]`. Answer: `grantor_complete_token_checked` or
    /// `grantor_complete_token_not_valid`.
    GRANTOR_OUTPUT_CHECK_TOKEN = 18,
    /// An effect that this version of the binding does not know: `[OP, DEADLINE_MS, WHY]`. Answer:
    /// `grantor_complete_failed`.
    GRANTOR_OUTPUT_UNKNOWN_EFFECT = 19,
    /// Guard. What the check `[CHECK]` waited for is there, or will not come: check the request again.
    GRANTOR_OUTPUT_READY = 20,
    /// A decision: let the request through. `[ISSUER?, SUBJECT?, CLIENT_ID?, SCOPES?, EXPIRES_AT_S?, AUTH_TIME_S?, ACR?]` are
    /// what its token grants; `ISSUER` is absent where no token is needed and none was sent.
    GRANTOR_OUTPUT_ALLOW = 21,
    /// A decision: answer `[STATUS, BODY, REFUSAL?, MESSAGE?]` with the output's headers instead.
    GRANTOR_OUTPUT_ANSWER = 22,
    /// A decision: check again with the whole body, which may have `[MAX_BODY]` bytes.
    GRANTOR_OUTPUT_NEED_BODY = 23,
    /// A decision: check again when `GRANTOR_OUTPUT_READY` names this `[CHECK]`.
    GRANTOR_OUTPUT_WAIT = 24,
    /// Why a call of a function failed: `[MESSAGE, NAME]`.
    GRANTOR_OUTPUT_ERROR = 25,
    /// A challenge: `[SCHEME, TOKEN68?]`, and its parameters as the output's headers, in order.
    GRANTOR_OUTPUT_CHALLENGE = 26,
    /// Headers to add to the response of a request that was let through.
    GRANTOR_OUTPUT_HEADERS = 27,
}

use grantor_output_kind::*;

/// What an output has. Which have which stands at the kinds.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum grantor_field {
    /// Number: the call, as `grantor_client_authorize` wrote it.
    GRANTOR_FIELD_CALL = 1,
    /// Number: the effect, for its answer.
    GRANTOR_FIELD_OP = 2,
    /// Number: when to give up, on the monotonic clock.
    GRANTOR_FIELD_DEADLINE_MS = 3,
    /// Text: why, in words for a log.
    GRANTOR_FIELD_WHY = 4,
    /// Text: in words, for a person; never with a secret.
    GRANTOR_FIELD_MESSAGE = 5,
    /// Text: what kind of notice or error it is: `token_issued`, `no_registration`.
    GRANTOR_FIELD_NAME = 6,
    /// Number: a `grantor_blame`.
    GRANTOR_FIELD_BLAME = 7,
    /// Text: the code of RFC 6749 that a server refused with: `access_denied`.
    GRANTOR_FIELD_ERROR_CODE = 8,
    /// Text: what a request is about: `token`.
    GRANTOR_FIELD_EXCHANGE = 9,
    /// Text: of a request or page; of an error without its query.
    GRANTOR_FIELD_URL = 10,
    /// Number: an HTTP status.
    GRANTOR_FIELD_STATUS = 11,
    /// Text: what the server itself said.
    GRANTOR_FIELD_WORDS = 12,
    /// Number: how many bytes.
    GRANTOR_FIELD_LENGTH = 13,
    /// Number: 1 if a log should warn, or the user should know; else 0.
    GRANTOR_FIELD_WARNING = 14,
    /// Text: the HTTP method.
    GRANTOR_FIELD_METHOD = 15,
    /// Bytes: a body. It may hold secrets.
    GRANTOR_FIELD_BODY = 16,
    /// Number: the most bytes of a body.
    GRANTOR_FIELD_MAX_BODY = 17,
    /// Text: the name of a record, different for different records; several lines.
    GRANTOR_FIELD_KEY = 18,
    /// Text: what a record holds: `grant`.
    GRANTOR_FIELD_KEY_KIND = 19,
    /// Bytes: a record, UTF-8. It holds secrets.
    GRANTOR_FIELD_RECORD = 20,
    /// Bytes: the 16 of a `grantor_revision`.
    GRANTOR_FIELD_EXPECT = 21,
    /// Number: seconds since 1970.
    GRANTOR_FIELD_EXPIRES_AT_S = 22,
    /// Text: the resource, as it names itself.
    GRANTOR_FIELD_RESOURCE = 23,
    /// Text: the authorization server.
    GRANTOR_FIELD_ISSUER = 24,
    /// Text: the program's name for the account.
    GRANTOR_FIELD_ACCOUNT = 25,
    /// Text: scopes, separated by blanks.
    GRANTOR_FIELD_SCOPES = 26,
    /// Text: those of them that were not asked for before.
    GRANTOR_FIELD_NEW_SCOPES = 27,
    /// Text: why the user is asked: `unauthorized`, `step_up` or `issuer_changed`.
    GRANTOR_FIELD_REASON = 28,
    /// Text: the application, by the name that it registers with.
    GRANTOR_FIELD_CLIENT_NAME = 29,
    /// Text: the authorization server that was trusted so far.
    GRANTOR_FIELD_EARLIER_ISSUER = 30,
    /// Text: where the browser comes back to.
    GRANTOR_FIELD_REDIRECT_URI = 31,
    /// Number: 1 if the page was opened before the program was restarted; else 0.
    GRANTOR_FIELD_RESUMED = 32,
    /// Text: the code to type in.
    GRANTOR_FIELD_USER_CODE = 33,
    /// Text: the page to type it in.
    GRANTOR_FIELD_VERIFICATION_URI = 34,
    /// Text: the same page with the code in it.
    GRANTOR_FIELD_VERIFICATION_URI_COMPLETE = 35,
    /// Number: for how many seconds it is good.
    GRANTOR_FIELD_EXPIRES_IN_S = 36,
    /// Text: whose assertion: `user` or `workload`.
    GRANTOR_FIELD_ASSERTION_KIND = 37,
    /// Text: whom the assertion has to name as its audience.
    GRANTOR_FIELD_AUDIENCE = 38,
    /// Text: the program's name for a key.
    GRANTOR_FIELD_KEY_REFERENCE = 39,
    /// Text: of RFC 7518: `ES256`.
    GRANTOR_FIELD_ALGORITHM = 40,
    /// Bytes: what to sign.
    GRANTOR_FIELD_INPUT = 41,
    /// Text: an access token, as a client sent it.
    GRANTOR_FIELD_TOKEN = 42,
    /// Number: the check that waits.
    GRANTOR_FIELD_CHECK = 43,
    /// Text: the user, or the client itself.
    GRANTOR_FIELD_SUBJECT = 44,
    /// Text: the client.
    GRANTOR_FIELD_CLIENT_ID = 45,
    /// Number: when the user authenticated, in seconds since 1970.
    GRANTOR_FIELD_AUTH_TIME_S = 46,
    /// Text: how the user authenticated.
    GRANTOR_FIELD_ACR = 47,
    /// Text: why a request is turned away: `no_token`.
    GRANTOR_FIELD_REFUSAL = 48,
    /// Text: the scheme of a challenge: `Bearer`.
    GRANTOR_FIELD_SCHEME = 49,
    /// Text: what stands in a challenge in place of parameters.
    GRANTOR_FIELD_TOKEN68 = 50,
}

/// Who has to do something about an error.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum grantor_blame {
    /// Nobody that this version knows.
    GRANTOR_BLAME_OTHER = 0,
    /// Whoever configures: a setting is missing, or does not fit this server.
    GRANTOR_BLAME_CONFIGURATION = 1,
    /// The program: an effect could not be performed.
    GRANTOR_BLAME_HOST = 2,
    /// A server lacks what is needed.
    GRANTOR_BLAME_PEER_INCOMPATIBLE = 3,
    /// A server broke a rule that protects somebody.
    GRANTOR_BLAME_PEER_MISBEHAVED = 4,
    /// A server said no.
    GRANTOR_BLAME_PEER_REFUSED = 5,
    /// The user said no, or did not say anything in time.
    GRANTOR_BLAME_USER = 6,
}

/// What a machine says. It does not change: any number of threads may read it. What accessors hand out is borrowed from
/// it until it is freed.
pub struct grantor_output {
    pub(crate) kind: grantor_output_kind,
    pub(crate) texts: Vec<(grantor_field, String)>,
    pub(crate) numbers: Vec<(grantor_field, u64)>,
    pub(crate) lines: Lines,
    /// The effect, if it asks for one; secrets are read from it in place.
    pub(crate) effect: Option<Effect>,
    body: Vec<u8>,
}

/// Header lines, or parameters.
pub(crate) enum Lines {
    Credentials(Credentials),
    Map(HeaderMap),
    None,
    Pairs(Vec<(String, String)>),
}

impl fmt::Debug for grantor_output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("grantor_output").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl grantor_output {
    fn new(kind: grantor_output_kind) -> Self {
        Self {
            kind,
            texts: Vec::new(),
            numbers: Vec::new(),
            lines: Lines::None,
            effect: None,
            body: Vec::new(),
        }
    }

    fn text(mut self, field: grantor_field, text: impl fmt::Display) -> Self {
        self.texts.push((field, text.to_string()));
        self
    }

    fn some_text(self, field: grantor_field, text: Option<impl fmt::Display>) -> Self {
        match text {
            Some(text) => self.text(field, text),
            None => self,
        }
    }

    fn number(mut self, field: grantor_field, number: u64) -> Self {
        self.numbers.push((field, number));
        self
    }

    fn some_number(self, field: grantor_field, number: Option<u64>) -> Self {
        match number {
            Some(number) => self.number(field, number),
            None => self,
        }
    }

    fn headers(self, headers: HeaderMap) -> Self {
        Self { lines: Lines::Map(headers), ..self }
    }

    /// What a client says; `None` for what this binding does not know and nobody has to react to.
    pub(crate) fn of_client(output: client::Output) -> Option<Self> {
        Some(match output {
            client::Output::Abandon { op } => {
                Self::new(GRANTOR_OUTPUT_ABANDON).number(GRANTOR_FIELD_OP, op.to_u64())
            }
            client::Output::Call { call, verdict } => {
                Self::verdict(verdict)?.number(GRANTOR_FIELD_CALL, call.to_u64())
            }
            client::Output::NeedEntropy { len } => {
                Self::new(GRANTOR_OUTPUT_NEED_ENTROPY).number(GRANTOR_FIELD_LENGTH, len as u64)
            }
            client::Output::Notice(notice) => {
                let warning = notice.is_warning() || notice.is_for_user();
                Self::notice(&notice, notice_name(&notice), warning)
            }
            client::Output::Perform { op, deadline_ms, effect, why } => {
                Self::perform(op.to_u64(), deadline_ms, effect, why)
            }
            _ => return None,
        })
    }

    /// The same of a guard.
    pub(crate) fn of_guard(output: resource::Output) -> Option<Self> {
        Some(match output {
            resource::Output::Notice(notice) => {
                Self::notice(&notice, snake(&variant(&notice)), notice.is_warning())
            }
            resource::Output::Perform { op, deadline_ms, effect, why } => {
                Self::perform(op.to_u64(), deadline_ms, effect, why)
            }
            resource::Output::Ready { check } => {
                Self::new(GRANTOR_OUTPUT_READY).number(GRANTOR_FIELD_CHECK, check.to_u64())
            }
            _ => return None,
        })
    }

    fn notice(notice: &impl fmt::Display, name: String, warning: bool) -> Self {
        Self::new(GRANTOR_OUTPUT_NOTICE)
            .text(GRANTOR_FIELD_MESSAGE, notice)
            .text(GRANTOR_FIELD_NAME, name)
            .number(GRANTOR_FIELD_WARNING, warning.into())
    }

    fn verdict(verdict: Verdict) -> Option<Self> {
        Some(match verdict {
            Verdict::Deliver => Self::new(GRANTOR_OUTPUT_CALL_DELIVER),
            Verdict::Done => Self::new(GRANTOR_OUTPUT_CALL_DONE),
            Verdict::Fail(report) => Self::failed(&report),
            Verdict::Send(credentials) => {
                Self { lines: Lines::Credentials(credentials), ..Self::new(GRANTOR_OUTPUT_CALL_SEND) }
            }
            _ => Self::new(GRANTOR_OUTPUT_CALL_FAIL)
                .text(GRANTOR_FIELD_MESSAGE, "a verdict that this binding is too old for")
                .text(GRANTOR_FIELD_NAME, "other")
                .number(GRANTOR_FIELD_BLAME, grantor_blame::GRANTOR_BLAME_OTHER as u64),
        })
    }

    fn failed(report: &ErrorReport) -> Self {
        let fault = Fault::of(&report.error);
        let mut failed = Self::new(GRANTOR_OUTPUT_CALL_FAIL)
            .text(GRANTOR_FIELD_MESSAGE, report)
            .text(GRANTOR_FIELD_NAME, &fault.kind)
            .number(GRANTOR_FIELD_BLAME, blame(fault.blame) as u64)
            .some_text(GRANTOR_FIELD_ERROR_CODE, fault.code);
        if let Some(asked) = &report.asked {
            failed = failed
                .text(GRANTOR_FIELD_EXCHANGE, snake(&variant(&asked.exchange)))
                .text(GRANTOR_FIELD_URL, asked.url.as_str())
                .some_number(GRANTOR_FIELD_STATUS, asked.status.map(u64::from))
                .some_text(GRANTOR_FIELD_WORDS, asked.words.as_ref().map(|words| words.as_str()));
        }
        failed
    }

    fn perform(op: u64, deadline_ms: u64, effect: Effect, why: &'static str) -> Self {
        let output = match &effect {
            Effect::Assert(asked) => Self::new(GRANTOR_OUTPUT_ASSERT)
                .text(GRANTOR_FIELD_ASSERTION_KIND, snake(&variant(&asked.kind)))
                .text(GRANTOR_FIELD_SCOPES, &asked.scopes),
            Effect::CheckToken { .. } => Self::new(GRANTOR_OUTPUT_CHECK_TOKEN),
            Effect::Delete { key, .. } => Self::new(GRANTOR_OUTPUT_DELETE).text(GRANTOR_FIELD_KEY, key),
            Effect::Http { request, max_body } => Self::new(GRANTOR_OUTPUT_HTTP)
                .text(GRANTOR_FIELD_EXCHANGE, snake(&variant(&request.exchange)))
                .number(GRANTOR_FIELD_MAX_BODY, *max_body as u64),
            Effect::Interact(Interaction::Approve(summary)) => {
                Self::new(GRANTOR_OUTPUT_APPROVE).summary(summary)
            }
            Effect::Interact(Interaction::Authorize(prompt)) => Self::new(GRANTOR_OUTPUT_AUTHORIZE)
                .number(GRANTOR_FIELD_RESUMED, prompt.resumed.into())
                .summary(&prompt.summary),
            Effect::Interact(Interaction::Device(prompt)) => Self::new(GRANTOR_OUTPUT_SHOW_CODE)
                .number(GRANTOR_FIELD_EXPIRES_IN_S, prompt.expires_in_s)
                .summary(&prompt.summary),
            Effect::Interact(Interaction::Listen { .. }) => Self::new(GRANTOR_OUTPUT_LISTEN),
            Effect::Load { key } => Self::new(GRANTOR_OUTPUT_LOAD).text(GRANTOR_FIELD_KEY, key),
            Effect::Save { key, expires_at_s, .. } => Self::new(GRANTOR_OUTPUT_SAVE)
                .text(GRANTOR_FIELD_KEY, key)
                .some_number(GRANTOR_FIELD_EXPIRES_AT_S, *expires_at_s),
            Effect::Sign { algorithm, .. } => {
                Self::new(GRANTOR_OUTPUT_SIGN).text(GRANTOR_FIELD_ALGORITHM, algorithm)
            }
            _ => Self::new(GRANTOR_OUTPUT_UNKNOWN_EFFECT),
        };
        let output = output.text(GRANTOR_FIELD_WHY, why).number(GRANTOR_FIELD_OP, op);
        Self { effect: Some(effect), ..output.number(GRANTOR_FIELD_DEADLINE_MS, deadline_ms) }
    }

    fn summary(self, summary: &Summary) -> Self {
        let (reason, earlier) = match &summary.reason {
            grantor::Reason::IssuerChanged { from } => ("issuer_changed", Some(from.as_str())),
            grantor::Reason::StepUp => ("step_up", None),
            _ => ("unauthorized", None),
        };
        self.text(GRANTOR_FIELD_SCOPES, &summary.scopes)
            .text(GRANTOR_FIELD_NEW_SCOPES, &summary.new_scopes)
            .text(GRANTOR_FIELD_REASON, reason)
            .some_text(GRANTOR_FIELD_EARLIER_ISSUER, earlier)
    }

    /// What a guard decided.
    pub(crate) fn decided(decision: Decision) -> Self {
        match decision {
            Decision::Allow(grant) => {
                let allow = Self::new(GRANTOR_OUTPUT_ALLOW);
                grant.map_or_else(|| Self::new(GRANTOR_OUTPUT_ALLOW), |grant| allow.grant(&grant))
            }
            Decision::Answer(answer) => Self::answer(*answer),
            Decision::NeedBody { max } => {
                Self::new(GRANTOR_OUTPUT_NEED_BODY).number(GRANTOR_FIELD_MAX_BODY, max as u64)
            }
            Decision::Wait(check) => {
                Self::new(GRANTOR_OUTPUT_WAIT).number(GRANTOR_FIELD_CHECK, check.to_u64())
            }
            // A decision that this binding is too old for lets nobody through.
            _ => Self::new(GRANTOR_OUTPUT_ANSWER).number(GRANTOR_FIELD_STATUS, 503),
        }
    }

    fn grant(self, grant: &Grant) -> Self {
        self.text(GRANTOR_FIELD_ISSUER, &grant.issuer)
            .some_text(GRANTOR_FIELD_SUBJECT, grant.subject.as_deref())
            .some_text(GRANTOR_FIELD_CLIENT_ID, grant.client_id.as_deref())
            .text(GRANTOR_FIELD_SCOPES, &grant.scopes)
            .some_number(GRANTOR_FIELD_EXPIRES_AT_S, grant.expires_at_s)
            .some_number(GRANTOR_FIELD_AUTH_TIME_S, grant.auth_time_s)
            .some_text(GRANTOR_FIELD_ACR, grant.acr.as_deref())
    }

    /// An answer in place of the server's.
    pub(crate) fn answer(answer: Answer) -> Self {
        let output = Self::new(GRANTOR_OUTPUT_ANSWER)
            .number(GRANTOR_FIELD_STATUS, answer.status.into())
            .some_text(GRANTOR_FIELD_REFUSAL, answer.refusal.map(|refusal| snake(&variant(&refusal))))
            .some_text(GRANTOR_FIELD_MESSAGE, answer.refusal)
            .headers(answer.headers);
        Self { body: answer.body, ..output }
    }

    /// Headers to add to a response.
    pub(crate) fn added(headers: HeaderMap) -> Self {
        Self::new(GRANTOR_OUTPUT_HEADERS).headers(headers)
    }

    /// A challenge.
    pub(crate) fn challenge(challenge: &Challenge) -> Self {
        let pairs = challenge.params().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let output = Self::new(GRANTOR_OUTPUT_CHALLENGE)
            .text(GRANTOR_FIELD_SCHEME, challenge.scheme())
            .some_text(GRANTOR_FIELD_TOKEN68, challenge.token68());
        Self { lines: Lines::Pairs(pairs), ..output }
    }

    /// Why a function did not do it.
    pub(crate) fn refused(refused: &Refused) -> Self {
        let (_, name, message) = crate::result::RESULTS
            .iter()
            .find(|(result, ..)| *result == refused.result)
            .unwrap_or(&crate::result::RESULTS[0]);
        let told = refused.detail.as_deref().map_or_else(|| message.to_string_lossy(), Into::into);
        Self::new(GRANTOR_OUTPUT_ERROR)
            .text(GRANTOR_FIELD_MESSAGE, told)
            .text(GRANTOR_FIELD_NAME, name.to_string_lossy())
    }

    /// The body of an answer.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The effect that is asked for.
    pub(crate) fn op(&self) -> Result<u64, Refused> {
        read::number(self, GRANTOR_FIELD_OP as u32).ok_or(GRANTOR_RESULT_NO_SUCH_FIELD.into())
    }

    pub(crate) fn deadline_ms(&self) -> Result<u64, Refused> {
        read::number(self, GRANTOR_FIELD_DEADLINE_MS as u32).ok_or(GRANTOR_RESULT_NO_SUCH_FIELD.into())
    }
}

fn blame(blame: Blame) -> grantor_blame {
    match blame {
        Blame::Configuration => grantor_blame::GRANTOR_BLAME_CONFIGURATION,
        Blame::Host => grantor_blame::GRANTOR_BLAME_HOST,
        Blame::PeerIncompatible => grantor_blame::GRANTOR_BLAME_PEER_INCOMPATIBLE,
        Blame::PeerMisbehaved => grantor_blame::GRANTOR_BLAME_PEER_MISBEHAVED,
        Blame::PeerRefused => grantor_blame::GRANTOR_BLAME_PEER_REFUSED,
        Blame::User => grantor_blame::GRANTOR_BLAME_USER,
        _ => grantor_blame::GRANTOR_BLAME_OTHER,
    }
}

/// What an output is; `GRANTOR_OUTPUT_NONE` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_output_kind_of(output: *const grantor_output) -> grantor_output_kind {
    // SAFETY: a handle, as the header says.
    unsafe { handle(output) }.map_or(GRANTOR_OUTPUT_NONE, |output| output.kind)
}

/// Frees an output, and with it all that was borrowed from it. NULL is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_output_free(output: *mut grantor_output) {
    // SAFETY: it came from this library.
    unsafe { border::free(output) };
}

/// Reads a field that is a text. It is borrowed from the output. `GRANTOR_RESULT_NO_SUCH_FIELD` when the output does not
/// have it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_output_text(
    output: *const grantor_output,
    field: u32,
    text: *mut grantor_str,
) -> grantor_result {
    border(|| {
        let out = Out::new(text)?;
        // SAFETY: a handle, as the header says.
        let text = read::text(unsafe { handle(output) }?, field).ok_or(GRANTOR_RESULT_NO_SUCH_FIELD)?;
        // SAFETY: `text` is good for writing.
        unsafe { out.put(grantor_str::of(text)) };
        Ok(())
    })
}

/// Reads a field that is bytes. They are borrowed from the output. `GRANTOR_RESULT_NO_SUCH_FIELD` when the output does
/// not have it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_output_bytes(
    output: *const grantor_output,
    field: u32,
    bytes: *mut grantor_bytes,
) -> grantor_result {
    border(|| {
        let out = Out::new(bytes)?;
        // SAFETY: a handle, as the header says.
        let bytes = read::bytes(unsafe { handle(output) }?, field).ok_or(GRANTOR_RESULT_NO_SUCH_FIELD)?;
        // SAFETY: `bytes` is good for writing.
        unsafe { out.put(grantor_bytes::of(bytes)) };
        Ok(())
    })
}

/// Reads a field that is a number. `GRANTOR_RESULT_NO_SUCH_FIELD` when the output does not have it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_output_number(
    output: *const grantor_output,
    field: u32,
    number: *mut u64,
) -> grantor_result {
    border(|| {
        let out = Out::new(number)?;
        // SAFETY: a handle, as the header says.
        let number = read::number(unsafe { handle(output) }?, field).ok_or(GRANTOR_RESULT_NO_SUCH_FIELD)?;
        // SAFETY: `number` is good for writing.
        unsafe { out.put(number) };
        Ok(())
    })
}

/// Reads a header line, by its place: name and value. They are borrowed from the output. `GRANTOR_RESULT_NO_SUCH_FIELD`
/// past the last one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_output_header(
    output: *const grantor_output,
    place: usize,
    name: *mut grantor_str,
    value: *mut grantor_str,
) -> grantor_result {
    border(|| {
        let (name, value) = (Out::new(name)?, Out::new(value)?);
        // SAFETY: a handle, as the header says.
        let line = read::line(unsafe { handle(output) }?, place).ok_or(GRANTOR_RESULT_NO_SUCH_FIELD)?;
        // SAFETY: both are good for writing.
        unsafe {
            name.put(grantor_str::of(line.0));
            value.put(grantor_str::of_bytes(line.1));
        }
        Ok(())
    })
}

/// Writes whether a request to the redirect URI answers a `GRANTOR_OUTPUT_AUTHORIZE`: it carries the `state` that was
/// sent. Anything else, such as a favicon or a guess, is no answer. `url` is a URL, a request target or a query.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_output_is_answered_by(
    output: *const grantor_output,
    url: grantor_str,
    answered: *mut bool,
) -> grantor_result {
    border(|| {
        let out = Out::new(answered)?;
        // SAFETY: a handle and a text, as the header says.
        let (output, url) = unsafe { (handle(output)?, url.read()?) };
        let Some(Effect::Interact(Interaction::Authorize(prompt))) = &output.effect else {
            return Err(GRANTOR_RESULT_WRONG_KIND.into());
        };
        let answered = prompt.is_answered_by(url);
        // SAFETY: `answered` is good for writing.
        unsafe { out.put(answered) };
        Ok(())
    })
}

/// Whether the request of a `GRANTOR_OUTPUT_HTTP` may be sent to this address, 4 or 16 bytes in network order: ask for
/// every address before connecting to it. `GRANTOR_RESULT_OK`, or `GRANTOR_RESULT_ADDRESS_REFUSED`: a URL that came from
/// a public server must not lead into the client's own network.
///
/// Behind a proxy, the proxy sees to that. It may resolve the resource's own host, and block while it does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_output_check_address(
    output: *const grantor_output,
    address: *const u8,
    address_len: usize,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and bytes, as the header says.
        let (output, address) = unsafe { (handle(output)?, crate::text::slice(address, address_len)?) };
        let Some(Effect::Http { request, .. }) = &output.effect else {
            return Err(GRANTOR_RESULT_WRONG_KIND.into());
        };
        let v4 = <[u8; 4]>::try_from(address).map(IpAddr::from);
        let address = v4.or_else(|_| <[u8; 16]>::try_from(address).map(IpAddr::from));
        match address {
            Ok(address) if grantor_driver::admits(request, address) => Ok(()),
            _ => Err(GRANTOR_RESULT_ADDRESS_REFUSED.into()), // another length is no address
        }
    })
}

/// A header as a name and bytes.
pub(crate) fn line<'a>((name, value): (&'a HeaderName, &'a HeaderValue)) -> (&'a str, &'a [u8]) {
    (name.as_str(), value.as_bytes())
}
