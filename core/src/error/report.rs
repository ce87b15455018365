//! An error as a caller gets it: with what was asked, what came, and what to do.

use std::fmt;

use url::Url;

use super::redact::Sent;
use super::words;
use super::{EffectError, Error, Exchange, PeerText};
use crate::wire::http::{HttpRequest, HttpResponse};

/// Why something failed, in full: the [`Error`] to match on, the exchange in which it arose, and what to do
/// about it. It displays as one sentence and has no source, so that printing a chain repeats nothing.
///
/// ```
/// # use grantor::error::{ErrorReport, Refused, PeerText};
/// # let error = Refused::Declined;
/// let report = ErrorReport::from(error);
/// assert_eq!(report.to_string(), "the authorization was declined");
/// assert!(report.asked.is_none(), "nobody's answer: the user's own word");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorReport {
    /// What went wrong.
    pub error: Error,
    /// The exchange in which it did; `None` where there was none, as with the store.
    pub asked: Option<Asked>,
    tried: Vec<ErrorReport>,
}

/// What was asked, and what came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// What it was about.
    pub exchange: Exchange,
    /// Where it was asked, without user, query and fragment.
    pub url: PeerText,
    /// The HTTP status of the answer; `None` when there was none, or it came by the browser.
    pub status: Option<u16>,
    /// What the server itself said, of whatever shape its answer was. Nothing that was sent is in it.
    pub words: Option<PeerText>,
}

impl Asked {
    pub(crate) fn new(exchange: Exchange, url: &Url) -> Self {
        Self { exchange, url: PeerText::of_url(url), status: None, words: None }
    }

    pub(crate) fn of(request: &HttpRequest) -> Self {
        Self::new(request.exchange, &request.url)
    }

    /// Notes the answer.
    pub(crate) fn answered(self, response: &HttpResponse<'_>, sent: &Sent) -> Self {
        let words = words::of(response, sent);
        Self { status: Some(response.status), words, ..self }
    }
}

impl ErrorReport {
    /// What went wrong at the other URLs that were tried for the same, in order.
    pub fn tried(&self) -> &[ErrorReport] {
        &self.tried
    }

    /// The same, of this exchange unless it is of another or of several.
    pub(crate) fn of_exchange(self, asked: Option<&Asked>) -> Self {
        let asked = asked.filter(|_| self.asked.is_none() && self.tried.is_empty()).cloned();
        Self { asked: self.asked.or(asked), ..self }
    }

    /// The same, and what else was tried for it.
    pub(crate) fn with_tried(mut self, tried: Vec<ErrorReport>) -> Self {
        self.tried.extend(tried);
        self
    }

    pub(crate) fn new(error: Error, asked: Option<Asked>) -> Self {
        Self { error, asked, tried: Vec::new() }
    }
}

impl<E: Into<Error>> From<E> for ErrorReport {
    fn from(error: E) -> Self {
        Self::new(error.into(), None)
    }
}

struct WithoutHint<'a>(&'a ErrorReport);

impl fmt::Display for WithoutHint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_plain(f)?;
        for (index, tried) in self.0.tried.iter().enumerate() {
            f.write_str(if index == 0 { "; tried in vain: " } else { ", " })?;
            tried.write_short(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.without_hint(), f)?;
        self.write_hint(f)
    }
}

impl ErrorReport {
    /// The same words without the hint, which names options of this library: for users of a program that has none of
    /// them.
    pub fn without_hint(&self) -> impl fmt::Display {
        WithoutHint(self)
    }

    /// Without hint and other tries.
    fn write_plain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.error.to_string();
        let Some(asked) = &self.asked else {
            return f.write_str(&error);
        };
        // Many errors name the exchange themselves, and effects what they are for; it is said once.
        let what = match &self.error {
            Error::Effect(EffectError { what, .. }) => what.to_string(),
            _ => asked.exchange.to_string(),
        };
        let error = error.strip_prefix(&what).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&error);
        write!(f, "{} at {}: {error}", asked.exchange, asked.url)?;
        if let Some(status) = asked.status
            && !error.contains(&status.to_string())
        {
            write!(f, " (status {status})")?;
        }
        if let Some(words) = &asked.words
            && !error.contains(words.as_str())
        {
            write!(f, "; the server says: {}", words.as_str().trim_end_matches(['.', ';', ' ']))?;
        }
        Ok(())
    }

    /// As one of several: where, and why.
    fn write_short(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(asked) = &self.asked else { return self.write_plain(f) };
        let error = self.error.to_string();
        let own = error.strip_prefix(&asked.exchange.to_string()).and_then(|rest| rest.strip_prefix(": "));
        write!(f, "{}: {}", asked.url, own.unwrap_or(&error))
    }

    fn write_hint(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hint() {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ErrorReport {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{PeerMisbehaved, Refused};

    #[test]
    fn without_its_hint_a_report_says_all_else() {
        let url = Url::parse("https://as.example.com/token?secret=x").unwrap();
        let asked = Asked { status: Some(400), ..Asked::new(Exchange::CodeToken, &url) };
        let code = PeerText::new("invalid_scope");
        let error = Error::from(Refused::Token { code, description: None });
        let tried = ErrorReport::from(PeerMisbehaved::TooManyScopes { limit: 3 });
        let report = ErrorReport::new(error, Some(asked)).with_tried(vec![tried]);
        let (all, plain) = (report.to_string(), report.without_hint().to_string());
        let hint = report.hint().unwrap();
        assert_eq!(all, format!("{plain}; {hint}"), "the hint is at the end, and all that is left out");
        for word in ["https://as.example.com/token", "invalid_scope", "status 400", "tried in vain"] {
            assert!(plain.contains(word), "{word}: {plain}");
        }
        assert!(!plain.contains("registration_scopes") && !plain.contains("secret"), "{plain}");
    }

    #[test]
    fn a_report_that_has_no_hint_is_the_same_without() {
        let report = ErrorReport::from(Refused::Declined);
        assert_eq!(report.without_hint().to_string(), report.to_string());
    }
}
